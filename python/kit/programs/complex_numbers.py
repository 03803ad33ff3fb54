"""Complex numbers as pairs of real ones, for torch's Inductor generates code for real numbers alone.

A complex tensor is computed with as the real one that `torch.view_as_real` shows, with a last dimension of 2.
What remains of complex tensors is where they enter and leave the program, and in Fourier transforms, each of
which is brought into the form that kit's own code has: over the last dimension.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten
Rule = Callable[..., Any]

_RULES: dict[Any, Rule] = {}


def without_complex(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """The program, with what it computes with complex numbers said in real ones."""
    if not any(_complex_value(node) for node in program.graph.nodes):
        return program
    table = torch.export.default_decompositions()
    for operation, rule in _RULES.items():
        table[operation] = rule
    done: torch.export.ExportedProgram = program.run_decompositions(table)
    graph = done.graph
    for node in list(graph.nodes):
        if node.target is aten.view_as_real.default and node.args[0].target is aten.view_as_complex.default:
            node.replace_all_uses_with(node.args[0].args[0])
            graph.erase_node(node)
    graph.eliminate_dead_code()
    return done


def _complex_value(node: torch.fx.Node) -> bool:
    value = node.meta.get("val")
    values = value if isinstance(value, (tuple, list)) else [value]
    return any(isinstance(one, Tensor) and one.is_complex() for one in values)


def _rule(*operations: Any, real: bool = False) -> Callable[[Rule], Rule]:
    """Makes a function the rule for operations where an argument is complex, or with `real` everywhere."""

    def register(function: Rule) -> Rule:
        def rule(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs) if real or any(map(_is_complex, args)) else NotImplemented

        for operation in operations:
            _RULES[operation] = rule
        return function

    return register


def _is_complex(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return any(map(_is_complex, value))
    return isinstance(value, complex) or (isinstance(value, Tensor) and value.is_complex())


def _pair(value: Any, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The real and the imaginary part, of a real dtype; of a real number too, for 0 times infinity counts."""
    if not isinstance(value, Tensor):
        whole = complex(value)
        return torch.full((), whole.real, dtype=dtype), torch.full((), whole.imag, dtype=dtype)
    if not value.is_complex():
        real = value.to(dtype)
        return real, torch.zeros_like(real)
    both = aten.view_as_real(value)
    return aten.select(both, -1, 0).to(dtype), aten.select(both, -1, 1).to(dtype)


def _own_pair(value: Tensor) -> tuple[Tensor, Tensor]:
    return _pair(value, _real_of(value.dtype))


def _pairs(one: Any, other: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    dtype = _real_of(torch.result_type(one, other))
    return (*_pair(one, dtype), *_pair(other, dtype))


def _real_of(dtype: torch.dtype) -> torch.dtype:
    known = {torch.complex32: torch.float16, torch.complex64: torch.float32, torch.complex128: torch.float64}
    return known[dtype]


def _joined(real: Tensor, imaginary: Tensor) -> Tensor:
    pair = aten.broadcast_tensors([real, imaginary])
    result: Tensor = aten.view_as_complex(aten.stack(pair, -1))
    return result


@_rule(aten.mul.Tensor, aten.mul.Scalar)
def _mul(one: Any, other: Any) -> Any:
    a, b, c, d = _pairs(one, other)
    return _joined(a * c - b * d, a * d + b * c)


@_rule(aten.mm.default, aten.bmm.default)
def _product(one: Tensor, other: Tensor) -> Any:
    a, b, c, d = _pairs(one, other)
    return _joined(a @ c - b @ d, a @ d + b @ c)


@_rule(aten.add.Tensor, aten.add.Scalar)
def _add(one: Any, other: Any, alpha: Any = 1) -> Any:
    a, b, c, d = _pairs(one, other if alpha == 1 else other * alpha)
    return _joined(a + c, b + d)


@_rule(aten.sub.Tensor, aten.sub.Scalar)
def _sub(one: Any, other: Any, alpha: Any = 1) -> Any:
    a, b, c, d = _pairs(one, other if alpha == 1 else other * alpha)
    return _joined(a - c, b - d)


@_rule(aten.div.Tensor, aten.div.Scalar)
def _div(one: Any, other: Any) -> Any:
    """As torch divides, which is as numpy does: scaled by the larger part of the divisor."""
    a, b, c, d = _pairs(one, other)
    by_real = c.abs() >= d.abs()
    large, small = torch.where(by_real, c, d), torch.where(by_real, d, c)
    ratio = small / large
    scale = 1 / (large + small * ratio)
    real = torch.where(by_real, a + b * ratio, a * ratio + b) * scale
    imaginary = torch.where(by_real, b - a * ratio, b * ratio - a) * scale
    nothing = (c == 0) & (d == 0)
    return _joined(torch.where(nothing, a / c.abs(), real), torch.where(nothing, b / d.abs(), imaginary))


@_rule(aten._conj.default, aten._conj_physical.default, aten.conj_physical.default)
def _conj(value: Tensor) -> Any:
    real, imaginary = _own_pair(value)
    return _joined(real, -imaginary)


@_rule(aten.abs.default)
def _abs(value: Tensor) -> Any:
    return torch.hypot(*_own_pair(value))


@_rule(aten.angle.default)
def _angle(value: Tensor) -> Any:
    real, imaginary = _own_pair(value)
    return torch.atan2(imaginary, real)


@_rule(aten.polar.default, real=True)
def _polar(size: Tensor, angle: Tensor) -> Any:
    return _joined(size * angle.cos(), size * angle.sin())


@_rule(aten.complex.default, real=True)
def _complex(real: Tensor, imaginary: Tensor) -> Any:
    return _joined(real, imaginary)


@_rule(aten.full.default, real=True)
def _full(size: Sequence[int], value: Any, dtype: torch.dtype | None = None, **layout: Any) -> Any:
    if dtype is None and isinstance(value, complex):
        dtype = torch.get_default_dtype().to_complex()
    if dtype is None or not dtype.is_complex:
        return NotImplemented
    whole = complex(value)
    real = aten.full(size, whole.real, dtype=_real_of(dtype), **layout)
    return _joined(real, torch.full_like(real, whole.imag))


@_rule(aten.scalar_tensor.default, real=True)
def _scalar(value: Any, dtype: torch.dtype | None = None, **layout: Any) -> Any:
    return _full([], value, dtype, **layout)


def _as_pairs(operation: Any, value: Tensor, *args: Any) -> Tensor:
    """The result of an operation that does the same to both parts."""
    result: Tensor = aten.view_as_complex(operation(aten.view_as_real(value), *args))
    return result


def _dims(value: Tensor, dims: Sequence[int] | int | None) -> list[int]:
    """Counted from the front, for there is one more at the end."""
    if isinstance(dims, int):
        dims = [dims]
    return [one % max(value.dim(), 1) for one in dims] if dims else list(range(value.dim()))


def _register_same_for_both() -> None:
    """Operations that do the same to both parts, where a shape or a dimension may have to be told anew."""
    for operation in (aten.neg, aten.alias, aten.detach):
        _rule(operation.default)(lambda value, op=operation: _as_pairs(op, value))
    _rule(aten.clone.default)(lambda value, **_layout: _as_pairs(aten.clone, value))
    for operation in (aten.view, aten.expand, aten.reshape, aten._unsafe_view):
        _rule(operation.default)(
            lambda value, shape, op=operation, **_rest: _as_pairs(op, value, [*shape, 2])
        )
    for along in (aten.select.int, aten.slice.Tensor, aten.squeeze.dim, aten.index_select.default):
        _rule(along)(lambda value, dim=0, *rest, op=along: _as_pairs(op, value, *_dims(value, [dim]), *rest))
    _rule(aten.transpose.int)(
        lambda value, one, other: _as_pairs(aten.transpose, value, *_dims(value, [one, other]))
    )
    _rule(aten.permute.default)(
        lambda value, dims: _as_pairs(aten.permute, value, [*_dims(value, dims), value.dim()])
    )
    _rule(aten.flip.default)(lambda value, dims: _as_pairs(aten.flip, value, _dims(value, dims)))
    _rule(aten.unsqueeze.default)(
        lambda value, dim: _as_pairs(aten.unsqueeze, value, dim % (value.dim() + 1))
    )


_register_same_for_both()


@_rule(aten._to_copy.default, real=True)
def _to_copy(value: Tensor, dtype: torch.dtype | None = None, **_layout: Any) -> Any:
    wanted = dtype or value.dtype
    if wanted.is_complex:
        return _joined(*_pair(value, _real_of(wanted)))
    return _own_pair(value)[0].to(wanted) if value.is_complex() else NotImplemented


@_rule(aten.sum.default, aten.sum.dim_IntList)
def _sum(
    value: Tensor, dims: Sequence[int] = (), keep: bool = False, dtype: torch.dtype | None = None
) -> Any:
    wanted = value if dtype is None else value.to(dtype)
    return _as_pairs(aten.sum.dim_IntList, wanted, _dims(value, dims), keep)


@_rule(aten.mean.default, aten.mean.dim)
def _mean(
    value: Tensor, dims: Sequence[int] = (), keep: bool = False, dtype: torch.dtype | None = None
) -> Any:
    wanted = value if dtype is None else value.to(dtype)
    return _as_pairs(aten.mean.dim, wanted, _dims(value, dims), keep)


@_rule(aten.cat.default)
def _cat(values: Sequence[Tensor], dim: int = 0) -> Any:
    dtype = _real_of(functools.reduce(torch.promote_types, (one.dtype for one in values)))
    parts = [torch.stack(_pair(one, dtype), -1) for one in values]
    return aten.view_as_complex(aten.cat(parts, dim % values[0].dim()))


@_rule(aten.where.self)
def _where(condition: Tensor, one: Tensor, other: Tensor) -> Any:
    a, b, c, d = _pairs(one, other)
    return _joined(torch.where(condition, a, c), torch.where(condition, b, d))


def _over_last(operation: Any, value: Tensor, dim: int, *rest: Any) -> Tensor:
    moved = operation(value.movedim(dim, -1).contiguous(), [value.dim() - 1], *rest)
    result: Tensor = moved.movedim(-1, dim)
    return result


@_rule(aten._fft_r2c.default, real=True)
def _fft_r2c(value: Tensor, dim: Sequence[int], normalization: int, onesided: bool) -> Any:
    dims = _dims(value, dim)
    if dims == [value.dim() - 1]:
        return NotImplemented
    result = _over_last(aten._fft_r2c, value, dims[-1], normalization, onesided)
    return aten._fft_c2c(result, dims[:-1], normalization, True) if dims[:-1] else result


@_rule(aten._fft_c2c.default)
def _fft_c2c(value: Tensor, dim: Sequence[int], normalization: int, forward: bool) -> Any:
    dims = _dims(value, dim)
    if dims == [value.dim() - 1]:
        return NotImplemented
    for one in dims:
        value = _over_last(aten._fft_c2c, value, one, normalization, forward)
    return value


@_rule(aten._fft_c2r.default)
def _fft_c2r(value: Tensor, dim: Sequence[int], normalization: int, size: int) -> Any:
    """Of half a spectrum, of which the other half is the mirror image."""
    *others, last = _dims(value, dim)
    if others:
        value = aten._fft_c2c(value, others, normalization, False)
    value = value.movedim(last, -1)
    mirrored = aten._conj(
        aten.flip(aten.slice(value, value.dim() - 1, 1, size - size // 2), [value.dim() - 1])
    )
    whole = aten.cat([value, mirrored], value.dim() - 1)
    result = aten._fft_c2c(whole, [value.dim() - 1], normalization, False)
    return aten.select(aten.view_as_real(result), -1, 0).movedim(-1, last)

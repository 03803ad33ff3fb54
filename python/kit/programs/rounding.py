"""Divisions of floats that round down, and their remainders, as eager torch computes them.

Inductor takes `floor(a / b)` and `a - b * floor(a / b)`, which is another number where `a / b` was rounded up
to a whole one: `1.0 // 0.1` is 9 in torch as in Python, and would be 10.
Source: c10/util/generic_math.h and aten/src/ATen/native/cpu/BinaryOpsKernel.cpp of torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

_aten = torch.ops.aten
_SHORT = (torch.float16, torch.bfloat16)


def with_exact_divisions(table: Mapping[Any, Callable[..., Any]]) -> dict[Any, Callable[..., Any]]:
    """A table of decompositions in which those of these operations are exact, where they are of floats."""
    exact = {
        _aten.fmod.Scalar: _fmod,
        _aten.remainder.Tensor: _remainder,
        _aten.remainder.Scalar: _remainder,
        _aten.remainder.Scalar_Tensor: _remainder,
        _aten.floor_divide.default: _floor_divide,
        _aten.floor_divide.Scalar: _floor_divide,
        _aten.div.Tensor_mode: _divide,
        _aten.div.Scalar_mode: _divide,
    }
    return {**table, **{key: _first(one, table.get(key)) for key, one in exact.items()}}


def _first(one: Callable[..., Any], other: Callable[..., Any] | None) -> Callable[..., Any]:
    def decompose(*args: Any, **kwargs: Any) -> Any:
        result = one(*args, **kwargs)
        return other(*args, **kwargs) if result is NotImplemented and other is not None else result

    return decompose


def _fmod(one: Any, other: Any) -> Any:
    operands = _floats(one, other)
    return NotImplemented if operands is None else torch.fmod(*operands)


def _remainder(one: Any, other: Any) -> Any:
    operands = _floats(one, other)
    if operands is None:
        return NotImplemented
    a, b = operands
    rest, differs = _rest(a, b)
    return torch.where(differs, rest + b, rest)


def _floor_divide(one: Any, other: Any) -> Any:
    return torch.div(one, other, rounding_mode="floor")


def _divide(one: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    operands = _floats(one, other) if rounding_mode == "floor" else None
    if operands is None:
        return NotImplemented
    a, b = operands
    dtype = a.dtype
    if dtype in _SHORT and (not isinstance(other, Tensor) or other.dim() == 0):
        # A number keeps its bits here; two tensors are computed step by step in 16 bits.
        a, b = a.float(), _tensor(other, torch.float32, a.device)
    rest, differs = _rest(a, b)
    divided = (a - rest) / b
    divided = torch.where(differs, divided - 1, divided)
    whole = torch.floor(divided)
    whole = torch.where(divided - whole > 0.5, whole + 1, whole)
    plain = a / b
    whole = torch.where(divided == 0, torch.copysign(torch.zeros_like(plain), plain), whole)
    return torch.where(b == 0, plain, whole).to(dtype)


def _rest(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The remainder of a division that rounds towards 0, and where its sign is not that of the divisor."""
    rest = torch.fmod(a, b)
    return rest, (rest != 0) & ((b < 0) != (rest < 0))


def _floats(one: Any, other: Any) -> tuple[Tensor, Tensor] | None:
    """The operands in the dtype of the result; None if that is not of floats."""
    dtype = torch.result_type(one, other)
    if not dtype.is_floating_point:
        return None
    device = next(operand.device for operand in (one, other) if isinstance(operand, Tensor))
    return _tensor(one, dtype, device), _tensor(other, dtype, device)


def _tensor(operand: Any, dtype: torch.dtype, device: torch.device) -> Tensor:
    if isinstance(operand, Tensor):
        return operand.to(dtype)
    if dtype in _SHORT and isinstance(operand, (int, float)):
        with _disable_current_modes():  # now, for Inductor does not round a constant
            operand = torch.tensor(operand, dtype=dtype).item()
    return torch.full((), operand, dtype=dtype, device=device)

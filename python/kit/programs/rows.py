"""Whether the rows of a batch depend on one another: if not, a call may be divided among threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from kit.binding import native as binding
from kit.compare import default_tolerance
from kit.eager import Eager
from kit.errors import TraceError
from kit.signature import Signature
from kit.sizes import operations_of

# To wake a thread takes some 30 µs: what it does should take longer. A core does about so much of what
# `operations_of` counts in 50 to 100 µs.
_OPERATIONS_PER_THREAD = 5_000_000
# What a size may go into without counting as a number that is computed with.
_ABOUT_SHAPES = (
    "view",
    "_unsafe_view",
    "reshape",
    "expand",
    "empty",
    "full",
    "zeros",
    "ones",
    "new_empty",
    "new_full",
    "new_zeros",
    "new_ones",
)
# Their dims say where an axis is, not along which to compute.
_MOVES_AXES = (
    "unsqueeze",
    "squeeze",
    "stack",
    "transpose",
    "permute",
    "movedim",
    "sym_size",
    "flatten",
    "unflatten",
)
_END = (1 << 63) - 1


def rows_per_thread(
    program: torch.export.ExportedProgram,
    eager: Eager,
    signature: Signature,
    cases: Sequence[Sequence[Tensor]],
) -> int | None:
    """The fewest rows for which a further thread pays, or None if a call must not be divided.

    It may be if one dim leads all inputs and outputs, the program computes no number from sizes, and nothing
    from all rows together or along them, and the eager model gives for parts of the inputs the same parts of
    the outputs in all cases, and for a row without a number in it the same other rows. Call it in evaluation
    mode.

    cases: flat inputs.
    """
    batch = batch_of(signature)
    if batch is None or _computes_with_sizes(program) or _mixes_rows(program):
        return None
    least = max(1, next(dim.min for dim in signature.dims if dim.name == batch))
    divisible = [case for case in cases if case[0].shape[0] >= 2 * least]
    if not divisible or not all(_is_divisible(eager, signature, case, least) for case in divisible):
        return None
    if not _rows_are_apart(eager, signature, min(divisible, key=lambda case: case[0].shape[0])):
        return None
    largest = max(divisible, key=lambda case: case[0].shape[0])
    each = operations_of(eager, largest) / largest[0].shape[0]
    return max(least, -(-_OPERATIONS_PER_THREAD // max(1, int(each))))


def batch_of(signature: Signature) -> str | None:
    """The dim that leads all inputs and outputs, and is nowhere else."""
    specs = (*signature.inputs, *signature.outputs)
    leading = {spec.shape[0] if spec.shape else None for spec in specs}
    name = leading.pop() if len(leading) == 1 else None
    if not isinstance(name, str) or any(name in spec.shape[1:] for spec in specs):
        return None
    dim = next(dim for dim in signature.dims if dim.name == name)
    return name if signature.inputs and dim.min != dim.max else None


def _computes_with_sizes(program: torch.export.ExportedProgram) -> bool:
    """Whether a size goes into anything but shapes: `x / x.shape[0]` differs from batch to batch."""
    return any(
        isinstance(node.meta.get("val"), torch.SymInt | torch.SymFloat | torch.SymBool)
        and not all(map(_is_about_shapes, node.users))
        for node in program.graph.nodes
    )


def _is_about_shapes(user: torch.fx.Node) -> bool:
    name = getattr(getattr(user.target, "overloadpacket", None), "__name__", "")
    if name in ("full", "new_full"):  # the value that it is filled with is no shape
        value = user.args[1] if name == "full" else user.args[2]
        return not isinstance(value, torch.fx.Node)
    return name in _ABOUT_SHAPES


def _mixes_rows(program: torch.export.ExportedProgram) -> bool:
    """Whether something is computed of all rows that is none itself, as `x / x.abs().max()` does it, or along
    them: what it does to the other rows may show for some values alone."""
    inputs = set(program.graph_signature.user_inputs)
    batch: set[Any] = set()
    for node in program.graph.nodes:
        if node.name in inputs:
            batch |= _symbols(node.meta["val"].shape[:1])
    for node in program.graph.nodes:
        if node.op != "call_function" or _is_about_shapes(node):
            continue
        taken = [_symbols(one.shape) for source in node.all_input_nodes for one in _tensors(source)]
        given = [_symbols(one.shape) for one in _tensors(node)]
        if any(batch & one for one in taken) and not all(batch & one for one in given):
            return True
        if _goes_along(node, batch):
            return True
    return False


def _goes_along(node: torch.fx.Node, batch: set[Any]) -> bool:
    """Whether an operation takes rows to others: its dim is the batch's, as that of `roll` or `sort` may be,
    or it picks or cuts rows."""
    schema = getattr(node.target, "_schema", None)
    name = getattr(getattr(node.target, "overloadpacket", None), "__name__", "")
    source = next(iter(node.all_input_nodes), None)
    shape = next((one.shape for one in _tensors(source)), ()) if source is not None else ()
    rows = {axis for axis, size in enumerate(shape) if batch & _symbols([size])}
    if schema is None or not rows or name in _MOVES_AXES:
        return False
    given = {argument.name: argument.default_value for argument in schema.arguments}
    given |= dict(zip(given, node.args, strict=False)) | node.kwargs
    if name == "index" or name.startswith("index_put"):
        return any(index is not None and axis in rows for axis, index in enumerate(given["indices"]))
    if name == "slice" and not given["start"] and given["step"] == 1:
        end = given["end"]
        if end is None or (isinstance(end, int) and end >= _END):
            return False
    if name == "constant_pad_nd":
        return any(pad != 0 and len(shape) - 1 - place // 2 in rows for place, pad in enumerate(given["pad"]))
    dims = given.get("dims", given.get("dim"))
    if dims is None or dims == []:
        return name in ("roll", "take", "take_along_dim")
    dims = dims if isinstance(dims, list | tuple) else [dims]
    return any(isinstance(dim, int) and dim % len(shape) in rows for dim in dims)


def _tensors(node: torch.fx.Node) -> Iterator[Tensor]:
    found = node.meta.get("val")
    for one in found if isinstance(found, tuple | list) else (found,):
        if isinstance(one, Tensor):
            yield one


def _symbols(sizes: Sequence[Any]) -> set[Any]:
    return {symbol for one in sizes if isinstance(one, torch.SymInt) for symbol in one.node.expr.free_symbols}


def _rows_are_apart(eager: Eager, signature: Signature, case: Sequence[Tensor]) -> bool:
    """Whether the first row, and the last, may be NaN or infinite and all others stay what they are."""
    if not any(_has_nan(tensor) for tensor in case):
        return True
    whole = eager.run(list(case), "a golden case")
    tolerances = [default_tolerance(spec.dtype) for spec in signature.outputs]
    for row, others in ((0, slice(1, None)), (-1, slice(None, -1))):
        for value in (float("nan"), float("inf"), float("-inf")):
            changed = [tensor.clone() for tensor in case]
            for tensor in changed:
                if _has_nan(tensor):
                    tensor[row] = value
            try:
                outputs = eager.run(changed, f"a golden case with a row of {value}")
            except TraceError:  # the model itself refuses such a value, in whichever part it comes
                continue
            if not all(
                binding.compare(one[others].cpu(), other[others].cpu(), known.rtol, known.atol).within
                for one, other, known in zip(outputs, whole, tolerances, strict=True)
            ):
                return False
    return True


def _has_nan(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _is_divisible(eager: Eager, signature: Signature, case: Sequence[Tensor], least: int) -> bool:
    """Whether two parts of different sizes, if possible, give what the whole gives."""
    rows = case[0].shape[0]
    cut = max(least, rows // 3)
    whole = eager.run(list(case), "a golden case")
    parts = [
        eager.run([tensor[begin:end] for tensor in case], "a part of a golden case")
        for begin, end in ((0, cut), (cut, rows))
    ]
    tolerances = [default_tolerance(spec.dtype) for spec in signature.outputs]
    return all(
        binding.compare(torch.cat(divided).cpu(), together.cpu(), tolerance.rtol, tolerance.atol).within
        for *divided, together, tolerance in zip(*parts, whole, tolerances, strict=True)
    )

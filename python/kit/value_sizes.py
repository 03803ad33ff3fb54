"""Sizes that depend on values: an operation such as `nonzero` may give an output another shape for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from kit.eager import Eager
from kit.errors import TraceError
from kit.guards.evidence import Trace
from kit.guards.finding import Finding
from kit.guards.graph import Node, argument, constant_argument, has_tag, inputs_of, place_of_node
from kit.recipe import Recipe
from kit.source import Place
from kit.state import attributes_kept

_UNTAGGED = ("aten::nonzero_numpy", "aten::tensor_split", "aten::_pack_padded_sequence")
_DYNAMIC = torch.Tag.dynamic_output_shape
_MASKS = (torch.bool, torch.uint8, None)  # None where the graph does not tell, as one that was scripted


def _counted(tensor: Tensor, most: int) -> Tensor:
    """0, 1, … up to the most, again and again."""
    return (torch.arange(tensor.numel(), device=tensor.device) % (most + 1)).reshape(tensor.shape)


_CHANGES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "zeros": torch.zeros_like,
    "ones": torch.ones_like,
    "numbers from 0 to 4": partial(_counted, most=4),
    "slightly larger numbers": lambda tensor: tensor + _counted(tensor, 2),
    "numbers of the other sign": lambda tensor: ~tensor if tensor.dtype is torch.bool else -tensor,
}
"""Other values for inputs of each dtype. They are small, as they may become sizes."""


def sizes_by_values(eager: Eager, trace: Trace, recipe: Recipe) -> list[Finding]:
    """The finding that an output has another shape for other values of the same sizes.

    The model is run on some where an operation of its trace, that of the example, may do so, and a whole
    number that is 0 is tried as 1; values that it refuses say nothing. Cases of the recipe's own have the
    values that it may be given. On a GPU an index out of bounds would be the end of the process: a copy is
    tried on the CPU.
    """
    if not isinstance(recipe.cases, int):
        return []
    nodes = [node for kind, node in trace.kinds if _may_size_by_values(kind, node)]
    examples = [tensor.cpu() for tensor in eager.inputs.values()]
    tries = dict(_tries(examples, bool(nodes)))
    if not tries:
        return []
    eager = eager if eager.device == "cpu" else eager.moved("cpu")
    for what, tensors in tries.items():
        try:
            with attributes_kept(eager.module):
                outputs = eager.run(tensors, what)
        except TraceError:
            continue
        for name, one, other in zip(eager.outputs, eager.example_outputs, outputs, strict=True):
            if one.shape != other.shape:
                place = place_of_node(nodes[0]) if len(nodes) == 1 else None
                return [_finding(name, one, other, what, place)]
    return []


def _finding(name: str, one: Tensor, other: Tensor, what: str, place: Place | None) -> Finding:
    return Finding(
        "fails",
        f"the shape of output '{name}' depends on the values of the inputs: {list(one.shape)} for the "
        f"example, {list(other.shape)} for {what}",
        "return a shape that follows from those of the inputs, as with padding, a mask or num_classes=; or "
        "give `cases`, if values as these never come",
        place,
    )


def _tries(examples: Sequence[Tensor], all_of_them: bool) -> Iterator[tuple[str, list[Tensor]]]:
    for what, change in _CHANGES.items() if all_of_them else ():
        yield what, [change(tensor).to(tensor.dtype) for tensor in examples]
    zero = [tensor.dim() == 0 and not _is_inexact(tensor) and not tensor.any() for tensor in examples]
    if any(zero):
        changed = zip(zero, examples, strict=True)
        yield "1 instead of 0", [torch.ones_like(one) if is_zero else one for is_zero, one in changed]


def _is_inexact(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _may_size_by_values(kind: str, node: Node) -> bool:
    """Whether the shape of what an operation gives may depend on the values that it takes."""
    if kind == "aten::index":
        indices = argument(node, "indices")
        kinds = [value.type() for value in inputs_of(indices.node())] if indices is not None else []
        return any(one.kind() == "TensorType" and one.dtype() in _MASKS for one in kinds)
    if kind == "aten::one_hot":
        classes = constant_argument(node, "num_classes")
        return classes is None or classes < 0
    if kind == "aten::repeat_interleave":
        repeats = argument(node, "repeats")
        return repeats is not None and repeats.type().kind() == "TensorType"
    if kind == "aten::where":
        return bool(node.inputsSize() == 1)
    if kind in _UNTAGGED or not kind.startswith(("aten::", "prim::")):
        return True
    return has_tag(node, _DYNAMIC)

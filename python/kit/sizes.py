"""Which sizes of the dims to try: the bounds, the smallest, some between, as far as they are affordable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt, prod
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from kit.eager import Eager
from kit.shapes import example_sizes
from kit.signature import LARGEST, Dim, Signature, TensorSpec

_LADDER = (1, 2, 3, 5, 8, 13, 21, 34, 55)
_OPEN = 4096
_MOST_BYTES = 1 << 20
_MOST_FLOPS = 10**10
_LAYERS = ("transformer_encoder_layer", "multi_head_attention", "rnn_layer", "lstm", "gru")


@dataclass(frozen=True)
class Budget:
    """What one call may cost. known: sizes at which it takes `flops` floating-point operations.

    The cost at other sizes is estimated, and not timed, so that the same model gives the same cases.
    """

    known: Mapping[str, int]
    flops: int
    most_bytes: int = _MOST_BYTES
    most_flops: int = _MOST_FLOPS

    def affords(self, signature: Signature, sizes: Mapping[str, int]) -> bool:
        """Whether inputs and outputs of these sizes are within it, and the work, if it is as their square."""
        ratio = prod(size / max(1, self.known.get(name, 1)) for name, size in sizes.items())
        return (
            _bytes(signature, sizes) <= self.most_bytes
            and self.flops * max(1.0, ratio) ** 2 <= self.most_flops
        )


def budget_of(eager: Eager, signature: Signature, generous: bool = False) -> Budget:
    """The budget of a model, whose work is counted on its example. generous: for what is not stored."""
    with _FlopCount() as count:
        eager.run(list(eager.inputs.values()), "the example")
    most = (_MOST_BYTES << 6, 5 * _MOST_FLOPS) if generous else (_MOST_BYTES, _MOST_FLOPS)
    return Budget(example_sizes(signature.inputs, eager.inputs), count.total, *most)


def operations_of(eager: Eager, tensors: Sequence[torch.Tensor]) -> int:
    """About how much a call computes: floating-point operations, and four for each element of a result."""
    with _FlopCount() as count:
        eager.run(tensors, "a golden case")
    operations: int = count.total + 4 * count.elements
    return operations


class _FlopCount(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up what torch's formulas say of matrix products, convolutions and attention, and the elements of
    all results.

    torch's own FlopCounterMode also takes other operations apart, for which it loads seconds of code.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0
        self.elements = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """To be skipped by torch.compile, a mode loads it, which takes seconds."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.elements += _made(result, (args, kwargs))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=result)
        elif any(part in str(func) for part in _LAYERS):
            self.total += _work_of_layer([one for one in args if isinstance(one, torch.Tensor)])
        return result


def _made(result: Any, arguments: Any) -> int:
    """How many elements are computed: those of results that are no views of arguments."""
    known = {one.untyped_storage()._cdata for one in tree_leaves(arguments) if isinstance(one, torch.Tensor)}
    return sum(
        one.numel()
        for one in tree_leaves(result)
        if isinstance(one, torch.Tensor) and one.untyped_storage()._cdata not in known
    )


def _work_of_layer(tensors: Sequence[torch.Tensor]) -> int:
    """Of an operation that is a whole layer: each row of its input is multiplied by each of its matrices."""
    rows = tensors[0].numel() // max(1, tensors[0].shape[-1])
    return sum(2 * rows * one.numel() for one in tensors[1:] if one.dim() == 2)


def case_sizes(signature: Signature, count: int, budget: Budget) -> list[dict[str, int]]:
    """Sizes of the dims for `count` cases: the least, 1 and 2, the greatest, one between, then 3, 5, 8, …

    A case that the budget does not afford gets smaller sizes.
    """
    rungs = {dim.name: rungs_of(dim) for dim in signature.dims}
    result = []
    for index in range(count):
        chosen = {
            name: steps[(index + offset) % len(steps)] for offset, (name, steps) in enumerate(rungs.items())
        }
        result.append(_reduced(signature, chosen, rungs, budget))
    return result


def large_sizes(signature: Signature, budget: Budget) -> dict[str, int]:
    """The greatest sizes, halved until the budget affords them; no two alike, nor like one that is fixed, if
    that can be."""
    least = {dim.name: max(1, dim.min) for dim in signature.dims}
    sizes = {dim.name: max(rungs_of(dim)) for dim in signature.dims}
    while not budget.affords(signature, sizes):
        shrinking = [name for name, size in sizes.items() if size // 2 >= least[name]]
        if not shrinking:
            break
        sizes[max(shrinking, key=lambda name: sizes[name])] //= 2
    taken = {entry for spec in signature.inputs for entry in spec.shape if isinstance(entry, int)}
    for name, size in sizes.items():
        lower = range(size, max(2, least[name]) - 1, -1)
        sizes[name] = next((one for one in lower if one not in taken), size)
        taken.add(sizes[name])
    return sizes


def rungs_of(dim: Dim) -> list[int]:
    """Sizes within the range of a dim, the most telling first."""
    most = max(dim.min, _OPEN) if dim.max == LARGEST else dim.max
    between = isqrt(max(1, dim.min) * most)
    steps = _LADDER if dim.min < _LADDER[-1] else tuple(dim.min + step for step in _LADDER)
    order = [dim.min, 1, 2, most, between, *steps]
    return list(dict.fromkeys(size for size in order if dim.min <= size <= dim.max))


def _reduced(
    signature: Signature, sizes: dict[str, int], rungs: Mapping[str, Sequence[int]], budget: Budget
) -> dict[str, int]:
    """The sizes, the largest replaced by the next smaller one until the budget affords them."""
    while not budget.affords(signature, sizes):
        name = max(sizes, key=lambda one: (sizes[one] > min(rungs[one]), sizes[one]), default=None)
        lower = [size for size in rungs[name] if size < sizes[name]] if name is not None else []
        if name is None or not lower:
            break
        sizes = {**sizes, name: max(lower)}
    return sizes


def _bytes(signature: Signature, sizes: Mapping[str, int]) -> int:
    return sum(_spec_bytes(spec, sizes) for spec in (*signature.inputs, *signature.outputs))


def _spec_bytes(spec: TensorSpec, sizes: Mapping[str, int]) -> int:
    dtype: torch.dtype = getattr(torch, spec.dtype)
    return dtype.itemsize * prod(sizes[entry] if isinstance(entry, str) else entry for entry in spec.shape)

"""Golden cases: inputs, and the outputs of the eager model for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import safetensors.torch
import torch
from torch import Tensor

from kit.eager import Eager
from kit.errors import InputError, TraceError, UnavailableError
from kit.recipe import Recipe
from kit.shapes import describe, example_sizes, given_inputs
from kit.signature import Dim, Signature, TensorSpec
from kit.values import random_like

MEMBER = "extra/kit/cases.safetensors"
_LADDER = (1, 2, 3, 5, 8, 13, 21, 34, 55)
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Case:
    """Flat inputs and outputs in the signature's order, and a few words that tell it from the others."""

    inputs: list[Tensor]
    outputs: list[Tensor]
    what: str


def make_cases(eager: Eager, signature: Signature, recipe: Recipe) -> list[Case]:
    """The golden cases that the recipe asks for.

    Raises InputError if arguments given for a case do not fit the signature, TraceError if the outputs do
    not.
    """
    examples = list(eager.inputs.values())
    if isinstance(recipe.cases, int):
        inputs = [examples]
        for index, sizes in enumerate(case_sizes(signature, recipe.cases - 1), start=1):
            inputs.append(random_like(signature.inputs, examples, sizes, recipe.seed + index))
    else:
        inputs = given_inputs(signature, recipe)
    return [_case(eager, signature, index, tensors) for index, tensors in enumerate(inputs)]


def _case(eager: Eager, signature: Signature, index: int, tensors: list[Tensor]) -> Case:
    sizes = example_sizes(signature.inputs, dict(zip(eager.inputs, tensors, strict=True)))
    what = f"case {index}" + (f" ({describe(sizes)})" if sizes else "")
    outputs = eager.run(tensors, what)
    try:
        signature.check_outputs(outputs, tensors)
    except InputError as error:
        raise TraceError(f"{what}: {error}; shapes of outputs must follow the dims") from None
    return Case([_stored(tensor) for tensor in tensors], [_stored(tensor) for tensor in outputs], what)


def case_sizes(signature: Signature, count: int) -> list[dict[str, int]]:
    """Sizes of the dims for `count` cases: the least, then 1, 2, 3, 5, ... within the ranges.

    Sizes stay below 64, and a case below about 1 MiB, unless a range starts above.
    """
    rungs = {dim.name: _rungs(dim) for dim in signature.dims}
    result = []
    for index in range(count):
        at = {name: (index + offset) % len(rungs[name]) for offset, name in enumerate(rungs)}
        sizes = {name: rungs[name][step] for name, step in at.items()}
        while _bytes(signature, sizes) > _MOST_BYTES and any(at.values()):
            largest = max((name for name in at if at[name]), key=lambda name: sizes[name])
            at[largest] -= 1
            sizes[largest] = rungs[largest][at[largest]]
        result.append(sizes)
    return result


def _rungs(dim: Dim) -> list[int]:
    """Sizes to go through, ascending: small ones, or those next to the least where that is large."""
    steps = _LADDER if dim.min < _LADDER[-1] else tuple(dim.min + step for step in _LADDER)
    return [dim.min, *(size for size in steps if dim.min < size <= dim.max)]


def _bytes(signature: Signature, sizes: Mapping[str, int]) -> int:
    return sum(_spec_bytes(spec, sizes) for spec in (*signature.inputs, *signature.outputs))


def _spec_bytes(spec: TensorSpec, sizes: Mapping[str, int]) -> int:
    dtype: torch.dtype = getattr(torch, spec.dtype)
    return dtype.itemsize * prod(sizes[entry] if isinstance(entry, str) else entry for entry in spec.shape)


def _stored(tensor: Tensor) -> Tensor:
    """A copy of its own, on the CPU and without gaps, which is what a file can hold."""
    plain = tensor.detach().cpu().resolve_conj().resolve_neg()
    return plain.clone(memory_format=torch.contiguous_format)


def encode(signature: Signature, cases: Sequence[Case]) -> bytes:
    """The cases as safetensors, under "<i>.inputs.<name>" and "<i>.outputs.<name>"."""
    tensors: dict[str, Tensor] = {}
    for index, case in enumerate(cases):
        for kind, specs, values in (
            ("inputs", signature.inputs, case.inputs),
            ("outputs", signature.outputs, case.outputs),
        ):
            tensors.update(
                {f"{index}.{kind}.{spec.name}": value for spec, value in zip(specs, values, strict=True)}
            )
    try:
        return bytes(safetensors.torch.save(tensors))
    except (KeyError, ValueError) as error:
        dtypes = sorted({str(tensor.dtype) for tensor in tensors.values()})
        raise UnavailableError(
            f"the golden cases cannot be stored: safetensors does not know one of {', '.join(dtypes)} "
            f"({error}); use another dtype for inputs and outputs"
        ) from error

"""Golden cases: inputs, and the outputs of the eager model for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import safetensors.torch
import torch
from torch import Tensor

from kit.eager import Eager
from kit.errors import InputError, TraceError, UnavailableError
from kit.method import FORWARD
from kit.recipe import Recipe
from kit.shapes import describe, given_inputs
from kit.signature import Signature
from kit.sizes import budget_of, case_sizes
from kit.values import random_like

MEMBER = "extra/kit/cases.safetensors"


def member_name(method: str) -> str:
    """The member of an archive that holds the golden cases of a method."""
    return MEMBER if method == FORWARD else f"extra/kit/methods/{method}/cases.safetensors"


@dataclass(frozen=True)
class Case:
    """Flat inputs and outputs in the signature's order, and a few words that tell it from the others.

    scale: what the absolute tolerance is multiplied by.
    """

    inputs: list[Tensor]
    outputs: list[Tensor]
    what: str
    scale: float = 1.0


def make_cases(
    eager: Eager, signature: Signature, recipe: Recipe, more: Sequence[list[Tensor]] = ()
) -> list[Case]:
    """The golden cases that the recipe asks for, and those with the inputs `more`.

    Raises InputError if arguments given for a case do not fit the signature, TraceError if the outputs do
    not.
    """
    examples = list(eager.inputs.values())
    if isinstance(recipe.cases, int):
        inputs = [examples]
        sizes_of_cases = case_sizes(signature, recipe.cases - 1, budget_of(eager, signature))
        for index, sizes in enumerate(sizes_of_cases, start=1):
            inputs.append(random_like(signature.inputs, examples, sizes, recipe.seed + index))
    else:
        inputs = given_inputs(signature, recipe)
    return [
        run_case(eager, signature, f"case {index}", tensors) for index, tensors in enumerate([*inputs, *more])
    ]


def run_case(eager: Eager, signature: Signature, what: str, tensors: list[Tensor]) -> Case:
    """The case of these inputs, with the outputs of the eager model; `what` names it."""
    what = full_name(signature, what, tensors)
    return case_of(signature, what, tensors, eager.run(tensors, what))


def full_name(signature: Signature, what: str, tensors: Sequence[Tensor]) -> str:
    """What names a case, with the sizes of its dims."""
    sizes = signature.sizes(tensors)
    return f"{what} ({describe(sizes)})" if sizes else what


def case_of(signature: Signature, what: str, tensors: list[Tensor], outputs: list[Tensor]) -> Case:
    """The case of these inputs and outputs. Raises TraceError if the outputs do not fit the signature."""
    try:
        signature.check_outputs(outputs, tensors)
    except InputError as error:
        raise TraceError(f"{what}: {error}; shapes of outputs must follow the dims") from None
    return Case([_stored(tensor) for tensor in tensors], [_stored(tensor) for tensor in outputs], what)


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


def scale_of(tensors: Iterable[Tensor]) -> float:
    """The largest finite number among floating-point tensors, or 1 if there is none above it.

    Programs that add in another order than the eager model round in proportion to it, where large numbers
    cancel out, and not to what remains: the absolute tolerance is multiplied by it.
    """
    return max([1.0, *(largest(one) for one in tensors if one.is_floating_point() or one.is_complex())])


def largest(tensor: Tensor) -> float:
    """The largest finite number of a tensor without its sign, or 0."""
    finite = tensor[torch.isfinite(tensor)].abs().double()
    return finite.max().item() if finite.numel() else 0.0

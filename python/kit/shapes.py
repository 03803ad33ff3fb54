"""Which dims the outputs have: found by running the model at several sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from kit.eager import Eager
from kit.errors import InputError, TraceError
from kit.guards.finding import Finding, refuse
from kit.guards.state import not_repeatable
from kit.recipe import Recipe
from kit.signature import Dim, Signature, TensorSpec, dtype_name, resolve_dynamic
from kit.structure import bind
from kit.values import random_like

_PRIMES = (3, 11, 7, 2, 13, 5, 17, 19, 23, 29, 31, 37, 41, 43, 47)
_PROBES = 2
_DRAWS = 3
_PROBES_GIVEN = 4


@dataclass(frozen=True)
class Probe:
    """Inputs to look at the model with, and the sizes of the dims in them. outputs: what the model gives for
    them, if that is known."""

    sizes: Mapping[str, int]
    tensors: Sequence[Tensor]
    outputs: Sequence[Tensor] | None = None


def infer_signature(
    eager: Eager,
    recipe: Recipe,
    again: Sequence[Tensor] | None = None,
    tries: Sequence[Probe] | None = None,
) -> Signature:
    """The signature of a model whose dims the recipe declares.

    A dimension of an output is a dim if it has the size of that dim at all sizes tried, and a number if it
    never changes. The sizes tried are those of the recipe's own cases, where these vary every dim, and else
    come with random values.

    again: outputs of a further run on the example, if they are known. tries: `probes`, with what is known of
    their outputs. Where nothing is known, or the further run gave other outputs, the model is run.
    Raises TraceError if an output's dimension is neither, UsageError if the dims do
    not fit the example, InputError if a case of the recipe does not.
    """
    declared = declared_inputs(eager, recipe)
    known = example_sizes(declared.inputs, eager.inputs)
    tried: list[Mapping[str, int]] = [known]
    if again is None or _not_repeated(eager, again):
        changed = _not_repeated(eager, eager.run(list(eager.inputs.values()), "the example"))
        refuse([not_repeatable(name, "the example") for name in changed[:1]])
    results: list[Sequence[Tensor]] = [eager.example_outputs]
    for probe in probes(declared, eager, recipe) if tries is None else tries:
        if probe.sizes != known:
            results.append(probe.outputs or _at_other_sizes(eager, probe, known, recipe))
            tried.append(probe.sizes)
    outputs = tuple(
        TensorSpec(name, dtype_name(runs[0].dtype), tuple(_output_shape(name, runs, tried, declared.dims)))
        for name, runs in zip(eager.outputs, zip(*results, strict=True), strict=True)
    )
    return replace(declared, outputs=outputs)


def _at_other_sizes(eager: Eager, probe: Probe, known: Mapping[str, int], recipe: Recipe) -> Sequence[Tensor]:
    """Outputs at sizes that are not the example's. If only these make it fail, a size is written down."""
    try:
        return eager.run(probe.tensors, describe(probe.sizes))
    except TraceError as error:
        finding = error.findings[0] if error.findings else None
        if finding is None or finding.rule != "fails":
            raise
        declared = declared_inputs(eager, recipe)
        for number in range(_DRAWS):  # if these fail too, it is the values
            other = random_like(declared.inputs, list(eager.inputs.values()), known, recipe.seed + number)
            eager.run(other, "other values")
        problem = (
            f"{finding.problem}; it runs for {describe(known)}, so a size of the example is written here"
        )
        remedy = "take it from the input, as x.shape[0], or from -1; or declare the dim fixed"
        baked = Finding("baked-size", problem, remedy, finding.place)
        raise TraceError(str(baked), [baked]) from error


def declared_inputs(eager: Eager, recipe: Recipe) -> Signature:
    """The signature as far as the recipe declares it: inputs, dims and nesting, and no outputs."""
    shapes, dims = resolve_dynamic(
        recipe.dynamic, {name: tuple(tensor.shape) for name, tensor in eager.inputs.items()}
    )
    inputs = tuple(
        TensorSpec(name, dtype_name(eager.inputs[name].dtype), shape) for name, shape in shapes.items()
    )
    return Signature(inputs, (), dims, eager.call)


def _not_repeated(eager: Eager, outputs: Sequence[Tensor]) -> list[str]:
    """Names of the outputs that a further run on the example gives otherwise."""
    return [
        name
        for name, one, other in zip(eager.outputs, outputs, eager.example_outputs, strict=True)
        if one.shape != other.shape
        or one.dtype != other.dtype
        or not (torch.equal(one, other) or torch.allclose(one, other, 0, 0, equal_nan=True))
    ]


def given_inputs(signature: Signature, recipe: Recipe) -> list[list[Tensor]]:
    """The flat inputs of each case that the recipe gives: a tuple, a dict of keywords, or a single tensor.

    Raises InputError, with the number of the case, if they do not fit the signature.
    """
    if isinstance(recipe.cases, int):
        return []
    return [_given(signature, index, arguments) for index, arguments in enumerate(recipe.cases)]


def _given(signature: Signature, index: int, arguments: Any) -> list[Tensor]:
    try:
        if isinstance(arguments, Mapping):
            tensors = bind(signature.call, (), arguments)
        else:
            args = tuple(arguments) if isinstance(arguments, (tuple, list)) else (arguments,)
            tensors = bind(signature.call, args, {})
        signature.check_inputs(tensors)
    except InputError as error:
        raise InputError(f"case {index} of the recipe: {error}") from None
    return tensors


def example_sizes(inputs: Sequence[TensorSpec], examples: Mapping[str, Tensor]) -> dict[str, int]:
    """The size of each dim in the example."""
    return {
        entry: size
        for spec in inputs
        for entry, size in zip(spec.shape, examples[spec.name].shape, strict=True)
        if isinstance(entry, str)
    }


def describe(sizes: Mapping[str, int]) -> str:
    """ "batch = 3, time = 5"."""
    return ", ".join(f"{name} = {size}" for name, size in sizes.items())


def probes(signature: Signature, eager: Eager, recipe: Recipe) -> list[Probe]:
    """Other inputs than the example's, at other sizes of the dims where there are dims."""
    examples = list(eager.inputs.values())
    known = example_sizes(signature.inputs, eager.inputs)
    given = [
        Probe(example_sizes(signature.inputs, dict(zip(eager.inputs, tensors, strict=True))), tensors)
        for tensors in given_inputs(signature, recipe)
    ]
    # The example itself is often the first of them, and tells nothing new.
    given = [one for one in given if not all(map(torch.equal, one.tensors, examples))] or given
    # At sizes 0 and 1 a model may go another way that makes no difference: these are for the cases to prove.
    plain = [one for one in given if min(one.sizes.values(), default=2) > 1]
    for chosen in (plain[:_PROBES_GIVEN], given):
        varied = (any(one.sizes[dim.name] != known[dim.name] for one in chosen) for dim in signature.dims)
        if chosen and all(varied):
            return _enough(chosen, known)
    tries = list(_fresh_sizes(signature.dims, known)) if signature.dims else [known]
    return [Probe(sizes, random_like(signature.inputs, examples, sizes, recipe.seed)) for sizes in tries]


def _enough(given: Sequence[Probe], known: Mapping[str, int]) -> list[Probe]:
    """The first of them, until each dim has been seen at as many sizes as where these are chosen freely."""
    seen = {name: {size} for name, size in known.items()}
    for count, probe in enumerate(given, 1):
        for name, size in probe.sizes.items():
            seen[name].add(size)
        if count >= _PROBES and all(len(sizes) > _PROBES for sizes in seen.values()):
            return list(given[:count])
    return list(given)


def _fresh_sizes(dims: Sequence[Dim], known: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Sizes for each dim, distinct from each other and from all tried before where the ranges have room."""
    used = set(known.values())
    for _ in range(_PROBES):
        sizes: dict[str, int] = {}
        for dim in dims:
            choices = _choices(dim)
            fresh = [size for size in choices if size not in used]
            sizes[dim.name] = (fresh or [size for size in choices if size not in sizes.values()] or choices)[
                0
            ]
            used.add(sizes[dim.name])
        yield sizes


def _choices(dim: Dim) -> list[int]:
    """Sizes within the range, the most telling first: 1 broadcasts and 0 is empty, so these come last."""
    near = range(dim.min, min(dim.max, dim.min + len(_PRIMES)) + 1)
    plain = [size for size in near if size > 1]
    primes = [size for size in _PRIMES if dim.min <= size <= dim.max]
    return list(dict.fromkeys([*primes, *plain, *sorted(near, reverse=True)]))


def _output_shape(
    name: str, runs: Sequence[Tensor], tried: Sequence[Mapping[str, int]], dims: Sequence[Dim]
) -> Iterator[int | str]:
    seen = "; ".join(
        f"{list(run.shape)} for {describe(sizes) or 'the example'}"
        for run, sizes in zip(runs, tried, strict=True)
    )
    if len({run.dim() for run in runs}) > 1:
        raise TraceError(
            f"output '{name}' changes its number of dimensions: {seen}; return one rank for all sizes"
        )
    if len({run.dtype for run in runs}) > 1:
        raise TraceError(f"output '{name}' changes its dtype with the size of the inputs; return one dtype")
    for index in range(runs[0].dim()):
        sizes = [run.shape[index] for run in runs]
        if len(set(sizes)) == 1:
            yield sizes[0]
            continue
        same = [
            dim.name
            for dim in dims
            if all(size == at[dim.name] for size, at in zip(sizes, tried, strict=True))
        ]
        if not same:
            raise TraceError(
                f"output '{name}': dimension {index} varies but is the size of no dim: {seen}; make it that "
                "of a dim, or declare fewer dims dynamic"
            )
        yield same[0]

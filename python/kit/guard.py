"""From a model to a guarded trace: the guards look at traces of the example, other sizes and other values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from kit.eager import Eager
from kit.errors import TraceError
from kit.guards.check import DIFFERENCE_RULES, SIZE_RULES, TRACE_RULES, check
from kit.guards.devices import DeviceWatch, holds_device
from kit.guards.difference import baked_value
from kit.guards.evidence import Evidence
from kit.guards.finding import Finding, refuse
from kit.guards.operations import draws_random_numbers
from kit.guards.paths import doubts
from kit.otherwise import first_otherwise, told_otherwise, traced_otherwise
from kit.programs.branches import Branches, of_branches
from kit.programs.recording import record
from kit.programs.torchscript import trace
from kit.recipe import Recipe
from kit.shapes import Probe, declared_inputs, describe, example_sizes, given_inputs, infer_signature, probes
from kit.signature import Signature
from kit.sizes import budget_of
from kit.source import place_raised
from kit.state import attributes_kept
from kit.value_sizes import sizes_by_values
from kit.values import VARIANTS, random_like, variant

_DRAWS = 3
_BY_VALUES = ("value-branch", "value-number", "numpy-round-trip", "untraced")


@dataclass(frozen=True)
class Guarded:
    """A model that the guards found nothing wrong with, and what of it is compiled, not traced.

    program: makes its program, once.
    """

    eager: Eager
    recipe: Recipe
    signature: Signature
    branches: Branches
    program: Callable[[], torch.jit.ScriptModule]


def guarded(recipe: Recipe, device: str | None = None) -> Guarded:
    """Look at what the recipe's model does. Call it in evaluation mode, without gradients.

    Raises TraceError for what the guards find. Branches are compiled if the recipe asks for it.
    """
    eager = Eager(recipe, device)
    try:
        return _guarded(eager, recipe)
    except TraceError:
        eager.forget()
        raise


def _guarded(eager: Eager, recipe: Recipe) -> Guarded:
    branches = Branches(eager)
    signature = None
    while True:
        program = cache(partial(_program, eager, branches))
        evidence = _on_example(eager, recipe, branches)
        findings = check(TRACE_RULES, evidence, recipe.allow)
        with branches.installed():
            findings = findings or traced_otherwise(eager, evidence.example, recipe)
            findings = findings or told_otherwise(eager, evidence.example, recipe)
        if not findings:
            evidence, tries = _with_others(evidence, eager, recipe, branches)
            if signature is None:
                with _attributes_kept(eager):
                    signature = infer_signature(eager, recipe, evidence.example.outputs, tries)
            findings = first_otherwise(eager, _other_values(eager, recipe, evidence.example.sizes), recipe)
            findings = findings or check(SIZE_RULES, evidence, recipe.allow)
            findings = findings or _settled(evidence, eager, recipe, program)
        if recipe.on_branch != "script" or not _compile(branches, evidence, findings):
            break
    findings = findings or _differences(evidence, eager, recipe, branches)
    refuse(findings or sizes_by_values(eager, evidence.example, recipe))
    assert signature is not None  # there were no findings
    if eager.seed is not None and not draws_random_numbers(evidence):
        eager.seed = None  # nothing random came of what the recipe allows
    return Guarded(eager, recipe, signature, branches, program)


def lint(recipe: Recipe, device: str | None = None) -> list[Finding]:
    """All that the guards find in the recipe's model, but for what it asks to compile. Call it in evaluation
    mode, without gradients."""
    try:
        if recipe.on_branch == "script":
            guarded(recipe, device)
            return []
        eager = Eager(recipe, device)
    except TraceError as error:
        return _as_findings(error)
    findings = _all_findings(eager, recipe)
    if findings:
        eager.forget()
    return findings


def _all_findings(eager: Eager, recipe: Recipe) -> list[Finding]:
    findings: list[Finding] = []
    try:
        branches = Branches(eager)
        evidence = _on_example(eager, recipe, branches)
        findings = check(TRACE_RULES, evidence, recipe.allow)
        findings = findings or traced_otherwise(eager, evidence.example, recipe)
        findings = findings or told_otherwise(eager, evidence.example, recipe)
        if any(finding.rule in _BY_VALUES for finding in findings):
            return findings  # traces on other values may go another way, and say nothing of sizes
        failed = _of_signature(eager, recipe, findings)
        if failed:
            return findings + failed
        evidence, _ = _with_others(evidence, eager, recipe, branches)
        findings += first_otherwise(eager, _other_values(eager, recipe, evidence.example.sizes), recipe)
        findings += check(SIZE_RULES, evidence, recipe.allow)
        findings = findings or _settled(evidence, eager, recipe, partial(_program, eager, branches))
        findings = findings or _differences(evidence, eager, recipe, branches)
        return findings or sizes_by_values(eager, evidence.example, recipe)
    except TraceError as error:
        return findings + _as_findings(error)


def _of_signature(eager: Eager, recipe: Recipe, findings: Sequence[Finding]) -> list[Finding]:
    """What makes it fail to find the shapes of outputs; that random numbers differ has been said already."""
    try:
        with _attributes_kept(eager):
            infer_signature(eager, recipe)
    except TraceError as error:
        random = {finding.rule for finding in findings} & {"random", "training-mode"}
        return [one for one in _as_findings(error) if one.rule != "not-repeatable" or not random]
    return []


def _as_findings(error: TraceError) -> list[Finding]:
    """What it says, as one finding if it carries none."""
    place = place_raised(error.__cause__) if error.__cause__ is not None else None
    message = str(error).removeprefix(f"{place}: ")
    if "; " not in message:
        message += (
            "; while a model is traced, sizes are tensors: use none as a key, a text or for torch._check"
        )
    problem, _, remedy = message.rpartition("; ")
    return list(error.findings) or [Finding("fails", problem, remedy, place)]


def _differences(evidence: Evidence, eager: Eager, recipe: Recipe, branches: Branches) -> list[Finding]:
    """What only a comparison of traces shows. Other sizes come with other values: a further trace tells which
    of them made the difference."""
    findings = check(DIFFERENCE_RULES, evidence, recipe.allow)
    if not findings or not isinstance(recipe.cases, int):
        return findings
    same = dict(evidence.example.sizes)
    for tensors in _other_values(eager, recipe, same):
        try:
            with branches.installed():
                other = record(eager, tensors, "other values", same)
        except TraceError:  # values that the model does not take
            continue
        by_value = check((baked_value,), replace(evidence, traces=[evidence.example, other]), recipe.allow)
        if by_value:
            return by_value
    return findings


def _other_values(eager: Eager, recipe: Recipe, sizes: Mapping[str, int]) -> Iterator[list[Tensor]]:
    """Random and extreme inputs of these sizes."""
    inputs, examples = declared_inputs(eager, recipe).inputs, list(eager.inputs.values())
    for number in range(_DRAWS):
        yield random_like(inputs, examples, sizes, recipe.seed + number)
    for change in VARIANTS.values():
        yield variant(examples, change)


def _compile(branches: Branches, evidence: Evidence, findings: Sequence[Finding]) -> bool:
    """Compile what holds the branches that were found; whether there was anything more to compile."""
    before = len(branches.scripted)
    for event, finding in of_branches(evidence.example.events, findings):
        branches.add(event, finding)
    return len(branches.scripted) > before


def _settled(
    evidence: Evidence, eager: Eager, recipe: Recipe, program: Callable[[], torch.jit.ScriptModule]
) -> list[Finding]:
    """What traces leave in doubt, a branch or a number that is another for some sizes, and makes a difference
    there.

    The program is compared with the model at each of these sizes: on random values, or on the recipe's own
    cases, one of which must then have that size.
    """
    open_ones = list(doubts(evidence))
    if not open_ones:
        return []
    declared = declared_inputs(eager, recipe)
    found: dict[object, Finding] = {}
    agreeing: list[Mapping[str, int]] = []
    for doubt in open_ones:
        further = _affordable(eager, declared, evidence, doubt.further)
        if doubt.strict and len(further) < len(doubt.further):
            found.setdefault(doubt.finding.place, doubt.finding)
        for changed in (*doubt.sizes, *further):
            if doubt.finding.place in found:
                break
            sizes = {**evidence.example.sizes, **changed}
            if changed in agreeing:
                continue
            tries = _tries(eager, recipe, declared, sizes, changed)
            if (doubt.certain and not tries) or not _agrees(program(), eager, tries, describe(sizes)):
                found[doubt.finding.place] = doubt.finding
            elif tries:
                agreeing.append(changed)
    return list(found.values())


def _affordable(
    eager: Eager, declared: Signature, evidence: Evidence, sizes: Sequence[Mapping[str, int]]
) -> list[Mapping[str, int]]:
    """Of these changed sizes those that one run may have."""
    if not sizes:
        return []
    budget = budget_of(eager, declared, generous=True)
    return [one for one in sizes if budget.affords(declared, {**evidence.example.sizes, **one})]


def _tries(
    eager: Eager, recipe: Recipe, declared: Signature, sizes: Mapping[str, int], changed: Mapping[str, int]
) -> list[list[Tensor]]:
    """Random inputs of these sizes, or those of the recipe's own cases that have the changed ones."""
    if isinstance(recipe.cases, int):
        return [random_like(declared.inputs, list(eager.inputs.values()), sizes, recipe.seed)]
    return [
        tensors
        for tensors in given_inputs(declared, recipe)
        if changed.items()
        <= example_sizes(declared.inputs, dict(zip(eager.inputs, tensors, strict=True))).items()
    ]


def _program(eager: Eager, branches: Branches) -> torch.jit.ScriptModule:
    with branches.installed():
        return trace(eager)


def _agrees(program: Any, eager: Eager, tries: Sequence[Sequence[Tensor]], what: str) -> bool:
    """Whether the program gives what the model gives."""
    for tensors in tries:
        with _attributes_kept(eager):
            expected = eager.run(tensors, what)
        try:
            with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
                result = program(*[tensor.clone() for tensor in tensors])
        except RuntimeError:  # where the model does not fail, the program must not
            return False
        actual = list(result) if isinstance(result, tuple) else [result]
        if not all(map(_equal, actual, expected)):
            return False
    return True


def _equal(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return torch.allclose(one, other, equal_nan=True, rtol=1e-4, atol=1e-5)


def _on_example(eager: Eager, recipe: Recipe, branches: Branches) -> Evidence:
    declared = declared_inputs(eager, recipe)
    with branches.installed():
        example = record(eager, sizes=example_sizes(declared.inputs, eager.inputs))
    if holds_device(example.graph):
        with _attributes_kept(eager), DeviceWatch() as watch:
            eager.run(list(eager.inputs.values()), "the example")
        example = replace(example, devices=watch.devices)
    return Evidence([example], list(eager.inputs), eager.outputs, declared.dims)


def _attributes_kept(eager: Eager) -> AbstractContextManager[None]:
    """What the model keeps on itself in a call, as a table for the largest size so far, is no part of the
    next trace."""
    return attributes_kept(eager.module)


def _with_others(
    evidence: Evidence, eager: Eager, recipe: Recipe, branches: Branches
) -> tuple[Evidence, list[Probe]]:
    """The evidence and recordings at other sizes and values; and these inputs, with what the model gave."""
    example = evidence.example
    tries = probes(declared_inputs(eager, recipe), eager, recipe)
    others = []
    try:
        with branches.installed():
            for one in tries:
                what = describe(one.sizes) if one.sizes != example.sizes else "other values"
                others.append(record(eager, one.tensors, what, one.sizes, like=example))
    except TraceError:
        with _attributes_kept(eager):
            infer_signature(eager, recipe)  # where the model itself fails, this tells more
        raise
    known = [replace(one, outputs=other.outputs) for one, other in zip(tries, others, strict=True)]
    return replace(evidence, traces=[example, *others]), known

"""All rules, and running them on a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from kit.errors import UsageError
from kit.guards.difference import baked_size, baked_value
from kit.guards.evidence import Evidence
from kit.guards.finding import Finding
from kit.guards.operations import (
    baked_device,
    constant_output,
    large_number,
    mutated,
    python_function,
    random_operation,
    training_mode,
    unused_input,
)
from kit.guards.paths import (
    numpy_round_trip,
    size_branch,
    size_number,
    tracer_warning,
    untraced,
    value_branch,
    value_number,
)

Rule = Callable[[Evidence], Iterable[Finding]]

GRAPH_RULES: Sequence[Rule] = (
    large_number,
    python_function,
    mutated,
    training_mode,
    random_operation,
    unused_input,
    constant_output,
)
"""Rules that need nothing but the graph of a program."""

TRACE_RULES: Sequence[Rule] = (
    value_branch,
    value_number,
    numpy_round_trip,
    untraced,
    tracer_warning,
    baked_device,
    *GRAPH_RULES,
)
"""Rules on the trace of the example."""

SIZE_RULES: Sequence[Rule] = (size_branch, size_number)
"""Rules on traces at several sizes."""

DIFFERENCE_RULES: Sequence[Rule] = (baked_size, baked_value)
"""Rules on what traces at several sizes or values recorded; for what no other rule explains."""

NAMES: Mapping[str, bool] = {
    "value-branch": False,
    "value-number": False,
    "numpy-round-trip": False,
    "untraced": False,
    "size-branch": False,
    "size-number": False,
    "baked-size": False,
    "baked-value": False,
    "baked-device": True,
    "training-mode": True,
    "random": True,
    "unused-input": True,
    "constant-output": True,
    "mutated-input": False,
    "mutated-buffer": False,
    "python-function": False,
    "not-repeatable": False,
    "shared-parameter": False,
    "other-device": False,
    "meta-parameter": False,
    "tracer-warning": True,
    "fails": False,
}
"""Every rule, and whether a recipe may allow what it finds."""


def check(rules: Sequence[Rule], evidence: Evidence, allow: Sequence[str] = ()) -> list[Finding]:
    """What the rules find and the recipe does not allow; one finding for a line of code and a rule."""
    found: dict[object, Finding] = {}
    for rule in rules:
        for finding in rule(evidence):
            if not allows(allow, finding):
                found.setdefault((finding.rule, finding.place or finding.about), finding)
    return list(found.values())


def allows(allow: Sequence[str], finding: Finding) -> bool:
    """Whether a recipe lets this finding pass."""
    return finding.rule in allow or f"{finding.rule}:{finding.about}" in allow


def check_allowed(allow: Sequence[str]) -> None:
    """Raise UsageError for what is no rule, or none that can be allowed."""
    for entry in allow:
        rule = entry.partition(":")[0]
        if not NAMES.get(rule, False):
            able = ", ".join(name for name, may in NAMES.items() if may)
            what = "cannot be allowed: the archive would be wrong" if rule in NAMES else "is no rule"
            raise UsageError(f"allow has '{entry}', which {what}; what can be allowed is {able}")

"""What a recipe may let pass, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import kit
from kit.guards.check import NAMES, allows, check_allowed
from kit.guards.finding import Finding, refuse

FINDING = Finding("random", "rand draws", "do without", None, "rand")


def test_a_finding_is_allowed_by_its_rule_or_by_what_it_is_about() -> None:
    assert allows(["random"], FINDING)
    assert allows(["unused-input", "random:rand"], FINDING)
    assert not allows(["random:randn"], FINDING)
    assert not allows(["rand"], FINDING)
    assert not allows([], FINDING)


@pytest.mark.parametrize("rule", sorted(name for name, may in NAMES.items() if may))
def test_may_be_allowed(rule: str) -> None:
    check_allowed([rule, f"{rule}:x"])


@pytest.mark.parametrize("rule", sorted(name for name, may in NAMES.items() if not may))
def test_may_not_be_allowed(rule: str) -> None:
    with pytest.raises(kit.UsageError, match=f"'{rule}:x', which cannot be allowed"):
        check_allowed([f"{rule}:x"])


def test_what_is_no_rule_cannot_be_allowed() -> None:
    with pytest.raises(kit.UsageError, match="'randm', which is no rule; what can be allowed is"):
        check_allowed(["randm"])


def two_of_both(x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return x, torch.ones(1) * 2, torch.ones(2) * 3


def test_only_what_is_named_is_let_pass() -> None:
    args = (torch.ones(3), torch.ones(3), torch.ones(3))
    findings = kit.lint(two_of_both, args, allow=["unused-input:a", "constant-output"])
    assert [(finding.rule, finding.about) for finding in findings] == [("unused-input", "b")]
    assert not kit.lint(two_of_both, args, allow=["unused-input", "constant-output"])


def test_an_export_with_a_rule_that_may_not_be_allowed_writes_nothing(folder: Path) -> None:
    with pytest.raises(kit.UsageError):
        kit.export(torch.relu, torch.ones(3), folder / "model.pt", allow=["value-branch"])
    assert not list(folder.iterdir())


def test_the_first_finding_is_told_and_the_rest_counted() -> None:
    with pytest.raises(kit.TraceError) as caught:
        refuse([FINDING, FINDING])
    assert str(caught.value).startswith("rand draws; do without [random] (and 1 more:")
    assert len(caught.value.findings) == 2
    refuse([])

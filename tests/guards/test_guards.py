"""Every guard finds its offenders, at their line, and lets the nearest innocents pass."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import kit
from kit.guards.check import NAMES
from kit.guards.finding import Finding
from tests.conftest import ROOT
from tests.guards.innocents import INNOCENTS
from tests.guards.offenders import OFFENDERS
from tests.parity.zoo import ZOO

EXAMPLES = sorted((ROOT / "examples").glob("*/recipe.py"))


@pytest.fixture(params=sorted(OFFENDERS))
def offender(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=sorted(INNOCENTS))
def innocent(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def told(findings: list[Finding]) -> str:
    return "\n".join(map(str, findings))


def test_offender_is_found_at_its_line(offender: str) -> None:
    model = OFFENDERS[offender]
    findings = kit.lint(model.recipe())
    assert {finding.rule for finding in findings} == model.rules, told(findings)
    places = [finding.place for finding in findings if finding.place is not None]
    assert bool(places) == bool(model.lines), told(findings)
    assert all(place.path == model.file and place.line in model.lines for place in places), told(findings)
    assert all("\n" not in str(finding) for finding in findings)


def test_offender_is_not_exported(offender: str, folder: Path) -> None:
    model = OFFENDERS[offender]
    with pytest.raises(kit.TraceError) as caught:
        kit.export(model.recipe(), path=folder / "model.pt")
    assert caught.value.exit_code == 7
    assert "\n" not in str(caught.value)
    assert {finding.rule for finding in caught.value.findings} <= model.rules
    if model.lines:
        assert any(f"{Path(model.file).name}:{line}" in str(caught.value) for line in model.lines)
    assert not list(folder.iterdir())


def test_innocent_passes_and_is_proven(innocent: str, folder: Path) -> None:
    model = INNOCENTS[innocent]
    findings = kit.lint(model.recipe())
    assert not findings, told(findings)
    # The export compares C++ with the eager model at sizes and on values that were not traced.
    kit.export(model.recipe(), path=folder / "model.pt")
    assert (folder / "model.pt").is_file()


@pytest.mark.parametrize("name", sorted(ZOO))
def test_the_zoo_passes(name: str) -> None:
    findings = kit.lint(ZOO[name]())
    assert not findings, told(findings)


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.parent.name for path in EXAMPLES])
def test_the_examples_pass(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location(f"guarded_{path.parent.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # No guard looks at how good the weights are, so one epoch will do.
    _, *others = module.train.__defaults__
    monkeypatch.setattr(module.train, "__defaults__", (1, *others))
    findings = kit.lint(module.recipe)
    assert not findings, told(findings)


def test_there_are_enough_of_both() -> None:
    assert len(OFFENDERS) >= 40
    assert len(INNOCENTS) >= 40
    assert {rule for model in OFFENDERS.values() for rule in model.rules} == set(NAMES)

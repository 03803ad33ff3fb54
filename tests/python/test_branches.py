"""on_branch="script": what branches is compiled, the rest is traced, and both sides are verified."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.cli import main
from kit.errors import ParityError, TraceError
from kit.exporter import Exported, export_with_report
from tests.conftest import Run
from tests.python import branching
from tests.python.branching import (
    Gate,
    Helper,
    Trained,
    above_eight_rows,
    clamped,
    contains,
    halved,
    nested,
    repeated,
    scaled,
    signed,
    summed_up,
    unsigned,
)
from tests.python.branching import signed as by_another_name

X = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
BATCH = {"x": {0: kit.Dim("batch", 1, 64)}}


def scripted(model: Any, path: Path, args: Any = X, **known: Any) -> Exported:
    known = {"dynamic": BATCH, "cases": 4, **known}
    return export_with_report(model, args, path / "model.pt", known={"on_branch": "script", **known})


def on_function(x: Tensor) -> Tensor:
    return signed(x * 3)


def on_alias(x: Tensor) -> Tensor:
    return by_another_name(x) + signed(x - 1)


def on_nested(x: Tensor) -> Tensor:
    return nested(x - 0.5)


def on_loop(x: Tensor) -> Tensor:
    return halved(x) + 1


def on_size(x: Tensor) -> Tensor:
    return above_eight_rows(x) + 1


def on_rows(x: Tensor) -> Tensor:
    return summed_up(x) * 2


def on_two(x: Tensor) -> Tensor:
    return clamped(x)


class Inner(nn.Module):
    """Branches in a submodule, or in a method that its forward calls."""

    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        return self.gate(self.first(x))


class Two(nn.Module):
    """One class at two places."""

    def __init__(self) -> None:
        super().__init__()
        self.gates = nn.Sequential(Gate(), Gate())

    def forward(self, x: Tensor) -> Tensor:
        return self.gates(x)


class Aliased(nn.Module):
    """One submodule under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.one = Gate()
        self.other = self.one

    def forward(self, x: Tensor) -> Tensor:
        return self.other(self.one(x) + 1)


class Stored(nn.Module):
    """A function that is found under no name of a Python module when it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.choice: Callable[[Tensor], Tensor] = signed

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.choice(x))


def seeded(kind: Callable[..., nn.Module], *args: Any) -> nn.Module:
    torch.manual_seed(0)
    return kind(*args).eval()


CASES: list[tuple[str, Callable[[], Any], list[str]]] = [
    ("function", lambda: on_function, ["function signed"]),
    ("the model itself is one", lambda: signed, ["function signed"]),
    ("under two names", lambda: on_alias, ["function signed"]),
    ("submodule", lambda: seeded(Inner, Gate()), ["submodule gate (Gate)"]),
    ("method of a submodule", lambda: seeded(Inner, Helper()), ["submodule gate (Helper)"]),
    ("whole model", lambda: seeded(Gate), ["the whole model (Gate)"]),
    ("layers of training", lambda: seeded(Inner, Trained()), ["submodule gate (Trained)"]),
    ("nested", lambda: on_nested, ["function nested"]),
    ("loop", lambda: on_loop, ["function halved"]),
    ("size", lambda: on_size, ["function above_eight_rows"]),
    ("loop over a size", lambda: on_rows, ["function summed_up"]),
    ("two in one function", lambda: on_two, ["function clamped"]),
    ("one class twice", lambda: seeded(Two), ["submodule gates.0 (Gate)", "submodule gates.1 (Gate)"]),
    ("one submodule twice", lambda: seeded(Aliased), ["submodule one (Gate)"]),
]
INPUTS = [X, -X, X[:1] / 100, -X[:1] * 100, X.repeat(20, 1), -X.repeat(20, 1), X * 0]


@pytest.mark.parametrize(("make", "parts"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_every_side_is_what_the_model_is(
    tmp_path: Path, make: Callable[[], Any], parts: list[str], predictor: Run
) -> None:
    model = make()
    done = scripted(model, tmp_path)
    assert [part.partition(" at ")[0] for part in done.compiled] == parts
    assert all(re.search(r"branching\.py:\d+$", part) for part in done.compiled)
    assert done.notes == ()
    loaded = kit.load(done.archive)
    program = torch.jit.load(done.archive.path)
    with torch.no_grad():
        for x in INPUTS:
            assert torch.equal(loaded(x), model(x))
            assert torch.equal(program(x), model(x))
    assert predictor("verify", done.archive.path).returncode == 0


def sides(archive: kit.Archive, condition: Callable[[Tensor], bool]) -> set[bool]:
    """What a condition is for the inputs of the golden cases."""
    return {condition(inputs[0]) for inputs, _ in archive.cases()}


def test_golden_cases_take_every_side(tmp_path: Path) -> None:
    archive = scripted(on_function, tmp_path).archive
    assert sides(archive, lambda x: bool((x * 3).sum() > 0)) == {True, False}
    assert archive.manifest is not None
    assert archive.manifest.cases == len(archive.cases()) >= 4

    archive = scripted(on_nested, tmp_path).archive
    outer = lambda x: bool((x - 0.5).sum() > 0)  # noqa: E731
    assert sides(archive, outer) == {True, False}
    inner = {bool(x[0, 0] - 0.5 > 0) for (x,), _ in archive.cases() if outer(x)}
    assert inner == {True, False}

    archive = scripted(on_size, tmp_path).archive
    assert sides(archive, lambda x: len(x) > 8) == {True, False}


def test_the_recipes_own_cases_are_looked_at_first(tmp_path: Path) -> None:
    done = scripted(on_function, tmp_path, cases=[X, -X])
    assert done.notes == ()
    assert len(done.archive.cases()) > 1
    assert sides(done.archive, lambda x: bool(x.sum() > 0)) == {True, False}


def test_a_side_without_inputs_is_named(tmp_path: Path) -> None:
    done = scripted(lambda x: unsigned(x), tmp_path)
    (note,) = done.notes
    assert re.search(r"branching\.py:\d+: `if bool\(x\.sum\(\) == 12345\.678\):`: no inputs were", note)
    assert "for which this is True" in note
    x = torch.zeros(1, 3)
    x[0, 0] = 12345.678
    assert torch.equal(kit.load(done.archive)(x), x * 3)
    done = scripted(lambda x: unsigned(x), tmp_path, args=X[:1], cases=[X[:1], x])
    assert done.notes == ()


def test_what_is_not_called_by_its_name_is_compiled_with_what_calls_it(tmp_path: Path) -> None:
    model = seeded(Inner, Stored())
    done = scripted(model, tmp_path)
    assert done.compiled[-1].startswith("submodule gate (Stored)")
    with torch.no_grad():
        for x in INPUTS:
            assert torch.equal(kit.load(done.archive)(x), model(x))


def test_a_number_decides(tmp_path: Path) -> None:
    done = scripted(scaled, tmp_path, args=(X, 3), scalars=["count"])
    assert sides(done.archive, lambda _: True) == {True}
    assert {int(inputs[1]) > 2 for inputs, _ in done.archive.cases()} == {True, False}
    model = kit.load(done.archive)
    for count in (-5, 0, 2, 3, 100):
        eager: Any = scaled
        assert torch.equal(model(X, count), eager(X, count))
    with pytest.raises(TraceError, match=r"a Python number is taken from the values of input 'count'"):
        scripted(repeated, tmp_path, args=(X, 3), scalars=["count"])


def test_the_model_is_as_before(tmp_path: Path) -> None:
    model = seeded(Two)
    before, function = list(model.gates), branching.signed  # type: ignore[arg-type]
    scripted(model, tmp_path)
    assert all(one is other for one, other in zip(model.gates, before, strict=True))  # type: ignore[arg-type]
    assert type(model.gates[0]) is Gate  # type: ignore[index]
    scripted(on_alias, tmp_path)
    assert branching.signed is function is signed is by_another_name
    failing = seeded(Inner, Gate())
    gate = failing.gate
    with pytest.raises(kit.Error):
        scripted(failing, tmp_path, cases=[X, X[:, :2]])
    assert failing.gate is gate


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            lambda x: x * 2 if x.sum() > 0 else x,
            r"function <lambda>: RuntimeError: Expected a single top-lev",
        ),
        (lambda x: contains(x), r"function contains: UnsupportedNodeError: Set aren't supported"),
        (seeded(Helper).pick, "it is neither in a submodule nor in a function that can be found by its name"),
    ],
)
def test_what_cannot_be_compiled_is_refused_with_the_reason(tmp_path: Path, model: Any, reason: str) -> None:
    with pytest.raises(TraceError) as raised:
        scripted(model, tmp_path)
    message = str(raised.value)
    assert re.search(
        rf"\.py:\d+: `.*`: what runs next depends on .*; torch\.jit\.script cannot .*{reason}", message
    )
    assert message.endswith("[value-branch]")
    assert "\n" not in message
    assert "test_what_cannot" not in message  # no frames of who exports
    assert [one.rule for one in raised.value.findings] == ["value-branch"]
    assert list(tmp_path.iterdir()) == []


class Widening(nn.Module):
    """A side that no golden case takes gives another dtype."""

    def forward(self, x: Tensor) -> Tensor:
        if bool(x.max() > 1e30):
            return x.double()
        return x


def test_what_the_signature_does_not_say_is_not_passed_on(tmp_path: Path, predictor: Run) -> None:
    done = scripted(Widening(), tmp_path)
    assert any("1e30" in note for note in done.notes)
    model = kit.load(tmp_path / "model.pt")
    assert torch.equal(model(X), X)
    message = r"output 'output': wanted float32\[batch, 3\], got float64\[2, 3\]; .* signature does not say"
    with pytest.raises(ParityError, match=message):
        model(X * 1e31)
    rows = "x.0,x.1,x.2\n1,2,3\n1e31,2,3\n"
    ran = predictor(
        "run", tmp_path / "model.pt", "--input", "-", "--format", "csv", "--batch", "1", stdin=rows
    )
    assert ran.returncode == 5
    assert "got float64[1, 3]" in ran.stderr


def test_lint_knows_what_is_compiled() -> None:
    assert kit.lint(on_rows, X, dynamic=BATCH)
    assert kit.lint(on_rows, X, dynamic=BATCH, on_branch="script") == []
    (finding,) = kit.lint(contains, X, on_branch="script")
    assert finding.rule == "value-branch"
    assert "torch.jit.script cannot take it along" in finding.remedy


def test_without_it_a_branch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        TraceError, match=r"branching\.py:\d+: `if bool\(x\.sum\(\) > 0\):`: .*on_branch='script'"
    ):
        kit.export(on_function, X, tmp_path / "model.pt", dynamic=BATCH)


def test_the_command_says_what_was_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("choice.py").write_text(
        "import kit, torch\n"
        "def choose(x: torch.Tensor) -> torch.Tensor:\n"
        "    if bool(x.sum() > 0):\n"
        "        return x * 2\n"
        "    return x\n"
        "def recipe():\n"
        "    return kit.Recipe(lambda x: choose(x) + 1, torch.ones(1, 3), name='choice', cases=2)\n"
    )
    assert main(["export", "choice.py:recipe", "-o", "model.pt"]) == 7
    assert "--on-branch script" in capsys.readouterr().err
    assert main(["export", "choice.py:recipe", "-o", "model.pt", "--on-branch", "script"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  compiled   function choose at choice.py:2: the rest is traced" in lines
    assert kit.verify("model.pt").passed

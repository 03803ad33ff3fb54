"""The guards as a command: all findings, none written, exit code 7."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import kit
from kit import cli
from kit.errors import TraceError, UsageError

RECIPES = """
import kit, torch

def two(x):
    x = torch.nn.functional.dropout(x)
    x = x + 1
    return x * int(x.shape[0])

def good(x):
    return x * 2

BATCH = {"x": {0: kit.Dim("batch", 1, 8)}}

def bad_recipe():
    return kit.Recipe(two, torch.ones(4, 3), dynamic=BATCH)

def good_recipe():
    return kit.Recipe(good, torch.ones(4, 3), dynamic=BATCH)
"""


@pytest.fixture
def recipes(folder: Path) -> str:
    (folder / "recipes.py").write_text(RECIPES)
    return str(folder / "recipes.py")


def test_all_findings_are_listed(recipes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lint", f"{recipes}:bad_recipe"]) == 7
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert [line.rpartition("[")[2] for line in lines] == ["training-mode]", "size-number]"]
    assert f"{recipes}:5: `x = torch.nn.functional.dropout(x)`: " in lines[0]
    assert f"{recipes}:7: `return x * int(x.shape[0])`: " in lines[1]
    assert printed.err.count("\n") == 1
    assert "2 findings" in printed.err


def test_nothing_found(recipes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lint", f"{recipes}:good_recipe"]) == 0
    assert capsys.readouterr().out == "nothing found\n"


def test_json(recipes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lint", f"{recipes}:bad_recipe", "--json"]) == 7
    first, second = json.loads(capsys.readouterr().out)["findings"]
    assert (first["rule"], first["line"], first["about"]) == ("training-mode", 5, "dropout")
    assert (second["rule"], second["code"]) == ("size-number", "return x * int(x.shape[0])")
    assert cli.main(["lint", f"{recipes}:good_recipe", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"findings": []}


def test_an_export_names_the_first_and_counts_the_rest(recipes: str, folder: Path) -> None:
    def three(x: Tensor) -> Tensor:
        y = x * x.sum().item()
        return y + 1 if x.mean() > 0 else y

    with pytest.raises(TraceError) as raised:
        kit.export(three, torch.ones(2), path=folder / "model.pt")
    assert [finding.rule for finding in raised.value.findings] == ["value-branch", "value-number"]
    assert str(raised.value).endswith("(and 1 more: python -m kit lint lists them)")
    assert not (folder / "model.pt").exists()


def test_the_model_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    assert kit.lint(model, torch.ones(4, 3)) == []
    assert model.training
    assert all(part.training for part in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_what_can_be_allowed() -> None:
    def spare(x: Tensor, mask: Tensor) -> Tensor:
        return x * 2

    args = (torch.ones(2), torch.ones(2))
    (finding,) = kit.lint(spare, args)
    assert (finding.rule, finding.about) == ("unused-input", "mask")
    assert kit.lint(spare, args, allow=["unused-input"]) == []
    assert kit.lint(spare, args, allow="unused-input:mask") == []
    assert kit.lint(spare, args, allow=["unused-input:x"]) == [finding]
    with pytest.raises(UsageError, match="'value-branch', which cannot be allowed"):
        kit.lint(spare, args, allow=["value-branch"])
    with pytest.raises(UsageError, match="'nonsense', which is no rule"):
        kit.lint(spare, args, allow=["nonsense"])


class KeepsTheFirst(nn.Module):
    """A mean that is taken once."""

    def __init__(self) -> None:
        super().__init__()
        self.means: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        if "x" not in self.means:
            self.means["x"] = x.mean(0)
        return x - self.means["x"]


def test_a_model_that_keeps_something_is_refused_each_time_and_not_if_it_has_it_already(folder: Path) -> None:
    model = KeepsTheFirst()
    x = torch.randn(4, 3)
    for _ in range(2):
        assert [finding.rule for finding in kit.lint(model, x)] == ["not-repeatable"]
        with pytest.raises(TraceError, match="depends on the values of the first call"):
            kit.export(model, x, path=folder / "model.pt")
    assert not model.means
    model(x)
    assert not kit.lint(model, x)
    kit.export(model, x, path=folder / "model.pt")

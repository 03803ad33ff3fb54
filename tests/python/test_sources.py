"""Archives tell which line of the user's code each operation was recorded from, and name no path."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.archive import Archive
from kit.programs.sources import MEMBER, parse_sources

X = torch.randn(2, 3)


class Part(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.linear(x) + 1)

    def rows(self, x: Tensor) -> Tensor:
        return x.cumsum(0) * self.linear.bias


def exported(model: Any, path: Path, **options: Any) -> Archive:
    torch.manual_seed(0)
    return kit.export(model, X, path, **options)


def lines(archive: Archive) -> list[tuple[str, str, str]]:
    """Operation, file and text of each source, in the order of the program's code."""
    data = archive.member(MEMBER)
    return [
        (one["operation"], one["file"], one["text"])
        for _, by_line in sorted(parse_sources(data).items())
        for _, sources in sorted(by_line.items())
        for one in sources
    ]


def test_operations_of_a_module_and_of_those_in_it_have_their_lines(tmp_path: Path) -> None:
    archive = exported(Part(), tmp_path / "model.pt")
    text = "return torch.relu(self.linear(x) + 1)"
    file = "tests/python/test_sources.py"
    assert lines(archive) == [(f"aten::{name}", file, text) for name in ("add", "relu", "linear")]
    data = archive.member(MEMBER)
    (source,) = json.loads(bytes(data))["sources"]
    _, first = inspect.getsourcelines(Part.forward)
    assert source["line"] == first + 1


def test_lines_are_those_of_the_graph_of_the_program(tmp_path: Path) -> None:
    archive = exported(Part(), tmp_path / "model.pt")
    data = archive.member(MEMBER)
    sources = parse_sources(data)
    nodes = kit.load(archive.path).graph("traced").to_dict()["nodes"]
    found = [
        node["operation"]
        for node in nodes
        if node["operation"].startswith("aten::")
        and any(
            one["operation"] == node["operation"]
            for one in sources[node["line"]["file"]][node["line"]["line"]]
        )
    ]
    assert found == ["aten::linear", "aten::add", "aten::relu"]


def test_every_method_has_them(tmp_path: Path) -> None:
    model = Part()
    methods = {"rows": kit.Method(X)}
    texts = {text for _, _, text in lines(exported(model, tmp_path / "model.pt", methods=methods))}
    assert texts == {"return torch.relu(self.linear(x) + 1)", "return x.cumsum(0) * self.linear.bias"}


def test_a_model_that_is_none_of_the_users_code_has_none(tmp_path: Path) -> None:
    archive = exported(nn.Sequential(nn.Linear(3, 3), nn.ReLU()), tmp_path / "model.pt")
    assert MEMBER not in archive.member_names


RECIPE = """import kit, torch

class Model(torch.nn.Module):
    def forward(self, x):
        return x.cos() @ x.T

def recipe():
    return kit.Recipe(Model(), torch.ones(2, 2), name="model")
"""


def test_where_a_recipe_lies_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archives = []
    for place in ("one", "two/deeper"):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        (folder / "somewhere.py").write_text(RECIPE)
        monkeypatch.chdir(folder if place == "one" else tmp_path)
        kit.export(f"{folder / 'somewhere.py'}:recipe", path=folder / "model.pt")
        archives.append(Archive(folder / "model.pt"))
    assert {file for _, file, _ in lines(archives[0])} == {"somewhere.py"}
    assert {text for _, _, text in lines(archives[0])} == {"return x.cos() @ x.T"}
    one, two = (Path(archive.path).read_bytes() for archive in archives)
    assert one == two
    assert str(tmp_path).encode() not in one

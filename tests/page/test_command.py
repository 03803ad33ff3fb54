"""`python -m kit inspect --html`: from a model to a page."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

import kit
from kit.cli import main
from kit.page import command
from tests.page.data import data_of

needs_graphviz = pytest.mark.skipif(
    shutil.which("dot") is None, reason="Graphviz is not here: apt-get install graphviz"
)


class Chain(torch.nn.Module):
    """Three pointwise operations, and a linear layer that stands alone."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.full((4,), 0.5))
        self.linear = torch.nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(torch.relu(x * self.scale + 1))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "chain.pt"
    torch.manual_seed(0)
    kit.export(Chain(), args=(torch.randn(3, 4),), path=path)
    return path


@needs_graphviz
def test_the_page_of_a_model(archive: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "report.html"
    done = main(["inspect", str(archive), "--html", str(path), "--fusion", "on", "--case", "0"])
    told = capsys.readouterr()
    assert (done, told.err) == (0, "")
    assert told.out == f"wrote {path}: the graph at 3 stages, 1 fused group\n"
    data = data_of(path.read_text())
    assert [stage["graph"]["stage"] for stage in data["stages"]] == ["traced", "frozen", "optimized"]
    assert data["groups"] == [{"name": "fused_mul_add_relu", "report": 0}]
    assert data["configuration"].startswith("fusion on, profiling executor")
    line = "return self.linear(torch.relu(x * self.scale + 1))"
    for stage in data["stages"]:
        (relu,) = [node for node in stage["graph"]["nodes"] if node["operation"] == "aten::relu"]
        assert [source["text"] for source in relu["sources"]] == [line]
        assert [source["file"] for source in relu["sources"]] == ["tests/page/test_command.py"]
    optimized = data["stages"][2]["folded"]
    (frame,) = [frame for frame in optimized["frames"] if frame["group"] is not None]
    left, top, width, height = frame["at"]
    nodes = data["stages"][2]["graph"]["nodes"]
    for box in optimized["boxes"]:
        x, y = box["at"]
        inside = left < x < left + width and top < y < top + height
        assert inside == (box["kind"] == "operation" and nodes[box["node"]].get("group") == 0)
    titles = [box["title"] for box in data["stages"][0]["folded"]["boxes"]]
    assert titles == ["%x.1", "aten::mul", "aten::add", "aten::relu", "aten::linear", "output"]


@needs_graphviz
def test_without_fusion_there_is_a_page_without_groups(archive: Path, folder: Path) -> None:
    assert main(["inspect", str(archive), "--html", str(folder / "report.html"), "--case", "0"]) == 0
    data = data_of((folder / "report.html").read_text())
    assert data["groups"] == []
    assert data["fusion"]["note"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--html", "no/report.html"], 2, "no/report.html: the directory"),
        (["--html", "."], 2, "it is a directory"),
        (["--html", "report.html", "--json"], 2, "--json does not go with --html"),
        (["--html", "report.html", "--stage", "frozen"], 2, "--stage does not go with --html"),
        (["--html", f"{'a' * 300}.html"], 2, "File name too long; name another file"),
        (["--html", "report.html", "--calls", str(1 << 40)], 2, "calls is 1099511627776; give a whole"),
        (["--html", "report.html", "--graph"], 2, "not allowed with argument"),
        pytest.param(
            ["--html", "report.html", "--case", "99"], 2, "there is no case 99", marks=needs_graphviz
        ),
        pytest.param(["--html", "report.html", "--device", "cuda:9"], 6, "cuda:9", marks=needs_graphviz),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    archive: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    assert main(["inspect", str(archive), *options]) == code
    told = capsys.readouterr().err
    assert message in told
    assert told.startswith("kit: error: ")
    assert told.count("\n") == 1
    assert os.listdir(folder) == []


def test_the_archive_stays(archive: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "link.html").symlink_to(archive)
    before = archive.read_bytes()
    assert main(["inspect", str(archive), "--html", str(folder / "link.html")]) == 2
    assert "it is read, and would be replaced" in capsys.readouterr().err
    assert archive.read_bytes() == before


def test_graphviz_is_asked_for_before_the_model_is_loaded(
    archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(*_: object) -> None:
        pytest.fail("the model was loaded")

    monkeypatch.setattr(command, "load_for_inspection", load)
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["inspect", str(archive), "--html", str(folder / "report.html")]) == 6
    assert "install the package graphviz" in capsys.readouterr().err
    assert os.listdir(folder) == []

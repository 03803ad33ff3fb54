"""A device that is not here: exit code 6, and one line that says what there is instead."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

import kit
from kit.cli import main
from tests.conftest import Run
from tests.refusal import expect, files

COUNT = torch.cuda.device_count() if torch.cuda.is_available() else 0
ABSENT = ["cuda:9", "cuda:99"] if COUNT < 10 else ["cuda:99"]
if COUNT == 0:
    ABSENT += ["cuda", "cuda:0"]

RUN = ("run", "{mlp}", "--input", "x.csv", "--output", "y.csv")
VERIFY = ("verify", "{mlp}")


@pytest.mark.parametrize("device", ABSENT)
@pytest.mark.parametrize("command", [RUN, VERIFY], ids=lambda command: command[0])
def test_predictor(command: Sequence[str], device: str, archives: Path, folder: Path, predictor: Run) -> None:
    (folder / "x.csv").write_text("x1,x2,x3\n1,2,3\n")
    before = files(folder)
    arguments = [part.format(mlp=archives / "mlp.pt") for part in command]
    done = predictor(*arguments, "--device", device, cwd=folder)
    expect(done, 6, f"the device {named(device)} is not here", "give")
    assert files(folder) == before


@pytest.mark.parametrize("device", ABSENT)
@pytest.mark.parametrize(
    "command",
    [("verify", "{mlp}"), ("parity", "{root}/examples/mlp/recipe.py:recipe", "{mlp}")],
    ids=lambda command: command[0],
)
def test_python(
    command: Sequence[str],
    device: str,
    archives: Path,
    root: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The recipe trains the model: it must not come to that.
    monkeypatch.setattr("kit.replay.run_recipe", lambda name: pytest.fail(f"{name} was run"))
    arguments = [part.format(mlp=archives / "mlp.pt", root=root) for part in command]
    assert main([*arguments, "--device", device]) == 6
    (line,) = capsys.readouterr().err.splitlines()
    assert f"the device {named(device)} is not here" in line


@pytest.mark.parametrize("device", ABSENT)
def test_binding(device: str, archives: Path) -> None:
    with pytest.raises(kit.UnavailableError, match=f"the device {named(device)} is not here"):
        kit.load(archives / "mlp.pt", device=device)


@pytest.mark.skipif(COUNT == 0, reason="there is no CUDA device")
@pytest.mark.gpu
def test_the_message_counts_the_devices(archives: Path) -> None:
    with pytest.raises(kit.UnavailableError, match=f"the host has {COUNT}; give cuda:0 to cuda:{COUNT - 1}"):
        kit.load(archives / "mlp.pt", device=f"cuda:{COUNT}")


def named(device: str) -> str:
    """As messages name it."""
    return "cuda:0" if device == "cuda" else device

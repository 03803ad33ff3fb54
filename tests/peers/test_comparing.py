"""`kit.compare_with_peers` and `python -m kit bench MODEL --peers RECIPE`: what they measure and what they
refuse. No test says how long a thing takes."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

import kit
from kit import cli
from kit.errors import ParityError, UnavailableError
from tests.peers import support

BRIEF = ("--batch", "1,7", "--seconds", "0.01", "--starts", "0")
ALWAYS = {
    "kit native x86-64-v3 (C++)",
    "kit native x86-64-v3 (Python)",
    "kit native x86-64-v3 (C interface)",
    "kit torchscript (C++)",
    "eager (Python)",
    "TorchScript (Python)",
    "libtorch (C++)",
}
INSTALLED = {
    "ONNX Runtime (Python)",
    "ONNX Runtime (C API)",
    "OpenVINO (Python)",
    "OpenVINO (C API)",
    "ExecuTorch (Python)",
}


def test_all_are_measured_or_absent_by_name(
    native_mlp: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*BRIEF, "--peers", support.RECIPE, "--json"]
    plots = ["--plot", str(tmp_path / "plot")] if importlib.util.find_spec("matplotlib") else []
    assert cli.main(["bench", str(native_mlp), *options, *plots]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["version"], document["threads"]) == ("kit-peers", 1, 1)
    assert [one["sizes"] for one in document["sizes"]] == [{"batch": 1}, {"batch": 7}]
    for size in document["sizes"]:
        names = {way["name"] for way in size["ways"]}
        absent = {one["name"]: one["reason"] for one in size["absent"]}
        assert names >= ALWAYS
        assert names | set(absent) == ALWAYS | INSTALLED
        assert all(absent.values())
        for way in size["ways"]:
            known = way["microseconds"]
            assert 0 < known["low"] <= known["median"] <= known["high"]
        pairs = {(one["kit"], one["over"]) for one in size["ratios"]}
        assert len(pairs) == 4 * (len(names) - 1)
    if plots:
        assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / "plot.html").read_text().startswith("<!DOCTYPE html>")
    assert "starts" not in document


def test_another_model_of_the_same_signature_is_a_parity_error(native_mlp: Path) -> None:
    with pytest.raises(ParityError, match="give the recipe that the archive was exported from"):
        kit.compare_with_peers(native_mlp, support.other_weights, batches=[1], seconds=0.01, starts=0)


def test_a_missing_predictor_is_missed_before_anything_is_measured(
    native_mlp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT_PREDICTOR", "/no/such/predictor")
    with pytest.raises(UnavailableError, match="/no/such/predictor"):
        kit.compare_with_peers(native_mlp, "none.py:recipe", batches=[1])


@pytest.mark.parametrize(
    ("options", "code", "mention"),
    [
        (["--peers", "none.py:recipe"], 2, "none.py"),
        (["--peers", f"{support.__file__}:other_signature"], 2, "give the recipe of this archive"),
        (["--peers", f"{support.__file__}:other_weights", "--batch", "1"], 5, "kit native x86-64-v3 (C++)"),
        (["--peers", support.RECIPE, "--batch", "5000"], 2, "1..4096"),
        (["--peers", support.RECIPE, "--seconds", "0"], 2, "--seconds"),
        (["--peers", support.RECIPE, "--starts", "-1"], 2, "--starts"),
        (["--peers", support.RECIPE, "--operation-threads", "0"], 2, "threads"),
        (["--peers", support.RECIPE, "--threads", "2"], 2, "--threads"),
        (["--peers", support.RECIPE, "--compare", "old.json"], 2, "--compare"),
        (["--peers", support.RECIPE, "--freeze"], 2, "--peers"),
        (["--peers", support.RECIPE, "--device", "cuda"], 2, "--device"),
        (["--peers", support.RECIPE, "--engine", "aoti"], 6, "aoti"),
        (["--peers", support.RECIPE, "--method", "encode"], 2, "encode"),
        (["--plot", "here"], 2, "--peers"),
        (["--peers", support.RECIPE, "--plot", "no/such/folder"], 2, "no/such/folder"),
    ],
)
def test_what_is_refused_is_refused_in_one_line(
    options: list[str], code: int, mention: str, native_mlp: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "no/such/folder" in options:
        pytest.importorskip("matplotlib", reason="it is looked for first")
    assert cli.main(["bench", str(native_mlp), *options]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("kit: error: ")
    assert mention in err


def test_a_plot_without_matplotlib_is_refused_before_anything_is_measured(
    native_mlp: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert cli.main(["bench", str(native_mlp), "--peers", "none.py:recipe", "--plot", "here"]) == 6
    assert "matplotlib is not installed" in capsys.readouterr().err

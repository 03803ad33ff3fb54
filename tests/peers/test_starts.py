"""Starts of whole processes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from kit.errors import InternalError
from kit.peers.starts import Program, measure_starts
from tests.peers.support import work_of


def test_each_that_is_there_is_started_and_checked(
    native_mlp: Path, tmp_path: Path, predictor_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT_PREDICTOR", str(predictor_path))
    with work_of(native_mlp, tmp_path) as work:
        found = measure_starts(work, "auto", 2, tmp_path)
    names = [one["name"] for one in found["ways"]]
    assert names[0] == "predictor run"
    assert "TorchScript (Python)" in names
    packages = {"ONNX Runtime (Python)": "onnxruntime", "OpenVINO (Python)": "openvino"}
    for name, package in packages.items():
        absent = {one["name"]: one["reason"] for one in found["absent"]}
        there = all(importlib.util.find_spec(one) for one in (package, "onnx", "onnxscript"))
        assert (name in names) == there
        assert name in names or "not installed" in absent[name]
    assert found["runs"] == 2
    ratios = {one["over"]: one["median"] for one in found["ratios"]}
    assert set(ratios) == set(names[1:])
    assert all(0 < one < 1 for one in ratios.values()), ratios


def test_a_program_that_fails_says_what_it_said_last(tmp_path: Path) -> None:
    code = "import sys; print('first'); sys.exit('no such model')"
    program = Program("peer", [sys.executable, "-c", code], tmp_path / "out", tmp_path / "log")
    with pytest.raises(InternalError, match="no such model"):
        program.run()

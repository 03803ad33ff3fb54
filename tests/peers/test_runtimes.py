"""ONNX Runtime, OpenVINO and ExecuTorch: where they are installed, and where they are not."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.peers import executorch, onnxruntime, openvino
from kit.peers.contender import Absent, Contender, Way
from kit.peers.readiness import get_ready
from kit.peers.work import Work
from tests.peers.support import work_of

WAYS: dict[str, tuple[Callable[[Work], Way], str, tuple[str, ...]]] = {
    "onnxruntime in Python": (onnxruntime.in_python, "onnxruntime", ("run", "IO binding")),
    "onnxruntime in C": (onnxruntime.in_c, "onnxruntime", ("Run",)),
    "openvino in Python": (openvino.in_python, "openvino", ("infer request",)),
    "openvino in C": (openvino.in_c, "openvino", ("infer request",)),
    "executorch": (executorch.executorch, "executorch", ("XNNPACK",)),
}
NEEDED = {"onnxruntime": ("onnx", "onnxscript"), "openvino": ("onnx", "onnxscript"), "executorch": ()}


@pytest.mark.parametrize("name", WAYS)
def test_every_setting_agrees_and_is_timed(name: str, native_mlp: Path, tmp_path: Path) -> None:
    make, package, settings = WAYS[name]
    for one in (package, *NEEDED[package]):
        if importlib.util.find_spec(one) is None:
            pytest.skip(f"{one} is not installed, or not on the path; tools/setup bench installs it")
    with work_of(native_mlp, tmp_path) as work:
        way = make(work)
        assert list(way.settings) == [*settings, *(f"{one}, sizes fixed" for one in settings)]
        ready = get_ready(way, work)
        assert isinstance(ready, Contender), ready
        assert ready.refused == ()
        assert all(0 < one < 1 for one in ready.call.time(3, 2))


@pytest.mark.parametrize("name", WAYS)
def test_what_is_not_installed_is_absent_by_name(
    name: str, native_mlp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, package, _ = WAYS[name]
    for loaded in [one for one in sys.modules if one.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, package, None)
    with work_of(native_mlp, tmp_path) as work:
        ready = get_ready(make(work), work)
    assert isinstance(ready, Absent)
    assert ready.reason == f"{package} is not installed"


def test_one_thread_is_one_thread(native_mlp: Path, tmp_path: Path) -> None:
    """The places in the table of ONNX Runtime's C API are right: a thread more is one more thread."""
    pytest.importorskip("onnxruntime", reason="it is not installed; tools/setup bench installs it")
    pytest.importorskip("onnxscript", reason="it is not installed; tools/setup bench installs it")

    def threads_of(count: int) -> int:
        with work_of(native_mlp, tmp_path / str(count), threads=count) as work:
            call = onnxruntime.in_c(work).settings["Run"]()
            call.run()
            before = len(os.listdir("/proc/self/task"))
            onnxruntime.in_c(work).settings["Run"]().run()
            return len(os.listdir("/proc/self/task")) - before

    for count in (1, 3):
        (tmp_path / str(count)).mkdir()
        assert threads_of(count) == count - 1

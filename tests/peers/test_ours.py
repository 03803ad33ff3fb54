"""Kit's own ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.binding import native
from kit.errors import UnavailableError
from kit.peers.contender import Contender
from kit.peers.ours import ours
from kit.peers.readiness import get_ready
from tests.peers.support import work_of


def test_each_program_from_cpp_and_the_best_from_python_and_from_c(native_mlp: Path, tmp_path: Path) -> None:
    with work_of(native_mlp, tmp_path) as work:
        ways = ours(work, "auto", tmp_path)
        assert [(way.name, way.kit, way.reference) for way in ways] == [
            ("kit native x86-64-v3 (C++)", True, False),
            ("kit torchscript (C++)", True, False),
            ("kit native x86-64-v3 (Python)", True, True),
            ("kit native x86-64-v3 (C interface)", True, True),
        ]
        for way in ways:
            ready = get_ready(way, work)
            assert isinstance(ready, Contender)
            assert all(0 < one < 1 for one in ready.call.time(2, 3))


def test_one_engine_alone(native_mlp: Path, tmp_path: Path) -> None:
    with work_of(native_mlp, tmp_path) as work:
        names = [way.name for way in ours(work, "torchscript", tmp_path)]
        assert names == ["kit torchscript (C++)", "kit torchscript (Python)"]
        with pytest.raises(UnavailableError, match="aoti"):
            ours(work, "aoti", tmp_path)


def test_more_threads_are_compared_with_one(native_mlp: Path, tmp_path: Path) -> None:
    with work_of(native_mlp, tmp_path, threads=2) as work:
        ways = ours(work, "auto", tmp_path)
        assert ways[-1].name == "kit native x86-64-v3 (C++, 1 thread)"
        assert ways[-1].reference
        assert isinstance(get_ready(ways[-1], work), Contender)


def test_the_binding_times_as_many_groups_as_it_is_told(native_mlp: Path, tmp_path: Path) -> None:
    with work_of(native_mlp, tmp_path) as work:
        model = native.Model.load(work.archive._native, "native")
        assert len(native.time_model(model, work.inputs, 7, 2)) == 7

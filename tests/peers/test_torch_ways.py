"""Eager, TorchScript and bare libtorch: always there, in agreement, and timed."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.peers import torch_ways
from kit.peers.contender import Contender
from kit.peers.readiness import get_ready
from tests.peers.support import work_of


@pytest.mark.parametrize("name", ["eager", "torchscript", "libtorch"])
def test_each_setting_agrees_and_is_timed(name: str, native_mlp: Path, tmp_path: Path) -> None:
    with work_of(native_mlp, tmp_path) as work:
        way = getattr(torch_ways, name)(work)
        ready = get_ready(way, work)
        assert isinstance(ready, Contender)
        assert ready.refused == ()
        seconds = ready.call.time(3, 5)
        assert len(seconds) == 3
        assert all(0 < one < 1 for one in seconds)
    assert list(way.settings) == (
        ["inference mode"] if name == "eager" else ["loaded", "frozen", "optimized"]
    )

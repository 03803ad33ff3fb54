"""The PNG, where matplotlib is installed, and the message where it is not."""

from __future__ import annotations

import importlib.util
import struct

import pytest

from kit.errors import UnavailableError
from kit.peers import plot
from tests.peers.fakes import document


@pytest.mark.parametrize("batches", [(1, 64), (8,)])
def test_a_png_of_the_size_that_was_asked_for(batches: tuple[int, ...]) -> None:
    pytest.importorskip("matplotlib")
    content = plot.png(document(batches))
    assert content.startswith(b"\x89PNG")
    assert struct.unpack(">II", content[16:24]) == (plot.WIDTH * plot.DPI, plot.HEIGHT * plot.DPI)


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match=r"matplotlib is not installed.*pip install matplotlib"):
        plot.png(document())

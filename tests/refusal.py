"""What every refusal must look like: one line on stderr, and nothing left behind."""

from __future__ import annotations

import random
from pathlib import Path

from tests.conftest import Completed

GOOD_ROW = "1,2,3\n"  # a row for the three inputs of mlp.pt


def expect(done: Completed, code: int, *mentions: str) -> None:
    """The exit code, one line on stderr that has all of `mentions`, and nothing on stdout."""
    assert done.returncode == code, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("predictor: error: ")
    for text in mentions:
        assert text in lines[0]
    assert not done.stdout


def files(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, hidden files too."""
    return {path.name: path.read_bytes() if path.is_file() else b"" for path in folder.iterdir()}


def random_bytes(size: int) -> bytes:
    """The same ones each time."""
    return random.Random(0).randbytes(size)

"""Archives of earlier versions, as they were written then. They must load and verify for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

import kit
from tests.conftest import Run

ARCHIVES = sorted((Path(__file__).parents[1] / "data/archives").glob("*.pt"))


def test_there_is_one_of_each_format() -> None:
    assert [path.stem for path in ARCHIVES] == ["format-1"]


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.stem)
def test_it_still_computes_what_it_did(path: Path, predictor: Run) -> None:
    assert kit.verify(path).passed
    result = predictor("verify", path)
    assert (result.returncode, result.stderr) == (0, "")

"""Telling the user's code from that of packages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import kit
from kit.source import display_path, is_users, one_line, raised_at


def test_the_innermost_line_of_the_user_is_named() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.nn.functional.linear(torch.ones(2, 2), torch.ones(3, 3))
    lines = Path(__file__).read_text().splitlines()
    path, _, line = raised_at(raised.value).rpartition(":")
    assert path.endswith("test_source.py")
    assert "functional.linear" in lines[int(line) - 1]


def test_packages_are_not_the_users() -> None:
    assert is_users(__file__)
    for module in (json, torch, kit, pytest):
        assert module.__file__ is not None
        assert not is_users(module.__file__)
    assert not is_users("<string>")


def test_an_error_never_raised_has_no_place() -> None:
    assert raised_at(ValueError()) == ""


def test_one_line() -> None:
    assert one_line(ValueError("\n  first\nsecond")) == "ValueError: first"
    assert one_line(ValueError()) == "ValueError"


def test_paths_below_the_current_directory_are_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert display_path(str(tmp_path / "a" / "b.py")) == "a/b.py"
    assert display_path("/elsewhere/b.py") == "/elsewhere/b.py"

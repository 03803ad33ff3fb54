"""Temporary folders: the place is blamed for what fails there, and for nothing else."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kit.errors import UnavailableError
from kit.programs import build_cache, compiler
from kit.writing import temporary_folder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_gone_at_the_end(place: Path) -> None:
    with temporary_folder() as folder:
        (folder / "file").write_text("text")
        assert folder.parent == place.resolve()
    assert not folder.exists()


def test_a_folder_that_cannot_be_made(place: Path) -> None:
    place.rmdir()
    with pytest.raises(
        UnavailableError, match=f"{place}: temporary .*: No such file .*; set TMPDIR elsewhere"
    ):
        temporary_folder().__enter__()


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO], ids=lambda number: errno.errorcode[number]
)
def test_a_write_that_fails_is_of_the_folder(number: int, place: Path) -> None:
    with pytest.raises(UnavailableError, match=f"{place}: temporary files"), temporary_folder():
        raise OSError(number, os.strerror(number))


def test_a_file_of_the_folder_is_of_the_folder() -> None:
    said = "No such file or directory; set TMPDIR elsewhere"
    with pytest.raises(UnavailableError, match=said), temporary_folder() as folder:
        (folder / "missing").read_text()


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/somewhere/else"),
        PermissionError(errno.EACCES, "Permission denied", 3),
        BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
        OSError("no number"),
    ],
)
def test_what_is_of_something_else_is_passed_on(error: OSError) -> None:
    folders = []

    def fail() -> None:
        with temporary_folder() as folder:
            folders.append(folder)
            raise error

    with pytest.raises(type(error), match=error.strerror or "no number") as raised:
        fail()
    assert raised.value is error
    assert not folders[0].exists()


def test_a_compiler_that_cannot_be_started_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr("subprocess.Popen", fail)
    with (
        temporary_folder() as folder,
        pytest.raises(UnavailableError, match=r"^g\+\+ cannot be started, .*again"),
    ):
        compiler._Processes(folder).run(["g++"])


def test_a_log_that_cannot_be_kept_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_CACHE", "/dev/null/none")
    monkeypatch.chdir("/proc/self")
    with pytest.raises(UnavailableError, match=r"failed-\w+\.log: the compiler failed, .*; set KIT_CACHE"):
        build_cache.keep_log("error")

"""Temporary folders: the place is blamed for what fails there, and for nothing else."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from kit import writing
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


def aged(folder: Path) -> Path:
    """Two days old."""
    then = time.time() - 2 * 24 * 60 * 60
    os.utime(folder, (then, then))
    return folder


def left(place: Path, name: str = "kit-compile-0a_bcdef") -> Path:
    """A folder as a process leaves it that was killed."""
    (place / name / "deep").mkdir(parents=True)
    (place / name / "deep" / "file").write_text("text")
    return aged(place / name)


def test_what_killed_processes_left_is_removed(place: Path) -> None:
    folders = [left(place), left(place, "kit-write-01234567")]
    with temporary_folder():
        assert not any(folder.exists() for folder in folders)


def test_a_process_that_was_killed_leaves_what_is_removed_later(place: Path) -> None:
    code = (
        "import os, signal\nfrom kit.writing import temporary_folder\n"
        "with temporary_folder('compile') as folder:\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "TMPDIR": str(place), "PYTHONPATH": str(Path(writing.__file__).parents[1])}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == -9
    (folder,) = place.glob("kit-compile-*")
    with temporary_folder():
        assert folder.exists()  # it may have been made just now
    aged(folder)
    with temporary_folder():
        assert not folder.exists()


def test_a_folder_of_a_process_that_lives_stays(place: Path) -> None:
    with temporary_folder("compile") as folder:
        aged(folder)
        with temporary_folder():
            assert folder.exists()


@pytest.mark.parametrize(
    "name", ["kit-compile-mine", "kit-compile-0a_bcdef.old", "kit-01234567", "kit-other-01234567"]
)
def test_folders_of_other_names_stay(name: str, place: Path) -> None:
    folder = left(place, name)
    with temporary_folder():
        assert folder.exists()


def test_a_link_and_what_it_points_to_stay(place: Path) -> None:
    folder, link = left(place, "elsewhere"), place / "kit-compile-01234567"
    link.symlink_to(folder)
    os.utime(link, (0, 0), follow_symlinks=False)
    with temporary_folder():
        assert (folder / "deep" / "file").exists()
        assert link.is_symlink()


def test_folders_of_other_users_stay(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = left(place)
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    with temporary_folder():
        assert folder.exists()


def test_a_place_whose_folders_cannot_be_locked_will_do(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr("fcntl.flock", fail)
    folder = left(place)
    with temporary_folder() as made:
        assert made.is_dir()
        assert folder.exists()


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


def test_a_build_is_stopped_although_a_compiler_of_it_has_just_ended() -> None:
    with temporary_folder() as folder, ThreadPoolExecutor(1) as pool:
        processes = compiler._Processes(folder)
        os.mkfifo(folder / "pipe")
        run = pool.submit(processes.run, ["sh", "-c", "read line < pipe"])
        while not processes._running:
            time.sleep(0.001)
        (process,) = processes._running
        with cast(Any, process)._waitpid_lock:  # as its thread holds it, which waits for the process
            (folder / "pipe").write_text("\n")
            os.waitid(os.P_PID, process.pid, os.WEXITED)
            processes.stop()
        with pytest.raises(UnavailableError, match="was stopped"):
            processes.run(["true"])
        run.exception()


def test_a_log_that_cannot_be_kept_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_CACHE", "/dev/null/none")
    monkeypatch.chdir("/proc/self")
    with pytest.raises(UnavailableError, match=r"failed-\w+\.log: the compiler failed, .*; set KIT_CACHE"):
        build_cache.keep_log("error")

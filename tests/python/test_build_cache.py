"""What was compiled once is not compiled again, and no state of the cache makes an export fail or lie."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.programs import build_cache
from kit.programs.build_cache import cached


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache, which is not there yet."""
    place = tmp_path / "deep" / "cache"
    monkeypatch.setenv("KIT_CACHE", str(place))
    return place


def never() -> bytes:
    pytest.fail("it was made again")


def entry(place: Path) -> Path:
    (found,) = place.glob("*.built")
    return found


def test_a_result_is_made_once_for_a_key() -> None:
    assert cached("one", lambda: b"1") == b"1"
    assert cached("two", lambda: b"") == b""
    assert cached("one", never) == b"1"
    assert cached("two", never) == b""


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:-1], lambda content: b"", lambda content: content[:40] + b"?" + content[41:]],
    ids=["cut short", "emptied", "a byte changed"],
)
def test_a_damaged_entry_is_made_anew(place: Path, damage: Callable[[bytes], bytes]) -> None:
    cached("key", lambda: b"a result that is long enough")
    entry(place).write_bytes(damage(entry(place).read_bytes()))
    assert cached("key", lambda: b"anew") == b"anew"
    assert cached("key", never) == b"anew"


def test_an_error_leaves_nothing_behind(place: Path) -> None:
    def fail() -> bytes:
        raise KeyError("no compiler")

    with pytest.raises(KeyError, match="no compiler"):
        cached("key", fail)
    assert not list(place.glob("*.built"))
    assert cached("key", lambda: b"now") == b"now"


def test_a_folder_that_cannot_be_written_is_said_and_no_error(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place.parent.mkdir()
    place.write_text("a file in the folder's place")
    assert cached("key", lambda: b"made") == b"made"
    assert "KIT_CACHE" in caplog.text
    assert str(place) in caplog.text


def test_a_full_disk_is_said_and_no_error(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    assert cached("key", lambda: b"made") == b"made"
    assert "No space left on device" in caplog.text


def test_what_was_not_used_for_longest_goes_first(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_cache, "_MOST_BYTES", 3 * (32 + 100))
    for age, key in enumerate("abc"):
        cached(key, lambda: bytes(100))
        newest = max(place.glob("*.built"), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (age, age))
    cached("a", never)  # used again
    cached("d", lambda: bytes(100))
    for key in "acd":
        cached(key, never)
    assert cached("b", lambda: b"made again") == b"made again"


def test_no_lock_is_left(place: Path) -> None:
    def fail() -> bytes:
        raise KeyError

    cached("key", lambda: b"made")
    cached("key", never)
    with pytest.raises(KeyError):
        cached("other", fail)
    assert [one.suffix for one in place.iterdir()] == [".built"]


def test_locks_of_killed_processes_are_removed_and_no_others(place: Path) -> None:
    place.mkdir(parents=True)
    names = ("left", "held", "new")
    left, held, new = (place / f"{name}.lock" for name in names)
    for path in (left, held, new):
        path.touch()
    for path in (left, held):
        os.utime(path, (0, 0))
    with held.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        cached("key", lambda: b"made")
    assert not left.exists()
    assert held.exists()
    assert new.exists()


def test_who_waited_for_a_lock_that_was_removed_takes_the_one_that_is_there(place: Path) -> None:
    """Or the two would hold locks on two files of one name."""
    place.mkdir(parents=True)
    path, taken = place / "a.lock", threading.Event()
    first = build_cache._lock(path)

    def wait() -> None:
        lock = build_cache._lock(path)
        taken.set()
        build_cache._unlock(lock, path)

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.2)  # until it has opened the file
    path.unlink()
    second = build_cache._lock(path)
    os.close(first)
    assert not taken.wait(0.5)
    build_cache._unlock(second, path)
    assert taken.wait(60)
    waiting.join()
    assert not path.exists()


def test_a_lock_that_has_become_anothers_is_not_removed(place: Path) -> None:
    place.mkdir(parents=True)
    path = place / "a.lock"
    first = build_cache._lock(path)
    path.unlink()
    second = build_cache._lock(path)
    build_cache._unlock(first, path)
    assert path.exists()
    build_cache._unlock(second, path)


def _count(path: str, _: int) -> bytes:
    def make() -> bytes:
        with open(path, "ab") as stream:
            stream.write(b"x")
        return b"made"

    return cached("shared", make)


def test_of_several_processes_one_makes_it(tmp_path: Path) -> None:
    log = tmp_path / "made"
    with multiprocessing.get_context("fork").Pool(4) as pool:
        results = pool.starmap(_count, [(str(log), index) for index in range(8)])
    assert results == [b"made"] * 8
    assert log.read_bytes() == b"x"


def test_the_folder_is_that_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert build_cache.folder() == tmp_path / "kit"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert build_cache.folder() == tmp_path / "home/.cache/kit"

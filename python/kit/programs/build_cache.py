"""Results of compiling, kept between exports: a second export of the same model takes seconds.

They are in the folder `kit` of the user's cache (XDG_CACHE_HOME, by default ~/.cache), or where KIT_CACHE
says. Deleting it is always safe, and whatever is damaged there is made anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from kit.errors import UnavailableError

VARIABLE = "KIT_CACHE"
_MOST_BYTES = 1 << 32
_SUFFIX = ".built"
_LOCK = ".lock"
_OLD = 24 * 60 * 60
"""Seconds after which a lock that nobody holds is one of a process that was killed."""
_log = logging.getLogger("kit")


def folder() -> Path:
    """Where results are kept."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kit"


def cached(key: str, make: Callable[[], bytes]) -> bytes:
    """The result of `make`, from the cache if it has one for this key.

    key: any text that says all that the result depends on.

    Safe with several processes and threads, of which one makes the result and the others wait for it. Where
    the folder cannot be written, the result is made, and the logger "kit" says so.
    """
    name = hashlib.sha256(key.encode()).hexdigest()
    lock = None
    try:
        place = folder()
        place.mkdir(parents=True, exist_ok=True)
        lock = _lock(place / f"{name}{_LOCK}")
    except (OSError, RuntimeError) as error:
        _note(str(error))
    if lock is None:
        return make()
    try:
        entry = place / f"{name}{_SUFFIX}"
        known = _read(entry)
        if known is not None:
            return known
        result = make()
        try:
            _write(entry, result)
            _prune(place, entry)
        except OSError as error:
            _note(str(error))
        return result
    finally:
        _unlock(lock, place / f"{name}{_LOCK}")


def keep_log(text: str) -> Path:
    """Keep what a compiler said when it failed, and tell where: in the folder, or if that cannot be written,
    in the current one. Raises UnavailableError if neither can."""
    name = f"failed-{hashlib.sha256(text.encode()).hexdigest()[:16]}.log"
    log = folder() / name
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(text)
    except OSError:
        log = Path(name).absolute()
        try:
            log.write_text(text)
        except OSError as error:
            raise UnavailableError(
                f"{log}: the compiler failed, and what it said cannot be written: {error.strerror}; set "
                f"{VARIABLE} to a folder that can be, and export again"
            ) from error
    return log


def _lock(path: Path, how: int = fcntl.LOCK_EX) -> int:
    """Lock a file, which is made if it is not there. Who holds a lock may remove its file: one that was
    removed while this process waited for it keeps nobody out, and the file that is there now is locked."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, how)
            if _is_at(lock, path):
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _unlock(lock: int, path: Path) -> None:
    """Remove the file of a lock that is held, and release it; in this order, or it would be another's."""
    with contextlib.suppress(OSError):  # then it is left, and locked by whoever wants it next
        if _is_at(lock, path):
            path.unlink()
    os.close(lock)


@cache
def _note(reason: str) -> None:
    """Once for each reason: a program has many parts."""
    _log.warning(
        "compiled programs are not kept: %s; set %s to a folder that can be written", reason, VARIABLE
    )


def _read(entry: Path) -> bytes | None:
    """The result that an entry holds, or None if there is none, or it is damaged."""
    try:
        content = entry.read_bytes()
        os.utime(entry)
    except OSError:
        return None
    digest, result = content[:32], content[32:]
    return result if hashlib.sha256(result).digest() == digest else None


def _write(entry: Path, result: bytes) -> None:
    file, temporary = tempfile.mkstemp(dir=entry.parent, prefix=".", suffix=_SUFFIX)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(hashlib.sha256(result).digest())
            stream.write(result)
        os.replace(temporary, entry)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _prune(place: Path, newest: Path) -> None:
    """Remove what was not used for longest, until the rest is no more than 4 GiB, and what killed processes
    have left of locks."""
    for path in place.glob(f"*{_LOCK}"):
        with contextlib.suppress(OSError):  # it is held, or another process is removing it
            if time.time() - path.stat().st_mtime > _OLD:
                _unlock(_lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB), path)
    entries = sorted(_sizes(place), reverse=True)
    total = 0
    for _, size, entry in entries:
        total += size
        if total > _MOST_BYTES and entry != newest:
            entry.unlink(missing_ok=True)


def _sizes(place: Path) -> Iterator[tuple[float, int, Path]]:
    for entry in place.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):
            status = entry.stat()
            yield status.st_mtime, status.st_size, entry

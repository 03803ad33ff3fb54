"""Writing a file: all of it or nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from kit.errors import UnavailableError, UsageError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_PURPOSES = ("compile", "write")
_LEFT = re.compile(rf"kit-({'|'.join(_PURPOSES)})-\w{{8}}")
_OLD = 24 * 60 * 60  # seconds
_OF_WRITES = (*_NO_ROOM, errno.EFBIG, errno.EIO)


def check_destination(path: str | os.PathLike[str], read: str | os.PathLike[str] | None = None) -> Path:
    """The file to write, with symbolic links followed.

    read: a file that is read for it, and must stay.

    Raises UsageError if nothing can be written there.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise UsageError(f"{os.fspath(path)}: the directory {target.parent} does not exist; make it first")
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return target
    except OSError as error:
        raise UsageError(f"{os.fspath(path)}: {error.strerror}; name another file to write") from error
    if os.fspath(path).endswith("/") or not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "no regular file"
        raise UsageError(f"{os.fspath(path)}: it is {kind}; name a file to write")
    if read is not None and target == Path(os.path.realpath(read)):
        raise UsageError(f"{os.fspath(path)}: it is read, and would be replaced; name another file to write")
    return target


@contextmanager
def replacing(path: str | os.PathLike[str], again: str, *, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """A temporary file beside `path`, which takes its place when the block has ended.

    again: what to do once it can be written, for the message. mode: the permissions, less what the umask
    takes.

    If anything raises, nothing is left behind and an old file stays as it was. Raises UsageError if the
    directory does not exist, UnavailableError for any OSError.
    """
    target = check_destination(path)
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.name}.", suffix=".tmp", delete=False
        ) as file:
            temporary = file.name
            os.fchmod(file.fileno(), mode & ~_file_mask())
            yield file
            synchronise(file)
        os.replace(temporary, target)
        temporary = None
        _sync_directory(target.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = "make room" if error.errno in _NO_ROOM else "write it elsewhere"
        raise UnavailableError(
            f"{os.fspath(path)}: it cannot be written: {reason}; {remedy}, and {again} again"
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


@contextmanager
def temporary_folder(purpose: str = "write") -> Iterator[Path]:
    """A folder for temporary files, which is gone at the end; what a killed process left of its own goes with
    the next one that is made a day later or more.

    purpose: a word for its name, one of `_PURPOSES`.

    Raises UnavailableError if it cannot be made or written to; any other OSError of the block is passed on.
    """
    with ExitStack() as stack:
        try:
            made = tempfile.TemporaryDirectory(prefix=f"kit-{purpose}-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(made)).resolve()
        except OSError as error:
            raise temporary_fault(error) from error
        with suppress(OSError):  # where none can be locked, none is ever removed
            stack.callback(os.close, _locked(folder, fcntl.LOCK_SH))
        _remove_left(folder.parent)
        try:
            yield folder
        except OSError as error:
            if not _is_about(error, folder):
                raise
            raise temporary_fault(error) from error


def _locked(folder: Path, how: int) -> int:
    """A lock on a folder, which whoever made it has as long as it lives. Close it to release it."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, how)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _remove_left(place: Path) -> None:
    """Remove temporary folders whose process was killed. Only those of this user that are older than a day,
    for one that has just been made is not locked yet."""
    for folder in place.glob("kit-*"):
        with suppress(OSError):  # its process lives, or another one is removing it
            status = folder.lstat()
            old = time.time() - status.st_mtime > _OLD
            if old and status.st_uid == os.getuid() and _LEFT.fullmatch(folder.name):
                lock = _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _is_about(error: OSError, folder: Path) -> bool:
    """Whether it is of a file in the folder, or of a write that failed, which names no file."""
    if error.filename is None:
        return error.errno in _OF_WRITES
    return isinstance(error.filename, str) and Path(error.filename).is_relative_to(folder)


def temporary_fault(error: OSError) -> UnavailableError:
    """What to raise where temporary files cannot be written."""
    place = tempfile.tempdir or os.environ.get("TMPDIR") or "/tmp"
    reason = error.strerror or str(error)
    remedy = "make room there" if error.errno in _NO_ROOM else "set TMPDIR elsewhere"
    return UnavailableError(f"{place}: temporary files are written there, and it failed: {reason}; {remedy}")


def synchronise(file: IO[bytes]) -> None:
    """Bring to the disk what was written so far, so that others read it and no error comes later."""
    file.flush()
    os.fsync(file.fileno())


def _file_mask() -> int:
    """The permissions that new files of this process do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

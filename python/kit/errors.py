"""The exceptions of kit. Each carries the exit code that `python -m kit` and `predictor` share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from kit.guards.finding import Finding


class Error(Exception):
    """Base of all kit errors. `str(error)` is one line: what went wrong, where, and what to do."""

    exit_code: ClassVar[int] = 1


class InternalError(Error):
    """A fault of kit itself."""

    exit_code = 1


class UsageError(Error):
    """The command line, a recipe, or an argument of a function is wrong."""

    exit_code = 2


class ArchiveError(Error):
    """The file is no archive, is damaged, or is of a newer format."""

    exit_code = 3


class InputError(Error):
    """An input does not fit the signature."""

    exit_code = 4


class ParityError(Error):
    """Outputs are not those of the eager model within the tolerance, or not what the signature says."""

    exit_code = 5


class UnavailableError(Error):
    """This host, or this version of kit, lacks what was asked for."""

    exit_code = 6


class TraceError(Error):
    """The model cannot be traced faithfully. `findings` holds what the guards found, where it was they."""

    exit_code = 7

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


class ArchiveWarning(UserWarning):
    """Something about an archive that could not be checked."""

"""The golden inputs that a command runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kit.archive import Archive
from kit.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


def golden_inputs(archive: Archive, method: str, wanted: Sequence[int] = ()) -> list[list[Tensor]]:
    """The flat inputs of the cases with these indices, or of all.

    Raises UsageError for a case that is not there, and for an archive without any.
    """
    if archive.manifest is None:
        raise UsageError(
            f"{archive.path} has no manifest, hence no golden cases to run; write an archive with "
            "python -m kit.export"
        )
    cases = archive.cases(method)
    for index in wanted:
        if not 0 <= index < len(cases):
            count = "1 golden case" if len(cases) == 1 else f"{len(cases)} golden cases"
            raise UsageError(f"there is no case {index}: the method '{method}' has {count}, counted from 0")
    if not cases:
        raise UsageError(
            f"{archive.path}: the method '{method}' has no golden cases to run; export the model again with "
            "some"
        )
    return [cases[index][0] for index in (wanted or range(len(cases)))]

"""A finding: where a trace would lie, why, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kit.errors import TraceError
from kit.source import Place


@dataclass(frozen=True)
class Finding:
    """What one rule found.

    rule: its name, that of its page in docs/guards. problem: what would go wrong. remedy: how to mend it.
    place: the line of code, where one is known. about: the input, output, parameter or operation in question,
    which a recipe may name in `allow`.
    """

    rule: str
    problem: str
    remedy: str
    place: Place | None = None
    about: str = ""

    def __str__(self) -> str:
        where = ""
        if self.place is not None:
            code = self.place.code
            where = f"{self.place}: " + (f"`{code}`: " if code else "")
        return f"{where}{self.problem}; {self.remedy} [{self.rule}]"

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON values."""
        place = self.place
        return {
            "rule": self.rule,
            "about": self.about,
            "file": place.path if place else None,
            "line": place.line if place else None,
            "code": place.code if place else None,
            "problem": self.problem,
            "remedy": self.remedy,
        }


def refuse(findings: Sequence[Finding]) -> None:
    """Raise TraceError for the first finding, if there is any."""
    if not findings:
        return
    rest = len(findings) - 1
    more = f" (and {rest} more: python -m kit lint lists them)" if rest else ""
    raise TraceError(f"{findings[0]}{more}", findings)

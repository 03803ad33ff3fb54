"""What torch's compiler fuses: groups of operations that run as one kernel, and what is left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kit.configuration import Configuration
from kit.graph import CodeLine

if TYPE_CHECKING:
    from kit._native import FusionReport as NativeFusionReport


@dataclass(frozen=True)
class FusedOperation:
    """One operation of a fused group, "aten::mul"."""

    operation: str
    line: CodeLine | None


@dataclass(frozen=True)
class LeftOut:
    """An operation that runs by itself, and why.

    instead_of: the index of the group in whose place it runs, where that does not fit the sizes.
    """

    operation: str
    reason: str
    line: CodeLine | None
    instead_of: int | None


@dataclass(frozen=True)
class FusionGroup:
    """Operations that run as one kernel.

    name: as torch and its profiler name it, "fused_mul_add_relu".
    dynamic: whether it was compiled for varying sizes, not for one.
    inputs: types, "Float(4, 8, strides=[8, 1], device=cpu)".
    runs, fallbacks: how often it ran in the calls that were watched, and how often its type check failed,
        so that something else ran instead.
    counted: False where runs of groups of one name, in branches, cannot be told apart; the counts are then
        the least that there were.
    language: of the source, "CUDA C++", or "tensor expressions" on the CPU.
    source: the generated code.
    instead_of: the index of the group in whose place it runs, where that does not fit the sizes.
    """

    name: str
    operations: list[FusedOperation]
    dynamic: bool
    inputs: list[str]
    runs: int
    fallbacks: int
    counted: bool
    language: str
    source: str
    instead_of: int | None


@dataclass(frozen=True)
class FusionReport:
    """What was fused, and what was not, in calls with inputs of given sizes. Print it to see a table.

    sizes: of the dims, for each of the inputs that were given.
    calls, compilations: how often the model was called, and how many graphs were compiled meanwhile.
    groups: those of the executed graph first, then those of its fallbacks.
    note: why there is nothing to report, or None.
    """

    method: str
    device: str
    torch: str
    configuration: Configuration
    sizes: list[dict[str, int]]
    calls: int
    compilations: int
    groups: list[FusionGroup]
    left_out: list[LeftOut]
    note: str | None
    _handle: NativeFusionReport = field(repr=False, compare=False)

    @staticmethod
    def of(known: NativeFusionReport) -> FusionReport:
        """The report that the C++ library gave."""
        root = json.loads(known.json())
        return FusionReport(
            configuration=Configuration(**root.pop("configuration")),
            groups=[_group(one) for one in root.pop("groups")],
            left_out=[
                LeftOut(one["operation"], one["reason"], _line(one), one.get("instead_of"))
                for one in root.pop("left_out")
            ],
            note=root.pop("note", None),
            _handle=known,
            **root,
        )

    def to_dict(self) -> dict[str, Any]:
        """With these names, for JSON; what is not set is left out."""
        root: dict[str, Any] = json.loads(self._handle.json())
        return root

    def table(self, source: bool = False) -> str:
        """The report for people; `source` adds the generated code."""
        return self._handle.str(source)

    def __str__(self) -> str:
        return self.table()


def _line(root: Mapping[str, Any]) -> CodeLine | None:
    return CodeLine(**root["line"]) if "line" in root else None


def _group(root: Mapping[str, Any]) -> FusionGroup:
    known = dict(root)
    known["operations"] = [FusedOperation(one["operation"], _line(one)) for one in root["operations"]]
    known.setdefault("instead_of", None)
    return FusionGroup(**known)

"""How far the outputs of programs are from those of the eager model: as values, as JSON and as a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from kit.configuration import Configuration
from kit.errors import ParityError
from kit.method import FORWARD


@dataclass(frozen=True)
class Difference:
    """How far one tensor is from another.

    within: dtype and shape are equal, and every element is within the tolerance.
    bit_equal: every element has the same bits, or both are NaN.
    max_abs, max_rel: the largest differences over finite elements.
    reason: what is wrong, "" where `within`.
    max_ulp: the largest number of steps from one floating-point number to the next that lie between two
        elements; 0 for integers.
    """

    within: bool
    bit_equal: bool
    max_abs: float
    max_rel: float
    reason: str = ""
    max_ulp: float = 0.0

    def __str__(self) -> str:
        if not self.within:
            return self.reason
        return "bit-equal" if self.bit_equal else f"{self.max_abs:.2g}"


@dataclass(frozen=True)
class Row:
    """One output of one case: how it came out in each column, and the first value there where it is known.

    runs: the same for the 1st, the 2nd … run of the case in turn, where it ran several times; `differences`
        has the worst of these.
    """

    case: int
    output: str
    shape: str
    differences: dict[str, Difference]
    first_values: dict[str, str] = field(default_factory=dict)
    method: str = FORWARD
    runs: dict[str, tuple[Difference, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class ParityReport:
    """Outputs of one or more ways to run a model, against those of the eager model.

    path: the archive. columns: the ways. cases: number of cases, of all methods together. rows: one for each
    output of each case.
    expected: what the ways are compared with, as the heading of its column.
    engine, configuration: what ran in C++, and how; "" and empty where nothing did.
    """

    path: str
    columns: tuple[str, ...]
    cases: int
    rows: tuple[Row, ...]
    expected: str = "golden"
    engine: str = ""
    configuration: Configuration = field(default_factory=Configuration)

    @property
    def passed(self) -> bool:
        """Whether every difference is within its tolerance."""
        return all(one.within for one in self._differences())

    @property
    def bit_equal(self) -> bool:
        """Whether everything has the same bits."""
        return all(one.bit_equal for one in self._differences())

    @property
    def max_abs(self) -> float:
        """The largest absolute difference of all."""
        return max((one.max_abs for one in self._differences()), default=0.0)

    @property
    def max_rel(self) -> float:
        """The largest relative difference of all."""
        return max((one.max_rel for one in self._differences()), default=0.0)

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods that ran, in order."""
        return tuple(dict.fromkeys(row.method for row in self.rows))

    @property
    def worst(self) -> str:
        """The largest difference in words."""
        if self.bit_equal:
            return "0 (bit-equal)"
        return f"{self.max_abs:.3g} absolute, {self.max_rel:.3g} relative"

    def raise_for_failure(self) -> None:
        """Raise ParityError for the first difference beyond its tolerance."""
        for row in self.rows:
            for column, one in row.differences.items():
                if not one.within:
                    method = "" if self.methods == (FORWARD,) else f"method '{row.method}', "
                    raise ParityError(
                        f"{self.path}: {method}case {row.case}, output '{row.output}': {column} differs from "
                        f"{self.expected}: {one.reason}; if this is as it should be, widen `tolerances` in "
                        "the recipe"
                    )

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        summary = {
            "passed": self.passed,
            "bit_equal": self.bit_equal,
            "max_abs": self.max_abs,
            "max_rel": self.max_rel,
        }
        return {**asdict(self), **summary, "configuration": self.configuration.to_dict()}

    def to_json(self) -> str:
        """The same as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2, sort_keys=True)

    def __str__(self) -> str:
        cases = _count(self.cases, "case")
        if len(self.methods) > 1:
            head = f"{self.path}: {_count(len(self.methods), 'method')} ({', '.join(self.methods)}), {cases}"
        else:
            outputs = list(dict.fromkeys(row.output for row in self.rows))
            head = f"{self.path}: {cases}, {_count(len(outputs), 'output')} ({', '.join(outputs)})"
        verdict = "agrees" if self.passed else "DIFFERS"
        how = str(self.configuration)
        ran = [f"{self.engine} in C++: {how}"] if how else []
        last = f"{verdict}; largest difference: {self.worst}"
        return "\n".join([head, "", *_table(self._cells()), "", *self._by_way(), *ran, last])

    def _by_way(self) -> list[str]:
        """The largest differences of each way over all cases, run by run; equal runs share a line."""
        lines = [["way", "run", "absolute", "relative", "ULP"]]
        for way in self.columns:
            runs = [row.runs[way] for row in self.rows if way in row.runs]
            found = [_numbers(one) for one in zip(*runs, strict=True)]
            for first, numbers in enumerate(found):
                if first and found[first - 1] == numbers:
                    continue
                last = next((i for i in range(first, len(found)) if found[i] != numbers), len(found))
                lines.append([way, str(first + 1) if last == first + 1 else f"{first + 1}–{last}", *numbers])
        return [*_aligned(lines, right=(2, 3, 4)), ""] if len(lines) > 1 else []

    def _cells(self) -> list[list[str]]:
        shown = any(row.first_values for row in self.rows)
        ways = [self.expected, *self.columns] if shown else list(self.columns)
        table = [["case", "output", "shape", *ways] + (["difference"] if shown else [])]
        for row in self.rows:
            if shown:
                values = [row.first_values.get(way, "") for way in ways]
                cells = [*values, str(worst_of(list(row.differences.values())))]
            else:
                cells = [str(row.differences[way]) for way in ways]
            table.append([str(row.case), row.output, row.shape, *cells])
        if len(self.methods) > 1:
            methods = ["method", *(row.method for row in self.rows)]
            table = [[method, *cells] for method, cells in zip(methods, table, strict=True)]
        return table

    def _differences(self) -> list[Difference]:
        return [one for row in self.rows for one in row.differences.values()]


def _numbers(differences: Sequence[Difference]) -> list[str]:
    """The largest of each kind."""
    return [
        f"{max(getattr(one, kind) for one in differences):.3g}" for kind in ("max_abs", "max_rel", "max_ulp")
    ]


def worst_of(differences: Sequence[Difference]) -> Difference:
    """The one to show of several: a failure before any other, else the largest."""
    return max(differences, key=lambda one: (not one.within, not one.bit_equal, one.max_abs))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _table(rows: list[list[str]]) -> list[str]:
    """Numbers to the right, names and verdicts to the left."""
    case, shape = rows[0].index("case"), rows[0].index("shape")
    return _aligned(rows, right=(case, *range(shape + 1, len(rows[0]) - 1)))


def _aligned(rows: list[list[str]], right: Sequence[int]) -> list[str]:
    """Columns as wide as they must be, with a line below the heading."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    rows = [rows[0], ["─" * width for width in widths], *rows[1:]]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines

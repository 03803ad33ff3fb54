"""Finding the fused group, and in it the operation, that makes outputs differ from those without fusion."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kit.archive import Archive
from kit.binding import native
from kit.compare import DEFAULT_TOLERANCES, Tolerance
from kit.configuration import DEFAULTS, Configuration
from kit.errors import ParityError, UsageError
from kit.method import FORWARD, Method
from kit.programs.torchscript import ENGINE
from kit.replay import known_manifest
from kit.report import Difference
from kit.repro import check_folder, write_repro
from kit.runtime import Model
from kit.state import random_state_kept


@dataclass(frozen=True)
class Operation:
    """One operation of a group: "aten::tanh", and the line of the program's code, where that is known."""

    operation: str
    line: str = ""

    @staticmethod
    def parse(root: Mapping[str, Any]) -> Operation:
        """Of the JSON."""
        line = root.get("line")
        return Operation(root["operation"], f"{line['file']}:{line['line']}: {line['text']}" if line else "")

    def __str__(self) -> str:
        return f"{self.operation} ({self.line})" if self.line else self.operation


@dataclass(frozen=True)
class GroupCheck:
    """A fused group, run by itself on the inputs that it gets in the case that differs.

    dynamic: compiled for varying sizes. depth: 0 in the graph of the method, 1 in the fallback of a group
    there, and so on. difference: the worst of its outputs, fused against one by one.
    """

    name: str
    operations: tuple[Operation, ...]
    dynamic: bool
    depth: int
    difference: Difference

    def __str__(self) -> str:
        names = ", ".join(one.operation for one in self.operations)
        kind = "dynamic" if self.dynamic else "static"
        place = "" if self.depth == 0 else f", in a fallback of depth {self.depth}"
        one = self.difference
        apart = "bit-equal" if one.bit_equal else f"{one.max_abs:.3g}"
        verdict = apart if one.within else f"DIFFERS: {one.reason}; finite ones by {apart}"
        return f"{self.name} ({kind}{place}): {names}: {verdict}"


@dataclass(frozen=True)
class Bisection:
    """What was found; the fields from `case` on only where outputs differ.

    difference: of the first output beyond the tolerance, else the largest that was seen. run: counted from 1.
    groups: those that ran in that case, in order. group: the index of the smallest that differs by itself.
    operation: the first of its operations with which it differs. repro: the operations that show it alone,
    as a kernel for varying sizes where `repro_dynamic`.
    folder: where the repro was written.
    """

    path: str
    methods: tuple[str, ...]
    device: str
    torch: str
    configuration: Configuration
    cases: int
    runs: int
    differs: bool
    difference: Difference
    case: int | None = None
    run: int | None = None
    output: str | None = None
    groups: tuple[GroupCheck, ...] = ()
    group: int | None = None
    operation: Operation | None = None
    repro: tuple[Operation, ...] = ()
    repro_dynamic: bool = False
    folder: str | None = None

    def raise_for_failure(self) -> None:
        """Raise ParityError if outputs differ."""
        if self.differs:
            where = f"; {self.folder} shows it by itself" if self.folder else ""
            raise ParityError(
                f"{self.path}: {self.place}: fused differs from unfused: {self._cause()}{where}"
            )

    def to_json(self) -> str:
        """The report as JSON."""
        known = {**asdict(self), "configuration": self.configuration.to_dict()}
        return json.dumps(known, ensure_ascii=False, indent=2, sort_keys=True)

    def __str__(self) -> str:
        head = [
            f"{self.path}: {', '.join(self.methods)} on {self.device}, torch {self.torch}",
            f"{self.cases} cases, {self.runs} runs of each, {_words(self.configuration)}",
        ]
        if not self.differs:
            return "\n".join(
                [*head, "", f"fused and unfused agree; largest difference: {_largest(self.difference)}"]
            )
        one = self.difference
        lines = [*head, "", f"{self.place}: DIFFERS: {one.reason}; finite ones by {_largest(one)}"]
        if self.groups:
            lines += ["", "groups, each by itself on what it gets in this case:"]
            lines += [f"  {index}  {group}" for index, group in enumerate(self.groups)]
        lines += ["", f"cause: {self._cause()}"]
        if self.repro:
            lines.append(f"shown by: {', '.join(one.operation for one in self.repro)}")
        if self.folder:
            lines.append(f"written: {self.folder}")
        return "\n".join(lines)

    @property
    def place(self) -> str:
        """The first output that differs, in words."""
        method = "" if self.methods == (FORWARD,) else f"method '{self.methods[-1]}', "
        return f"{method}case {self.case}, run {self.run}, output '{self.output}'"

    def _cause(self) -> str:
        if not self.groups:
            return "no fused group ran in this case, so fusion itself is not the cause"
        if self.group is None:
            return (
                "no group alone differs beyond the tolerance: it takes what follows, or several; --rtol 0 "
                "--atol 0 looks into smaller differences"
            )
        name = f"group {self.group} ({self.groups[self.group].name})"
        if self.operation is None:
            return f"{name}, as a whole; a part of it, compiled anew, does not differ"
        return f"{name}, operation {self.operation}"


def bisect_fusion(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    method: str | None = None,
    device: str = "cpu",
    runs: int = 3,
    rtol: float | None = None,
    atol: float | None = None,
    configuration: Configuration = DEFAULTS,
) -> Bisection:
    """Run the golden inputs of an archive fused and unfused. Where outputs differ, find the group and the
    operation that cause it, and write a folder that shows it by itself.

    output: the folder, which must not be there; by default `<name of the file>-fusion` where you are. It is
        written only if a group was found that differs by itself.
    method: the one to look at; all in turn up to the first that differs, if not given.
    runs: how often each case runs; the first of a size is watched, the second compiles.
    rtol, atol: instead of those of the archive, for floating-point dtypes.

    A difference is in the report and raises nothing. Raises ArchiveError if the file is no sound archive of
    kit's, UsageError if the folder is there or the configuration fuses nothing, UnavailableError if the host
    lacks the device or the folder cannot be written.
    """
    if configuration.fusion is False or configuration.executor == "simple":
        raise UsageError("bisecting compares fused with unfused: drop --fusion off and --executor simple")
    if isinstance(runs, bool) or not isinstance(runs, int) or not 1 <= runs < 1 << 31:
        raise UsageError(f"runs is {runs!r}; give a whole number from 1 to {(1 << 31) - 1}")
    archive = Archive(path)
    manifest = known_manifest(archive)
    folder = Path(output) if output is not None else Path(f"{Path(archive.path).stem}-fusion")
    check_folder(folder)
    methods = manifest.methods if method is None else (manifest.method(method),)
    fused = replace(configuration, fusion=True)
    largest: Bisection | None = None
    count = 0
    for index, one in enumerate(methods):
        model = Model(archive, ENGINE, device, one.name, fused)
        if model.configuration.static_depth == model.configuration.dynamic_depth == 0:
            raise UsageError(
                "bisecting compares fused with unfused, and nothing is compiled with static and dynamic "
                "depth 0: give a --static-depth or a --dynamic-depth of 1 or more"
            )
        tolerances = _tolerances(one, rtol, atol)
        cases = [inputs for inputs, _ in archive.cases(one.name)]
        with random_state_kept():
            found = native.bisect_fusion(model._native, cases, runs, tolerances, one.seed)
        names = tuple(known.name for known in methods[: index + 1])
        count += len(cases)
        report = replace(_report(archive.path, names, json.loads(found.json)), cases=count)
        if report.differs:
            if found.program is None:
                return report
            report = replace(report, folder=str(folder))
            write_repro(folder, report, found, tolerances)
            return report
        if largest is None or report.difference.max_abs >= largest.difference.max_abs:
            largest = report
        else:
            largest = replace(largest, methods=names, cases=count)
    if largest is None:
        raise UsageError(f"{archive.path} has no methods")
    return largest


def _tolerances(method: Method, rtol: float | None, atol: float | None) -> dict[str, tuple[float, float]]:
    """By dtype: what is given, else the archive's, else the default."""
    known = {**DEFAULT_TOLERANCES, **method.tolerances}
    result = {}
    for dtype, tolerance in known.items():
        chosen = tolerance
        if dtype in DEFAULT_TOLERANCES:
            chosen = Tolerance(
                tolerance.rtol if rtol is None else rtol, tolerance.atol if atol is None else atol
            )
        result[dtype] = (chosen.rtol, chosen.atol)
    return result


def _report(path: str, methods: tuple[str, ...], root: dict[str, Any]) -> Bisection:
    groups = tuple(
        GroupCheck(
            one["name"],
            tuple(map(Operation.parse, one["operations"])),
            one["dynamic"],
            one["depth"],
            Difference(**one["difference"]),
        )
        for one in root["groups"]
    )
    operation = root.get("operation")
    return Bisection(
        path,
        methods,
        root["device"],
        root["torch"],
        Configuration(**root["configuration"]),
        root["cases"],
        root["runs"],
        root["differs"],
        Difference(**root["difference"]),
        root.get("case"),
        root.get("run"),
        root.get("output"),
        groups,
        root.get("group"),
        Operation.parse(operation) if operation else None,
        tuple(map(Operation.parse, root["repro"]["operations"])) if "repro" in root else (),
        root.get("repro", {}).get("dynamic", False),
    )


def _words(configuration: Configuration) -> str:
    return ", ".join(f"{name} {value}" for name, value in configuration.to_dict().items())


def _largest(one: Difference) -> str:
    return "0 (bit-equal)" if one.bit_equal else f"{one.max_abs:.3g} absolute, {one.max_rel:.3g} relative"

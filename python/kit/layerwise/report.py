"""Where a program leaves the eager model: submodule by submodule and run by run, as values and as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from kit.errors import ParityError
from kit.layerwise.table import table
from kit.report import Difference


@dataclass(frozen=True)
class Layer:
    """One call of a submodule, or an output of the model: how far the archive's is from the eager one.

    name: path of the submodule, as "encoder.layer.1", or name of the output. call: 1 for the first call of
    it. kind: its class. shape: of the first of its tensors, and how many more there are.
    difference: the largest of all its tensors, cases and runs; None where nothing could be compared.
    case, run: where that was. note: what was left out, and why.
    """

    name: str
    call: int
    kind: str
    shape: str
    difference: Difference | None
    case: int = 0
    run: int = 1
    note: str = ""

    @property
    def differs(self) -> bool:
        """Whether it is beyond the tolerance."""
        return self.difference is not None and not self.difference.within

    @property
    def title(self) -> str:
        """ "block", or "block (call 2)"."""
        return self.name if self.call == 1 else f"{self.name} (call {self.call})"


@dataclass(frozen=True)
class Run:
    """One run of a program over all cases: how far its outputs are from eager, and from its own first run."""

    way: str
    run: int
    from_eager: Difference
    from_first: Difference
    where: str


@dataclass(frozen=True)
class LayersReport:
    """The submodules of an archive and of the eager model side by side.

    path: the archive. cases: number of cases. layers: in the order in which eager completes them, inner ones
    before those that call them. outputs: of the model. runs: calls of one program, one after another.
    unseen: submodules that were not looked at, and why. note: about the model as a whole.
    inputs: what the first one that differs was given: "agree", "differ", or "" where that is not known.
    """

    path: str
    cases: int
    layers: tuple[Layer, ...]
    outputs: tuple[Layer, ...]
    runs: tuple[Run, ...]
    unseen: dict[str, str]
    note: str = ""
    inputs: str = ""

    @property
    def passed(self) -> bool:
        """Whether every submodule, output and run is within its tolerance."""
        return self.first is None and not self._differing_outputs and self._differing_run is None

    @property
    def first(self) -> Layer | None:
        """The first submodule that differs."""
        return next((layer for layer in self.layers if layer.differs), None)

    @property
    def summary(self) -> str:
        """One sentence: the first difference, and what becomes of it."""
        first, outputs, run = self.first, self._differing_outputs, self._differing_run
        if first is not None:
            text = f"first difference: {first.title} ({first.kind}), {_where(first, self.cases)}"
            return f"{text}{self._origin(first)}; {self._downstream()}"
        if outputs:
            named = ", ".join(f"output '{one.name}' differs, {_where(one, self.cases)}" for one in outputs)
            return f"no submodule that was compared differs, but {named}" if self.layers else named
        if run is not None:
            than = "eager" if not run.from_eager.within else "its first run"
            return f"{run.way}: run {run.run} differs from {than} at {run.where}: {_worse(run).reason}"
        compared = sum(layer.difference is not None for layer in self.layers)
        exact = all(one is None or one.bit_equal for one in self._differences())
        what = f"{compared} call{'' if compared == 1 else 's'} of submodules, the outputs and all runs"
        return f"agrees: {what} are {'bit-equal' if exact else 'within the tolerance'}"

    def raise_for_failure(self) -> None:
        """Raise ParityError if anything differs beyond its tolerance."""
        if not self.passed:
            raise ParityError(
                f"{self.path}: {self.summary}; mend the model or export it again, or widen `tolerances` in "
                "the recipe if this is as it should be"
            )

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        first = self.first
        summary = {
            "passed": self.passed,
            "first": None if first is None else {"name": first.name, "call": first.call},
            "summary": self.summary,
        }
        return {**asdict(self), **summary}

    def to_json(self) -> str:
        """The same as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2, sort_keys=True)

    def __str__(self) -> str:
        return table(self)

    @property
    def _differing_outputs(self) -> list[Layer]:
        return [one for one in self.outputs if one.differs]

    @property
    def _differing_run(self) -> Run | None:
        return next((one for one in self.runs if not _worse(one).within), None)

    def _origin(self, first: Layer) -> str:
        if self.inputs == "agree":
            return ", given the same inputs"
        if self.inputs != "differ":
            return ""
        earlier = [layer for layer in self.layers[: self.layers.index(first)] if layer.difference is not None]
        after = f"after {earlier[-1].title}" if earlier else "before it"
        return f", whose inputs differ already, by what is computed {after}"

    def _downstream(self) -> str:
        if not self._differing_outputs:
            return "the outputs are within the tolerance"
        return ", ".join(f"{_size(one)} at output '{one.name}'" for one in self._differing_outputs)

    def _differences(self) -> Iterable[Difference | None]:
        yield from (one.difference for one in (*self.layers, *self.outputs))
        for run in self.runs:
            yield from (run.from_eager, run.from_first)


def _worse(run: Run) -> Difference:
    return run.from_first if run.from_eager.within else run.from_eager


def _where(layer: Layer, cases: int) -> str:
    run = f", run {layer.run}" if layer.run > 1 else ""
    return f"{_size(layer)} in case {layer.case}{run}" if cases > 1 or run else _size(layer)


def _size(layer: Layer) -> str:
    """ "3.2e-3 absolute", or what is wrong where no number says it."""
    difference = layer.difference
    if difference is None:
        return layer.note
    return f"{difference.max_abs:.2g} absolute" if difference.max_abs > 0 else difference.reason

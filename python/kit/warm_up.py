"""What it took to warm a model up."""

from __future__ import annotations

from dataclasses import dataclass

from kit.binding import native


@dataclass(frozen=True)
class WarmUp:
    """A model was called with inputs of some sizes until nothing more was compiled.

    sizes: the sizes of the dims in what it was called with; empty ones for a model whose sizes are fixed.
    calls: in all. compilations: graphs that were compiled. milliseconds: in all.
    settled: whether for each of the sizes the last two calls compiled nothing and changed nothing.
    """

    sizes: tuple[dict[str, int], ...]
    calls: int
    compilations: int
    milliseconds: float
    settled: bool
    text: str

    def __str__(self) -> str:
        return self.text

    @staticmethod
    def of(one: native.WarmUp) -> WarmUp:
        """The C++ value as a Python one."""
        return WarmUp(tuple(one.sizes), one.calls, one.compilations, one.milliseconds, one.settled, str(one))

"""How a TorchScript program is run: fusion, executor, freezing, threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from kit.errors import UsageError
from kit.fields import Fault

EXECUTORS = ("profiling", "simple")
_MOST_THREADS = 1024
"""Beyond the cores of any host, and before what a process has memory for: each thread has a stack."""
_RANGES = {
    "threads": (1, _MOST_THREADS),
    "interop_threads": (1, _MOST_THREADS),
    "static_depth": (0, (1 << 31) - 1),
    "dynamic_depth": (0, (1 << 31) - 1),
}


@dataclass(frozen=True)
class Configuration:
    """How the TorchScript engine runs a model. What is None follows what the archive recommends, then the
    default. Each model has its own: models of one process do not disturb each other.

    fusion: whether chains of pointwise operations become one kernel; by default on CUDA, and not on the CPU,
        where a libtorch without LLVM interprets such kernels: exactly and very slowly, good for tests alone.
    executor: "profiling", the default, watches the first call of each size and compiles for what it saw;
        "simple" interprets the graph as it is, and fuses nothing.
    freeze: whether weights become constants and are folded; False by default.
    tf32: whether cuDNN may round the float32 inputs of convolutions and recurrent layers to the ten bits of
        TF32, in TorchScript and aoti programs on CUDA. Torch's default is that it may, for speed; here it is
        off, so that a GPU computes what the model gave on a CPU.
    threads: within an operation, 1 or more; by default as the process has. A native program divides the rows
        of large calls among so many, where they do not depend on one another; by default it runs in one.
    interop_threads: between operations, 1 or more; a process can set it once.
    static_depth: for how many sizes a fused kernel of its own is compiled; 2 by default.
    dynamic_depth: how often one for varying sizes is compiled after that; 10 by default.
    """

    fusion: bool | None = None
    executor: str | None = None
    freeze: bool | None = None
    tf32: bool | None = None
    threads: int | None = None
    interop_threads: int | None = None
    static_depth: int | None = None
    dynamic_depth: int | None = None

    def __post_init__(self) -> None:
        for name in ("fusion", "freeze", "tf32"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, bool):
                raise UsageError(f"{name} is {value!r}; give True or False")
        if self.executor is not None and self.executor not in EXECUTORS:
            raise UsageError(f"there is no executor {self.executor!r}; give 'profiling' or 'simple'")
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            number = isinstance(value, int) and not isinstance(value, bool)
            if value is not None and not (number and least <= value <= most):
                wanted = f"{most} or less" if number and value > most else f"{least} or more"
                raise UsageError(f"{name} is {value!r}; give a whole number, {wanted}")
        if self.fusion and self.executor == "simple":
            raise UsageError("the simple executor fuses nothing; leave fusion off, or give the profiling one")

    def to_dict(self) -> dict[str, Any]:
        """What is set."""
        known = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in known.items() if value is not None}

    def __str__(self) -> str:
        """ "fusion off, profiling executor, not frozen, 1 thread": what is set, in words; as C++ has it."""
        clauses = []
        if self.fusion is not None:
            clauses.append("fusion on" if self.fusion else "fusion off")
        if self.executor is not None:
            clauses.append(f"{self.executor} executor")
        if self.freeze is not None:
            clauses.append("frozen" if self.freeze else "not frozen")
        if self.tf32 is not None:
            clauses.append("TF32 on" if self.tf32 else "TF32 off")
        if self.fusion is not False:
            depths = (("static depth", self.static_depth), ("dynamic depth", self.dynamic_depth))
            clauses += [f"{what} {depth}" for what, depth in depths if depth is not None]
        for count, what in ((self.threads, "thread"), (self.interop_threads, "inter-op thread")):
            if count is not None:
                clauses.append(f"{count} {what}{'' if count == 1 else 's'}")
        return ", ".join(clauses)

    @staticmethod
    def parse(root: Mapping[str, Any]) -> Configuration:
        """The `configuration` of a manifest; what it has beyond the fields known here is ignored. Raises
        Fault."""
        known = root.get("configuration", {})
        if not isinstance(known, dict):
            raise Fault("'configuration' is no object")
        names = {one.name for one in fields(Configuration)}
        for name, value in known.items():
            if name in names and value is None:
                raise Fault(f"'{name}' of the configuration is null")
        try:
            return Configuration(**{name: value for name, value in known.items() if name in names})
        except UsageError as error:
            raise Fault(f"its configuration is wrong: {error}") from None


DEFAULTS = Configuration()

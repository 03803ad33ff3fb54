"""What the GPU benchmark found, as data: what the table and the JSON are written from."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.gpu.samples import Spread

# The fused chain reads x, m1 and m2 and writes the result. Unfused, the product and the sum read two matrices
# and write one each, and relu reads one and writes one.
FUSED_TENSORS, UNFUSED_TENSORS = 4, 8


@dataclass(frozen=True)
class Way:
    """One way to do the work.

    seconds: for a call. kernels: launched by a call; on the CPU, operations. None if the profiler did not see
    them.
    """

    name: str
    configuration: str
    seconds: Spread
    kernels: int | None


@dataclass(frozen=True)
class Pointwise:
    """The chain relu(x · m1 + m2) on matrices of one size, and a copy that moves what the fused chain moves.

    tensor_bytes: of one matrix. share: bytes per second that the fused chain moves, over those of the copy.
    speedup: time of the unfused chain over that of the fused one.
    """

    rows: int
    columns: int
    dtype: str
    tensor_bytes: int
    copy: Way
    fused: Way
    unfused: Way
    eager: Way
    share: Spread
    speedup: Spread

    @property
    def title(self) -> str:
        return f"{self.rows}×{self.columns} {self.dtype}"

    @property
    def ways(self) -> tuple[Way, ...]:
        return self.copy, self.fused, self.unfused, self.eager

    @property
    def tensors(self) -> tuple[int, ...]:
        """How many matrices each of the ways must read and write."""
        return FUSED_TENSORS, FUSED_TENSORS, UNFUSED_TENSORS, UNFUSED_TENSORS


@dataclass(frozen=True)
class Mlp:
    """The MLP of examples/mlp at one batch size.

    graph: None where there are no CUDA graphs. speedup: time of TorchScript in Python over that of the graph.
    """

    batch: int
    kit: Way
    torchscript: Way
    graph: Way | None
    speedup: Spread | None

    @property
    def title(self) -> str:
        return f"batch {self.batch}"

    @property
    def ways(self) -> tuple[Way, ...]:
        return tuple(way for way in (self.kit, self.torchscript, self.graph) if way is not None)


@dataclass(frozen=True)
class Compiled:
    """A model on one size of inputs, by TorchScript and by AOTInductor, both in kit's C++ engine.

    title: the model and the inputs. speedup: time of TorchScript over that of the aoti program.
    """

    title: str
    torchscript: Way
    aoti: Way
    speedup: Spread

    @property
    def ways(self) -> tuple[Way, ...]:
        return self.torchscript, self.aoti


@dataclass(frozen=True)
class Method:
    """How it was measured: rounds, and calls in a round."""

    rounds: int
    calls: int


@dataclass(frozen=True)
class TestRun:
    """What a test runner counted. unfinished: under way when the run was stopped; others never began."""

    __test__ = False  # the name is no reason for pytest to collect it

    runner: str
    passed: int
    failed: int
    skipped: int
    unfinished: int = 0


@dataclass(frozen=True)
class Results:
    """A whole run. date: UTC, ISO 8601. machine: names and versions. tests: empty if none were run."""

    date: str
    device: str
    machine: dict[str, str]
    method: Method
    pointwise: tuple[Pointwise, ...]
    mlp: tuple[Mlp, ...]
    compiled: tuple[Compiled, ...] = ()
    tests: tuple[TestRun, ...] = ()

"""The MLP of examples/mlp, with and without CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from examples.mlp.recipe import Mlp as Module
from torch import Tensor

import kit
from tests.bench.gpu import results
from tests.bench.gpu.contest import Contestant, Timer, check_same, measure
from tests.bench.gpu.kernels import way
from tests.bench.gpu.results import Method
from tests.bench.gpu.samples import ratios
from tests.bench.gpu.words import words

WARM_UP = 50
TOLERANCE = 1e-4


def recipe() -> kit.Recipe:
    """With weights as initialised: they do not change what a call takes."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(20)
        model = Module()
        x = torch.randn(4, 3)
    return kit.Recipe(model, args=x, name="mlp", dynamic={"x": {0: kit.Dim("batch", 1, 4096)}}, cases=2)


def captured(program: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[], Tensor]:
    """A call that replays the kernels of `program` on `x`.

    In the graph are all kernels of the program for this size. Before it comes a copy of `x` into the memory
    that the graph reads, as every new input needs one. The output is the graph's own memory, which the next
    replay writes again.
    """
    given = x.clone()
    side = torch.cuda.Stream(x.device)
    side.wait_stream(torch.cuda.current_stream(x.device))
    # Nothing may be compiled, and no handle be made, while a stream is captured.
    with torch.cuda.stream(side), torch.no_grad():
        for _ in range(WARM_UP):
            program(given)
    torch.cuda.current_stream(x.device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), torch.no_grad():
        output = program(given)

    def replay() -> Tensor:
        given.copy_(x)
        graph.replay()
        return output

    return replay


def run(archive: Path, batch: int, device: torch.device, timer: Timer, how: Method) -> results.Mlp:
    """Measures one batch size: from the call to the result. Raises ParityError if the ways do not compute
    the same."""
    x = torch.randn(batch, 3, generator=torch.Generator().manual_seed(batch)).to(device)
    model = kit.load(archive, device=str(device))
    # One for each: a program that has compiled for one size runs otherwise in another.
    program, in_graph = (torch.jit.load(archive, map_location=device).eval() for _ in range(2))

    def torchscript() -> Tensor:
        with torch.no_grad():
            return program(x)

    kit_itself = Contestant("kit, C++ engine", lambda: model(x), words(model.configuration))
    in_python = Contestant("TorchScript in Python", torchscript, "torch's defaults")
    contestants = [kit_itself, in_python]
    graph = None
    if device.type == "cuda":
        replay = captured(in_graph, x)
        graph = Contestant("TorchScript in a CUDA graph", replay, "torch's defaults, captured")
        contestants.append(graph)
    expected = torchscript()
    for one in contestants:
        actual = one.call()
        assert isinstance(actual, Tensor)
        what = f"{one.name} does not compute what TorchScript in Python does"
        check_same(what, actual, expected, TOLERANCE)
    measure(contestants, timer, how.rounds, how.calls, WARM_UP)
    return results.Mlp(
        batch,
        kit=way(kit_itself, device),
        torchscript=way(in_python, device),
        graph=way(graph, device) if graph is not None else None,
        speedup=ratios(in_python.seconds, graph.seconds) if graph is not None else None,
    )

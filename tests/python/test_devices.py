"""A program makes its tensors where its inputs are. The meta device stands for another than the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.programs.devices import follow_inputs

X = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
BATCH = {"x": {0: kit.Dim("batch", 1, 64)}}


class Positions(nn.Module):
    """Adds to each row its number."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.arange(x.size(0), device=x.device)[:, None]


class Table(nn.Module):
    """Takes a number of rows and no tensor: only its parameter says where it is."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 1)

    def forward(self, rows: int) -> Tensor:
        return torch.ones(rows, 3, device=self.inner.weight.device) * self.inner.weight


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.positions = Positions()
        self.table = Table()

    def forward(self, x: Tensor) -> Tensor:
        mask = torch.zeros(x.shape[0], 1, device=x.device, dtype=torch.bool)
        return self.positions(x).masked_fill(mask, 0) + self.table(x.shape[0]).to(x.device)


def device_constants(program: Any) -> Iterator[str]:
    """The devices that are constants of a program, in all of its methods."""
    for part in program.modules():
        for name in part._c._method_names():
            for node in part._c._get_method(name).graph.findAllNodes("prim::Constant"):
                if node.output().type().kind() == "DeviceObjType":
                    yield f"{node.output().toIValue()} in {part.original_name}.{name}"


def seeded() -> Net:
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("devices") / "model.pt"
    kit.export(seeded(), X, path, dynamic=BATCH)
    return path


def test_a_trace_alone_keeps_the_device() -> None:
    program = torch.jit.trace(seeded(), X, check_trace=False)
    assert {one.partition(" in ")[2] for one in device_constants(program)} == {
        "Net.forward",
        "Positions.forward",
        "Table.forward",
    }


def test_no_device_is_left_in_the_program(path: Path) -> None:
    assert list(device_constants(torch.jit.load(path))) == []


def test_it_computes_what_it_did(path: Path) -> None:
    with torch.no_grad():
        for x in (X, X[:1], torch.randn(40, 3)):
            assert torch.equal(kit.load(path)(x), seeded()(x))


def test_it_runs_where_it_is_loaded(path: Path) -> None:
    program = torch.jit.load(path, map_location="meta")
    result = program(torch.empty(5, 3, device="meta"))
    assert (result.device.type, result.shape) == ("meta", (5, 3))


def test_several_methods_follow_too(tmp_path: Path) -> None:
    class Both(Net):
        def numbered(self, x: Tensor) -> Tensor:
            return self.positions(x)

    model = Both()
    methods = {"numbered": kit.Method(X, dynamic=BATCH)}
    path = tmp_path / "model.pt"
    kit.export(model, X, path, dynamic=BATCH, methods=methods)
    program = torch.jit.load(path, map_location="meta")
    assert list(device_constants(program)) == []
    x = torch.empty(4, 3, device="meta")
    assert {program(x).device.type, program.numbered(x).device.type} == {"meta"}


def traced(function: Any, *args: Tensor) -> Any:
    class Module(nn.Module):
        def forward(self, *tensors: Tensor) -> Any:
            return function(*tensors)

    return torch.jit.trace(Module(), args, check_trace=False)


def test_another_device_than_that_of_the_trace_stays() -> None:
    program = traced(lambda x: x + torch.ones(2, device="cpu"), X[:, :2])
    follow_inputs(program, torch.device("cuda:0"))
    assert list(device_constants(program)) == ["cpu in Module.forward"]
    follow_inputs(program, torch.device("cpu"))
    assert list(device_constants(program)) == []


def test_a_number_says_nothing_of_a_device() -> None:
    class Module(nn.Module):
        def forward(self, count: Tensor, x: Tensor) -> Tensor:
            return torch.arange(0, count, device=x.device) + x  # type: ignore[call-overload]

    program = torch.jit.trace(Module(), (torch.tensor(3), X[0]), check_trace=False)
    follow_inputs(program, torch.device("cpu"))
    (node,) = program.graph.findAllNodes("prim::device")
    assert next(node.inputs()).debugName() == "x"


def test_without_tensors_the_constant_stays() -> None:
    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ones = Ones()

        def forward(self, x: Tensor) -> Tensor:
            return x + self.ones()

    class Ones(nn.Module):
        def forward(self) -> Tensor:
            return torch.ones(3, device="cpu")

    program = torch.jit.trace(Module(), X, check_trace=False)
    follow_inputs(program, torch.device("cpu"))
    assert list(device_constants(program)) == ["cpu in Ones.forward"]
    assert torch.equal(program(X), X + 1)

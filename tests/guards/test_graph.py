"""Which value another is a view of: by what operations say, and by dtype, device and strides. And what of a
graph can run."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kit.guards.graph import all_nodes, base, mutates, what_runs

TYPED = "Float(4, 3, strides=[3, 1], device=cpu)"
COLUMNS = "Float(4, 3, strides=[1, 4], device=cpu)"
HALVES = "Half(4, 3, strides=[3, 1], device=cpu)"
FLAT = "Float(12, strides=[1], device=cpu)"


def is_view(taken: str, operation: str, given: str, surely: bool = False) -> bool:
    """Whether what an operation makes of an input x has that as its base; else it must be its own."""
    graph = torch._C.parse_ir(f"""
        graph(%x : {taken}):
          %no : bool = prim::Constant[value=0]()
          %yes : bool = prim::Constant[value=1]()
          %none : NoneType = prim::Constant()
          %half : int = prim::Constant[value=5]()
          %zero : int = prim::Constant[value=0]()
          %all : int = prim::Constant[value=-1]()
          %shape : int[] = prim::ListConstruct(%all)
          %y : {given} = {operation}
          return (%y)
    """)
    x, y = next(iter(graph.inputs())), next(iter(graph.outputs()))
    found = base(y, surely).unique()
    assert found in (x.unique(), y.unique())
    return bool(found == x.unique())


@pytest.mark.parametrize(
    ("taken", "operation", "given"),
    [
        (TYPED, "aten::to(%x, %half, %no, %no, %none)", TYPED),
        (TYPED, "aten::contiguous(%x, %zero)", TYPED),
        (TYPED, "aten::reshape(%x, %shape)", FLAT),
        (TYPED, "aten::numpy_T(%x)", COLUMNS),
        (TYPED, "aten::view(%x, %half)", HALVES),
        ("Tensor", "aten::to(%x, %half, %no, %no, %none)", "Tensor"),
    ],
)
def test_a_view_has_a_base(taken: str, operation: str, given: str) -> None:
    assert is_view(taken, operation, given)


@pytest.mark.parametrize(
    ("taken", "operation", "given"),
    [
        (TYPED, "aten::to(%x, %half, %no, %no, %none)", HALVES),
        (TYPED, "aten::to(%x, %half, %no, %yes, %none)", TYPED),
        (COLUMNS, "aten::contiguous(%x, %zero)", TYPED),
        (COLUMNS, "aten::reshape(%x, %shape)", FLAT),
        (TYPED, "aten::relu(%x)", TYPED),
    ],
)
def test_a_copy_has_none(taken: str, operation: str, given: str) -> None:
    assert not is_view(taken, operation, given)


def test_a_graph_that_does_not_tell_leaves_it_open() -> None:
    assert not is_view("Tensor", "aten::contiguous(%x, %zero)", "Tensor", surely=True)
    assert is_view("Tensor", "aten::numpy_T(%x)", "Tensor", surely=True)


@pytest.mark.parametrize("sizes", [(12,), (3, 4), (2, 6), (6, 2), (1, 12, 1), (3, 2, 2), (2, 2, 3)])
@pytest.mark.parametrize(
    "tensor",
    [
        torch.empty(3, 4),
        torch.empty(4, 3).mT,
        torch.empty(3, 1, 4).permute(2, 1, 0),
        torch.empty(2, 3, 2).permute(1, 0, 2),
        torch.empty(3, 8)[:, ::2],
        torch.empty(3, 1).expand(3, 4),
    ],
)
def test_torch_agrees_on_what_may_be_a_view(tensor: torch.Tensor, sizes: tuple[int, ...]) -> None:
    shown = f"Float({', '.join(map(str, tensor.shape))}, strides={list(tensor.stride())}, device=cpu)"
    new = tensor.reshape(sizes)
    given = f"Float({', '.join(map(str, sizes))}, strides={list(new.stride())}, device=cpu)"
    same = new.untyped_storage().data_ptr() == tensor.untyped_storage().data_ptr()
    assert is_view(shown, "aten::reshape(%x, %shape)", given) == same


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("aten::add_", True), ("aten::__iand__", True), ("aten::__and__", False), ("aten::append", False)],
)
def test_operations_in_place_are_told_by_their_schema(kind: str, expected: bool) -> None:
    assert mutates(kind) is expected


def test_what_is_never_taken_does_not_run() -> None:
    graph = torch._C.parse_ir("""
        graph(%x : Tensor, %scale : float, %in_place : bool):
          %limit : float = prim::Constant[value=2.]()
          %x1 : Tensor = prim::If(%in_place)
            block0():
              %y : Tensor = aten::relu_(%x)
              -> (%y)
            block1():
              %z : Tensor = aten::relu(%x)
              -> (%z)
          %large : bool = aten::gt(%scale, %limit)
          %x2 : Tensor = prim::If(%large)
            block0():
              %a : Tensor = aten::neg(%x1)
              -> (%a)
            block1():
              -> (%x1)
          return (%x2)
    """)
    before = str(graph)
    assert [node.kind() for node in what_runs(graph, [3.0, False]).nodes()] == ["aten::relu", "aten::neg"]
    assert [node.kind() for node in what_runs(graph, [2.0, True]).nodes()] == ["aten::relu_"]
    some = what_runs(graph, [False])
    assert [value.debugName() for value in some.inputs()] == ["x", "scale"]
    assert some.findNode("prim::If") is not None
    assert str(graph) == before


def test_what_runs_is_the_same_each_time() -> None:
    layer = torch.jit.script(nn.TransformerEncoderLayer(3, 1, 4, batch_first=True).eval())
    found = {
        tuple(node.kind() for node in all_nodes(what_runs(layer.inlined_graph, [None, None, False])))
        for _ in range(100)
    }
    assert len(found) == 1

"""Whether all or any bytes are set is said in bytes by compiled programs, as it is by the eager model."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

import kit
from kit.programs.bytes_as_truth import bytes_as_truth


class Truths(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {
            "all": x.all(),
            "any": x.any(),
            "all_along": x.all(dim=1, keepdim=True),
            "any_along": x.any(dim=1, keepdim=True),
            "all_along_both": torch.all(x, (0, 1)),
            "any_along_both": torch.any(x, (0, 1)),
            "computed": x.any(dim=1) * 200 + x.any(dim=1) * 100,
            "of_truth_values": (x > 1).any(dim=1),
        }


def bytes_to_try() -> Tensor:
    return torch.tensor([[0, 2, 0], [4, 1, 255], [0, 0, 0]], dtype=torch.uint8)


def test_programs_give_bytes(tmp_path: Path) -> None:
    x, path = bytes_to_try(), tmp_path / "model.pt"
    kit.export(
        Truths(), args=(x,), path=path, dynamic={"x": {0: kit.Dim("n", 1, 9)}}, programs=("native", "aoti")
    )
    for engine in ("native", "aoti"):
        given = kit.load(path, engine=engine)(x)
        for name, wanted in Truths()(x).items():
            assert given[name].dtype == wanted.dtype, f"{name} of {engine}"
            assert torch.equal(given[name], wanted), f"{name} of {engine}"


def is_asked(node: torch.fx.Node) -> bool:
    return str(node.target) in ("aten.any.dim", "aten.all.dim")


def test_operations_are_given_truth_values_also_in_branches() -> None:
    class Branch(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = torch.cond(x.sum() > 0, lambda x: x.any(dim=1), lambda x: x.all(dim=1), (x,))
            return found

    program = torch.export.export(Branch(), (bytes_to_try(),))
    bytes_as_truth(program)
    graphs = [one.graph for one in program.graph_module.modules() if isinstance(one, torch.fx.GraphModule)]
    operations = [node for graph in graphs for node in graph.nodes if is_asked(node)]
    assert [node.args[0].meta["val"].dtype for node in operations] == [torch.bool] * 2
    for x in (bytes_to_try(), torch.zeros(3, 3, dtype=torch.uint8)):
        assert torch.equal(program.module()(x), Branch()(x))


def test_other_dtypes_are_left_alone() -> None:
    class Integers(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.any(dim=1)

    program = torch.export.export(Integers(), (bytes_to_try().long(),))
    before = str(program.graph)
    bytes_as_truth(program)
    assert str(program.graph) == before

"""Matrix products are computed in blocks that fit them, whatever the machine that compiles them."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._inductor import select_algorithm
from torch._inductor.codegen.cpp_micro_gemm import micro_gemm_configs

from kit.programs.generated import generate
from kit.programs.products import single_columns_as_sums


def widths(model: nn.Module, features: int, target: str) -> list[int]:
    """How many columns a block of each product of the model has."""
    example = torch.zeros(4, features)
    batch = torch.export.Dim("batch", min=1, max=4096)
    program = torch.export.export(model.eval(), (example,), dynamic_shapes=({0: batch},), strict=False)
    return [int(one) for one in re.findall(r"Nr = (\d+);", generate(program, [example], target).kernels)]


@pytest.mark.parametrize(
    ("target", "expected"), [("x86-64-v3", [8, 16, 16, 24, 8]), ("x86-64-v4", [16, 16, 32, 48, 16])]
)
def test_a_block_has_few_columns_too_many(target: str, expected: list[int]) -> None:
    sizes = [3, 8, 16, 32, 48, 2]
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    assert widths(nn.Sequential(*layers), sizes[0], target) == expected


@pytest.mark.parametrize(("depth", "height"), [(16, "4"), (128, "6")])
def test_rows_are_divided_evenly_among_blocks(depth: int, height: str) -> None:
    program = torch.export.export(nn.Linear(depth, 32), (torch.zeros(32, depth),), strict=False)
    kernels = generate(program, [torch.zeros(32, depth)], "x86-64-v3").kernels
    assert re.findall(r"Mr = (\d+);", kernels) == [height]
    assert "block_m = height + (block < higher);" in kernels
    assert "std::min<int64_t>(M - m" not in kernels


def test_a_sum_of_products_is_two_products() -> None:
    class Sum(nn.Module):
        def forward(self, x: Tensor, y: Tensor, v: Tensor, w: Tensor) -> Tensor:
            return x @ v + y @ w

    example = [torch.zeros(4, 32), torch.zeros(4, 32), torch.zeros(32, 16), torch.zeros(32, 16)]
    code = generate(torch.export.export(Sum(), tuple(example), strict=False), example, "x86-64-v3")
    assert not code.left_out
    assert "aoti_torch__mm_plus_mm_out" not in code.functions


def products(module: torch.fx.GraphModule) -> int:
    """How many products are in the graph."""
    targets = (torch.ops.aten.linear.default, torch.ops.aten.mm.default, torch.ops.aten.addmm.default)
    return sum(node.target in targets for node in module.graph.nodes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("model", "left"),
    [
        (lambda x, w: nn.functional.linear(x, w[:1]), 0),
        (lambda x, w: nn.functional.linear(x, w[:1], w[0, :1]), 0),
        (lambda x, w: nn.functional.linear(x[0], w[:1], w[0, :1]), 0),
        (lambda x, w: torch.mm(x, w[:, :1]), 0),
        (lambda x, w: torch.addmm(w[0, :1], x, w[:, :1]), 0),
        (lambda x, w: torch.addmm(w[0, :1], x, w[:, :1], alpha=2), 1),
        (lambda x, w: nn.functional.linear(x, w) + torch.mm(x, w[:, :1]), 1),
    ],
)
def test_one_column_is_a_sum(
    model: Callable[[Tensor, Tensor], Tensor], left: int, dtype: torch.dtype
) -> None:
    class Module(nn.Module):
        def forward(self, x: Tensor, w: Tensor) -> Tensor:
            return model(x, w)

    x, w = torch.randn(5, 4, dtype=dtype), torch.randn(4, 4, dtype=dtype)
    module = torch.export.export(Module(), (x, w), strict=False).module()
    assert products(module) >= 1
    single_columns_as_sums(module)
    assert products(module) == left
    torch.testing.assert_close(module(x, w), model(x, w))


def test_a_column_of_16_bits_stays_a_product() -> None:
    program = torch.export.export(nn.Linear(4, 1).half(), (torch.zeros(5, 4).half(),), strict=False)
    module = program.module()
    single_columns_as_sums(module)
    assert products(module) == 1


def test_all_is_as_before() -> None:
    def state() -> list[Any]:
        cache = select_algorithm.get_algorithm_selector_cache()
        configs = {kind: list(known) for kind, known in micro_gemm_configs.items()}
        templates = [kind.__dict__.get("TEMPLATE_ENTRY") for kind in micro_gemm_configs]
        return [torch.cpu.get_capabilities, list(cache.preprocessing_fns), configs, templates]

    before = state()
    widths(nn.Linear(3, 8), 3, "x86-64-v3")
    assert state() == before


def test_the_caches_of_this_machine_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def kernels() -> str:
        program = torch.export.export(nn.Linear(256, 256), (torch.zeros(512, 256),), strict=False)
        return generate(program, [torch.zeros(512, 256)], "x86-64-v3").kernels

    here = kernels()
    known = {**torch.cpu.get_capabilities(), "l1d_cache_size": 1 << 12, "l2_cache_size": 1 << 14}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    assert kernels() == here

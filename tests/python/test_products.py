"""Matrix products are computed in blocks that fit them, whatever the machine that compiles them."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn
from torch._inductor import select_algorithm
from torch._inductor.codegen.cpp_micro_gemm import micro_gemm_configs

from kit.programs.generated import generate


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
    sizes = [3, 8, 16, 32, 48, 1]
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    assert widths(nn.Sequential(*layers), sizes[0], target) == expected


def test_all_is_as_before() -> None:
    def state() -> list[Any]:
        cache = select_algorithm.get_algorithm_selector_cache()
        configs = {kind: list(known) for kind, known in micro_gemm_configs.items()}
        return [torch.cpu.get_capabilities, list(cache.preprocessing_fns), configs]

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

"""Which sizes are tried: the telling ones first, as far as they are affordable."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.eager import Eager
from kit.recipe import Recipe
from kit.shapes import infer_signature
from kit.signature import Dim, Signature, TensorSpec
from kit.sizes import Budget, budget_of, case_sizes, large_sizes, rungs_of

FREE = Budget({}, 0)


def of(*dims: Dim, dtype: str = "int8", columns: int = 1) -> Signature:
    spec = TensorSpec("x", dtype, (*(dim.name for dim in dims), columns))
    return Signature((spec,), (), dims)


@pytest.mark.parametrize(
    ("least", "most", "sizes"),
    [
        (0, 4096, [0, 1, 2, 4096, 64, 3, 5]),
        (1, 4, [1, 2, 4, 3, 1, 2, 4]),
        (7, 7, [7] * 7),
        (30, 4096, [30, 4096, 350, 34, 55, 30, 4096]),
        (1000, 1004, [1000, 1004, 1001, 1002, 1003, 1000, 1004]),
    ],
)
def test_the_bounds_come_early_and_no_size_is_outside(least: int, most: int, sizes: list[int]) -> None:
    assert [at["n"] for at in case_sizes(of(Dim("n", least, most)), 7, FREE)] == sizes


def test_a_dim_without_an_upper_bound_is_tried_at_a_moderate_one() -> None:
    assert rungs_of(Dim("n", 1))[:5] == [1, 2, 4096, 64, 3]
    assert rungs_of(Dim("n", 5000))[:2] == [5000, 5001]


def test_two_dims_do_not_go_in_step() -> None:
    tried = case_sizes(of(Dim("n", 1, 64), Dim("m", 1, 64)), 6, FREE)
    assert sum(sizes["n"] != sizes["m"] for sizes in tried) == 6


def test_a_case_is_not_larger_than_a_megabyte() -> None:
    signature = of(Dim("n"), Dim("m"), dtype="float32", columns=256)
    tried = case_sizes(signature, 20, FREE)
    assert all(sizes["n"] * sizes["m"] * 256 * 4 <= 1 << 20 for sizes in tried)
    assert max(sizes["n"] for sizes in tried) > 1


def test_a_model_that_computes_much_gets_small_cases() -> None:
    signature = of(Dim("n", 1, 4096))
    costly = Budget({"n": 10}, 10**9)
    assert costly.affords(signature, {"n": 31})
    assert not costly.affords(signature, {"n": 32})
    assert [sizes["n"] for sizes in case_sizes(signature, 6, costly)] == [1, 2, 21, 21, 3, 5]
    hopeless = Budget({"n": 1}, 10**12)
    assert {sizes["n"] for sizes in case_sizes(signature, 6, hopeless)} == {1}


def test_work_is_counted_and_not_timed() -> None:
    recipe = Recipe(nn.Linear(16, 8), torch.ones(5, 16), dynamic={"input": {0: Dim("n", 1, 64)}})
    with torch.no_grad():
        eager = Eager(recipe)
        budget = budget_of(eager, infer_signature(eager, recipe))
    assert budget == Budget({"n": 5}, 2 * 5 * 16 * 8)


@pytest.mark.parametrize(
    ("dims", "budget", "sizes"),
    [
        ([Dim("n", 1, 4096)], FREE, {"n": 4096}),
        ([Dim("n", 0, 1), Dim("m", 0)], FREE, {"n": 1, "m": 4096}),
        # 1 MiB of bytes
        ([Dim("n", 1, 65536), Dim("m", 1, 65536)], FREE, {"n": 1024, "m": 1023}),
        ([Dim("n", 600, 65536), Dim("m", 1, 65536)], FREE, {"n": 1024, "m": 1023}),
        ([Dim("n", 1, 4096)], Budget({"n": 10}, 10**9), {"n": 16}),
        ([Dim("n", 3000, 4096)], Budget({"n": 10}, 10**9), {"n": 4096}),
        ([Dim("n", 7, 7)], FREE, {"n": 7}),
        ([Dim("n", 7, 8)], FREE, {"n": 8}),
        ([], Budget({}, 10**12), {}),
    ],
)
def test_large_sizes(dims: list[Dim], budget: Budget, sizes: dict[str, int]) -> None:
    assert large_sizes(of(*dims), budget) == sizes


def test_large_sizes_are_unlike_what_is_fixed() -> None:
    assert large_sizes(of(Dim("n", 1, 64), Dim("m", 1, 64), columns=64), FREE) == {"n": 63, "m": 62}


def test_an_empty_batch_is_tried_where_it_is_allowed(tmp_path: Path) -> None:
    archive = kit.export(
        nn.Linear(3, 2),
        torch.ones(4, 3),
        tmp_path / "model.pt",
        dynamic={"input": {0: kit.Dim("n", 0, 16)}},
    )
    assert any(inputs[0].shape == (0, 3) for inputs, _ in archive.cases())
    assert kit.load(archive.path)(torch.ones(0, 3)).shape == (0, 2)


def test_the_manifest_says_which_sizes_were_tried(tmp_path: Path) -> None:
    def model(x: Tensor) -> Tensor:
        return x * 2

    x = torch.ones(7, 3)
    dynamic = {"x": {0: kit.Dim("n", 1, 64)}}
    archive = kit.export(model, x, tmp_path / "model.pt", dynamic=dynamic, cases=3)
    assert archive.manifest is not None
    assert {inputs[0].shape[0] for inputs, _ in archive.cases()} == {7, 1, 2}
    assert archive.manifest.method("forward").tried == {"n": (1, 2, 3, 7, 8, 64)}
    archive = kit.export(model, x, tmp_path / "model.pt", dynamic=dynamic, cases=[x, x[:4]])
    assert archive.manifest is not None
    assert archive.manifest.method("forward").tried == {"n": (4, 7)}

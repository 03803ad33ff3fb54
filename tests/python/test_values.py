"""Values that resemble an example, and extremes."""

from __future__ import annotations

import pytest
import torch

from kit.signature import TensorSpec
from kit.values import VARIANTS, random_like, variant


def test_values_resemble_the_example() -> None:
    examples = [
        torch.randn(1000, generator=torch.Generator().manual_seed(0)) * 3 + 100,
        torch.tensor([3, 9, 5]),
        torch.tensor([True, True, True, False]),
        torch.zeros(2, 2),
        torch.tensor([torch.nan, torch.inf, 2.0, 4.0], dtype=torch.float16),
        torch.empty(0, dtype=torch.uint8),
        torch.tensor([2**63 - 1]),
        torch.tensor([1 + 2j, 3 + 4j]),
        torch.tensor([60000.0, -60000.0], dtype=torch.float16),
    ]
    specs = [TensorSpec(str(i), str(t.dtype)[6:], ("n",)) for i, t in enumerate(examples)]
    normal, whole, logic, constant, half, empty, large, complex_, wide = random_like(
        specs, examples, {"n": 4000}, 0
    )
    assert abs(normal.mean() - 100) < 0.5
    assert abs(normal.std() - 3) < 0.3
    assert set(whole.tolist()) == set(range(3, 10))
    assert abs(logic.float().mean() - 0.75) < 0.05
    assert 0.9 < constant.std() < 1.1
    assert half.isfinite().all()
    assert empty.dtype == torch.uint8
    assert large.dtype == torch.int64
    assert complex_.dtype == torch.complex64
    assert wide.isfinite().all()


def drawn(example: torch.Tensor) -> list[float]:
    """What stands for a number, for many seeds."""
    spec = TensorSpec("x", str(example.dtype).removeprefix("torch."), ())
    results = [random_like([spec], [example], {}, seed)[0] for seed in range(60)]
    assert {(one.shape, one.dtype) for one in results} == {(torch.Size([]), example.dtype)}
    return [one.item() for one in results]


def test_a_number_varies_around_the_example() -> None:
    values = drawn(torch.tensor(100.0))
    assert len(set(values)) == 60
    assert all(90 < value < 110 for value in values)


@pytest.mark.parametrize(
    ("example", "low", "high"),
    [
        (torch.tensor(5), 1, 10),
        (torch.tensor(1), 1, 2),
        (torch.tensor(-3), -6, 0),
        (torch.tensor(100, dtype=torch.int8), 1, 127),
        (torch.tensor(2**63 - 1), 1, 2**63 - 1),
    ],
)
def test_a_whole_number_keeps_its_sign(example: torch.Tensor, low: int, high: int) -> None:
    values = drawn(example)
    assert low <= min(values) < max(values) <= high


def test_a_truth_value_is_sometimes_the_other() -> None:
    assert set(drawn(torch.tensor(True))) == {True, False}


def test_a_seed_decides() -> None:
    spec = [TensorSpec("x", "float32", ("n",))]
    example = [torch.randn(3)]
    one, same, other = (random_like(spec, example, {"n": 5}, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_extremes_change_floating_inputs_alone() -> None:
    examples = [torch.tensor([0.5, -1.0, 2.0, 3.0]), torch.tensor([1, 2]), torch.tensor([True])]
    before = [tensor.clone() for tensor in examples]
    found = {name: variant(examples, change) for name, change in VARIANTS.items()}
    assert torch.equal(found["zeros"][0], torch.zeros(4))
    assert torch.equal(found["negative values"][0], torch.tensor([-1.5, -2.0, -3.0, -4.0]))
    assert torch.equal(found["large values"][0], torch.tensor([15000.0, 0.0, 30000.0, 40000.0]))
    assert found["NaN"][0].isnan().tolist() == [True, False, False, True]
    for tensors in found.values():
        assert all(torch.equal(one, other) for one, other in zip(tensors[1:], before[1:], strict=True))
        assert all(one is not other for one, other in zip(tensors, examples, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(examples, before, strict=True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_extremes_keep_dtype_and_shape(dtype: torch.dtype) -> None:
    example = torch.ones(2, 0, 3, dtype=dtype), torch.tensor(2.0, dtype=dtype)
    for change in VARIANTS.values():
        for one, other in zip(variant(example, change), example, strict=True):
            assert (one.dtype, one.shape) == (other.dtype, other.shape)

"""The chain relu(x · m1 + m2) is one kernel when it is fused, and three when it is not.

On the CPU, where torch interprets fused kernels, the operations stand for the kernels.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

import kit
from tests.bench.gpu.kernels import launched
from tests.bench.gpu.models import Chain, ChainAndProduct, chain, chain_and_product, matrices
from tests.gpu.support import CUDA, DEVICES, NEEDS_CUDA

SETTLED = 4  # calls after which nothing is compiled any more for one size
SMALL, SIZE = 4, 256
FUSED = "fused_mul_add_relu"


@pytest.fixture(scope="module")
def chain_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chain") / "chain.pt"
    kit.export(chain(), path=path)
    return path


@pytest.fixture(scope="module")
def product_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("product") / "product.pt"
    kit.export(chain_and_product(SIZE), path=path)
    return path


@pytest.fixture(scope="module")
def small_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "small.pt"
    kit.export(chain_and_product(SMALL), path=path)
    return path


def settled(path: Path, device: str, fusion: bool | None, inputs: tuple[Tensor, ...]) -> kit.Model:
    """Loaded, and compiled for these inputs. fusion: None is what the device has by default."""
    model = kit.load(path, device=device, configuration=kit.Configuration(fusion=fusion))
    for _ in range(SETTLED):
        model(*inputs)
    return model


def check(actual: Tensor, expected: Tensor, what: str) -> None:
    torch.testing.assert_close(actual, expected, msg=lambda text: f"{what}: {text}")


@pytest.mark.parametrize("fusion", [True, False])
def test_a_chain_on_the_cpu_is_one_operation_or_three(chain_path: Path, fusion: bool) -> None:
    inputs = matrices(SMALL, SMALL)
    model = settled(chain_path, "cpu", fusion, inputs)
    seen = Counter(launched(lambda: model(*inputs), "cpu"))
    pointwise = {name: seen[name] for name in (FUSED, "aten::mul", "aten::add", "aten::relu")}
    assert list(pointwise.values()) == ([1, 0, 0, 0] if fusion else [0, 1, 1, 1])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("fusion", [True, False])
def test_runs_1_to_20_agree(fusion: bool, device: str, request: pytest.FixtureRequest) -> None:
    size, name = (SIZE, "product_path") if device == CUDA else (SMALL, "small_path")
    path: Path = request.getfixturevalue(name)
    inputs = matrices(size, size, device)
    with torch.no_grad():
        expected = ChainAndProduct()(*inputs)
    model = kit.load(path, device=device, configuration=kit.Configuration(fusion=fusion))
    for run in range(1, 21):
        actual = model(*inputs)
        assert actual.device == inputs[0].device
        check(actual, expected, f"run {run}")


@pytest.mark.parametrize("device", DEVICES)
def test_a_chain_agrees_at_sizes_that_were_not_compiled_for(chain_path: Path, device: str) -> None:
    model = kit.load(chain_path, device=device, configuration=kit.Configuration(fusion=True))
    sizes = [(3, 4), (3, 4), (5, 2), (5, 2), (7, 3), (7, 3), (1, 1), (3, 4)]
    for call, (rows, columns) in enumerate(sizes, 1):
        inputs = matrices(rows, columns, device)
        with torch.no_grad():
            expected = Chain()(*inputs)
        check(model(*inputs), expected, f"call {call}")


def pointwise_kernels(path: Path, fusion: bool | None) -> list[str]:
    """Kernels of a call beside those of the matrix product, which must be there as if it ran alone."""
    inputs = matrices(SIZE, SIZE, CUDA)
    model = settled(path, CUDA, fusion, inputs)
    with torch.no_grad():
        product = Counter(launched(lambda: inputs[0] @ inputs[2], CUDA))
    seen = Counter(launched(lambda: model(*inputs), CUDA))
    assert not product - seen, f"the matrix product is not in {seen}"
    return list((seen - product).elements())


class TestOnCuda:
    pytestmark = NEEDS_CUDA

    @pytest.mark.parametrize("fusion", [True, None])
    def test_fused_it_is_one_kernel_and_the_matrix_product(
        self, product_path: Path, fusion: bool | None
    ) -> None:
        (kernel,) = pointwise_kernels(product_path, fusion)
        assert kernel.startswith(FUSED)

    def test_unfused_it_is_three_kernels_and_the_matrix_product(self, product_path: Path) -> None:
        kernels = pointwise_kernels(product_path, fusion=False)
        assert len(kernels) == 3, kernels
        assert not any("fused" in kernel for kernel in kernels)

    def test_fused_on_a_second_size_too(self, chain_path: Path) -> None:
        model = kit.load(chain_path, device=CUDA)
        for rows in (64, 128):
            inputs = matrices(rows, 32, CUDA)
            for _ in range(SETTLED):
                model(*inputs)
            (kernel,) = launched(partial(model, *inputs), CUDA)
            assert kernel.startswith("fused"), f"{rows} rows"

    def test_two_models_with_different_settings_do_not_disturb_each_other(self, chain_path: Path) -> None:
        inputs = matrices(64, 32, CUDA)
        models = {
            count: kit.load(chain_path, device=CUDA, configuration=kit.Configuration(fusion=count == 1))
            for count in (1, 3)
        }
        for _ in range(SETTLED):
            for model in models.values():
                model(*inputs)
        for count, model in models.items():
            assert len(launched(partial(model, *inputs), CUDA)) == count

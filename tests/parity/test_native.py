"""Native programs compute what the eager model computes: operations one by one, and models of the zoo.

`tools/programs.py` does the same for the whole zoo and for published architectures.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.errors import InputError, ParityError, TraceError
from tests.parity.operations import OPERATIONS
from tests.parity.support import Exported, arguments, flat, read_cases, run_eager
from tests.parity.transforms import transforms
from tests.parity.wide_convolutions import wide_convolutions
from tests.parity.zoo import ZOO
from tests.torch_version import CHECKS_DIVISIONS, ROUNDS_TO_16_BITS, TORCH

# What the operations do not show: loops over time, 16 bits, layers of convolutions, an output that is an
# input, several dims, what is bilinear. A program takes some ten seconds to compile, so these are few.
MODELS = (
    "cross_attention",
    "empty_batch",
    "float16",
    "lstm",
    "output_is_input",
    "residual_blocks",
    "two_inputs_two_outputs",
)
TARGETS = ("x86-64-v2", "x86-64-v4")
LEVELS = ("x86-64-v2", "x86-64-v3", "x86-64-v4")


def exported(recipe: kit.Recipe, path: Path, target: str) -> Exported:
    """The export itself compares the golden cases, thrice each, and further ones."""
    kit.export(recipe, path=path, programs=("native",), targets=(target,))
    return Exported(recipe, path, read_cases(path))


def compare(exported: Exported, target: str) -> None:
    """Without any of kit's own code for comparing."""
    model = kit.load(exported.path, engine="native")
    assert model.target == target
    for run in range(3):
        for index, (inputs, _) in enumerate(exported.cases):
            args, kwargs = arguments(exported.recipe, inputs)
            actual, expected = flat(model(*args, **kwargs)), flat(run_eager(exported, inputs))
            for number, (one, other) in enumerate(zip(actual, expected, strict=True)):
                given = exported.recipe.tolerances.get(str(other.dtype).removeprefix("torch."))
                rtol, atol = given or (None, None)
                try:
                    torch.testing.assert_close(
                        one, other.resolve_conj(), rtol=rtol, atol=atol, equal_nan=True
                    )
                except AssertionError as error:
                    raise AssertionError(f"run {run}, case {index}, output {number}: {error}") from None


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_operation(name: str, tmp_path: Path) -> None:
    if name == "products" and TORCH == (2, 12):
        pytest.skip("torch 2.12 cannot compile a sum with a product where a number is expanded to its shape")
    compare(exported(OPERATIONS[name](), tmp_path / "model.pt", "x86-64-v3"), "x86-64-v3")


@pytest.mark.parametrize("target", LEVELS)
@pytest.mark.parametrize("recipe", [wide_convolutions, transforms])
def test_in_vectors(
    recipe: Callable[[], kit.Recipe], target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors of each width, and what is left of them."""
    monkeypatch.setenv("KIT_ISA", target)
    made = exported(recipe(), tmp_path / "model.pt", target)
    manifest = kit.inspect(made.path).manifest
    assert manifest is not None
    if not manifest.programs[-1].verified:
        pytest.skip(f"this host cannot run {target}")
    compare(made, target)


@pytest.mark.parametrize("name", MODELS)
def test_model(name: str, tmp_path: Path) -> None:
    compare(exported(ZOO[name](), tmp_path / "model.pt", "x86-64-v3"), "x86-64-v3")


@pytest.mark.parametrize("target", TARGETS)
def test_target(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_ISA", target)
    made = exported(ZOO["transformer_encoder"](), tmp_path / "model.pt", target)
    manifest = kit.inspect(made.path).manifest
    assert manifest is not None
    if not manifest.programs[-1].verified:
        pytest.skip(f"this host cannot run {target}")
    compare(made, target)


def test_first_calls_at_once(tmp_path: Path) -> None:
    """What is made of weights in the first call is made once, and seen whole by all."""
    made = exported(wide_convolutions(), tmp_path / "model.pt", "x86-64-v3")
    x = made.cases[0][0]["x"]
    expected = flat(kit.load(made.path, engine="native")(x))
    for _ in range(5):
        model = kit.load(made.path, engine="native")
        start = threading.Barrier(8)

        def predict(model: kit.Model = model, start: threading.Barrier = start) -> list[Tensor]:
            start.wait()
            return flat(model(x))

        with ThreadPoolExecutor(8) as pool:
            results = [one.result() for one in [pool.submit(predict) for _ in range(8)]]
        for outputs in results:
            assert all(torch.equal(one, other) for one, other in zip(outputs, expected, strict=True))


class OwnWeight(nn.Module):
    """x: float32[batch, 4, 9, 11]: as many filters as there are items."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(x[:1, :2], x[:, :2, :3, :3]).sum()


def test_a_size_that_inductor_fixes_is_named(tmp_path: Path) -> None:
    recipe = kit.Recipe(OwnWeight(), torch.randn(2, 4, 9, 11), dynamic={"x": {0: kit.Dim("batch", 1, 8)}})
    with pytest.raises(TraceError, match=r"one size alone: 2 of dimension 0"):
        kit.export(recipe, path=tmp_path / "model.pt", programs=("native",))


class Inverse(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.inv(x) + torch.linalg.svdvals(x).sum()


def test_a_sum_over_nothing_is_refused(tmp_path: Path) -> None:
    """Where the outputs are empty, nothing is computed; here something would be."""
    dynamic = {"x": {0: kit.Dim("batch", 0, 8)}}
    with pytest.raises(ParityError, match=r"batch is 0, and output 'output' is not empty"):
        kit.export(lambda x: x.sum(0), torch.ones(2, 3), tmp_path / "model.pt", ("native",), dynamic=dynamic)
    kit.export(lambda x: x.sum(0), torch.ones(2, 3), tmp_path / "model.pt", dynamic=dynamic)


def test_what_is_refused_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with pytest.raises(TraceError, match=r"no native form of aten\.\S+.*linalg_svd.*torchscript or aoti"):
        kit.export(Inverse(), torch.eye(3) * 2, path=path, programs=("native",))
    assert not path.exists()


@ROUNDS_TO_16_BITS
def test_what_eager_rounds_to_16_bits_is_rounded(tmp_path: Path) -> None:
    x = torch.tensor([1.0, 7e4, -0.1, 100.0])
    kit.export(lambda x: (x.half() * 1000 / 1000).float(), x, tmp_path / "model.pt", ("native",))
    expected = torch.tensor([1.0, torch.inf, -0.1, torch.inf]).half().float()
    torch.testing.assert_close(
        kit.load(tmp_path / "model.pt", engine="native")(x), expected, rtol=1e-3, atol=0
    )


@pytest.mark.parametrize(
    ("look_up", "said"),
    [
        (lambda table, index: table[index] + 1, "index out of bounds: "),
        (
            lambda table, index: nn.functional.embedding_bag(index[None], table, mode="max"),
            "the index 9 is not in a table of 4 embeddings",
        ),
    ],
    ids=["generated", "kit's own"],
)
def test_an_index_out_of_bounds_is_an_input_error(
    look_up: Callable[[Tensor, Tensor], Tensor], said: str, tmp_path: Path
) -> None:
    table, index = torch.randn(4, 3), torch.tensor([0, 3, 1])
    kit.export(look_up, (table, index), tmp_path / "model.pt", ("native",), cases=[(table, index)])
    model = kit.load(tmp_path / "model.pt", engine="native")
    with pytest.raises(InputError, match=f"the model cannot compute these inputs: {said}"):
        model(table, torch.tensor([0, 9, 1]))
    torch.testing.assert_close(model(table, index), look_up(table, index))


@CHECKS_DIVISIONS
def test_an_integer_division_by_zero_is_an_error(tmp_path: Path) -> None:
    x, n = torch.tensor([7, 8, 9]), torch.tensor([2, 3, 4])
    kit.export(lambda x, n: x // n, (x, n), tmp_path / "model.pt", ("native",), cases=[(x, n)])
    model = kit.load(tmp_path / "model.pt", engine="native")
    with pytest.raises(InputError, match=r"cannot compute these inputs: .*ZeroDivisionError"):
        model(x, torch.tensor([2, 0, 4]))
    assert torch.equal(model(x, n), x // n)


def test_outputs_are_their_own_whatever_memory_the_inputs_have(tmp_path: Path) -> None:
    def model(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        return x + 1, y * 2, x - y

    args = torch.randn(3, 4), torch.randn(3, 4)
    kit.export(
        kit.Recipe(model, args, dynamic={name: {0: kit.Dim("n", 1, 9)} for name in "xy"}),
        path=tmp_path / "model.pt",
        programs=("native",),
    )
    native = kit.load(tmp_path / "model.pt", engine="native")
    strided = [one.t().contiguous().t() for one in args]
    for x, y in (strided, args, args, [args[0], strided[1]], strided, [strided[0], args[1]], args, strided):
        torch.testing.assert_close(native(x, y), model(*args))


DIVISIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "remainder": lambda x, y: x % y,
    "remainder of a number": lambda x, _: x % 0.7,
    "a number's remainder": lambda x, _: 5.0 % x,
    "floor": lambda x, y: x // y,
    "floor of a number": lambda x, _: x // 0.1,
    "div": lambda x, y: torch.div(x, y, rounding_mode="floor"),
}


@pytest.mark.parametrize("engine", ["native", "aoti"])
def test_divisions_round_as_in_torch(engine: str, tmp_path: Path) -> None:
    def model(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        return tuple(divide(x, y) for divide in DIVISIONS.values())

    args = torch.tensor([[1.0, -1.0]]), torch.tensor([[0.1, 0.3]])
    kit.export(
        kit.Recipe(model, args, dynamic={name: {0: kit.Dim("n", 1, 999)} for name in "xy"}),
        path=tmp_path / "model.pt",
        programs=(engine,),
    )
    exact = torch.arange(-400, 400).reshape(-1, 2) / 10
    for x, y in (
        (exact, torch.full_like(exact, 0.1)),
        (exact * 1000, exact.flip(0) + 0.05),
        (torch.tensor([[1e10, -1e10], [1e4, torch.inf]]), torch.tensor([[0.7, 0.7], [torch.inf, 0.7]])),
        (exact, torch.zeros_like(exact)),
    ):
        outputs = kit.load(tmp_path / "model.pt", engine=engine)(x, y)
        for name, one, other in zip(DIVISIONS, outputs, model(x, y), strict=True):
            assert torch.equal(one.nan_to_num(nan=-7.5), other.nan_to_num(nan=-7.5)), name

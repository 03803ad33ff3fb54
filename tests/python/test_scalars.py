"""Numbers as inputs: a recipe names them, every other number is fixed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

import kit
from kit.errors import InputError, TraceError, UsageError
from tests.conftest import Run

X = torch.tensor([[1.0, 2.0, 3.0], [4.0, -5.0, 6.0]])
BATCH = {"x": {0: kit.Dim("batch", 1, 16)}}


class Scaled(nn.Module):
    """A float, an int and a bool, positional and by keyword, and two that stay as they are."""

    def forward(
        self, x: Tensor, scale: float, shift: int = 1, *, keep: bool, gain: float = 2.0, mode: str = "sum"
    ) -> Tensor:
        y = x * scale * gain + shift
        return torch.where(torch.as_tensor(keep), y, -y)


def recipe() -> kit.Recipe:
    return kit.Recipe(
        Scaled(),
        (X, 2.5, 3),
        {"keep": True, "gain": 2.0},
        scalars=["scale", "shift", "keep"],
        dynamic=BATCH,
        names={"outputs": ["y"]},
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> kit.Archive:
    return kit.export(recipe(), path=tmp_path_factory.mktemp("scalars") / "model.pt")


CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((X, 2.5, 3), {"keep": True}),
    ((X, -0.125, -7), {"keep": False}),
    ((X[:1], 1e3), {"shift": 0, "keep": True}),
    ((), {"x": X, "scale": 0.1, "shift": 10**6, "keep": False}),
]


@pytest.mark.parametrize(("args", "kwargs"), CALLS)
def test_numbers_are_given_as_to_the_model(
    archive: kit.Archive, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    assert torch.equal(kit.load(archive)(*args, **kwargs, gain=2.0), Scaled()(*args, **kwargs))


def test_an_int_will_do_for_a_float_and_a_tensor_for_any(archive: kit.Archive) -> None:
    model = kit.load(archive)
    wanted = Scaled()(X, 4.0, 5, keep=False)
    assert torch.equal(model(X, 4, 5, keep=False, gain=2.0), wanted)
    tensors = torch.tensor(4.0, dtype=torch.float64), torch.tensor(5), torch.tensor(False)
    assert torch.equal(model(X, *tensors[:2], keep=tensors[2], gain=2.0), wanted)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"gain": 3.0}, "argument 'gain': it was fixed at export as 2.0, came 3.0; give 2.0, or export"),
        ({"shift": 5.0}, "argument 'shift': wanted a number of type int, came 5.0"),
        ({"shift": True}, "argument 'shift': wanted a number of type int, came True"),
        ({"keep": 1}, "argument 'keep': wanted a number of type bool, came 1"),
        ({"scale": "2"}, "argument 'scale': wanted a number of type float, came '2'"),
        ({"scale": torch.ones(1)}, "input 'scale': wanted float64[]"),
        ({"shift": 2**63}, "argument 'shift': the whole number that came is too large for 64 bits with its"),
        ({"shift": -(10**5000)}, "argument 'shift': the whole number that came is too large for 64 bits"),
        ({"scale": 10**400}, "argument 'scale': the whole number that came is too large for a float; give"),
    ],
)
def test_what_is_no_such_number(archive: kit.Archive, changed: dict[str, Any], message: str) -> None:
    given = {"scale": 2.5, "shift": 3, "keep": True, "gain": 2.0, **changed}
    with pytest.raises(InputError, match=re.escape(message)):
        kit.load(archive)(X, **given)


def test_the_largest_whole_numbers(archive: kit.Archive) -> None:
    model = kit.load(archive)
    for shift in (2**63 - 1, -(2**63)):
        wanted = Scaled()(X, 4.0, shift, keep=False)
        assert torch.equal(model(X, 4, shift, keep=False, gain=2.0), wanted)


def test_whole_numbers_wrap_around_in_a_program(tmp_path: Path) -> None:
    kit.export(lambda x, n: x * (n * n / 1e18), (X, 3), tmp_path / "model.pt", scalars=["n"])
    wrapped = (5_000_000_000**2 + 2**63) % 2**64 - 2**63
    actual = kit.load(tmp_path / "model.pt")(X, 5_000_000_000)
    torch.testing.assert_close(actual, X * (wrapped / 1e18))


def test_elsewhere_they_are_tensors_without_dimensions(archive: kit.Archive) -> None:
    assert archive.signature is not None
    assert [(spec.name, str(spec)) for spec in archive.signature.inputs] == [
        ("x", "float32[batch, 3]"),
        ("scale", "float64[]"),
        ("shift", "int64[]"),
        ("keep", "bool[]"),
    ]
    program = torch.jit.load(archive.path)
    tensors = X, torch.tensor(0.5, dtype=torch.float64), torch.tensor(-2), torch.tensor(False)
    assert torch.equal(program(*tensors), Scaled()(X, 0.5, -2, keep=False))


def test_golden_cases_vary_them(archive: kit.Archive) -> None:
    for index in (1, 2, 3):
        assert len({inputs[index].item() for inputs, _ in archive.cases()}) > 1
    for (x, scale, shift, keep), (y,) in archive.cases():
        wanted = Scaled()(x, scale.item(), int(shift), keep=bool(keep))
        assert torch.equal(y, wanted)


def test_predictor_takes_them_as_tensors(archive: kit.Archive, predictor: Run, folder: Path) -> None:
    source, target = folder / "in.safetensors", folder / "out.safetensors"
    numbers = {"scale": torch.tensor(-1.5, dtype=torch.float64), "shift": torch.tensor(9)}
    safetensors.torch.save_file({"x": X, **numbers, "keep": torch.tensor(False)}, source)
    done = predictor("run", archive.path, "--input", source, "--output", target)
    assert (done.returncode, done.stderr) == (0, "")
    wanted = Scaled()(X, -1.5, 9, keep=False)
    assert torch.equal(safetensors.torch.load_file(target)["y"], wanted)
    assert predictor("verify", archive.path).returncode == 0


def test_predictor_takes_them_as_numbers_of_a_row(tmp_path: Path, predictor: Run) -> None:
    def model(x: Tensor, scale: float, on: bool) -> Tensor:
        return x * scale + torch.as_tensor(on)

    path = tmp_path / "model.pt"
    archive = kit.export(model, (X[0], 2.5, True), path, scalars=["scale", "on"])
    row = {"x": X[1].tolist(), "scale": 0.5, "on": False}
    done = predictor("run", path, "--input", "-", "--format", "jsonl", stdin=json.dumps(row) + "\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"output": (X[1] * 0.5).tolist()}
    assert torch.equal(kit.load(archive)(X[1], 0.5, False), X[1] * 0.5)


def branches(x: Tensor, count: int) -> Tensor:
    return x * 2 if count > 1 else x


def test_a_branch_on_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="depends on the values of input 'count'") as raised:
        kit.export(branches, (X, 2), tmp_path / "model.pt", scalars=["count"])
    assert [(one.rule, one.about) for one in raised.value.findings] == [("value-branch", "count")]
    assert list(tmp_path.iterdir()) == []


def test_a_branch_on_one_that_is_fixed_is_not(tmp_path: Path) -> None:
    model = kit.load(kit.export(branches, (X, 2), tmp_path / "model.pt"))
    assert torch.equal(model(X, 2), X * 2)
    with pytest.raises(InputError, match="argument 'count': it was fixed at export as 2, came 1"):
        model(X, 1)


@pytest.mark.parametrize(
    ("name", "what"),
    [("factor", "no argument"), ("gain", "no argument"), ("x", "a Tensor"), ("mode", "a str")],
)
def test_names_that_are_no_numbers(tmp_path: Path, name: str, what: str) -> None:
    kwargs = {"keep": True, "mode": "sum"}
    with pytest.raises(UsageError, match=f"scalars names '{name}', which is {what} in the example") as raised:
        kit.export(Scaled(), (X, 2.5), tmp_path / "model.pt", kwargs=kwargs, scalars=["scale", name])
    assert "\n" not in str(raised.value)


def test_an_example_that_is_too_large(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="scalars names 'n', which in the example is too large for 64 bits"):
        kit.export(lambda x, n: x * n, (X, 2**63), tmp_path / "model.pt", scalars=["n"])

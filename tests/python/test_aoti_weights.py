"""Replacing the weights of an aoti program."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

import kit
from kit.errors import InputError, ParityError, UnavailableError
from tests.aoti_archive import Scores, agree, cases_of, weights_of

Cases = list[tuple[list[Tensor], list[Tensor]]]


@pytest.fixture(scope="module")
def cases(aoti_scores: Path) -> Cases:
    return list(kit.inspect(aoti_scores).cases())


@pytest.fixture
def model(aoti_scores: Path) -> kit.Model:
    return kit.load(aoti_scores, engine="aoti")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return tmp_path / "weights.safetensors"


def test_weights_are_replaced(model: kit.Model, cases: Cases, weights: Path) -> None:
    safetensors.torch.save_file({**weights_of(1), **cases_of(1)}, weights)
    model.update_weights(weights)
    assert model.warnings == []
    eager = Scores(1).eval()
    for (x, index), before in cases:
        with torch.no_grad():
            agree(model.predict([x, index]), list(eager(x, index)))
        assert not torch.allclose(model.predict([x, index])[0], before[0])
    safetensors.torch.save_file(weights_of(0), weights)
    model.update_weights(weights)
    for inputs, outputs in cases:
        agree(model.predict(inputs), outputs)


def test_weights_without_cases_are_a_warning(model: kit.Model, weights: Path) -> None:
    safetensors.torch.save_file(weights_of(1), weights)
    model.update_weights(weights)
    (warning,) = model.warnings
    assert "not verified" in warning
    assert str(weights) in warning


def test_the_warning_is_of_the_weights_in_use(model: kit.Model, weights: Path) -> None:
    for _ in range(2):
        safetensors.torch.save_file(weights_of(1), weights)
        model.update_weights(weights)
        assert len(model.warnings) == 1
    safetensors.torch.save_file({**weights_of(1), **cases_of(1)}, weights)
    model.update_weights(weights)
    assert model.warnings == []


def test_a_case_that_does_not_fit_is_named(model: kit.Model, weights: Path) -> None:
    cases = {**cases_of(1), "cases/1.inputs.x": torch.zeros(1, 5)}
    safetensors.torch.save_file({**weights_of(1), **cases}, weights)
    with pytest.raises(InputError, match=r"weights\.safetensors: case 1: input 'x': wanted"):
        model.update_weights(weights)


def test_calls_that_never_pause_let_weights_be_replaced(
    model: kit.Model, cases: Cases, weights: Path
) -> None:
    safetensors.torch.save_file(weights_of(1), weights)
    inputs, done = cases[-1][0], threading.Event()

    def predict() -> None:
        while not done.is_set():
            model.predict(inputs)

    def replace() -> None:
        for _ in range(20):
            model.update_weights(weights)

    with ThreadPoolExecutor(5) as pool:
        callers = [pool.submit(predict) for _ in range(4)]
        try:
            pool.submit(replace).result(timeout=60)
        finally:
            done.set()
        for caller in callers:
            caller.result()


def test_weights_that_differ_from_their_cases_are_put_back(
    model: kit.Model, cases: Cases, weights: Path
) -> None:
    safetensors.torch.save_file({**weights_of(1), **cases_of(2)}, weights)
    with pytest.raises(ParityError, match=r"case 0, output 'scores': .*the weights before are in use again"):
        model.update_weights(weights)
    for inputs, outputs in cases:
        agree(model.predict(inputs), outputs)


WRONG: dict[str, tuple[dict[str, Tensor | None], str]] = {
    "unknown": ({"tail.weight": torch.zeros(1)}, "no weight 'tail.weight'"),
    "missing": ({"offset": None}, "'offset' is missing"),
    "shape": ({"offset": torch.zeros(4)}, r"'offset': wanted float32\[3\], came float32\[4\]"),
    "dtype": ({"offset": torch.zeros(3).double()}, r"'offset': wanted float32\[3\], came float64\[3\]"),
    "two of one": ({"head.weight": torch.zeros(11, 4)}, "'head.weight' and 'words.weight' are one tensor"),
    "half a case": ({"cases/0.inputs.x": torch.zeros(2, 4)}, "there is no 'cases/0.inputs.index'"),
    "no case": ({"cases/7.inputs.x": torch.zeros(2, 4)}, "'cases/7.inputs.x' is no input or output"),
}


@pytest.mark.parametrize("what", WRONG)
def test_weights_that_do_not_fit_change_nothing(
    what: str, model: kit.Model, cases: Cases, weights: Path
) -> None:
    change, message = WRONG[what]
    wrong = {**weights_of(1), **change}
    safetensors.torch.save_file({name: t for name, t in wrong.items() if t is not None}, weights)
    with pytest.raises(InputError, match=message) as caught:
        model.update_weights(weights)
    assert str(weights) in str(caught.value)
    agree(model.predict(cases[0][0]), cases[0][1])


def test_files_that_are_no_weights(model: kit.Model, weights: Path) -> None:
    with pytest.raises(InputError, match="cannot be opened"):
        model.update_weights(weights)
    weights.write_text("no tensors")
    with pytest.raises(InputError, match="not a safetensors file"):
        model.update_weights(weights)


def test_weights_of_torchscript_stay(aoti_scores: Path, weights: Path) -> None:
    safetensors.torch.save_file(weights_of(1), weights)
    with pytest.raises(UnavailableError, match="only the weights of aoti programs"):
        kit.load(aoti_scores, engine="torchscript").update_weights(weights)


def test_calls_meanwhile_see_the_old_weights_or_the_new(
    model: kit.Model, cases: Cases, weights: Path, tmp_path: Path
) -> None:
    others = tmp_path / "others.safetensors"
    safetensors.torch.save_file({**weights_of(1), **cases_of(2)}, weights)  # which do not agree
    safetensors.torch.save_file({**weights_of(0), **cases_of(0)}, others)
    inputs, outputs = cases[0]

    def predict(_: int) -> None:
        agree(model.predict(inputs), outputs)

    with ThreadPoolExecutor(4) as pool:
        done = pool.map(predict, range(400))
        for _ in range(5):
            with pytest.raises(ParityError):
                model.update_weights(weights)
            model.update_weights(others)
        list(done)

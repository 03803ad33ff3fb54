"""Every model of the zoo, run in every way there is: the outputs must have the eager model's bits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import kit
from tests.conftest import Run
from tests.parity.support import (
    Exported,
    arguments,
    check,
    check_on,
    flat,
    nesting,
    run_eager,
    run_predictor,
)
from tests.parity.zoo import ZOO

# Models whose programs need not have the eager model's bits, by name: which op differs, and why. For
# these, and only these, the tolerance of the dtype applies (torch.testing.assert_close).
INEXACT = {
    "strided_input": "a case has the values of a transposed view without its strides, and BLAS may sum up "
    "the products of the two in another order"
}


def test_zoo_is_large_enough() -> None:
    assert len(ZOO) >= 24


def test_eager_gives_the_golden_outputs(exported: Exported) -> None:
    for index, (inputs, outputs) in enumerate(exported.cases):
        check(
            flat(run_eager(exported, inputs)),
            list(outputs.values()),
            f"case {index}",
            INEXACT.get(str(exported.recipe.name)),
        )


def test_traced_in_python(exported: Exported) -> None:
    module = torch.jit.load(exported.path)
    # The profiling executor works differently on a first, a second and a third run.
    for run in range(3):
        for index, (inputs, outputs) in enumerate(exported.cases):
            with torch.no_grad():
                actual = flat(module(*inputs.values()))
            check(
                actual,
                list(outputs.values()),
                f"run {run}, case {index}",
                INEXACT.get(str(exported.recipe.name)),
            )


def test_cpp_through_the_binding(exported: Exported) -> None:
    model = kit.load(exported.path)
    for run in range(3):
        for index, (inputs, outputs) in enumerate(exported.cases):
            what = f"run {run}, case {index}"
            args, kwargs = arguments(exported.recipe, inputs)
            actual = model(*args, **kwargs)
            check(flat(actual), list(outputs.values()), what, INEXACT.get(str(exported.recipe.name)))
            assert nesting(actual) == nesting(run_eager(exported, inputs)), what


def test_cpp_through_predictor(exported: Exported, predictor: Run, tmp_path: Path) -> None:
    inputs, outputs = exported.cases[-1]
    actual = run_predictor(predictor, exported, inputs, tmp_path)
    assert set(actual) == set(outputs)
    check(
        [actual[name] for name in outputs],
        list(outputs.values()),
        "last case",
        INEXACT.get(str(exported.recipe.name)),
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_on_a_gpu(exported: Exported, predictor: Run, tmp_path: Path) -> None:
    check_on("cuda:0", exported, predictor, tmp_path)

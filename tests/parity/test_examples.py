"""The two examples, trained and exported once: what their READMEs promise, and parity in every way."""

from __future__ import annotations

import csv
import importlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from examples.mlp import recipe as mlp_example

import kit
from kit.recipe import run_recipe
from tests.conftest import Run
from tests.parity.support import (
    Exported,
    arguments,
    check,
    check_on,
    export,
    flat,
    run_eager,
    run_predictor,
)

EXAMPLES = ("mlp", "digits")


@pytest.fixture(scope="session")
def mlp(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Exported:
    recipe = run_recipe(f"{root}/examples/mlp/recipe.py:recipe")
    return export(recipe, tmp_path_factory.mktemp("mlp") / "mlp.pt")


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Exported:
    pytest.importorskip("sklearn", reason="scikit-learn, which holds the images, is not installed")
    recipe = run_recipe(f"{root}/examples/digits/recipe.py:recipe")
    return export(recipe, tmp_path_factory.mktemp("digits") / "digits.pt")


@pytest.fixture(params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> Exported:
    exported: Exported = request.getfixturevalue(request.param)
    return exported


def environment(root: Path, predictor_path: Path) -> dict[str, str]:
    """That of a process which uses kit from the checkout."""
    return {**os.environ, "PYTHONPATH": str(root / "python"), "KIT_PREDICTOR": str(predictor_path)}


def test_every_way_gives_the_golden_outputs(example: Exported, predictor: Run, tmp_path: Path) -> None:
    traced, model = torch.jit.load(example.path), kit.load(example.path)
    for index, (inputs, outputs) in enumerate(example.cases):
        expected = list(outputs.values())
        args, kwargs = arguments(example.recipe, inputs)
        check(flat(run_eager(example, inputs)), expected, f"eager, case {index}", None)
        with torch.no_grad():
            check(flat(traced(*inputs.values())), expected, f"traced, case {index}", None)
        check(flat(model(*args, **kwargs)), expected, f"binding, case {index}", None)
    inputs, outputs = example.cases[-1]
    actual = run_predictor(predictor, example, inputs, tmp_path)
    check([actual[name] for name in outputs], list(outputs.values()), "predictor, last case", None)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_on_a_gpu(example: Exported, predictor: Run, tmp_path: Path) -> None:
    check_on("cuda:0", example, predictor, tmp_path)


def test_golden_cases_have_several_batch_sizes(example: Exported) -> None:
    sizes = {next(iter(inputs.values())).shape[0] for inputs, _ in example.cases}
    assert len(example.cases) == 8
    assert len(sizes) >= 4


def test_parity_table_names_every_way(root: Path, predictor_path: Path, mlp: Exported) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error::RuntimeWarning",
            "-m",
            "kit",
            "parity",
            "examples/mlp/recipe.py:recipe",
            mlp.path,
        ],
        capture_output=True,
        text=True,
        cwd=root,
        env=environment(root, predictor_path),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    for way in ("eager", "traced", "predictor", "torchscript (C++)"):
        assert way in done.stdout
    assert "agrees; largest difference: 0 (bit-equal)" in done.stdout


def test_mlp_learns_what_the_tutorial_says() -> None:
    model, losses = mlp_example.train()
    assert len(losses) == 10
    assert losses[0] == pytest.approx(2.7, abs=0.3)
    assert losses[-1] == pytest.approx(1.25, abs=0.1)
    with torch.no_grad():
        assert model.eval()(torch.ones(1, 3)).item() == pytest.approx(-1.6, abs=0.15)


def test_mlp_training_leaves_the_process_as_it_was() -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    mlp_example.train(epochs=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_digits_training_leaves_the_process_as_it_was() -> None:
    module = importlib.import_module("examples.digits.recipe")
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    module.train(epochs=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_points_are_predicted_by_predictor_as_by_the_model(root: Path, predictor: Run, mlp: Exported) -> None:
    points = root / "examples/mlp/points.csv"
    done = predictor("run", mlp.path, "--input", points)
    assert (done.returncode, done.stderr) == (0, "")
    header, *rows = csv.reader(io.StringIO(done.stdout))
    assert header == ["output"]
    x = torch.from_numpy(np.loadtxt(points, delimiter=",", skiprows=1, dtype=np.float32))
    actual = torch.tensor([[float(value) for value in row] for row in rows])
    assert torch.equal(actual, run_eager(mlp, {"x": x}))
    assert actual[0].item() == pytest.approx(-1.6, abs=0.15)


@pytest.mark.parametrize("kind", ["safetensors", "npy", "csv"])
def test_digits_are_recognised_alike_in_python_and_in_cpp(
    kind: str, root: Path, predictor_path: Path, digits: Exported
) -> None:
    script: Sequence[str | Path] = [sys.executable, root / "examples/digits/evaluate.py", digits.path]
    done = subprocess.run(
        [*script, "--predictor", predictor_path, "--format", kind],
        capture_output=True,
        text=True,
        env=environment(root, predictor_path),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    in_python, in_cpp = (float(value) for value in re.findall(r"right in .*: +([0-9.]+)", done.stdout))
    assert in_python == in_cpp
    assert in_cpp >= 0.97

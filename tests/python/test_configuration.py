"""Configurations: as values, in the manifest, and followed by everything that runs an archive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import kit
from kit.cli import main
from kit.errors import UnavailableError, UsageError
from kit.predictor import VARIABLE, configuration_options
from tests.conftest import ROOT, Run

X = torch.tensor([[1.0, -2.0, 3.0]])
RECOMMENDED = kit.Configuration(executor="simple", freeze=True, threads=1)
DEFAULT = "fusion off, profiling executor, not frozen"


def chain(x: Tensor) -> Tensor:
    return torch.relu(x * 2 + 1) * 3


def recipe(configuration: kit.Configuration | None = None) -> kit.Recipe:
    dynamic = {"x": {0: kit.Dim("batch", 1, 32)}}
    return kit.Recipe(
        chain, X, dynamic=dynamic, name="chain", cases=2, configuration=configuration or kit.Configuration()
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("chain") / "model.pt"
    kit.export(recipe(), path=path)
    return str(path)


@pytest.fixture(scope="module")
def recommending(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("recommending") / "model.pt"
    kit.export(recipe(RECOMMENDED), path=path)
    return str(path)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"fusion": 1}, "fusion is 1; give True or False"),
        ({"freeze": "no"}, "freeze is 'no'"),
        ({"tf32": 1}, "tf32 is 1"),
        ({"executor": "legacy"}, "there is no executor 'legacy'; give 'profiling' or 'simple'"),
        ({"threads": 0}, "threads is 0; give a whole number, 1 or more"),
        ({"threads": 1025}, "threads is 1025; give a whole number, 1024 or less"),
        ({"interop_threads": 1 << 40}, "1024 or less"),
        ({"threads": True}, "threads is True"),
        ({"interop_threads": 1.5}, r"interop_threads is 1\.5"),
        ({"static_depth": -1}, "static_depth is -1; give a whole number, 0 or more"),
        ({"dynamic_depth": 1 << 31}, "dynamic_depth is 2147483648"),
        ({"fusion": True, "executor": "simple"}, "the simple executor fuses nothing"),
    ],
)
def test_what_cannot_be_is_refused(known: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        kit.Configuration(**known)


def test_the_words_are_those_of_c_plus_plus(archive: str, predictor: Run) -> None:
    configuration = kit.Configuration(fusion=True, freeze=True, threads=1, static_depth=1, dynamic_depth=0)
    words = str(kit.load(archive, configuration=configuration).configuration)
    assert words == "fusion on, profiling executor, frozen, static depth 1, dynamic depth 0, 1 thread"
    assert words in predictor("verify", archive, *configuration_options(configuration)).stdout
    assert str(kit.Configuration(fusion=False, tf32=True, dynamic_depth=3, interop_threads=2)) == (
        "fusion off, TF32 on, 2 inter-op threads"
    )


def test_on_a_cpu_tf32_means_nothing(archive: str) -> None:
    model = kit.load(archive, configuration=kit.Configuration(tf32=True))
    assert model.configuration.tf32 is None


def test_options_of_predictor_say_the_same() -> None:
    every = kit.Configuration(True, "profiling", False, True, 2, 3, 0, 5)
    assert " ".join(configuration_options(every)) == (
        "--fusion on --executor profiling --no-freeze --tf32 on --threads 2 --interop-threads 3 "
        "--static-depth 0 --dynamic-depth 5"
    )
    assert configuration_options(kit.Configuration(fusion=False, freeze=True)) == [
        "--fusion",
        "off",
        "--freeze",
    ]


def test_a_recommendation_is_in_the_manifest_and_followed(
    recommending: str, predictor: Run, tmp_path: Path
) -> None:
    manifest = kit.inspect(recommending).manifest
    assert manifest is not None
    assert manifest.configuration == RECOMMENDED
    model = kit.load(recommending)
    assert (model.configuration.executor, model.configuration.freeze) == ("simple", True)
    assert (model.configuration.fusion, model.configuration.threads) == (False, 1)
    other = kit.load(recommending, configuration=kit.Configuration(executor="profiling", threads=2))
    assert (other.configuration.executor, other.configuration.threads) == ("profiling", 2)
    assert other.configuration.freeze is True
    (tmp_path / "x.csv").write_text("a,b,c\n1,2,3\n")
    done = predictor("run", recommending, "--input", tmp_path / "x.csv", "-v")
    assert "simple executor, frozen, 1 thread" in done.stderr
    done = predictor(
        "run", recommending, "--input", tmp_path / "x.csv", "-v", "--no-freeze", "--threads", "2"
    )
    assert "simple executor, not frozen, 2 threads" in done.stderr


def test_whoever_asks_for_fusion_gets_the_executor_that_fuses(recommending: str) -> None:
    model = kit.load(recommending, configuration=kit.Configuration(fusion=True))
    assert (model.configuration.fusion, model.configuration.executor) == (True, "profiling")


def test_inspect_shows_the_recommendation(
    recommending: str, archive: str, predictor: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    words = str(RECOMMENDED)
    assert main(["inspect", recommending]) == 0
    shown = [line for line in capsys.readouterr().out.splitlines() if line.endswith(words)]
    assert [line.removesuffix(words).strip() for line in shown] == ["run with"]
    assert f"run with    {words}\n" in predictor("inspect", recommending).stdout
    assert "run with" not in predictor("inspect", archive).stdout
    assert "run with" not in str(kit.inspect(archive))


def test_a_recipe_takes_no_other_recommendation() -> None:
    with pytest.raises(UsageError, match=r"configuration is 'fast'; give a kit\.Configuration"):
        kit.Recipe(chain, X, configuration="fast")  # type: ignore[arg-type]


def test_reports_state_the_configuration(
    archive: str, predictor_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, str(predictor_path))
    simple = kit.Configuration(executor="simple", freeze=True)
    assert kit.verify(archive).configuration.executor == "profiling"
    report = kit.verify(archive, configuration=simple)
    assert (report.configuration.executor, report.configuration.freeze) == ("simple", True)
    both = kit.parity(recipe, archive, configuration=simple)
    assert both.configuration == report.configuration
    assert str(both).splitlines()[-2].startswith("torchscript in C++: fusion off, simple executor, frozen")
    assert main(["verify", archive, "--executor", "simple", "--freeze", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["engine"] == "torchscript"
    assert value["configuration"]["executor"] == "simple"
    assert main(["verify", archive]) == 0
    assert f"torchscript in C++: {DEFAULT}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["verify", "--fusion", "on", "--executor", "simple"], "the simple executor fuses nothing"),
        (["verify", "--threads", "0"], "threads is 0"),
        (["verify", "--fusion", "maybe"], "--fusion"),
        (["parity", "--layers", "--freeze"], "--layers runs the program as torch does, not with frozen"),
    ],
)
def test_bad_options(
    archive: str, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *rest = options
    recipes = ["recipe.py:recipe"] if command == "parity" else []
    assert main([command, *recipes, archive, *rest]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_the_predictor_refuses_the_same(archive: str, predictor: Run) -> None:
    for options, message in (
        (["--fusion", "on", "--executor", "simple"], "the simple executor fuses nothing"),
        (["--threads", "0"], "threads is 0"),
        (["--threads", "150000"], "threads is 150000; give 1024 or less"),
        (["--fusion", "maybe"], "--fusion"),
        (["--dynamic-depth", "-1"], "dynamic_depth is -1"),
    ):
        done = predictor("verify", archive, *options)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert message in done.stderr


def test_models_of_one_archive_keep_their_configurations(archive: str) -> None:
    opened = kit.inspect(archive)
    configurations = [
        kit.Configuration(fusion=True, static_depth=1, dynamic_depth=0),
        kit.Configuration(fusion=False),
        kit.Configuration(executor="simple", threads=torch.get_num_threads() + 1),
        kit.Configuration(freeze=True),
    ]
    models = [kit.load(opened, configuration=one) for one in configurations]
    threads = torch.get_num_threads()
    for _ in range(3):
        for rows in (1, 2, 5):
            x = torch.arange(rows * 3.0).reshape(rows, 3) - 4
            for model in models:
                assert torch.equal(model(x), chain(x))
    assert [model.configuration.fusion for model in models] == [True, False, False, False]
    assert torch.get_num_threads() == threads


def run_python(code: str, archive: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import kit, os, torch\nos.environ.update({environment!r})\n{code}", archive],
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


INTEROP = """
import sys
first = kit.load(sys.argv[1], configuration=kit.Configuration(interop_threads=3))
kit.load(sys.argv[1], configuration=kit.Configuration(interop_threads=3))
print(torch.get_num_interop_threads())
try:
    kit.load(sys.argv[1], configuration=kit.Configuration(interop_threads=4))
except kit.UnavailableError as error:
    print(error)
"""


def test_inter_op_threads_are_set_once(archive: str) -> None:
    count, message = run_python(INTEROP, archive).splitlines()
    assert count == "3"
    assert "this process has 3 inter-op threads already, which cannot be changed to 4" in message


FORBIDDEN = """
import sys
try:
    kit.load(sys.argv[1], configuration=kit.Configuration(fusion=True))
except kit.UnavailableError as error:
    print(error)
kit.load(sys.argv[1])(torch.ones(1, 3))
"""


def test_an_environment_that_forbids_fusion_is_named(archive: str) -> None:
    assert UnavailableError.exit_code == 6
    assert "PYTORCH_TENSOREXPR in the environment forbids" in run_python(
        FORBIDDEN, archive, PYTORCH_TENSOREXPR="0"
    )

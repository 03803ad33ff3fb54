"""Archives that hold several methods of a model: inspected, loaded, verified."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

import kit
from kit import cli
from kit.errors import ArchiveError, ArchiveWarning, InputError, ParityError, UsageError
from kit.replay import traced_in_python
from tests.conftest import Run
from tests.several_methods import SEED, Several, write_several

X = torch.tensor([1.0, -2.0, 3.0])
NAMES = ["forward", "encode", "sample"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Several]:
    path = tmp_path_factory.mktemp("several") / "model.pt"
    return path, write_several(path)


@pytest.fixture(scope="module")
def path(model: tuple[Path, Several]) -> Path:
    return model[0]


@pytest.fixture(scope="module")
def differs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The golden cases of `encode` are wrong."""
    path = tmp_path_factory.mktemp("several") / "differs.pt"
    write_several(path, lambda name, output: output + 1 if name == "encode" else output)
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TorchScript file of torch's own, with `forward` and `twice`."""

    class Plain(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + 1

        def twice(self, y: Tensor) -> Tensor:
            return y * 2

    path = tmp_path_factory.mktemp("plain") / "plain.pt"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        torch.jit.trace_module(Plain(), {"forward": (X,), "twice": (X,)}).save(str(path))
    return path


def test_each_is_called_like_the_eager_one(model: tuple[Path, Several]) -> None:
    path, eager = model
    assert torch.equal(kit.load(path)(X[None]), eager(X[None]))
    encode = kit.load(path, method="encode")
    assert (encode.method, encode.name) == ("encode", "several")
    assert torch.equal(encode(X, shift=X), eager.encode(X, X))
    assert encode.signature is not None
    assert [spec.name for spec in encode.signature.inputs] == ["x", "shift"]
    assert repr(encode) == "<kit.Model 'several', method encode, engine torchscript>"
    with pytest.raises(InputError, match=r"wanted float32\[3\]"):
        encode(X[:2], shift=X)


def test_an_opened_archive_can_be_loaded_more_than_once(model: tuple[Path, Several]) -> None:
    archive = kit.inspect(model[0])
    forward, encode = kit.load(archive), kit.load(archive, method="encode")
    assert torch.equal(forward(X[None]), model[1](X[None]))
    del forward
    assert torch.equal(encode(X, shift=X), model[1].encode(X, X))


def test_methods_that_are_not_there(path: Path, plain: Path) -> None:
    for call in (
        lambda: kit.load(path, method="decode"),
        lambda: kit.verify(path, method="decode"),
        lambda: kit.inspect(path).cases("decode"),
    ):
        with pytest.raises(UsageError, match=r"no method 'decode'.*: forward, encode, sample"):
            call()
    with pytest.raises(UsageError, match=r"plain\.pt: its module has no method 'decode'.*: .*twice"):
        kit.load(plain, method="decode")
    with pytest.raises(ArchiveError, match="no golden cases"):
        kit.inspect(plain).cases("twice")


def test_a_plain_file_has_all_that_its_module_has(plain: Path) -> None:
    with pytest.warns(ArchiveWarning):
        twice = kit.load(plain, method="twice")
    assert torch.equal(twice(X), X * 2)
    with pytest.raises(InputError, match=r"takes 1 tensors \(y\)"):
        twice(X, X)


def test_verify_replays_all_of_them_or_one(path: Path) -> None:
    report = kit.verify(path)
    assert report.bit_equal
    assert report.cases == 3
    assert report.methods == tuple(NAMES)
    assert [(row.method, row.output) for row in report.rows] == [
        ("forward", "output"),
        ("encode", "code"),
        ("sample", "output"),
    ]
    assert [row["method"] for row in json.loads(report.to_json())["rows"]] == NAMES
    assert kit.verify(path, method="encode").methods == ("encode",)


def test_a_method_with_random_numbers_is_seeded(model: tuple[Path, Several]) -> None:
    path, eager = model
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert kit.verify(path, method="sample").bit_equal
    assert torch.equal(torch.get_rng_state(), state)

    sample = kit.load(path, method="sample")
    sample.seed(SEED)
    first, second = sample(X), sample(X)
    torch.manual_seed(SEED)
    assert torch.equal(first, eager.sample(X))
    assert torch.equal(second, eager.sample(X))
    assert not torch.equal(first, second)


def test_a_difference_is_told_with_its_method(differs: Path, predictor: Run) -> None:
    report = kit.verify(differs)
    assert [row.method for row in report.rows if not row.differences["torchscript (C++)"].within] == [
        "encode"
    ]
    with pytest.raises(ParityError, match="method 'encode', case 0, output 'code'"):
        report.raise_for_failure()
    assert kit.verify(differs, method="forward").passed
    done = predictor("verify", differs)
    assert done.returncode == 5
    assert "torchscript, method encode differs from eager in case 0, output 'code'" in done.stderr
    assert predictor("verify", differs, "--method", "sample").returncode == 0


def test_plain_torch_runs_them(model: tuple[Path, Several]) -> None:
    path, eager = model
    assert torch.equal(traced_in_python(str(path), "cpu", "encode")([X, X])[0], eager.encode(X, X))


def test_inspect_shows_each(path: Path, predictor: Run) -> None:
    lines = str(kit.inspect(path)).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("  method ")] == NAMES
    assert "  dims        batch in 1..64, tried 1, 2, 64" in lines
    assert f"  cases       1, each with the random seed {SEED}" in lines
    shown = predictor("inspect", path).stdout.splitlines()
    assert [line.split()[1] for line in shown if line.startswith("method ")] == NAMES
    assert "dims        batch  1 to 64, tried 1, 2, 64" in shown
    assert "            shift  float32[3]" in shown
    assert f"cases       1, each with the random seed {SEED}" in shown


def test_predictor_verifies_them(path: Path, predictor: Run) -> None:
    done = predictor("verify", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.partition(":")[0] for line in done.stdout.splitlines() if "bit-equal to eager" in line] == [
        f"torchscript, method {name}" for name in NAMES
    ]
    programs = json.loads(predictor("verify", path, "--all", "--json").stdout)["programs"]
    assert [(one["engine"], one["method"], one["cases"]) for one in programs] == [
        ("torchscript", name, 1) for name in NAMES
    ]
    done = predictor("verify", path, "--method", "decode")
    assert done.returncode == 2
    assert "no method 'decode'" in done.stderr


def test_predictor_runs_one(model: tuple[Path, Several], predictor: Run, folder: Path) -> None:
    path, eager = model
    source, target = folder / "in.safetensors", folder / "out.safetensors"
    safetensors.torch.save_file({"x": X, "shift": X + 1}, source)
    done = predictor("run", path, "--method", "encode", "--input", source, "--output", target)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert torch.equal(safetensors.torch.load_file(target)["code"], eager.encode(X, X + 1))
    done = predictor("run", path, "--method", "decode", "--input", source)
    assert done.returncode == 2
    assert "give one that it has: forward, encode, sample" in done.stderr


def test_the_command_verifies_one(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", str(path), "--method", "encode", "--json"]) == 0
    assert {row["method"] for row in json.loads(capsys.readouterr().out)["rows"]} == {"encode"}
    assert cli.main(["verify", str(path), "--method", "decode"]) == 2
    assert "no method 'decode'" in capsys.readouterr().err

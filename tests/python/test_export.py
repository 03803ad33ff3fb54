"""Export, from a model to a verified archive."""

from __future__ import annotations

import io
import os
import random
import re
import subprocess
import sys
import threading
import warnings
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import kit
from kit.errors import InputError, TraceError, UnavailableError, UsageError
from tests.python.nested_model import Net

X = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
BATCH = {"x": {0: kit.Dim("batch", 1, 64)}}


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.Linear(8, 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def mlp() -> Mlp:
    torch.manual_seed(0)
    return Mlp()


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Fails if training flags, parameters, gradients, devices or the random generators change."""

    def state() -> Any:
        return (
            [part.training for part in model.modules()],
            [(p.requires_grad, p.device, p.data_ptr(), p.grad) for p in model.parameters()],
            {name: value.clone() for name, value in model.state_dict().items()},
            torch.get_rng_state(),
            random.getstate(),
            np.random.get_state(legacy=False)["state"]["key"].copy(),
            torch.is_grad_enabled(),
        )

    before = state()
    yield
    after = state()
    assert before[0] == after[0]
    assert before[1] == after[1]
    assert all(torch.equal(value, after[2][name]) for name, value in before[2].items())
    assert torch.equal(before[3], after[3])
    assert before[4] == after[4]
    assert (before[5] == after[5]).all()
    assert before[6] == after[6]


def test_an_archive_is_what_the_model_is(tmp_path: Path) -> None:
    model = mlp()
    archive = kit.export(model, X, tmp_path / "model.pt", dynamic=BATCH, name="mlp")
    assert archive.path == str(tmp_path / "model.pt")
    manifest = archive.manifest
    assert manifest is not None
    assert manifest.name == "mlp"
    assert manifest.cases == 8
    assert str(manifest.signature.inputs[0]) == "float32[batch, 3]"
    assert manifest.programs[0].torch == torch.__version__.partition("+")[0]
    assert set(manifest.provenance) == {"kit", "torch", "python"}
    program = torch.jit.load(archive.path)
    loaded = kit.load(archive.path)
    assert not program.training
    model.eval()
    with torch.no_grad():
        for size in (1, 2, 33):
            x = torch.randn(size, 3)
            wanted = model(x)
            assert torch.equal(program(x), wanted)
            assert torch.equal(loaded(x), wanted)
    for inputs, outputs in archive.cases():
        assert torch.equal(outputs[0], model(inputs[0]))


def test_the_model_and_the_generators_are_as_before(tmp_path: Path) -> None:
    model = mlp().train()
    model.layers[3].eval()
    model.layers[0].weight.requires_grad_(False)
    with unchanged(model):
        kit.export(model, X, tmp_path / "model.pt", dynamic=BATCH)


@pytest.mark.parametrize(
    "broken",
    [
        {"dynamic": {"x": {1: kit.Dim("n", 1, 5)}}},  # the model fails for other sizes
        {"dynamic": {"y": {}}},
        {"cases": [X[:, :1]]},
        {"names": {"outputs": ["a", "b"]}},
        {"tolerances": {"float32": "none"}},
    ],
)
def test_also_after_an_error(tmp_path: Path, broken: dict[str, Any]) -> None:
    model = mlp().train()
    with unchanged(model), pytest.raises(kit.Error):
        kit.export(model, X, tmp_path / "model.pt", **broken)
    assert list(tmp_path.iterdir()) == []


class Counting(nn.Module):
    """Keeps a count of its calls, in a buffer and on itself."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Tensor
        self.register_buffer("calls", torch.zeros(()))
        self.last: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.last = x
        return x + self.calls


def test_buffers_are_as_before_after_a_refusal(tmp_path: Path) -> None:
    model = Counting().train()
    buffer = model.calls
    with unchanged(model), pytest.raises(TraceError, match=r"test_export\.py:\d+: `self\.calls \+= 1`"):
        kit.export(model, X, tmp_path / "model.pt")
    assert model.calls is buffer
    assert buffer.item() == 0


def test_a_recipe_that_seeds_does_not_seed_its_caller(tmp_path: Path) -> None:
    def recipe() -> kit.Recipe:
        random.seed(0)
        np.random.seed(0)
        return kit.Recipe(mlp(), X)

    with unchanged(nn.Linear(1, 1)):
        kit.export(recipe, path=tmp_path / "model.pt")


def test_recipes_of_every_kind(tmp_path: Path) -> None:
    recipe = kit.Recipe(mlp(), X, name="given")
    path = tmp_path / "model.pt"
    for one in (recipe, lambda: recipe):
        archive = kit.export(one, path=path, cases=2)
        assert archive.manifest is not None
        assert (archive.manifest.name, archive.manifest.cases) == ("given", 2)
    source = tmp_path / "by_path.py"
    source.write_text("import kit, torch\ndef recipe(): return kit.Recipe(torch.nn.ReLU(), torch.ones(2))\n")
    archive = kit.export(f"{source}:recipe", path=path)
    assert archive.manifest is not None
    assert archive.manifest.name == "ReLU"


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    paths = [tmp_path / "one.pt", tmp_path / "elsewhere" / "two.pt"]
    paths[1].parent.mkdir()
    for path in paths:
        torch.manual_seed(0)
        kit.export(Net(), torch.ones(2, 3), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_nothing_of_this_machine_is_in_the_bytes(tmp_path: Path) -> None:
    kit.export(Net(), torch.ones(2, 3), tmp_path / "model.pt")
    data = (tmp_path / "model.pt").read_bytes()
    for place in (tmp_path, Path(__file__).parent, Path.cwd(), Path(torch.__file__).parent, Path.home()):
        assert str(place).encode() not in data
    assert os.uname().nodename.encode() not in data


def test_other_processes_write_the_same_bytes(tmp_path: Path) -> None:
    source = tmp_path / "a_recipe.py"
    source.write_text(
        "import kit, torch\n"
        "class Mine(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.layers = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 1))\n"
        "    def forward(self, x): return self.layers(x)\n"
        "def recipe():\n"
        "    torch.manual_seed(0)\n"
        "    return kit.Recipe(Mine(), torch.ones(1, 3), dynamic={'x': {0: kit.Dim('batch', 0, 9)}})\n"
    )
    (tmp_path / "cwd").mkdir()
    kit.export(f"{source}:recipe", path=tmp_path / "here.pt")
    environment = {**os.environ, "PYTHONPATH": str(Path(kit.__file__).parents[1]), "PYTHONHASHSEED": "77"}
    environment.pop("SOURCE_DATE_EPOCH", None)
    command = [sys.executable, "-W", "always", "-m", "kit.export", "../a_recipe.py:recipe", "-o", "there.pt"]
    done = subprocess.run(
        command, cwd=tmp_path / "cwd", env=environment, capture_output=True, text=True, check=True
    )
    assert (tmp_path / "cwd" / "there.pt").read_bytes() == (tmp_path / "here.pt").read_bytes()
    ours = [
        line for line in done.stderr.splitlines() if "kit" in line or "torch.jit" in line or "runpy" in line
    ]
    assert ours == []  # no warning of torch's deprecation, of runpy's or of ours
    assert re.match(r"there\.pt  \d+\.\d KiB\n  signature  \(x: float32\[batch, 3\]\) → ", done.stdout)
    assert "difference 0 (bit-equal) from eager" in done.stdout


def test_the_time_of_making_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    manifest = kit.export(mlp(), X, tmp_path / "model.pt").manifest
    assert manifest is not None
    assert manifest.provenance["created"] == "2023-11-14T22:13:20Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH=yesterday"):
        kit.export(mlp(), X, tmp_path / "model.pt")


def shape_baked_in(x: Tensor) -> Tensor:
    """Stands for a trace that keeps the size of its example, of which torch does not always warn."""
    return x + 2 if torch._C._is_tracing() else x + x.shape[0]


def test_a_program_that_differs_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_text("old")
    with pytest.raises(TraceError) as raised:
        kit.export(shape_baked_in, X, path, dynamic=BATCH)
    assert re.match(
        r"case 1 \(batch = 1\), output 'output': traced in Python differs from eager: .*no archive was",
        str(raised.value),
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.pt"]
    assert path.read_text() == "old"


def test_a_model_that_cannot_be_traced_at_another_size_is_not_written(tmp_path: Path) -> None:
    def model(x: Tensor) -> Tensor:
        return x.view(2, 3) if torch._C._is_tracing() else x

    with pytest.raises(TraceError, match=r"test_export\.py:\d+: it cannot be traced: RuntimeError: shape"):
        kit.export(model, X, tmp_path / "model.pt", dynamic=BATCH)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_random_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"draws random numbers, .* \[random\]"):
        kit.export(lambda x: x + torch.rand_like(x), X, tmp_path / "model.pt")


def test_a_wider_tolerance_is_kept_in_the_archive(tmp_path: Path) -> None:
    archive = kit.export(mlp(), X, tmp_path / "model.pt", tolerances={torch.float32: (0.5, 0.25)})
    assert archive.manifest is not None
    assert archive.manifest.tolerances == {"float32": kit.Tolerance(0.5, 0.25)}


def test_control_flow_on_values_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"test_export\.py:\d+: .*depends on the values of input 'x'"):
        kit.export(lambda x: x if x.sum() > 0 else -x, X, tmp_path / "model.pt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3,), UsageError, "takes a model or a recipe, not a int"),
        ((kit.Recipe(nn.ReLU(), X), X), UsageError, "a recipe has its own example"),
        (("no_such.py:recipe",), UsageError, "no such recipe file"),
    ],
)
def test_what_is_no_model(
    tmp_path: Path, arguments: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        kit.export(arguments[0], arguments[1] if len(arguments) > 1 else None, tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("known", "error", "message"),
    [
        ({"programs": ["native"], "targets": ["x86-64-v5"]}, UsageError, "there is no target 'x86-64-v5'"),
        (
            {"programs": ["native"], "targets": ["cuda:sm_90"]},
            UsageError,
            "native programs run on a CPU alone",
        ),
        ({"targets": ["x86-64-v3"]}, UsageError, "add the program native or aoti"),
        ({"programs": ["native"], "targets": "x86-64-v3"}, UsageError, "give a list"),
        ({"programs": ["onnx"]}, UsageError, "there is no program 'onnx'"),
        ({"programs": []}, UsageError, "give a list of names"),
        ({"programs": "torchscript"}, UsageError, "give a list of names"),
        ({"device": "tpu"}, UsageError, "'tpu' is no device"),
        ({"device": "cuda:99"}, UnavailableError, "the device cuda:99 is not here"),
        ({"cases": [X.double()]}, InputError, "case 0 of the recipe"),
    ],
)
def test_arguments_that_are_wrong(
    tmp_path: Path, known: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        kit.export(mlp(), X, tmp_path / "model.pt", **known)
    assert list(tmp_path.iterdir()) == []


def test_a_bad_destination_is_told_before_the_recipe_runs(tmp_path: Path) -> None:
    def recipe() -> kit.Recipe:
        raise AssertionError("it ran")

    with pytest.raises(UsageError, match="does not exist"):
        kit.export(recipe, path=tmp_path / "no" / "model.pt")


def test_weights_that_are_shared_are_stored_once(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(100, 100)
            self.b = nn.Linear(100, 100)
            self.b.weight = self.a.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x))

    archive = kit.export(Tied(), torch.ones(1, 100), tmp_path / "model.pt", cases=1)
    assert archive.manifest is not None
    sizes = [member.size for member in archive.manifest.members if member.name.startswith("data/")]
    assert sorted(sizes) == [400, 400, 40000]


def test_the_export_command_is_the_function_too(tmp_path: Path) -> None:
    code = (
        "import kit.export, torch\n"
        f"kit.export(torch.nn.ReLU(), torch.ones(2), {str(tmp_path / 'model.pt')!r})\n"
        "from kit import export\n"
        "assert callable(export) and callable(kit.parity) and callable(kit.verify)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(kit.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert zipfile.is_zipfile(io.BytesIO((tmp_path / "model.pt").read_bytes()))


def test_an_export_within_inference_mode(folder: Path) -> None:
    x = torch.randn(4, 3)
    with torch.inference_mode():
        model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).eval()
        loaded = kit.load(kit.export(model, x + 0, folder / "model.pt"))
        assert torch.is_inference_mode_enabled()
        torch.testing.assert_close(loaded(x), model(x))
        with pytest.raises(TraceError, match=r"\[value-branch\]"):
            kit.export(lambda x: x if x.sum() > 0 else -x, x + 0, folder / "other.pt")


def test_exports_in_several_threads_take_turns(tmp_path: Path) -> None:
    before = dict(vars(Tensor)), torch.equal, threading.Thread.start
    start = threading.Barrier(4)
    stop = threading.Event()

    def export(index: int) -> Any:
        start.wait()
        if index % 2:
            return kit.lint(lambda x: x if x.sum() > 0 else -x, X)
        archive = kit.export(nn.Linear(2, index + 1), X[:, :2], tmp_path / f"{index}.pt")
        return kit.load(archive)(X[:, :2]).shape

    def use() -> int:
        count = 0
        while not stop.is_set():
            traced = torch.jit.trace(lambda x: x * 2 + x.data, torch.ones(2), check_trace=False)
            assert traced(torch.zeros(2)).tolist() == [1.0, 1.0]  # the data is a constant, as ever
            assert f"{torch.ones(()).item()}" == "1.0"
            count += 1
        return count

    with ThreadPoolExecutor(5) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        used = pool.submit(use)
        try:
            results = list(pool.map(export, range(4)))
        finally:
            stop.set()
        assert used.result() > 0
    assert [len(found) for found in results[1::2]] == [1, 1]
    assert results[0::2] == [(2, 1), (2, 3)]
    assert (dict(vars(Tensor)), torch.equal, threading.Thread.start) == before

"""Several methods of a model in one archive: exported, run in Python and in C++, verified."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional

import kit
from kit.errors import TraceError, UsageError
from kit.exporter import export_with_report
from kit.recipe import Recipe
from kit.summary import summary
from tests.conftest import Run

X = torch.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0], [2.0, 2.0, -6.0]])
BATCH = {"x": {0: kit.Dim("batch", 2, 64)}}


class Net(nn.Module):
    """A large weight, so that it shows if it is stored twice; norm and dropout, which training changes."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Linear(3, 5000)
        self.narrow = nn.Linear(5000, 4)
        self.norm = nn.BatchNorm1d(4)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.norm(self.encode(x)))

    def encode(self, x: Tensor) -> Tensor:
        return self.narrow(self.wide(x).tanh())

    def decode(self, code: Tensor, scale: float, *, mask: Tensor) -> dict[str, Tensor]:
        back = code @ self.narrow.weight[:, :3]
        return {"points": back * scale, "kept": mask}


def net() -> Net:
    torch.manual_seed(0)
    model = Net()
    with torch.no_grad():
        model.norm.running_mean.fill_(0.5)  # type: ignore[union-attr]
    return model


def recipe(model: nn.Module | None = None, **known: Any) -> Recipe:
    methods = {
        "encode": kit.Method(X, dynamic=BATCH, cases=3),
        "decode": kit.Method(
            (torch.ones(2, 4), 2.0), {"mask": torch.tensor([True, False])}, scalars=["scale"], cases=2
        ),
    }
    known = {"methods": methods, "cases": 4, **known}
    return Recipe(net() if model is None else model, X, dynamic=BATCH, name="net", **known)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> kit.Archive:
    return kit.export(recipe(), path=tmp_path_factory.mktemp("methods") / "model.pt")


def test_each_has_a_signature_and_cases_of_its_own(archive: kit.Archive) -> None:
    assert archive.manifest is not None
    assert [(one.name, one.cases) for one in archive.manifest.methods] == [
        ("forward", 4),
        ("decode", 2),
        ("encode", 3),
    ]
    decode = archive.manifest.method("decode").signature
    assert [(spec.name, str(spec)) for spec in decode.inputs] == [
        ("code", "float32[2, 4]"),
        ("scale", "float64[]"),
        ("mask", "bool[2]"),
    ]
    assert [spec.name for spec in decode.outputs] == ["points", "kept"]
    assert decode.dims == ()
    assert archive.manifest.method("encode").tried == {"batch": (2, 3, 5, 11, 64)}


def test_each_is_called_like_the_eager_one(archive: kit.Archive) -> None:
    model = net().eval()
    code, mask = torch.randn(2, 4), torch.tensor([False, False])
    with torch.no_grad():
        assert torch.equal(kit.load(archive)(X[:2]), model(X[:2]))
        assert torch.equal(kit.load(archive, method="encode")(X[:2]), model.encode(X[:2]))
        actual = kit.load(archive, method="decode")(code, scale=-3.0, mask=mask)
        wanted = model.decode(code, -3.0, mask=mask)
    assert torch.equal(actual["points"], wanted["points"])
    assert torch.equal(actual["kept"], mask)


def test_torch_loads_them_without_kit(archive: kit.Archive, tmp_path: Path) -> None:
    code = (
        "import sys, torch\n"
        "model = torch.jit.load(sys.argv[1])\n"
        "torch.save([model(torch.ones(2, 3)), model.encode(torch.ones(2, 3))], sys.argv[2])\n"
        "assert 'kit' not in sys.modules\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-W", "ignore", "-c", code, archive.path, str(tmp_path / "out")]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    forward, encode = torch.load(tmp_path / "out")
    model = net().eval()
    assert torch.equal(forward, model(torch.ones(2, 3)))
    assert torch.equal(encode, model.encode(torch.ones(2, 3)))


def test_predictor_runs_and_verifies_them(archive: kit.Archive, predictor: Run, folder: Path) -> None:
    source, target = folder / "in.safetensors", folder / "out.safetensors"
    safetensors.torch.save_file({"x": X}, source)
    options = ("--input", source, "--output", target, "--threads", str(torch.get_num_threads()))
    done = predictor("run", archive.path, "--method", "encode", *options)
    assert (done.returncode, done.stderr) == (0, "")
    with torch.no_grad():
        assert torch.equal(safetensors.torch.load_file(target)["output"], net().encode(X))
    done = predictor("verify", archive.path)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("forward", "decode", "encode"):
        assert f"torchscript, method {name}: " in done.stdout


def test_predictor_reads_rows_for_one(archives: Path, predictor: Run) -> None:
    path = archives / "methods.pt"
    rows = [[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0], [7.0, 7.0, 7.0]]
    text = "".join(",".join(map(str, row)) + "\n" for row in rows)
    for method, columns in (("hidden", 16), ("forward", 1)):
        options = ("--method", method, "--input", "-", "--format", "csv", "--batch", "2")
        done = predictor("run", path, *options, stdin=text)
        assert (done.returncode, done.stderr) == (0, "")
        values = [list(map(float, line.split(","))) for line in done.stdout.splitlines()[-3:]]
        wanted = kit.load(path, method=method)(torch.tensor(rows))
        assert wanted.shape == (3, columns)
        torch.testing.assert_close(torch.tensor(values), wanted)


def test_weights_are_stored_once(archive: kit.Archive, tmp_path: Path) -> None:
    alone = kit.export(recipe(methods={}), path=tmp_path / "alone.pt")
    assert archive.manifest is not None
    assert alone.manifest is not None
    weights = [
        [one.size for one in manifest.members if one.name.startswith("data/") and one.size > 1000]
        for manifest in (archive.manifest, alone.manifest)
    ]
    assert sorted(weights[0]) == sorted(weights[1]) == [20000, 60000, 80000]


def test_the_same_bytes_each_time(archive: kit.Archive, tmp_path: Path) -> None:
    again = kit.export(recipe(), path=tmp_path / "again.pt")
    assert Path(again.path).read_bytes() == Path(archive.path).read_bytes()


def test_the_summary_tells_them_apart(tmp_path: Path) -> None:
    done = export_with_report(recipe(), path=tmp_path / "model.pt")
    lines = summary(done).splitlines()
    assert "  signature  encode(x: float32[batch, 3]) → (output: float32[batch, 4]); batch in 2..64" in lines
    replayed = "replayed: traced in Python, torchscript (C++)"
    assert f"  cases      forward 4, decode 2, encode 3, {replayed}" in lines


def training(**known: Any) -> Recipe:
    methods = {"learn": kit.Method(X, dynamic=BATCH, call="forward", training=True, cases=3)}
    return recipe(methods=methods, **known)


def test_dropout_in_training_mode_must_be_allowed(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"dropout is recorded as in training.*\[training-mode\]"):
        kit.export(training(), path=tmp_path / "model.pt")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def learning(tmp_path_factory: pytest.TempPathFactory) -> kit.Archive:
    path = tmp_path_factory.mktemp("learning") / "model.pt"
    return kit.export(training(allow=["training-mode:dropout"], seed=5), path=path)


def seeded(model: Any, x: Tensor) -> Tensor:
    torch.manual_seed(5)
    with torch.no_grad():
        result: Tensor = model(x)
    return result


def test_a_method_in_training_mode_uses_the_batch_and_drops(learning: kit.Archive) -> None:
    model = net().train()
    model.norm.momentum = 0.0
    wanted = seeded(model, X)
    assert (wanted == 0).any()
    learn = kit.load(learning, method="learn")
    learn.seed(5)
    assert torch.equal(learn(X), wanted)
    assert torch.equal(seeded(torch.jit.load(learning.path).learn, X), wanted)
    with torch.no_grad():
        assert torch.equal(kit.load(learning)(X), model.eval()(X))


def test_only_what_is_random_has_a_seed(learning: kit.Archive, predictor: Run) -> None:
    assert learning.manifest is not None
    assert learning.manifest.method("learn").seed == 5
    assert learning.manifest.method("forward").seed is None
    report = kit.verify(learning.path)
    assert report.bit_equal
    assert report.methods == ("forward", "learn")
    for (x,), (wanted,) in learning.cases("learn"):
        assert torch.equal(seeded(torch.jit.load(learning.path).learn, x), wanted)
    done = predictor("verify", learning.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"torchscript, method learn: .*bit-equal to eager", done.stdout)


def test_the_model_is_as_before(tmp_path: Path) -> None:
    model = net().train()
    model.drop.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    flags = [part.training for part in model.modules()]
    methods = training().methods
    kit.export(recipe(model, methods=methods, allow=["training-mode"]), path=tmp_path / "model.pt")
    assert [part.training for part in model.modules()] == flags
    assert model.norm.track_running_stats
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    with torch.no_grad():
        model(X)
    assert not torch.equal(model.norm.running_mean, before["norm.running_mean"])  # type: ignore[arg-type]


def test_what_is_allowed_and_not_there_leaves_no_seed(tmp_path: Path) -> None:
    archive = kit.export(nn.Linear(3, 2), X, tmp_path / "model.pt", allow=["random", "training-mode"])
    assert archive.manifest is not None
    assert archive.manifest.method("forward").seed is None


class Normed(nn.Module):
    """By the batch at hand, and dropped with a probability."""

    mean: Tensor

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        normed = functional.batch_norm(x, self.mean.clone(), self.mean + 1, training=True)
        return functional.dropout(normed, self.probability)


def test_a_norm_that_is_allowed_draws_nothing_and_can_be_compiled(tmp_path: Path) -> None:
    path, allow = tmp_path / "model.pt", ["training-mode:batch_norm"]
    archive = kit.export(Normed(0), X, path, allow=allow, programs=("native",))
    assert archive.manifest is not None
    assert archive.manifest.method("forward").seed is None
    found = kit.load(path, engine="native")(X)
    torch.testing.assert_close(found, functional.batch_norm(X, None, None, training=True))


def test_dropout_beside_a_norm_draws_and_cannot_be_compiled(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="'forward' draws random numbers"):
        kit.export(Normed(0.5), X, tmp_path / "model.pt", allow=["training-mode"], programs=("native",))


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"translate": kit.Method(X)}, "the model has no method 'translate' to export as 'translate'"),
        ({"a": kit.Method(X, call="b")}, "the model has no method 'b' to export as 'a'"),
        ({"norm": X}, r"methods\['norm'\] is a Tensor; give a kit.Method"),
        ({"forward": kit.Method(X)}, "a method cannot be called 'forward'"),
        ({"train": kit.Method(X, call="encode")}, "a method cannot be called 'train'"),
        ({"two words": kit.Method(X, call="encode")}, "a method cannot be called 'two words'"),
        ({"encode": kit.Method((X, X))}, "the recipe's arguments do not fit the model: too many"),
    ],
)
def test_methods_that_are_none(tmp_path: Path, methods: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        kit.export(recipe(methods=methods), path=tmp_path / "model.pt")
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_function_has_no_methods() -> None:
    with pytest.raises(UsageError, match="the model has no method 'encode'"):
        Recipe(torch.sin, X, methods={"encode": kit.Method(X)}).by_method()


def test_a_recipe_for_each() -> None:
    found = recipe(seed=3).by_method()
    assert list(found) == ["forward", "decode", "encode"]
    assert {one.name for one in found.values()} == {"net"}
    assert {one.seed for one in found.values()} == {3}
    assert found["encode"].model == found["forward"].model.encode
    assert found["decode"].scalars == ("scale",)
    assert not any(one.methods for one in found.values())

"""Adopting TorchScript files from elsewhere: traced, scripted, written by other tools, and not fit at all."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import kit
from kit import cli
from kit.adopting import adopt, adopt_with_report, parse_dims
from kit.errors import ArchiveError, TraceError, UsageError
from tests.conftest import Run

X = torch.linspace(-2, 2, 12).reshape(4, 3)
BATCH = {"x": {0: kit.Dim("batch", 1, 64)}}


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.dropout = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.linear(x)) + torch.arange(4)


class Branching(nn.Module):
    """Has what only scripting keeps: a branch, a loop over a list, an optional input, a dict of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.dropout = nn.Dropout(0.3)

    def forward(
        self,
        x: Tensor,
        boxes: list[Tensor],
        options: dict[str, Tensor],
        k: int = 2,
        mask: Tensor | None = None,
    ) -> dict[str, Tensor]:
        if bool(x.sum() > 0):
            x = x * k
        y = self.dropout(self.linear(x))
        for box in boxes:
            y = y + box
        if mask is not None:
            y = y * mask
        return {"y": y + options["a"], "z": options["b"] * 2}


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x + self.calls


def traced(model: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(model, X, check_trace=False).save(str(path))
    return path


def scripted(model: nn.Module, path: Path) -> Path:
    torch.jit.script(model).save(str(path))
    return path


def test_a_traced_file(folder: Path, predictor: Run) -> None:
    torch.manual_seed(0)
    model = Plain().eval()
    old = traced(model, folder / "old.pt")
    archive = adopt(old, {"x": X}, folder / "new.pt", dynamic=BATCH)
    signature = archive.signature
    assert signature is not None
    assert [str(spec) for spec in signature.inputs] == ["float32[batch, 3]"]
    assert signature.inputs[0].name == "x"
    assert archive.manifest is not None
    assert archive.manifest.name == "old"
    with torch.no_grad():
        assert torch.equal(kit.load(folder / "new.pt")(X[:3]), model(X[:3]))
        assert torch.equal(kit.load(folder / "new.pt")(x=X[:3]), model(X[:3]))
    assert predictor("verify", folder / "new.pt").returncode == 0


def test_the_old_file_runs_as_it_is_with_a_warning(folder: Path, predictor: Run) -> None:
    old = traced(Plain().eval(), folder / "old.pt")
    (folder / "x.jsonl").write_text('{"x": [[1, 2, 3]]}\n')
    done = predictor("run", old, "--input", folder / "x.jsonl")
    assert done.returncode == 0, done.stderr
    assert "no manifest" in done.stderr
    assert "can be checked" in done.stderr


def test_a_scripted_file_keeps_its_branches(folder: Path) -> None:
    torch.manual_seed(0)
    model = Branching().eval()
    old = scripted(model, folder / "old.pt")
    example = {
        "x": X,
        "boxes.0": torch.ones(4),
        "boxes.1": torch.full((4,), 2.0),
        "options.a": torch.ones(4),
        "options.b": torch.ones(2),
        "k": torch.tensor(3),
    }
    adopt(old, example, folder / "new.pt", dynamic=BATCH)
    adopted = kit.load(folder / "new.pt")
    signature = adopted.signature
    assert signature is not None
    assert [spec.name for spec in signature.inputs] == ["x", "boxes.0", "boxes.1", "options.a", "options.b"]
    assert [spec.name for spec in signature.outputs] == ["y", "z"]
    options = {"a": torch.zeros(4), "b": torch.ones(2)}
    for x in (X[:1] - 5, X[:2] + 5):
        boxes = [torch.ones(4), torch.zeros(4)]
        with torch.no_grad():
            wanted = model(x, boxes, options, 3)
        actual = adopted(x, boxes, options, 3)
        assert torch.equal(actual["y"], wanted["y"])
        assert torch.equal(actual["z"], wanted["z"])


def test_a_file_of_kits_and_one_without_python_classes(folder: Path, root: Path) -> None:
    adopt(root / "tests/data/archives/format-1.pt", {"x": X}, folder / "again.pt")
    assert kit.verify(folder / "again.pt").passed
    # What is written by an API other than Python's has one class, made by hand in a compilation unit.
    make: Any = torch._C.ScriptModule
    native = make("net", torch._C.CompilationUnit(), False)
    record = native._create_method_from_trace
    record("forward", lambda x: x * 2 + torch.arange(3), (X,), lambda _: "", True, False, ["x"], False)
    native.save(str(folder / "native.pt"))
    adopt(folder / "native.pt", {"x": X}, folder / "new.pt", dynamic=BATCH)
    assert torch.equal(kit.load(folder / "new.pt")(X[:1]), X[:1] * 2 + torch.arange(3))


def test_devices_follow_the_inputs(folder: Path) -> None:
    old = traced(Plain().eval(), folder / "old.pt")
    adopt(old, {"x": X}, folder / "new.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.jit.load(folder / "new.pt", map_location="meta")
    assert "prim.device(" in program.code
    assert program(X.to("meta")).is_meta


@pytest.mark.parametrize(
    ("model", "rule"), [(Plain().train(), "training-mode"), (Counting(), "mutated-buffer")]
)
def test_the_guards_look_at_the_graph(model: nn.Module, rule: str, folder: Path) -> None:
    old = traced(model, folder / "old.pt") if rule == "training-mode" else scripted(model, folder / "old.pt")
    with pytest.raises(TraceError, match=rf"\[{rule}\]"):
        adopt(old, {"x": X}, folder / "new.pt")
    assert not (folder / "new.pt").exists()


class Functional(nn.Module):
    """Functions that have a way in place, and one for training, of which neither is taken."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(F.relu(x) + F.leaky_relu(x), 0.5, self.training)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.Sequential(nn.BatchNorm1d(3), nn.ReLU(inplace=True)), (4, 3)),
        (lambda: nn.TransformerEncoderLayer(3, 1, 4, batch_first=True), (2, 4, 3)),
        (Functional, (4, 3)),
    ],
    ids=["norm", "encoder", "functional"],
)
def test_what_a_scripted_file_does_in_training_is_none_of_its_faults(
    make: Callable[[], nn.Module], shape: tuple[int, ...], folder: Path
) -> None:
    model = make().eval()
    name = next(iter(inspect.signature(model.forward).parameters))
    x = torch.randn(shape)
    path = scripted(model, folder / "old.pt")
    archive = adopt(path, {name: x}, folder / "new.pt", dynamic={name: {0: kit.Dim("batch", 1, 8)}})
    with torch.no_grad():
        torch.testing.assert_close(kit.load(archive.path)(x), model(x))


class Defaults(nn.Module):
    """Of what is not given, one argument decides."""

    def forward(self, x: Tensor, scale: float = 2.0, mask: Tensor | None = None, n: int = 2) -> Tensor:
        if mask is not None:
            x *= mask
        return x * scale + n


def test_default_arguments_of_a_scripted_file_are_kept(folder: Path) -> None:
    path = scripted(Defaults(), folder / "old.pt")
    assert torch.equal(kit.load(adopt(path, {"x": X}, folder / "new.pt", dynamic=BATCH))(X * 2), X * 4 + 2)
    model = torch.jit.script(Defaults())
    assert torch.equal(kit.load(kit.export(model, X, folder / "own.pt", dynamic=BATCH))(X * 2), X * 4 + 2)
    with pytest.raises(TraceError, match=r"\[mutated-input\]"):
        adopt(path, {"x": X, "mask": X}, folder / "masked.pt")


class OnlyIfLarge(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if bool(x.max() > 1e6):
            x.mul_(2)
        return x + 1


def test_what_a_scripted_file_does_for_some_values_is_looked_at(folder: Path) -> None:
    with pytest.raises(TraceError, match="mul_ changes the input 'x' in place"):
        adopt(scripted(OnlyIfLarge(), folder / "old.pt"), {"x": X}, folder / "new.pt")


def test_a_size_that_was_baked_in_is_found(folder: Path) -> None:
    class Baked(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.ones(int(x.shape[0]), 1)

    old = traced(Baked(), folder / "old.pt")
    message = (
        r"test_adopting\.py:\d+: `return x \+ torch.ones.* fails for batch = 3: RuntimeError: "
        r"The size of tensor a .*\[baked-size\]"
    )
    with pytest.raises(TraceError, match=message):
        adopt(old, {"x": X}, folder / "new.pt", dynamic=BATCH)
    adopt(old, {"x": X}, folder / "new.pt")  # for this very size it is right


@pytest.mark.parametrize(
    ("example", "message"),
    [
        ({"y": X}, r"the example has no 'x', which .*old\.pt takes as Tensor"),
        ({"x": X, "k": X}, r"the example has 'k', which .*old\.pt does not take; its inputs are x"),
        ({}, r"the example has no 'x'"),
    ],
)
def test_examples_that_do_not_fit(example: dict[str, Tensor], message: str, folder: Path) -> None:
    old = traced(Plain().eval(), folder / "old.pt")
    with pytest.raises(UsageError, match=message):
        adopt(old, example, folder / "new.pt")


class Encoding(nn.Module):
    """Has a method beside forward, and one that forward calls."""

    def halved(self, x: Tensor) -> Tensor:
        return x / 2

    def forward(self, x: Tensor) -> Tensor:
        return self.halved(x) + 1

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        return self.halved(x)


def test_a_method_that_is_left_out_is_noted(folder: Path) -> None:
    old = scripted(Encoding(), folder / "old.pt")
    done = adopt_with_report(old, {"x": X}, folder / "new.pt")
    assert done.notes == ("the method 'encode' is not in the archive, which has forward alone",)
    assert done.archive.manifest is not None
    assert [method.name for method in done.archive.manifest.methods] == ["forward"]


class Drawing(nn.Module):
    def forward(self, x: Tensor, unused: Tensor) -> Tensor:
        return x + torch.rand_like(x)


def test_all_findings_are_listed(folder: Path) -> None:
    old = scripted(Drawing(), folder / "old.pt")
    with pytest.raises(
        TraceError, match=r"rand_like draws .* \[random\]; and .*'unused'.* \[unused-input\]$"
    ):
        adopt(old, {"x": X, "unused": X}, folder / "new.pt")


def test_files_that_are_none(folder: Path) -> None:
    (folder / "text.pt").write_text("no archive")
    torch.save(Plain().state_dict(), folder / "weights.pt")
    for name in ("text.pt", "weights.pt", "missing.pt"):
        with pytest.raises(ArchiveError, match=name):
            adopt(folder / name, {"x": X}, folder / "new.pt")
    with pytest.raises(UsageError, match=r"no\.safetensors: the example cannot be read"):
        adopt(traced(Plain().eval(), folder / "old.pt"), folder / "no.safetensors", folder / "new.pt")


def test_what_is_read_is_never_overwritten(folder: Path) -> None:
    old = traced(Plain().eval(), folder / "old.pt")
    safetensors.torch.save_file({"x": X}, folder / "x.safetensors")
    (folder / "link.pt").symlink_to(old)
    before = old.read_bytes(), (folder / "x.safetensors").read_bytes()
    for output in ("old.pt", "link.pt", "x.safetensors"):
        with pytest.raises(UsageError, match=rf"{output}: it is read, and would be replaced; name another"):
            adopt(old, folder / "x.safetensors", folder / output)
    assert (old.read_bytes(), (folder / "x.safetensors").read_bytes()) == before


def test_parse_dims() -> None:
    assert parse_dims(["x:0=batch:1..64", "x:-1=time", "a.0:1=batch:1..64"]) == {
        "x": {0: kit.Dim("batch", 1, 64), -1: kit.Dim("time")},
        "a.0": {1: kit.Dim("batch", 1, 64)},
    }
    for text in ("x", "x:0", "x=batch", "x:a=batch", "x:0=batch:1-2"):
        with pytest.raises(UsageError, match="is no dim; write INPUT:AXIS=NAME"):
            parse_dims([text])


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = traced(Plain().eval(), folder / "old.pt")
    safetensors.torch.save_file({"x": X}, folder / "x.safetensors")
    command = ["adopt", str(old), "--example", str(folder / "x.safetensors"), "-o", str(folder / "new.pt")]
    assert cli.main([*command, "--dim", "x:0=batch:1..64", "--name", "renamed"]) == 0
    assert "float32[batch, 3]" in capsys.readouterr().out
    manifest = kit.inspect(folder / "new.pt").manifest
    assert manifest is not None
    assert manifest.name == "renamed"
    assert cli.main([*command, "--dim", "x"]) == 2
    assert cli.main([command[0], str(folder / "x.safetensors"), *command[2:]]) == 3
    assert cli.main([*command, "--allow", "value-branch"]) == 2

"""Where the weights of an aoti program are: beside its shared object, from where they are mapped."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

import kit
from kit.errors import InputError, InternalError, UnavailableError
from kit.programs import aoti
from kit.programs.constant_table import constant_table
from tests import aoti_archive
from tests.aoti_archive import agree

TARGET = "x86-64-v2"


class Odd(nn.Module):
    """Weights that are parts of others, have strides or no elements, and one that is an output."""

    turned: Tensor
    none: Tensor
    flag: Tensor

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.linear = nn.Linear(64, 32)
            self.other = nn.Linear(32, 33).double()
        self.part = nn.Parameter(self.linear.weight.detach()[1:, 1::2])
        self.register_buffer("turned", torch.linspace(0, 1, 96).view(3, 32).t())
        self.register_buffer("none", torch.zeros(0, 4))
        self.register_buffer("flag", torch.tensor(True))
        self.table = torch.linspace(-1, 1, 40)[8:]  # which no file of weights has

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = torch.tanh(self.linear(x)) * self.flag + self.table
        some = (hidden @ self.turned).mean() + (hidden[:, :31] @ self.part).mean() + self.none.sum()
        return hidden + some + torch.tensor([0.5]), self.other(x[:, ::2].double()), self.linear.bias


def export(folder: Path) -> tuple[Odd, Path]:
    model = Odd().eval()
    path = folder / "odd.pt"
    recipe = kit.Recipe(model, args=(torch.randn(2, 64),), allow=("constant-output:output.2",))
    kit.export(recipe, path=path, programs=("torchscript", "aoti"), targets=(TARGET,))
    return model, path


def package_of(path: Path) -> bytes:
    manifest = kit.inspect(path).manifest
    assert manifest is not None
    return bytes(kit.inspect(path).member(manifest.programs[-1].methods["forward"].member))


def graph(**constants: Tensor) -> Any:
    return SimpleNamespace(constants=constants, get_original_value_of_constant=constants.__getitem__)


def test_the_table_says_what_each_constant_is() -> None:
    weight = torch.arange(40.0).view(4, 10)
    constants = graph(part=weight[1:, ::2], none=torch.zeros(0, 2), weight=weight, one=torch.tensor(7))
    held = weight.numpy().tobytes()
    weights = held + bytes(32) + held + bytes(32) + struct.pack("<q", 7)
    assert json.loads(constant_table(constants, weights)) == [
        ["part", [3, 5], [10, 2], 10, 0, 160],
        ["none", [0, 2], [2, 1], 0, 192, 0],
        ["weight", [4, 10], [10, 1], 0, 192, 160],
        ["one", [], [], 0, 384, 8],
    ]


def test_weights_that_are_not_where_they_should_be_are_noticed() -> None:
    weight = torch.arange(40.0)
    for weights in (b"", bytes(64) + weight.numpy().tobytes(), weight.numpy().tobytes()[:-1]):
        with pytest.raises(InternalError, match="not written the weight weight"):
            constant_table(graph(weight=weight), weights)


def test_weights_start_where_they_can_be_mapped(tmp_path: Path) -> None:
    _, path = export(tmp_path)
    whole = tmp_path / "out.pt2"
    kit.extract(path, whole, "aoti")
    with zipfile.ZipFile(whole) as package:
        assert package.testzip() is None
        info = package.getinfo(aoti.WEIGHTS_FILE)
    name, extra = struct.unpack_from("<26xHH", whole.read_bytes(), info.header_offset)
    assert (info.header_offset + 30 + name + extra) % 64 == 0
    loaded = torch._inductor.aoti_load_package(str(whole))
    x = torch.randn(2, 64)
    agree(list(loaded(x)), list(Odd().eval()(x)))


def test_weights_of_all_kinds(tmp_path: Path) -> None:
    model, path = export(tmp_path)
    engine = kit.load(path, engine="aoti")
    x = torch.randn(2, 64)
    agree(engine.predict([x]), list(model(x)))
    engine.predict([x])[2].zero_()  # memory of its own, and not the weight
    agree(engine.predict([x]), list(model(x)))
    other = Odd(1).eval()
    state = {name: tensor.contiguous() for name, tensor in other.state_dict().items()}
    safetensors.torch.save_file(state, tmp_path / "other.safetensors")
    engine.update_weights(tmp_path / "other.safetensors")
    agree(engine.predict([x]), list(other(x)))


def test_a_model_without_weights(tmp_path: Path) -> None:
    path = tmp_path / "none.pt"
    kit.export(lambda x: x * 2, torch.randn(2, 3), path, ("torchscript", "aoti"), targets=(TARGET,))
    assert aoti.WEIGHTS_FILE not in zipfile.ZipFile(io.BytesIO(package_of(path))).namelist()
    x = torch.randn(2, 3)
    agree(kit.load(path, engine="aoti").predict([x]), [x * 2])
    kit.extract(path, tmp_path / "out.pt2", "aoti")
    agree(list(torch._inductor.aoti_load_package(str(tmp_path / "out.pt2"))(x)), [x * 2])


def test_weights_in_the_shared_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of programs for a GPU, and of archives that were written before."""
    monkeypatch.setattr(aoti, "weights_lie_apart", lambda _: False)
    path = aoti_archive.write(tmp_path / "scores.pt")
    engine, archive = kit.load(path, engine="aoti"), kit.inspect(path)
    for inputs, outputs in archive.cases():
        agree(engine.predict(inputs), outputs)
    aoti_archive.write_weights(tmp_path)
    engine.update_weights(tmp_path / "scores.other.safetensors")
    for inputs, _ in archive.cases():
        agree(engine.predict(inputs), list(aoti_archive.Scores(1).eval()(*inputs)))


def test_frozen_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_method = aoti.compile_method
    monkeypatch.setattr(aoti, "compile_method", lambda *args: compile_method(*args, frozen=True))
    model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Flatten(), nn.Linear(576, 32)).eval()
    path, x = tmp_path / "frozen.pt", torch.randn(2, 3, 8, 8)
    kit.export(model, x, path, ("torchscript", "aoti"), targets=(TARGET,))
    engine = kit.load(path, engine="aoti")
    torch.testing.assert_close(engine(x), model(x))
    safetensors.torch.save_file(model.state_dict(), tmp_path / "weights.safetensors")
    with pytest.raises(UnavailableError, match="compiled in"):
        engine.update_weights(tmp_path / "weights.safetensors")


LOADED = """
import re, sys, kit, torch
def anonymous():
    return int(re.search(r"^RssAnon:\\s+(\\d+) kB", open("/proc/self/status").read(), re.MULTILINE)[1])
small, large = sys.argv[1:]
kit.load(small, engine="aoti").predict([torch.zeros(2, 64)])
before = anonymous()
model = kit.load(large, engine="aoti")
model.predict([torch.zeros(1, 4096)])
print(anonymous() - before)
"""


def test_weights_are_not_copied(tmp_path: Path) -> None:
    _, small = export(tmp_path)
    large = tmp_path / "large.pt"
    kit.export(nn.Linear(4096, 2048), torch.randn(1, 4096), large, ("torchscript", "aoti"), targets=(TARGET,))
    command = [sys.executable, "-c", LOADED, str(small), str(large)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 8 * 1024  # kB, of weights of 32 MiB


REPEATED = """
import re, sys, kit
def anonymous():
    return int(re.search(r"^RssAnon:\\s+(\\d+) kB", open("/proc/self/status").read(), re.MULTILINE)[1])
archive = kit.inspect(sys.argv[1])
def load():
    kit.load(archive, engine="aoti")
for _ in range(5):
    load()
before = anonymous()
for _ in range(200):
    load()
print(anonymous() - before)
"""


class Many(nn.Module):
    """Weights that are in the package, which are copied, and what torch keeps of each."""

    def __init__(self) -> None:
        super().__init__()
        self.small = nn.ParameterList(torch.randn(250) for _ in range(60))
        self.odd = nn.Parameter(torch.randn(1025))

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.stack(list(self.small)).mean() + self.odd.mean()


def test_loading_again_and_again_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "many.pt"
    kit.export(Many(), torch.randn(8), path, ("torchscript", "aoti"), targets=(TARGET,))
    command = [sys.executable, "-c", REPEATED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 4 * 1024  # kB, for 200 times 60 weights of 1 kB


def test_weights_that_only_compiled_programs_have_are_shared(tmp_path: Path) -> None:
    """torch.export cuts a part out of its storage, which the TorchScript program has whole."""

    class Part(nn.Module):
        part: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("part", torch.randn(40, 40)[:, 1::2])

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.part

    path = tmp_path / "part.pt"
    kit.export(Part(), torch.randn(2, 40), path, ("torchscript", "aoti"), targets=(TARGET, "x86-64-v3"))
    manifest = kit.inspect(path).manifest
    assert manifest is not None
    (one,), (other,) = (program.methods["forward"].constants for program in manifest.programs[1:])
    assert one.member == other.member == "extra/kit/programs/constants.bin"
    assert one.offset == other.offset
    x = torch.randn(2, 40)
    torch.testing.assert_close(kit.load(path, engine="aoti")(x), kit.load(path, engine="torchscript")(x))


class Scaled(nn.Module):
    """A weight of one element, of which Inductor would take the value into the code."""

    rows: Tensor

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))
        self.short = nn.Parameter(torch.tensor([scale]).half())
        self.register_buffer("rows", torch.full((1, 3), scale).expand(4, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale.exp() * x + self.short.float() + self.rows


def test_weights_of_one_element_are_replaced(tmp_path: Path) -> None:
    path, x = tmp_path / "scaled.pt", torch.randn(4, 3)
    kit.export(Scaled(2.0), x, path, ("torchscript", "aoti"), targets=(TARGET,))
    model = kit.load(path, engine="aoti")
    torch.testing.assert_close(model(x), Scaled(2.0)(x).detach())
    state = {name: tensor.contiguous() for name, tensor in Scaled(3.0).state_dict().items()}
    safetensors.torch.save_file(state, tmp_path / "weights.safetensors")
    model.update_weights(tmp_path / "weights.safetensors")
    torch.testing.assert_close(model(x), Scaled(3.0)(x).detach())
    state["rows"][1] = 7
    safetensors.torch.save_file(state, tmp_path / "weights.safetensors")
    with pytest.raises(InputError, match="weight 'rows' has elements that differ, which are one in"):
        model.update_weights(tmp_path / "weights.safetensors")
    torch.testing.assert_close(model(x), Scaled(3.0)(x).detach())

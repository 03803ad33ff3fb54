"""Native programs: what is made, what they need, and what is said where they cannot be made or run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.errors import InputError, ParityError, TraceError, UnavailableError
from kit.exporter import export_with_report
from kit.manifest import Manifest
from kit.programs.native import NativeMethod
from tests.conftest import ROOT, Run
from tests.running import run_native

X = torch.tensor([[1.0, -2.0, 0.5]])


class Small(nn.Module):
    """x: float32[batch, 3] → float32[batch, 1]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def small() -> kit.Recipe:
    return kit.Recipe(Small(), X.repeat(2, 1), dynamic={"x": {0: kit.Dim("batch", 1, 64)}}, name="small")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With native programs for two levels."""
    path = tmp_path_factory.mktemp("native") / "small.pt"
    kit.export(small, path=path, programs=("native",), targets=("x86-64-v2", "x86-64-v3"))
    return path


def manifest_of(path: Path) -> Manifest:
    manifest = kit.inspect(path).manifest
    assert manifest is not None
    return manifest


class Spectrum(nn.Module):
    """x: float32[batch, 6] → float32[batch, 4], float32[batch, 6]."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.view_as_real(torch.fft.rfft(x)).sum(-1), x.relu()


def test_how_a_fourier_transform_spreads_nan_is_no_difference(tmp_path: Path) -> None:
    """torch's library leaves some of the numbers as they are, and others for other sizes."""
    recipe = kit.Recipe(Spectrum(), X.repeat(3, 2), dynamic={"x": {0: kit.Dim("batch", 1, 64)}})
    done = export_with_report(recipe, None, tmp_path / "model.pt", ("native",))
    assert done.notes == (
        "NaN was not compared in 'forward' of the program native: which numbers a Fourier transform makes "
        "NaN differs between libraries",
    )
    x = torch.full((2, 6), torch.nan)
    sums, others = kit.load(tmp_path / "model.pt", engine="native")(x)
    assert sums.isnan().all()
    assert others.isnan().all()
    assert export_with_report(small, None, tmp_path / "small.pt", ("native",)).notes == ()
    torchscript = export_with_report(recipe, None, tmp_path / "torchscript.pt", ("torchscript",))
    assert torchscript.notes == ()


def test_it_computes_what_the_model_computes(archive: Path) -> None:
    model = kit.load(archive)
    assert (model.engine, model.target) == ("native", "x86-64-v3")
    eager = Small().eval()
    for batch in (1, 2, 3, 64):
        x = torch.randn(batch, 3)
        for _ in range(3):
            torch.testing.assert_close(model(x), eager(x))
    # Read in place, also where it has strides.
    x = torch.randn(3, 5).T
    torch.testing.assert_close(model(x), eager(x))
    with pytest.raises(InputError, match=r"input 'x'.*batch"):
        model(torch.randn(65, 3))


def test_every_way_is_compared(archive: Path, predictor_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_PREDICTOR", str(predictor_path))
    report = kit.parity(small, archive)
    ways = ("predictor (C++)", "native x86-64-v3 (C++)", "torchscript (C++)", "native x86-64-v2 (C++)")
    assert report.columns == ("traced in Python", *ways)
    assert report.passed


def test_constants_are_there_once(archive: Path) -> None:
    """Those that the TorchScript program has are not stored again, nor are those that programs share."""
    native = [program for program in manifest_of(archive).programs if program.engine == "native"]
    used = [set(program.methods["forward"].constants) for program in native]
    assert any(one.member.startswith("data/") for one in used[0])
    assert used[0] & used[1]
    sizes = {one.name: one.size for one in manifest_of(archive).members}
    own = {one for constants in used for one in constants if not one.member.startswith("data/")}
    aligned = sum(-(-one.size // 64) * 64 for one in own)
    assert aligned - 64 < sizes["extra/kit/programs/constants.bin"] <= aligned


def test_the_host_decides(archive: Path, monkeypatch: pytest.MonkeyPatch, predictor: Run) -> None:
    monkeypatch.setenv("KIT_ISA", "x86-64-v2")
    assert kit.load(archive).target == "x86-64-v2"
    with pytest.raises(UnavailableError, match="made for x86-64-v3, and this host has x86-64-v2"):
        kit.load(archive, engine="native", target="x86-64-v3")
    said = predictor("inspect", archive).stdout
    assert "made for x86-64-v3, and this host has x86-64-v2" in said


def test_what_the_exporting_host_cannot_run_is_unverified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, predictor: Run
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("KIT_ISA", "x86-64-v2")
    path = tmp_path / "small.pt"
    kit.export(small, path=path, programs=("native",), targets=("x86-64-v3",))
    assert [program.verified for program in manifest_of(path).programs] == [True, False]
    assert kit.load(path).engine == "torchscript"
    monkeypatch.delenv("KIT_ISA")
    assert "unverified" in predictor("inspect", path).stdout
    assert kit.verify(path, engine="native").passed
    with pytest.warns(kit.errors.ArchiveWarning, match="is unverified"):  # predictor notes what passed
        kit.load(path)
    assert predictor("verify", path, "--all").returncode == 0
    assert "unverified" not in predictor("inspect", path).stdout
    kit.load(path)


def test_a_running_predictor_maps_nothing_of_torch(archive: Path, predictor_path: Path) -> None:
    running = run_native(predictor_path, archive, "1,-2,0.5\n" * 3)
    header, *values = running.printed
    assert header == "output"
    assert [float(value) for value in values] == pytest.approx([Small().eval()(X).item()] * 3, abs=1e-6)
    for name in ("libtorch", "libc10", "libpython", "libgomp"):
        assert name not in running.maps
    assert running.resident < 16 * 1024, f"{running.resident} KiB are resident"


def test_it_is_made_anew_to_the_bit(archive: Path, tmp_path: Path) -> None:
    """By another process in another folder, with nothing of what was compiled before."""
    code = "import sys; from tests.python.test_native import *; "
    code += "kit.export(small, path=sys.argv[1], programs=('native',), targets=('x86-64-v2', 'x86-64-v3'))"
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}/python:{ROOT}",
        "KIT_CACHE": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "small.pt"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "small.pt").read_bytes() == archive.read_bytes()


class Noise(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


class Solve(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.eigvalsh(x @ x.T)


def test_what_cannot_be_made_is_said(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with pytest.raises(TraceError, match=r"there is no native form of .*eigh"):
        kit.export(Solve(), torch.rand(3, 3), path=path, programs=("native",))
    with pytest.raises(TraceError, match=r"draws random numbers"):
        kit.export(Noise(), X, path=path, programs=("native",), allow=["random"])
    assert list(tmp_path.iterdir()) == []


def test_of_a_program_that_cannot_be_made_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose first method can be made."""

    def make(name: str, *_: object) -> NativeMethod:
        if name == "again":
            raise TraceError("it cannot be made")
        return NativeMethod(b"a shared object", [b"a constant"])

    def refuse(*_: object) -> bytes:
        raise TraceError("it cannot be made")

    class Twice(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2

        def again(self, x: Tensor) -> Tensor:
            return x * 2

    monkeypatch.setattr("kit.programs.native.compile_method", make)
    monkeypatch.setattr("kit.programs.aoti.compile_method", refuse)
    recipe = kit.Recipe(Twice(), X, methods={"again": kit.Method(X)})
    archive = kit.export(recipe, path=tmp_path / "model.pt", programs=("auto",))
    assert [one for one in archive.member_names if one.startswith("extra/kit/programs")] == []


def test_a_target_that_is_named_twice_is_made_once(tmp_path: Path) -> None:
    archive = kit.export(
        small, path=tmp_path / "model.pt", programs=("native",), targets=("x86-64-v3", "x86-64-v3")
    )
    assert archive.manifest is not None
    assert [program.target for program in archive.manifest.programs] == ["any", "x86-64-v3"]


def test_auto_leaves_out_a_program_that_differs(tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, x = nn.Sequential(nn.Linear(64, 64), nn.Softmax(-1)), torch.randn(8, 64)
    recipe = kit.Recipe(model, x, tolerances={"float32": (0, 0)})  # native rounds otherwise
    with pytest.raises(
        ParityError, match=r"native .*differs from eager: .*; no archive .*leave this program out"
    ):
        kit.export(recipe, path=tmp_path / "model.pt", programs=("native",))
    done = export_with_report(recipe, path=tmp_path / "model.pt", programs=("auto",))
    assert done.archive.manifest is not None
    engines = [program.engine for program in done.archive.manifest.programs]
    assert engines[0] == "torchscript"
    assert "native" not in engines
    (note,) = (one for one in done.notes if "native" in one)
    assert re.match(r"no program native for x86-64-v3: case \d.*native .* differs from eager: [^;]*$", note)
    assert not any("programs/native" in name for name in done.archive.member_names)
    assert kit.verify(tmp_path / "model.pt").passed


def test_a_compiler_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UnavailableError, match=r"no-such-compiler is not here.*install the package g\+\+"):
        kit.export(small, path=tmp_path / "model.pt", programs=("native",))
    assert list(tmp_path.iterdir()) == []


def compiler(folder: Path, script: str) -> Path:
    path = folder / "c++"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_a_compiler_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = '[ "$1" = --version ] && echo broken && exit'
    monkeypatch.setenv(
        "CXX", str(compiler(tmp_path, f"{version}; echo 'x.cpp:1: error: it is broken' >&2; exit 1"))
    )
    monkeypatch.setenv("KIT_CACHE", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"error: it is broken; the whole log is in (\S+)$") as raised:
        kit.export(small, path=tmp_path / "model.pt", programs=("native",))
    log = Path(str(raised.value).rpartition(" ")[2])
    assert "it is broken" in log.read_text()
    assert "-march=x86-64-v3" in log.read_text()
    assert not (tmp_path / "model.pt").exists()


def test_a_compiler_that_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", str(compiler(tmp_path, "echo fine")))
    monkeypatch.setenv("KIT_CACHE", str(tmp_path))
    with pytest.raises(
        UnavailableError, match=r"c\+\+ ended well but wrote no \.o file; name a C\+\+ compiler"
    ):
        kit.export(small, path=tmp_path / "model.pt", programs=("native",))


def test_an_archiver_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = 'for result; do :; done; : > "$result"'
    monkeypatch.setenv("CXX", str(compiler(tmp_path, f'[ "$1" = --version ] && echo fine && exit; {result}')))
    monkeypatch.setenv("KIT_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"^ar is not here.*install the packages g\+\+ and binutils"):
        kit.export(small, path=tmp_path / "model.pt", programs=("native",))


def test_an_interrupted_compile_leaves_nothing(tmp_path: Path) -> None:
    started = tmp_path / "started"
    (tmp_path / "recipe.py").write_text("from tests.python.test_native import small\n")
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}/python:{ROOT}",
        "CXX": str(
            compiler(
                tmp_path,
                '[ "$1" = --version ] && echo slow && exit\n'
                # As g++ does: another process works, and writes where temporary files are.
                'touch "$TMPDIR/object.s"; sleep 60 &\n'
                f"echo $! > {started}.$$; mv {started}.$$ {started}; wait",
            )
        ),
        "TMPDIR": str(folder),
        "KIT_CACHE": str(tmp_path / "cache"),
    }
    # A process that nohup or pytest-xdist started hands down that it ignores the signal.
    python = ["env", "--default-signal=INT", sys.executable]
    command = ["-m", "kit.export", "recipe.py:small", "-o", "out/model.pt", "--program", "native"]
    (tmp_path / "out").mkdir()
    with subprocess.Popen(
        [*python, *command], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        for _ in range(600):
            if started.exists() or process.poll() is not None:
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert started.exists(), said
    assert process.returncode not in (0, 1), said
    assert "Traceback" not in said
    assert list((tmp_path / "out").iterdir()) == []
    assert [one for one in folder.iterdir() if not one.name.startswith("torch")] == []
    command_line = Path("/proc", started.read_text().strip(), "cmdline")
    assert not command_line.exists() or command_line.read_bytes() == b""  # nobody has waited for it yet


def test_the_description_is_the_manifests(archive: Path) -> None:
    """What the shared object says of itself; the engine compares it with the manifest when it loads it."""
    program = manifest_of(archive).programs[-1].methods["forward"].member
    text = bytes(kit.inspect(archive).member(program))
    begin = text.index(b'{"constants"')
    about = json.loads(text[begin : text.index(b"\0", begin)])
    assert (about["model"], about["method"], about["target"]) == ("small", "forward", "x86-64-v3")
    assert about["signature"]["dims"] == {"batch": {"min": 1, "max": 64}}

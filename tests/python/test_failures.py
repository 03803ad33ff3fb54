"""What stops Inductor is told as what it is: the model, the compiler, the host, or the disk."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from subprocess import CalledProcessError
from tempfile import gettempdir

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.eager import Eager
from kit.errors import TraceError, UnavailableError
from kit.programs import build_cache
from kit.programs.aoti import compile_method
from kit.signature import Signature, TensorSpec
from tests.aoti_archive import simple


def inductor_raises(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("torch._inductor.aoti_compile_and_package", fail)
    monkeypatch.setenv("KIT_CACHE", "/dev/null/none")


def test_a_compiler_that_fails_leaves_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "g++"
    compiler.write_text(
        '#!/bin/sh\ncase "$*" in *wrapper*) echo "x.cpp:1: error: out of patience" >&2; exit 1;; esac\n'
        'exec /usr/bin/g++ "$@"\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("KIT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(UnavailableError, match=r"error: out of patience; its log is .*failed-.*\.log"):
        compile_method(*simple(nn.Tanh()), "x86-64-v2")
    (log,) = build_cache.folder().glob("failed-*.log")
    assert "out of patience" in log.read_text()
    assert not list(build_cache.folder().glob("*.built"))


def test_what_inductor_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor.exc import MissingOperatorWithoutDecomp

    class Refused(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh(x)  # refused

    inductor_raises(MissingOperatorWithoutDecomp(torch.ops.aten.tanh.default, [], {}), monkeypatch)
    line = Path(__file__).read_text().splitlines().index("            return torch.tanh(x)  # refused") + 1
    with pytest.raises(
        TraceError, match=rf"aten\.tanh\.default at .*test_failures.py:{line} .*missing lowering"
    ):
        compile_method(*simple(Refused()), "x86-64-v2")


class Decomposed(nn.Module):
    """An operation that Inductor has no code of its own for, between two that it has."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.svdvals(x + 1) * 2  # given up


@pytest.mark.parametrize("engine", ["native", "aoti"])
def test_what_inductor_gives_up_on_without_a_message_is_named(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def codegen(self: object, wrapper: object) -> None:
        raise AssertionError

    monkeypatch.setattr("torch._inductor.ir.FallbackKernel.codegen", codegen)
    monkeypatch.setenv("KIT_CACHE", str(tmp_path))
    lines = Path(__file__).read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.endswith("# given up"))
    with pytest.raises(
        TraceError,
        match=rf"aten\.linalg_svdvals\.default at .*test_failures.py:{line} for the program '{engine}': "
        "AssertionError: raise AssertionError; write that part of the model otherwise",
    ):
        kit.export(Decomposed(), args=(torch.ones(2, 3),), path=tmp_path / "model.pt", programs=(engine,))


def test_a_full_disk_is_not_the_models_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    inductor_raises(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), monkeypatch)
    with pytest.raises(UnavailableError, match="No space left on device; make room there"):
        compile_method(*simple(nn.Tanh()), "x86-64-v2")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            FileNotFoundError(errno.ENOENT, "No such file", "objcopy"),
            "the program objcopy is not here.*binutils",
        ),
        (OSError("CUDA_HOME environment variable is not set."), "cannot compile here: CUDA_HOME environment"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/opt/cc"),
            "/opt/cc, .*: Permission denied; install",
        ),
        (
            CalledProcessError(1, ["ld", "-r"], stderr="ld: no room"),
            "ld failed with status 1, .*: ld: no room",
        ),
        (CalledProcessError(1, ["cc", "-O3"]), "cc failed with status 1, .*CC and CXX name other compilers"),
        (FileNotFoundError(errno.ENOENT, "No such file", f"{gettempdir()}/x.cpp"), "set TMPDIR elsewhere"),
    ],
)
def test_what_the_host_lacks_is_not_taken_for_a_full_disk(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inductor_raises(error, monkeypatch)
    with pytest.raises(UnavailableError, match=said):
        compile_method(*simple(nn.Tanh()), "x86-64-v2")


class Guarded(nn.Module):
    """A branch on values, after an operation whose graph torch would print."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if (x + 1 == x + 1).all() else x


def test_what_torch_export_refuses_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TraceError, match=r"test_failures.py:\d+: torch.export.*data-dependent"):
        compile_method(*simple(Guarded()), "x86-64-v2")
    assert capfd.readouterr().err == ""


def test_sizes_have_the_names_of_the_model(capfd: pytest.CaptureFixture[str]) -> None:
    def grow(x: Tensor) -> Tensor:
        print("of the model", file=sys.stderr)
        return torch.cat([x, x]) if x.shape[0] < 70 else x

    spec = TensorSpec("x", "float32", ("rows", 3))
    signature = Signature((spec,), (spec,), (kit.Dim("rows", 1, 90),))
    x = torch.randn(5, 3)
    eager = Eager(kit.Recipe(grow, args=(x,), dynamic={"x": {0: kit.Dim("rows", 1, 90)}}))
    with pytest.raises(TraceError, match=r"Not all values of rows = .*specified range rows <= 90"):
        compile_method(eager, signature, [[x]], "x86-64-v2")
    assert "of the model" in capfd.readouterr().err

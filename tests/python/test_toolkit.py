"""What compiling for a GPU takes from the host: it is found where it is, and named where it is not."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from torch.utils import cpp_extension

from kit.errors import InternalError, UnavailableError
from kit.programs import toolkit as module
from kit.programs.toolkit import toolkit


def place(function: str) -> tuple[str, int]:
    return f"/home/me/{function}.py", 7


@pytest.fixture
def triton(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A triton as it is on hosts with a GPU."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: SimpleNamespace() if name == "triton" else find(name)
    )
    generator = SimpleNamespace(get_jit_fn_file_line=place)
    monkeypatch.setitem(sys.modules, "triton.compiler.code_generator", generator)
    return generator


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_driver", lambda: "/usr/lib/libcuda.so.580")


def with_headers(home: Path, *missing: str) -> Path:
    for header in {*module._HEADERS} - {*missing}:
        file = home / "include" / header
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return home


def test_the_compiler_finds_what_it_needs_and_all_is_as_before(
    triton: SimpleNamespace, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = with_headers(tmp_path / "cuda")
    monkeypatch.setattr(cpp_extension, "CUDA_HOME", str(home))
    monkeypatch.setenv("LIBRARY_PATH", "/somewhere")
    monkeypatch.delenv("CPATH", raising=False)
    with toolkit(tmp_path):
        assert os.environ["CPATH"] == str(home / "include/cccl")
        links, *others = os.environ["LIBRARY_PATH"].split(":")
        assert others == ["/somewhere"]
        assert os.readlink(Path(links, "libcuda.so")) == "/usr/lib/libcuda.so.580"
        assert str(home) == cpp_extension.CUDA_HOME
        assert triton.get_jit_fn_file_line("kernel") == ("program", 7)
    assert triton.get_jit_fn_file_line is place
    assert os.environ["LIBRARY_PATH"] == "/somewhere"
    assert "CPATH" not in os.environ


def test_headers_may_lie_where_cuda_13_has_them(
    triton: SimpleNamespace, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = with_headers(tmp_path / "cuda", "nv/target")
    (home / "include/cccl/nv").mkdir(parents=True)
    (home / "include/cccl/nv/target").touch()
    monkeypatch.setattr(cpp_extension, "CUDA_HOME", str(home))
    with toolkit(tmp_path):
        assert str(home) == cpp_extension.CUDA_HOME


@pytest.mark.parametrize("found", ["bin", None])
def test_a_toolkit_at_its_usual_place_is_taken_where_torch_has_found_none(
    found: str | None, triton: SimpleNamespace, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = with_headers(tmp_path / "usual")
    monkeypatch.setattr(module, "_USUAL", str(usual))
    before = str(tmp_path / found) if found else None
    monkeypatch.setattr(cpp_extension, "CUDA_HOME", before)
    with toolkit(tmp_path):
        assert str(usual) == cpp_extension.CUDA_HOME
    assert before == cpp_extension.CUDA_HOME


def test_headers_that_are_not_there_are_named(
    triton: SimpleNamespace, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = with_headers(tmp_path / "cuda", "nv/target")
    monkeypatch.setattr(cpp_extension, "CUDA_HOME", str(home))
    monkeypatch.setattr(module, "_USUAL", str(tmp_path / "none"))
    with (
        pytest.raises(UnavailableError, match=rf"nv/target is not in {home}/include; .* CUDA_HOME"),
        toolkit(tmp_path),
    ):
        pass


def test_a_host_without_triton(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match="triton, which is not here; install it"), toolkit(tmp_path):
        pass


def test_a_python_without_headers(
    triton: SimpleNamespace, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sysconfig.get_paths", lambda scheme: {"include": str(tmp_path)})
    with pytest.raises(UnavailableError, match=r"Python\.h is not in .*python3-dev"), toolkit(tmp_path):
        pass


def test_another_triton_is_an_error(
    triton: SimpleNamespace, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_USUAL", str(with_headers(tmp_path / "usual")))
    monkeypatch.setattr(cpp_extension, "CUDA_HOME", None)
    del triton.get_jit_fn_file_line
    with pytest.raises(InternalError, match="no function get_jit_fn_file_line"), toolkit(tmp_path):
        pass


def test_a_driver_that_cannot_be_loaded(
    triton: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr("ctypes.CDLL", fail)
    with (
        pytest.raises(UnavailableError, match=r"libcuda\.so\.1: cannot open.*NVIDIA's driver"),
        toolkit(tmp_path),
    ):
        pass


def test_the_object_of_a_kernel_does_not_depend_on_its_folder(tmp_path: Path) -> None:
    from torch._inductor.cpp_builder import convert_cubin_to_obj

    convert = module._in_order(convert_cubin_to_obj)
    found = set()
    for name in ("a", "bb", "ccc", "x1", "x2", "x3", "x4"):
        cubin = tmp_path / name / "kernel.cubin"
        cubin.parent.mkdir()
        cubin.write_bytes(b"a kernel")
        found.add(Path(convert(str(cubin), "fused", "ld", "objcopy")).read_bytes())
    (content,) = found
    assert b"__fused_start" in content
    assert b"a kernel" in content

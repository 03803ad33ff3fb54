"""What compiling for a GPU takes from the host: it is found where it is, and named where it is not."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from torch.utils import cpp_extension

from kit.errors import UnavailableError
from kit.programs import toolkit as module
from kit.programs.toolkit import toolkit


@pytest.fixture
def triton(monkeypatch: pytest.MonkeyPatch) -> None:
    """A triton as it is on hosts with a GPU."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: SimpleNamespace() if name == "triton" else find(name)
    )


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
    triton: None, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = with_headers(tmp_path / "cuda")
    monkeypatch.setattr(cpp_extension, "CUDA_HOME", str(home))
    monkeypatch.setenv("LIBRARY_PATH", "/somewhere")
    with toolkit(tmp_path):
        links, *others = os.environ["LIBRARY_PATH"].split(":")
        assert others == ["/somewhere"]
        assert os.readlink(Path(links, "libcuda.so")) == "/usr/lib/libcuda.so.580"
        assert str(home) == cpp_extension.CUDA_HOME
    assert os.environ["LIBRARY_PATH"] == "/somewhere"


@pytest.mark.parametrize("found", ["bin", None])
def test_a_toolkit_at_its_usual_place_is_taken_where_torch_has_found_none(
    found: str | None, triton: None, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = with_headers(tmp_path / "usual")
    monkeypatch.setattr(module, "_USUAL", str(usual))
    before = str(tmp_path / found) if found else None
    monkeypatch.setattr(cpp_extension, "CUDA_HOME", before)
    with toolkit(tmp_path):
        assert str(usual) == cpp_extension.CUDA_HOME
    assert before == cpp_extension.CUDA_HOME


def test_headers_that_are_not_there_are_named(
    triton: None, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


def test_a_driver_that_cannot_be_loaded(
    triton: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr("ctypes.CDLL", fail)
    with (
        pytest.raises(UnavailableError, match=r"libcuda\.so\.1: cannot open.*NVIDIA's driver"),
        toolkit(tmp_path),
    ):
        pass

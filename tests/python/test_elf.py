"""What the executable and the libraries need at run time, read from the files and from the dynamic loader."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

PYTHON = ("libpython", "libtorch_python")
TORCH = ("libtorch", "libc10")


@pytest.fixture(scope="session")
def libraries(build_dir: Path) -> Path:
    return build_dir / "lib"


def needed(path: Path) -> list[str]:
    """The libraries that a file asks for itself."""
    done = subprocess.run(
        ["readelf", "--dynamic", "--wide", path], capture_output=True, text=True, check=True
    )
    found = re.findall(r"\(NEEDED\).*\[(.+)\]", done.stdout)
    assert found, f"readelf finds nothing needed by {path}"
    return found


def needed_by_all(path: Path) -> list[str]:
    """The same with what those ask for in turn; the loader has to find them all."""
    done = subprocess.run(["ldd", path], capture_output=True, text=True, check=True)
    assert "not found" not in done.stdout
    return [line.split()[0].rpartition("/")[2] for line in done.stdout.splitlines()]


def loaded(arguments: list[str | Path], folder: Path) -> str:
    """The names of all the libraries that a process loads until it ends."""
    log = folder / "loader"
    environment = {**os.environ, "LD_DEBUG": "files", "LD_DEBUG_OUTPUT": str(log)}
    subprocess.run(arguments, env=environment, check=True, capture_output=True)
    (written,) = folder.glob("loader.*")
    names = "\n".join(re.findall(r"file=(\S+)", written.read_text()))
    assert "libkit-core.so" in names
    return names


def having(prefixes: tuple[str, ...], names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(prefixes)]


@pytest.mark.parametrize("name", ["libkit-core.so", "libkit.so", "libkit-torch.so"])
def test_libraries_need_no_python(name: str, libraries: Path) -> None:
    assert not having(PYTHON, needed(libraries / name))
    assert not having(PYTHON, needed_by_all(libraries / name))


def test_predictor_needs_neither_python_nor_torch(predictor_path: Path) -> None:
    assert not having(PYTHON + TORCH, needed(predictor_path))
    assert not having(PYTHON + TORCH, needed_by_all(predictor_path))


@pytest.mark.parametrize("name", ["libkit-core.so", "libkit.so"])
def test_libraries_need_no_torch(name: str, libraries: Path) -> None:
    assert not having(TORCH, needed(libraries / name))
    assert not having(TORCH, needed_by_all(libraries / name))


def test_one_library_has_torch(libraries: Path) -> None:
    """Shows that the other tests would find it."""
    assert having(TORCH, needed(libraries / "libkit-torch.so"))


def test_inspecting_loads_no_torch(predictor_path: Path, archives: Path, tmp_path: Path) -> None:
    names = loaded([predictor_path, "inspect", archives / "mlp.pt"], tmp_path)
    assert "torch" not in names
    assert "libc10" not in names


def test_running_loads_torch_without_python(predictor_path: Path, archives: Path, tmp_path: Path) -> None:
    names = loaded([predictor_path, "verify", archives / "mlp.pt"], tmp_path)
    assert "libtorch_cpu.so" in names
    assert not any(name in names for name in PYTHON)

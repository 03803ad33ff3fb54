"""What all tests share: where the build is, how to run `predictor`, and archives made once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

Completed = subprocess.CompletedProcess[str]
Run = Callable[..., Completed]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def build_dir() -> Path:
    """The build tree: KIT_BUILD_DIR, or build/default."""
    folder = Path(os.environ.get("KIT_BUILD_DIR", ROOT / "build/default")).absolute()
    if not folder.is_dir():
        pytest.fail(f"{folder} is not there; build first: make build, or set KIT_BUILD_DIR")
    return folder


@pytest.fixture(scope="session")
def predictor_path(build_dir: Path) -> Path:
    """The executable: KIT_PREDICTOR, or that of the build tree."""
    path = Path(os.environ.get("KIT_PREDICTOR", build_dir / "predictor")).absolute()
    if not path.is_file():
        pytest.fail(f"{path} is not there; build first: make build, or set KIT_PREDICTOR")
    return path


@pytest.fixture(scope="session")
def predictor(predictor_path: Path) -> Run:
    """Runs `predictor` with arguments, and with `stdin`, `stdout` and `cwd` as subprocess.run takes them."""

    def run(
        *arguments: str | Path,
        stdin: str | None = None,
        stdout: int = subprocess.PIPE,
        cwd: Path | None = None,
    ) -> Completed:
        command = [predictor_path, *arguments]
        source = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        return subprocess.run(
            command,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            timeout=120,
            check=False,
            **source,
        )

    return run


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the archives that tests/make_archives.py describes."""
    from tests.make_archives import make_archives

    folder = tmp_path_factory.mktemp("archives")
    make_archives(folder)
    return folder


@pytest.fixture(scope="session")
def native_mlp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with a native program: x: float32[batch, 3] → output: float32[batch, 1], batch in 1..4096.

    Two layers, not trained, compiled for x86-64-v3. What was compiled stays in the user's cache.
    """
    import torch
    from torch import nn

    import kit

    path = tmp_path_factory.mktemp("native") / "mlp.pt"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
        kit.export(
            model,
            torch.randn(2, 3),
            path,
            ("torchscript", "native"),
            name="mlp",
            names={"inputs": ["x"]},
            dynamic={"x": {0: kit.Dim("batch", 1, 4096)}},
        )
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to run commands in: whatever they leave there, a test can find."""
    place = tmp_path / "work"
    place.mkdir()
    return place

"""What all tests share: where the build is, how to run `predictor`, and archives made once."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

Completed = subprocess.CompletedProcess[str]
Run = Callable[..., Completed]
Once = Callable[[str, Callable[[Path], object]], Path]

# Files whose tests take longest, the longest first. pytest-xdist (`make test`) gives out whole files in this
# order, so that its processes end with short ones, at about the same time.
LONGEST = (
    "python/test_install.py",
    "sanitized/test_sanitized.py",
    "parity/test_native.py",
    "python/test_native.py",
    "parity/test_architectures.py",
    "parity/test_examples.py",
    "parity/test_zoo.py",
    "guards/test_guards.py",
    "python/test_aoti.py",
    "page/test_page.py",
    "python/test_runtime.py",
    "python/test_bisecting.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {ROOT / "tests" / name: index for index, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


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
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Makes a folder of a name, with what a function writes into it, once for all processes of a session."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent

    def make(name: str, write: Callable[[Path], object]) -> Path:
        folder = place / "once" / name
        folder.parent.mkdir(exist_ok=True)
        with (folder.parent / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
                write(unfinished)
                unfinished.rename(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def archives(once: Once) -> Path:
    """A folder with the archives that tests/make_archives.py describes."""
    from tests.make_archives import make_archives

    return once("archives", make_archives)


@pytest.fixture(scope="session")
def aoti_scores(once: Once) -> Path:
    """The archive that tests/aoti_archive.py describes, with an aoti program for x86-64-v2."""
    from tests import aoti_archive

    return once("aoti", lambda folder: aoti_archive.write(folder / "scores.pt")) / "scores.pt"


@pytest.fixture(scope="session")
def native_mlp(once: Once) -> Path:
    """An archive with a native program: x: float32[batch, 3] → output: float32[batch, 1], batch in 1..4096.

    Two layers, not trained, compiled for x86-64-v3. What was compiled stays in the user's cache.
    """
    import torch
    from torch import nn

    import kit

    def write(folder: Path) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
            kit.export(
                model,
                torch.randn(2, 3),
                folder / "mlp.pt",
                ("torchscript", "native"),
                name="mlp",
                names={"inputs": ["x"]},
                dynamic={"x": {0: kit.Dim("batch", 1, 4096)}},
            )

    return once("native", write) / "mlp.pt"


@pytest.fixture(scope="session")
def extracted(native_mlp: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The native program of `native_mlp` in a file, with its header beside it."""
    import kit

    path = tmp_path_factory.mktemp("extracted") / "mlp.so"
    assert kit.extract(native_mlp, path, header=True) == "x86-64-v3"
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to run commands in: whatever they leave there, a test can find."""
    place = tmp_path / "work"
    place.mkdir()
    return place

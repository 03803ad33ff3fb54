"""Native programs under sanitizers: what is compiled into each, in a process that has the sanitizer too.

It needs the builds of `make asan` and `make tsan`, which `make test` makes first, and compiles some models
once for each: what was compiled is kept in the user's cache.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Together they call most of what cpp/src/program has.
ALL = (
    *("mlp", "attention", "bags", "complex_numbers", "convolutions", "lstm", "orders", "products"),
    *("transforms", "whole_numbers"),
)
# What programs share between threads is the same in all.
FEW = ("mlp", "attention", "convolutions", "orders", "products")
SANITIZERS = {"asan": ("address,undefined", ALL), "tsan": ("thread", FEW)}
SECONDS = 1200


@pytest.fixture(scope="module", params=sorted(SANITIZERS))
def sanitized(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The executable of tests/endurance of a build, and a folder with the archives for it."""
    preset: str = request.param
    endure = ROOT / "build" / preset / "endure"
    if not endure.is_file():
        pytest.skip(f"{endure} is not there; build it first: make {preset}")
    sanitizers, names = SANITIZERS[preset]
    folder = tmp_path_factory.mktemp(preset)
    script = ROOT / "tests/sanitized/make_archives.py"
    command: list[str | Path] = [sys.executable, "-W", "ignore", script, folder, sanitizers, *names]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    done = subprocess.run(
        command, env=environment, text=True, capture_output=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return endure, folder


def test_programs_from_many_threads(sanitized: tuple[Path, Path], tmp_path: Path) -> None:
    """Each reproduces its golden cases, and then gives the same bits in 4 threads at once."""
    endure, folder = sanitized
    archives = sorted(folder.glob("*.pt"))
    assert len(archives) >= len(FEW)
    for archive in archives:
        command: list[str | Path] = [endure, "threads", archive, "--threads", "4", "--count", "200"]
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        done = subprocess.run(
            command, env=environment, text=True, capture_output=True, timeout=120, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), f"{archive.stem}: {done.stderr[-3000:]}"
        assert json.loads(done.stdout)["wrong"] == 0


def test_programs_that_are_loaded_again_and_again(sanitized: tuple[Path, Path], tmp_path: Path) -> None:
    endure, folder = sanitized
    archives = sorted(folder.glob("*.pt"))
    command: list[str | Path] = [endure, "mixed", *archives, "--threads", "4", "--count", "40"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=240, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-3000:]
    assert json.loads(done.stdout)["wrong"] == 0

"""Programs share the C++ runtime of the process, also where the compiler links it statically."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import kit
from kit.cli import main
from tests.conftest import ROOT
from tests.python.runtimes import RUNTIME, compiler_with_a_runtime_of_its_own
from tests.python.test_elf import needed


def test_programs_share_the_runtime_of_the_process(tmp_path: Path) -> None:
    compiler = compiler_with_a_runtime_of_its_own(tmp_path)
    (tmp_path / "plain.cpp").write_text("#include <iostream>\nvoid print() { std::cout << 1; }\n")
    plain: list[str | Path] = [
        compiler,
        "-shared",
        "-fPIC",
        tmp_path / "plain.cpp",
        "-o",
        tmp_path / "plain.so",
    ]
    subprocess.run(plain, check=True)
    assert RUNTIME not in needed(tmp_path / "plain.so")

    # In a process of its own, as two runtimes in one let it crash when the program is proven.
    export = (
        "import torch, kit; kit.export(torch.nn.Linear(3, 2), torch.randn(2, 3), 'model.pt', "
        "('torchscript', 'native', 'aoti'), targets=('x86-64-v2',))"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}/python",
        "CXX": str(compiler),
        "KIT_CACHE": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-W", "ignore", "-c", export]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for engine in ("native", "aoti"):
        assert (
            main(["extract", str(tmp_path / "model.pt"), "--program", engine, "-o", str(tmp_path / engine)])
            == 0
        )
    with zipfile.ZipFile(tmp_path / "aoti") as package:
        package.extractall(tmp_path / "package")
    (library,) = (tmp_path / "package").rglob("*.wrapper.so")
    assert RUNTIME in needed(library)
    assert RUNTIME in needed(tmp_path / "native")
    assert kit.verify(tmp_path / "model.pt").passed

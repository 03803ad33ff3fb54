"""kit as others use it: installed by pip into a virtual environment, and by CMake for a consumer project.

It compiles kit once more, which takes minutes without a warm ccache.
"""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import torch

import kit
from tests.conftest import Completed
from tests.python.runtimes import RUNTIME, compiler_with_a_runtime_of_its_own
from tests.python.test_elf import needed
from tests.running import run_native

TORCH_ROOT = Path(torch.__file__).parent
OWN = (
    "kit",
    "torch_deployment_kit",
    "_torch_deployment_kit",
)  # what pip has installed, or a checkout in place
RECIPE = """
import kit
import torch

def recipe():
    torch.manual_seed(0)
    model, x = torch.nn.Linear(3, 1), torch.ones(2, 3)
    return kit.Recipe(model, (x,), dynamic={"input": {0: kit.Dim("batch", 1, 64)}})
"""


def run(*command: str | Path, cwd: Path, check: bool = True) -> Completed:
    """Runs a command without anything that would help it to find kit or torch."""
    hidden = ("PYTHONPATH", "LD_LIBRARY_PATH", "KIT_PREDICTOR", "KIT_BUILD_DIR", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    # Compiled below other folders each time: relative paths let ccache see that it is the same.
    environment |= {"CCACHE_BASEDIR": str(cwd), "CCACHE_NOHASHDIR": "1"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        pytest.fail(f"{command} ended with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done


@pytest.fixture(scope="module")
def sources(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is in the repository, and of nothing else that lies in the checkout."""
    copy = tmp_path_factory.mktemp("clone") / "kit"
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(listing, cwd=root, capture_output=True, text=True, check=True)
    for name in filter(None, done.stdout.split("\0")):
        if (root / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, copy / name)
    # As a checkout has it after `make build`: the wheel must hold the one that is compiled for it.
    (copy / "python/kit" / f"_native{sysconfig.get_config_var('EXT_SUFFIX')}").write_bytes(b"of the checkout")
    return copy


@pytest.fixture(scope="module")
def environment(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the packages of this one, as links, into which pip has installed kit."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, symlinks=True)
    packages = folder / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    for entry in Path(site.getsitepackages()[0]).iterdir():
        if not entry.name.startswith((*OWN, "__pycache__")):
            (packages / entry.name).symlink_to(entry)
    python = folder / "bin/python"
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check"]
    run(python, "-m", "pip", "install", *options, f"-Cbuild-dir={sources}/build/wheel", ".", cwd=sources)
    return folder


def test_pip_installs_the_package_and_predictor(environment: Path, tmp_path: Path) -> None:
    python, predictor = environment / "bin/python", environment / "bin/predictor"
    assert run(predictor, "--version", cwd=tmp_path).stdout == f"predictor {kit.__version__}\n"
    where = run(python, "-c", "import kit; print(kit.__file__)", cwd=tmp_path).stdout.strip()
    assert Path(where).is_relative_to(environment)
    data = (
        "py.typed",
        "_native.pyi",
        "manifest.schema.json",
        "page/page.html",
        "page/page.css",
        "page/page.js",
    )
    for name in data:
        assert (Path(where).parent / name).is_file()

    (tmp_path / "recipe.py").write_text(RECIPE)
    exported = run(python, "-m", "kit.export", "recipe.py:recipe", "-o", "model.pt", cwd=tmp_path)
    assert "Warning" not in exported.stderr
    (tmp_path / "x.csv").write_text("1,1,1\n")
    predicted = run(predictor, "run", "model.pt", "--input", "x.csv", cwd=tmp_path)
    assert predicted.stderr == ""
    code = "import kit, torch; print(kit.load('model.pt')(torch.ones(1, 3)).item())"
    in_python = float(run(python, "-c", code, cwd=tmp_path).stdout)
    assert float(predicted.stdout.splitlines()[1]) == pytest.approx(in_python, abs=1e-6)
    run(python, "-m", "kit", "parity", "recipe.py:recipe", "model.pt", cwd=tmp_path)

    # A program is compiled with sources that lie in the package.
    export = ("-m", "kit.export", "recipe.py:recipe", "--program", "native", "-o", "native.pt")
    run(python, *export, cwd=tmp_path)
    code = "import kit, torch; print(kit.load('native.pt', engine='native')(torch.ones(1, 3)).item())"
    assert float(run(python, "-c", code, cwd=tmp_path).stdout) == pytest.approx(in_python, abs=1e-6)
    mapped = run_native(predictor, tmp_path / "native.pt", "1,1,1\n" * 3).files
    assert sum(path.stat().st_size for path in mapped) < 10 << 20, mapped


def test_pip_installs_what_cmake_needs(environment: Path, root: Path, tmp_path: Path) -> None:
    package = environment / "lib" / f"python3.{sys.version_info.minor}" / "site-packages/kit"
    config = f"-Dkit_DIR={package}/lib/cmake/kit"
    run(
        "cmake",
        "-S",
        root / "examples/cpp",
        "-B",
        "build",
        config,
        f"-DKIT_TORCH_ROOT={TORCH_ROOT}",
        cwd=tmp_path,
    )
    run("cmake", "--build", "build", "--target", "predict", cwd=tmp_path)
    assert "usage" in run("build/predict", cwd=tmp_path, check=False).stderr


@pytest.fixture(scope="module")
def prefix(build_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where CMake has installed the build tree."""
    folder = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", build_dir, "--prefix", folder, cwd=folder)
    return folder


def test_predictor_runs_where_cmake_installed_it(prefix: Path, archives: Path, tmp_path: Path) -> None:
    done = run(prefix / "bin/predictor", "verify", archives / "mlp.pt", cwd=tmp_path)
    assert "bit-equal" in done.stdout


@pytest.mark.parametrize("tree", ["prefix", "build_dir"])
def test_a_consumer_project(
    tree: str, request: pytest.FixtureRequest, root: Path, archives: Path, tmp_path: Path
) -> None:
    place: Path = request.getfixturevalue(tree)
    options = [f"-DCMAKE_PREFIX_PATH={place}", f"-DKIT_TORCH_ROOT={TORCH_ROOT}", "-DCMAKE_BUILD_TYPE=Release"]
    if ccache := shutil.which("ccache"):
        options.append(f"-DCMAKE_CXX_COMPILER_LAUNCHER={ccache}")
    run("cmake", "-S", root / "examples/cpp", "-B", "build", *options, cwd=tmp_path)
    run("cmake", "--build", "build", "--parallel", "2", cwd=tmp_path)
    archive = archives / "mlp.pt"
    expected = kit.load(archive)(torch.tensor([[1.0, -2.0, 0.5]])).item()
    for program in ("predict", "predict_torch"):
        done = run(f"build/{program}", archive, "1", "-2", "0.5", cwd=tmp_path)
        assert float(done.stdout) == pytest.approx(expected, rel=1e-5)
        wrong = run(f"build/{program}", tmp_path / "no.pt", "1", "1", "1", cwd=tmp_path, check=False)
        assert wrong.returncode == 3
        assert "no.pt" in wrong.stderr


def test_a_consumer_shares_the_runtime_of_libtorch(
    build_dir: Path, root: Path, archives: Path, tmp_path: Path
) -> None:
    compiler = compiler_with_a_runtime_of_its_own(tmp_path)
    options = [
        f"-DCMAKE_PREFIX_PATH={build_dir}",
        f"-DKIT_TORCH_ROOT={TORCH_ROOT}",
        f"-DCMAKE_CXX_COMPILER={compiler}",
    ]
    run("cmake", "-S", root / "examples/cpp", "-B", "build", *options, cwd=tmp_path)
    run("cmake", "--build", "build", "--target", "predict_torch", cwd=tmp_path)
    assert RUNTIME in needed(tmp_path / "build/predict_torch")
    run("build/predict_torch", archives / "mlp.pt", "1", "-2", "0.5", cwd=tmp_path)


def test_another_minor_version_of_torch_is_refused(prefix: Path, root: Path, tmp_path: Path) -> None:
    major, minor, _ = torch.__version__.split(".", 2)
    header = tmp_path / "torch/include/torch/headeronly/version.h"
    header.parent.mkdir(parents=True)
    numbers = {"MAJOR": major, "MINOR": str(int(minor) + 1), "PATCH": "0"}
    header.write_text("".join(f"#define TORCH_VERSION_{part} {value}\n" for part, value in numbers.items()))
    library = tmp_path / "torch/lib/libtorch_cpu.so"
    library.parent.mkdir()
    library.touch()
    options = [f"-DCMAKE_PREFIX_PATH={prefix}", f"-DKIT_TORCH_ROOT={tmp_path}/torch"]
    done = run("cmake", "-S", root / "examples/cpp", "-B", "build", *options, cwd=tmp_path, check=False)
    assert done.returncode != 0
    message = " ".join(done.stderr.split())
    assert f"built against torch {major}.{minor}." in message
    assert f"cannot be used with torch {major}.{int(minor) + 1}.0" in message


def test_no_torch_is_said_so(prefix: Path, root: Path, tmp_path: Path) -> None:
    options = [f"-DCMAKE_PREFIX_PATH={prefix}", f"-DKIT_TORCH_ROOT={tmp_path}"]
    done = run("cmake", "-S", root / "examples/cpp", "-B", "build", *options, cwd=tmp_path, check=False)
    assert done.returncode != 0
    assert f"no torch in '{tmp_path}'" in " ".join(done.stderr.split())

"""What compiling a program for a GPU takes from the host: triton, headers, and the driver.

torch looks for the toolkit where nvcc is, which may be a script elsewhere, and knows of no other place then.
The driver is on every host with a GPU, but only a toolkit gives it the name that a linker looks for,
libcuda.so. And what is compiled shall not depend on the folder that it was compiled in: triton writes the
names of files into kernels, and their order in the shared object follows from such names, too.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from kit.errors import UnavailableError
from kit.programs.inductor import changed, environment, replaced

_HEADERS = ("cuda.h", "cuda_runtime_api.h", "crt/host_defines.h", "nv/target")
"""Of the several packages that a toolkit is made of, some may be missing."""

_LIBRARIES = "cccl"
"""Where CUDA 13 has headers, in `include`, that lay beside the others before: nvcc looks there by itself."""

_USUAL = "/usr/local/cuda"
_DRIVER = re.compile(r"/.*/libcuda\.so(\.\d+)*")


@contextmanager
def toolkit(folder: Path) -> Iterator[None]:
    """Let Inductor find CUDA's headers and the driver, wherever they are, and triton forget where it ran.

    folder: a link to the driver is made in it. Raises UnavailableError for what is not here, InternalError if
    triton is not as kit expects it.
    """
    from torch.utils import cpp_extension

    if importlib.util.find_spec("triton") is None:
        raise UnavailableError(
            "a program for a GPU is compiled by triton, which is not here; install it (pip install triton)"
        )
    _check_python()
    links = folder / "driver"
    links.mkdir()
    (links / "libcuda.so").symlink_to(_driver())
    home = _home(cpp_extension.CUDA_HOME)
    paths = {"LIBRARY_PATH": str(links), "CPATH": str(Path(home, "include", _LIBRARIES))}
    with (
        replaced(cpp_extension, "CUDA_HOME", home),
        environment({name: _prepended(name, path) for name, path in paths.items()}),
        changed("triton.compiler.code_generator", "get_jit_fn_file_line", _without_file),
        _ordered_symbols(),
    ):
        yield


def _prepended(variable: str, path: str) -> str:
    """The value of a variable that lists paths, with one more before the others."""
    return os.pathsep.join([path, *filter(None, [os.environ.get(variable)])])


def _check_python() -> None:
    """triton compiles a module of Python's, to talk to the driver."""
    scheme = sysconfig.get_default_scheme()
    scheme = "posix_prefix" if scheme == "posix_local" else scheme  # as triton looks for them
    include = Path(sysconfig.get_paths(scheme)["include"])
    if not (include / "Python.h").is_file():
        raise UnavailableError(
            f"triton, which compiles programs for a GPU, needs the headers of Python, and Python.h is not in "
            f"{include}; install them (apt-get install python3-dev)"
        )


def _without_file(original: Callable[..., Any]) -> Callable[..., Any]:
    """Gives one name for every file of sources: a failed assertion of a kernel tells it."""
    return lambda function: ("program", original(function)[1])


def _ordered_symbols() -> AbstractContextManager[None]:
    from torch._inductor import codecache

    # Later versions assemble one file of all kernels, whose order is that of the kernels.
    if not hasattr(codecache, "convert_cubin_to_obj"):
        return nullcontext()
    return changed("torch._inductor.codecache", "convert_cubin_to_obj", _in_order)


def _in_order(original: Callable[..., str]) -> Callable[..., str]:
    """Lets the linker order the symbols of a kernel by their names. It has ordered them by the path of the
    kernel's file, which the first names that it gave them hold."""

    def convert(cubin: str, kernel: str, linker: str, objcopy: str) -> str:
        path = original(cubin, kernel, linker, objcopy)
        again = f"{path}.ordered"
        subprocess.run(
            [linker, "-r", "-z", "noexecstack", "-o", again, path], capture_output=True, check=True
        )
        os.replace(again, path)
        return path

    return convert


def _home(found: str | None) -> str:
    """The folder of a toolkit that has the headers: the one that torch has found, or where one usually is."""
    looked = list(dict.fromkeys([*([found] if found else []), _USUAL]))
    for home in looked:
        if not _missing(home):
            return home
    missing = _missing(looked[0])[0]
    raise UnavailableError(
        f"a program for a GPU is compiled with the headers of CUDA, and {missing} is not in "
        f"{looked[0]}/include; install the CUDA toolkit {torch.version.cuda}, and let the environment "
        "variable CUDA_HOME name its folder"
    )


def _missing(home: str) -> list[str]:
    folders = (Path(home, "include"), Path(home, "include", _LIBRARIES))
    return [header for header in _HEADERS if not any((folder / header).is_file() for folder in folders)]


def _driver() -> str:
    """The file of the driver, as this process has loaded it."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise UnavailableError(
            f"the driver of the GPU cannot be loaded: {error}; install NVIDIA's driver, or let "
            "LD_LIBRARY_PATH name the folder of its libcuda.so.1"
        ) from error
    lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    found = (_DRIVER.fullmatch(line.split(maxsplit=5)[-1]) for line in lines)
    return next((one[0] for one in found if one), "libcuda.so.1")

"""What compiling a program for a GPU takes from the host: triton, CUDA's headers, and the driver.

torch looks for the toolkit where nvcc is, which may be a script elsewhere, and knows of no other place then.
The driver is on every host with a GPU, but only a toolkit gives it the name that a linker looks for,
libcuda.so.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from kit.errors import UnavailableError
from kit.programs.inductor import environment, replaced

_HEADERS = ("cuda.h", "cuda_runtime_api.h", "crt/host_defines.h", "nv/target")
"""Of the several packages that a toolkit is made of, some may be missing."""

_USUAL = "/usr/local/cuda"
_DRIVER = re.compile(r"/.*/libcuda\.so(\.\d+)*")


@contextmanager
def toolkit(folder: Path) -> Iterator[None]:
    """Let Inductor find CUDA's headers and the driver, wherever they are.

    folder: a link to the driver is made in it. Raises UnavailableError for what is not here.
    """
    from torch.utils import cpp_extension

    if importlib.util.find_spec("triton") is None:
        raise UnavailableError(
            "a program for a GPU is compiled by triton, which is not here; install it (pip install triton)"
        )
    links = folder / "driver"
    links.mkdir()
    (links / "libcuda.so").symlink_to(_driver())
    paths = [str(links), *filter(None, [os.environ.get("LIBRARY_PATH")])]
    home = _home(cpp_extension.CUDA_HOME)
    with (
        replaced(cpp_extension, "CUDA_HOME", home),
        environment({"LIBRARY_PATH": os.pathsep.join(paths)}),
    ):
        yield


def _home(found: str | None) -> str:
    """The folder of a toolkit that has the headers: the one that torch has found, or where one usually is."""
    looked = list(dict.fromkeys([*([found] if found else []), _USUAL]))
    for home in looked:
        if all(Path(home, "include", header).is_file() for header in _HEADERS):
            return home
    missing = next(header for header in _HEADERS if not Path(looked[0], "include", header).is_file())
    raise UnavailableError(
        f"a program for a GPU is compiled with the headers of CUDA, and {missing} is not in "
        f"{looked[0]}/include; install the CUDA toolkit {torch.version.cuda}, and let the environment "
        "variable CUDA_HOME name its folder"
    )


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

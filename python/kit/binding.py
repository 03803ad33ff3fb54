"""The C++ library, `native`. Importing this module fails with UnavailableError where it cannot be loaded."""

from __future__ import annotations

import torch  # before the binding, which uses the libraries that torch loads

from kit.errors import UnavailableError

__all__ = ["native"]


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


try:
    from kit import _native as native
except ImportError as error:
    raise UnavailableError(
        f"kit's C++ library cannot be loaded: {str(error).splitlines()[0]}; build it with `make build` in "
        "the checkout, or install kit anew beside this torch"
    ) from error

if _minor(native.torch_version) != _minor(torch.__version__):
    raise UnavailableError(
        f"kit was built for torch {native.torch_version}, but torch {torch.__version__} is installed; build "
        "kit anew"
    )

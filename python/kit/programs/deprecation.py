"""torch 2.13 calls TorchScript deprecated at each use. kit knows; its users need not be told each time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def torchscript_deprecation_ignored() -> Iterator[None]:
    """Keep quiet that torch.jit.trace, save and load are deprecated, and nothing else."""
    with warnings.catch_warnings():
        ignore_torchscript_deprecation()
        yield


def ignore_torchscript_deprecation() -> None:
    """The same for the warnings filters as they are now."""
    for category in (DeprecationWarning, FutureWarning):
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is (deprecated|not supported)", category)

"""How precisely cuDNN computes, where torch runs a model in Python beside kit's engines."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def precision(tf32: bool | None) -> Iterator[None]:
    """Let cuDNN round the float32 inputs of convolutions and recurrent layers to TF32, or not, as
    `kit.Configuration` has it: torch does by default, and kit does not."""
    before = _state()
    wanted = "tf32" if tf32 else "ieee"
    try:
        _set(bool(tf32), wanted, wanted)
        yield
    finally:
        _set(*before)


# Torch has one switch for both, and since 2.9 one for each beside it; much of torch raises if they differ. Of
# the one for both, the older one, it warns.


def _state() -> tuple[bool, str, str]:
    cudnn: Any = torch.backends.cudnn
    convolutions, recurrent = cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            both = cudnn.allow_tf32
        except RuntimeError:
            # It differs from these two; or they differ, and nobody can ask for it: then it is the default.
            both = recurrent != convolutions or recurrent != "tf32"
    return both, convolutions, recurrent


def _set(both: bool, convolutions: str, recurrent: str) -> None:
    cudnn: Any = torch.backends.cudnn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cudnn.allow_tf32 = both
    cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision = convolutions, recurrent

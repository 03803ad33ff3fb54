"""What the GPU tests share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

NEEDS_CUDA = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
CUDA = "cuda:0"
DEVICES = ("cpu", pytest.param(CUDA, marks=NEEDS_CUDA))


@contextmanager
def full_precision(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Convolutions in float32 on a GPU, as on a CPU: by default cuDNN rounds their inputs to TF32's ten bits.
    In processes that are started meanwhile, too."""
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some versions call this setting the old one
        before = torch.backends.cudnn.allow_tf32
        torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.backends.cudnn.allow_tf32 = before

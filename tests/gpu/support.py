"""What the GPU tests share."""

from __future__ import annotations

import pytest
import torch

NEEDS_CUDA = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
CUDA = "cuda:0"
DEVICES = ("cpu", pytest.param(CUDA, marks=NEEDS_CUDA))

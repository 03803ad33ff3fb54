"""What depends on the version of torch that the tests run with."""

from __future__ import annotations

import pytest
import torch

TORCH = tuple(int(part) for part in torch.__version__.split(".")[:2])

CHECKS_DIVISIONS = pytest.mark.skipif(
    TORCH < (2, 13),
    reason="before 2.13, torch does not check divisions of integers, and the export refuses them",
)

ROUNDS_TO_16_BITS = pytest.mark.skipif(
    TORCH < (2, 13), reason="before 2.13, torch does not round to 16 bits between two operations on a CPU"
)

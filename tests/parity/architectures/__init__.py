"""Architectures as transformers publishes them, small and with random weights, called as users call them.

`ARCHITECTURES` maps a name to a recipe. Nothing is downloaded.
"""

from __future__ import annotations

from tests.parity.architectures import (
    any_size,
    audio,
    convolutions,
    decoders,
    dense,
    encoders,
    experts,
    gpts,
    mixed,
    pairs,
    recurrent,
    vision,
)
from tests.parity.architectures.registry import ARCHITECTURES

__all__ = [
    "ARCHITECTURES",
    "any_size",
    "audio",
    "convolutions",
    "decoders",
    "dense",
    "encoders",
    "experts",
    "gpts",
    "mixed",
    "pairs",
    "recurrent",
    "vision",
]

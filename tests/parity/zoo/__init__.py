"""The zoo: small models with random weights, one for each thing that a traced model may get wrong.

`ZOO` maps a name to a recipe. Importing a file of this folder adds what is in it.
"""

from __future__ import annotations

from tests.parity.zoo import attention, convolution, dtypes, normalization, sequence, shapes, structure
from tests.parity.zoo.registry import ZOO

__all__ = ["ZOO", "attention", "convolution", "dtypes", "normalization", "sequence", "shapes", "structure"]

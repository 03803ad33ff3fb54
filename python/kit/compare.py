"""Tolerances by dtype. Comparing itself is done by the C++ core (`compare.h`), for every language alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kit.errors import UsageError
from kit.signature import DTYPES, dtype_name


@dataclass(frozen=True)
class Tolerance:
    """Two numbers agree if |actual - expected| <= atol + rtol * |expected|."""

    rtol: float
    atol: float

    def __post_init__(self) -> None:
        for name, value in (("rtol", self.rtol), ("atol", self.atol)):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise UsageError(f"the tolerance {name}={value!r} is no number of at least 0")


EXACT = Tolerance(0.0, 0.0)
DEFAULT_TOLERANCES: Mapping[str, Tolerance] = {
    "float16": Tolerance(1e-3, 1e-5),
    "bfloat16": Tolerance(1.6e-2, 1e-5),
    "float32": Tolerance(1.3e-6, 1e-5),
    "float64": Tolerance(1e-7, 1e-7),
    "complex64": Tolerance(1.3e-6, 1e-5),
    "complex128": Tolerance(1e-7, 1e-7),
}
"""Those of torch.testing.assert_close; the rest is exact. https://docs.pytorch.org/docs/stable/testing.html"""


def default_tolerance(dtype: str) -> Tolerance:
    """The tolerance of a dtype for which none was given."""
    return DEFAULT_TOLERANCES.get(dtype, EXACT)


def tolerances_for(dtypes: Iterable[str], given: Mapping[object, object]) -> dict[str, Tolerance]:
    """A tolerance for each dtype: the given one, else the default.

    `given` maps a dtype ("float32" or torch.float32) to a Tolerance or a pair (rtol, atol).
    """
    chosen: dict[str, Tolerance] = {}
    for key, value in given.items():
        name = dtype_name(key)
        if name not in DTYPES:
            raise UsageError(f"tolerances has the unknown dtype {key!r}; use one of {', '.join(DTYPES)}")
        if isinstance(value, Tolerance):
            chosen[name] = value
        elif isinstance(value, (tuple, list)) and len(value) == 2:
            chosen[name] = Tolerance(*value)
        else:
            raise UsageError(f"the tolerance of {name} is {value!r}; give a pair (rtol, atol)")
    return {name: chosen.get(name, default_tolerance(name)) for name in sorted(set(dtypes))}

"""Telling whether Python asks for a number because it takes a slice, as in `table[:, :x.shape[1]]`.

The tracer of torch takes care of the bounds of slices of tensors, so these numbers are not lost. Other things
that are sliced, as lists, show in the comparison of traces.
"""

from __future__ import annotations

import dis
from functools import lru_cache
from types import CodeType, FrameType

_SLICES = ("BINARY_SLICE", "STORE_SLICE")
_SUBSCRIPTS = ("BINARY_SUBSCR", "STORE_SUBSCR", "DELETE_SUBSCR")
_BUILDS = ("BUILD_SLICE", "BUILD_TUPLE")


def is_slicing(frame: FrameType) -> bool:
    """Whether the instruction that a frame is at takes or sets a slice."""
    return frame.f_lasti in _slicing(frame.f_code)


@lru_cache(maxsize=1024)
def _slicing(code: CodeType) -> frozenset[int]:
    """Where a code takes or sets slices: the offsets of these instructions."""
    found = []
    before = ""
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if name in _SLICES or (name in _SUBSCRIPTS and before in _BUILDS):
            found.append(instruction.offset)
        if name != "EXTENDED_ARG":
            before = name
    return frozenset(found)

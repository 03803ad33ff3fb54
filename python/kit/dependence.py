"""Whether the rows of a call depend on one another, as far as a trial shows: if so, it must not be cut."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kit.binding import native as binding
from kit.cases import Case, largest
from kit.eager import Eager
from kit.errors import TraceError
from kit.programs.rows import batch_of
from kit.signature import Signature


def rows_depend(eager: Eager, signature: Signature, cases: Sequence[Case]) -> bool:
    """Whether a call must not be divided in turn: where one dim leads all inputs and outputs, the eager model
    gives for two parts of a case something else than for the whole.

    The two cases of the fewest rows are tried. Only what differs in the first half of the digits counts, as a
    row is rounded otherwise among others. Where random numbers are drawn no two calls agree anyway.
    """
    batch = batch_of(signature)
    if batch is None or eager.seed is not None:
        return False
    least = max(1, next(dim.min for dim in signature.dims if dim.name == batch))
    divisible = [case for case in cases if case.inputs[0].shape[0] >= 2 * least]
    divisible.sort(key=lambda case: case.inputs[0].shape[0])
    return any(_depends(eager, case, least) for case in divisible[:2])


def _depends(eager: Eager, case: Case, least: int) -> bool:
    whole = [tensor.to(eager.device) for tensor in case.inputs]
    rows = whole[0].shape[0]
    cut = max(least, rows // 2)
    try:
        parts = [
            eager.run([tensor[begin:end] for tensor in whole], "a part of a golden case")
            for begin, end in ((0, cut), (cut, rows))
        ]
    except TraceError:  # what it takes whole it must not get in parts
        return True
    for *divided, together in zip(*parts, case.outputs, strict=True):
        if not binding.compare(torch.cat(divided).cpu(), together, 0.0, _room(together)).within:
            return True
    return False


def _room(output: Tensor) -> float:
    """What may be another rounding: half of the digits of the largest number."""
    if not output.is_floating_point() and not output.is_complex():
        return 0.0
    return float(torch.finfo(output.dtype).eps ** 0.5 * largest(output))

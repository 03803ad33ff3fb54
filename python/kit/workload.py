"""Inputs of wanted sizes, from golden cases: what `predictor bench` makes in C++ (workload.h)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from kit.signature import Signature


def inputs_of(
    signature: Signature, cases: Sequence[Sequence[Tensor]], sizes: Mapping[str, int]
) -> list[Tensor]:
    """The flat inputs of the case of these sizes, else the elements of the largest case, over and over.

    cases: flat inputs, at least one.
    """
    for inputs in cases:
        if signature.sizes(inputs) == sizes:
            return list(inputs)
    largest = max(cases, key=lambda inputs: sum(one.numel() for one in inputs))
    return [
        _repeated(tensor, [sizes[entry] if isinstance(entry, str) else entry for entry in spec.shape])
        for spec, tensor in zip(signature.inputs, largest, strict=True)
    ]


def _repeated(tensor: Tensor, shape: Sequence[int]) -> Tensor:
    for axis, size in enumerate(shape):
        tensor = tensor.index_select(axis, torch.arange(size) % tensor.shape[axis])
    return tensor

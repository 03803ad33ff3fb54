"""Tensors that resemble an example: random ones, and extremes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from kit.signature import TensorSpec


def random_like(
    inputs: Sequence[TensorSpec], examples: Sequence[Tensor], sizes: Mapping[str, int], seed: int
) -> list[Tensor]:
    """Tensors of the inputs' shapes at these sizes of the dims, distributed as the examples are.

    Floating numbers are normal with the example's mean and deviation (1 where it has none), integers uniform
    between its least and its greatest, booleans as often true. Takes nothing from the global generators.
    """
    generator = torch.Generator().manual_seed(seed)
    return [
        _like(example, [sizes[entry] if isinstance(entry, str) else entry for entry in spec.shape], generator)
        for spec, example in zip(inputs, examples, strict=True)
    ]


NAN = "NaN"
VARIANTS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "zeros": torch.zeros_like,
    "negative values": lambda tensor: -tensor.abs() - 1,
    "large values": lambda tensor: tensor * 1e4 + 1e4,
    NAN: lambda tensor: torch.where(_every_third(tensor), torch.nan, tensor),
}
"""Values other than those of an example, for floating inputs; all else keeps those of the example."""


def variant(tensors: Sequence[Tensor], change: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """The tensors with the floating ones changed."""
    return [change(one).to(one.dtype) if one.is_floating_point() else one.clone() for one in tensors]


def _every_third(tensor: Tensor) -> Tensor:
    count = torch.arange(tensor.numel(), device=tensor.device).reshape(tensor.shape)
    return count % 3 == 0


def _like(example: Tensor, shape: list[int], generator: torch.Generator) -> Tensor:
    dtype, device = example.dtype, example.device
    example = example.detach().cpu()
    if dtype is torch.bool:
        share = example.double().mean().item() if example.numel() > 1 else 0.5
        return (torch.rand(shape, generator=generator) < share).to(device)
    if dtype.is_complex:
        parts = [_normal(part, shape, generator) for part in (example.real, example.imag)]
        return torch.complex(*parts).to(dtype).to(device)
    if dtype.is_floating_point:
        finite = torch.finfo(dtype)
        return _normal(example, shape, generator).clamp(finite.min, finite.max).to(dtype).to(device)
    whole = example.to(torch.int64)
    low, high = (int(whole.min()), int(whole.max())) if whole.numel() else (0, 1)
    if example.dim() == 0:  # a number on its own says nothing of its range: keep its sign
        limit = torch.iinfo(dtype)
        low, high = sorted((min(max(2 * low, limit.min), limit.max), 1 if low > 0 else 0))
    high = min(high, 2**63 - 2)  # torch.randint excludes its upper bound, which must fit 64 bits
    return torch.randint(min(low, high), high + 1, shape, generator=generator).to(dtype).to(device)


def _normal(example: Tensor, shape: list[int], generator: torch.Generator) -> Tensor:
    values = example.double().flatten()
    values = values[values.isfinite()]
    mean = values.mean().item() if values.numel() else 0.0
    deviation = values.std().item() if values.numel() > 1 else 0.0
    return torch.randn(shape, generator=generator, dtype=torch.float64) * (deviation or 1.0) + mean

"""Rules on the parameters and buffers of a module, before anything is run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from kit.guards.finding import Finding


def check_parameters(module: nn.Module | None, example: Sequence[Tensor]) -> list[Finding]:
    """All that is wrong with the parameters and buffers of a module, given its example inputs."""
    if module is None:
        return []
    return [*meta_parameter(module), *other_device(module, example), *shared_parameter(module)]


def meta_parameter(module: nn.Module) -> Iterator[Finding]:
    """A parameter on the meta device has a shape and no values."""
    for name, tensor in _tensors(module):
        if tensor.is_meta:
            yield Finding(
                "meta-parameter",
                f"'{name}' is on the meta device: it has a shape, but no values",
                "load the weights first, as with model.to_empty(device='cpu') and load_state_dict",
                None,
                name,
            )


def other_device(module: nn.Module, example: Sequence[Tensor]) -> Iterator[Finding]:
    """Parameters and inputs on several devices: an archive is loaded onto one."""
    devices = {str(tensor.device): f"'{name}'" for name, tensor in _tensors(module) if not tensor.is_meta}
    for tensor in example:
        devices.setdefault(str(tensor.device), "an example input")
    if len(devices) > 1:
        where = ", ".join(f"{what} is on {device}" for device, what in devices.items())
        yield Finding(
            "other-device",
            f"parameters, buffers and inputs are on several devices: {where}; an archive is loaded onto one",
            "move all to one device with model.to(...), or give device= (--device)",
        )


def shared_parameter(module: nn.Module) -> Iterator[Finding]:
    """One parameter under two names of the same module, which a trace cannot hold. (Shared between modules,
    as tied embeddings are, it is kept shared.)"""
    for path, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            continue
        names: dict[int, str] = {}
        for name, tensor in part._parameters.items():
            if tensor is None:
                continue
            first = names.setdefault(id(tensor), name)
            if first != name:
                owner = f"'{path}' ({type(part).__name__})" if path else type(part).__name__
                yield Finding(
                    "shared-parameter",
                    f"{owner} holds one parameter under two names, '{first}' and '{name}', and a trace has "
                    "one name for each",
                    f"keep one of them, and make the other a property: return self.{first}",
                    None,
                    f"{path}.{name}" if path else name,
                )


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()

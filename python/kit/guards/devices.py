"""Watching a call: which devices the code names, instead of taking them from a tensor."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from kit.guards.graph import Graph
from kit.source import Place, place_here

_DEVICE = Tensor.device.__get__
_TO_DEVICE = {Tensor.cpu: "cpu", Tensor.cuda: "cuda"}
_TORCH = str(torch.__file__).rpartition("__init__")[0]


@dataclass(frozen=True)
class NamedDevice:
    """A device that the code names."""

    device: str
    place: Place | None


def holds_device(graph: Graph) -> bool:
    """Whether a device is written into a graph. If none is, the code names none: what takes a device is
    recorded with it."""
    constants = graph.findAllNodes("prim::Constant")
    return any(node.output().type().kind() == "DeviceObjType" for node in constants)


class DeviceWatch(TorchFunctionMode):
    """Notes the devices that are named in a call of the model, outside of torch's own code."""

    def __init__(self) -> None:
        super().__init__()
        self.devices: list[NamedDevice] = []
        self._taken: list[torch.device] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func == _DEVICE:
            # An object of its own tells that the device was taken from a tensor, wherever it is used.
            device = torch.device(str(func(*args, **kwargs)))
            self._taken.append(device)
            return device
        given = kwargs.get("device")
        if func is Tensor.to:
            given = next((one for one in args[1:] if isinstance(one, (torch.device, str))), given)
        elif func in _TO_DEVICE:
            given = _TO_DEVICE[func]
        if given is not None and not isinstance(given, Tensor):
            self._note(given, sys._getframe(1))
        return func(*args, **kwargs)

    def _note(self, given: Any, frame: Any) -> None:
        taken = any(given is one for one in self._taken)
        if not taken and not frame.f_code.co_filename.startswith(_TORCH):
            self.devices.append(NamedDevice(str(given), place_here(frame)))

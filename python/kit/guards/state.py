"""What a call must leave as it was: inputs, and the state that a module keeps from call to call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from threading import get_ident
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from kit.guards.finding import Finding
from kit.source import Place, place_here
from kit.state import version_of


def was_written(tensor: Tensor, version: int, values: Tensor) -> bool:
    """Whether a tensor has been written to since it had this version and these values. Writes through `.data`
    leave the version as it was."""
    if version_of(tensor) != version or tensor.shape != values.shape:
        return True
    return not (torch.equal(tensor, values) or torch.allclose(tensor, values, 0, 0, equal_nan=True))


def _is_other(tensor: Tensor, version: int, values: Tensor) -> bool:
    """The same, without a look at the values where the version tells."""
    if tensor.is_inference():
        return was_written(tensor, version, values)
    return version_of(tensor) != version


class BufferState:
    """The buffers of a module as they were, to see whether a call changed them, and to put them back."""

    def __init__(self, module: nn.Module | None) -> None:
        parts = dict(module.named_modules()) if module is not None else {}
        self._module = module
        self._parameters: list[tuple[str, Tensor, int]] = []
        self._saved = [
            (
                part,
                name,
                f"{path}.{name}" if path else name,
                tensor,
                version_of(tensor),
                tensor.detach().clone(),
            )
            for path, part in parts.items()
            for name, tensor in part._buffers.items()
            if tensor is not None and not is_lazy(tensor) and not isinstance(part, torch.jit.ScriptModule)
        ]

    def watch_parameters(self) -> None:
        """See from now on also whether a parameter is written to. There is no copy to put back."""
        if self._module is not None:
            self._parameters = [(path, one, version_of(one)) for path, one in self._module.named_parameters()]

    def leave_parameters(self) -> None:
        """Do not look at parameters for a while."""
        self._parameters = []

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The parameters and buffers by their path."""
        parameters = {path: parameter for path, parameter, _ in self._parameters}
        return parameters | {path: tensor for _, _, path, tensor, _, _ in self._saved}

    def changed(self) -> list[str]:
        """Paths of the buffers that are other tensors now, or have been written to, and of the parameters
        that have been."""
        return [
            path
            for part, name, path, tensor, version, values in self._saved
            if part._buffers.get(name) is not tensor or _is_other(tensor, version, values)
        ] + [path for path, parameter, version in self._parameters if version_of(parameter) != version]

    def restore(self) -> None:
        """Put back the buffers that changed."""
        changed = set(self.changed())
        for index, (part, name, path, tensor, _, values) in enumerate(self._saved):
            if path in changed:
                with torch.inference_mode(tensor.is_inference()), torch.no_grad():
                    tensor.copy_(values)
                part._buffers[name] = tensor
                self._saved[index] = (part, name, path, tensor, version_of(tensor), values)


def mutated_input(name: str, place: Place | None, what: str) -> Finding:
    """An input is changed in place: who calls the program would find other values in it, or not."""
    first = name.partition(".")[0]
    return Finding(
        "mutated-input",
        f"the input '{name}' is changed in place for {what}, and the caller's tensor with it",
        f"work on a copy, as {first}.clone()",
        place,
        name,
    )


def mutated_buffer(name: str, place: Place | None, kind: str) -> Finding:
    """A buffer or a parameter changes from call to call: what the program gives would depend on the calls
    before."""
    return Finding(
        "mutated-buffer",
        f"the {kind} '{name}' changes during the call, so what the model gives depends on the calls before",
        f"take the state as an input and return the new one, or leave the {kind} alone in eval mode",
        place,
        name,
    )


def not_repeatable(output: str, what: str) -> Finding:
    """The model gives something else for the same inputs: no program can be compared with it."""
    return Finding(
        "not-repeatable",
        f"output '{output}' differs when the model is called again on {what}: it keeps state between calls, "
        "or takes random numbers from outside of torch",
        "make the call depend on its inputs alone",
        None,
        output,
    )


def kept_from_first_call(output: str, place: Place | None) -> Finding:
    """What the model keeps of its first call decides what it gives in later ones."""
    return Finding(
        "not-repeatable",
        f"output '{output}' depends on the values of the first call: the model keeps something of them, and "
        "the program would keep that of the example",
        "compute it in each call; if it is to be kept, call the model once, with the right values, before it "
        "is exported",
        place,
        output,
    )


def place_of_change(call: Callable[[], Any], watched: Mapping[str, Tensor]) -> Place | None:
    """The line that changes one of the tensors first, found by making the call once more."""
    with _Watch(watched) as watch:
        call()
    return watch.place


class _Watch(TorchFunctionMode):
    """Looks at tensors after every operation, and at what is set on modules."""

    def __init__(self, watched: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.place: Place | None = None
        self._thread = get_ident()
        self._before = [(tensor, version_of(tensor), tensor.clone()) for tensor in watched.values()]
        self._setters = {name: getattr(nn.Module, name) for name in ("__setattr__", "register_buffer")}

    def __enter__(self) -> _Watch:
        for name, original in self._setters.items():
            setattr(nn.Module, name, self._watched(original))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def _watched(self, original: Callable[..., None]) -> Callable[..., None]:
        def setter(module: nn.Module, name: str, *args: Any, **kwargs: Any) -> None:
            if self.place is None and get_ident() == self._thread and name in module._buffers:
                self.place = place_here(sys._getframe(1))
            original(module, name, *args, **kwargs)

        return setter

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]
        for name, original in self._setters.items():
            setattr(nn.Module, name, original)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.place is None and any(was_written(*one) for one in self._before):
            self.place = place_here(sys._getframe(1))
        return result

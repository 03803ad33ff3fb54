"""What an export must leave as it found it: random generators, the training flags of modules, what these
keep on themselves, and what is set for the whole process. And that exports of one process take turns."""

from __future__ import annotations

import operator
import os
import random
import sys
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Put back the generators of Python, numpy and torch (CPU, CUDA) at the end, also after an exception."""
    python = random.getstate()
    numpy = sys.modules.get("numpy")
    numpy_state = numpy.random.get_state() if numpy is not None else None
    cpu = torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        random.setstate(python)
        if numpy is not None:
            numpy.random.set_state(numpy_state)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


_turn = RLock()


def _no_turns_yet() -> None:
    """In a fork there is no thread whose turn it might be."""
    global _turn
    _turn = RLock()


os.register_at_fork(after_in_child=_no_turns_yet)


@contextmanager
def taking_turns() -> Iterator[None]:
    """One thread at a time looks at models, and leaves the generators as they were. While it does, it
    replaces methods of torch, which in other threads are as ever, and seeds the generators of all."""
    with _turn, random_state_kept():
        yield


@contextmanager
def as_in_a_new_process() -> Iterator[list[str]]:
    """The default dtype, and what becomes of denormal numbers, as a process has them that loads a program;
    as before at the end.

    Gives what was set otherwise, a few words for each.
    """
    dtype, flushed = torch.get_default_dtype(), _flushes_denormals()
    changed = [f"torch.set_default_dtype({dtype})"] if dtype is not torch.float32 else []
    changed += ["torch.set_flush_denormal(True)"] if flushed else []
    torch.set_default_dtype(torch.float32)
    torch.set_flush_denormal(False)
    try:
        yield changed
    finally:
        torch.set_default_dtype(dtype)
        torch.set_flush_denormal(flushed)


def _flushes_denormals() -> bool:
    """Whether numbers that are too small to be normal count as 0 in this thread. Torch does not tell."""
    smallest = torch.tensor(torch.finfo(torch.float32).tiny, dtype=torch.float32)
    return bool(smallest.mul(0.5).item() == 0)


@contextmanager
def evaluating(module: nn.Module | None) -> Iterator[None]:
    """Evaluation mode and no gradients, with the flag of every submodule as before at the end. Also within
    `torch.inference_mode`, whose tensors have no versions.

    The flags are set one by one and `train()` is not called: a class may override it to change more than
    the flag, which could not be put back.
    """
    parts = module.modules() if module is not None else ()
    flags = [(part, part.training) for part in parts if hasattr(part, "training")]  # a frozen one has none
    try:
        for part, _ in flags:
            part.training = False
        with torch.inference_mode(False), torch.no_grad():
            yield
    finally:
        for part, training in flags:
            part.training = training


@contextmanager
def training(module: nn.Module | None) -> Iterator[None]:
    """Training mode, in which batch norms neither read nor change their running statistics; as before at
    the end."""
    parts = list(module.modules()) if module is not None else []
    saved = [
        (part, name, part.__dict__[name])
        for part in parts
        for name in ("training", "track_running_stats")
        if name in part.__dict__
    ]
    try:
        for part, name, _ in saved:
            setattr(part, name, name == "training")
        yield
    finally:
        for part, name, value in saved:
            setattr(part, name, value)


class Attributes:
    """The plain attributes of a module and its submodules as they were, with what their lists, dicts and sets
    held, to put them back. tensors: all that are among these, also parameters and buffers.

    Lazy modules are left alone: they become others, and cannot go back.
    """

    def __init__(self, module: nn.Module | None) -> None:
        self.tensors: dict[int, Tensor] = {}
        self._held: dict[int, tuple[Any, Any]] = {}
        self._values: list[tuple[Tensor, int, Tensor]] = []
        for part in module.modules() if module is not None else ():
            if not isinstance(part, LazyModuleMixin):
                self._hold(vars(part))

    def _hold(self, container: Any) -> None:
        self._held[id(container)] = container, _copy(container)
        for value in container.values() if isinstance(container, dict) else container:
            if type(value) in _CONTAINERS and id(value) not in self._held:
                self._hold(value)
            elif isinstance(value, Tensor):
                self.tensors[id(value)] = value

    def keep_values(self, tensors: Iterable[Tensor]) -> None:
        """Put back the values of these tensors too."""
        self._values = [(tensor, version_of(tensor), tensor.detach().clone()) for tensor in tensors]

    def keep_written(self) -> list[Tensor]:
        """The tensors that have been written to; the values of the others are put back no more."""
        self._values = [one for one in self._values if version_of(one[0]) != one[1]]
        return [tensor for tensor, _, _ in self._values]

    def changed(self) -> bool:
        """Whether there are others now, or one of the tensors has been written to."""
        return any(not _same(*one) for one in self._held.values()) or any(
            version_of(tensor) != version for tensor, version, _ in self._values
        )

    def restore(self) -> None:
        """Put them back, and take away those that are new."""
        for container, held in self._held.values():
            if not _same(container, held):
                container.clear()
                container.extend(held) if isinstance(container, list) else container.update(held)
        for index, (tensor, version, values) in enumerate(self._values):
            if version_of(tensor) != version:
                with torch.no_grad():
                    tensor.copy_(values)
                self._values[index] = tensor, version_of(tensor), values


_CONTAINERS = (dict, list, set, OrderedDict, defaultdict)


def _copy(container: Any) -> Any:
    """What a container holds. Most are those of a module's hooks, and empty."""
    if not container:
        return ()
    return dict(container) if isinstance(container, dict) else container.copy()


def _same(container: Any, held: Any) -> bool:
    """Whether a container holds the very things that it held."""
    if len(container) != len(held):
        return False
    if not container or isinstance(container, set):
        return not container or bool(container == held)
    if isinstance(container, dict):
        return container.keys() == held.keys() and all(map(operator.is_, container.values(), held.values()))
    return all(map(operator.is_, container, held))


def version_of(tensor: Tensor) -> int:
    """A number that grows when the tensor is written to. One of `torch.inference_mode` has none."""
    return 0 if tensor.is_inference() else tensor._version


@contextmanager
def attributes_kept(module: nn.Module | None, tensors: Iterable[Tensor] = ()) -> Iterator[None]:
    """The plain attributes of a module and its submodules as before at the end: what a model keeps on itself
    while it is traced (`self.size = x.shape[0]`) belongs to the trace, and means nothing after it. tensors:
    those whose values are put back too."""
    saved = Attributes(module)
    saved.keep_values(tensors)
    try:
        yield
    finally:
        saved.restore()

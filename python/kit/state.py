"""What an export must leave as it found it: random generators, training flags of modules, and what is set for
the whole process."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
def evaluating(module: torch.nn.Module | None) -> Iterator[None]:
    """Evaluation mode and no gradients, with the flag of every submodule as before at the end.

    The flags are set one by one and `train()` is not called: a class may override it to change more than
    the flag, which could not be put back.
    """
    parts = module.modules() if module is not None else ()
    flags = [(part, part.training) for part in parts if hasattr(part, "training")]  # a frozen one has none
    try:
        for part, _ in flags:
            part.training = False
        with torch.no_grad():
            yield
    finally:
        for part, training in flags:
            part.training = training


@contextmanager
def training(module: torch.nn.Module | None) -> Iterator[None]:
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
    """The plain attributes of a module and its submodules as they were, to put them back."""

    def __init__(self, module: torch.nn.Module | None) -> None:
        parts = module.modules() if module is not None else ()
        self._saved = [(part, dict(part.__dict__)) for part in parts]

    def restore(self) -> None:
        """Put them back, and take away those that are new."""
        for part, attributes in self._saved:
            for name in part.__dict__.keys() - attributes.keys():
                del part.__dict__[name]
            part.__dict__.update(attributes)


@contextmanager
def attributes_kept(module: torch.nn.Module | None) -> Iterator[None]:
    """The plain attributes of a module and its submodules as before at the end: what a model keeps on itself
    while it is traced (`self.size = x.shape[0]`) belongs to the trace, and means nothing after it."""
    saved = Attributes(module)
    try:
        yield
    finally:
        saved.restore()

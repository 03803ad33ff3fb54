"""Torch itself: eager, TorchScript in Python, and TorchScript in C++ without kit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kit.binding import native
from kit.peers.contender import Call, Way, timed
from kit.peers.work import Work
from kit.programs.deprecation import torchscript_deprecation_ignored


def eager(work: Work) -> Way:
    """The recipe's model as it is, in inference mode."""

    def make() -> Call:
        model = work.eager
        args, kwargs = model.rebuild(work.inputs)

        def run() -> list[Tensor]:
            with torch.inference_mode(), model.mode():
                return [tensor.clone() for tensor in model.flat_output(model.function(*args, **kwargs))]

        def time(groups: int, calls: int) -> list[float]:
            with torch.inference_mode(), model.mode():
                return timed(lambda: model.function(*args, **kwargs))(groups, calls)

        return Call(run, time)

    return Way("eager (Python)", {"inference mode": make})


def torchscript(work: Work) -> Way:
    """The archive's TorchScript program in Python, as torch.jit.load gives it or made ready for inference."""

    def made(form: str) -> Callable[[], Call]:
        return lambda: _torchscript(work, form)

    return Way("TorchScript (Python)", {form: made(form) for form in ("loaded", "frozen", "optimized")})


def _torchscript(work: Work, form: str) -> Call:
    with torchscript_deprecation_ignored():
        module: Any = torch.jit.load(work.archive.path)  # type: ignore[no-untyped-call]
        name = work.method.name
        kept = [] if name == "forward" else [name]
        if form == "frozen":
            module = torch.jit.freeze(module.eval(), preserved_attrs=kept or None)
        elif form == "optimized":
            module = torch.jit.optimize_for_inference(module.eval(), other_methods=kept or None)
    function, inputs = getattr(module, name), work.inputs

    def run() -> list[Tensor]:
        with torch.inference_mode():
            result = function(*inputs)
        return list(result) if isinstance(result, tuple) else [result]

    def time(groups: int, calls: int) -> list[float]:
        with torch.inference_mode():
            return timed(lambda: function(*inputs))(groups, calls)

    return Call(run, time)


def libtorch(work: Work) -> Way:
    """The same in C++: torch::jit::Module, called in inference mode."""

    def made(form: str) -> Callable[[], Call]:
        def make() -> Call:
            module = native.BareModule(work.archive.path, work.method.name, form)
            return Call(
                lambda: module.run(work.inputs),
                lambda groups, calls: module.time(work.inputs, groups, calls),
            )

        return make

    return Way("libtorch (C++)", {form: made(form) for form in ("loaded", "frozen", "optimized")})

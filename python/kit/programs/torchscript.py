"""The `torchscript` program: the model traced by torch.jit.trace."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from kit.eager import Eager
from kit.errors import Error, TraceError
from kit.guards.evidence import Trace
from kit.guards.recorder import Recorder
from kit.programs.deprecation import ignore_torchscript_deprecation, torchscript_deprecation_ignored
from kit.source import is_own, one_line, raised_at
from kit.state import attributes_kept

ENGINE = "torchscript"
TARGET = "any"

# Loops over a tensor show in the graph, and a tensor made of numbers is as good as where these came from.
_HARMLESS = ("Iterating over a tensor", "registered as constants in the trace")


def trace(
    eager: Eager,
    tensors: Sequence[Tensor] | None = None,
    what: str = "the example",
    sizes: Mapping[str, int] | None = None,
) -> Trace:
    """Record the model on flat inputs, by default those of its example. Call it in evaluation mode, without
    gradients.

    A module that takes flat tensors and returns a tensor or a flat tuple is traced as it is, so that
    `torch.jit.load` gives a program that is called like the model; any other goes through a module that does.
    What the trace cannot hold is for the guards to find. Raises TraceError if the model cannot be run so.
    """
    given = list(eager.inputs.values()) if tensors is None else tensors
    if eager.direct and isinstance(eager.module, torch.jit.ScriptModule):
        return Trace(eager.module, eager.module.inlined_graph, what, sizes or {})
    module = eager.module if eager.direct and eager.module is not None else flat_module([eager])
    recorder = Recorder(list(eager.inputs))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        program = _record(module, {"forward": given}, eager.name, recorder)
    lost = []
    for warning in caught:
        ours = issubclass(warning.category, TracerWarning)  # what else the model warns of, eager has said
        if ours and not any(text in str(warning.message) for text in _HARMLESS):
            reason = str(warning.message).split(". ")[0]
            lost.append((reason, warning.filename, warning.lineno))
    graph = program.inlined_graph
    return Trace(program, graph, what, sizes or {}, recorder.events, (), lost)


def trace_methods(methods: Mapping[str, Eager]) -> torch.jit.ScriptModule:
    """One program with several methods of a model, each recorded on its example."""
    module = flat_module(list(methods.values()), list(methods))
    examples = {name: list(eager.inputs.values()) for name, eager in methods.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TracerWarning)  # the guards have seen each method
        program: torch.jit.ScriptModule = _record(module, examples, next(iter(methods.values())).name, None)
    return program


def copied(program: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """The program anew, with nothing in common with the old one."""
    buffer = io.BytesIO()
    with torchscript_deprecation_ignored():
        torch.jit.save(program, buffer)
        buffer.seek(0)
        return torch.jit.load(buffer)  # type: ignore[no-any-return, no-untyped-call]


def _record(
    module: nn.Module, examples: Mapping[str, Sequence[Tensor]], name: str, recorder: Recorder | None
) -> Any:
    TracerWarning.ignore_lib_warnings()  # type: ignore[no-untyped-call]
    ignore_torchscript_deprecation()
    given = {method: tuple(tensor.clone() for tensor in tensors) for method, tensors in examples.items()}
    try:
        with attributes_kept(module), recorder or nullcontext():
            return torch.jit.trace_module(  # type: ignore[no-untyped-call]
                module, given, check_trace=False, _store_inputs=False
            )
    except Error:
        raise
    except Exception as error:
        if is_own(error):
            raise
        where = raised_at(error) or name
        raise TraceError(f"{where}: it cannot be traced: {one_line(error)}") from error


def flat_module(eagers: Sequence[Eager], names: Sequence[str] = ("forward",)) -> nn.Module:
    """A module whose methods take and return flat tensors, and nest them for the model."""

    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            if eagers[0].module is not None:
                self.model = eagers[0].module

    for name, eager in zip(names, eagers, strict=True):
        setattr(Flat, name, _method(eager))
    return Flat()


def _method(eager: Eager) -> Any:
    def method(self: nn.Module, *tensors: Tensor) -> Any:
        with eager.mode():
            args, kwargs = eager.rebuild(tensors)
            outputs = eager.flat_output(eager.function(*args, **kwargs))
        return outputs[0] if "tensor" in eager.call.output else tuple(outputs)

    return method

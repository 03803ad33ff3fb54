"""The `torchscript` program: the model traced by torch.jit.trace."""

from __future__ import annotations

import io
import linecache
import re
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from kit.binding import native
from kit.detaching import data_detached
from kit.eager import Eager
from kit.errors import Error, TraceError
from kit.guards.finding import Finding
from kit.guards.operations import function_of_python
from kit.programs.deprecation import ignore_torchscript_deprecation, torchscript_deprecation_ignored
from kit.programs.mending import keep_tensors, mend
from kit.source import Place, followed, is_own, one_line, place_here, place_raised, raised_at
from kit.state import attributes_kept

ENGINE = "torchscript"
TARGET = "any"

_CALLED = re.compile(r"([\w.]+)\(")
_UNKNOWN = re.compile(r"INTERNAL ASSERT FAILED.* op for (\S+) but .*Argument types: (.*?),? *$", re.MULTILINE)
"""What torch says of an operation that it has recorded as none that a program can have."""


def trace(eager: Eager) -> torch.jit.ScriptModule:
    """The program of a model, recorded on its example. Call it in evaluation mode, without gradients.

    A module that takes flat tensors and returns a tensor or a flat tuple is traced as it is, so that
    `torch.jit.load` gives a program that is called like the model; any other goes through a module that does.
    What the trace cannot hold is for the guards to find. Raises TraceError if the model cannot be run so.
    """
    if eager.direct and isinstance(eager.module, torch.jit.ScriptModule):
        return eager.module
    direct = eager.direct and eager.module is not None
    module = eager.module if direct and eager.module is not None else flat_module([eager])
    return _traced(module, {"forward": list(eager.inputs.values())}, eager.name, direct and eager.mended)


def trace_methods(methods: Mapping[str, Eager]) -> torch.jit.ScriptModule:
    """One program with several methods of a model, each recorded on its example."""
    module = flat_module(list(methods.values()), list(methods))
    examples = {name: list(eager.inputs.values()) for name, eager in methods.items()}
    return _traced(module, examples, next(iter(methods.values())).name)


def copied(program: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """The program anew, with nothing in common with the old one."""
    buffer = io.BytesIO()
    with torchscript_deprecation_ignored():
        torch.jit.save(program, buffer)
        buffer.seek(0)
        return torch.jit.load(buffer)  # type: ignore[no-any-return, no-untyped-call]


@contextmanager
def tracing(module: nn.Module | None, name: str) -> Iterator[None]:
    """The state in which torch traces the model of that name, with its errors as TraceError."""
    TracerWarning.ignore_lib_warnings()  # type: ignore[no-untyped-call]
    ignore_torchscript_deprecation()
    try:
        with attributes_kept(module), data_detached():
            yield
    except Error:
        raise
    except Exception as error:
        if unknown := _UNKNOWN.search(str(error)):
            raise TraceError(
                f"{name}: it cannot be traced: torch does not record {unknown[1]} of ({unknown[2]}) so that "
                "a program can hold it; compute this with other operations"
            ) from error
        if is_own(error):
            raise
        function = _function_of_python(error)
        if function is not None:
            finding = function_of_python(function, place_raised(error))
            raise TraceError(str(finding), [finding]) from error
        where = raised_at(error) or name
        if "value kind: UInt" in str(error):
            raise TraceError(
                f"{where}: a whole number of 2**63 or more has no room in the 64 bits that a program has for "
                "it; give it as a float"
            ) from error
        if "dynamo-optimized" in str(error):
            raise TraceError(
                f"{where}: it cannot be traced, for torch.compile made a part of it or all; export the model "
                "as it was given to torch.compile, which is `_orig_mod` of what that made"
            ) from error
        raise TraceError(f"{where}: it cannot be traced: {one_line(error)}") from error


def _function_of_python(error: BaseException) -> str | None:
    """The name of the autograd function that torch was calling when it failed. It cannot trace one that takes
    what is neither a tensor nor a plain value, as checkpointing with use_reentrant=True does.

    What calls it is Python or not, by the version of torch, so it is found in the line of its caller.
    """
    frames = traceback.walk_tb(error.__traceback__)
    outside = [one for one in frames if one[0].f_code.co_filename != torch.autograd.function.__file__]
    frame, number = outside[-1]
    for name in _CALLED.findall(linecache.getline(frame.f_code.co_filename, number)):
        first, *further = name.split(".")
        value = frame.f_locals.get(first, frame.f_globals.get(first))
        for attribute in further:
            value = getattr(value, attribute, None)
        owner, called = getattr(value, "__self__", None), getattr(value, "__name__", None)
        if called == "apply" and isinstance(owner, type) and issubclass(owner, torch.autograd.Function):
            return owner.__name__
    return None


def trace_module(
    module: nn.Module, examples: Mapping[str, Sequence[Tensor]], mended: bool = False
) -> torch.jit.ScriptModule:
    """The methods of a module, each recorded on copies of its example. mended: see `Eager.mended`."""
    given = {method: tuple(tensor.clone() for tensor in tensors) for method, tensors in examples.items()}

    def at_the_end(*called: object) -> None:
        mend(torch._C._get_tracing_state().graph())

    with native.StackNotes(), module.register_forward_hook(at_the_end) if mended else nullcontext():
        return torch.jit.trace_module(  # type: ignore[no-any-return, no-untyped-call]
            module, given, check_trace=False, _store_inputs=False
        )


def _traced(
    module: nn.Module, examples: Mapping[str, Sequence[Tensor]], name: str, mended: bool = False
) -> torch.jit.ScriptModule:
    with warnings.catch_warnings(), tracing(module, name):
        warnings.simplefilter("ignore")  # the model has warned when it ran, and the guards look at the rest
        program = trace_module(module, examples, mended)
        if not any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
            keep_tensors(program)  # what is TorchScript already is the caller's
    for method in examples:
        # Torch keeps what it inlines. Done first for a run that is not optimized, it would leave calls in.
        getattr(program, method).inlined_graph  # noqa: B018
    return program


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
        return flat_call(eager, tensors)

    return method


def flat_call(eager: Eager, tensors: Sequence[Tensor]) -> Any:
    """What the model returns for flat tensors: one, or a flat tuple of them."""
    outputs = eager.flat_output(nested_call(eager, tensors))
    return outputs[0] if "tensor" in eager.call.output else tuple(outputs)


def nested_call(eager: Eager, tensors: Sequence[Tensor]) -> Any:
    """What the model returns for flat tensors, as it nests.

    Raises TraceError if torch has stopped tracing meanwhile: it does so at an operation that fails, and would
    crash at the end if the model goes on.
    """
    traced = torch._C._get_tracing_state() is not None
    with eager.mode():
        args, kwargs = eager.rebuild(tensors)
        result = eager.function(*args, **kwargs)
    if traced and torch._C._get_tracing_state() is None:
        finding = Finding(
            "fails",
            "an operation fails here and the model goes on, but torch's tracer stops at what fails",
            "ask beforehand whether it can be done, instead of catching the exception",
            _place_of_failure(eager, tensors),
        )
        raise TraceError(str(finding), [finding])
    if traced:
        eager.mended |= mend(torch._C._get_tracing_state().graph())
    return result


def _place_of_failure(eager: Eager, tensors: Sequence[Tensor]) -> Place | None:
    """Where torch stops to trace, found by tracing again."""
    places: list[Place | None] = []

    def watch(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "exception" and not places and torch._C._get_tracing_state() is None:
            places.append(place_here(frame))
        return watch

    def call(*copies: Tensor) -> None:
        args, kwargs = eager.rebuild(copies)
        eager.function(*args, **kwargs)
        raise RuntimeError  # a trace that was stopped must not end otherwise

    with followed(watch), suppress(Exception):
        copies = tuple(tensor.clone() for tensor in tensors)
        torch._C._create_graph_by_tracing(call, copies, lambda tensor: "", True, False, None, [])
    return places[0] if places else None

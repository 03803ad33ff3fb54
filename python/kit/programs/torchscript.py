"""The `torchscript` program: the model traced by torch.jit.trace."""

from __future__ import annotations

import linecache
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from kit.eager import Eager
from kit.errors import Error, TraceError
from kit.programs.deprecation import ignore_torchscript_deprecation
from kit.source import display_path, one_line, raised_at

ENGINE = "torchscript"
TARGET = "any"


def trace(eager: Eager) -> torch.jit.ScriptModule:
    """Record the model on its example. Call it in evaluation mode, without gradients.

    A module that takes flat tensors and returns a tensor or a flat tuple is traced as it is, so that
    `torch.jit.load` gives a program that is called like the model; any other goes through a module that does.
    Raises TraceError if the model does what a trace cannot hold.
    """
    if eager.direct and isinstance(eager.module, torch.jit.ScriptModule):
        return eager.module
    module = eager.module if eager.direct and eager.module is not None else _flat(eager)
    example = tuple(tensor.clone() for tensor in eager.inputs.values())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        TracerWarning.ignore_lib_warnings()  # type: ignore[no-untyped-call]
        ignore_torchscript_deprecation()
        try:
            program = torch.jit.trace(  # type: ignore[no-untyped-call]
                module, example, check_trace=False, _store_inputs=False
            )
        except Error:
            raise
        except Exception as error:
            where = raised_at(error) or eager.name
            raise TraceError(f"{where}: it cannot be traced: {one_line(error)}") from error
    _refuse_lost_paths(caught)
    return program  # type: ignore[no-any-return]


def _flat(eager: Eager) -> nn.Module:
    class Flat(nn.Module):
        """Takes and returns flat tensors, and nests them for the model."""

        def __init__(self) -> None:
            super().__init__()
            if eager.module is not None:
                self.model = eager.module

        def forward(self, *tensors: Tensor) -> Any:
            args, kwargs = eager.rebuild(tensors)
            outputs = eager.flat_output(eager.function(*args, **kwargs))
            return outputs[0] if "tensor" in eager.call.output else tuple(outputs)

    return Flat()


def _refuse_lost_paths(caught: Sequence[warnings.WarningMessage]) -> None:
    """Raise TraceError if torch warned that the trace may not hold for other inputs; pass on other warnings.

    That a tensor made from Python numbers becomes a constant is as it should be: what the numbers came from
    has a warning of its own.
    """
    lost = []
    for warning in caught:
        if not issubclass(warning.category, TracerWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        elif "registered as constants in the trace" not in str(warning.message):
            lost.append(warning)
    if lost:
        first = lost[0]
        code = linecache.getline(first.filename, first.lineno).strip()
        reason = str(first.message).split(". ")[0]
        more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        raise TraceError(
            f"{display_path(first.filename)}:{first.lineno}: `{code}`: {reason}{more}; the trace would keep "
            "what it gave for the example: express it with tensor operations such as torch.where, or "
            "compile this part with torch.jit.script"
        )

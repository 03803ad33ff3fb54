"""Short calls of modules: torch notes every frame of the stack with every operation that it records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules import module as torch_module

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@contextmanager
def short_calls() -> Iterator[None]:
    """Let modules without hooks go straight to their forward, as torch does in the end. Not to be used where
    a trace is to know of modules."""
    original = nn.Module.__call__

    def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if module._compiled_call_impl is not None or any(map(vars(module).get, _HOOKS)) or _hooked():
            return original(module, *args, **kwargs)
        return module.forward(*args, **kwargs)

    setattr(nn.Module, "__call__", call)  # noqa: B010
    try:
        yield
    finally:
        setattr(nn.Module, "__call__", original)  # noqa: B010


def _hooked() -> bool:
    """Whether there are hooks for all modules."""
    return bool(
        torch_module._global_forward_hooks
        or torch_module._global_forward_pre_hooks
        or torch_module._global_backward_hooks
        or torch_module._global_backward_pre_hooks
    )

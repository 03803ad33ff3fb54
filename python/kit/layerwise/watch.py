"""What the submodules of an eager model return while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from kit.errors import TraceError
from kit.programs.instrument import Call
from kit.signature import DTYPES, dtype_name
from kit.structure import flatten


@dataclass(frozen=True)
class Seen:
    """What a call of a submodule returned: its tensors in flat order; with a note why there are none."""

    kind: str
    tensors: list[Tensor]
    note: str = ""


class Watch:
    """Notes every call of a submodule while it is entered, in the order in which they end.

    seen: the calls since it was entered last. given: the tensors that the call `arguments_of` was given.

    Hooks are set for all modules of the process and not for these, as modules with hooks of their own may
    compute in another way: nn.TransformerEncoderLayer does. They run before a module's own and see what
    `forward` returned, as a traced submodule does: what its hooks make of that is traced in its owner.
    """

    def __init__(self, model: nn.Module | None, arguments_of: Call | None = None) -> None:
        self.seen: dict[Call, Seen] = {}
        self.given: list[Tensor] = []
        self._names: dict[int, str] = {}
        self._first_names: dict[str, str] = {}
        for name, part in model.named_modules(remove_duplicate=False) if model is not None else ():
            self._first_names[name] = self._names.setdefault(id(part), name)
        self._arguments_of = arguments_of
        self._started: dict[str, int] = {}
        self._open: dict[int, list[Call]] = {}
        self._handles: list[Any] = []

    def __enter__(self) -> Watch:
        self.seen, self._started, self._open = {}, {}, {}
        self._handles = [
            register_module_forward_pre_hook(self._starts),
            register_module_forward_hook(self._ends),
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def first_name(self, path: str) -> str:
        """The first of the paths that lead to the same submodule; the path itself if the model has none."""
        return self._first_names.get(path, path)

    def _starts(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        name = self._names.get(id(module))
        if name:
            # Calls are counted as they start, as the graph has them, though inner ones end first.
            call = Call(name, self._started.get(name, 0))
            self._started[name] = call.index + 1
            self._open.setdefault(id(module), []).append(call)
            if call == self._arguments_of:
                self.given = tensors_of(args)[0]

    def _ends(self, module: nn.Module, _args: tuple[Any, ...], result: Any) -> None:
        if self._open.get(id(module)):
            call = self._open[id(module)].pop()
            tensors, note = tensors_of(result)
            self.seen[call] = Seen(_kind(module), tensors, note)


def tensors_of(value: Any) -> tuple[list[Tensor], str]:
    """Copies of the tensors in a nest, in flat order; a note if it holds what cannot be compared."""
    leaves: list[tuple[str, Tensor]] = []
    try:
        flatten(value, "what it returns", ".".join, leaves)
    except TraceError as error:
        return [], str(error).partition(";")[0]
    tensors = [tensor for _, tensor in leaves]
    for tensor in tensors:
        if not is_dense(tensor):
            return [], f"it returns a tensor of {tensor.layout} and {tensor.dtype}, which is not compared"
    return [tensor.detach().clone().resolve_conj().resolve_neg() for tensor in tensors], ""


def is_dense(tensor: Tensor) -> bool:
    """Whether the tensor is one that can be compared."""
    plain = tensor.layout is torch.strided and not tensor.is_nested and not tensor.is_quantized
    return plain and dtype_name(tensor.dtype) in DTYPES


def _kind(module: nn.Module) -> str:
    name = getattr(module, "original_name", None) if isinstance(module, torch.jit.ScriptModule) else None
    return str(name or type(module).__name__)

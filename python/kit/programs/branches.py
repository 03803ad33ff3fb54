"""Taking branches along: what holds the control flow is compiled by torch.jit.script, the rest is traced."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import CodeType, FunctionType, ModuleType
from typing import Any

import torch
from torch import nn

from kit.eager import Eager
from kit.errors import TraceError
from kit.guards.finding import Finding
from kit.guards.recorder import Caller, Event
from kit.programs.deprecation import torchscript_deprecation_ignored
from kit.source import display_path, one_line


@dataclass(frozen=True)
class Scripted:
    """What was compiled: "function choose" or "submodule head (Head)", and where its code begins."""

    what: str
    where: str

    def __str__(self) -> str:
        return f"{self.what} at {self.where}"


@dataclass
class _Swap:
    """What is compiled, and the places that hold it: attributes of an owner, or entries of a dict."""

    places: Sequence[tuple[Any, str]]
    original: Any
    compiled: Any = None

    def put(self, value: Any) -> None:
        for owner, name in self.places:
            if isinstance(owner, dict):
                owner[name] = value
            else:
                setattr(owner, name, value)


class Branches:
    """The parts of one model that are compiled. `installed` puts them in the places of the originals."""

    def __init__(self, eager: Eager) -> None:
        self.scripted: list[Scripted] = []
        self._eager = eager
        self._swaps: list[_Swap] = []
        self._done: set[tuple[CodeType, int]] = set()
        self._tried: set[tuple[CodeType, int]] = set()
        self._code = _code_of(eager.function)

    def add(self, event: Event, finding: Finding) -> None:
        """Compile the smallest function or submodule around the event. If that was in its place already when
        the event came, it is reached in another way, so the next larger is compiled.

        Raises TraceError, with the reasons, if none of those around it can be compiled.
        """
        reasons: list[str] = []
        for caller in self._inside(event.callers):
            key = (caller.code, id(caller.module))
            if key in self._tried:
                reasons.append(f"{caller.code.co_name}: it is compiled, but not called by its name")
                continue
            if key in self._done:
                return
            for what, swap in self._candidates(caller):
                try:
                    with torchscript_deprecation_ignored():
                        swap.compiled = torch.jit.script(swap.original)
                except Exception as error:
                    reasons.append(f"{what}: {one_line(error)}")
                    continue
                self._swaps.append(swap)
                self._done.add(key)
                where = f"{display_path(caller.code.co_filename)}:{caller.code.co_firstlineno}"
                self.scripted.append(Scripted(what, where))
                return
        why = (
            "; ".join(reasons)
            or "it is neither in a submodule nor in a function that can be found by its name"
        )
        remedy = (
            f"torch.jit.script cannot take it along: {why}; compute both sides and choose with torch.where, "
            "or move it into a function or submodule that TorchScript can compile"
        )
        finding = replace(finding, remedy=remedy)
        raise TraceError(str(finding), [finding])

    def _inside(self, callers: Sequence[Caller]) -> Iterator[Caller]:
        """The frames of the model, without those of who exports it."""
        for caller in callers:
            yield caller
            if caller.code is self._code:
                return

    def _candidates(self, caller: Caller) -> Iterator[tuple[str, _Swap]]:
        """What holds the code of a frame: a function of a Python module, or a submodule of the model."""
        name = caller.code.co_name
        plain = self._eager.function
        if isinstance(plain, FunctionType) and plain.__code__ is caller.code:
            yield f"function {name}", _Swap([(self._eager, "function")], plain)
            return
        function = caller.globals.get(name)
        if isinstance(function, FunctionType) and function.__code__ is caller.code:
            yield f"function {name}", _Swap(_places_of(function, caller.globals), function)
        model, part = self._eager.module, caller.module
        if model is None or part is None:
            return
        paths = [path for path, one in model.named_modules(remove_duplicate=False) if one is part]
        if part is plain:
            yield f"the whole model ({type(part).__name__})", _Whole(self._eager, part)
        elif paths and all(paths):
            places = [path.rpartition(".") for path in paths]
            owners = [(model.get_submodule(parent)._modules, last) for parent, _, last in places]
            yield f"submodule {paths[0]} ({type(part).__name__})", _Swap(owners, part)

    def compiled(self, event: Event) -> bool:
        """Whether the event is one of code that is compiled."""
        return any((caller.code, id(caller.module)) in self._done for caller in event.callers)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """The compiled parts are in their places meanwhile."""
        self._tried |= self._done
        try:
            for swap in self._swaps:
                swap.put(swap.compiled)
            yield
        finally:
            for swap in self._swaps:
                swap.put(swap.original)


class _Whole(_Swap):
    """The model itself."""

    def __init__(self, eager: Eager, module: nn.Module) -> None:
        super().__init__([(eager, "module"), (eager, "function")], module)


def _code_of(function: Any) -> Any:
    method = function.forward if isinstance(function, nn.Module) else function
    return getattr(getattr(method, "__func__", method), "__code__", None)


def _places_of(function: FunctionType, home: dict[str, Any]) -> list[tuple[Any, str]]:
    """The names that a function has in its own Python module and in those that import it."""
    modules = [vars(one) for one in list(sys.modules.values()) if isinstance(one, ModuleType)]
    others = [names for names in modules if names is not home]
    return [
        (names, name) for names in (home, *others) for name, one in list(names.items()) if one is function
    ]


def of_branches(events: Sequence[Event], findings: Sequence[Finding]) -> list[tuple[Event, Finding]]:
    """The events that are branches or loops which the guards found, each with its finding."""
    by_place = {finding.place: finding for finding in findings if _is_control_flow(finding)}
    return [(event, by_place[event.place]) for event in events if event.place in by_place]


def _is_control_flow(finding: Finding) -> bool:
    """Whether it is about a branch, or about how often a loop runs."""
    loops = finding.place is not None and finding.place.code.startswith(("for ", "while "))
    return finding.rule.endswith("-branch") or (loops and finding.rule.endswith("-number"))

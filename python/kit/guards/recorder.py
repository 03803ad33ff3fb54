"""Watching a trace: where a tensor became a Python value."""

from __future__ import annotations

import functools
import sys
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import get_ident
from types import CodeType, FrameType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from kit.guards.graph import inputs_of, tensor_inputs
from kit.guards.numbers import Term, term_of
from kit.guards.origins import Origins, Tracer
from kit.guards.slicing import is_slicing
from kit.guards.threads import ThreadWatch, is_printed
from kit.source import Place, is_ground, place_here

_METHODS = {
    "__bool__": "bool",
    "__int__": "number",
    "__float__": "number",
    "__complex__": "number",
    "__index__": "number",
    "item": "number",
    "tolist": "list",
    "numpy": "array",
    "__array__": "array",
    "__len__": "length",
    "unbind": "unbind",
    "split": "split",
    "stride": "layout",
    "__contains__": "bool",
    "is_nonzero": "bool",
    "equal": "bool",
    "allclose": "bool",
    "__deepcopy__": "unseen",
    "__reduce_ex__": "unseen",
    "__dlpack__": "unseen",
}
_TEXTS = ("__repr__", "__format__")
_INDEX = Tensor.__index__
_NBYTES: Any = Tensor.nbytes
_PARTS = ("unbind", "split")
_FUNCTIONS = {
    "is_nonzero": "bool",
    "equal": "bool",
    "allclose": "bool",
    "unbind": "unbind",
    "split": "split",
    "to_dlpack": "unseen",
}
_DLPACK = "torch.utils.dlpack"
"""The one module within torch whose functions a model calls by its name."""


Holder = tuple[ModuleType, str]
"""A module, and the name of a function of torch that it has."""


@dataclass(frozen=True)
class Caller:
    """A frame of code outside of torch and kit: its code, its globals, the module whose method it is, and the
    whole numbers among its variables."""

    code: CodeType
    globals: dict[str, Any]
    module: nn.Module | None
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Event:
    """A tensor that became a Python value while it was traced.

    word: "bool", "number", "list", "array" or "length", "layout" for strides and bytes, "unbind" or "split"
    for a tensor that became several, "unseen" for a copy that a trace leaves out, or "thread" for an
    operation in a thread that the model starts, where nothing is traced.
    outcome: the Python value, if it is a plain one, or how many tensors it became. origins: what the tensor
    depends on. term: the tensor as arithmetic on sizes, if it is that. callers: the stack, the innermost
    first. number: which of all conversions of the trace it was, also of those that are no events.
    """

    word: str
    outcome: Any
    place: Place | None
    origins: Origins
    term: Term | None
    callers: tuple[Caller, ...]
    number: int = 0


class Recorder:
    """Notes events of the traces that this thread makes in it. inputs: names of the graph's inputs, in order.
    like: the events of another trace of the model; only these are noted then, as far as this trace goes the
    same way, and they have the same origins. holders: who has the functions that are watched, as the recorder
    of another trace found them. told_as: makes the tensor that is told in place of one whose text depends on
    the values of inputs.

    texts: how many such texts there were, but for those that are printed at once.

    Methods of torch.Tensor and functions of torch are replaced meanwhile. A mode for torch functions would be
    the way of the book, but torch takes other paths where one is active: nn.TransformerEncoderLayer is not
    fused then.
    """

    def __init__(
        self,
        inputs: Iterable[str],
        like: Sequence[Event] | None = None,
        holders: Sequence[Holder] | None = None,
        told_as: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.inputs = list(inputs)
        self.holders = _holders() if holders is None else holders
        self._like = {event.number: event for event in like} if like is not None else None
        self.conversions = 0
        self.texts = 0
        self._told_as = told_as
        self.events: list[Event] = []
        self._conditions: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._originals: list[tuple[Any, str, Any]] = []
        self._tracer: Tracer | None = None
        self._thread = get_ident()
        self._threads = ThreadWatch(self._is_watched, self._note_thread)
        self._busy = False

    def __enter__(self) -> Recorder:
        for name, word in _METHODS.items():
            self._originals.append((Tensor, name, vars(Tensor).get(name)))
            setattr(Tensor, name, self._method(word, getattr(Tensor, name)))
        originals = {name: getattr(torch, name) for name in _FUNCTIONS}
        watched = {name: self._method(word, originals[name]) for name, word in _FUNCTIONS.items()}
        for module, name in self.holders:
            if vars(module).get(name) is originals[name]:
                self._originals.append((module, name, originals[name]))
                setattr(module, name, watched[name])
        for name in _TEXTS:
            self._originals.append((Tensor, name, vars(Tensor).get(name)))
            setattr(Tensor, name, self._text(getattr(Tensor, name)))
        data: Any = Tensor.data
        self._originals += [(Tensor, "data", vars(Tensor).get("data")), (Tensor, "nbytes", None)]
        setattr(Tensor, "nbytes", property(self._method("layout", _NBYTES.__get__)))  # noqa: B010
        assign = self._method("unseen", data.__set__)
        setattr(Tensor, "data", property(data.__get__, assign))  # noqa: B010
        self._threads.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.__exit__(*error)
        while self._originals:
            owner, name, original = self._originals.pop()
            if original is None:
                delattr(owner, name)
            else:
                setattr(owner, name, original)

    def _method(self, word: str, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def method(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
            if not self._is_watched():
                return original(tensor, *args, **kwargs)
            self._busy = True
            try:
                return self._convert(word, original, tensor, args, kwargs)
            finally:
                self._busy = False

        return method

    def _is_watched(self) -> bool:
        """Whether this is the thread that is traced, outside of what is being noted already."""
        return get_ident() == self._thread and not self._busy and torch._C._get_tracing_state() is not None

    def _text(self, original: Callable[..., str]) -> Callable[..., str]:
        @functools.wraps(original)
        def method(tensor: Tensor, *args: Any, **kwargs: Any) -> str:
            if not self._is_watched():
                return original(tensor, *args, **kwargs)
            self._busy = True
            try:
                with _unwarned():
                    return original(self._told_tensor(tensor, sys._getframe(1)), *args, **kwargs)
            finally:
                self._busy = False

        return method

    def _told_tensor(self, tensor: Tensor, frame: FrameType) -> Tensor:
        """The tensor that is told in its place: itself, but where the texts of others are tried."""
        origins = self._walked().origins([torch._C._get_value_trace(tensor)])  # type: ignore[attr-defined]
        if not (origins.data or origins.wild) or is_printed(place_here(frame)):
            return tensor
        self.texts += 1
        return tensor if self._told_as is None else self._told_as(tensor)

    def _note_thread(self, place: Place | None) -> None:
        if self._like is None:
            self.events.append(Event("thread", None, place, Origins(frozenset(), (), False), None, ()))

    def _convert(
        self,
        word: str,
        original: Callable[..., Any],
        tensor: Tensor,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        frame = sys._getframe(2)
        kept = original is _INDEX and (is_slicing(frame) or _is_recorded(tensor))
        if kept or (not args and self._told(word, tensor)):
            with _unwarned():
                return original(tensor, **kwargs)
        number = self.conversions
        self.conversions += 1
        known = self._like.get(number) if self._like is not None else None
        if self._like is not None and known is None:
            with _unwarned():
                return original(tensor, *args, **kwargs)
        tensors = [tensor, *(one for one in args if isinstance(one, Tensor))]
        if word in _PARTS:
            origins, term = known.origins if known else self._parts(word, tensor, args, kwargs), None
        else:
            origins, term = self._look(tensors, word, known)
        with _unwarned():
            outcome = original(tensor, *args, **kwargs)
        told = len(outcome) if word in _PARTS else outcome
        plain = told if isinstance(told, (bool, int, float, complex)) or word == "layout" else None
        place = place_here(frame)
        if word == "number" and isinstance(outcome, bool):
            word = "bool"  # the item of a condition is as good as its truth
        if (word == "unseen" or not origins.constant) and not is_printed(place):
            callers = known.callers if known is not None else _callers(frame)
            self.events.append(Event(word, plain, place, origins, term, callers, number))
        return outcome

    def _told(self, word: str, tensor: Tensor) -> bool:
        """Whether it is a condition of which Python knows already how it came out."""
        asked = word == "bool" or (word == "number" and tensor.dtype is torch.bool)
        if not asked or tensor.dim() or tensor.is_inference():  # which no version tells to be another
            return False
        known = self._conditions.get(id(tensor))
        told = known is not None and known[0]() is tensor and known[1] == tensor._version
        self._conditions[id(tensor)] = (weakref.ref(tensor), tensor._version)
        return told

    def _look(self, tensors: Sequence[Tensor], word: str, known: Event | None) -> tuple[Origins, Term | None]:
        values = [torch._C._get_value_trace(tensor) for tensor in tensors]  # type: ignore[attr-defined]
        if word in ("length", "layout"):
            origins = known.origins if known is not None else self._walked().size_of(values[0])
            length = Term("size", tensors[0].size(0) if tensors[0].dim() else 0)
            return origins, length if word == "length" else None
        origins = known.origins if known is not None else self._walked().origins(values)
        arithmetic = len(values) == 1 and not origins.data and not origins.constant
        return origins, term_of(values[0], _sizes_seen) if arithmetic else None

    def _parts(self, word: str, tensor: Tensor, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Origins:
        """What it depends on into how many a tensor is taken apart, if that is a matter of elements."""
        given = dict(zip(("size", "dim") if word == "split" else ("dim",), args, strict=False)) | dict(kwargs)
        sizes = given.get("size", given.get("split_size"))
        dim = None if isinstance(sizes, (list, tuple)) else given.get("dim", 0)
        return self._walked().length_of(torch._C._get_value_trace(tensor), dim)  # type: ignore[attr-defined]

    def _walked(self) -> Tracer:
        """The trace in progress, which is followed only when there is a question."""
        if self._tracer is None:
            graph = torch._C._get_tracing_state().graph()
            names = zip(tensor_inputs(graph), self.inputs, strict=False)
            self._tracer = Tracer(graph, {one.unique(): name for one, name in names})
        return self._tracer


def _holders() -> list[Holder]:
    """The modules that have functions of torch under their names: torch, and those that import them."""
    functions = {name: getattr(torch, name) for name in _FUNCTIONS}
    modules = [
        (module, vars(module))
        for name, module in list(sys.modules.items())
        if isinstance(module, ModuleType) and (name == _DLPACK or not name.startswith("torch."))
    ]
    return [
        (module, name)
        for name, function in functions.items()
        for module, held in modules
        if held.get(name) is function
    ]


def _is_recorded(tensor: Tensor) -> bool:
    """Whether torch asks for the number of a tensor as an argument, as in `torch.linspace(0, 1, x.shape[0])`:
    it has just recorded that the number is to be computed anew, for the operation that follows."""
    uses = torch._C._get_value_trace(tensor).uses()  # type: ignore[attr-defined]
    last = uses[-1].user if uses else None
    return last is not None and last.kind() == "aten::Int" and not last.output().uses()


@contextmanager
def _unwarned() -> Iterator[None]:
    """Without the warning that torch gives for every conversion: which of them matter is told by origins."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TracerWarning)
        yield


def _sizes_seen(node: Any) -> list[int]:
    """The size that an aten::size node of the trace in progress took, or all that aten::numel did."""
    value, *index = inputs_of(node)
    sizes = [int(size) for size in value.type().sizes()]
    return [sizes[index[0].toIValue()]] if index else sizes


def _callers(frame: FrameType | None) -> tuple[Caller, ...]:
    found = []
    while frame is not None:
        if not is_ground(frame.f_code.co_filename):
            first = frame.f_code.co_varnames[:1] if frame.f_code.co_argcount else ()
            owner = frame.f_locals.get(first[0]) if first else None
            module = owner if isinstance(owner, nn.Module) else None
            numbers = frozenset(one for one in frame.f_locals.values() if type(one) is int)
            found.append(Caller(frame.f_code, frame.f_globals, module, numbers))
        frame = frame.f_back
    return tuple(found)

"""Watching a trace: what a model computes in threads that it starts, where nothing is traced."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import Any

from torch.overrides import TorchFunctionMode

from kit.source import Place, place_here

_TELLING = ("print(", "log.", "logger.", "logging.", "warnings.warn(")


def is_printed(place: Place | None) -> bool:
    """Whether the line does nothing but tell a person something, as `print(x.shape)`."""
    return place is not None and place.code.startswith(_TELLING)


class ThreadWatch:
    """Notes the first operation on a tensor in each thread that the model starts, and in each function that
    it gives to a pool. watched: whether the model is what runs in this thread. note: takes the place.

    Two methods of Python are replaced meanwhile.
    """

    def __init__(self, watched: Callable[[], bool], note: Callable[[Place | None], None]) -> None:
        self._watched = watched
        self._note = note
        self._originals = (Thread.start, ThreadPoolExecutor.submit)
        self._submitting = False

    def __enter__(self) -> ThreadWatch:
        start, submit = self._originals
        setattr(Thread, "start", self._start(start))  # noqa: B010
        setattr(ThreadPoolExecutor, "submit", self._submit(submit))  # noqa: B010
        return self

    def __exit__(self, *error: object) -> None:
        start, submit = self._originals
        setattr(Thread, "start", start)  # noqa: B010
        setattr(ThreadPoolExecutor, "submit", submit)  # noqa: B010

    def _start(self, original: Callable[[Thread], None]) -> Callable[[Thread], None]:
        @functools.wraps(original)
        def start(thread: Thread) -> None:
            if self._watched() and not self._submitting:  # a pool's threads live longer than the call
                setattr(thread, "run", self._looked_at(thread.run))  # noqa: B010
            original(thread)

        return start

    def _submit(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def submit(pool: ThreadPoolExecutor, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            if not self._watched():
                return original(pool, function, *args, **kwargs)
            self._submitting = True
            try:
                return original(pool, self._looked_at(function), *args, **kwargs)
            finally:
                self._submitting = False

        return submit

    def _looked_at(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def looked_at(*args: Any, **kwargs: Any) -> Any:
            with _Operations(self._note):
                return function(*args, **kwargs)

        return looked_at


class _Operations(TorchFunctionMode):
    """Notes the first operation on a tensor that is more than a look at its shape."""

    def __init__(self, note: Callable[[Place | None], None]) -> None:
        super().__init__()
        self._note = note
        self._noted = False

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if not self._noted and getattr(func, "__name__", "") != "__get__":
            place = place_here(sys._getframe(1))
            self._noted = not is_printed(place)
            if self._noted:
                self._note(place)
        return func(*args, **(kwargs or {}))

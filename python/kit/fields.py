"""Reading fields of a JSON document, and saying what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from kit.signature import LARGEST

T = TypeVar("T")


class Fault(Exception):
    """What is wrong with a document; who reads it adds where it stands."""


def get(root: Any, key: str, kind: type[T], what: str) -> T:
    """The value of a key. Each of these raises Fault if it is not there, or of another kind."""
    if not isinstance(root, dict):
        raise Fault(f"{what} is no object")
    if key not in root:
        raise Fault(f"{what} has no '{key}'")
    value = root[key]
    if type(value) is not kind:
        raise Fault(f"'{key}' of {what} has the wrong type")
    return value


def text(root: Any, key: str, what: str) -> str:
    """A text that is not empty."""
    value = get(root, key, str, what)
    if not value:
        raise Fault(f"'{key}' of {what} is empty")
    return value


def count(root: Any, key: str, what: str) -> int:
    """An integer from 0 to the largest that is signed and has 64 bits."""
    value = get(root, key, int, what)
    if not 0 <= value <= LARGEST:
        raise Fault(f"'{key}' of {what} is {value}")
    return value


def number(root: Any, key: str, what: str) -> float:
    """A number, which may be an integer."""
    if isinstance(root, dict) and type(root.get(key)) is int:
        return float(root[key])
    return get(root, key, float, what)


def each(root: Any, key: str, read: Callable[[Any], T], what: str) -> tuple[T, ...]:
    """The items of a list."""
    return tuple(read(item) for item in get(root, key, list, what))


def distinct(kind: str, names: list[str]) -> None:
    """Raise Fault if a name is there twice."""
    name, times = max(Counter(names).items(), key=lambda item: item[1], default=("", 0))
    if times > 1:
        raise Fault(f"the {kind} '{name}' is listed twice")

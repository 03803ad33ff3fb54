"""Reading fields of JSON documents."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kit.fields import Fault, count, distinct, each, get, number, text

ROOT = {"text": "a", "empty": "", "count": 3, "bool": True, "number": 0.5, "list": [1, 2], "below": -1}


def test_what_is_there_is_read() -> None:
    assert get(ROOT, "list", list, "it") == [1, 2]
    assert text(ROOT, "text", "it") == "a"
    assert count(ROOT, "count", "it") == 3
    assert count({"count": 2**63 - 1}, "count", "it") == 2**63 - 1
    assert (number(ROOT, "number", "it"), number(ROOT, "count", "it")) == (0.5, 3.0)
    assert each(ROOT, "list", str, "it") == ("1", "2")
    distinct("member", ["a", "b"])


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda: get([], "a", int, "it"), "it is no object"),
        (lambda: get(ROOT, "a", int, "it"), "it has no 'a'"),
        (lambda: get(ROOT, "bool", int, "it"), "'bool' of it has the wrong type"),
        (lambda: text(ROOT, "empty", "it"), "'empty' of it is empty"),
        (lambda: count(ROOT, "below", "it"), "'below' of it is -1"),
        (lambda: count({"a": 2**63}, "a", "it"), f"'a' of it is {2**63}"),
        (lambda: number(ROOT, "bool", "it"), "'bool' of it has the wrong type"),
        (lambda: each(ROOT, "text", str, "it"), "'text' of it has the wrong type"),
        (lambda: distinct("member", ["a", "b", "a"]), "the member 'a' is listed twice"),
    ],
)
def test_what_is_wrong_is_said(read: Callable[[], object], message: str) -> None:
    with pytest.raises(Fault) as raised:
        read()
    assert str(raised.value) == message

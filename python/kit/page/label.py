"""The text in a box, and how much room it takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDEST = 34  # characters
# In pixels. The page draws in a monospaced font; of the usual ones none is wider than 0.62 of its size.
TITLE_WIDTH, LINE_WIDTH = 12 * 0.62, 11 * 0.62
TITLE_HEIGHT, LINE_HEIGHT = 17, 15
PADDING_X, PADDING_Y = 9, 6

_TENSOR = re.compile(r"([A-Z]\w*\([\d*, ]*)(?:\)|(?:strides|requires_grad|device)=)")


@dataclass(frozen=True)
class Label:
    """A title, and lines below it."""

    title: str
    lines: tuple[str, ...] = ()

    @property
    def width(self) -> float:
        """Of the box, in pixels."""
        widest = max(len(self.title) * TITLE_WIDTH, *(len(line) * LINE_WIDTH for line in self.lines), 0.0)
        return round(widest + 2 * PADDING_X, 1)

    @property
    def height(self) -> float:
        """Of the box, in pixels."""
        return TITLE_HEIGHT + LINE_HEIGHT * len(self.lines) + 2 * PADDING_Y


def shorten(text: str) -> str:
    """At most as wide as a box may be, and one line."""
    text = " ".join(text.split())
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def size_of_type(kind: str) -> str:
    """ "Float(4, 8)" of "Float(4, 8, strides=[8, 1], device=cpu)"; empty for a type that says no sizes."""
    found = _TENSOR.match(kind)
    return f"{found[1].rstrip(', ')})" if found else ""


def argument(name: str, nodes: Sequence[Mapping[str, Any]], producers: Mapping[str, int]) -> str:
    """A value in words, if it is a constant, a weight, or a list of them; else empty."""
    producer = producers.get(name)
    if producer is None:
        return ""
    node = nodes[producer]
    if node["operation"] in ("prim::Constant", "prim::GetAttr"):
        text = str(node.get("attribute", node.get("constant", "")))
        return size_of_type(text) or text
    if node["operation"] in ("prim::ListConstruct", "prim::TupleConstruct"):
        items = [argument(item, nodes, producers) for item in node["inputs"]]
        left, right = "[]" if node["operation"] == "prim::ListConstruct" else "()"
        return f"{left}{', '.join(items)}{right}" if all(items) else ""
    return ""

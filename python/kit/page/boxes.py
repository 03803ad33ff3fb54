"""What is drawn of a graph: boxes, arrows between them, and frames around them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kit.page.label import Label, argument, shorten, size_of_type

Json = Mapping[str, Any]

# Operations that hold or collect values and compute nothing: most readers want them in what takes them.
STRUCTURE = frozenset(
    {
        "prim::Constant",
        "prim::GetAttr",
        "prim::ListConstruct",
        "prim::TupleConstruct",
        "prim::DictConstruct",
    }
)

# Of these, those that take nothing but the module. One may be taken all over the graph: it is drawn at each
# taker, since arrows across the whole picture say little, and take Graphviz very long.
SOURCES = frozenset({"prim::Constant", "prim::GetAttr"})


@dataclass(frozen=True)
class Box:
    """An operation, an input or output of the graph, the place where the blocks of an operation meet again,
    or a reference to another box.

    kind: "operation", "structure", "input", "output", "end" or "reference".
    frame: the innermost frame around it.
    node: the index of the operation in the graph, if it is one.
    folded: indices of the operations that are shown in this box and have none of their own.
    refers: the name of the other box.
    """

    name: str
    kind: str
    label: Label
    frame: str | None = None
    node: int | None = None
    folded: tuple[int, ...] = ()
    refers: str | None = None


@dataclass(frozen=True)
class Frame:
    """A fused group, or a block of an operation that has blocks."""

    name: str
    title: str
    outer: str | None = None
    group: int | None = None


@dataclass(frozen=True)
class Arrow:
    """A value, or several, going from one box to another. `control` says only that a block belongs to it."""

    tail: str
    head: str
    control: bool = False


@dataclass(frozen=True)
class Drawing:
    """Boxes in the order of execution, frames with the outer ones first, arrows without repeats."""

    boxes: tuple[Box, ...]
    frames: tuple[Frame, ...]
    arrows: tuple[Arrow, ...]


def draw(graph: Json, group_names: Sequence[str], fold: bool) -> Drawing:
    """What is drawn of a Graph in JSON.

    group_names: of its fused groups, by their number.
    fold: whether operations that compute nothing are shown in the box that takes what they give.
    """
    return _Drawer(graph, group_names, fold).drawing()


@dataclass
class _Drawer:
    graph: Json
    group_names: Sequence[str]
    fold: bool
    arrows: dict[Arrow, None] = field(default_factory=dict)  # a set that keeps the order
    frames: dict[str, Frame] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.nodes: Sequence[Json] = self.graph["nodes"]
        self.inputs = {value["name"]: index for index, value in enumerate(self.graph["inputs"])}
        self.producers = {
            value["name"]: index for index, node in enumerate(self.nodes) for value in node["outputs"]
        }
        self.takers: dict[str, list[int]] = {}
        for index, node in enumerate(self.nodes):
            for name in node["inputs"]:
                self.takers.setdefault(name, []).append(index)
        self.owners = {index for index, node in enumerate(self.nodes) if node.get("blocks")}
        # What a loop carries is named anew in its block, and comes from the loop.
        self.carried = {
            value["name"]: index
            for index in self.owners
            for block in self.nodes[index]["blocks"]
            for value in block["inputs"]
        }
        # Those that have one box of their own, which arrows lead to.
        self.drawn = {f"n{n}" for n in range(len(self.nodes)) if not self._folded(n) and not self._source(n)}

    def drawing(self) -> Drawing:
        boxes = [*self._inputs(), *self._operations(), *self._outputs()]
        return Drawing(tuple(boxes), tuple(self.frames.values()), tuple(self.arrows))

    def _inputs(self) -> Iterator[Box]:
        """But not the module itself, if only weights are taken of it."""
        for index, value in enumerate(self.graph["inputs"]):
            takers = [n for n in self.takers.get(value["name"], ()) if not self._source(n)]
            if takers or value["name"] in self.graph["outputs"] or not _is_module(value):
                label = Label(f"%{value['name']}", (shorten(size_of_type(value["type"]) or value["type"]),))
                yield Box(f"i{index}", "input", label)

    def _operations(self) -> Iterator[Box]:
        for index, node in enumerate(self.nodes):
            if self._folded(index):
                continue
            if node["operation"] in SOURCES:
                heads = [f"@{head}" for head in self._takers(index)] or [""]
                for head in heads:
                    yield Box(f"n{index}{head}", "structure", self._label(node), self._frame(node), index)
                continue
            self._arrows_to(f"n{index}", node["inputs"])
            yield Box(
                f"n{index}",
                "structure" if node["operation"] in STRUCTURE else "operation",
                self._label(node),
                self._frame(node),
                index,
                tuple(self._folded_into(node["inputs"])),
            )
        for index in sorted(self.owners):
            yield self._end(index, self.nodes[index])

    def _takers(self, index: int) -> list[str]:
        """The boxes that take what an operation gives."""
        names = [value["name"] for value in self.nodes[index]["outputs"]]
        nodes = [f"n{n}" for name in names for n in self.takers.get(name, ()) if not self._source(n)]
        outputs = [f"o{n}" for n, name in enumerate(self.graph["outputs"]) if name in names]
        return list(dict.fromkeys(nodes + outputs))

    def _source(self, index: int) -> bool:
        return self.nodes[index]["operation"] in SOURCES

    def _end(self, index: int, node: Json) -> Box:
        """Where the blocks of an operation meet again: what it gives comes out here."""
        start, end = f"n{index}", f"e{index}"
        for number, block in enumerate(node["blocks"]):
            inside = [
                name
                for inner, other in enumerate(self.nodes)
                if other.get("parent") == index and other["block"] == number
                for name in (f"n{inner}", f"e{inner}")
            ]
            # What takes nothing from within begins the block; what is given without a box is only control.
            tails = {start, *inside}
            fed = {arrow.head for arrow in self.arrows if arrow.tail in tails}
            begins = [name for name in inside if name in self.drawn and name not in fed]
            ends = [tail for tail in self._origins(block["outputs"], end) if tail in inside]
            self.arrows.update({Arrow(start, name, control=True): None for name in begins})
            self.arrows.update({Arrow(tail, end): None for tail in ends})
            if not ends:
                self.arrows[Arrow(start, end, control=True)] = None
        return Box(
            end, "end", Label(f"end of {node['operation'].partition('::')[2]}"), self._frame(node), index
        )

    def _outputs(self) -> Iterator[Box]:
        for index, name in enumerate(self.graph["outputs"]):
            self._arrows_to(f"o{index}", [name])
            lines = (argument(name, self.nodes, self.producers),) if self.fold else ()
            folded = tuple(self._folded_into([name]))
            yield Box(f"o{index}", "output", Label("output", tuple(filter(None, lines))), folded=folded)

    def _label(self, node: Json) -> Label:
        lines = []
        if self.fold:
            taken = [argument(name, self.nodes, self.producers) for name in node["inputs"]]
            lines.append(shorten(", ".join(text for text in taken if text not in ("", "None"))))
        lines.append(shorten(node.get("attribute", node.get("constant", ""))))
        lines.append(shorten(", ".join(filter(None, (size_of_type(o["type"]) for o in node["outputs"])))))
        return Label(shorten(node["operation"]), tuple(filter(None, lines)))

    def _folded(self, index: int) -> bool:
        node = self.nodes[index]
        if node["operation"] == "prim::GetAttr" and all(map(_is_module, node["outputs"])):
            return True  # a step on the way to a weight, which names the whole way
        return self.fold and node["operation"] in STRUCTURE

    def _folded_into(self, names: Iterable[str]) -> Iterator[int]:
        """The operations shown in a box that takes these values."""
        pending, seen = list(names), set[int]()
        while pending:
            producer = self.producers.get(pending.pop(0))
            if producer is not None and producer not in seen and self._folded(producer):
                seen.add(producer)
                yield producer
                pending.extend(self.nodes[producer]["inputs"])

    def _origins(self, names: Iterable[str], head: str) -> Iterator[str]:
        """The boxes that values come from, looking through what is folded."""
        pending = list(names)
        while pending:
            name = pending.pop(0)
            producer = self.producers.get(name)
            if producer is None:
                yield f"n{self.carried[name]}" if name in self.carried else f"i{self.inputs[name]}"
            elif self._source(producer):
                if not self._folded(producer):
                    yield f"n{producer}@{head}"
            elif self._folded(producer):
                pending.extend(self.nodes[producer]["inputs"])
            else:
                yield self._exit(producer)

    def _arrows_to(self, head: str, names: Iterable[str]) -> None:
        self.arrows.update({Arrow(tail, head): None for tail in self._origins(names, head)})

    def _exit(self, index: int) -> str:
        return f"e{index}" if index in self.owners else f"n{index}"

    def _frame(self, node: Json) -> str | None:
        outer, group = self._block(node), node.get("group")
        if group is None:
            return outer
        name = f"g{group}"
        self.frames.setdefault(name, Frame(name, self.group_names[group], outer, group))
        return name

    def _block(self, node: Json) -> str | None:
        owner = node.get("parent")
        if owner is None:
            return None
        outer, block = self._block(self.nodes[owner]), node["block"]
        name = f"b{owner}.{block}"
        operation = self.nodes[owner]["operation"]
        title = ("then", "else")[block] if operation == "prim::If" else f"{operation} body"
        self.frames.setdefault(name, Frame(name, title, outer))
        return name


def _is_module(value: Json) -> bool:
    return bool(value["type"].startswith("__torch__."))

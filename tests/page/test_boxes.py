"""Which boxes, arrows and frames are drawn of a graph."""

from __future__ import annotations

import shutil

import pytest

from kit.page.boxes import Arrow, Drawing, draw
from kit.page.label import size_of_type
from kit.page.layout import layout
from kit.page.match import match
from kit.page.reference import LONGEST, with_references
from tests.page import samples
from tests.page.samples import block, graph, node

NAMES = ["fused_mul_add_relu"]


def arrows(drawing: Drawing) -> set[tuple[str, str]]:
    return {(arrow.tail, arrow.head) for arrow in drawing.arrows if not arrow.control}


def test_what_computes_nothing_is_folded_into_its_taker() -> None:
    drawing = draw(samples.traced(), [], fold=True)
    titles = [box.label.title for box in drawing.boxes]
    assert titles == [
        "%x",
        *(f"aten::{name}" for name in ("mul", "add", "relu", "sum", "matmul", "add")),
        "output",
    ]
    assert drawing.boxes[2].label.lines == ("m2, 1",)
    assert set(drawing.boxes[2].folded) == {0, 3}
    assert arrows(drawing) == {
        ("i0", "n4"),
        ("n4", "n5"),
        ("n5", "n6"),
        ("i0", "n7"),
        ("n6", "n8"),
        ("n8", "n9"),
        ("n9", "o0"),
    }


def test_unfolded_a_constant_stands_at_each_taker() -> None:
    drawing = draw(samples.traced(), [], fold=False)
    assert {("n0@n5", "n5"), ("n0@n9", "n9"), ("n3@n5", "n5"), ("n3@n8", "n8")} <= arrows(drawing)
    assert {box.node for box in drawing.boxes if box.node is not None} == set(range(10))


def test_a_list_is_looked_through() -> None:
    nodes = [
        node("prim::Constant", "", "1", constant="0"),
        node("aten::relu", "x", "2"),
        node("prim::ListConstruct", "x 2", "3"),
        node("aten::cat", "3 1", "4"),
    ]
    folded = draw(graph("traced", {"x": "Tensor"}, nodes, "4"), [], fold=True)
    assert arrows(folded) == {("i0", "n1"), ("i0", "n3"), ("n1", "n3"), ("n3", "o0")}
    assert ("n2", "n3") in arrows(draw(graph("traced", {"x": "Tensor"}, nodes, "4"), [], fold=False))


def test_blocks_and_groups_are_frames_within_each_other() -> None:
    drawing = draw(samples.optimized(), NAMES, fold=True)
    frames = {frame.name: (frame.title, frame.outer, frame.group) for frame in drawing.frames}
    assert frames == {
        "b5.0": ("then", None, None),
        "g0": ("fused_mul_add_relu", "b5.0", 0),
        "b5.1": ("else", None, None),
    }
    assert {("n8", "e5"), ("n9", "e5"), ("e5", "n10"), ("n4", "n6"), ("i0", "n9")} <= arrows(drawing)
    assert {arrow for arrow in drawing.arrows if arrow.control} == {
        Arrow("n5", "n6", control=True),
        Arrow("n5", "n9", control=True),
    }


def test_what_a_loop_carries_comes_from_the_loop() -> None:
    nodes = [
        node("prim::Loop", "x", "5", blocks=[block("4", "i", "3")]),
        node("aten::mul", "3 3", "4", parent=0),
    ]
    drawing = draw(graph("traced", {"x": "Tensor"}, nodes, "5"), [], fold=True)
    assert arrows(drawing) == {("i0", "n0"), ("n0", "n1"), ("n1", "e0"), ("e0", "o0")}


def test_a_block_without_operations_is_passed_by() -> None:
    nodes = [
        node("prim::If", "c", "5", blocks=[block("x"), block("4")]),
        node("aten::relu", "x", "4", parent=0, block=1),
    ]
    drawing = draw(graph("traced", {"c": "bool", "x": "Tensor"}, nodes, "5"), [], fold=True)
    assert Arrow("n0", "e0", control=True) in drawing.arrows
    assert ("n1", "e0") in arrows(drawing)


def test_a_long_arrow_becomes_a_reference() -> None:
    def chain(count: int) -> Drawing:
        nodes = [node("aten::relu", f"v{n}", f"v{n + 1}") for n in range(count)]
        nodes.append(node("aten::add", f"v{count} v0", "sum"))
        return with_references(draw(graph("traced", {"v0": "Tensor"}, nodes, "sum"), [], fold=True))

    short, long = chain(LONGEST - 1), chain(LONGEST)
    assert not [box for box in short.boxes if box.kind == "reference"]
    (reference,) = [box for box in long.boxes if box.kind == "reference"]
    assert (reference.refers, reference.label.title) == ("i0", "↑ %v0")
    assert (reference.name, f"n{LONGEST}") in arrows(long)
    assert ("i0", f"n{LONGEST}") not in arrows(long)


def test_sizes_are_taken_from_a_type() -> None:
    assert size_of_type("Float(4, 8, strides=[8, 1], requires_grad=0, device=cpu)") == "Float(4, 8)"
    assert size_of_type("Half(*, 8, device=cuda:0)") == "Half(*, 8)"
    assert size_of_type("Long(requires_grad=0, device=cpu)") == "Long()"
    assert size_of_type("Float(4, 4) tensor") == "Float(4, 4)"
    for other in ("Tensor", "int", "(Tensor, int)", "Tensor?"):
        assert size_of_type(other) == ""


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not here: apt-get install graphviz")
def test_no_two_boxes_overlap() -> None:
    found = layout(draw(samples.optimized(), NAMES, fold=False))
    edges = [
        (x - width / 2, x + width / 2, y - height / 2, y + height / 2)
        for box in found["boxes"]
        for (x, y), (width, height) in [(box["at"], box["size"])]
    ]
    for index, (left, right, top, bottom) in enumerate(edges):
        assert left >= 0
        assert right <= found["width"] + 0.1
        assert top >= 0
        assert bottom <= found["height"] + 0.1
        for left2, right2, top2, bottom2 in edges[:index]:
            assert right < left2 or right2 < left or bottom < top2 or bottom2 < top


def test_the_same_operations_are_matched() -> None:
    stages = samples.stages()
    numbers = match(stages)

    def found(stage: int) -> dict[str, list[int]]:
        rows = zip(stages[stage]["nodes"], numbers[stage], strict=True)
        names: dict[str, list[int]] = {}
        for one, number in rows:
            names.setdefault(one["operation"], []).append(number)
        return names

    before, between, after = found(0), found(1), found(2)
    for name in ("aten::mul", "aten::add", "aten::relu", "aten::matmul"):
        assert before[name] == between[name] == after[name]
    assert before["aten::sum"][0] not in {*numbers[1], *numbers[2]}
    assert after["prim::If"][0] not in {*numbers[0], *numbers[1]}


def test_what_cannot_be_told_apart_is_not_matched() -> None:
    twice = [node("aten::relu", "x", "1", 7), node("aten::relu", "1", "2", 7)]
    once = [node("aten::relu", "x", "1", 7)]
    first, second = match(
        [graph("traced", {"x": "Tensor"}, twice, "2"), graph("frozen", {"x": "Tensor"}, once, "1")]
    )
    assert not {*first} & {*second}
    named = [node("aten::relu", "x", "a.1", 7), node("aten::relu", "1", "b.1", 7)]
    first, second = match(
        [
            graph("traced", {"x": "Tensor"}, named, "b.1"),
            graph("frozen", {"x": "Tensor"}, [node("aten::relu", "x", "b.5", 7)], "b.5"),
        ]
    )
    assert second == [first[1]]

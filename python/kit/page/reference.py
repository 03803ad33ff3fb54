"""Long arrows cut short: what comes from far away is named where it is taken."""

from __future__ import annotations

from dataclasses import replace

from kit.page.boxes import Arrow, Box, Drawing
from kit.page.label import Label

# Rows that an arrow may cross. Residual connections in a transformer cross some twenty. Longer arrows, as
# from a mask to every layer, are hard to follow, and Graphviz needs minutes for many.
LONGEST = 30


def with_references(drawing: Drawing) -> Drawing:
    """The drawing with a reference to where it comes from in place of each long arrow's tail."""
    rows = _rows(drawing)
    boxes = {box.name: box for box in drawing.boxes}
    groups = {frame.name: frame for frame in drawing.frames if frame.group is not None}
    arrows, references = [], []
    for arrow in drawing.arrows:
        if rows[arrow.head] - rows[arrow.tail] <= LONGEST:
            arrows.append(arrow)
            continue
        tail, head = boxes[arrow.tail], boxes[arrow.head]
        frame = groups[head.frame].outer if head.frame in groups else head.frame
        name = f"{tail.name}>{head.name}"
        references.append(Box(name, "reference", Label(f"↑ {tail.label.title}"), frame, refers=tail.name))
        arrows.append(replace(arrow, tail=name))
    return Drawing((*drawing.boxes, *references), drawing.frames, tuple(arrows))


def _rows(drawing: Drawing) -> dict[str, int]:
    """How many arrows lead to a box at most."""
    following: dict[str, list[Arrow]] = {}
    waiting = {box.name: 0 for box in drawing.boxes}
    for arrow in drawing.arrows:
        following.setdefault(arrow.tail, []).append(arrow)
        waiting[arrow.head] += 1
    rows = dict.fromkeys(waiting, 0)
    ready = [name for name, count in waiting.items() if count == 0]
    while ready:
        name = ready.pop()
        for arrow in following.get(name, ()):
            rows[arrow.head] = max(rows[arrow.head], rows[name] + 1)
            waiting[arrow.head] -= 1
            if waiting[arrow.head] == 0:
                ready.append(arrow.head)
    return rows

"""StackNotes: what operations note of the Python stack is what torch notes, in any thread and generator."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kit.binding import native
from kit.guards.graph import all_nodes

X = torch.ones(3)
HERE = Path(__file__).name
MODEL = ("deep", "twice")
Lines = list[list[str]]


def deep(x: Tensor) -> Tensor:
    return twice(x).relu() + x.sum(0)[None]


def twice(x: Tensor) -> Tensor:
    return x * 2


def resumed(x: Tensor) -> Tensor:
    steps = doubling(x)
    first = next(steps)
    return first + next(steps)


def doubling(x: Tensor) -> Iterator[Tensor]:
    while True:
        yield x * 2


def traced(function: Callable[[Tensor], Tensor]) -> Any:
    return torch._C._create_graph_by_tracing(function, (X,), lambda _: "", True, False, None, [])[0]


def watched(function: Callable[[Tensor], Tensor]) -> Any:
    with native.StackNotes():
        return torch._C._create_graph_by_tracing(function, (X,), lambda _: "", True, False, None, [])[0]


def noted(graph: Any) -> Lines:
    """Of each node the functions of this file that were on the stack, with their lines."""
    pattern = re.compile(rf"{re.escape(HERE)}\((\d+)\): (\w+)")
    found = [pattern.findall(node.sourceRange()) for node in all_nodes(graph)]
    outside = ("traced", "watched")
    return [[f"{name}:{line}" for line, name in stack if name not in outside] for stack in found]


def inside(stacks: Lines, *names: str) -> Lines:
    return [[frame for frame in stack if frame.startswith(names)] for stack in stacks]


def test_all_that_torch_notes_is_noted() -> None:
    """In a process of its own, where torch's function is still in use before ours is entered."""
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_stack_notes as tests

def graphs(trace):
    return [trace(tests.deep), trace(tests.resumed)]

def ranges(graphs):
    return [node.sourceRange() for graph in graphs for node in graph.nodes()]

kinds = [tests.traced, tests.traced, tests.watched, tests.traced]
made = []
for trace in kinds:
    made.append(graphs(trace))
torchs, again, ours, after = map(ranges, made)
assert torchs == again == after and len(torchs) > 8, (torchs, after)
assert [str(one) for one in made[0]] == [str(one) for one in made[3]]
as_ours = [[line for line in one.splitlines() if ": traced" not in line] for one in torchs]
assert as_ours == [[line for line in one.splitlines() if ": watched" not in line] for one in ours], ours
assert str(made[0][0]) == str(made[2][0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_line_that_is_noted_again_has_its_own_callers() -> None:
    """The same line of one frame, a generator's, is reached from two lines."""
    stacks = [stack for stack in noted(watched(resumed)) if stack and stack[0].startswith("doubling")]
    callers = {stack[1] for stack in stacks}
    assert len(callers) == 2
    assert noted(watched(resumed)) == noted(traced(resumed))


def test_the_same_function_called_at_two_lines_is_told_apart() -> None:
    def model(x: Tensor) -> Tensor:
        first = twice(x)
        return first + twice(x)

    stacks = [stack for stack in noted(watched(model)) if stack and stack[0].startswith("twice")]
    assert len({stack[1] for stack in stacks}) == 2
    assert noted(watched(model)) == noted(traced(model))


def test_threads_note_their_own_stacks() -> None:
    found: dict[str, Lines] = {}

    def other(x: Tensor) -> Tensor:
        thread = threading.Thread(target=lambda: found.update(other=noted(traced(deep))))
        thread.start()
        thread.join()
        return x + 1

    found["this"] = noted(watched(other))
    assert inside(found["other"], *MODEL) == inside(noted(traced(deep)), *MODEL)
    assert [stack[0] for stack in found["this"] if stack] == [found["this"][0][0]] * len(found["this"])


def test_one_within_another() -> None:
    def model(x: Tensor) -> Tensor:
        with native.StackNotes():
            first = twice(x)
        return first + twice(first)

    assert noted(watched(model)) == noted(traced(model))


def test_the_stack_is_whole_where_it_was_not_entered_below() -> None:
    def entered() -> Any:
        notes = native.StackNotes()
        notes.__enter__()
        return notes

    notes = entered()
    try:
        assert noted(traced(deep)) == noted(watched(deep))
    finally:
        notes.__exit__(None, None, None)

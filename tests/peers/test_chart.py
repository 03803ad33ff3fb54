"""What the plots show."""

from __future__ import annotations

from itertools import pairwise

import pytest

from kit.peers.chart import chart_of, spread_out, steps, ticks, time_label, time_text
from tests.peers.fakes import document


def test_a_line_for_each_way_over_the_batch() -> None:
    chart = chart_of(document())
    assert chart.axis == "batch"
    assert [(line.name, line.kit, line.dashed) for line in chart.lines][:2] == [
        ("kit native (C++)", True, False),
        ("kit native (Python)", True, True),
    ]
    assert [(point.x, point.median) for point in chart.lines[0].points] == [(1, 1), (64, 64)]
    assert "1 thread" in chart.caption[0]
    assert "Some CPU" in chart.caption[1]
    assert "torch 2.13.0" in chart.caption[2]


def test_one_size_is_no_axis() -> None:
    chart = chart_of(document((8,)))
    assert chart.axis == ""
    assert "batch = 8" in chart.caption[0]


def test_a_way_that_is_missing_at_a_size_has_fewer_points() -> None:
    known = document()
    known["sizes"][0]["ways"].pop(2)
    assert [len(line.points) for line in chart_of(known).lines] == [2, 2, 2, 1]


@pytest.mark.parametrize(
    ("low", "high", "found"), [(0.4, 30, [0.1, 1, 10, 100]), (1, 10, [1, 10]), (5, 6, [1, 10])]
)
def test_ticks_enclose_what_was_measured(low: float, high: float, found: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(found)


def test_times_have_units() -> None:
    assert [time_label(x) for x in (0, 0.1, 1, 1e3, 1e7)] == ["0", "100 ns", "1 µs", "1 ms", "10 s"]
    assert [time_text(x) for x in (0.4612, 999, 31_140, 2e6)] == ["0.461 µs", "999 µs", "31.1 ms", "2 s"]


@pytest.mark.parametrize(
    ("high", "found"), [(1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (35, [0, 5, 10, 15, 20, 25, 30, 35])]
)
def test_steps_are_round_and_reach_the_end(high: float, found: list[float]) -> None:
    assert steps(high) == pytest.approx(found)
    for one in (0.31, 7.7, 99.9, 51_843):
        assert 4 <= len(steps(one)) <= 11
        assert steps(one)[-1] >= one


def test_labels_do_not_overlap() -> None:
    placed = spread_out([50, 51, 52, 99], 10, 0, 100)
    ordered = sorted(placed)
    assert all(b - a >= 10 for a, b in pairwise(ordered))
    assert ordered == placed
    assert ordered[0] >= 0
    assert ordered[-1] <= 100
    assert spread_out([1, 2, 3], 10, 0, 100) == [1, 11, 21]
    assert spread_out([5, 80], 10, 0, 100) == [5, 80]

"""Timing until the median is stable, on a clock that goes on only where the test says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kit.series import Interval, Latency, measure_latency, quantile


class FakeTime:
    """Time that passes only in calls."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def measure(self, duration: Callable[[], float], seconds: float = 1.0) -> Latency:
        def call() -> None:
            self.now += duration()

        return measure_latency(call, seconds, self)


def test_equal_calls_are_stable_after_the_least_blocks() -> None:
    latency = FakeTime().measure(lambda: 1 / 1024)  # exact, so that a block is 21 calls
    assert latency.stable
    assert latency.calls == 210
    assert latency.median == Interval(1 / 1024, 1 / 1024, 1 / 1024)
    assert latency.to_dict()["microseconds"]["p50"] == pytest.approx(1e6 / 1024)


def test_rare_outliers_are_seen_and_do_not_disturb_the_median() -> None:
    calls = iter(range(1_000_000))
    latency = FakeTime().measure(lambda: 0.004 if next(calls) % 20 == 0 else 0.0001)
    assert latency.stable
    assert latency.median.median == pytest.approx(0.0001, rel=1e-6)
    assert latency.p99 == pytest.approx(0.004, rel=1e-6)


def test_what_comes_in_waves_is_not_stable() -> None:
    time = FakeTime()
    latency = time.measure(lambda: 0.0002 if int((time.now - 1000) / 0.03) % 2 else 0.0001)
    assert not latency.stable
    assert 1 <= latency.seconds < 1.03
    assert latency.median.low < 0.9 * latency.median.high


def test_one_slow_call_is_enough() -> None:
    latency = FakeTime().measure(lambda: 3.0)
    assert (latency.calls, latency.stable, latency.max) == (1, False, 3.0)


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (5, 1), (8, 1), (9, 2), (20, 6), (50, 18), (100, 40)])
def test_bounds_are_those_of_the_binomial_distribution(count: int, rank: int) -> None:
    interval = Interval.of(range(count, 0, -1))
    assert (interval.low, interval.high) == (rank, count + 1 - rank)
    assert interval.median == (count + 1) / 2


def test_quantiles_are_between_the_values() -> None:
    assert quantile([1, 2, 3, 4, 5], 0.9) == pytest.approx(4.6)
    assert quantile([7], 0.99) == 7

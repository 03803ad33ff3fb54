"""Timing a Python callable."""

from __future__ import annotations

from kit.peers.contender import timed
from tests.peers.fakes import FakeTime


def test_a_value_is_the_mean_of_its_group() -> None:
    time = FakeTime()
    spent = iter([1.0, 3.0, 5.0, 5.0])

    def call() -> None:
        time.now += next(spent)

    assert timed(call, time)(2, 2) == [2.0, 5.0]

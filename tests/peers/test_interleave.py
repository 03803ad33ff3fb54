"""Taking turns, on a clock that goes on only where the test says so."""

from __future__ import annotations

import pytest

from kit.peers.contender import Call
from kit.peers.interleave import Block, measure, ratio
from tests.peers.fakes import FakeTime


def test_all_take_turns_in_every_round_and_not_always_in_the_same_order() -> None:
    time = FakeTime()
    contenders = [time.contender(name, lambda: 1e-3) for name in "abc"]
    measured = measure(contenders, 1.0, time)
    assert measured.rounds == 10
    assert measured.stable
    turns = time.turns[-60::2]  # a lead and a block each
    rounds = [tuple(turns[i : i + 3]) for i in range(0, 30, 3)]
    assert all(sorted(one) == ["a", "b", "c"] for one in rounds)
    assert len(set(rounds)) > 3
    assert [len(one.seconds) for one in contenders] == [10, 10, 10]


def test_what_slows_a_round_does_not_change_the_ratio() -> None:
    time = FakeTime()

    def noise(seconds: float) -> float:
        # The machine gets slower and slower, up to half its speed, then is as fast as before.
        return seconds * (1 + time.now * 0.7 % 1)

    fast = time.contender("fast", lambda: noise(1e-4))
    other = time.contender("other", lambda: noise(2e-4))
    measure([fast, other], 2.0, time)
    found = ratio(fast, other)
    assert found.median == pytest.approx(0.5, rel=0.02)
    assert found.low <= found.median <= found.high
    spread = max(fast.seconds) / min(fast.seconds)
    assert spread > 1.3, "the noise was there"


def test_time_is_up_for_what_never_settles() -> None:
    time = FakeTime()
    wave = time.contender("wave", lambda: 1e-4 if int(time.now * 10) % 2 else 3e-4)
    still = time.contender("still", lambda: 1e-4)
    measured = measure([wave, still], 0.5, time)
    assert not measured.stable
    assert 1.0 <= measured.seconds < 1.2


def test_one_round_at_least() -> None:
    time = FakeTime()
    slow = time.contender("slow", lambda: 9.0)
    assert measure([slow], 0.01, time).rounds == 1
    assert slow.seconds == [9.0]


@pytest.mark.parametrize(
    ("seconds", "block"),
    [(1e-6, Block(1000, 20, 100)), (1e-4, Block(200, 1, 20)), (0.5, Block(1, 1, 1))],
)
def test_blocks_last_20_ms_and_groups_20_microseconds(seconds: float, block: Block) -> None:
    assert Block.of(seconds) == block


def test_a_slow_first_call_does_not_make_groups_short() -> None:
    time = FakeTime()
    first = iter([5e-5])
    seen: list[int] = []
    one = time.contender("one", lambda: next(first, 1e-6))
    plain = one.call.time

    def watched(groups: int, calls: int) -> list[float]:
        seen.append(calls)
        return plain(groups, calls)

    one.call = Call(one.call.run, watched)
    measure([one], 1.0, time)
    assert seen[-1] == 20


def test_a_rare_outlier_in_a_block_is_no_part_of_its_median() -> None:
    time = FakeTime()
    calls = iter(range(10**9))
    one = time.contender("one", lambda: 0.004 if next(calls) % 50 == 0 else 1e-4)
    measure([one], 1.0, time)
    assert one.seconds == pytest.approx([1e-4] * len(one.seconds))

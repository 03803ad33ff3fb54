"""Timing several contenders in one run: in rounds, in each of which all take turns."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from kit.peers.contender import Clock, Contender
from kit.series import BLOCK_SECONDS, LEAST_BLOCKS, WITHIN, Interval, quantile

GROUP_SECONDS = 20e-6
"""Calls are timed in groups that take at least this long, so that reading the clock weighs little."""

LEAD_SECONDS = 0.002
"""Before a block, calls that are not counted bring the contender's data and code back into the caches, and
let the threads of the one before it go to sleep."""


@dataclass(frozen=True)
class Block:
    """What a contender does when it is its turn: `groups` groups of `calls` calls, after `lead` of them."""

    groups: int
    calls: int
    lead: int

    @staticmethod
    def of(seconds: float) -> Block:
        """For calls that take about that long."""
        calls = _times(seconds, GROUP_SECONDS)
        group = calls * seconds
        return Block(max(1, round(BLOCK_SECONDS / group)), calls, _times(group, LEAD_SECONDS))


def _times(part: float, whole: float) -> int:
    """How often the part must be taken to be as long as the whole, but for rounding."""
    return max(1, math.ceil(whole / part * (1 - 1e-9)))


@dataclass(frozen=True)
class Measured:
    """How the rounds went: how many there were, what they took, and whether all medians were stable."""

    rounds: int
    seconds: float
    stable: bool


def measure(
    contenders: Sequence[Contender], seconds: float, clock: Clock = time.perf_counter, seed: int = 0
) -> Measured:
    """Fill in `Contender.seconds`: a value for each round, the median of a block of about 20 ms.

    A round is a block of each, in a random order, so that none gains by what comes before it. They go on
    until the median of each is known within 2 %, or each had `seconds` on average; one round at least.
    """
    order = list(contenders)
    shuffle = random.Random(seed).shuffle
    blocks = {one.name: Block.of(_rough(one)) for one in contenders}
    start = clock()
    rounds, stable = 0, False
    while rounds == 0 or not (stable or clock() - start >= seconds * len(order)):
        shuffle(order)
        for one in order:
            block = blocks[one.name]
            one.call.time(block.lead, block.calls)
            one.seconds.append(quantile(sorted(one.call.time(block.groups, block.calls)), 0.5))
        rounds += 1
        stable = rounds >= LEAST_BLOCKS and all(Interval.of(one.seconds).within(WITHIN) for one in order)
    return Measured(rounds, clock() - start, stable)


def ratio(of: Contender, over: Contender) -> Interval:
    """How many times as long the one takes as the other: of their values within each round."""
    return Interval.of([a / b for a, b in zip(of.seconds, over.seconds, strict=True)])


def _rough(contender: Contender) -> float:
    """Seconds for a call: calls are doubled until they take as long as a group. The fastest of three groups
    counts, for what was not called for a while begins with slow calls."""
    calls = 1
    while True:
        mean = min(contender.call.time(3, calls))
        if mean * calls >= GROUP_SECONDS or calls >= 1_000_000:
            return max(mean, 1e-9)
        calls *= 2

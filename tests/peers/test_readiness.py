"""The fastest setting is taken, what disagrees is found, and what is not there is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kit.errors import ParityError, UnavailableError
from kit.peers.contender import Absent, Call, Contender, Way
from kit.peers.readiness import get_ready, trial
from kit.peers.work import Work
from tests.peers.fakes import FakeTime
from tests.peers.support import work_of


def gives(outputs: Callable[[], list[Tensor]], seconds: float = 1e-3) -> Callable[[], Call]:
    return lambda: Call(outputs, FakeTime().call("", lambda: seconds).time)


def fails(error: Exception) -> Callable[[], Call]:
    def make() -> Call:
        raise error

    return make


@pytest.fixture
def work(native_mlp: Path, tmp_path: Path) -> Work:
    with work_of(native_mlp, tmp_path) as made:
        return made


def test_the_fastest_of_the_settings_that_work_is_taken(work: Work) -> None:
    way = Way(
        "Peer",
        {
            "slow": gives(lambda: work.expected, 3e-3),
            "fast": gives(lambda: work.expected, 1e-3),
            "faster and wrong": gives(lambda: [work.expected[0] + 1], 1e-4),
            "broken": fails(RuntimeError("no such kernel\nand a stack")),
        },
    )
    ready = get_ready(way, work)
    assert isinstance(ready, Contender)
    assert (ready.setting, ready.difference) == ("fast", "bit-equal")
    wrong, broken = ready.refused
    assert wrong.startswith("faster and wrong: its output 'output' differs from eager's: ")
    assert broken == "broken: RuntimeError: no such kernel"


def test_a_peer_that_is_not_there_is_absent_with_its_reason(work: Work) -> None:
    missing = ModuleNotFoundError("No module named 'peer.core'", name="peer.core")
    ready = get_ready(Way("Peer", {"a": fails(missing), "b": fails(missing)}), work)
    assert ready == Absent("Peer", "peer is not installed")


def test_a_peer_that_disagrees_is_absent_with_its_reason(work: Work) -> None:
    ready = get_ready(Way("Peer", {"a": gives(lambda: [work.expected[0] * 1.01])}), work)
    assert isinstance(ready, Absent)
    assert "its output 'output' differs from eager's" in ready.reason
    assert get_ready(Way("Peer", {"a": gives(list)}), work) == Absent(
        "Peer", "it gives 0 outputs where eager gives 1"
    )


def test_kit_may_neither_disagree_nor_fail(work: Work) -> None:
    wrong = Way("kit", {"a": gives(lambda: [work.expected[0] + 1])}, kit=True)
    with pytest.raises(ParityError, match=r"mlp.pt: kit, a: its output 'output' differs from eager's"):
        get_ready(wrong, work)
    with pytest.raises(UnavailableError, match="no room"):
        get_ready(Way("kit", {"a": fails(UnavailableError("no room"))}, kit=True), work)


def test_rounding_is_judged_by_the_largest_number(work: Work) -> None:
    inputs = [torch.full_like(work.inputs[0], 1000.0)]
    scaled = Work(work.archive, work.method, work.eager, 1, work.files, work.sizes, inputs, work.expected)
    close = [work.expected[0] + 5e-3]
    assert isinstance(get_ready(Way("Peer", {"a": gives(lambda: close)}), scaled), Contender)
    assert isinstance(get_ready(Way("Peer", {"a": gives(lambda: close)}), work), Absent)


def test_a_trial_leaves_the_first_calls_out() -> None:
    time, calls = FakeTime(), iter(range(10**6))
    call = time.call("", lambda: 1.0 if next(calls) < 3 else 1e-3)
    assert trial(call) == pytest.approx(1e-3)

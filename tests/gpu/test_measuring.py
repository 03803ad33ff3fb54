"""How the GPU benchmark measures: taking turns, statistics, and which kernels a trace shows."""

from __future__ import annotations

import json
from contextlib import nullcontext

import pytest
import torch

from tests.bench.gpu import timers
from tests.bench.gpu.contest import Call, Contestant, measure
from tests.bench.gpu.kernels import NothingSeenError, count, kernels, launched, names
from tests.bench.gpu.samples import Spread, ratios, spread
from tests.bench.gpu.timers import WaitTimer, throughput_timer


def test_spread_of_known_values() -> None:
    assert spread(range(11)) == Spread(1, 5, 9)
    assert spread([4.0]) == Spread(4, 4, 4)
    two = spread([3, 1])
    assert (two.p10, two.median, two.p90) == pytest.approx((1.2, 2, 2.8))
    assert Spread(1, 2, 3).scaled(1000) == Spread(1000, 2000, 3000)


def test_ratios_are_formed_within_a_round() -> None:
    # The machine was three times slower in the second round: that says nothing of the ratio.
    assert ratios([2, 6, 2], [1, 3, 1]) == Spread(2, 2, 2)


def test_ratios_need_the_same_rounds() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        ratios([1, 2], [1])


class FakeClock:
    """Every call takes as long as it says; all calls are written down."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def call(self, name: str) -> Call:
        return lambda: self.log.append(name)

    def timer(self, call: Call, calls: int) -> float:
        before = len(self.log)
        for _ in range(calls):
            call()
        return float(ord(self.log[before]))


def test_contestants_take_turns_after_warming_up() -> None:
    clock = FakeClock()
    a, b, c = contestants = [Contestant(name, clock.call(name), "") for name in "abc"]
    measure(contestants, clock.timer, rounds=3, calls=2, warm_up=1)
    assert "".join(clock.log) == "abc" + "aabbcc" + "bbccaa" + "ccaabb"
    assert (a.seconds, b.seconds, c.seconds) == ([97.0] * 3, [98.0] * 3, [99.0] * 3)


def test_waiting_counts_all_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([10.0, 16.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    clock = FakeClock()
    assert WaitTimer(torch.device("cpu"))(clock.call("x"), 3) == 2.0
    assert clock.log == ["x"] * 3


def test_the_cpu_is_timed_by_waiting() -> None:
    assert isinstance(throughput_timer(torch.device("cpu")), WaitTimer)


def trace(*events: tuple[str, str, object]) -> str:
    return json.dumps(
        {"traceEvents": [{"ph": "M"}, *({"cat": cat, "name": name, "ts": ts} for cat, name, ts in events)]}
    )


def test_kernels_come_in_order_and_copies_are_none() -> None:
    text = trace(
        ("kernel", "second", 20.5),
        ("cpu_op", "aten::mul", 1),
        ("kernel", "first", "9.25"),
        ("gpu_memcpy", "Memcpy DtoD", 10),
    )
    assert kernels(text) == ["first", "second"]
    assert names(text, "cpu_op") == ["aten::mul"]


def test_a_copy_is_no_kernel() -> None:
    assert kernels(trace(("gpu_memcpy", "Memcpy DtoD", 1), ("cuda_runtime", "cudaMemcpyAsync", 0))) == []


def test_a_trace_without_the_gpu_is_an_error_and_not_no_kernels() -> None:
    with pytest.raises(NothingSeenError, match="saw nothing of the GPU"):
        kernels(trace(("cpu_op", "aten::mul", 1), ("cuda_runtime", "cudaLaunchKernel", 2)))


def test_kernels_that_were_not_seen_have_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def unseen(call: Call, device: str) -> list[str]:
        raise NothingSeenError("")

    assert count(lambda: torch.ones(1).abs(), "cpu") is not None
    monkeypatch.setattr("tests.bench.gpu.kernels.launched", unseen)
    assert count(lambda: None, "cuda") is None


class FakeEvent:
    """An event of a GPU that has got `ahead` times to the events before the calls were all there."""

    ahead = 2

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        pass

    def query(self) -> bool:
        FakeEvent.ahead -= 1
        return FakeEvent.ahead >= 0

    def synchronize(self) -> None:
        pass

    def elapsed_time(self, end: FakeEvent) -> float:
        return 6.0  # milliseconds


@pytest.fixture
def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "HOLD_BYTES", 64)
    monkeypatch.setattr(torch.cuda, "Event", FakeEvent)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda *device: None)
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())


@pytest.mark.usefixtures("fake_cuda")
def test_the_gpu_is_held_until_all_calls_are_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEvent, "ahead", 2)
    clock, timer = FakeClock(), timers.DeviceTimer(torch.device("cpu"))
    assert timer(clock.call("x"), 3) == pytest.approx(0.002)
    assert len(clock.log) == 9  # twice the GPU was faster, and the measurement did not count


@pytest.mark.usefixtures("fake_cuda")
def test_a_gpu_that_cannot_be_held_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEvent, "ahead", 1000)
    with pytest.raises(RuntimeError, match="give fewer --calls"):
        timers.DeviceTimer(torch.device("cpu"))(lambda: None, 3)


def test_operations_of_the_cpu_are_seen() -> None:
    x = torch.ones(3)
    assert launched(lambda: x.add(x).mul(x), "cpu") == ["aten::add", "aten::mul"]

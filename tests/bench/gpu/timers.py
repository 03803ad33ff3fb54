"""Clocks: how long calls keep the device busy, and how long a caller waits for the result."""

from __future__ import annotations

import time

import torch

from tests.bench.gpu.contest import Call, Timer

HOLD_BYTES = 1 << 30  # copied to keep the GPU busy: a fraction of a millisecond, and no cache holds it
MOST_HOLDS = 256


class DeviceTimer:
    """Time on the GPU, by CUDA events, without the time that Python needs to ask for the work.

    The GPU is kept busy while the calls are queued and starts on them when all are there; where it was done
    before that, the measurement is made again with more to keep it busy. The kernels follow each other as
    closely as the GPU lets them.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._ballast = torch.empty(HOLD_BYTES // 2, dtype=torch.uint8, device=device)
        self._target = torch.empty_like(self._ballast)
        self._holds = 1

    def __call__(self, call: Call, calls: int) -> float:
        with torch.cuda.device(self._device):
            while True:
                start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
                torch.cuda.synchronize()
                for _ in range(self._holds):
                    self._target.copy_(self._ballast)
                start.record()
                for _ in range(calls):
                    call()
                end.record()
                held = not start.query()
                end.synchronize()
                if held:
                    return start.elapsed_time(end) / 1e3 / calls
                if self._holds == MOST_HOLDS:
                    raise RuntimeError(
                        f"{calls} calls take longer to ask for than {MOST_HOLDS} copies of "
                        f"{HOLD_BYTES // 2 >> 20} MiB take; give fewer --calls"
                    )
                self._holds *= 2


class WaitTimer:
    """Time from a call to its result: each call is waited for before the next one is made."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __call__(self, call: Call, calls: int) -> float:
        cuda = self._device.type == "cuda"
        if cuda:
            torch.cuda.synchronize(self._device)
        start = time.perf_counter()
        for _ in range(calls):
            call()
            if cuda:
                torch.cuda.synchronize(self._device)
        return (time.perf_counter() - start) / calls


def throughput_timer(device: torch.device) -> Timer:
    """How long a call keeps the device busy. On the CPU, which does the work itself, that is the call."""
    return DeviceTimer(device) if device.type == "cuda" else WaitTimer(device)

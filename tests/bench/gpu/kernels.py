"""Which kernels a call launches, as the profiler of torch sees them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from tests.bench.gpu.contest import Call, Contestant
from tests.bench.gpu.results import Way
from tests.bench.gpu.samples import spread

ON_DEVICE = ("kernel", "gpu_memcpy", "gpu_memset")


class NothingSeenError(RuntimeError):
    """The profiler saw nothing of the GPU."""


def way(one: Contestant, device: torch.device) -> Way:
    """What was measured of one way, and what a call of it launches."""
    return Way(one.name, one.configuration, spread(one.seconds), count(one.call, device))


def count(call: Call, device: torch.device | str) -> int | None:
    """How many kernels one call launches, or None if the profiler sees nothing of the GPU."""
    try:
        return len(launched(call, device))
    except NothingSeenError:
        return None


def launched(call: Call, device: torch.device | str) -> list[str]:
    """Names of the kernels of one call, in order; copies and fills of memory are none. On the CPU, which has
    no kernels, the operations: those inside of another one too. Raises NothingSeenError."""
    cuda = torch.device(device).type == "cuda"
    activities = [ProfilerActivity.CPU, ProfilerActivity.CUDA] if cuda else [ProfilerActivity.CPU]
    if cuda:
        torch.cuda.synchronize(device)
    # Some versions of torch warn of a second cycle, which is none here, unless events are accumulated.
    with profile(activities=activities, acc_events=True) as profiler:
        call()
        if cuda:
            torch.cuda.synchronize(device)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        profiler.export_chrome_trace(str(path))
        trace = path.read_text(encoding="utf-8")
    return kernels(trace) if cuda else names(trace, "cpu_op")


def kernels(trace: str) -> list[str]:
    """Those in a trace of the profiler. Raises NothingSeenError."""
    if not names(trace, *ON_DEVICE):
        raise NothingSeenError("torch's profiler saw nothing of the GPU; KINETO_LOG_LEVEL=0 shows why")
    return names(trace, "kernel")


def names(trace: str, *categories: str) -> list[str]:
    """Of the events of these categories in a trace of the profiler, in the order in which they began."""
    events = [event for event in json.loads(trace)["traceEvents"] if event.get("cat") in categories]
    return [event["name"] for event in sorted(events, key=lambda event: float(event["ts"]))]

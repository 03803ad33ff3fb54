"""How long a first prediction takes, warmed up and not: python tests/bench/bench_warm_up.py [STARTS]

The models are the MLP of the examples, and a pointwise chain that is fused (on the CPU by torch's interpreter
of such kernels, which is slow). For each start a process of its own loads the model and times its first
prediction, the second, which compiles where there was no warm-up, and the median of those that follow, each
with an input of its own. The ratio of first and median is formed within a process. Printed is the median over
the starts, and the smallest and largest.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# ruff: noqa: E402
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "python")]

import torch
from torch import Tensor

import kit

STEADY = 200
BATCH = kit.Dim("batch", 1, 4096)
CONFIGURATIONS = {
    "mlp": kit.Configuration(threads=1),
    "fused chain": kit.Configuration(fusion=True, threads=1),
}


def chain(x: Tensor) -> Tensor:
    return torch.relu(x * 2 + 1).tanh() * x


def export(folder: Path) -> None:
    from examples.mlp.recipe import Mlp

    x, dynamic = torch.randn(8, 3), {"x": {0: BATCH}}
    kit.export(Mlp(), x, folder / "mlp.pt", dynamic=dynamic, name="mlp", cases=[(x,), (torch.randn(1, 3),)])
    kit.export(
        chain, x, folder / "fused chain.pt", dynamic=dynamic, name="chain", cases=[(x,), (torch.randn(1, 3),)]
    )


def measure(path: str, name: str, warm: bool) -> dict[str, float]:
    """Microseconds of the first, the second and the median prediction; and what the warm-up took, in all."""
    inputs = [torch.randn(8, 3) for _ in range(STEADY + 2)]
    start = time.perf_counter()
    model = kit.load(path, configuration=CONFIGURATIONS[name], warm_up=warm)
    loaded = time.perf_counter() - start
    times = []
    for x in inputs:
        start = time.perf_counter()
        model.predict([x])
        times.append(1e6 * (time.perf_counter() - start))
    report = model.warmed_up
    return {
        "first": times[0],
        "second": times[1],
        "steady": statistics.median(times[2:]),
        "ratio": times[0] / statistics.median(times[2:]),
        "load": 1e6 * loaded,
        "warm-up": 1e3 * report.milliseconds if report else 0.0,
    }


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):,.1f} ({min(values):,.1f} to {max(values):,.1f})"


def main(starts: int) -> None:
    print(f"torch {torch.__version__}, one thread, batch 8; microseconds, over {starts} starts of a process")
    with tempfile.TemporaryDirectory() as folder:
        export(Path(folder))
        for name in CONFIGURATIONS:
            runs: dict[bool, list[dict[str, float]]] = {True: [], False: []}
            for _ in range(starts):
                for warm in runs:  # taking turns, so that what disturbs the machine disturbs both
                    command = [
                        sys.executable,
                        __file__,
                        str(Path(folder, f"{name}.pt")),
                        name,
                        str(int(warm)),
                    ]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    runs[warm].append(json.loads(done.stdout))
            for warm, results in runs.items():
                print(f"\n{name}, {'warmed up' if warm else 'not warmed up'}: {CONFIGURATIONS[name]}")
                for key in results[0]:
                    print(f"  {key:8} {spread([one[key] for one in results])}")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(json.dumps(measure(sys.argv[1], sys.argv[2], sys.argv[3] == "1")))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)

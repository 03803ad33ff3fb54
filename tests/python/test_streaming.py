"""A file may be larger than memory: what `predictor run` needs does not grow with the number of rows."""

from __future__ import annotations

import re
import subprocess
import threading
from pathlib import Path
from typing import IO

import pytest

FEW = 100_000
MANY = 10_000_000
CHUNK = 100_000
MEGABYTE = 1 << 20


def peak_memory(predictor: Path, model: Path, rows: int, file_format: str, line: bytes) -> tuple[int, int]:
    """Bytes of memory that predicting `rows` equal lines takes at most, and bytes of output."""
    command = [str(predictor), "run", str(model), "--input", "-", "--format", file_format]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    writer = threading.Thread(target=write, args=(process.stdin, line * CHUNK, rows // CHUNK))
    writer.start()
    size = peak = 0
    while block := process.stdout.read(MEGABYTE // 4):
        size += len(block)
        peak = high_water_mark(process.pid) or peak
    writer.join()
    process.stdout.close()
    assert process.wait() == 0
    return peak, size


def high_water_mark(pid: int) -> int:
    """VmHWM of a process; 0 once it has ended. (What wait4 tells counts the process that started it too.)"""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def write(pipe: IO[bytes], chunk: bytes, times: int) -> None:
    with pipe:
        for _ in range(times):
            pipe.write(chunk)


@pytest.mark.parametrize(
    ("file_format", "line", "rows"), [("csv", b"1,2,3\n", MANY), ("jsonl", b"[1,2,3]\n", MANY // 10)]
)
def test_memory_does_not_grow_with_the_rows(
    predictor_path: Path, archives: Path, file_format: str, line: bytes, rows: int
) -> None:
    model = archives / "mlp.pt"
    few, few_bytes = peak_memory(predictor_path, model, FEW, file_format, line)
    many, many_bytes = peak_memory(predictor_path, model, rows, file_format, line)
    assert many_bytes > 0.9 * rows / FEW * few_bytes  # it did predict all of them
    assert few > MEGABYTE
    assert many < few + 16 * MEGABYTE
    assert many < 600 * MEGABYTE  # a libtorch with CUDA in it takes 400

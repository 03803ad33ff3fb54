"""A `predictor` that is looked at while it runs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Running:
    """What a process was like once it had loaded a native program, and what it printed in the end.

    files: the files that it had mapped. maps: all of its mappings, as the kernel lists them.
    resident: kilobytes of memory.
    """

    maps: str
    resident: int
    printed: Sequence[str]

    @property
    def files(self) -> set[Path]:
        names = {line.split(maxsplit=5)[-1] for line in self.maps.splitlines()}
        return {Path(name) for name in names if name.startswith("/") and Path(name).is_file()}


def run_native(predictor: Path, archive: Path, rows: str) -> Running:
    """Run `predictor` on rows of CSV, and look at it before its input ends."""
    command: list[str | Path] = [predictor, "run", archive, "--input", "-", "--format", "csv", "--batch", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(rows)
        process.stdin.flush()
        maps = ""
        while "kit-program" not in maps and process.poll() is None:
            time.sleep(0.01)
            maps = Path(f"/proc/{process.pid}/maps").read_text()
        status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        process.stdin.close()
        printed = process.stdout.read().splitlines()
        assert process.wait() == 0
    return Running(maps, resident, printed)

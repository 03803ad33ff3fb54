"""The processor of this host."""

from __future__ import annotations

import platform
from pathlib import Path


def cpu_name() -> str:
    """Its name as far as the system tells it."""
    known = Path("/proc/cpuinfo")
    if known.is_file():
        for line in known.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

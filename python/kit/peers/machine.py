"""Where and with what a comparison was made."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from importlib import metadata
from typing import Any

import torch

from kit.cpu import cpu_name
from kit.peers.ways import PACKAGES


def host() -> dict[str, Any]:
    """CPU, cores, load when it began, and the date (UTC)."""
    return {
        "cpu": cpu_name(),
        "isa": torch.backends.cpu.get_cpu_capability(),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def versions() -> dict[str, str]:
    """Of Python, kit, torch, and of each package of a peer that is installed."""
    from kit import __version__

    known = {"kit": __version__, "torch": torch.__version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            known[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return known

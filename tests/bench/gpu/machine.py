"""Names and versions of what was measured on."""

from __future__ import annotations

import platform
import shutil
import subprocess

import torch

from kit.binding import native


def describe(device: torch.device) -> dict[str, str]:
    """What a reader needs to compare one run with another. What cannot be found out says so."""
    facts = {}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        facts["GPU"] = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
        facts["compute capability"] = f"{properties.major}.{properties.minor}"
        facts["driver"] = driver_version()
        facts["CUDA of torch"] = str(torch.version.cuda)
    facts["CPU"] = cpu_name()
    facts["torch"] = torch.__version__
    facts["torch that kit runs"] = native.torch_version
    facts["Python"] = platform.python_version()
    facts["system"] = f"{platform.system()} {platform.release()}, {platform.machine()}"
    return facts


def driver_version() -> str:
    """Of NVIDIA's kernel driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "not known: there is no nvidia-smi on the PATH"
    done = subprocess.run(
        [tool, "--query-gpu=driver_version", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = done.stdout.split()
    if done.returncode != 0 or not lines:
        return f"not known: nvidia-smi ended with {done.returncode}"
    return lines[0]


def cpu_name() -> str:
    """As Linux names it."""
    with open("/proc/cpuinfo") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.machine()

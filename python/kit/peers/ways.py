"""All ways that take part."""

from __future__ import annotations

from pathlib import Path

from kit.peers import executorch, onnxruntime, openvino, torch_ways
from kit.peers.contender import Way
from kit.peers.ours import ours
from kit.peers.work import Work

PACKAGES = ("onnxruntime", "onnx", "onnxscript", "openvino", "executorch")
"""What peers need that kit does not."""


def peers(work: Work) -> list[Way]:
    """All but kit's own, whether their packages are installed or not."""
    return [
        torch_ways.eager(work),
        torch_ways.torchscript(work),
        torch_ways.libtorch(work),
        onnxruntime.in_python(work),
        onnxruntime.in_c(work),
        openvino.in_python(work),
        openvino.in_c(work),
        executorch.executorch(work),
    ]


def all_ways(work: Work, engine: str, folder: Path) -> list[Way]:
    """Kit's own first."""
    return [*ours(work, engine, folder), *peers(work)]

"""The model as an ONNX file, for the runtimes that read one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kit.peers.work import Sizes, Work


def onnx_file(work: Work, sizes: Sizes | None) -> Path:
    """The path of the file, as torch.onnx writes it with onnxscript's optimizer; see `Files.make`."""
    import onnx
    import onnxscript

    assert onnx, onnxscript  # torch.onnx needs both, and says so less clearly

    signature = work.method.signature
    names = [spec.name for spec in signature.inputs], [spec.name for spec in signature.outputs]

    def write(program: Any, path: Path) -> None:
        import torch

        torch.onnx.export(
            program,
            (),
            str(path),
            input_names=names[0],
            output_names=names[1],
            dynamo=True,
            external_data=False,
            verbose=False,
        )

    return work.files.make("onnx", sizes, work.inputs, write)

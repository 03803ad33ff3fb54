"""OpenVINO on the CPU, through its Python API and through its C API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kit.peers.contender import Call, Way, timed
from kit.peers.onnx_file import onnx_file
from kit.peers.openvino_c import Request
from kit.peers.work import Sizes, Work


def properties(work: Work) -> dict[str, str]:
    """How a model is compiled: for latency, in that many threads, and in float32, which on a CPU with
    bfloat16 it would not be by itself."""
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": str(work.threads),
        "NUM_STREAMS": "1",
    }


def in_python(work: Work) -> Way:
    """One infer request, whose tensors are set beforehand."""
    return _way("OpenVINO (Python)", work, _request)


def in_c(work: Work) -> Way:
    """The same with ov_infer_request_infer, called from C++."""

    def make(work: Work, sizes: Sizes | None) -> Call:
        return Request(work, sizes, properties(work)).call()

    return _way("OpenVINO (C API)", work, make)


def _way(name: str, work: Work, how: Callable[[Work, Sizes | None], Call]) -> Way:
    def made(sizes: Sizes | None) -> Callable[[], Call]:
        return lambda: how(work, sizes)

    settings = {
        ", ".join(filter(None, ("infer request", shape))): made(sizes) for shape, sizes in work.shapes.items()
    }
    return Way(name, settings)


def _request(work: Work, sizes: Sizes | None) -> Call:
    import openvino

    core: Any = openvino.Core()
    compiled = core.compile_model(core.read_model(str(onnx_file(work, sizes))), "CPU", properties(work))
    request = compiled.create_infer_request()
    outputs = [torch.empty_like(tensor) for tensor in work.expected]
    for index, tensor in enumerate(work.inputs):
        request.set_input_tensor(index, openvino.Tensor(tensor.numpy(), shared_memory=True))
    for index, tensor in enumerate(outputs):
        request.set_output_tensor(index, openvino.Tensor(tensor.numpy(), shared_memory=True))

    def run() -> list[Tensor]:
        request.infer()
        return [tensor.clone() for tensor in outputs]

    return Call(run, timed(request.infer))

"""ONNX Runtime, through its Python API and through its C API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kit.peers.contender import Call, Way, timed
from kit.peers.onnx_file import onnx_file
from kit.peers.onnxruntime_c import Session
from kit.peers.work import Sizes, Work


def in_python(work: Work) -> Way:
    """`run` with a dict of arrays, and `run_with_iobinding` with inputs and outputs bound beforehand."""

    def made(how: Callable[[Work, Sizes | None], Call], sizes: Sizes | None) -> Callable[[], Call]:
        return lambda: how(work, sizes)

    settings = {
        ", ".join(filter(None, (name, shape))): made(how, sizes)
        for shape, sizes in work.shapes.items()
        for name, how in {"run": _run, "IO binding": _bound}.items()
    }
    return Way("ONNX Runtime (Python)", settings)


def in_c(work: Work) -> Way:
    """OrtApi.Run, called from C++, with inputs and outputs that are there beforehand."""

    def made(sizes: Sizes | None) -> Callable[[], Call]:
        return lambda: Session(work, sizes).call()

    settings = {", ".join(filter(None, ("Run", shape))): made(sizes) for shape, sizes in work.shapes.items()}
    return Way("ONNX Runtime (C API)", settings)


def _session(work: Work, sizes: Sizes | None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = work.threads
    options.inter_op_num_threads = 1
    if work.threads == 1:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = str(onnx_file(work, sizes))
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _run(work: Work, sizes: Sizes | None) -> Call:
    session = _session(work, sizes)
    names = [one.name for one in session.get_outputs()]
    arrays = [tensor.numpy() for tensor in work.inputs]
    feed = {one.name: array for one, array in zip(session.get_inputs(), arrays, strict=True)}
    return Call(
        lambda: [torch.from_numpy(array) for array in session.run(names, feed)],
        timed(lambda: session.run(names, feed)),
    )


def _bound(work: Work, sizes: Sizes | None) -> Call:
    session = _session(work, sizes)
    binding = session.io_binding()
    for one, tensor in zip(session.get_inputs(), work.inputs, strict=True):
        binding.bind_cpu_input(one.name, tensor.numpy())
    outputs = [torch.empty_like(tensor) for tensor in work.expected]
    for one, tensor in zip(session.get_outputs(), outputs, strict=True):
        array = tensor.numpy()
        binding.bind_output(one.name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)

    def run() -> list[Tensor]:
        session.run_with_iobinding(binding)
        return [tensor.clone() for tensor in outputs]

    return Call(run, timed(lambda: session.run_with_iobinding(binding)))

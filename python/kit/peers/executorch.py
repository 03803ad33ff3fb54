"""ExecuTorch with the XNNPACK delegate, from its Python runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kit.peers.contender import Call, Way, timed
from kit.peers.work import Sizes, Work


def executorch(work: Work) -> Way:
    """`Method.execute` on a list of tensors."""

    def made(sizes: Sizes | None) -> Callable[[], Call]:
        return lambda: _call(work, sizes)

    settings = {
        ", ".join(filter(None, ("XNNPACK", shape))): made(sizes) for shape, sizes in work.shapes.items()
    }
    return Way("ExecuTorch (Python)", settings)


def _call(work: Work, sizes: Sizes | None) -> Call:
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

    # One pool serves the process.
    if portable_lib._threadpool_get_thread_count() != work.threads:
        portable_lib._unsafe_reset_threadpool(work.threads)
    program = Runtime.get().load_program(str(work.files.make("pte", sizes, work.inputs, _write)))
    method = program.load_method("forward")
    inputs = list(work.inputs)
    return Call(
        lambda: [tensor.clone() for tensor in method.execute(inputs)], timed(lambda: method.execute(inputs))
    )


def _write(exported: Any, path: Path) -> None:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    path.write_bytes(lowered.to_executorch().buffer)

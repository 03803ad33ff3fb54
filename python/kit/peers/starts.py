"""Start to first prediction of a whole process: predictor against the smallest program of each peer."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
import safetensors.torch
import torch

from kit.errors import InternalError, ParityError
from kit.peers.contender import Absent, Call
from kit.peers.onnx_file import onnx_file
from kit.peers.openvino import properties
from kit.peers.readiness import agrees, reason_of
from kit.peers.report import interval
from kit.peers.work import Work
from kit.predictor import find_predictor
from kit.series import Interval

PREDICTOR = "predictor run"

# The smallest programs that read a model and its inputs, predict once, and write the outputs.
_ONNX_RUNTIME = """\
import sys
import numpy
import onnxruntime
model, inputs, outputs, threads = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(threads)
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
given = numpy.load(inputs)
feed = {one.name: given[f"arr_{i}"] for i, one in enumerate(session.get_inputs())}
numpy.savez(outputs, *session.run(None, feed))
"""
_OPENVINO = """\
import json
import sys
import numpy
import openvino
model, inputs, outputs, properties = sys.argv[1:]
compiled = openvino.Core().compile_model(model, "CPU", json.loads(properties))
given = numpy.load(inputs)
found = compiled([given[f"arr_{i}"] for i in range(len(given.files))])
numpy.savez(outputs, *(found[i] for i in range(len(compiled.outputs))))
"""
_TORCH = """\
import sys
import warnings
warnings.simplefilter("ignore")
import numpy
import torch
model, inputs, outputs, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
module = torch.jit.load(model)
given = numpy.load(inputs)
with torch.inference_mode():
    found = module.METHOD(*(torch.from_numpy(given[f"arr_{i}"]) for i in range(len(given.files))))
numpy.savez(outputs, *(found if isinstance(found, tuple) else (found,)))
"""


@dataclass
class Program:
    """A command that writes `output`, and what its runs took in seconds."""

    name: str
    command: list[str]
    output: Path
    log: Path
    seconds: list[float] = field(default_factory=list)

    def run(self) -> float:
        """Seconds from before it is started until it has ended. Raises InternalError if it fails."""
        with open(self.log, "wb") as log:
            actions = [(os.POSIX_SPAWN_DUP2, log.fileno(), 1), (os.POSIX_SPAWN_DUP2, log.fileno(), 2)]
            start = time.perf_counter()
            process = os.posix_spawn(self.command[0], self.command, os.environ, file_actions=actions)
            _, status = os.waitpid(process, 0)
            seconds = time.perf_counter() - start
        if os.waitstatus_to_exitcode(status) != 0:
            said = self.log.read_text(errors="replace").strip().splitlines() or ["it wrote no message"]
            raise InternalError(f"its process failed: {said[-1]}")
        return seconds


def measure_starts(work: Work, engine: str, runs: int, folder: Path) -> dict[str, Any]:
    """Start each program as often, in turns in a random order, with its files in the page cache.

    The first start of each counts for nothing but the check of its outputs. Gives what stands in the report
    under "starts".
    """
    kit = _predictor(work, engine, folder)
    _check(kit, work)
    programs: list[Program] = [kit]
    absent: list[Absent] = []
    for name in ("ONNX Runtime (Python)", "OpenVINO (Python)", "TorchScript (Python)"):
        try:
            program = _peer(name, work, folder)
            _check(program, work)
            programs.append(program)
        except Exception as error:  # as for its calls: why it takes no part is a result
            absent.append(Absent(name, reason_of(error)))
    shuffle = random.Random(0).shuffle
    for _ in range(runs):
        order = list(programs)
        shuffle(order)
        for program in order:
            program.seconds.append(program.run())
    return {
        "sizes": work.sizes,
        "runs": runs,
        "ways": [
            {
                "name": one.name,
                "kit": one is kit,
                "milliseconds": interval(Interval.of([value * 1e3 for value in one.seconds])),
            }
            for one in programs
        ],
        "ratios": [
            {"kit": kit.name, "over": one.name, **interval(ratio_of(kit, one))} for one in programs[1:]
        ],
        "absent": [{"name": one.name, "reason": one.reason} for one in absent],
    }


def ratio_of(one: Program, other: Program) -> Interval:
    """How many times as long the one takes as the other, within each round."""
    return Interval.of([a / b for a, b in zip(one.seconds, other.seconds, strict=True)])


def _predictor(work: Work, engine: str, folder: Path) -> Program:
    source, result = folder / "start.safetensors", folder / "start-predictor.safetensors"
    names = [spec.name for spec in work.method.signature.inputs]
    safetensors.torch.save_file(dict(zip(names, work.inputs, strict=True)), source)
    command = [find_predictor(), "run", work.archive.path, "--method", work.method.name]
    command += ["--engine", engine, "--threads", str(work.threads), "--input", str(source)]
    command += ["--output", str(result)]
    return Program(PREDICTOR, command, result, folder / "start-predictor.log")


def _peer(name: str, work: Work, folder: Path) -> Program:
    """Raises what is missing."""
    package = {"ONNX Runtime (Python)": "onnxruntime", "OpenVINO (Python)": "openvino"}.get(name, "torch")
    if importlib.util.find_spec(package) is None:
        raise ModuleNotFoundError(name=package)
    source = folder / "start.npz"
    numpy.savez(source, *(tensor.numpy() for tensor in work.inputs))
    text, threads = {
        "onnxruntime": (_ONNX_RUNTIME, str(work.threads)),
        "openvino": (_OPENVINO, json.dumps(properties(work))),
        "torch": (_TORCH.replace("METHOD", work.method.name), str(work.threads)),
    }[package]
    program, result = folder / f"start_{package}.py", folder / f"start-{package}.npz"
    program.write_text(text)
    model = work.archive.path if package == "torch" else str(onnx_file(work, None))
    command = [sys.executable, str(program), model, str(source), str(result), threads]
    return Program(name, command, result, folder / f"start-{package}.log")


def _check(program: Program, work: Work) -> None:
    """Run it, and compare what it wrote with eager. Raises ParityError."""
    program.run()
    outputs = _outputs(program.output, work)
    try:
        agrees(Call(lambda: outputs, lambda groups, calls: []), work)
    except ParityError as error:
        raise ParityError(f"{program.name}: {error}") from None


def _outputs(path: Path, work: Work) -> list[torch.Tensor]:
    if path.suffix == ".safetensors":
        found = safetensors.torch.load_file(path)
        return [found[spec.name] for spec in work.method.signature.outputs]
    with numpy.load(path) as arrays:
        return [torch.from_numpy(arrays[name]) for name in _in_order(arrays.files)]


def _in_order(names: Sequence[str]) -> list[str]:
    """numpy calls them arr_0, arr_1 and so on."""
    return sorted(names, key=lambda name: int(name.removeprefix("arr_")))

"""Start to first prediction in C: `predictor run`, and examples/c with the program that kit extracts, against
the smallest program over ONNX Runtime's C API.

Usage: python tests/bench/ort_start.py PREDICTOR BENCH_ORT_START MODEL RECIPE [--runs N]

Prints what a comparison has under "starts". The model is that of examples/mlp, with a native program.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import onnxruntime
import safetensors.torch
import torch
from torch import Tensor

import kit
from kit.peers.quiet import quiet
from kit.peers.report import interval
from kit.peers.starts import Program, ratio_of
from kit.recipe import run_recipe
from kit.series import Interval

SOURCE = Path(__file__).parents[2] / "examples/c/predict.c"
EXTRACTED = "C program with the extracted one"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("predictor", type=Path)
    parser.add_argument("executable", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("recipe")
    parser.add_argument("--runs", type=int, default=21)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ours, peer = _programs(options, Path(folder))
        shuffle = random.Random(0).shuffle
        for _ in range(options.runs):
            order = [*ours, peer]
            shuffle(order)
            for one in order:
                one.seconds.append(one.run())
    print(json.dumps(_report(ours, peer, options.runs)))


def _programs(options: argparse.Namespace, folder: Path) -> tuple[list[Program], Program]:
    """All, with their files, after a first run whose outputs agree with eager."""
    made = run_recipe(options.recipe)
    (example,) = made.args
    model, x = made.model.eval(), example[:1].contiguous()
    onnx, raw = folder / "model.onnx", folder / "x.bin"
    _export(model, example, onnx)
    raw.write_bytes(x.numpy().tobytes())
    safetensors.torch.save_file({"x": x}, folder / "x.safetensors")
    predictor = _program("predictor run", folder, "y.safetensors", options.predictor)
    predictor.command += ["run", str(options.model), "--input", str(folder / "x.safetensors")]
    predictor.command += ["--output", str(predictor.output)]
    extracted = _extracted(options.model, folder)
    extracted.command += [repr(value) for value in x.flatten().tolist()]
    library = next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*"))
    peer = _program("ONNX Runtime (C)", folder, "y.bin", options.executable)
    peer.command += [str(library), str(onnx), "x", "y", *map(str, x.shape), str(raw), str(peer.output)]
    for one in (predictor, extracted, peer):
        one.run()
    with torch.no_grad():
        expected = model(x)
    _check(predictor, safetensors.torch.load_file(predictor.output).popitem()[1], expected)
    _check(extracted, torch.tensor([[float(extracted.log.read_text())]]), expected)
    theirs = torch.frombuffer(bytearray(peer.output.read_bytes()), dtype=torch.float32)
    _check(peer, theirs.reshape(expected.shape), expected)
    return [predictor, extracted], peer


def _extracted(archive: Path, folder: Path) -> Program:
    """examples/c, compiled as its README says, and the shared object that it loads."""
    shared_object = folder / "mlp.so"
    kit.extract(archive, shared_object, header=True)
    program = _program(EXTRACTED, folder, "y.txt", folder / "predict")
    compiler = shutil.which("cc") or sys.exit("ort_start: there is no C compiler; install the package gcc")
    command = [compiler, "-std=c99", "-O2", f"-I{folder}", str(SOURCE), "-o", program.command[0], "-ldl"]
    subprocess.run(command, check=True)
    program.command.append(str(shared_object))
    return program


def _export(model: torch.nn.Module, example: Tensor, path: Path) -> None:
    with quiet():
        torch.onnx.export(
            model,
            (example,),
            str(path),
            input_names=["x"],
            output_names=["y"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4096)},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _program(name: str, folder: Path, output: str, executable: Path) -> Program:
    return Program(name, [str(executable.absolute())], folder / output, folder / f"{output}.log")


def _check(program: Program, outputs: Tensor, expected: Tensor) -> None:
    if not torch.allclose(outputs, expected, rtol=1e-5, atol=1e-5):
        sys.exit(f"ort_start: {program.name}: {outputs.tolist()} came out, and eager has {expected.tolist()}")


def _report(ours: list[Program], peer: Program, runs: int) -> dict[str, Any]:
    return {
        "sizes": {"batch": 1},
        "runs": runs,
        "ways": [
            {
                "name": one.name,
                "kit": one is not peer,
                "milliseconds": interval(Interval.of([value * 1e3 for value in one.seconds])),
            }
            for one in (*ours, peer)
        ],
        "ratios": [
            {"kit": one.name, "over": other.name, **interval(ratio_of(one, other))}
            for one, other in ((ours[0], peer), (ours[0], ours[1]), (ours[1], peer))
        ],
        "absent": [],
    }


if __name__ == "__main__":
    main()

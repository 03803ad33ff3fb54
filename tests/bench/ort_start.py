"""Start to first prediction in C: `predictor run` against the smallest program over ONNX Runtime's C API.

Usage: python tests/bench/ort_start.py PREDICTOR BENCH_ORT_START MODEL RECIPE [--runs N]

Prints what a comparison has under "starts". The model takes float32[batch, n] and gives float32[batch, 1].
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import onnxruntime
import safetensors.torch
import torch
from torch import Tensor

from kit.peers.quiet import quiet
from kit.peers.report import interval
from kit.peers.starts import Program, ratio_of
from kit.recipe import run_recipe
from kit.series import Interval


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("predictor", type=Path)
    parser.add_argument("executable", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("recipe")
    parser.add_argument("--runs", type=int, default=21)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kit, peer = _programs(options, Path(folder))
        shuffle = random.Random(0).shuffle
        for _ in range(options.runs):
            order = [kit, peer]
            shuffle(order)
            for one in order:
                one.seconds.append(one.run())
    print(json.dumps(_report(kit, peer, options.runs)))


def _programs(options: argparse.Namespace, folder: Path) -> tuple[Program, Program]:
    """Both, with their files, after a first run whose outputs agree with eager."""
    made = run_recipe(options.recipe)
    (example,) = made.args
    model, x = made.model.eval(), example[:1].contiguous()
    onnx, raw = folder / "model.onnx", folder / "x.bin"
    _export(model, example, onnx)
    raw.write_bytes(x.numpy().tobytes())
    safetensors.torch.save_file({"x": x}, folder / "x.safetensors")
    kit = _program("predictor run", folder, "y.safetensors", options.predictor)
    kit.command += ["run", str(options.model), "--input", str(folder / "x.safetensors")]
    kit.command += ["--output", str(kit.output)]
    library = next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*"))
    peer = _program("ONNX Runtime (C)", folder, "y.bin", options.executable)
    peer.command += [str(library), str(onnx), "x", "y", *map(str, x.shape), str(raw), str(peer.output)]
    for one in (kit, peer):
        one.run()
    with torch.no_grad():
        expected = model(x)
    ours = safetensors.torch.load_file(kit.output).popitem()[1]
    theirs = torch.frombuffer(bytearray(peer.output.read_bytes()), dtype=torch.float32)
    _check(kit, ours, expected)
    _check(peer, theirs.reshape(expected.shape), expected)
    return kit, peer


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


def _report(kit: Program, peer: Program, runs: int) -> dict[str, Any]:
    return {
        "sizes": {"batch": 1},
        "runs": runs,
        "ways": [
            {
                "name": one.name,
                "kit": one is kit,
                "milliseconds": interval(Interval.of([value * 1e3 for value in one.seconds])),
            }
            for one in (kit, peer)
        ],
        "ratios": [{"kit": kit.name, "over": peer.name, **interval(ratio_of(kit, peer))}],
        "absent": [],
    }


if __name__ == "__main__":
    main()

"""Shows that torch's fuser changes what some operations compute. It needs torch, and the files beside it.

    python repro.py

Runs the program of `program.pt` on the tensors of `inputs.safetensors`: with fusion off, then three times
with fusion on, and prints the largest differences. Exit code 1 if one is beyond the tolerance, 0 if none is.
"""

from __future__ import annotations

import json
import struct
import sys
import warnings
from pathlib import Path
from typing import Any

import torch

DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}
RUNS = 3  # the first is watched, the second compiles


def read_inputs(path: Path, strides: list[list[int]], device: str) -> list[torch.Tensor]:
    """The tensors of the file, strided as they were. https://huggingface.co/docs/safetensors/index#format"""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    body = data[8 + length :]
    tensors = []
    for index, steps in enumerate(strides):
        entry = header[f"input{index}"]
        begin, end = entry["data_offsets"]
        dtype, shape = DTYPES[entry["dtype"]], entry["shape"]
        empty = begin == end
        flat = (
            torch.empty(0, dtype=dtype)
            if empty
            else torch.frombuffer(bytearray(body[begin:end]), dtype=dtype)
        )
        tensors.append(strided(flat.reshape(shape).to(device), steps))
    return tensors


def strided(tensor: torch.Tensor, steps: list[int]) -> torch.Tensor:
    """The same elements at these strides; along a stride of 0 they are all alike."""
    sizes = [1 if step == 0 and size else size for size, step in zip(tensor.shape, steps, strict=True)]
    first = tensor[tuple(slice(size) for size in sizes)]
    memory = torch.empty_strided(sizes, steps, dtype=tensor.dtype, device=tensor.device)
    return memory.copy_(first).expand(tensor.shape)


def set_fusion(on: bool, dynamic: bool) -> None:
    """Groups of one operation too, on any device, each for one size or for varying ones."""
    jit: Any = torch._C
    jit._jit_set_profiling_executor(True)
    jit._jit_set_profiling_mode(True)
    jit._jit_override_can_fuse_on_cpu(on)
    jit._jit_override_can_fuse_on_gpu(on)
    jit._jit_set_te_must_use_llvm_cpu(False)
    jit._jit_set_texpr_fuser_enabled(on)
    jit._debug_set_fusion_group_inlining(False)
    jit._jit_set_fusion_strategy([("DYNAMIC" if dynamic else "STATIC", 1)])


def run(here: Path, facts: dict[str, Any], fusion: bool, runs: int) -> list[list[torch.Tensor]]:
    """The outputs of each run of the program, loaded anew, and on the CPU."""
    set_fusion(fusion, facts["dynamic"])
    inputs = read_inputs(here / "inputs.safetensors", facts["strides"], facts["device"])
    load: Any = torch.jit.load
    program = load(str(here / "program.pt"), map_location=facts["device"])
    results = []
    for _ in range(runs):
        with torch.no_grad():
            outputs = program(*inputs)
        listed = list(outputs) if isinstance(outputs, tuple) else [outputs]
        results.append([tensor.cpu() for tensor in listed])
    return results


def difference(
    actual: torch.Tensor, expected: torch.Tensor, tolerances: dict[str, Any]
) -> tuple[float, bool]:
    """The largest absolute difference, and whether all elements are within the tolerance of the dtype."""
    rtol, atol = tolerances.get(str(expected.dtype).removeprefix("torch."), (0.0, 0.0))
    a, e = actual.to(torch.float64), expected.to(torch.float64)
    same = (a == e) | (a.isnan() & e.isnan())
    gap = torch.where(same, 0.0, (a - e).abs())
    # An infinity agrees with itself alone, and a difference that is no number is beyond any tolerance.
    within = same | ((gap <= atol + rtol * e.abs()) & a.isfinite() & e.isfinite())
    finite = gap[gap.isfinite()]
    return (float(finite.max()) if finite.numel() else 0.0), bool(within.all())


def main() -> int:
    """Run and compare; gives the exit code."""
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    here = Path(__file__).parent
    facts = json.loads((here / "versions.json").read_text())
    if facts["torch"].split("+")[0] != torch.__version__.split("+")[0]:
        print(f"found with torch {facts['torch']}, this is {torch.__version__}")
    if facts["device"] != "cpu" and not torch.cuda.is_available():
        print(f"this needs the device {facts['device']}; there is no CUDA here", file=sys.stderr)
        return 2
    print("operations:", ", ".join(facts["operations"]))
    (expected,) = run(here, facts, fusion=False, runs=1)
    differs = False
    for number, outputs in enumerate(run(here, facts, fusion=True, runs=RUNS), 1):
        compared = [difference(a, e, facts["tolerances"]) for a, e in zip(outputs, expected, strict=True)]
        within = all(one[1] for one in compared)
        differs = differs or not within
        verdict = "within the tolerance" if within else "DIFFERS"
        print(f"fused, run {number}: largest difference {max(one[0] for one in compared):.3g}, {verdict}")
    print("fused and unfused outputs differ" if differs else "fused and unfused outputs agree")
    return 1 if differs else 0


if __name__ == "__main__":
    sys.exit(main())

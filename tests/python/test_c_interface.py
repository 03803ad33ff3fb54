"""The C interface of a native program, kit/program.h, as a process that has loaded it sees it."""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import kit


class KitTensor(ctypes.Structure):
    """As kit/program.h has it, over the memory of a tensor."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("offset", ctypes.c_uint64),
    )


def described(tensor: Tensor, **changes: Any) -> KitTensor:
    sizes = ctypes.c_int64 * tensor.dim()
    result = KitTensor(
        tensor.data_ptr(),
        1,
        0,
        tensor.dim(),
        2 if tensor.is_floating_point() else 0,
        8 * tensor.element_size(),
        1,
        sizes(*tensor.shape),
        sizes(*tensor.stride()),
        0,
    )
    result.owner = tensor
    for name, value in changes.items():
        setattr(result, name, value)
    return result


def loaded(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    library.kit_program_create.restype = ctypes.c_void_p
    library.kit_program_create.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    tensors = ctypes.POINTER(KitTensor)
    library.kit_program_run.argtypes = (ctypes.c_void_p, tensors, ctypes.c_size_t, tensors, ctypes.c_size_t)
    library.kit_program_last_error.restype = ctypes.c_char_p
    library.kit_program_destroy.argtypes = (ctypes.c_void_p,)
    return library


@pytest.fixture(scope="module")
def call(extracted: Path) -> Callable[[KitTensor | None, KitTensor | None], tuple[int, str]]:
    """Runs the program in this process, where torch is too; gives the status and the last error."""
    library = loaded(extracted)
    program = library.kit_program_create(None, 0)
    assert program, library.kit_program_last_error()

    def run(x: KitTensor | None, y: KitTensor | None) -> tuple[int, str]:
        status = library.kit_program_run(program, x, 1, y, 1)
        return status, library.kit_program_last_error().decode()

    return run


def test_it_runs_beside_torch(call: Any, native_mlp: Path) -> None:
    model = kit.load(native_mlp, engine="native")
    for x in (torch.randn(5, 3), torch.randn(3, 5).t(), torch.randn(10, 6)[::2, ::2]):
        y = torch.full((5, 1), torch.nan)
        assert call(described(x), described(y)) == (0, "")
        assert torch.equal(y, model(x))


X, Y = torch.zeros(2, 3), torch.zeros(2, 1)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (described(X.double()), "another dtype: {}float64[2, 3]"),
        (described(X, lanes=4), "another dtype: {}float32x4[2, 3]"),
        (described(X, code=6, bits=8), "another dtype: {}bool[2, 3]"),
        (described(X[0]), "another number of dimensions: {}float32[3]"),
        (described(torch.zeros(2, 4)), "another size: {}float32[2, 4]"),
        (described(X[:0]), "batch is not in 1..4096: {}float32[0, 3]"),
        (described(torch.zeros(4097, 3)), "batch is not in 1..4096: {}float32[4097, 3]"),
        (
            described(X, device_type=2),
            "it is not on the CPU, on which alone the program runs: {}float32[2, 3]",
        ),
        (described(X, data=None), "its data is null: {}float32[2, 3]"),
        (described(X, shape=None), "its shape is null: {}float32"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(x: KitTensor, message: str, call: Any) -> None:
    wanted = "wanted float32[batch, 3], came "
    assert call(x, described(Y)) == (kit.InputError.exit_code, f"input 'x': {message.format(wanted)}")
    assert call(described(X), described(Y)) == (0, "")


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (torch.zeros(3, 1), "batch is 2 elsewhere: wanted float32[batch, 1], came float32[3, 1]"),
        (torch.zeros(2, 2)[:, :1], "its strides leave gaps: wanted float32[batch, 1], came float32[2, 1]"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(y: Tensor, message: str, call: Any) -> None:
    assert call(described(X), described(y)) == (kit.InputError.exit_code, f"output 'output': {message}")


def test_counts_and_programs_that_are_wrong(extracted: Path) -> None:
    library = loaded(extracted)
    assert library.kit_program_run(None, described(X), 1, described(Y), 1) == 4
    assert b"the program is null" in library.kit_program_last_error()
    program = library.kit_program_create(None, 0)
    assert library.kit_program_run(program, described(X), 1, described(Y), 2) == 4
    assert library.kit_program_last_error() == b"1 inputs and 2 outputs came, 1 and 1 are wanted"
    assert library.kit_program_run(program, None, 1, described(Y), 1) == 4
    assert library.kit_program_last_error() == b"the array of inputs or of outputs is null"
    library.kit_program_destroy(program)
    library.kit_program_destroy(None)


def test_constants_that_are_none(extracted: Path) -> None:
    library = loaded(extracted)
    library.kit_program_description.restype = ctypes.c_char_p
    sizes = json.loads(library.kit_program_description())["constants"]
    assert library.kit_program_create(None, len(sizes)) is None
    assert library.kit_program_last_error() == b"the array of constants is null"
    nothing = (ctypes.c_uint64 * (2 * len(sizes)))(*(part for size in sizes for part in (0, size)))
    assert library.kit_program_create(nothing, len(sizes)) is None
    said = library.kit_program_last_error().decode()
    assert said == f"constant 0 has no data, {sizes[0]} bytes are wanted"


TOGETHER = """
import ctypes, os, sys
sys.path.insert(0, sys.argv[2])
import torch
from tests.python.test_c_interface import described, loaded
os.chdir(sys.argv[1])
paths = ["./one.so", "./other.so"]
for path in paths:
    ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
libraries = [loaded(path) for path in paths]
os.chdir("/")
for library in libraries:
    program = library.kit_program_create(None, 0)
    assert program, library.kit_program_last_error()
    y = torch.zeros(1, 1)
    assert library.kit_program_run(program, described(torch.ones(1, 3)), 1, described(y), 1) == 0
    print(y.item())
"""


def test_each_program_has_its_own_constants_wherever_the_process_goes(tmp_path: Path, root: Path) -> None:
    """Also in one scope of symbols, and from paths that are relative."""
    for name, value in (("one", 1.0), ("other", 2.0)):
        model = nn.Linear(3, 1)
        nn.init.constant_(model.weight, value)
        nn.init.zeros_(model.bias)
        path = tmp_path / f"{name}.pt"
        kit.export(model, torch.zeros(1, 3), path, ("torchscript", "native"), targets=("x86-64-v2",))
        kit.extract(path, tmp_path / f"{name}.so")
    command: list[str | Path] = [sys.executable, "-c", TOGETHER, tmp_path, Path(kit.__file__).parents[1]]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["3.0", "6.0"], done.stderr


def flipped(content: bytes, position: int) -> bytes:
    position %= len(content)
    return content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:-1], "has no constants at its end"),
        (lambda content: content[:-150], "has no constants at its end"),
        (lambda content: content + b"\0", "has no constants at its end"),
        (lambda content: flipped(content, -1), "has no constants at its end"),
        (lambda content: flipped(content, -16), "is damaged"),  # the checksum
        (lambda content: flipped(content, -24), "is damaged"),  # the number of constants
        (lambda content: flipped(content, -40), "is damaged"),  # the last one's place
        (lambda content: flipped(content, -160), "is damaged"),  # a constant
        (lambda content: flipped(content, content.index(b'"model"') + 2), "is damaged"),  # the program
        (lambda content: content[:-300] + content[-299:], "is damaged"),
    ],
)
def test_a_damaged_file_makes_no_program(
    change: Callable[[bytes], bytes], message: str, extracted: Path, tmp_path: Path
) -> None:
    path = tmp_path / "damaged.so"
    path.write_bytes(change(extracted.read_bytes()))
    library = loaded(path)
    assert library.kit_program_create(None, 0) is None
    said = library.kit_program_last_error().decode()
    assert said == f"{path}: {message}; extract the program again, or give it its constants"


def test_a_file_that_is_gone_makes_no_program(extracted: Path, tmp_path: Path) -> None:
    library = loaded(Path(shutil.copy(extracted, tmp_path / "gone.so")))
    (tmp_path / "gone.so").unlink()
    assert library.kit_program_create(None, 0) is None
    assert b"gone.so: cannot be opened: No such file" in library.kit_program_last_error()

"""A bad input file is refused with one line, exit code 4, and nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from tests.conftest import Run
from tests.refusal import GOOD_ROW, expect, files, random_bytes


def npy(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


def tensors(path: Path, **arrays: np.ndarray) -> Path:
    safetensors.numpy.save_file(arrays, path)
    return path


def text(name: str, contents: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_text(contents)
        return folder / name

    return write


ONES = np.ones((2, 3), np.float32)

# model, what makes the input, what the message must mention beside the file
BAD_INPUTS: dict[str, tuple[str, Callable[[Path], Path], tuple[str, ...]]] = {
    "csv, too few columns": ("mlp", text("x.csv", "1,2\n"), ("2 columns", "3")),
    "csv, too many columns": ("mlp", text("x.csv", "1,2,3,4\n"), ("4 columns", "3")),
    "csv, header of another model": ("mlp", text("x.csv", "x.1,x.0,y\n1,2,3\n"), ("x.1",)),
    "csv, text in a number": ("mlp", text("x.csv", "1,2,3\n1,two,3\n"), ("2", "two", "column 2")),
    "csv, empty field": ("mlp", text("x.csv", "1,2,3\n1,,3\n"), ("column 2", "empty")),
    "csv, unequal rows": ("mlp", text("x.csv", "1,2,3\n1,2,3\n1,2\n"), ("3", "2 columns")),
    "csv, fraction for an integer": ("pair", text("x.csv", "1,2,3,4.5\n"), ("4.5", "int64")),
    "csv, semicolons": ("mlp", text("x.csv", "1;2;3\n"), ("commas",)),
    "csv, late error": ("mlp", text("x.csv", GOOD_ROW * 5000 + "1,2,x\n"), ("5001",)),
    "jsonl, no JSON": ("mlp", text("x.jsonl", '{"x": [1, 2, 3]\n'), ("1",)),
    "jsonl, unequal rows": ("mlp", text("x.jsonl", '{"x": [1, 2, 3]}\n{"x": [1, 2]}\n'), ("2",)),
    "jsonl, unknown name": ("mlp", text("x.jsonl", '{"y": [1, 2, 3]}\n'), ("y",)),
    "npy, wrong dtype": ("mlp", lambda f: npy(f / "x.npy", ONES.astype(np.float64)), ("float64", "float32")),
    "npy, wrong size": ("mlp", lambda f: npy(f / "x.npy", ONES[:, :2]), ("[batch, 3]", "[2, 2]")),
    "npy, wrong rank": ("mlp", lambda f: npy(f / "x.npy", ONES[0]), ("[batch, 3]", "[3]")),
    "npy, cut": ("mlp", lambda f: cut_file(npy(f / "x.npy", ONES)), ()),
    "npy, random bytes": ("mlp", lambda f: write(f / "x.npy", random_bytes(200)), (".npy",)),
    "npy, two inputs": ("pair", lambda f: npy(f / "x.npy", ONES), ("2 inputs",)),
    "safetensors, name missing": ("pair", lambda f: tensors(f / "x.safetensors", a=ONES), ("missing: b",)),
    "safetensors, name unknown": ("mlp", lambda f: tensors(f / "x.safetensors", x=ONES, y=ONES), ("y",)),
    "safetensors, rows disagree": (
        "pair",
        lambda f: tensors(f / "x.safetensors", a=ONES, b=np.ones(3, np.int64)),
        ("2", "3", "'b'"),
    ),
    "safetensors, wrong dtype": (
        "pair",
        lambda f: tensors(f / "x.safetensors", a=ONES, b=np.ones(2, np.int32)),
        ("int32", "int64"),
    ),
    "safetensors, cut": ("mlp", lambda f: cut_file(tensors(f / "x.safetensors", x=ONES)), ()),
    "safetensors, random bytes": ("mlp", lambda f: write(f / "x.safetensors", random_bytes(200)), ()),
    "safetensors, fixed size": ("fixed", lambda f: tensors(f / "x.safetensors", x=ONES[:1]), ("[2, 3]",)),
    "csv, a row short of the fixed size": ("fixed", text("x.csv", GOOD_ROW * 3), ("2",)),
}


def write(path: Path, contents: bytes) -> Path:
    path.write_bytes(contents)
    return path


def cut_file(path: Path) -> Path:
    os.truncate(path, path.stat().st_size - 5)
    return path


@pytest.mark.parametrize("what", BAD_INPUTS)
def test_predictor_refuses_a_bad_input(what: str, archives: Path, folder: Path, predictor: Run) -> None:
    model, make, mentions = BAD_INPUTS[what]
    source = make(folder)
    (folder / "out.safetensors").write_text("from before")
    before = files(folder)
    done = predictor(
        "run", archives / f"{model}.pt", "--input", source.name, "--output", "out.safetensors", cwd=folder
    )
    expect(done, 4, source.name, *mentions)
    assert files(folder) == before


def test_a_pipe_is_called_stdin(archives: Path, folder: Path, predictor: Run) -> None:
    done = predictor("run", archives / "mlp.pt", "--input", "-", "--format", "csv", stdin="1,2\n", cwd=folder)
    expect(done, 4, "stdin", "2 columns")

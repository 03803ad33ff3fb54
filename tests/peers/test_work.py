"""Sizes and inputs of a comparison, and the files of other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kit.archive import Archive
from kit.errors import UsageError
from kit.peers.work import batch_dim, fixed, sizes_of
from kit.replay import known_manifest
from kit.signature import Dim, Signature, TensorSpec
from tests.peers.support import work_of


def test_sizes_are_the_batches_or_those_of_the_cases(native_mlp: Path) -> None:
    archive = Archive(native_mlp)
    method = known_manifest(archive).method("forward")
    assert sizes_of(archive, method, [64, 1, 64]) == [{"batch": 1}, {"batch": 64}]
    cases = sizes_of(archive, method, [])
    assert len(cases) > 2
    assert cases == sorted(cases, key=lambda one: one["batch"])
    with pytest.raises(UsageError, match=r"--batch 5000 is out of range: batch in 1\.\.4096"):
        sizes_of(archive, method, [5000])


def test_the_batch_is_the_dim_that_leads() -> None:
    rows, columns = Dim("rows"), Dim("columns")
    x = TensorSpec("x", "float32", ("rows", "columns"))
    y = TensorSpec("y", "float32", ("rows",))
    assert batch_dim(Signature((x,), (y,), (columns, rows))) == rows
    assert batch_dim(Signature((x,), (x, TensorSpec("z", "float32", (2,))), (columns, rows))) is None
    assert batch_dim(Signature((y,), (TensorSpec("z", "float32", (2,)),), (rows,))) == rows


def test_fixed_sizes_replace_dims() -> None:
    x = TensorSpec("x", "float32", ("batch", 3))
    found = fixed(Signature((x,), (x,), (Dim("batch"),)), {"batch": 7})
    assert (found.inputs[0].shape, found.outputs[0].shape, found.dims) == ((7, 3), (7, 3), ())


def test_a_file_is_made_once_and_so_is_its_error(native_mlp: Path, tmp_path: Path) -> None:
    made = []

    def write(program: Any, path: Path) -> None:
        made.append(path)
        path.write_text(str(program.range_constraints))

    def fail(program: Any, path: Path) -> None:
        made.append(path)
        raise ValueError("no such operation")

    with work_of(native_mlp, tmp_path) as work:
        varying = work.files.make("a", None, work.inputs, write)
        alone = work.files.make("a", work.sizes, work.inputs, write)
        assert work.files.make("a", None, work.inputs, write) == varying
        assert "4096" in varying.read_text()
        assert alone.read_text() == "{}"
        for _ in range(2):
            with pytest.raises(ValueError, match="no such operation"):
                work.files.make("b", None, work.inputs, fail)
    assert len(made) == 3

"""The same program for the same model, whatever the process has traced before."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from kit.errors import InternalError, UnavailableError
from kit.programs import canonical
from kit.programs.canonical import canonical_members
from kit.programs.pickles import pickled_texts, replace_texts
from kit.programs.variables import renumber_variables
from tests.python.nested_model import program


def reload(members: dict[str, bytes | memoryview]) -> Any:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"model/{name}", data)
    buffer.seek(0)
    return torch.jit.load(buffer)


def digest(members: dict[str, bytes | memoryview]) -> str:
    return hashlib.sha256(b"\0".join(k.encode() + b"\0" + v for k, v in sorted(members.items()))).hexdigest()


def test_two_traces_in_one_process_are_the_same() -> None:
    first = canonical_members(program())
    torch.jit.script(nn.Sequential(nn.Linear(2, 2), nn.GRU(2, 2)))
    second = canonical_members(program())
    assert first == second


@pytest.mark.parametrize("before", ["", "canonical_members(program()); torch.jit.script(nn.Linear(1, 1))"])
@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_other_processes_write_the_same(before: str, hash_seed: str) -> None:
    root = Path(__file__).parents[2]
    lines = [
        "from tests.python.test_canonical import *",
        before,
        "print(digest(canonical_members(program())))",
    ]
    path = os.pathsep.join([str(root), str(root / "python")])
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*lines, "import os, sys; sys.stdout.flush(); os._exit(0)"])],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split()[-1] == digest(canonical_members(program()))


def test_the_canonical_program_computes_the_same() -> None:
    original = program()
    loaded = reload(canonical_members(original))
    for size in (1, 2, 5):
        x = torch.randn(size, 3)
        for mine, wanted in zip(loaded(x), original(x), strict=True):
            assert torch.equal(mine, wanted)


def test_classes_are_numbered_from_the_start_and_nothing_local_travels() -> None:
    program()  # takes the names without a number
    members = canonical_members(program())
    text = b"\n".join(data for name, data in members.items() if not name.startswith("data/"))
    assert b"__torch__.torch.nn.modules.linear.Linear" in text
    assert b"__torch__.torch.nn.modules.linear.___torch_mangle_0.Linear" in text
    assert os.path.dirname(torch.__file__).encode() not in text
    assert str(Path(__file__).parent).encode() not in text
    assert not any("debug_pkl" in name or "traced_inputs" in name or ".data" in name for name in members)
    assert b'"a quote \\" and a name __torch__.torch.nn.modules.linear.Linear"' in text


def test_members_that_torch_never_wrote_before_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = canonical._saved(program())

    def with_member(name: str, data: bytes) -> None:
        monkeypatch.setattr(canonical, "_saved", lambda _: {**saved, name: data})
        canonical_members(program())

    with pytest.raises(InternalError, match=r"torch wrote the member 'code/new\.bin'"):
        with_member("code/new.bin", b"")
    with pytest.raises(InternalError, match=r"torch wrote 'op_version_set = 1' in 'code/__torch__/new\.py'"):
        with_member("code/__torch__/new.py", b"op_version_set = 1\n")
    with pytest.raises(InternalError, match=r"torch wrote FRAME in 'new\.pkl'"):
        with_member("new.pkl", b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00.")


def test_a_folder_for_temporary_files_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(
        UnavailableError, match=r"none: temporary files .*: No such file .*; set TMPDIR elsewhere"
    ):
        canonical_members(program())


def test_names_in_pickles_are_replaced_and_nothing_else() -> None:
    data = b"\x80\x02c__torch__.a\nB\nq\x00X\x11\x00\x00\x00List[__torch__.C]X\x01\x00\x00\x00dK\x2a."
    assert list(pickled_texts(data, "it")) == ["__torch__.a.B", "List[__torch__.C]", "d"]
    names = {"__torch__.a.B": "__torch__.long.name.B", "__torch__.C": "__torch__.___torch_mangle_0.C"}
    replaced = replace_texts(data, names, "it")
    assert list(pickled_texts(replaced, "it")) == [
        "__torch__.long.name.B",
        "List[__torch__.___torch_mangle_0.C]",
        "d",
    ]
    assert replace_texts(data, {}, "it") == data
    back = {new: old for old, new in names.items()}
    assert replace_texts(replaced, back, "it") == data


def test_variables_are_numbered_within_their_method() -> None:
    code = """class A(Module):
  x1 : Tensor
  def forward(self: __torch__.A,
    x: Tensor) -> Tensor:
    x7 = self.x1
    _12, _13, = torch.split(x7, "x7 _12", dim=3)
    dim4 = torch.dim(_13)
    for i9 in range(dim4):
      x8 = torch.add(x7, i9, dim=dim4)
    def __forked_function():
      return (x8).forward(_12, x, )
    return x8
  def other(self: __torch__.A) -> Tensor:
    x7 = self.x1
    int5 = int(x7)
    return x7
"""
    wanted = """class A(Module):
  x1 : Tensor
  def forward(self: __torch__.A,
    x: Tensor) -> Tensor:
    x0 = self.x1
    _0, _1, = torch.split(x0, "x7 _12", dim=3)
    dim = torch.dim(_1)
    for i in range(dim):
      x2 = torch.add(x0, i, dim=dim)
    def __forked_function():
      return (x2).forward(_0, x, )
    return x2
  def other(self: __torch__.A) -> Tensor:
    x = self.x1
    int0 = int(x)
    return x
"""
    assert renumber_variables(code) == wanted.replace("x2", "x1")
    assert renumber_variables(wanted) == wanted.replace("x2", "x1")

"""`kit.extract`: a compiled program in a file of its own, and what C makes of it."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import kit
from kit import cli
from kit.extracting import HEADER
from kit.manifest import MEMBER
from tests.conftest import Completed
from tests.rewrite import edit_manifest, rewrite

FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wstrict-prototypes", "-Werror", "-pedantic")
STANDARD = r"lib(c|m|mvec|stdc\+\+|gcc_s)\.so\.[\d.]+|ld-linux-x86-64\.so\.2"
FUNCTIONS = {
    f"kit_program_{name}" for name in ("abi", "create", "description", "destroy", "last_error", "run")
}
LINKED = """
#include <stdio.h>
#include "kit_program.h"

int main(void) {
  KitProgram* program = kit_program_create(NULL, 0);
  FILE* maps = fopen("/proc/self/maps", "r");
  char line[4096];
  if (program == NULL) return (int)fwrite(kit_program_last_error(), 1, 40, stderr);
  while (fgets(line, sizeof line, maps) != NULL) fputs(line, stdout);
  kit_program_destroy(program);
  return kit_program_abi() != KIT_PROGRAM_ABI;
}
"""


@pytest.fixture(scope="module")
def extracted(native_mlp: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program in a file, with its header beside it."""
    path = tmp_path_factory.mktemp("extracted") / "mlp.so"
    assert kit.extract(native_mlp, path, header=True) == "x86-64-v3"
    return path


def compiled(source: Path, extracted: Path, program: Path, *more: str | Path) -> Path:
    command = ["gcc", *FLAGS, f"-I{extracted.parent}", source, *more, "-o", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


def run(*command: str | Path, cwd: Path) -> Completed:
    """Without anything that would help to find a library."""
    return subprocess.run(command, cwd=cwd, env={}, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def predict(extracted: Path, root: Path) -> Path:
    """The example in C."""
    return compiled(root / "examples/c/predict.c", extracted, extracted.parent / "predict")


def test_the_example_in_c_predicts(predict: Path, extracted: Path, native_mlp: Path, tmp_path: Path) -> None:
    done = run(predict, extracted, "1", "-2", "0.5", "3", "4", "5", cwd=tmp_path)
    expected = kit.load(native_mlp, engine="native")(torch.tensor([[1, -2, 0.5], [3, 4, 5]]))
    assert done.stderr == ""
    assert torch.equal(torch.tensor([[float(line)] for line in done.stdout.splitlines()]), expected)
    about = json.loads(run(predict, extracted, cwd=tmp_path).stdout)
    assert (about["model"], about["target"]) == ("mlp", "x86-64-v3")
    assert about["signature"]["dims"] == {"batch": {"min": 1, "max": 4096}}


def test_the_example_in_c_says_what_is_wrong(predict: Path, extracted: Path, tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("no program")
    cases: list[tuple[list[str | Path], int, str]] = [
        ([extracted, "1", "1"], 2, "usage"),
        ([extracted, "1", "1", "one"], 2, "'one'"),
        ([tmp_path / "no.so"], 6, "no.so"),
        ([tmp_path / "text.so"], 6, "text.so"),
        (["libm.so.6"], 3, "libm.so.6"),
        ([extracted, *["1"] * 3 * 4097], 4, "input 'x': batch is not in 1..4096"),
    ]
    for arguments, code, mention in cases:
        done = run(predict, *arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (code, "", 1)
        assert mention in done.stderr


def test_a_process_that_links_it_maps_nothing_else(extracted: Path, tmp_path: Path) -> None:
    (tmp_path / "linked.c").write_text(LINKED)
    program = compiled(tmp_path / "linked.c", extracted, tmp_path / "linked", extracted)
    done = run(program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    files = {path.rpartition("/")[2] for path in re.findall(r"\s(/\S+)$", done.stdout, re.MULTILINE)}
    assert {"mlp.so", "linked"} < files
    assert [name for name in files - {"mlp.so", "linked"} if not re.fullmatch(STANDARD, name)] == []


def test_it_needs_the_standard_libraries_and_exports_its_interface_alone(extracted: Path) -> None:
    def output(*command: str | Path) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "--dynamic", "--wide", extracted))
    assert needed
    assert [name for name in needed if not re.fullmatch(STANDARD, name)] == []
    symbols = output("nm", "--dynamic", "--defined-only", extracted)
    assert {line.split()[-1] for line in symbols.splitlines()} == FUNCTIONS


def test_the_files_are_as_others_are(extracted: Path, root: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(extracted.stat().st_mode) == 0o777 & ~mask
    header = extracted.parent / HEADER
    assert stat.S_IMODE(header.stat().st_mode) == 0o666 & ~mask
    assert header.read_bytes() == (root / "cpp/include/kit/program.h").read_bytes()


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
from tests.python.test_extracting import described, loaded
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
    done = run(sys.executable, "-c", TOGETHER, tmp_path, Path(kit.__file__).parents[1], cwd=root)
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


def with_programs(source: Path, path: Path, *targets: str, engine: str = "native") -> Path:
    """The archive with its native program listed for other targets, or as another engine's."""

    def edit(manifest: dict[str, Any]) -> None:
        script, native = manifest["programs"]
        if engine == "aoti":
            library = native["methods"]["forward"]["library"]
            native = {**native, "engine": engine, "methods": {"forward": {"package": library}}}
        manifest["programs"] = [script, *({**native, "target": target} for target in targets)]

    return rewrite(source, path, edit_manifest(edit))


def test_the_best_for_this_host_is_taken(
    native_mlp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.so"
    both = with_programs(native_mlp, tmp_path / "both.pt", "x86-64-v2", "x86-64-v3")
    assert kit.extract(both, out) == "x86-64-v3"
    assert kit.extract(both, out, target="x86-64-v2") == "x86-64-v2"
    monkeypatch.setenv("KIT_ISA", "x86-64-v2")
    assert kit.extract(both, out) == "x86-64-v2"
    assert kit.extract(native_mlp, out) == "x86-64-v3"  # the only one, which counts as one for other hosts
    none = with_programs(native_mlp, tmp_path / "none.pt", "x86-64-v4", "x86-64-v3")
    with pytest.raises(
        kit.UsageError, match="this host can run none of its native programs; say with --target"
    ):
        kit.extract(none, out)
    assert kit.extract(none, out, target="x86-64-v4") == "x86-64-v4"


def test_a_package_is_written_as_it_is(native_mlp: Path, tmp_path: Path) -> None:
    path = with_programs(native_mlp, tmp_path / "aoti.pt", "cuda:sm_90", engine="aoti")
    assert kit.extract(path, tmp_path / "out.pt2", "aoti") == "cuda:sm_90"
    archive = kit.inspect(path)
    assert archive.manifest is not None
    member = archive.manifest.programs[1].methods["forward"].member
    assert (tmp_path / "out.pt2").read_bytes() == archive.member(member)
    with pytest.raises(kit.UnavailableError, match="has no native program; export the model again"):
        kit.extract(path, tmp_path / "out.so")


def test_members_are_read_only_and_outlive_the_archive(native_mlp: Path) -> None:
    member = kit.inspect(native_mlp).member(MEMBER)
    assert member.readonly
    assert json.loads(bytes(member))["name"] == "mlp"
    with pytest.raises(kit.ArchiveError, match="no/such"):
        kit.inspect(native_mlp).member("no/such")


@pytest.mark.parametrize(
    ("arguments", "code", "mention"),
    [
        (["-o", "out.so", "--program", "torchscript"], 2, "is the archive itself"),
        (["-o", "out.so", "--program", "onnx"], 2, "'onnx'"),
        (["-o", "out.so", "--program", "aoti"], 6, "--program aoti"),
        (["-o", "out.so", "--program", "aoti", "--header"], 2, "--header"),
        (["-o", "out.so", "--target", "sse"], 2, "'sse'"),
        (["-o", "out.so", "--target", "x86-64-v4"], 6, "it has those for x86-64-v3"),
        (["-o", "out.so", "--method", "encode"], 2, "'encode'"),
        (["-o", "no/out.so"], 2, "no does not exist"),
        (["-o", "."], 2, "a directory"),
        (["-o", HEADER, "--header"], 2, "name another file"),
        ([], 2, "--output"),
    ],
)
def test_what_cannot_be_extracted(
    arguments: list[str],
    code: int,
    mention: str,
    native_mlp: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    assert cli.main(["extract", str(native_mlp), *arguments]) == code
    out, error = capsys.readouterr()
    assert (out, len(error.splitlines())) == ("", 1)
    assert mention in error
    assert os.listdir(folder) == []


def test_on_a_full_disk_the_old_file_stays(
    native_mlp: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (folder / "out.so").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        kit.UnavailableError, match=r"out\.so: it cannot be written: .*; make room, and extract"
    ):
        kit.extract(native_mlp, folder / "out.so")
    assert os.listdir(folder) == ["out.so"]
    assert (folder / "out.so").read_text() == "old"


def test_the_command_says_what_it_wrote(
    native_mlp: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "out.so"
    assert cli.main(["extract", str(native_mlp), "-o", str(out), "--header"]) == 0
    said = f"{out}: forward of {native_mlp}, native for x86-64-v3, with kit_program.h beside it\n"
    assert capsys.readouterr() == (said, "")
    assert cli.main(["extract", str(native_mlp), "-o", str(out), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert sorted(os.listdir(folder)) == [HEADER, "out.so"]

"""`kit.extract`: a compiled program in a file of its own, and what C makes of it."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

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

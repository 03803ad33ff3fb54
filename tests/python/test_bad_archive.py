"""A bad archive is refused with one line, exit code 3, and nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from kit import cli
from kit.errors import ArchiveError
from tests.conftest import Run
from tests.refusal import GOOD_ROW, expect, files, random_bytes
from tests.rewrite import (
    CASES,
    MANIFEST,
    Members,
    edit_manifest,
    edit_member,
    read_members,
    rewrite,
    write_members,
)

Spoil = Callable[[Path, Path], object]  # good archive, path of the bad one


def cut(share: float) -> Spoil:
    def spoil(good: Path, bad: Path) -> None:
        contents = good.read_bytes()
        bad.write_bytes(contents[: int(len(contents) * share)])

    return spoil


def changed(change: Callable[[Members], Members], *, digests: bool = False) -> Spoil:
    return lambda good, bad: rewrite(good, bad, change, digests=digests)


def duplicated(good: Path, bad: Path) -> None:
    root, members = read_members(good)
    with pytest.warns(UserWarning, match="Duplicate name"):
        write_members(bad, root, [*members, members[-1]])


def renamed(old: str, new: str) -> Callable[[Members], Members]:
    return lambda members: [(new if name == old else name, contents) for name, contents in members]


def flipped(name: str) -> Callable[[Members], Members]:
    return edit_member(name, lambda contents: bytes([contents[0] ^ 1]) + contents[1:])


def without(name: str) -> Callable[[Members], Members]:
    return lambda members: [one for one in members if one[0] != name]


# what makes it from a good one, and what the message must say beside the path
BAD_ARCHIVES: dict[str, tuple[Spoil, str]] = {
    "missing": (lambda good, bad: None, "No such file"),
    "directory": (lambda good, bad: bad.mkdir(), "directory"),
    "empty": (lambda good, bad: bad.write_bytes(b""), "not an archive"),
    "text": (lambda good, bad: bad.write_text("this is no archive\n"), "not an archive"),
    "random bytes": (lambda good, bad: bad.write_bytes(random_bytes(4096)), "not an archive"),
    "random like a zip": (lambda good, bad: bad.write_bytes(b"PK\x03\x04" + random_bytes(4096)), "cut short"),
    "torch.save": (lambda good, bad: torch.save({"x": torch.ones(3)}, bad), "there is no program in it"),
    "zip of nothing": (lambda good, bad: bad.write_bytes(b"PK\x05\x06" + bytes(18)), "not an archive"),
    "cut at 10 %": (cut(0.1), "cut short"),
    "cut at 50 %": (cut(0.5), "cut short"),
    "cut at 99 %": (cut(0.99), "cut short"),
    "bytes behind": (lambda good, bad: bad.write_bytes(good.read_bytes() + b"\n"), "behind its end"),
    "bytes before": (lambda good, bad: bad.write_bytes(b"\n" + good.read_bytes()), "not an archive"),
    "member added": (
        changed(lambda ms: [*ms, ("code/extra.py", b"pass\n")]),
        "'code/extra.py' is not in",
    ),
    "member removed": (changed(without("data.pkl")), "'data.pkl' is missing"),
    "cases removed": (changed(without(CASES)), f"'{CASES}' is missing"),
    "manifest removed": (changed(without(MANIFEST)), "its manifest is missing"),
    "member duplicated": (duplicated, "is there twice"),
    "member renamed": (changed(renamed("data.pkl", "data.pk1")), "'data.pkl' is missing"),
    "program changed": (changed(flipped("data.pkl")), "'data.pkl' is not what the manifest says"),
    "cases changed": (changed(flipped(CASES)), f"'{CASES}' is not what the manifest says"),
    "manifest is no JSON": (changed(edit_member(MANIFEST, lambda _: b"{")), "no valid JSON"),
    "manifest is a list": (changed(edit_member(MANIFEST, lambda _: b"[]\n")), "bad manifest"),
    "no signature": (changed(edit_manifest(lambda manifest: manifest.pop("signature"))), "no 'signature'"),
    "no programs": (changed(edit_manifest(lambda manifest: manifest.pop("programs"))), "no 'programs'"),
    "format 999": (
        changed(edit_manifest(lambda manifest: manifest.update(format=999)), digests=True),
        "archive format 999 is newer than the 1",
    ),
    "format as text": (changed(edit_manifest(lambda manifest: manifest.update(format="1"))), "'format'"),
}


def test_an_archive_put_together_again_is_good(archives: Path, folder: Path, predictor: Run) -> None:
    """Shows that it is the change of each bad one, and not how it was written, that is refused."""
    path = rewrite(archives / "mlp.pt", folder / "good.pt", lambda members: members)
    done = predictor("verify", path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("what", BAD_ARCHIVES)
@pytest.mark.parametrize("command", ["run", "verify", "inspect"])
def test_predictor_refuses_a_bad_archive(
    command: str, what: str, archives: Path, folder: Path, predictor: Run
) -> None:
    spoil, reason = BAD_ARCHIVES[what]
    spoil(archives / "mlp.pt", folder / "bad.pt")
    options = ["--input", "-", "--format", "csv", "--output", "out.csv"] if command == "run" else []
    before = files(folder)
    done = predictor(command, "bad.pt", *options, stdin=GOOD_ROW, cwd=folder)
    expect(done, 3, "bad.pt", reason)
    assert files(folder) == before


@pytest.mark.parametrize("what", BAD_ARCHIVES)
@pytest.mark.parametrize("command", ["verify", "inspect"])
def test_python_refuses_a_bad_archive(
    command: str, what: str, archives: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = folder / "bad.pt"
    spoil, reason = BAD_ARCHIVES[what]
    spoil(archives / "mlp.pt", path)
    before = files(folder)
    code = cli.main([command, str(path)])
    captured = capfd.readouterr()
    assert (code, captured.out) == (3, "")
    assert len(captured.err.splitlines()) == 1, captured.err
    assert captured.err.startswith("kit: error: ")
    assert str(path) in captured.err
    assert reason in captured.err
    assert files(folder) == before


def test_bad_golden_cases_are_found_when_they_are_replayed(
    archives: Path, folder: Path, predictor: Run
) -> None:
    """With digests that say they are right."""
    spoil = edit_member(CASES, lambda _: random_bytes(64))
    path = rewrite(archives / "mlp.pt", folder / "bad.pt", spoil, digests=True)
    expect(predictor("verify", path), 3, "bad.pt")


def test_an_archive_cut_at_any_byte_is_refused(archives: Path, tmp_path: Path) -> None:
    from kit._native import Archive

    contents = (archives / "tiny.pt").read_bytes()
    path = tmp_path / "cut.pt"
    path.write_bytes(contents)
    Archive.open(str(path))
    for size in reversed(range(len(contents))):
        os.truncate(path, size)
        with pytest.raises(ArchiveError, match=r"cut\.pt"):
            Archive.open(str(path))


def test_differing_golden_cases_are_a_parity_error(archives: Path, folder: Path, predictor: Run) -> None:
    done = predictor("verify", archives / "differs.pt", cwd=folder)
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 1
    assert "differs.pt" in done.stderr
    assert "case 0, output 'output'" in done.stderr
    assert "DIFFER" in done.stdout


def test_plain_torchscript_loads_with_a_warning(archives: Path, folder: Path, predictor: Run) -> None:
    arguments = ("--input", "-", "--format", "csv")
    done = predictor("run", archives / "plain.pt", *arguments, stdin=GOOD_ROW, cwd=folder)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:]
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("predictor: warning: ")
    assert "plain.pt" in done.stderr
    assert predictor("verify", archives / "plain.pt").returncode == 3
    assert predictor("inspect", archives / "plain.pt").returncode == 0


def test_an_operation_that_libtorch_lacks_is_named(folder: Path, predictor: Run) -> None:
    """As those of torchvision, in a program from elsewhere."""
    library = torch.library.Library("kit_tests_elsewhere", "DEF")
    library.define("twice(Tensor x) -> Tensor")
    library.impl("twice", lambda x: x * 2, "CPU")
    path = folder / "elsewhere.pt"
    torch.jit.trace(lambda x: torch.ops.kit_tests_elsewhere.twice(x), (torch.ones(3),)).save(str(path))
    arguments = ("--input", "-", "--format", "csv")
    done = predictor("run", path, *arguments, stdin=GOOD_ROW, cwd=folder)
    assert done.returncode == 3
    error = done.stderr.splitlines()[-1]
    assert "libtorch cannot load it: Unknown builtin op: kit_tests_elsewhere::twice" in error

"""A bad command line, a full disk, a missing device: one line, the right exit code, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit import cli
from tests.conftest import Run
from tests.refusal import GOOD_ROW, expect, files


def test_a_full_disk(archives: Path, folder: Path, predictor: Run) -> None:
    source = folder / "x.csv"
    source.write_text(GOOD_ROW)
    done = predictor(
        "run", archives / "mlp.pt", "--input", source, "--output", "/dev/full", "--output-format", "csv"
    )
    expect(done, 6, "/dev/full", "No space left")
    with open("/dev/full", "w") as full:
        for command in (("run", archives / "mlp.pt", "--input", source), ("inspect", archives / "mlp.pt")):
            done = predictor(*command, stdout=full.fileno())
            assert done.returncode == 6
            assert len(done.stderr.splitlines()) == 1
            assert "stdout" in done.stderr


RUN = ("run", "{archives}/mlp.pt", "--input", "x.csv")
# command line, exit code, what the message must mention
BAD_COMMANDS: dict[str, tuple[tuple[str, ...], int, tuple[str, ...]]] = {
    "nothing": ((), 2, ("--help",)),
    "unknown command": (("predict",), 2, ("--help",)),
    "unknown option": ((*RUN, "--fast"), 2, ("--fast",)),
    "no input": (("run", "{archives}/mlp.pt"), 2, ("--input",)),
    "no model": (("verify",), 2, ("MODEL", "--help")),
    "input is missing": (("run", "{archives}/mlp.pt", "--input", "no.csv"), 2, ("no.csv",)),
    "input is a directory": (
        ("run", "{archives}/mlp.pt", "--input", ".", "--format", "csv"),
        2,
        ("directory",),
    ),
    "input without a format": (("run", "{archives}/mlp.pt", "--input", "x.dat"), 2, ("x.dat", "--format")),
    "pipe without a format": (("run", "{archives}/mlp.pt", "--input", "-"), 2, ("--format",)),
    "unknown format": ((*RUN, "--format", "xml"), 2, ("xml",)),
    "no output directory": ((*RUN, "--output", "no/out.csv"), 2, ("no/out.csv", "directory")),
    "output is a directory": ((*RUN, "--output", "."), 2, ("directory",)),
    "output without a format": ((*RUN, "--output", "out.dat"), 2, ("out.dat", "--output-format")),
    "output is the model": (
        (*RUN, "--output", "{archives}/mlp.pt", "--output-format", "csv"),
        2,
        ("mlp.pt", "would be replaced"),
    ),
    "unknown engine": ((*RUN, "--engine", "onnx"), 2, ("onnx",)),
    "engine that the archive lacks": ((*RUN, "--engine", "native"), 6, ("native",)),
    "unknown device": ((*RUN, "--device", "tpu"), 2, ("tpu",)),
    "device that is not there": ((*RUN, "--device", "cuda:99"), 6, ("cuda:99",)),
    "batch out of range": ((*RUN, "--batch", "5000"), 2, ("5000", "4096")),
    "batch of none": ((*RUN, "--batch", "0"), 2, ("--batch",)),
    "threads below zero": ((*RUN, "--threads", "-1"), 2, ("threads",)),
    "verify, device that is not there": (
        ("verify", "{archives}/mlp.pt", "--device", "cuda:99"),
        6,
        ("cuda:99",),
    ),
    "verify, both --engine and --all": (
        ("verify", "{archives}/mlp.pt", "--all", "--engine", "auto"),
        2,
        ("--all",),
    ),
}


@pytest.mark.parametrize("what", BAD_COMMANDS)
def test_predictor_refuses_a_bad_command_line(
    what: str, archives: Path, folder: Path, predictor: Run
) -> None:
    arguments, code, mentions = BAD_COMMANDS[what]
    (folder / "x.csv").write_text(GOOD_ROW)
    (folder / "x.dat").write_text(GOOD_ROW)
    before = files(folder)
    done = predictor(*(one.format(archives=archives) for one in arguments), cwd=folder)
    expect(done, code, *mentions)
    assert files(folder) == before


@pytest.mark.parametrize(
    ("arguments", "code", "mention"),
    [
        (["export", "no.py:recipe"], 2, "no.py"),
        (["frobnicate"], 2, "frobnicate"),
        (["verify"], 2, "--help"),
        (["verify", "{archives}/mlp.pt", "--engine", "onnx"], 2, "onnx"),
        (["verify", "{archives}/mlp.pt", "--engine", "native"], 6, "native"),
        (["verify", "{archives}/differs.pt"], 5, "differs.pt"),
        (["verify", "{archives}/plain.pt"], 3, "plain.pt"),
        (["parity", "no.py:recipe", "{archives}/mlp.pt"], 2, "no.py"),
        (["parity", "mlp.py", "{archives}/mlp.pt"], 2, "mlp.py"),
        (["parity", "no.py:recipe", "{archives}/mlp.pt", "--method", "forward"], 2, "--layers"),
    ],
)
def test_python_refuses_a_bad_command_line(
    arguments: list[str], code: int, mention: str, archives: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([one.format(archives=archives) for one in arguments]) == code
    error = capfd.readouterr().err
    assert mention in error
    assert "Traceback" not in error


@pytest.mark.parametrize("command", [["inspect"], ["verify"]])
def test_python_meets_a_full_disk(command: list[str], archives: Path, root: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kit", *command, archives / "mlp.pt"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(root / "python")},
            check=False,
        )
    assert done.returncode == 6, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "No space left" in done.stderr


def test_an_output_that_is_closed(archives: Path, root: Path) -> None:
    command = [sys.executable, "-m", "kit", "inspect", str(archives / "mlp.pt")]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command],
        cwd=root,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 6
    assert done.stderr == "kit: error: cannot write <stdout>: it is closed; write elsewhere\n"

"""`predictor bench`, `python -m kit bench` and `kit.bench`: what they measure, compare and refuse.

No test says how long a thing takes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import kit
from kit import cli
from kit.errors import ParityError, UnavailableError, UsageError
from tests.conftest import Run
from tests.refusal import expect

BRIEF = ("--seconds", "0.01", "--starts", "1", "--threads", "1,2", "--batch", "1,7")
PARTS = {"process", "archive", "program", "first", "second", "third", "to_first", "whole"}


def check_shape(document: dict[str, Any], engine: str) -> None:
    assert (document["format"], document["version"]) == ("kit-bench", 1)
    assert document["model"] == {
        "name": "mlp",
        "method": "forward",
        "signature": "(x: float32[batch, 3]) -> (output: float32[batch, 1]); batch in 1..4096",
    }
    assert document["program"]["engine"] == engine
    assert len(document["program"]["digest"]) == 64
    assert document["host"]["cpu"]
    parts = document["start"]["milliseconds"]
    assert set(parts) == (PARTS if engine == "native" else PARTS | {"library"})
    intervals = list(parts.values())
    assert [one["sizes"] for one in document["latency"]] == [{"batch": 1}, {"batch": 7}]
    for one in document["latency"]:
        known = one["microseconds"]
        assert known["min"] <= known["p50"] <= known["p90"] <= known["p99"] <= known["max"]
        assert isinstance(one["stable"], bool)
        intervals.append(known)
    throughput = document["throughput"]
    assert [(one["rows"], one["threads"]) for one in throughput] == [(1, 1), (1, 2), (7, 1), (7, 2)]
    intervals += [one["rows_per_second"] for one in throughput]
    intervals += [one["bytes"] for one in document["memory"]]
    assert all(0 < one["low"] <= one["median"] <= one["high"] for one in intervals)


@pytest.fixture(scope="module")
def old(native_mlp: Path, tmp_path_factory: pytest.TempPathFactory, predictor: Run) -> Path:
    """A result for the native program."""
    path = tmp_path_factory.mktemp("bench") / "old.json"
    done = predictor("bench", native_mlp, *BRIEF, "--engine", "native", "--output", path)
    assert (done.returncode, done.stderr) == (0, "")
    return path


def test_a_native_program_needs_no_library(old: Path) -> None:
    check_shape(json.loads(old.read_text()), "native")


def test_a_torchscript_program_is_compared_with_the_native_one(
    native_mlp: Path, predictor: Run, old: Path
) -> None:
    options = (*BRIEF, "--engine", "torchscript", "--compare", old, "--fail-above", "1e9", "--json")
    done = predictor("bench", native_mlp, *options)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    check_shape(document, "torchscript")
    compared = document["compared"]
    assert compared["missing"] == ["start, library, batch = 1: only now"]
    assert "engine: native, now torchscript" in compared["changes"]
    ratios = {one["figure"]: one for one in compared["ratios"]}
    assert len(ratios) == 8 + 2 + 4 + 2
    memory = ratios["memory, batch = 1"]
    assert memory["ratio"] > 2  # libtorch is mapped for the one, and not for the other
    assert not memory["beyond"]


def test_python_gives_the_same_figures_and_its_own(
    native_mlp: Path, old: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    report = kit.bench(
        native_mlp, batches=[1, 7], threads=[1, 2], seconds=0.01, starts=1, compare=old, fail_above=1e-9
    )
    check_shape(report.document, "native")
    assert [one["sizes"] for one in report.document["python"]] == [{"batch": 1}, {"batch": 7}]
    assert "Latency of a call of kit.load(...) from Python" in str(report)
    assert "BEYOND" in str(report)
    with pytest.raises(ParityError, match=r"times what it was in .*old\.json"):
        report.raise_for_failure()

    (tmp_path / "new.json").write_text(report.to_json())
    again = ("--compare", str(tmp_path / "new.json"), "--fail-above", "1e-9")
    assert cli.main(["bench", str(native_mlp), *BRIEF, *again]) == 5
    out, err = capsys.readouterr()
    assert "Now over" in out
    assert len(err.splitlines()) == 1
    assert err.startswith("kit: error: predictor: ")


def test_what_cannot_be_measured_is_refused(
    native_mlp: Path, archives: Path, predictor: Run, old: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.json").write_text('{"format": "something"}')
    another = json.loads(old.read_text())
    another["model"]["name"] = "resnet"
    (tmp_path / "another.json").write_text(json.dumps(another))
    for options, code, mention in (
        (("--seconds", "0"), 2, "--seconds"),
        (("--seconds=-1",), 2, "--seconds"),
        (("--batch", "4097"), 2, "1..4096"),
        (("--batch", "0"), 2, "1..4096"),
        (("--engine", "aoti"), 6, "aoti"),
        (("--device", "cuda:99"), 6, "cuda:99"),
        (("--compare", tmp_path / "other.json"), 2, "is no result of predictor bench"),
        (("--compare", tmp_path / "another.json"), 2, "resnet"),
        (("--compare", tmp_path / "none.json"), 2, "none.json"),
    ):
        expect(predictor("bench", native_mlp, *options), code, mention)
    expect(predictor("bench", archives / "none.pt"), 3, "none.pt")


def test_python_raises_what_predictor_refuses(native_mlp: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--seconds"):
        kit.bench(native_mlp, seconds=0)
    with pytest.raises(UsageError, match=r"1\.\.4096"):
        kit.bench(native_mlp, batches=[5000])
    with pytest.raises(UsageError, match="--fail-above requires --compare"):
        kit.bench(native_mlp, fail_above=2)
    with pytest.raises(UnavailableError, match="aoti"):
        kit.bench(native_mlp, engine="aoti")
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(UsageError, match="no result"):
        kit.bench(native_mlp, compare=tmp_path / "other.json")
    assert cli.main(["bench", str(native_mlp), "--batch", "1,x"]) == 2

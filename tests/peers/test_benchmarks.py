"""The page of `make bench`, and the file that its parts are kept in."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tools import benchmarks

from tests.bench import bench_csv
from tests.bench.bench_works import keep
from tests.peers import support
from tests.peers.fakes import document


def results() -> dict[str, object]:
    run = {"rows": 10, "threads": 1, "one_core": True}
    ways = [{"name": "predictor run", "seconds": [1.0, 2.0, 4.0], "peak_bytes": [3_000_000, 2_000_000]}]
    return {"works": {"mlp": document(), "chain": document((8,))}, "csv": [{**run, "ways": ways}]}


def test_the_page_has_every_work_and_every_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "results.json").write_text(json.dumps(results()))
    target = tmp_path / "page.md"
    monkeypatch.setattr(sys, "argv", ["benchmarks", str(tmp_path / "results.json"), "--output", str(target)])
    assert benchmarks.main() == 0
    text = target.read_text()
    assert json.loads((tmp_path / "page.json").read_text()) == results()
    assert "wrote this page on 2026-01-02T03:04:05+00:00 (UTC), on Some CPU" in " ".join(text.split())
    assert ("![mlp: latency of a call](page.png)" in text) == bool(importlib.util.find_spec("matplotlib"))
    for heading in ("## MLP\n", "### batch = 64\n", "## relu(x·m1+m2)\n", "## predictor run on CSV\n"):
        assert heading in text
    assert "| **kit native (C++)** | 1.00 (0.90–1.10) |" in text
    assert "Gone (Python) was not measured: gone is not installed" in text
    assert "| predictor run | 10 | one core | 2.00 | 5 (2–10) | 3 |" in text
    assert "not measured: this work was left out" in text


def test_parts_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    keep(path, {}, {"a": {"x": 1}})
    keep(path, {"csv": [2]}, {"b": {"x": 2}})
    keep(path, {}, {"a": {"x": 3}})
    known = json.loads(path.read_text())
    assert known["works"] == {"a": {"x": 3}, "b": {"x": 2}}
    assert known["csv"] == [2]
    path.write_text('{"format": "other"}')
    with pytest.raises(SystemExit, match="another format"):
        keep(path, {})


def test_an_unknown_work_is_refused() -> None:
    script = Path(bench_csv.__file__).with_name("bench_works.py")
    done = subprocess.run(
        [sys.executable, script, "predictor", "results.json", "mlp", "gpt"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "there is no work gpt" in done.stderr


def test_a_start_in_c_is_checked_and_compared(native_mlp: Path, predictor_path: Path, root: Path) -> None:
    pytest.importorskip("onnxruntime", reason="it is not installed; tools/setup bench installs it")
    pytest.importorskip("onnxscript", reason="it is not installed; tools/setup bench installs it")
    executable = predictor_path.with_name("bench_ort_start")
    if not executable.exists():
        pytest.skip(f"{executable} was not built")
    script = root / "tests/bench/ort_start.py"
    files = [str(one) for one in (script, predictor_path, executable, native_mlp)]
    command = [sys.executable, *files, support.RECIPE, "--runs", "2"]
    paths = os.pathsep.join([str(root / "python"), str(root)])
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": paths}
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    names = ["predictor run", "C program with the extracted one", "ONNX Runtime (C)"]
    assert [way["name"] for way in found["ways"]] == names
    assert found["runs"] == 2
    assert [(one["kit"], one["over"]) for one in found["ratios"]] == [
        (names[0], names[2]),
        (names[0], names[1]),
        (names[1], names[2]),
    ]


def test_a_large_file_has_the_rows_of_the_small_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_csv, "FOLDER", tmp_path)
    monkeypatch.setattr(bench_csv, "ONCE", 5)
    rows = bench_csv.make_input(15).read_text().splitlines()
    assert rows[0] == "x1,x2,x3"
    assert len(rows) == 16
    assert rows[1:6] == rows[6:11] == rows[11:]
    bench_csv.check_rows(tmp_path / "rows-15.csv", 15)
    with pytest.raises(SystemExit, match="14 rows went in and 15 came out"):
        bench_csv.check_rows(tmp_path / "rows-15.csv", 14)

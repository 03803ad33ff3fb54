"""The report of the GPU benchmark: goals, Markdown, JSON, counts of tests."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from tests.bench.gpu.goals import LEAST_SHARE, LEAST_SPEEDUP, goals_of
from tests.bench.gpu.junit import read_counts
from tests.bench.gpu.report import markdown, to_dict, write
from tests.bench.gpu.results import Compiled, Method, Mlp, Pointwise, Results, TestRun, Way
from tests.bench.gpu.samples import Spread


def way(name: str, seconds: float, kernels: int) -> Way:
    return Way(name, f"how {name} runs", Spread(seconds * 0.9, seconds, seconds * 1.2), kernels)


def pointwise(share: float = 0.95, speedup: float = 1.9) -> Pointwise:
    return Pointwise(
        4096,
        4096,
        "float32",
        64 << 20,
        copy=way("copy", 100e-6, 0),
        fused=way("kit, fused", 105e-6, 1),
        unfused=way("kit, unfused", 200e-6, 3),
        eager=way("eager in Python", 201e-6, 3),
        share=Spread(share - 0.1, share, share + 0.02),
        speedup=Spread(speedup, speedup, speedup),
    )


def results(device: str = "cuda:0", measured: Pointwise | None = None) -> Results:
    graph = way("TorchScript in a CUDA graph", 10e-6, 6)
    return Results(
        "2031-02-03T04:05:06+00:00",
        device,
        {"GPU": "A | B, 80 GiB", "driver": "1.2.3"},
        Method(50, 10),
        (measured or pointwise(),),
        (Mlp(64, way("kit", 30e-6, 6), way("TorchScript in Python", 40e-6, 6), graph, Spread(3, 4, 5)),),
        (
            Compiled(
                "net", way("kit, torchscript", 50e-6, 9), way("kit, aoti", 20e-6, 4), Spread(2.4, 2.5, 2.6)
            ),
        ),
        (TestRun("ctest", 4, 0, 1), TestRun("pytest", 90, 2, 3)),
    )


@pytest.mark.parametrize(
    ("share", "speedup", "met"),
    [
        (LEAST_SHARE, LEAST_SPEEDUP, [True, True]),
        (LEAST_SHARE - 1e-9, LEAST_SPEEDUP, [False, True]),
        (1.01, LEAST_SPEEDUP - 1e-9, [True, False]),
        (float("nan"), float("nan"), [False, False]),
    ],
)
def test_a_goal_is_met_by_the_median(share: float, speedup: float, met: list[bool]) -> None:
    goals = goals_of([pointwise(share, speedup)])
    assert [goal.met for goal in goals] == met
    assert [goal.measured.median for goal in goals] == pytest.approx([share, speedup], nan_ok=True)


def test_page() -> None:
    lines = markdown(results(), "gpu.json").splitlines()
    text = "\n".join(lines)
    assert "on 2031-02-03T04:05:06+00:00 (UTC)" in text
    assert "[gpu.json](gpu.json)" in text
    for line in (
        "| driver | 1.2.3 |",
        r"| GPU | A \| B, 80 GiB |",
        "| tests of pytest | 90 passed, 2 failed, 3 skipped |",
        "| 4096×4096: fused, share of the copy bandwidth | 0.90 | 0.95 (0.85–0.97) | met |",
        "| 4096×4096: unfused time over fused time | 1.80 | 1.9 (1.9–1.9) | met |",
        # 4 · 64 MiB in 100 µs, 8 · 64 MiB in 200 µs
        "| 4096×4096 float32 | copy | 0 | 100 (90–120) | 4 × 64 MiB | 2684 |",
        "| 4096×4096 float32 | kit, unfused | 3 | 200 (180–240) | 8 × 64 MiB | 2684 |",
        "| 64 | TorchScript in a CUDA graph | 6 | 10 (9–12) |",
        "| net | kit, aoti | 4 | 20 (18–24) |",
        "- net: aoti is 2.5 (2.4–2.6) times as fast as TorchScript.",
        "| kit, fused | how kit, fused runs |",
        "| kit, aoti | how kit, aoti runs |",
    ):
        assert line in lines
    assert "batch 64: the graph is 4 (3–5) times as fast" in text
    tables = [line for line in lines if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in tables if "float32" in line}) == 1


def test_a_missed_goal_is_called_so() -> None:
    text = markdown(results(measured=pointwise(share=0.8)), "gpu.json")
    assert "| 0.90 | 0.8 (0.7–0.82) | missed |" in text


def test_a_run_of_tests_that_was_stopped_is_called_so() -> None:
    stopped = dataclasses.replace(results(), tests=(TestRun("pytest", 3, 0, 0, 2),))
    line = "| tests of pytest | 3 passed, 0 failed, 0 skipped; stopped with 2 unfinished |"
    assert line in markdown(stopped, "gpu.json").splitlines()


def test_on_a_cpu_there_are_no_goals_and_no_kernels() -> None:
    plain = dataclasses.replace(results("cpu").mlp[0], graph=None, speedup=None)
    text = markdown(dataclasses.replace(results("cpu"), mlp=(plain,)), "gpu.json")
    assert "Goals" not in text
    assert "| size | way | operations |" in text
    assert "batch 64: not in a CUDA graph, as there is no CUDA" in text
    assert to_dict(results("cpu"))["goals"] == []


def test_written_files(tmp_path: Path) -> None:
    page = tmp_path / "gpu.md"
    page.write_text("of yesterday")
    assert write(results(), page) == tmp_path / "gpu.json"
    assert page.read_text(encoding="utf-8") == markdown(results(), "gpu.json")
    known = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert known == json.loads(json.dumps(to_dict(results())))
    assert (known["format"], known["device"], known["machine"]["driver"]) == (1, "cuda:0", "1.2.3")
    assert known["pointwise"][0]["fused"]["seconds"]["median"] == 105e-6
    assert [goal["met"] for goal in known["goals"]] == [True, True]
    assert known["tests"][1] == {"runner": "pytest", "passed": 90, "failed": 2, "skipped": 3, "unfinished": 0}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gpu.json", "gpu.md"]


def test_what_cannot_be_written_leaves_all_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "gpu.json").write_text("of yesterday")
    (tmp_path / "gpu.md.part").mkdir()
    with pytest.raises(OSError, match=r"gpu\.md\.part"):
        write(results(), tmp_path / "gpu.md")
    assert (tmp_path / "gpu.json").read_text() == "of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gpu.json", "gpu.md.part"]


CTEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="(empty)" tests="4" failures="1" disabled="0" skipped="1">
 <testcase name="A" status="run"><system-out/></testcase>
 <testcase name="B" status="fail"><failure message=""/></testcase>
 <testcase name="C" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/></testcase>
 <testcase name="D" status="disabled"/>
</testsuite>
"""

PYTEST = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4">
 <testcase name="a"/><testcase name="b"><failure message="x">y</failure></testcase>
 <testcase name="c"><error message="in a fixture"/></testcase><testcase name="d"><skipped/></testcase>
</testsuite></testsuites>
"""


STOPPED = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="0" failures="0" skipped="0" tests="2">
 <testcase classname="tests.a" name="a" time="1.0"/><testcase time="0.006"/>
</testsuite></testsuites>
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [(CTEST, TestRun("it", 1, 1, 2)), (PYTEST, TestRun("it", 1, 2, 1)), (STOPPED, TestRun("it", 1, 0, 0, 1))],
    ids=["ctest", "pytest", "stopped"],
)
def test_counts(text: str, expected: TestRun, tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(text)
    assert read_counts(tmp_path / "junit.xml", "it") == expected

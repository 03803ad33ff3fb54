"""Goals are met, missed by how much, or not measured and why."""

from __future__ import annotations

from typing import Any

import pytest

from kit.series import Interval
from tests.bench.goals import Goal, goals_of

KIT = "kit native x86-64-v3"


def size(batch: int | None, micros: dict[str, float]) -> dict[str, Any]:
    """Ways and all ratios; bounds are 10 % off."""

    def spread(value: float) -> dict[str, float]:
        return {"median": value, "low": value * 0.9, "high": value * 1.1}

    return {
        "sizes": {} if batch is None else {"batch": batch},
        "ways": [
            {
                "name": name,
                "kit": name.startswith("kit"),
                "reference": not name.endswith("(C++)"),
                "microseconds": spread(value),
            }
            for name, value in micros.items()
        ],
        "ratios": [
            {"kit": kit, "over": over, **spread(micros[kit] / micros[over])}
            for kit in micros
            for over in micros
            if kit.startswith("kit") and kit != over
        ],
    }


def results() -> dict[str, Any]:
    one = {
        f"{KIT} (C++)": 1.0,
        "kit torchscript (C++)": 9.0,
        f"{KIT} (Python)": 2.0,
        f"{KIT} (C interface)": 0.8,
        "ONNX Runtime (C API)": 4.0,
        "ONNX Runtime (Python)": 5.0,
        "OpenVINO (C API)": 3.0,
        "eager (Python)": 40.0,
    }
    two = {f"{KIT} (C++)": 1.0, f"{KIT} (C++, 1 thread)": 1.9, "eager (Python)": 3.0}
    mlp = [size(1, one), size(64, one), size(1024, {**one, "OpenVINO (C API)": 0.5})]
    return {
        "works": {
            "mlp": {
                "sizes": mlp,
                "starts": {
                    "ratios": [{"over": "ONNX Runtime (Python)", "median": 0.03, "low": 0.02, "high": 0.04}]
                },
            },
            "mlp, 2 threads": {"sizes": [size(65_536, two)]},
            "chain": {"sizes": [size(None, one)]},
        },
        "c_start": {
            "ratios": [
                {"over": "ONNX Runtime (C)", "median": 0.2, "low": 0.1, "high": 0.3},
                {"over": "C program with the extracted one", "median": 4, "low": 3, "high": 5},
                {"over": "ONNX Runtime (C)", "median": 0.05, "low": 0.04, "high": 0.06},
            ]
        },
        "csv": [
            {"rows": rows, "one_core": True, "ways": [{"seconds": seconds, "peak_bytes": [peak] * 6}]}
            for rows, seconds, peak in (
                (1_000_000, [0.5] * 6, 50_000_000),
                (10_000_000, [2.0, 2.5, 2.5, 2.5, 2.5, 3.0], 60_000_000),
            )
        ],
    }


def test_each_goal_is_judged() -> None:
    goals = {goal.what: goal for goal in goals_of(results())}
    verdicts = {what: goal.verdict for what, goal in goals.items()}
    assert verdicts == {
        "MLP, batch 1: kit in C++ over ONNX Runtime's C API": "met",
        "MLP, batch 1: kit::Model::predict over the program's own C interface": "MISSED by 14 %",
        "MLP, batch 1: kit in Python over ONNX Runtime's Python API": "met",
        "MLP, batch 64: kit over the fastest peer, OpenVINO (C API)": "met",
        "MLP, batch 1,024: kit over the fastest peer, OpenVINO (C API)": "MISSED by 100 %",
        "MLP, batch 65,536: kit over the fastest peer": "not measured: this work was left out",
        "relu(x·m1+m2), 512×512: kit over ONNX Runtime, ONNX Runtime (C API)": "met",
        "relu(x·m1+m2), 512×512: kit over OpenVINO, OpenVINO (C API)": "met",
        "transformer encoder: kit over the fastest peer": "not measured: this work was left out",
        "ResNet-18, 224×224: kit over the fastest peer": "not measured: this work was left out",
        "MLP, start to first prediction: predictor over ONNX Runtime in Python": "met",
        "MLP, start to first prediction: predictor over ONNX Runtime in C": "MISSED by 100 %",
        "MLP, start to first prediction: the extracted program in C over ONNX Runtime in C": "met",
        "predictor run, ten million CSV rows, one core: rows in a second": "met",
        "the same: peak memory over that for one million rows": "MISSED by 9 %",
        "MLP, batch 65,536: 2 threads, times as fast as 1": "met",
    }
    speedup = goals["MLP, batch 65,536: 2 threads, times as fast as 1"].measured
    assert speedup is not None
    assert speedup.median == pytest.approx(1.9)
    assert speedup.low < speedup.median < speedup.high
    rate = goals["predictor run, ten million CSV rows, one core: rows in a second"].measured
    assert rate is not None
    assert rate.median == 4_000_000


def test_without_the_c_api_the_python_api_has_a_limit_of_its_own() -> None:
    known = results()
    known["works"]["mlp"]["sizes"] = [
        size(1, {f"{KIT} (C++)": 1.0, "ONNX Runtime (Python)": 5.0, f"{KIT} (C interface)": 0.95})
    ]
    goals = {goal.what: goal for goal in goals_of(known)}
    first = goals["MLP, batch 1: kit in C++ over ONNX Runtime's Python API"]
    assert (first.limit, first.verdict) == (0.25, "met")


def test_nothing_measured_is_no_goal_met() -> None:
    goals = goals_of({"works": {}, "csv": []})
    assert goals
    assert all(goal.met is None for goal in goals)


def test_a_limit_may_be_the_least() -> None:
    assert Goal("", 2.0, Interval(2.0, 1.0, 3.0), most=False).met
    assert Goal("", 2.0, Interval(1.6, 1.0, 3.0), most=False).verdict == "MISSED by 25 %"
    assert Goal("", 2.0, Interval(2.0, 1.0, 3.0)).met

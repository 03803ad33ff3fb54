"""Reports of parity: as values, as JSON and as a table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.errors import ParityError
from kit.report import Difference, ParityReport, Row

EQUAL = Difference(True, True, 0.0, 0.0)
CLOSE = Difference(True, False, 1e-7, 2e-7, max_ulp=3)
APART = Difference(False, False, 0.5, 0.25, "1 of 3 values differs, first at 2: 1.5 instead of 1")
MISSHAPEN = Difference(False, False, 0.0, 0.0, "it has the shape [2] instead of [3]")


def report(*differences: Difference, values: bool = True) -> ParityReport:
    rows = tuple(
        Row(
            case,
            "output",
            "float32[3]",
            {"binding (C++)": EQUAL, "predictor (C++)": one},
            {"eager": "-1.5", "binding (C++)": "-1.5", "predictor (C++)": "-1.25"} if values else {},
        )
        for case, one in enumerate(differences)
    )
    return ParityReport("model.pt", ("binding (C++)", "predictor (C++)"), len(rows), rows, "eager")


@pytest.mark.parametrize(
    ("differences", "passed", "bit_equal", "max_abs", "worst"),
    [
        ((EQUAL, EQUAL), True, True, 0.0, "0 (bit-equal)"),
        ((EQUAL, CLOSE), True, False, 1e-7, "1e-07 absolute, 2e-07 relative"),
        ((CLOSE, APART), False, False, 0.5, "0.5 absolute, 0.25 relative"),
        ((), True, True, 0.0, "0 (bit-equal)"),
    ],
)
def test_the_sum_of_the_rows(
    differences: Any, passed: bool, bit_equal: bool, max_abs: float, worst: str
) -> None:
    one = report(*differences)
    assert (one.passed, one.bit_equal, one.max_abs, one.worst) == (passed, bit_equal, max_abs, worst)


def test_the_first_failure_is_raised() -> None:
    report(EQUAL, CLOSE).raise_for_failure()
    with pytest.raises(
        ParityError, match=r"model\.pt: case 1, output 'output': predictor \(C\+\+\) differs from eager"
    ):
        report(CLOSE, APART, MISSHAPEN).raise_for_failure()


def test_json_has_everything() -> None:
    value = json.loads(report(CLOSE, APART).to_json())
    assert value["passed"] is False
    assert value["columns"] == ["binding (C++)", "predictor (C++)"]
    assert value["rows"][1]["differences"]["predictor (C++)"]["reason"] == APART.reason
    assert value["rows"][0]["first_values"]["eager"] == "-1.5"


def test_the_table_shows_values_side_by_side() -> None:
    lines = str(report(EQUAL, CLOSE)).splitlines()
    assert lines == [
        "model.pt: 2 cases, 1 output (output)",
        "",
        "case  output  shape       eager  binding (C++)  predictor (C++)  difference",
        "────  ──────  ──────────  ─────  ─────────────  ───────────────  ──────────",
        "   0  output  float32[3]   -1.5           -1.5            -1.25  bit-equal",
        "   1  output  float32[3]   -1.5           -1.5            -1.25  1e-07",
        "",
        "agrees; largest difference: 1e-07 absolute, 2e-07 relative",
    ]


def test_ways_that_ran_several_times_are_compared_run_by_run() -> None:
    runs: dict[str, tuple[Difference, ...]] = {
        "torchscript (C++)": (EQUAL, CLOSE, CLOSE),
        "native (C++)": (CLOSE, CLOSE, CLOSE),
    }
    rows = tuple(Row(case, "y", "float32[3]", dict.fromkeys(runs, CLOSE), {}, runs=runs) for case in (0, 1))
    lines = str(ParityReport("model.pt", tuple(runs), 2, rows, "eager")).splitlines()
    assert lines[7:12] == [
        "way                run  absolute  relative  ULP",
        "─────────────────  ───  ────────  ────────  ───",
        "torchscript (C++)  1           0         0    0",
        "torchscript (C++)  2–3     1e-07     2e-07    3",
        "native (C++)       1–3     1e-07     2e-07    3",
    ]


def test_the_table_without_values_shows_differences() -> None:
    text = str(report(EQUAL, APART, MISSHAPEN, values=False))
    assert "bit-equal" in text
    assert APART.reason in text
    assert MISSHAPEN.reason in text
    assert text.splitlines()[-1] == "DIFFERS; largest difference: 0.5 absolute, 0.25 relative"


def test_several_methods_have_a_column() -> None:
    rows = tuple(
        Row(0, "output", "float32[3]", {"way": one}, method=method)
        for method, one in (("forward", EQUAL), ("encode", APART))
    )
    one = ParityReport("model.pt", ("way",), 2, rows)
    assert str(one).splitlines()[:6] == [
        "model.pt: 2 methods (forward, encode), 2 cases",
        "",
        "method   case  output  shape       way",
        f"───────  ────  ──────  ──────────  {'─' * len(APART.reason)}",
        "forward     0  output  float32[3]  bit-equal",
        f"encode      0  output  float32[3]  {APART.reason}",
    ]
    with pytest.raises(ParityError, match="method 'encode', case 0, output 'output': way differs"):
        one.raise_for_failure()

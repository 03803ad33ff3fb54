"""The table, and what is read from the document."""

from __future__ import annotations

import json

from kit.peers.report import PeerReport, best_of_kit, ratio_of, time_text
from tests.peers.fakes import document


def test_the_table_says_what_was_measured_and_what_was_not() -> None:
    lines = str(PeerReport(document())).splitlines()
    assert lines[0] == "model.pt: mlp, 1 thread within an operation"
    assert lines[2] == "kit 0.1.0, torch 2.13.0"
    second = lines.index("batch = 64: 10 rounds in 1.0 s, not all stable within 2 %")
    table = [line.split() for line in lines[second + 2 : second + 6]]
    assert [" ".join(row[:4]) for row in table] == [
        "kit native (C++) 64.00",
        "Peer & Co (C",
        "kit native (Python) 192.0",
        "Peer & Co (Python)",
    ]
    assert "0.500 (0.450–0.550)" in lines[second + 3]
    assert "  Gone (Python): not measured: gone is not installed" in lines
    assert "  Peer & Co (Python): without fast: it cannot" in lines
    assert lines[-1].split()[-2:] == ["0.0500", "(0.0450–0.0550)"]


def test_kit_is_the_fastest_of_its_own_that_may_win() -> None:
    size = document()["sizes"][0]
    assert best_of_kit(size)["name"] == "kit native (C++)"
    found = ratio_of(size, "kit native (Python)", "Peer & Co (C API)")
    assert found is not None
    assert found["median"] == 1.5
    assert ratio_of(size, "kit native (Python)", "Gone (Python)") is None


def test_json_is_the_document() -> None:
    assert json.loads(PeerReport(document()).to_json()) == document()


def test_digits_go_with_the_size() -> None:
    forms = [time_text({"median": x, "low": x, "high": x}) for x in (0.12345, 1.2345, 123.45, 12345.6)]
    assert forms == [
        "0.123 (0.123–0.123)",
        "1.23 (1.23–1.23)",
        "123.5 (123.5–123.5)",
        "12,346 (12,346–12,346)",
    ]

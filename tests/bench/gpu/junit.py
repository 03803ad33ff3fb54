"""What ctest and pytest counted, from the JUnit files that both can write."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from tests.bench.gpu.results import TestRun


def read_counts(path: Path, runner: str) -> TestRun:
    """The counts of all suites in the file. An error in a fixture counts as failed."""
    failed = skipped = unfinished = total = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        total += 1
        # pytest-xdist has no name for a test that was under way when the run was stopped.
        if case.get("name") is None:
            unfinished += 1
            continue
        # ctest has a status for a test that it did not run, and no element for one that was disabled.
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            skipped += 1
    return TestRun(runner, total - failed - skipped - unfinished, failed, skipped, unfinished)

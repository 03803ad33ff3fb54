"""Warnings are left out, and come back."""

from __future__ import annotations

import logging
import warnings

import pytest

from kit.peers.quiet import quiet


def test_warnings_are_left_out_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("some.exporter")
    with quiet():
        warnings.warn("I am old", DeprecationWarning, stacklevel=1)
        logger.warning("a package is missing")
        logger.error("it failed")
    with pytest.warns(DeprecationWarning, match="I am old"):
        warnings.warn("I am old", DeprecationWarning, stacklevel=1)
    logger.warning("again")
    assert [one.message for one in caplog.records] == ["it failed", "again"]

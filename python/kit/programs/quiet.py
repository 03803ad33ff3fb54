"""What torch logs while kit calls it, kept back: what matters kit says itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(level: int, *names: str) -> Iterator[None]:
    """Let these loggers, and those below them, log nothing below a level."""
    logs = [logging.getLogger(name) for name in names]
    before = [log.level for log in logs]
    for log in logs:
        log.setLevel(level)
    try:
        yield
    finally:
        for log, was in zip(logs, before, strict=True):
            log.setLevel(was)

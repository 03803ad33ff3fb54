"""Innocents: small models that a trace holds faithfully, each the nearest to an offender."""

from __future__ import annotations

from tests.guards.innocents import attention, modules, operations, sizes, values
from tests.guards.registry import INNOCENTS

__all__ = ["INNOCENTS", "attention", "modules", "operations", "sizes", "values"]

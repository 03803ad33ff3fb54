"""Offenders: small models of which a trace would lie, each for one reason, most from reports of users.

Lines that a finding must name bear the mark of the registry.
"""

from __future__ import annotations

from tests.guards.offenders import loops, numbers, operations, parameters, sizes, state, unseen, values
from tests.guards.registry import OFFENDERS

__all__ = ["OFFENDERS", "loops", "numbers", "operations", "parameters", "sizes", "state", "unseen", "values"]

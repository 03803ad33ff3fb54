"""A configuration in words, as the tables have it."""

from __future__ import annotations

import kit


def words(configuration: kit.Configuration) -> str:
    """All that is set, as "fusion on, executor profiling, freeze off"."""
    return ", ".join(
        f"{name.replace('_', ' ')} {_value(value)}" for name, value in configuration.to_dict().items()
    )


def _value(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)

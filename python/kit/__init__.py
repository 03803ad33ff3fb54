"""kit: one archive, several programs, one set of golden cases that every program must reproduce.

    kit.export(model, args=(x,), path="model.pt")     trace, write and verify an archive
    kit.load("model.pt")(x)                           run it in the C++ engine
    kit.verify("model.pt")                            replay its golden cases
    kit.parity("recipe.py:recipe", "model.pt")        compare every way to run it with the eager model
    kit.inspect("model.pt")                           see what it holds

Names are imported when they are first used, so that `python -m kit --help` need not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kit.archive import Archive
    from kit.compare import Tolerance
    from kit.errors import (
        ArchiveError,
        ArchiveWarning,
        Error,
        InputError,
        InternalError,
        ParityError,
        TraceError,
        UnavailableError,
        UsageError,
    )
    from kit.exporter import export
    from kit.recipe import Recipe
    from kit.replay import parity, verify
    from kit.report import Difference, ParityReport
    from kit.runtime import Model, inspect, load
    from kit.signature import Dim, Signature, TensorSpec

__version__ = "0.1.0"

_HOME = {
    "Archive": "archive",
    "ArchiveError": "errors",
    "ArchiveWarning": "errors",
    "Difference": "report",
    "Dim": "signature",
    "Error": "errors",
    "InputError": "errors",
    "InternalError": "errors",
    "Model": "runtime",
    "ParityError": "errors",
    "ParityReport": "report",
    "Recipe": "recipe",
    "Signature": "signature",
    "TensorSpec": "signature",
    "Tolerance": "compare",
    "TraceError": "errors",
    "UnavailableError": "errors",
    "UsageError": "errors",
    "export": "exporter",
    "inspect": "runtime",
    "load": "runtime",
    "parity": "replay",
    "verify": "replay",
}

__all__ = [  # noqa: RUF022 - functions first, then classes, then errors
    "export",
    "inspect",
    "load",
    "parity",
    "verify",
    "Archive",
    "Difference",
    "Dim",
    "Model",
    "ParityReport",
    "Recipe",
    "Signature",
    "TensorSpec",
    "Tolerance",
    "ArchiveError",
    "ArchiveWarning",
    "Error",
    "InputError",
    "InternalError",
    "ParityError",
    "TraceError",
    "UnavailableError",
    "UsageError",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'kit' has no attribute '{name}'")
    return getattr(import_module(f"kit.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

"""kit: one archive, several programs, one set of golden cases that every program must reproduce.

    kit.export(model, args=(x,), path="model.pt")     trace, write and verify an archive
    kit.adopt("old.pt", {"x": x})                     make one of a TorchScript file from elsewhere
    kit.lint(model, args=(x,))                        what would make its trace lie
    kit.load("model.pt")(x)                           run it in the C++ engine
    kit.verify("model.pt")                            replay its golden cases
    kit.parity("recipe.py:recipe", "model.pt")        compare every way to run it with the eager model
    kit.layers("recipe.py:recipe", "model.pt")        find the submodule that differs
    kit.bench("model.pt")                             measure start, latency, throughput and memory
    kit.compare_with_peers("model.pt", recipe)        the same model in other runtimes, taking turns
    kit.bisect_fusion("model.pt")                     find the operation that fusion makes differ
    kit.inspect("model.pt")                           see what it holds
    kit.extract("model.pt", "model.so")               take a program out, to run it without kit

Names are imported when they are first used, so that `python -m kit --help` need not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kit.adopting import adopt
    from kit.archive import Archive
    from kit.benching import BenchReport, bench
    from kit.bisecting import Bisection, bisect_fusion
    from kit.compare import Tolerance
    from kit.configuration import Configuration
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
    from kit.extracting import extract
    from kit.fusion import FusionReport
    from kit.graph import Graph, GraphDiff
    from kit.guards.finding import Finding
    from kit.layerwise.report import LayersReport
    from kit.layerwise.search import layers
    from kit.linting import lint
    from kit.peers.comparing import compare_with_peers
    from kit.peers.report import PeerReport
    from kit.recipe import Method, Recipe
    from kit.replay import parity, verify
    from kit.report import Difference, ParityReport
    from kit.runtime import Model, inspect, load
    from kit.signature import Dim, Signature, TensorSpec

__version__ = "0.1.0"

_HOME = {
    "Archive": "archive",
    "BenchReport": "benching",
    "Bisection": "bisecting",
    "Configuration": "configuration",
    "ArchiveError": "errors",
    "ArchiveWarning": "errors",
    "Difference": "report",
    "Dim": "signature",
    "Error": "errors",
    "Finding": "guards.finding",
    "Graph": "graph",
    "GraphDiff": "graph",
    "FusionReport": "fusion",
    "InputError": "errors",
    "InternalError": "errors",
    "Method": "recipe",
    "Model": "runtime",
    "ParityError": "errors",
    "ParityReport": "report",
    "PeerReport": "peers.report",
    "Recipe": "recipe",
    "Signature": "signature",
    "TensorSpec": "signature",
    "Tolerance": "compare",
    "TraceError": "errors",
    "UnavailableError": "errors",
    "UsageError": "errors",
    "adopt": "adopting",
    "bench": "benching",
    "bisect_fusion": "bisecting",
    "compare_with_peers": "peers.comparing",
    "export": "exporter",
    "extract": "extracting",
    "LayersReport": "layerwise.report",
    "inspect": "runtime",
    "layers": "layerwise.search",
    "lint": "linting",
    "load": "runtime",
    "parity": "replay",
    "verify": "replay",
}

__all__ = [  # noqa: RUF022 - functions first, then classes, then errors
    "adopt",
    "bench",
    "bisect_fusion",
    "compare_with_peers",
    "export",
    "extract",
    "inspect",
    "layers",
    "lint",
    "load",
    "parity",
    "verify",
    "Archive",
    "BenchReport",
    "Bisection",
    "Configuration",
    "Difference",
    "Dim",
    "Finding",
    "Graph",
    "GraphDiff",
    "FusionReport",
    "LayersReport",
    "Method",
    "Model",
    "ParityReport",
    "PeerReport",
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

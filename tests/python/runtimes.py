"""A compiler that links the C++ runtime statically, as one does that has no libstdc++.so beside it."""

from __future__ import annotations

from pathlib import Path

RUNTIME = "libstdc++.so.6"


def compiler_with_a_runtime_of_its_own(folder: Path) -> Path:
    """A script in this folder that calls g++ so."""
    compiler = folder / "c++"
    compiler.write_text('#!/bin/sh\nexec g++ -static-libstdc++ "$@"\n')
    compiler.chmod(0o755)
    return compiler

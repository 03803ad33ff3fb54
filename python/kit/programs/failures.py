"""What stops Inductor, as errors of kit's: a model that it cannot compile, or a host that lacks something."""

from __future__ import annotations

import errno
import re
import subprocess
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch.export import ExportedProgram
from torch.fx import Node

from kit.errors import InternalError, TraceError, UnavailableError
from kit.programs import build_cache
from kit.programs.exported import place_of_node
from kit.source import one_line
from kit.writing import temporary_fault


def failure(error: Exception, program: ExportedProgram, engine: str) -> Exception:
    """The error of kit's for what Inductor raised when it compiled a program for the engine."""
    from torch._inductor import exc

    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, exc.CppCompileError):
            return _failed(one)
        if isinstance(one, exc.InvalidCxxCompiler):
            return UnavailableError(f"{one_line(one)}; install the package g++ (apt-get install g++)")
        if isinstance(one, (InternalError, UnavailableError)):
            return one
        if isinstance(one, (exc.TritonMissing, exc.GPUTooOldForTriton)):
            return UnavailableError(f"{one_line(one)}; export without this program, or for a CPU")
        if isinstance(one, OSError):
            return _failed_system_call(one)
        if isinstance(one, subprocess.CalledProcessError):
            return _failed_program(one)
    cause = chain[-1]
    target = next(
        (found[1] for one in chain for found in [re.search(r"target: ([\w.:]+)", str(one))] if found), None
    )
    place = _place(program, target)
    node = next(filter(None, (_node(one) for one in chain)), None) if target is None else None
    if node is not None:
        origin = _origin(node, program)
        target, place = str(origin.target), place_of_node(origin)
    operation = f"the operation {target}" if target else "it"
    at = f" at {place}" if place else ""
    return TraceError(
        f"Inductor cannot compile {operation}{at} for the program '{engine}': {_reason(cause)}; write that "
        "part of the model otherwise, or export without this program"
    )


def _failed_system_call(error: OSError) -> UnavailableError:
    """A program that is not installed, or what else torch says is missing; else the disk."""
    if error.errno is None:
        return UnavailableError(f"Inductor cannot compile here: {error}")
    name = str(error.filename or "")
    if error.errno not in (errno.ENOENT, errno.EACCES) or not name:
        return temporary_fault(error)
    if "/" not in name:
        return UnavailableError(
            f"the program {name} is not here, which Inductor compiles with; install it: ld and objcopy are "
            "of the package binutils (apt-get install binutils)"
        )
    if Path(name).resolve().is_relative_to(Path(tempfile.gettempdir()).resolve()):
        return temporary_fault(error)
    return UnavailableError(
        f"Inductor compiles with {name}, which cannot be used: {error.strerror}; install it, or let the "
        "environment variables CC and CXX name other compilers"
    )


def _failed_program(error: subprocess.CalledProcessError) -> UnavailableError:
    name = error.cmd if isinstance(error.cmd, str) else error.cmd[0]
    said = error.stderr.decode(errors="replace") if isinstance(error.stderr, bytes) else error.stderr
    reason = (said or "").strip().splitlines() or ["it gave no reason here"]
    return UnavailableError(
        f"the program {name} failed with status {error.returncode}, which Inductor compiles with: "
        f"{reason[0]}; see that it works, or let the environment variables CC and CXX name other compilers"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what it was raised from, the innermost last."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "inner_exception", None) or error.__cause__


def _node(error: BaseException) -> Node | None:
    """The node that Inductor was writing the code of when this was raised."""
    from torch._inductor.ir import Operation

    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        for value in frame.f_locals.values():
            if isinstance(value, Operation):
                return next(iter(value.get_origins()), None)
    return None


def _origin(node: Node, program: ExportedProgram) -> Node:
    """The node of the program that a node of Inductor's was made from, if it tells; else that one itself."""
    known = {one.name: one for one in program.graph.nodes}
    sources = node.meta.get("from_node")
    while sources:
        node, sources = known.get(sources[-1].name, node), sources[-1].from_node
    return node


def _reason(error: BaseException) -> str:
    """What an exception says; of one that says nothing, the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{one_line(error)}: {frames[-1].line}" if frames and not str(error).strip() else one_line(error)


def _place(program: ExportedProgram, target: str | None) -> str:
    """The user's line of the first node that calls the operation."""
    nodes = (node for node in program.graph.nodes if target is not None and str(node.target) == target)
    return next((place for place in map(place_of_node, nodes) if place), "")


def _failed(error: Any) -> UnavailableError:
    """What the compiler said is kept, for it is long."""
    log = build_cache.keep_log(str(error))
    lines = [line for line in error.output.splitlines() if "error" in line.lower()] or ["it gave no reason"]
    return UnavailableError(
        f"the C++ compiler failed: {lines[0].strip()}; its log is {log}: it may be another version than "
        "torch expects, or out of memory or disk"
    )

"""Integer divisions by 0 in what Inductor generates.

A kernel cannot throw in the middle of a parallel region: a division by 0 sets a flag on the stack of the
call, which the kernel looks at in the end. It is found through a variable of the process, so that calls in
several threads set, or clear, one another's, or write to a stack that is no longer theirs.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor
from torch.export import ExportedProgram

from kit.errors import TraceError
from kit.programs.exported import place_of_node
from kit.programs.inductor import INCLUDE, unexpected

_NAME = "inductor_cpu_integer_div_error_flag"
_SET = f"{_NAME} = &inductor_cpu_integer_div_error;"
_ASSIGNMENT = re.compile(rf"^\s*{_NAME} = [^;]*;\n", re.MULTILINE)
_HEADER = "torch/csrc/inductor/cpp_prefix.h"
_DECLARATION = f"inline std::atomic<int>* {_NAME}"
_DIVISIONS = ("div", "divide", "floor_divide", "fmod", "remainder")
_REGION = re.compile(r"^[ \t]*#\s*pragma omp parallel\b[^\n]*\n[^{]*\{", re.MULTILINE)


def check_divisions(program: ExportedProgram, engine: str) -> None:
    """Refuse what would end the process: before 2.13, torch compiles a division of integers by 0 as it is.

    engine: of the program that is to be made, for a CPU. Raises TraceError that names the line.
    """
    if _NAME in _header():
        return
    for graph in program.graph_module.modules():
        for node in graph.graph.nodes if isinstance(graph, torch.fx.GraphModule) else ():
            if _divides_by_integers(node):
                at = place_of_node(node)
                raise TraceError(
                    f"{at + ': ' if at else ''}{node.target} divides integers by numbers that are computed, "
                    f"and a division by 0 would end the process, as torch {torch.__version__} does not "
                    f"check it in the program '{engine}'; use torch 2.13 or later, divide floats or by a "
                    "constant, or export without this program"
                )


def _divides_by_integers(node: torch.fx.Node) -> bool:
    name = str(node.target).removeprefix("aten.").partition(".")[0].rstrip("_")
    if node.op != "call_function" or name not in _DIVISIONS or len(node.args) < 2:
        return False
    divisor, result = node.args[1], node.meta.get("val")
    if isinstance(divisor, torch.fx.Node):
        divisor = divisor.meta.get("val")
    integers = isinstance(result, Tensor) and not (result.is_floating_point() or result.is_complex())
    return integers and isinstance(divisor, Tensor)


def thrown_at_once(kernels: str) -> str:
    """The kernels of a program without parallel regions: a division by 0 throws where it is."""
    return _ASSIGNMENT.sub("", kernels)


def with_flag_of_each_call(kernels: str, folder: Path) -> str:
    """The kernels of a program with a flag for each call, in all threads that compute it.

    folder: that of `kit.programs.inductor.compiling`. Raises InternalError if this version of torch is not as
    kit expects it.
    """
    if _SET not in kernels:
        return kernels
    _write_header(folder)
    return _with_flags_of_threads(kernels)


def _write_header(folder: Path) -> None:
    """The header of torch's that has the variable, with one for each thread instead. It is the library's own:
    an inline one would be shared with all libraries of the process that have one of its name."""
    text = _header()
    if text.count(_DECLARATION) != 1:
        raise unexpected(f"{_HEADER} has no variable {_NAME}")
    path = folder / INCLUDE / _HEADER
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        text.replace(_DECLARATION, _DECLARATION.replace("inline", "static thread_local")), "utf-8"
    )


def _header() -> str:
    return (Path(torch.__file__).parent / "include" / _HEADER).read_text(encoding="utf-8")


def _with_flags_of_threads(kernels: str) -> str:
    """Each thread of a parallel region is told of the flag of the call that it works for."""
    functions = kernels.split('extern "C"')
    changed = [
        _REGION.sub(lambda region: f"{region[0]} {_SET}", one) if _SET in one else one for one in functions
    ]
    return 'extern "C"'.join(changed)

"""The C++ that torch's Inductor generates for an exported program, before anything is compiled."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kit.errors import Error, InternalError, TraceError
from kit.programs.complex_numbers import without_complex
from kit.programs.division import thrown_at_once
from kit.programs.failures import failure
from kit.programs.inductor import compiling, replaced
from kit.programs.products import bilinear_as_products, products_by_size, single_columns_as_sums

_CONFIG: Mapping[str, Any] = {
    "aot_inductor.link_libtorch": False,
    "always_keep_tensor_constants": True,  # as literals they would be computed with in each call
    "cpp.threads": 1,
    "cpp.dynamic_threads": False,
    "emulate_precision_casts": True,  # what eager rounds to 16 bits between two operations is rounded
    "freezing": True,
    "layout_optimization": False,  # kit's convolutions are for row-major images
    "max_autotune": True,  # this is what brings in the templates of matrix products
    "max_autotune_gemm_backends": "CPP,ATEN",
}
# torch's vector headers have it as a method; kit's is in kernels.h.
_ERF = re.compile(r"\b(\w+)\.erf\(\)")


@dataclass(frozen=True)
class Constant:
    """A constant of the generated code, in its order.

    storage: the bytes it is a view of, or None if the code never reads it. offset: of its first element in
    the storage, in elements.
    """

    name: str
    storage: bytes | None
    offset: int


@dataclass(frozen=True)
class Generated:
    """wrapper: the class of the model, which allocates and calls. kernels: what it calls."""

    wrapper: str
    kernels: str
    constants: Sequence[Constant]
    left_out: Sequence[str]  # operations that it would call torch's dispatcher for

    @property
    def functions(self) -> set[str]:
        """The functions of torch's C interface that the code of the model calls."""
        body = self.wrapper[self.wrapper.index("AOTInductorModel::AOTInductorModel(") :]
        return set(re.findall(r"\baoti_torch_\w+(?=\()", body + self.kernels))


def generate(program: torch.export.ExportedProgram, example: Sequence[Tensor], target: str) -> Generated:
    """The code of a program for the CPU, for one of the targets of `kit.programs.inductor`.

    Raises TraceError for what Inductor refuses.
    """
    with ExitStack() as stack:
        stack.enter_context(compiling(target, _CONFIG))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(_without_onednn())
        stack.enter_context(products_by_size())
        found = stack.enter_context(_intercepted())
        try:
            with torch.no_grad():
                module = _module(without_complex(program))
                bilinear_as_products(module)
                single_columns_as_sums(module)
                torch._inductor.aot_compile(module, tuple(example))
        except Error:
            raise
        except Exception as error:
            raise failure(error, program, "native") from error
    _check_sizes(program)
    if len(found) != 1:
        raise InternalError(f"Inductor generated {len(found)} models where one was expected")
    return found[0]


def _check_sizes(program: torch.export.ExportedProgram) -> None:
    """Raise TraceError for a size that varies, if Inductor has taken it for that of the example."""
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if node.op != "placeholder" or not isinstance(value, Tensor):
            continue
        sizes: list[Any] = list(value.shape)
        for dim, size in enumerate(sizes):
            only = size.node.maybe_as_int() if isinstance(size, torch.SymInt) else None
            if only is not None:
                raise TraceError(
                    "torch's Inductor, which compiled programs are made with, would make the program for one "
                    f"size alone: {only} of dimension {dim} of input {node.name.rpartition('_')[2]}; fix "
                    "that size, or export the program torchscript alone"
                )


def _module(program: torch.export.ExportedProgram) -> torch.fx.GraphModule:
    """Without torch's own checks of the inputs: kit's come first, and allow for sizes of 1."""
    try:
        return program.module(check_guards=False)
    except TypeError:  # a version that has no such checks
        return program.module()


def _without_onednn() -> AbstractContextManager[None]:
    """Or the generated code would call torch's functions for it."""
    return replaced(torch.backends.mkldnn, "enabled", False)


@contextmanager
def _intercepted() -> Iterator[list[Generated]]:
    """Take the generated code from where Inductor would compile it."""
    from torch._inductor.codecache import AotCodeCompiler

    found: list[Generated] = []

    def take(
        _cls: Any, graph: Any, wrapper: str, kernels: str, extern_nodes: str | None, /, **_rest: Any
    ) -> str:
        constants, left_out = _constants(graph, wrapper), _left_out(wrapper, extern_nodes)
        found.append(Generated(wrapper, _with_vectors(thrown_at_once(kernels)), constants, left_out))
        return "none"

    with replaced(AotCodeCompiler, "compile", classmethod(take)):
        yield found


def _with_vectors(kernels: str) -> str:
    """Kernels that compute with torch's vectors, but with kit's functions of them."""
    if "at::vec::" not in kernels:
        return kernels
    return '#include "kernels.h"\n' + _ERF.sub(r"kit::program::erf(\1)", kernels)


def _constants(graph: Any, wrapper: str) -> list[Constant]:
    constants = []
    for name in graph.constants:
        if name in graph.folded_constants:
            raise InternalError(f"Inductor folds the constant {name} at run time, which was not asked for")
        known = graph.allocated_constant_name.get(name, name)
        tensor = graph.get_original_value_of_constant(name).detach()
        read = len(re.findall(rf"\b{re.escape(name)}\b(?!\")", wrapper)) > 1
        constants.append(Constant(known, storage_bytes(tensor) if read else None, tensor.storage_offset()))
    return constants


def storage_bytes(tensor: Tensor) -> bytes:
    """The whole storage that a tensor is a view of."""
    storage = tensor.cpu().untyped_storage()
    return bytes(torch.tensor([], dtype=torch.uint8).set_(storage).numpy().tobytes())


def _left_out(wrapper: str, extern_nodes: str | None) -> list[str]:
    """Operations for which there is no function in torch's C interface."""
    names = re.findall(r'aoti_torch_call_dispatcher\(\s*"([^"]+)"', wrapper)
    if extern_nodes:
        nodes = json.loads(extern_nodes)["nodes"]
        names += [str(node.get("node", {}).get("target", node.get("name"))) for node in nodes]
    return list(dict.fromkeys(name.replace("torch.ops.", "").replace("::", ".") for name in names))

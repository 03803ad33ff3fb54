"""The model as torch.export sees it: what compiled programs are made from."""

from __future__ import annotations

import io
import logging
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr

import torch
from torch import Tensor, nn

from kit.detaching import data_detached
from kit.eager import Eager
from kit.errors import Error, TraceError
from kit.programs.bytes_as_truth import bytes_as_truth
from kit.programs.quiet import quiet
from kit.signature import LARGEST, Signature
from kit.source import frames_in, is_own, one_line, place_of, raised_at


def exported(eager: Eager, signature: Signature, example: Sequence[Tensor]) -> torch.export.ExportedProgram:
    """The model as a program that takes the flat inputs of its signature and gives a flat tuple of outputs.

    example: flat inputs; see `example_of`. Call it in evaluation mode. Raises TraceError for what
    torch.export refuses.
    """
    try:
        with warnings.catch_warnings(), torch.no_grad(), _without_graphs(), data_detached():
            warnings.simplefilter("ignore")
            program = torch.export.export(
                _Flat(eager), tuple(example), dynamic_shapes=(_shapes(signature),), strict=False
            )
    except Error:
        raise
    except Exception as error:
        if is_own(error):
            raise
        where = raised_at(error) or eager.name
        raise TraceError(
            f"{where}: torch.export, which compiled programs are made from, refuses it: "
            f"{_reason(error, signature)}; export the program torchscript alone, or change the model"
        ) from error
    bytes_as_truth(program)
    return program


def example_of(signature: Signature, cases: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """The inputs to export with: those of a case, if possible one in which no two sizes are equal by chance.

    torch.export takes a size of 0 or 1 for one that never varies, so each that does is 2 at least.
    """

    def badness(tensors: Sequence[Tensor]) -> tuple[int, int, int]:
        sizes = signature.sizes(tensors)
        varying = {name: sizes[name] for name in _varying(signature)}
        small = sum(size < 2 for size in varying.values())
        fixed = {e for spec in signature.inputs for e in spec.shape if isinstance(e, int)}
        same = len(varying) - len(set(varying.values())) + sum(size in fixed for size in varying.values())
        return small, same, sum(tensor.numel() for tensor in tensors)

    return list(sorted(cases, key=badness)[0])


def place_of_node(node: torch.fx.Node) -> str:
    """The user's line that a node comes from, as "file:line"; "" if it is not known."""
    place = place_of(frames_in(node.meta.get("stack_trace") or ""))
    return "" if place is None else str(place)


def _varying(signature: Signature) -> set[str]:
    """Dims that are more than one size."""
    return {dim.name for dim in signature.dims if dim.min != dim.max}


def _shapes(signature: Signature) -> tuple[dict[int, object], ...]:
    dims = {
        dim.name: torch.export.Dim(f"dim{index}", min=dim.min, max=None if dim.max == LARGEST else dim.max)
        for index, dim in enumerate(signature.dims)
        if dim.name in _varying(signature)
    }
    return tuple(
        {axis: dims[entry] for axis, entry in enumerate(spec.shape) if entry in dims}
        for spec in signature.inputs
    )


class _Flat(nn.Module):
    """Flat tensors in, a flat tuple out. The parameters are the model's own."""

    def __init__(self, eager: Eager) -> None:
        super().__init__()
        self._eager = [eager]  # in a list, for it is no part of the module
        if eager.module is not None:
            self.model = eager.module

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        (eager,) = self._eager
        with eager.mode():
            args, kwargs = eager.rebuild(tensors)
            return tuple(eager.flat_output(eager.function(*args, **kwargs)))


_TELLING = ("specialized", "data-dependent", "not supported", "specified range")


@contextmanager
def _without_graphs() -> Iterator[None]:
    """Keep back what torch.export logs and prints of a graph that it gives up on, and that alone."""
    printed, graph = io.StringIO(), ""
    try:
        with quiet(logging.CRITICAL, "torch.fx", "torch.export"), redirect_stderr(printed):
            yield
    except Exception as error:
        graph = f"{getattr(error, 'partial_fx_graph', '')}\n"
        raise
    finally:
        text = printed.getvalue()
        print(text.replace(graph, "") if graph.strip() else text, end="", file=sys.stderr)


def _reason(error: BaseException, signature: Signature) -> str:
    """The line of its message that says most, with the model's own names for its dims: the rest of torch's
    are advice on its own debugging."""
    text = one_line(error)
    for line in str(error).splitlines():
        if any(words in line for words in _TELLING):
            text = f"{type(error).__name__}: {line.strip(' -')}"
            break
    text = text.partition(" If you're using mark_dynamic")[0]
    names = [dim.name for dim in signature.dims]
    return re.sub(r"\bdim(\d+)\b", lambda found: names[int(found[1])], text)

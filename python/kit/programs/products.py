"""How Inductor's templates compute matrix products: chosen by their sizes, and not by measuring, which would
give another program each time."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from kit.programs.inductor import replaced

aten = torch.ops.aten

# How a template walks over the rows of a block of the product, and how it is to walk.
_WALK = re.compile(
    r"for \(int64_t m = 0; m < M; m \+= {{block_m}}\) {\s*"
    r"int64_t block_m = std::min<int64_t>\(M - m, {{block_m}}\);"
)
_EVEN_WALK = """const int64_t blocks = std::max<int64_t>((M + {{block_m}} - 1) / {{block_m}}, 1);
    const int64_t height = M / blocks, higher = M % blocks;
    for (int64_t m = 0, block = 0, block_m; m < M; m += block_m, ++block) {
        block_m = height + (block < higher);"""
# From so many products for each sum on a high block pays, which takes longer to begin and to end.
_DEEP = 64
# What blocks are made for: the sizes of the compiling host's caches must not count.
_CACHES = {"l1d_cache_size": 32 << 10, "l2_cache_size": 1 << 20}


@contextmanager
def products_by_size() -> Iterator[None]:
    """Within it, Inductor computes products with its templates where it can, in blocks that fit them."""
    with ExitStack() as stack:
        stack.enter_context(_known_caches())
        stack.enter_context(_first_choice())
        stack.enter_context(_fitting_blocks())
        stack.enter_context(_equal_heights())
        stack.enter_context(_each_by_itself())
        stack.enter_context(_weights_as_they_are())
        yield


def single_columns_as_sums(module: torch.fx.GraphModule) -> None:
    """Say products that have one column as sums over rows, in place.

    The templates would compute as many columns as a vector has elements, and throw all but one away. Numbers
    of 16 bits are left alone: their products would be rounded before they are added.
    """
    graph = module.graph
    for node in list(graph.nodes):
        found = _single_column(node)
        if found is None:
            continue
        rows, column, added = found
        with graph.inserting_before(node):
            product = graph.call_function(aten.mul.Tensor, (rows, graph.call_function(*column)))
            result = graph.call_function(aten.sum.dim_IntList, (product, [-1], True))
            if added is not None:
                result = graph.call_function(aten.add.Tensor, (result, added))
        node.replace_all_uses_with(result)
        graph.erase_node(node)
    module.recompile()


def bilinear_as_products(module: torch.fx.GraphModule) -> None:
    """Say bilinear operations as a product with the one input and a sum over the other, in place.

    y[o] = sum over j of (sum over i of left[i] · weight[o, i, j]) · right[j], plus a bias. Inductor generates
    no code for them, and calls an operation of torch's that has no C interface.
    """
    graph = module.graph
    for node in list(graph.nodes):
        if node.target is not aten.bilinear.default:
            continue
        left, right, weight, bias = (*node.args, None)[:4]
        outputs, inner, outer = weight.meta["val"].shape
        with graph.inserting_before(node):
            turned = graph.call_function(aten.transpose.int, (weight, 1, 2))
            matrix = graph.call_function(aten.reshape.default, (turned, [outputs * outer, inner]))
            partial = graph.call_function(aten.linear.default, (left, matrix))
            partial = graph.call_function(aten.unflatten.int, (partial, -1, [outputs, outer]))
            row = graph.call_function(aten.unsqueeze.default, (right, -2))
            product = graph.call_function(aten.mul.Tensor, (partial, row))
            result = graph.call_function(aten.sum.dim_IntList, (product, [-1]))
            if bias is not None:
                result = graph.call_function(aten.add.Tensor, (result, bias))
        node.replace_all_uses_with(result)
        graph.erase_node(node)
    module.recompile()


def _single_column(node: torch.fx.Node) -> tuple[Any, tuple[Any, tuple[Any, ...]], Any] | None:
    """Of a product of one column: the left operand, how to get that column, and what is added."""
    operands: tuple[Any, ...] = node.args
    if node.target is aten.linear.default:
        rows, matrix, added, axis = *operands[:2], operands[2] if len(operands) > 2 else None, 0
    elif node.target is aten.addmm.default and not node.kwargs:
        added, rows, matrix, axis = *operands, 1
    elif node.target is aten.mm.default:
        rows, matrix, added, axis = *operands, None, 1
    else:
        return None
    value = matrix.meta.get("val")
    if value is None or value.dtype not in (torch.float32, torch.float64) or value.shape[axis] != 1:
        return None
    return rows, (aten.select.int, (matrix, axis, 0)), added


@contextmanager
def _known_caches() -> Iterator[None]:
    original = torch.cpu.get_capabilities
    with replaced(torch.cpu, "get_capabilities", lambda: {**original(), **_CACHES}):
        yield


@contextmanager
def _first_choice() -> Iterator[None]:
    """Of several ways to compute a product take the template, if there is one, without measuring."""
    from torch._inductor import select_algorithm

    cache = select_algorithm.get_algorithm_selector_cache()

    def choose(choices: list[Any]) -> list[Any]:
        made = [one for one in choices if not isinstance(one, select_algorithm.ExternKernelCaller)]
        return (made or choices)[:1]

    cache.add_preprocessing_fn(choose)
    try:
        yield
    finally:
        cache.preprocessing_fns.remove(choose)


@contextmanager
def _fitting_blocks() -> Iterator[None]:
    """Of the blocks that a template knows take only the widest that add the fewest columns to a product.

    Inductor prefers blocks that divide the rows, and then wide ones: it computes 48 columns for a product
    that has one.
    """
    import torch._inductor.lowering  # noqa: F401  the next line alone would import in a circle
    from torch._inductor.codegen.cpp_micro_gemm import micro_gemm_configs

    before = dict(micro_gemm_configs)
    for kind, configs in before.items():
        known = [other for one in configs for other in (one, *_higher(one))]
        micro_gemm_configs[kind] = [dataclasses.replace(one, extra_check=_check(one, known)) for one in known]
    try:
        yield
    finally:
        micro_gemm_configs.update(before)


def _higher(config: Any) -> list[Any]:
    """The same with 6 rows instead of 4, where 16 columns are two vectors.

    A sum waits for the one before it. It takes 8 at once to keep a processor busy, and more to make up for
    what comes late: 12 are as many as there are registers for.
    """
    block = config.register_blocking
    if config.vec_isa_cls.__name__ != "VecAVX2" or tuple(block) != (4, 16, 1):
        return []
    return [dataclasses.replace(config, register_blocking=block._replace(block_m=6))]


def _check(own: Any, known: list[Any]) -> Callable[..., bool]:
    """Inductor's own check of whether the blocks do for a product, and that no others of `known` for the same
    numbers and instructions fit it better."""
    allowed = own.extra_check
    blocks = [one.register_blocking for one in known if _purpose(one) == _purpose(own)]

    def check(config: Any, m: Any, n: Any, k: Any, *rest: Any, **further: Any) -> bool:
        if allowed is not None and not allowed(config, m, n, k, *rest, **further):
            return False
        sign = -1 if k >= _DEEP else 1
        best = min(blocks, key=lambda one: (_padded(n, one.block_n), -one.block_n, sign * one.block_m))
        return bool(own.register_blocking == best)

    return check


@contextmanager
def _equal_heights() -> Iterator[None]:
    """Within it, the template with vectors divides rows among as few blocks as it needs, but evenly.

    Inductor leaves what does not fill a block to the last one: 32 rows would make 5 blocks of 6, and one of
    2, which takes almost as long. In a version of torch whose template does otherwise, it stays as it is.
    """
    from torch._inductor.codegen.cpp_micro_gemm import CppMicroGemmFP32Vec

    even = _WALK.sub(_EVEN_WALK, CppMicroGemmFP32Vec.TEMPLATE_ENTRY)
    with replaced(CppMicroGemmFP32Vec, "TEMPLATE_ENTRY", even):
        yield


@contextmanager
def _each_by_itself() -> Iterator[None]:
    """Within it, a sum of two products is two products: Inductor would call an operation of its own that only
    libtorch has."""
    from torch._inductor.kernel import mm_plus_mm
    from torch._inductor.lowering import lowerings

    def lowered(a: Any, b: Any, c: Any, d: Any, **_layout: Any) -> Any:
        return lowerings[aten.add](lowerings[aten.mm](a, b), lowerings[aten.mm](c, d))

    with replaced(mm_plus_mm, "tuned_mm_plus_mm", lowered):
        yield


@contextmanager
def _weights_as_they_are() -> Iterator[None]:
    """Within it, templates get right what Inductor does not: a weight that is a piece of a storage, which it
    would take from the start of that. And there is none for a weight without elements, for which it puts down
    no sums, and for numbers of 8 bits: it knows only products that are quantized, and have sums of the
    weight's columns beside it."""
    from torch._inductor.codegen.cpp_gemm_template import CppGemmTemplate
    from torch._inductor.virtualized import V

    original = CppGemmTemplate.__dict__["add_choices"].__func__

    def add_choices(kind: Any, choices: Any, layout: Any, nodes: Any, *args: Any, **kwargs: Any) -> Any:
        weight = nodes[-1]
        if 0 in weight.get_size() or weight.get_dtype() in (torch.int8, torch.uint8):
            return None
        constant = V.graph.constants.get(weight.get_name())
        if constant is not None and constant.storage_offset() != 0:
            V.graph.constants[weight.get_name()] = _apart(constant)
        return original(kind, choices, layout, nodes, *args, **kwargs)

    with replaced(CppGemmTemplate, "add_choices", classmethod(add_choices)):
        yield


def _apart(tensor: Any) -> Any:
    """A tensor with the same strides, at the start of a storage of its own."""
    extent = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.as_strided((extent,), (1,)).clone().as_strided(tensor.shape, tensor.stride())


def _purpose(config: Any) -> tuple[Any, ...]:
    fields = ("input_dtype", "input2_dtype", "output_dtype", "compute_dtype", "vec_isa_cls", "extra_check")
    return (*(getattr(config, field) for field in fields), config.register_blocking.block_k)


def _padded(columns: Any, width: int) -> int:
    return -(-int(columns) // width) * width

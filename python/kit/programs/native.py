"""The `native` program: the model compiled together with kit's own tensors, without libtorch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kit.eager import Eager
from kit.errors import TraceError
from kit.programs.compiler import Source, build, sources_folder
from kit.programs.division import check_divisions
from kit.programs.exported import example_of, exported
from kit.programs.generated import Constant, Generated, generate
from kit.programs.rows import rows_per_thread
from kit.signature import Signature, TensorSpec

ENGINE = "native"

DTYPES: Mapping[str, tuple[int, int, int]] = {
    "bool": (6, 8, 11),
    "uint8": (1, 8, 0),
    "uint16": (1, 16, 27),
    "uint32": (1, 32, 28),
    "uint64": (1, 64, 29),
    "int8": (0, 8, 1),
    "int16": (0, 16, 2),
    "int32": (0, 32, 3),
    "int64": (0, 64, 4),
    "float16": (2, 16, 5),
    "bfloat16": (4, 16, 15),
    "float32": (2, 32, 6),
    "float64": (2, 64, 7),
    "complex64": (5, 64, 9),
    "complex128": (5, 128, 10),
}
"""By dtype, of DLPack the code and the bits, and torch's own number."""

_DEFINITION = re.compile(r"^(?:AOTITorchError|int32_t|size_t|bool|void) (aoti_torch_\w+)\(", re.MULTILINE)
_INCLUDE = re.compile(r'^#include "(\w+)\.h"', re.MULTILINE)
# GCC would make the loop that clears the accumulators of a matrix product a call of memset, or leave it a
# loop if there are more than 16 (with AVX-512 there are 24), and then keep them in memory: half as fast.
_KERNEL_FLAGS = ("-O3", "-fno-tree-loop-distribute-patterns", "--param=max-completely-peel-times=32")
_ALWAYS = ("memory", "own_file", "prepared", "shim", "tensor")


@dataclass(frozen=True)
class NativeMethod:
    """One method, compiled: the shared object, and the constants that it wants, in its order."""

    library: bytes
    constants: Sequence[bytes]


def compile_method(
    name: str, eager: Eager, signature: Signature, cases: Sequence[Sequence[Tensor]], target: str
) -> NativeMethod:
    """Compile a method of a model for a level of the instruction set.

    cases: flat inputs, of which one is what it is exported with. Call it in evaluation mode. Raises
    TraceError for what torch.export or Inductor refuse, for operations that have no native form and for what
    `check_divisions` refuses, UnavailableError if there is no compiler, or it fails.
    """
    example = example_of(signature, cases)
    program = exported(eager, signature, example)
    check_divisions(program, ENGINE)
    rows = rows_per_thread(program, eager, signature, cases)
    code = generate(program, example, target)
    needed = _sources(code)
    constants, places = _storages(code.constants)
    about = _description(eager.name, name, signature, target, constants, rows)
    header = {"kit_program_info.h": _info(signature, code.constants, constants, places, about)}
    folder = sources_folder()
    sources = [
        Source("program", code.wrapper + "\n" + (folder / "program.cpp").read_text(), header, ("-O2",)),
        Source("kernels", code.kernels, _headers(code.kernels), _KERNEL_FLAGS, with_kit=False),
    ]
    library = [Source(one, (folder / f"{one}.cpp").read_text(), {}, ("-O3",)) for one in needed]
    return NativeMethod(build(sources, library, target), constants)


def _headers(text: str) -> dict[str, str]:
    """Those of kit's that a text includes, and that these include."""
    names, texts = set(_INCLUDE.findall(text)), dict[str, str]()
    while further := names - texts.keys():
        texts.update({name: (sources_folder() / f"{name}.h").read_text() for name in further})
        names |= {one for name in further for one in _INCLUDE.findall(texts[name])}
    return {f"{name}.h": texts[name] for name in sorted(texts)}


def _sources(code: Generated) -> list[str]:
    """The files of kit's that the code needs. Raises TraceError for functions that none of them has."""
    texts = {path.stem: path.read_text() for path in sorted(sources_folder().glob("*.cpp"))}
    home = {name: stem for stem, text in texts.items() for name in _DEFINITION.findall(text)}
    lacking = [_operation(name) for name in sorted(code.functions) if name not in home and not _macro(name)]
    lacking = [one for one in (*code.left_out, *lacking) if one]
    # Memory for what an operation gives: no operation of the model's.
    lacking = [one for one in lacking if one != "aten.new_uninitialized_tensor"] or lacking
    if lacking:
        raise TraceError(
            "the program native cannot be made: there is no native form of "
            f"{', '.join(dict.fromkeys(lacking))}; use other operations, or the programs torchscript or aoti"
        )
    needed = {*_ALWAYS, *(home[name] for name in code.functions if name in home)}
    if "at::vec::" in code.kernels:
        needed.add("vector_math")
    while True:
        further = {one for stem in needed for one in _INCLUDE.findall(texts[stem]) if one in texts} - needed
        if not further:
            return sorted(needed)
        needed |= further


def _macro(name: str) -> bool:
    """What is no function, or belongs to what was said in `left_out`."""
    return name in (
        "aoti_torch_call_dispatcher",
        "aoti_torch_proxy_executor_call_function",
    ) or name.startswith("aoti_torch_dtype_float8")


def _operation(function: str) -> str:
    name = function.removeprefix("aoti_torch_").removeprefix("cpu_")
    return f"aten.{name.removesuffix('_out')}"


def _storages(constants: Sequence[Constant]) -> tuple[list[bytes], list[int | None]]:
    """The distinct storages in the order of their first use, and for each constant the index of its own."""
    index: dict[bytes, int] = {}
    places = [None if one.storage is None else index.setdefault(one.storage, len(index)) for one in constants]
    return list(index), places


def _description(
    model: str,
    method: str,
    signature: Signature,
    target: str,
    constants: Sequence[bytes],
    rows: int | None,
) -> str:
    return json.dumps(
        {
            **({} if rows is None else {"rows_per_thread": rows}),
            "model": model,
            "method": method,
            "target": target,
            "torch": torch.__version__.partition("+")[0],
            "signature": {
                "dims": {dim.name: {"min": dim.min, "max": dim.max} for dim in signature.dims},
                "inputs": [_spec(spec) for spec in signature.inputs],
                "outputs": [_spec(spec) for spec in signature.outputs],
            },
            "constants": [len(one) for one in constants],
        },
        ensure_ascii=True,
        sort_keys=True,
    )


def _spec(spec: TensorSpec) -> dict[str, object]:
    return {"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)}


def _info(
    signature: Signature,
    constants: Sequence[Constant],
    storages: Sequence[bytes],
    places: Sequence[int | None],
    description: str,
) -> str:
    """The C++ header that tells program.cpp what it is compiled with."""
    dims = {dim.name: index for index, dim in enumerate(signature.dims)}

    def shape(spec: TensorSpec) -> str:
        entries = [~dims[e] if isinstance(e, str) else e for e in spec.shape]
        return "{" + ", ".join(f"{entry}LL" for entry in entries or [0]) + "}"

    lines = [
        "#pragma once",
        "#include <cstddef>",
        "#include <cstdint>",
        "namespace kit::program::info {",
        "struct Dim { const char* name; std::int64_t min, max; };",
        "/// An entry of a shape that is negative is the complement of the index of a dim.",
        "struct Spec { const char* name; const char* dtype; std::uint8_t code, bits;"
        " std::int32_t torch_dtype, rank; const std::int64_t* shape; };",
        f"inline constexpr std::size_t dim_count = {len(signature.dims)};",
        "inline constexpr Dim dims[] = {"
        + "".join(f"{{{_literal(d.name)}, {d.min}LL, {d.max}LL}}, " for d in signature.dims)
        + '{"", 0, 0}};',
    ]
    for kind, specs in (("input", signature.inputs), ("output", signature.outputs)):
        for index, spec in enumerate(specs):
            lines.append(f"inline constexpr std::int64_t {kind}_shape_{index}[] = {shape(spec)};")
        rows = []
        for index, spec in enumerate(specs):
            code, bits, number = DTYPES[spec.dtype]
            rows.append(
                f"{{{_literal(spec.name)}, {_literal(spec.dtype)}, {code}, {bits}, {number}, "
                f"{len(spec.shape)}, {kind}_shape_{index}}}, "
            )
        lines += [
            f"inline constexpr std::size_t {kind}_count = {len(specs)};",
            f"inline constexpr Spec {kind}s[] = {{{''.join(rows)}{{}}}};",
        ]
    lines += [
        "inline constexpr std::size_t unused = SIZE_MAX;",
        f"inline constexpr std::size_t constant_count = {len(storages)};",
        "inline constexpr std::uint64_t constant_sizes[] = {"
        + "".join(f"{len(one)}ULL, " for one in storages)
        + "0};",
        "inline constexpr std::size_t constant_of[] = {"
        + "".join(f"{'unused' if one is None else one}, " for one in places)
        + "unused};",
        "inline constexpr std::int64_t offset_of[] = {"
        + "".join(f"{one.offset}LL, " for one in constants)
        + "0};",
        f"inline constexpr const char* description = {_literal(description)};",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _literal(text: str) -> str:
    """As a C string: in octal what is not plain ASCII, and in pieces, which compilers are sure to take."""
    plain = "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\?' else f"\\{byte:03o}" for byte in text.encode()
    )
    pieces = re.findall(r"(?:\\\d{3}|[^\\]){1,2000}", plain) or [""]
    return " ".join(f'"{piece}"' for piece in pieces)

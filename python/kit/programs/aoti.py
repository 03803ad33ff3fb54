"""The program "aoti": a package of AOTInductor's, compiled for one target, which runs inside libtorch.

A package is a zip archive in torch's layout. It is written anew with the shared object, what torch's loader
wants to know, and nothing that tells where or when it was compiled: the same exported program, target and
versions give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import warnings
import zipfile
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

import kit
from kit.eager import Eager
from kit.errors import InternalError, UnavailableError, UsageError
from kit.programs import build_cache
from kit.programs.checks import thrown_behind_regions, with_last_error
from kit.programs.constant_table import ALIGNMENT, KEY, constant_table
from kit.programs.division import check_divisions, with_flag_of_each_call
from kit.programs.exported import example_of, exported
from kit.programs.failures import failure
from kit.programs.inductor import LEVELS, check_compiler, code_changed, compiling
from kit.programs.toolkit import toolkit
from kit.signature import Signature
from kit.sizes import budget_of, large_sizes

ENGINE = "aoti"
WEIGHTS, ROOT = "kit_weights", "kit_root"
"""Keys of a package's metadata. The one names the weights that can be replaced, a line for each tensor, with
tabs between its names; the other is what these begin with where the model's own do not."""

_FOLDER = "model/data/aotinductor/model/"
WEIGHTS_FILE = f"{_FOLDER}model.wrapper_weights.blob"
"""The member of a package that has the weights, if its shared object has not."""

_LARGE_HEADER = 30 + 20
"""Bytes of a zip archive's header of a member, before its name, which may have 2 GiB and more."""
_EXTRA_FIELD = struct.Struct("<2sH")  # its kind, for which torch has "FB", too, and how many bytes follow
_CUDA = re.compile(r"cuda:sm_(\d+)")


def compile_method(
    eager: Eager,
    signature: Signature,
    cases: Sequence[Sequence[Tensor]],
    target: str,
    *,
    frozen: bool = False,
) -> bytes:
    """Compile a method of a model: as `compile_package`, which see.

    cases: flat inputs, of which one is what it is exported with. Call it in evaluation mode. Raises
    TraceError for what torch.export or Inductor refuse.
    """
    example = [tensor.contiguous() for tensor in example_of(signature, cases)]
    if _CUDA.fullmatch(target):
        example = _large(eager, signature, example)
    device = device_for(target)
    if device is not None:
        # Where it will run: what torch.export records depends on how an operation lays out its result there.
        eager, example = eager.moved(device), [tensor.to(device) for tensor in example]
    return compile_package(exported(eager, signature, example), target, frozen=frozen)


def _large(eager: Eager, signature: Signature, example: Sequence[Tensor]) -> list[Tensor]:
    """Inputs of large sizes, whatever is in them: on a GPU, Inductor takes the example's sizes for those
    that come, and gives a block of threads no more elements than they have."""
    sizes = large_sizes(signature, budget_of(eager, signature, generous=True))
    return [
        one.new_zeros([sizes[entry] if isinstance(entry, str) else entry for entry in spec.shape])
        for one, spec in zip(example, signature.inputs, strict=True)
    ]


def compile_package(program: ExportedProgram, target: str, *, frozen: bool = False) -> bytes:
    """Compile an exported program into a package (.pt2) for a target, to whose device it is moved.

    program: of a module that takes flat tensors and returns a flat tuple; its example inputs are row-major
        without gaps, for that is what the package will assume.
    target: "x86-64-v2", "x86-64-v3", "x86-64-v4", or "cuda:sm_NN" of a GPU that is here.
    frozen: whether to compile the weights in, as for convolutions on a CPU that is faster by a tenth or more.
        They cannot be replaced then.

    Raises TraceError if Inductor refuses an operation, or a division by 0 would end the process (see
    `check_divisions`), UnavailableError if there is no compiler, or it fails,
    or the GPU of the target is not here, UsageError if there is no such target.
    """
    _check_target(target)
    compiler = check_compiler()
    weights = None if frozen else _weights(program)
    program = _moved(program, device_for(target) or "cpu")
    _check_inputs(program)
    if target in LEVELS:
        check_divisions(program, ENGINE)

    def make() -> bytes:
        return _compile(program, target, weights)

    try:
        digest = _digest(program)
    except Exception:  # what torch cannot save has no digest, but may well be compiled
        return make()
    versions = f"{kit.__version__} {torch.__version__} {torch.version.git_version} {compiler.version}"
    where = weights_lie_apart(target)
    return build_cache.cached(f"{ENGINE} 13 {target} {where} {weights} {versions} {digest}", make)


def alignment(target: str) -> int:
    """What the weights in a package for that target start at multiples of, in bytes: Inductor puts those for
    a GPU one behind the other (AotCodeCompiler in torch/_inductor/codecache.py)."""
    return 4 if _CUDA.fullmatch(target) else ALIGNMENT


def weights_lie_apart(target: str) -> bool:
    """Whether they are beside the shared object, from where they are mapped and not copied. To a GPU they are
    copied anyway. Frozen ones are in it: they may have a layout that oneDNN alone knows."""
    return target in LEVELS


def _check_target(target: str) -> None:
    found = _CUDA.fullmatch(target)
    if found is None:
        if target not in LEVELS:
            raise UsageError(
                f"there is no target '{target}'; the targets are {', '.join(LEVELS)} and cuda:sm_NN, with "
                "the compute capability NN of a GPU"
            )
        return
    if device_for(target) is None:
        here = sorted({one.removeprefix("cuda:") for one in _targets_here()})
        raise UnavailableError(
            f"the target {target} needs a GPU of compute capability {found[1]} to compile on; "
            + (f"here are {', '.join(here)}" if here else "here is none")
        )


def device_for(target: str, wanted: str = "cpu") -> str | None:
    """The GPU that a program for the target runs on: the wanted one if it is such a GPU, else the first that
    is. None if there is none here."""
    here = _targets_here()
    device = torch.device(wanted)
    if device.type == "cuda" and here[device.index or 0 : (device.index or 0) + 1] == [target]:
        return wanted
    return f"cuda:{here.index(target)}" if target in here else None


def _targets_here() -> list[str]:
    """The target of each GPU of this host."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ["cuda:sm_{}{}".format(*torch.cuda.get_device_capability(index)) for index in range(count)]


def _moved(program: ExportedProgram, device: str) -> ExportedProgram:
    tensors = [
        *program.state_dict.values(),
        *program.constants.values(),
        *(program.example_inputs or ((),))[0],
    ]
    if all(one.device == torch.device(device) for one in tensors if isinstance(one, Tensor)):
        return program
    from torch.export.passes import move_to_device_pass

    return move_to_device_pass(program, device)


def _check_inputs(program: ExportedProgram) -> None:
    if program.example_inputs is None:
        raise InternalError("the exported program has no example inputs; export it again with some")
    args, kwargs = program.example_inputs
    for index, tensor in enumerate(args):
        if kwargs or not isinstance(tensor, Tensor) or not tensor.is_contiguous():
            raise InternalError(
                f"input {index} of the exported program is no tensor that is row-major without gaps; export "
                "a module that takes such tensors alone"
            )


def _compile(program: ExportedProgram, target: str, weights: list[str] | None) -> bytes:
    """weights: lines for the metadata; none if they are to be frozen."""
    frozen = weights is None
    device = _CUDA.fullmatch(target)
    apart = not frozen and weights_lie_apart(target)
    config: dict[str, Any] = {
        "freezing": frozen,
        "always_keep_tensor_constants": not frozen,
        "joint_graph_constant_folding": frozen,  # or weights of one element become part of the code
        # What eager rounds to 16 bits between two operations is rounded. For a GPU this changes more.
        "emulate_precision_casts": not device,
        "aot_inductor.package_constants_in_so": not apart,
    }
    with compiling(target, config) as folder, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if device:
            config["aot_inductor.embed_kernel_binary"] = True
        if apart:
            config["aot_inductor.package_constants_on_disk_format"] = "binary_blob"

        def change(kernels: str) -> str:
            return thrown_behind_regions(with_flag_of_each_call(kernels, folder))

        try:
            changed = code_changed(with_last_error, change)
            with changed as graphs, toolkit(folder) if device else nullcontext():
                path = torch._inductor.aoti_compile_and_package(
                    program, package_path=str(folder / "model.pt2"), inductor_configs=config
                )
        except Exception as error:
            raise failure(error, program, ENGINE) from error
        with zipfile.ZipFile(path) as package:
            return _canonical(package, weights, graphs[-1] if apart else None)


def _canonical(package: zipfile.ZipFile, weights: list[str] | None, graph: Any) -> bytes:
    """What the loader needs of a package, under names of ours, without times.

    graph: of a package whose weights are not in its shared object; else None.
    """
    names = package.namelist()
    (library,) = (name for name in names if name.endswith(".so"))
    stem = library.removesuffix(".so")
    metadata = json.loads(package.read(f"{stem}_metadata.json"))
    if weights is not None:
        metadata.update({WEIGHTS: "\n".join(weights), ROOT: "model."})
    apart = {}
    if graph is not None:
        blob = package.read(f"{stem}_weights.blob")
        metadata[KEY] = constant_table(graph, blob)
        if blob:  # torch's loader cannot map an empty one
            apart[WEIGHTS_FILE] = blob
    root = names[0].partition("/")[0]
    members = {
        # The loader finds the metadata beside a source, which need not be there if there is a library.
        f"{_FOLDER}model.wrapper.cpp": b"// Compiled already.\n",
        f"{_FOLDER}model.wrapper_metadata.json": json.dumps(metadata, sort_keys=True).encode(),
        f"{_FOLDER}model.wrapper.so": package.read(library),
    }
    for name in sorted(names):
        # Such as what to call for operations without a C interface.
        if "/data/" in name and not name.endswith((".cpp", ".so", "_metadata.json", "_weights.blob")):
            members[_renamed(name, root, stem)] = package.read(name)
    for name in ("archive_format", "archive_version", "byteorder", ".data/version"):
        members[f"model/{name}"] = package.read(f"{root}/{name}")
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
        for name, content in apart.items():
            info = zipfile.ZipInfo(name)
            info.extra = _padding(result.tell() + _LARGE_HEADER + len(name))
            with archive.open(info, "w", force_zip64=True) as member:
                member.write(content)
    return result.getvalue()


def _padding(start: int) -> bytes:
    """An extra field for the header of a member that would start there, so that it starts at a multiple of 64
    instead."""
    length = -(start + _EXTRA_FIELD.size) % ALIGNMENT
    return _EXTRA_FIELD.pack(b"FB", length) + bytes(length)


def _renamed(name: str, root: str, stem: str) -> str:
    """stem: of the library, after which what belongs to it is looked for."""
    if name.startswith(f"{stem}."):
        return f"{_FOLDER}model.wrapper{name.removeprefix(stem)}"
    return "model" + name.removeprefix(root)


def _weights(program: ExportedProgram) -> list[str]:
    """One line for each tensor of the state, with all of its names: a weight may have several."""
    lines: dict[Any, list[str]] = {}
    for name, tensor in sorted(program.state_dict.items()):
        view = (tensor.untyped_storage().data_ptr(), tensor.storage_offset(), *tensor.shape, *tensor.stride())
        lines.setdefault(view if tensor.numel() else name, []).append(name)
    return ["\t".join(names) for names in lines.values()]


def _digest(program: ExportedProgram) -> str:
    """What tells an exported program from others: its graphs, shapes and weights."""
    saved = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(program, saved)
    result = hashlib.sha256()
    with zipfile.ZipFile(saved) as archive:
        for name in sorted(archive.namelist()):
            if "/data/sample_inputs/" in name or name.endswith("/serialization_id"):
                continue
            content = archive.read(name)
            if "/models/" in name and name.endswith(".json"):
                content = json.dumps(_without_places(json.loads(content)), sort_keys=True).encode()
            result.update(f"{name} {len(content)} ".encode())
            result.update(content)
    for tensor in (program.example_inputs or ((),))[0]:
        result.update(f"{tensor.dtype} {tuple(tensor.shape)} {tensor.device} ".encode())
    return result.hexdigest()


def _without_places(value: Any) -> Any:
    """The graph without the lines of code that its nodes come from."""
    if isinstance(value, dict):
        return {key: _without_places(inner) for key, inner in value.items() if key != "metadata"}
    return [_without_places(inner) for inner in value] if isinstance(value, list) else value

"""Taking a compiled program out of an archive, for those who run it without kit."""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterable, Iterator

from kit.archive import Archive
from kit.binding import native as binding
from kit.errors import UnavailableError, UsageError
from kit.manifest import ALIGNMENT, ConstantInfo, Manifest, ProgramInfo, ProgramMethod
from kit.method import FORWARD
from kit.programs.compiler import header_folder
from kit.programs.parts import put_back
from kit.writing import check_destination, replacing

HEADER = "kit_program.h"
"""The name of the header that is written beside a native program."""

_ENGINES = ("native", "aoti")
_MARK = b"KITCONST"


def extract(
    archive: str | os.PathLike[str] | Archive,
    path: str | os.PathLike[str],
    program: str = "native",
    *,
    target: str | None = None,
    method: str = FORWARD,
    header: bool = False,
) -> str:
    """Write a method of a compiled program to a file of its own, and give the target that it is for.

    program: "native": a shared object with its constants, which whoever can call C can run; kit/program.h
        describes it. "aoti": a package (.pt2), as torch._inductor.aoti_load_package takes it.
    target: what the program is compiled for, as "x86-64-v3", also if this host cannot run it; if not given
        the best for this host, or the only one that there is.
    header: whether to write the C header too, as kit_program.h in the folder of `path`.

    Raises UsageError if there is no such program, target or method in kit or in the model, UnavailableError
    if this archive lacks it, or if the file cannot be written.
    """
    path = os.fspath(path)
    _check_engine(program, header)
    header_path = os.path.join(os.path.dirname(path), HEADER)
    destination = check_destination(path, archive.path if isinstance(archive, Archive) else archive)
    if header and check_destination(header_path) == destination:
        raise UsageError(f"{path}: the header is written there; name another file")
    opened = archive if isinstance(archive, Archive) else Archive(archive)
    found, held = _find(opened, program, target, method)
    if program == "native":
        _write(path, _with_constants(opened, held), 0o777)
    else:
        _write(path, _package(opened, held))
    if header:
        _write(header_path, [(header_folder() / "kit" / "program.h").read_bytes()])
    return found.target


def _check_engine(program: str, header: bool) -> None:
    if program == "torchscript":
        raise UsageError(
            "the program torchscript is the archive itself, which torch.jit.load reads as it is; copy the "
            "file, or extract native or aoti"
        )
    if program not in _ENGINES:
        raise UsageError(f"there is no program '{program}' to extract; give native or aoti")
    if header and program != "native":
        raise UsageError("the header describes native programs, and an aoti package has none; drop --header")


def _find(
    archive: Archive, engine: str, target: str | None, method: str
) -> tuple[ProgramInfo, ProgramMethod]:
    """The program, and what holds the method."""
    manifest = archive.manifest
    programs = [one for one in manifest.programs if one.engine == engine and one.methods] if manifest else []
    if manifest is None or not programs:
        raise UnavailableError(
            f"{archive.path}: the archive has no {engine} program; export the model again with --program "
            f"{engine}"
        )
    manifest.method(method)  # refuses one that the model has not
    found = _named(archive, programs, target) if target is not None else _best(archive, manifest, programs)
    if method not in found.methods:
        raise UnavailableError(
            f"{archive.path}: the {engine} program for {found.target} has no method '{method}'; it has "
            f"{', '.join(found.methods)}"
        )
    return found, found.methods[method]


def _named(archive: Archive, programs: list[ProgramInfo], target: str) -> ProgramInfo:
    if not re.fullmatch(r"x86-64-v[234]|cuda:sm_\d+", target):
        raise UsageError(
            f"there is no target '{target}'; the targets are x86-64-v2, x86-64-v3, x86-64-v4 and cuda:sm_NN"
        )
    for one in programs:
        if one.target == target:
            return one
    raise UnavailableError(
        f"{archive.path}: the archive has no {programs[0].engine} program for {target}; it has those for "
        f"{_targets(programs)}"
    )


def _best(archive: Archive, manifest: Manifest, programs: list[ProgramInfo]) -> ProgramInfo:
    """The one for the highest level of the CPU that this host has; else the only one."""
    statuses = zip(manifest.programs, binding.programs(archive._native), strict=True)
    run_here = [one for one, status in statuses if one in programs and not status.obstacle]
    on_cpu = [one for one in run_here if one.target.startswith("x86-64-v")]
    candidates = on_cpu or run_here or programs
    if on_cpu or len(candidates) == 1:
        return max(candidates, key=lambda one: one.target)
    what = "can run more than one" if run_here else "can run none"
    raise UsageError(
        f"{archive.path}: this host {what} of its {programs[0].engine} programs; say with --target which one "
        f"to extract: {_targets(programs)}"
    )


def _targets(programs: list[ProgramInfo]) -> str:
    return ", ".join(one.target for one in programs)


def _with_constants(archive: Archive, held: ProgramMethod) -> Iterator[bytes | memoryview]:
    """A shared object with its constants behind its end, as cpp/src/program/own_file.h describes it."""
    checksum = 0
    for part in _parts(archive, held):
        checksum = zlib.crc32(part, checksum)
        yield part
    yield struct.pack("<Q", checksum) + _MARK


def _package(archive: Archive, held: ProgramMethod) -> Iterator[memoryview]:
    """A package with the constants that the archive keeps elsewhere."""
    parts = [(one.at, _constant(archive, one)) for one in held.constants if one.at is not None]
    return put_back(memoryview(archive.member(held.member)), parts)


def _constant(archive: Archive, constant: ConstantInfo) -> memoryview:
    return memoryview(archive.member(constant.member))[constant.offset : constant.offset + constant.size]


def _parts(archive: Archive, held: ProgramMethod) -> Iterator[bytes | memoryview]:
    library = archive.member(held.member)
    yield library
    end, places = len(library), []
    for constant in held.constants:
        padding = -end % ALIGNMENT
        yield bytes(padding)
        yield _constant(archive, constant)
        places += [end + padding, constant.size]
        end += padding + constant.size
    yield struct.pack(f"<{len(places) + 1}Q", *places, len(held.constants))


def _write(path: str | os.PathLike[str], parts: Iterable[bytes | memoryview], mode: int = 0o666) -> None:
    with replacing(path, "extract", mode=mode) as file:
        for part in parts:
            file.write(part)

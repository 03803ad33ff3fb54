"""The programs that are compiled ahead of time, as they go into an archive beside the TorchScript program."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from kit.binding import native as binding
from kit.errors import TraceError, UsageError
from kit.manifest import ALIGNMENT, ConstantInfo, ProgramInfo, ProgramMethod
from kit.programs import aoti, native
from kit.programs.inductor import LEVELS
from kit.programs.parts import find_parts, listed_parts, without
from kit.prove import Prepared

FOLDER = "extra/kit/programs"
CONSTANTS = f"{FOLDER}/constants.bin"
DEFAULT_LEVEL = "x86-64-v3"
"""What programs for the CPU are compiled for, if not told: nearly every x86-64 since 2015 can run it. The
host does not count, so that every host makes the same archive."""
AUTO = "auto"

_STORAGE = re.compile(r"data/\d+")
_CUDA = re.compile(r"cuda:sm_\d+")


@dataclass(frozen=True)
class Made:
    """A compiled program, before it is known where its constants lie. methods: what was compiled, by name."""

    engine: str
    target: str
    methods: Mapping[str, native.NativeMethod | bytes]


def engines_of(programs: Sequence[str]) -> list[str]:
    """The engines to compile for: what is asked for without torchscript, which every archive has."""
    if AUTO in programs:
        return [native.ENGINE, aoti.ENGINE]
    return [one for one in (native.ENGINE, aoti.ENGINE) if one in programs]


def check_targets(engines: Sequence[str], targets: Sequence[str]) -> None:
    """Raise UsageError for a target that there is not, or that none of the engines is for."""
    if isinstance(targets, str):
        raise UsageError(f"targets is {targets!r}; give a list, as ('x86-64-v3',)")
    for target in targets:
        if target not in LEVELS and not _CUDA.fullmatch(target):
            raise UsageError(
                f"there is no target '{target}'; the targets are {', '.join(LEVELS)} and cuda:sm_NN, with "
                "the compute capability NN of a GPU"
            )
        if not engines:
            raise UsageError(
                f"the target {target} is for compiled programs; add the program native or aoti, or leave it "
                "out"
            )
        if _CUDA.fullmatch(target) and aoti.ENGINE not in engines:
            raise UsageError(f"native programs run on a CPU alone, not on {target}; add the program aoti")


def compile_programs(
    programs: Sequence[str], targets: Sequence[str], methods: Sequence[Prepared], device: str
) -> tuple[list[Made], list[str]]:
    """Compile what is asked for, for each target that an engine is for. Call it in evaluation mode.

    programs: names of engines; "auto" for all that can be made. targets: see `default_targets`. Also gives
    notes: which programs could not be made, where that is no error.

    Raises TraceError for a model that a program cannot be made of; with "auto" that is a note. Raises
    UnavailableError if there is no compiler, or it fails.
    """
    made: list[Made] = []
    notes: list[str] = []
    for engine in engines_of(programs):
        for target in targets or default_targets(engine, device):
            if engine == native.ENGINE and _CUDA.fullmatch(target):
                continue
            try:
                made.append(Made(engine, target, {one.name: _make(engine, target, one) for one in methods}))
            except TraceError as error:
                if AUTO not in programs:
                    raise
                notes.append(f"no program {engine} for {target}: {error}")
    return made, notes


def assemble(
    made: Sequence[Made], torchscript_members: Mapping[str, bytes | memoryview]
) -> tuple[list[ProgramInfo], dict[str, bytes]]:
    """How the manifest describes these programs, and the members that they need."""
    storages = _Storages(torchscript_members)
    programs: list[ProgramInfo] = []
    members: dict[str, bytes] = {}
    for one in made:
        described, files = _place(one, storages)
        programs.append(described)
        members.update(files)
    if storages.blob:
        members[CONSTANTS] = bytes(storages.blob)
    return programs, members


def not_compared(made: Sequence[Made], methods: Sequence[Prepared]) -> list[str]:
    """Notes of what is not compared in these programs."""
    if not any(one.engine == native.ENGINE for one in made):
        return []
    return [
        f"NaN was not compared in '{one.name}' of the program native: which numbers a Fourier transform "
        "makes NaN differs between libraries"
        for one in methods
        if one.transforms
    ]


def default_targets(engine: str, device: str) -> list[str]:
    """What an engine's program is compiled for on a device, if not told."""
    if engine == aoti.ENGINE and torch.device(device).type == "cuda":
        major, minor = torch.cuda.get_device_capability(torch.device(device))
        return [f"cuda:sm_{major}{minor}"]
    return [DEFAULT_LEVEL]


def _make(engine: str, target: str, method: Prepared) -> native.NativeMethod | bytes:
    eager, signature = method.model.eager, method.model.signature
    cases = [case.inputs for case in method.cases]
    if eager.seed is not None:
        raise TraceError(
            f"the program {engine} cannot be made: '{method.name}' draws random numbers, and a compiled "
            "program would draw others; use the program torchscript alone"
        )
    if engine == native.ENGINE:
        return native.compile_method(method.name, eager, signature, cases, target)
    return aoti.compile_method(eager, signature, cases, target)


def _place(made: Made, storages: _Storages) -> tuple[ProgramInfo, dict[str, bytes]]:
    members: dict[str, bytes] = {}
    methods: dict[str, ProgramMethod] = {}
    folder = f"{FOLDER}/{made.engine}-{made.target.replace(':', '-')}"
    for name, done in made.methods.items():
        if isinstance(done, native.NativeMethod):
            member = f"{folder}/{name}.so"
            members[member], constants = done.library, tuple(map(storages.place, done.constants))
        else:
            member = f"{folder}/{name}.pt2"
            members[member], constants = storages.cut(done, aoti.alignment(made.target))
        methods[name] = ProgramMethod(member, constants)
    version = torch.__version__.partition("+")[0]
    verified = not binding.obstacle_here(made.engine, made.target, version)
    return ProgramInfo(made.engine, made.target, version, verified, methods), members


class _Storages:
    """Where the constants of all programs are, each once: the TorchScript program's where it has the same."""

    def __init__(self, members: Mapping[str, bytes | memoryview]) -> None:
        self.blob = bytearray()
        self._members = members
        self._known = {
            _digest(data): ConstantInfo(name, 0, len(data))
            for name, data in sorted(members.items(), reverse=True)
            if _STORAGE.fullmatch(name) and len(data)
        }

    def place(self, constant: bytes) -> ConstantInfo:
        """Where a constant is, which is added if it is new."""
        digest = _digest(constant)
        if digest not in self._known:
            self.blob += bytes(-len(self.blob) % ALIGNMENT)
            self._known[digest] = ConstantInfo(CONSTANTS, len(self.blob), len(constant))
            self.blob += constant
        return self._known[digest]

    def cut(self, package: bytes, step: int) -> tuple[bytes, tuple[ConstantInfo, ...]]:
        """A package without constants that are elsewhere, and these with where they belong in it: those that
        are here already, and if the package says where its constants are all of them.

        step: the alignment of constants in it.
        """
        listed = listed_parts(package)
        if listed is not None:
            view = memoryview(package)
            constants = [replace(self.place(bytes(view[at : at + size])), at=at) for at, size in listed]
            return without(package, listed), tuple(constants)
        held = {**self._members, CONSTANTS: bytes(self.blob)}
        places = list(self._known.values())
        known = [memoryview(held[one.member])[one.offset : one.offset + one.size] for one in places]
        found = list(find_parts(package, known, step))
        rest = without(package, [(at, len(known[index])) for at, index in found])
        return rest, tuple(replace(places[index], at=at) for at, index in found)


def _digest(data: bytes | memoryview) -> bytes:
    return hashlib.sha256(data).digest()

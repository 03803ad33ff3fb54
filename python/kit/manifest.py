"""The contents of an archive: docs/archive-format.md describes it, manifest.schema.json checks it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kit.compare import Tolerance
from kit.configuration import Configuration
from kit.errors import ArchiveError, UsageError
from kit.fields import Fault, count, distinct, each, get, text
from kit.method import FORWARD, Method, read_methods
from kit.signature import Signature

FORMAT = 1
MEMBER = "extra/kit/manifest.json"
ENGINES = ("torchscript", "aoti", "native")


ALIGNMENT = 64
"""Constants start at a multiple of this, in bytes; so do the members in the file."""
_HOLDERS = {"native": "library", "aoti": "package"}  # the key that names the member of a compiled method


@dataclass(frozen=True)
class ConstantInfo:
    """One constant of a compiled program: `size` bytes of a member, from `offset` on.

    at: where it belongs in the package of an aoti program, in bytes; None for a native program.
    """

    member: str
    offset: int
    size: int
    at: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The constant as JSON values."""
        return {key: value for key, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class ProgramMethod:
    """One method of a compiled program.

    member: the shared object of a native program, the package of an aoti program.
    constants: those of a native program, in its order; of an aoti program those which the member lacks, in
        the order of where they belong in the package.
    """

    member: str
    constants: tuple[ConstantInfo, ...] = ()


@dataclass(frozen=True)
class ProgramInfo:
    """One executable form of the model: what it was compiled for, and the version of torch that made it.

    verified: whether the exporting host could run it against the golden cases.
    methods: what holds each method, by name; empty for torchscript.
    """

    engine: str
    target: str
    torch: str
    verified: bool = True
    methods: Mapping[str, ProgramMethod] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The program as JSON values."""
        named = {"engine": self.engine, "target": self.target, "torch": self.torch}
        if self.engine not in _HOLDERS:
            return named
        methods = {name: self._method_to_dict(method) for name, method in self.methods.items()}
        return {**named, "verified": self.verified, **({"methods": methods} if methods else {})}

    def _method_to_dict(self, method: ProgramMethod) -> dict[str, Any]:
        constants = [constant.to_dict() for constant in method.constants]
        given = {"constants": constants} if constants or self.engine == "native" else {}
        return {_HOLDERS[self.engine]: method.member, **given}


@dataclass(frozen=True)
class MemberInfo:
    """One member of the archive, without the root folder; `sha256` in lower-case hexadecimal digits."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What the archive holds: see the fields of format 1 in docs/archive-format.md.

    methods: `forward` first, the others by name. configuration: how to run the TorchScript program.
    """

    name: str
    methods: tuple[Method, ...]
    programs: tuple[ProgramInfo, ...]
    members: tuple[MemberInfo, ...]
    provenance: Mapping[str, str] = field(default_factory=dict)
    configuration: Configuration = field(default_factory=Configuration)

    @property
    def signature(self) -> Signature:
        """That of `forward`."""
        return self.method(FORWARD).signature

    @property
    def cases(self) -> int:
        """The number of golden cases of `forward`."""
        return self.method(FORWARD).cases

    @property
    def tolerances(self) -> Mapping[str, Tolerance]:
        """Those of `forward`, by dtype."""
        return self.method(FORWARD).tolerances

    def method(self, name: str) -> Method:
        """The method of that name. Raises UsageError that names those there are."""
        for method in self.methods:
            if method.name == name:
                return method
        names = ", ".join(method.name for method in self.methods)
        raise UsageError(f"the model '{self.name}' has no method '{name}'; give one that it has: {names}")

    def to_dict(self) -> dict[str, Any]:
        """The manifest as JSON values."""
        configuration = self.configuration.to_dict()
        others = {method.name: method.to_dict() for method in self.methods if method.name != FORWARD}
        return {
            "format": FORMAT,
            "name": self.name,
            **self.method(FORWARD).to_dict(),
            **({"methods": others} if others else {}),
            "programs": [program.to_dict() for program in self.programs],
            **({"configuration": configuration} if configuration else {}),
            "members": [vars(member) for member in self.members],
            "provenance": dict(self.provenance),
        }

    def to_json(self) -> str:
        """The text that goes into the archive: sorted keys, two spaces, one newline at the end."""
        return (
            json.dumps(self.to_dict(), ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False) + "\n"
        )

    @staticmethod
    def parse(document: str, where: str) -> Manifest:
        """Read the JSON text; `where` names the archive in messages.

        Raises ArchiveError if it is no manifest, or of a format newer than this kit reads.
        """
        try:
            root = json.loads(document, object_pairs_hook=_unique_keys, parse_constant=_no_constant)
            version = count(root, "format", "the manifest")
            if version > FORMAT:
                raise ArchiveError(
                    f"{where}: archive format {version} is newer than the {FORMAT} that this kit reads; "
                    "update kit"
                )
            if version < 1:
                raise Fault(f"'format' is {version}")
            return _read(root)
        except (Fault, UsageError) as fault:
            reason = str(fault)
        except (ValueError, RecursionError):
            reason = "it is no valid JSON"
        raise ArchiveError(f"{where}: bad manifest: {reason}; export the model again")


def _read(root: dict[str, Any]) -> Manifest:
    methods = read_methods(root)
    provenance = get(root, "provenance", dict, "the manifest")
    if not all(isinstance(value, str) for value in provenance.values()):
        raise Fault("a value of the provenance is no text")
    programs = each(root, "programs", _read_program, "the manifest")
    members = each(root, "members", _read_member, "the manifest")
    distinct("member", [member.name for member in members])
    if not programs or not members:
        raise Fault(f"there are no {'programs' if not programs else 'members'}")
    _check_programs(programs, methods, members)
    name, configuration = text(root, "name", "the manifest"), Configuration.parse(root)
    return Manifest(name, methods, programs, members, provenance, configuration)


def _read_program(root: Any) -> ProgramInfo:
    engine, target, torch = (text(root, key, "a program") for key in ("engine", "target", "torch"))
    if engine not in ENGINES:
        raise Fault(f"a program is for the unknown engine '{engine}'")
    if engine not in _HOLDERS:
        return ProgramInfo(engine, target, torch)
    what = f"the {engine} program for {target}"
    verified = get(root, "verified", bool, what) if "verified" in root else True
    # Without "methods" it has none that this kit could run.
    methods = {}
    for name, entry in (get(root, "methods", dict, what) if "methods" in root else {}).items():
        of = f"the method '{name}' of {what}"
        native = engine == "native"
        read = _read_constant if native else _read_part
        constants = each(entry, "constants", read, of) if native or "constants" in entry else ()
        methods[name] = ProgramMethod(text(entry, _HOLDERS[engine], of), constants)
    if "methods" in root and not methods:
        raise Fault(f"{what} has no methods")
    return ProgramInfo(engine, target, torch, verified, methods)


def _read_constant(root: Any) -> ConstantInfo:
    offset, size = count(root, "offset", "a constant"), count(root, "size", "a constant")
    return ConstantInfo(text(root, "member", "a constant"), offset, size)


def _read_part(root: Any) -> ConstantInfo:
    return replace(_read_constant(root), at=count(root, "at", "a constant"))


def _check_programs(
    programs: tuple[ProgramInfo, ...], methods: tuple[Method, ...], members: tuple[MemberInfo, ...]
) -> None:
    """Raise Fault where a program names what the manifest does not list."""
    distinct("program", [f"{program.engine} for {program.target}" for program in programs])
    names = [method.name for method in methods]
    sizes = {member.name: member.size for member in members}
    for program in programs:
        for name, method in program.methods.items():
            what = f"the method '{name}' of the {program.engine} program for {program.target}"
            if name not in names:
                raise Fault(f"{what} is none of the model's")
            if method.member not in sizes:
                raise Fault(f"{what} is in '{method.member}', which is not among the members")
            for constant in method.constants:
                _check_constant(constant, sizes, what)
            _check_places(method, sizes[method.member], what)


def _check_constant(constant: ConstantInfo, sizes: Mapping[str, int], what: str) -> None:
    if constant.member not in sizes:
        raise Fault(f"a constant of {what} is in '{constant.member}', which is not among the members")
    if constant.offset % ALIGNMENT != 0:
        raise Fault(f"a constant of {what} starts at {constant.offset}, no multiple of {ALIGNMENT}")
    if constant.offset + constant.size > sizes[constant.member]:
        raise Fault(f"a constant of {what} ends beyond '{constant.member}'")


def _check_places(method: ProgramMethod, size: int, what: str) -> None:
    """size: of the package without its constants."""
    end = constants = 0
    for constant in method.constants:
        if constant.at is None:
            continue
        if constant.at < end:
            raise Fault(f"a constant of {what} belongs at {constant.at}, within the one before it")
        if constant.at > size + constants:
            raise Fault(f"a constant of {what} belongs at {constant.at}, beyond the end of the package")
        end, constants = constant.at + constant.size, constants + constant.size


def _read_member(root: Any) -> MemberInfo:
    name = text(root, "name", "a member")
    digest = text(root, "sha256", f"member '{name}'")
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise Fault(f"member '{name}' has a sha256 that is not 64 hexadecimal digits")
    return MemberInfo(name, count(root, "size", f"member '{name}'"), digest)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise Fault(f"the key '{next(key for key in keys if keys.count(key) > 1)}' is there twice")
    return dict(pairs)


def _no_constant(name: str) -> float:
    raise Fault(f"{name} is no JSON number")

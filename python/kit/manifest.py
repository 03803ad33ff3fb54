"""The contents of an archive: docs/archive-format.md describes it, manifest.schema.json checks it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kit.compare import Tolerance
from kit.errors import ArchiveError, UsageError
from kit.signature import DTYPES, LARGEST, Dim, Signature, TensorSpec
from kit.structure import Call, leaf_indices

FORMAT = 1
MEMBER = "extra/kit/manifest.json"
ENGINES = ("torchscript", "aoti", "native")

T = TypeVar("T")


@dataclass(frozen=True)
class ProgramInfo:
    """One executable form of the model: what it was compiled for, and the version of torch that made it."""

    engine: str
    target: str
    torch: str


@dataclass(frozen=True)
class MemberInfo:
    """One member of the archive, without the root folder; `sha256` in lower-case hexadecimal digits."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What the archive holds: see the fields of format 1 in docs/archive-format.md."""

    name: str
    signature: Signature
    programs: tuple[ProgramInfo, ...]
    cases: int
    tolerances: Mapping[str, Tolerance]
    members: tuple[MemberInfo, ...]
    provenance: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The manifest as JSON values."""
        signature, call = self.signature, self.signature.call
        return {
            "format": FORMAT,
            "name": self.name,
            "signature": {
                "dims": {dim.name: {"min": dim.min, "max": dim.max} for dim in signature.dims},
                "inputs": [_spec_to_dict(spec) for spec in signature.inputs],
                "outputs": [_spec_to_dict(spec) for spec in signature.outputs],
                "structure": {
                    "args": call.args,
                    "kwargs": call.kwargs,
                    "output": call.output,
                    "parameters": list(call.parameters),
                },
            },
            "programs": [vars(program) for program in self.programs],
            "cases": {"count": self.cases},
            "tolerances": {name: vars(tolerance) for name, tolerance in self.tolerances.items()},
            "members": [vars(member) for member in self.members],
            "provenance": dict(self.provenance),
        }

    def to_json(self) -> str:
        """The text that goes into the archive: sorted keys, two spaces, one newline at the end."""
        return (
            json.dumps(self.to_dict(), ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False) + "\n"
        )

    @staticmethod
    def parse(text: str, where: str) -> Manifest:
        """Read the JSON text; `where` names the archive in messages.

        Raises ArchiveError if it is no manifest, or of a format newer than this kit reads.
        """
        try:
            root = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant)
            version = _count(root, "format", "the manifest")
            if version > FORMAT:
                raise ArchiveError(
                    f"{where}: archive format {version} is newer than the {FORMAT} that this kit reads; "
                    "update kit"
                )
            if version < 1:
                raise _Fault(f"'format' is {version}")
            return _read(root)
        except (_Fault, UsageError) as fault:
            reason = str(fault)
        except (ValueError, RecursionError):
            reason = "it is no valid JSON"
        raise ArchiveError(f"{where}: bad manifest: {reason}; export the model again")


class _Fault(Exception):
    """What is wrong with a manifest; `Manifest.parse` adds where."""


def _spec_to_dict(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)}


def _read(root: dict[str, Any]) -> Manifest:
    signature = _read_signature(_get(root, "signature", dict, "the manifest"))
    tolerances = {}
    for dtype, pair in _get(root, "tolerances", dict, "the manifest").items():
        if dtype not in DTYPES:
            raise _Fault(f"a tolerance is for the unknown dtype '{dtype}'")
        what = f"the tolerance of {dtype}"
        tolerances[dtype] = Tolerance(_number(pair, "rtol", what), _number(pair, "atol", what))
    cases = _count(_get(root, "cases", dict, "the manifest"), "count", "'cases'")
    provenance = _get(root, "provenance", dict, "the manifest")
    if not all(isinstance(value, str) for value in provenance.values()):
        raise _Fault("a value of the provenance is no text")
    programs = _list(root, "programs", _read_program)
    members = _list(root, "members", _read_member)
    _distinct("member", [member.name for member in members])
    if not programs or not members:
        raise _Fault(f"there are no {'programs' if not programs else 'members'}")
    name = _text(root, "name", "the manifest")
    return Manifest(name, signature, programs, cases, tolerances, members, provenance)


def _read_signature(root: dict[str, Any]) -> Signature:
    dims = []
    for name, bounds in _get(root, "dims", dict, "the signature").items():
        dims.append(Dim(name, _count(bounds, "min", f"dim '{name}'"), _count(bounds, "max", f"dim '{name}'")))
    inputs = _list(root, "inputs", _read_spec)
    outputs = _list(root, "outputs", _read_spec)
    _distinct("input", [spec.name for spec in inputs])
    _distinct("output", [spec.name for spec in outputs])
    known = {dim.name for dim in dims}
    for spec in (*inputs, *outputs):
        for entry in spec.shape:
            if isinstance(entry, str) and entry not in known:
                raise _Fault(f"'{spec.name}' names the dim '{entry}', which is not declared")
    return Signature(inputs, outputs, tuple(dims), _read_call(root, len(inputs), len(outputs)))


def _read_spec(root: Any) -> TensorSpec:
    name = _text(root, "name", "an input or output")
    dtype = _text(root, "dtype", f"'{name}'")
    if dtype not in DTYPES:
        raise _Fault(f"'{name}' has the unknown dtype '{dtype}'")
    shape = _get(root, "shape", list, f"'{name}'")
    for entry in shape:
        if not isinstance(entry, str) and not (type(entry) is int and 0 <= entry <= LARGEST):
            raise _Fault(f"'{name}' has the size {entry!r}")
    return TensorSpec(name, dtype, tuple(shape))


def _read_call(root: dict[str, Any], inputs: int, outputs: int) -> Call:
    structure = _get(root, "structure", dict, "the signature")
    args = _get(structure, "args", dict, "the structure")
    kwargs = _get(structure, "kwargs", dict, "the structure")
    output = _get(structure, "output", dict, "the structure")
    if "tuple" not in args or "dict" not in kwargs:
        raise _Fault("the arguments of the structure are no tuple, or the keyword arguments no dict")
    parameters = structure.get("parameters", [])
    if not isinstance(parameters, list) or not all(isinstance(name, str) for name in parameters):
        raise _Fault("'parameters' of the structure is no list of texts")
    try:
        leaves = [sorted(leaf_indices(args) + leaf_indices(kwargs)), sorted(leaf_indices(output))]
    except ValueError as error:
        raise _Fault(str(error)) from None
    if leaves != [list(range(inputs)), list(range(outputs))]:
        raise _Fault("the structure does not have each input and each output once")
    return Call(args, kwargs, output, tuple(parameters))


def _read_program(root: Any) -> ProgramInfo:
    program = ProgramInfo(*(_text(root, key, "a program") for key in ("engine", "target", "torch")))
    if program.engine not in ENGINES:
        raise _Fault(f"a program is for the unknown engine '{program.engine}'")
    return program


def _read_member(root: Any) -> MemberInfo:
    name = _text(root, "name", "a member")
    digest = _text(root, "sha256", f"member '{name}'")
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise _Fault(f"member '{name}' has a sha256 that is not 64 hexadecimal digits")
    return MemberInfo(name, _count(root, "size", f"member '{name}'"), digest)


def _get(root: Any, key: str, kind: type[T], what: str) -> T:
    if not isinstance(root, dict):
        raise _Fault(f"{what} is no object")
    if key not in root:
        raise _Fault(f"{what} has no '{key}'")
    value = root[key]
    if type(value) is not kind:
        raise _Fault(f"'{key}' of {what} has the wrong type")
    return value


def _text(root: Any, key: str, what: str) -> str:
    value = _get(root, key, str, what)
    if not value:
        raise _Fault(f"'{key}' of {what} is empty")
    return value


def _count(root: Any, key: str, what: str) -> int:
    value = _get(root, key, int, what)
    if not 0 <= value <= LARGEST:
        raise _Fault(f"'{key}' of {what} is {value}")
    return value


def _number(root: Any, key: str, what: str) -> float:
    if isinstance(root, dict) and type(root.get(key)) is int:
        return float(root[key])
    return _get(root, key, float, what)


def _list(root: Any, key: str, read: Callable[[Any], T]) -> tuple[T, ...]:
    return tuple(read(item) for item in _get(root, key, list, "the manifest"))


def _distinct(kind: str, names: list[str]) -> None:
    name, times = max(Counter(names).items(), key=lambda item: item[1], default=("", 0))
    if times > 1:
        raise _Fault(f"the {kind} '{name}' is listed twice")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise _Fault(f"the key '{next(key for key in keys if keys.count(key) > 1)}' is there twice")
    return dict(pairs)


def _no_constant(name: str) -> float:
    raise _Fault(f"{name} is no JSON number")

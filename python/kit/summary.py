"""The few lines with which an export ends."""

from __future__ import annotations

from kit.archive import size_text
from kit.exporter import Exported
from kit.manifest import ProgramInfo
from kit.method import Method
from kit.replay import known_manifest
from kit.signature import TensorSpec


def summary(done: Exported) -> str:
    """Path, size, signature, programs, cases, the sizes tried, the worst difference, and what was special."""
    archive, report = done.archive, done.report
    manifest = known_manifest(archive)
    several = len(manifest.methods) > 1
    cases = ", ".join(f"{one.name} {one.cases}" if several else str(one.cases) for one in manifest.methods)
    rows = [("signature", _signature(one, several)) for one in manifest.methods]
    rows += [
        ("programs", ", ".join(map(_program, manifest.programs))),
        ("cases", f"{cases}, replayed: {', '.join(report.columns)}"),
        ("difference", f"{report.worst} from eager"),
    ]
    tried = dict.fromkeys(_tried(one) for one in manifest.methods if one.signature.dims)
    rows[-1:-1] = [("tried", text) for text in tried]
    rows += [("compiled", f"{part}: the rest is traced") for part in done.compiled]
    rows += [("note", note) for note in done.notes]
    head = f"{archive.path}  {size_text(archive.size)}"
    return "\n".join([head, *(f"  {key:<11}{row}" for key, row in rows)])


def _program(one: ProgramInfo) -> str:
    target = "" if one.target == "any" else f" {one.target}"
    return f"{one.engine}{target} (torch {one.torch}{'' if one.verified else ', unverified'})"


def _signature(method: Method, several: bool) -> str:
    signature = method.signature
    dims = "".join(f"; {dim}" for dim in signature.dims)
    name = method.name if several else ""
    return f"{name}({_listed(signature.inputs)}) → ({_listed(signature.outputs)}){dims}"


def _tried(method: Method) -> str:
    """The sizes at which the program was compared with the eager model."""
    return "; ".join(f"{name} = {', '.join(map(str, sizes))}" for name, sizes in method.tried.items())


def _listed(specs: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"{spec.name}: {spec}" for spec in specs)

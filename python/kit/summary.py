"""The few lines with which an export ends."""

from __future__ import annotations

from kit.archive import Archive, size_text
from kit.replay import known_manifest
from kit.report import ParityReport
from kit.signature import TensorSpec


def summary(archive: Archive, report: ParityReport) -> str:
    """Path, size, signature, programs, cases and the worst difference."""
    manifest = known_manifest(archive)
    signature = manifest.signature
    dims = "".join(f"; {dim}" for dim in signature.dims)
    rows = {
        "signature": f"({_listed(signature.inputs)}) → ({_listed(signature.outputs)}){dims}",
        "programs": ", ".join(f"{one.engine} (torch {one.torch})" for one in manifest.programs),
        "cases": f"{manifest.cases}, replayed: {', '.join(report.columns)}",
        "difference": f"{report.worst} from eager",
    }
    return "\n".join(
        [f"{archive.path}  {size_text(archive.size)}", *(f"  {key:<11}{row}" for key, row in rows.items())]
    )


def _listed(specs: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"{spec.name}: {spec}" for spec in specs)

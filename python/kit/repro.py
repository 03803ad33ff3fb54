"""Writing the folder that shows a difference of fused outputs by itself."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors.torch
import torch

import kit
from kit.cpu import cpu_name
from kit.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from kit._native import Bisection as Found
    from kit.bisecting import Bisection

PAGE = """\
# Fused outputs differ

`{path}`: {place}: the outputs with fusion differ from those without:
{reason}; finite ones by {difference:.3g} at most.

The cause is group {group} ({name}), operation {operation}.

Here is what shows it alone, without the model: {operations}.

    python repro.py

needs torch alone. It runs `program.pt` with fusion off, then three times with fusion on, prints the largest
differences, and exits with 1 if one is beyond the tolerance, else with 0.

| file | what |
|---|---|
| program.pt | these operations as a TorchScript file; `torch.jit.load` reads it |
| graph.txt | the same as torch prints it |
| inputs.safetensors | what they got in the model; `versions.json` has the strides |
| versions.json | versions, device, configuration and tolerances under which it was found |
| repro.py | shows the difference |
"""


def check_folder(folder: Path) -> None:
    """Raise UsageError if the folder is there, or what it is to be in is not, UnavailableError if it cannot
    be made."""
    if os.path.lexists(folder):
        raise UsageError(f"{folder} is there already; remove it, or give another folder with -o")
    parent = folder.absolute().parent
    if not parent.is_dir():
        raise UsageError(f"{folder} cannot be written: there is no folder {parent}; make it first")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UnavailableError(f"{folder} cannot be written: {parent} is not writable; give another with -o")


def write_repro(
    folder: Path, report: Bisection, found: Found, tolerances: Mapping[str, tuple[float, float]]
) -> None:
    """Write all files, or none. Raises UnavailableError if that fails."""
    try:
        temporary = Path(tempfile.mkdtemp(dir=folder.absolute().parent, prefix=f".{folder.name}."))
        try:
            _write(temporary, report, found, tolerances)
            temporary.chmod(0o755)
            if os.path.lexists(folder):
                raise UsageError(f"{folder} is there by now; remove it, or give another folder with -o")
            temporary.rename(folder)
        except BaseException:
            shutil.rmtree(temporary)
            raise
    except OSError as error:
        raise UnavailableError(
            f"{folder} cannot be written: {error.strerror}; make room, or give another folder with -o"
        ) from error


def _write(
    folder: Path, report: Bisection, found: Found, tolerances: Mapping[str, tuple[float, float]]
) -> None:
    assert found.program is not None
    assert found.graph is not None
    inputs = found.inputs
    named = {f"input{index}": tensor.contiguous().cpu() for index, tensor in enumerate(inputs)}
    (folder / "inputs.safetensors").write_bytes(safetensors.torch.save(named))
    (folder / "program.pt").write_bytes(found.program)
    (folder / "graph.txt").write_text(found.graph)
    facts = {
        "torch": torch.__version__,
        "kit": kit.__version__,
        "python": platform.python_version(),
        "device": report.device,
        "processor": _processor(report.device),
        "configuration": report.configuration.to_dict(),
        "operations": [one.operation for one in report.repro],
        "dynamic": report.repro_dynamic,
        "strides": [list(tensor.stride()) for tensor in inputs],
        "tolerances": dict(tolerances),
    }
    (folder / "versions.json").write_text(json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
    (folder / "README.md").write_text(_page(report))
    shutil.copyfile(Path(__file__).with_name("fusion_repro.py"), folder / "repro.py")


def _page(report: Bisection) -> str:
    assert report.group is not None
    return PAGE.format(
        path=os.path.basename(report.path),
        place=report.place,
        reason=report.difference.reason,
        difference=report.difference.max_abs,
        group=report.group,
        name=report.groups[report.group].name,
        operation=report.operation,
        operations=", ".join(one.operation for one in report.repro),
    )


def _processor(device: str) -> str:
    """The name of the GPU, or of the CPU as far as the system tells it."""
    if device != "cpu":
        return torch.cuda.get_device_name(device)
    return cpu_name()

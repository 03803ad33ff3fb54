"""Export: from a recipe to a verified archive."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

import kit
from kit.archive import Archive, check_destination, member_infos, write_archive
from kit.cases import MEMBER as CASES_MEMBER
from kit.cases import Case, encode, make_cases
from kit.compare import tolerances_for
from kit.eager import Eager, module_of
from kit.errors import ParityError, UnavailableError, UsageError
from kit.manifest import ENGINES, Manifest, ProgramInfo
from kit.programs import torchscript
from kit.programs.canonical import canonical_members
from kit.recipe import Recipe, run_recipe
from kit.replay import TRACED, compare_ways, traced_in_python, verify_archive
from kit.report import ParityReport
from kit.runtime import Model
from kit.shapes import infer_signature
from kit.signature import Dim, Signature
from kit.state import evaluating, random_state_kept

_AVAILABLE = (torchscript.ENGINE,)


def export(
    model_or_recipe: Any,
    args: Any = None,
    path: str | os.PathLike[str] = "model.pt",
    programs: Sequence[str] = (torchscript.ENGINE,),
    *,
    kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
    dynamic: Mapping[str, Mapping[int, Dim]] | None = None,
    names: Mapping[str, Sequence[str]] | None = None,
    cases: int | Sequence[Any] | None = None,
    tolerances: Mapping[Any, Any] | None = None,
    seed: int | None = None,
    device: str | None = None,
) -> Archive:
    """Trace a model, write the archive, and verify it in the C++ engine.

    model_or_recipe: a model (an nn.Module, a function of tensors, a method of a module), with its example in
        `args`; or a `kit.Recipe`, a function that returns one, or "path.py:function".
    args: example arguments; a single tensor stands for a tuple of one. Not with a recipe, which has its own.
    path: the file to write.
    programs: which programs to put into the archive; this version makes "torchscript".
    device: where to trace and verify, "cpu" or "cuda:N"; by default where the model is.
    kwargs, name, dynamic, names, cases, tolerances, seed: as in `kit.Recipe`. What is given replaces what a
        recipe says.

    The model is traced in evaluation mode. Its training flags and the state of all random generators are as
    before at the end, also after an error; on another device a copy is traced.

    Raises UsageError for wrong arguments, TraceError if the model cannot be traced faithfully, ParityError
    if the program differs from the eager model on a golden case, UnavailableError for a device or a program
    that is not to be had. The file is then as it was before.
    """
    fields = {
        "kwargs": kwargs,
        "name": name,
        "dynamic": dynamic,
        "names": names,
        "cases": cases,
        "tolerances": tolerances,
        "seed": seed,
    }
    known = {key: value for key, value in fields.items() if value is not None}
    return export_with_report(model_or_recipe, args, path, programs, device=device, known=known)[0]


def export_with_report(
    model_or_recipe: Any,
    args: Any = None,
    path: str | os.PathLike[str] = "model.pt",
    programs: Sequence[str] = (torchscript.ENGINE,),
    *,
    device: str | None = None,
    known: Mapping[str, Any] | None = None,
) -> tuple[Archive, ParityReport]:
    """The same, and how far the programs are from the eager model on the golden cases.

    known: fields of `kit.Recipe`, which replace those of a recipe.
    """
    check_programs(programs)
    check_device(device)
    check_destination(path)
    with random_state_kept():
        recipe = _recipe(model_or_recipe, args, known or {})
        with evaluating(module_of(recipe.model)):
            eager = Eager(recipe, device)
            signature = infer_signature(eager, recipe)
            cases = make_cases(eager, signature, recipe)
            members = canonical_members(torchscript.trace(eager))
        members[CASES_MEMBER] = encode(signature, cases)
        manifest = _manifest(recipe, signature, len(cases), members)
        where = device or _device_of(eager)
        report = write_archive(path, members, manifest, lambda file: _check(file, manifest, cases, where))
    return Archive(path), replace(report, path=os.fspath(path))


def check_programs(programs: Sequence[str]) -> None:
    """Raise UsageError for an unknown program, UnavailableError for one that this version does not make."""
    if isinstance(programs, str) or not programs:
        raise UsageError(f"programs is {programs!r}; give a list of names, as ('torchscript',)")
    for program in programs:
        if program not in ENGINES:
            raise UsageError(f"there is no program '{program}'; the programs are {', '.join(ENGINES)}")
        if program not in _AVAILABLE:
            raise UnavailableError(
                f"this version of kit makes no '{program}' program; it has {', '.join(_AVAILABLE)}"
            )
    if torchscript.ENGINE not in programs:
        raise UsageError(f"an archive always has the program '{torchscript.ENGINE}'; add it")


def check_device(device: str | None) -> None:
    """Raise UsageError for a device that is none, UnavailableError for one that this host lacks."""
    if device is None:
        return
    try:
        parsed = torch.device(device)
    except RuntimeError:
        raise UsageError(f"'{device}' is no device; give cpu, cuda or cuda:N") from None
    if parsed.type not in ("cpu", "cuda"):
        raise UsageError(f"kit does not run on '{device}'; give cpu, cuda or cuda:N")
    if parsed.type == "cuda" and (parsed.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise UnavailableError(
            f"the device {device} is not here: torch finds {count} CUDA GPUs; give another, or cpu"
        )


def _recipe(model_or_recipe: Any, args: Any, known: Mapping[str, Any]) -> Recipe:
    is_model = module_of(model_or_recipe) is not None or (callable(model_or_recipe) and args is not None)
    if is_model:
        return Recipe(model_or_recipe, () if args is None else args, **known)
    if args is not None:
        raise UsageError("a recipe has its own example; give args only with a model")
    if isinstance(model_or_recipe, Recipe):
        return replace(model_or_recipe, **known)
    if isinstance(model_or_recipe, str) or callable(model_or_recipe):
        return replace(run_recipe(model_or_recipe), **known)
    kind = type(model_or_recipe).__name__
    raise UsageError(
        f"kit.export takes a model or a recipe, not a {kind}; give an nn.Module, a function or a kit.Recipe"
    )


def _manifest(
    recipe: Recipe, signature: Signature, count: int, members: Mapping[str, bytes | memoryview]
) -> Manifest:
    version = torch.__version__.partition("+")[0]
    provenance = {"kit": kit.__version__, "torch": version, "python": platform.python_version()}
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is not None:
        if not epoch.isdigit():
            raise UsageError(
                f"SOURCE_DATE_EPOCH={epoch} is no number of seconds; unset it or give a whole number"
            )
        provenance["created"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(epoch)))
    return Manifest(
        str(recipe.name),
        signature,
        (ProgramInfo(torchscript.ENGINE, torchscript.TARGET, version),),
        count,
        tolerances_for([spec.dtype for spec in signature.outputs], recipe.tolerances),
        member_infos(members),
        provenance,
    )


def _device_of(eager: Eager) -> str:
    tensors = list(eager.inputs.values()) + (
        list(eager.module.parameters()) if eager.module is not None else []
    )
    return str(tensors[0].device) if tensors else "cpu"


def _check(file: str, manifest: Manifest, cases: Sequence[Case], device: str) -> ParityReport:
    """Replay the golden cases on the written file, in Python and in C++; ParityError if one differs."""
    run = traced_in_python(file, device)
    results: dict[str, list[list[torch.Tensor]]] = {"eager": [case.outputs for case in cases], TRACED: []}
    for case in cases:
        try:
            results[TRACED].append(run([tensor.to(device) for tensor in case.inputs]))
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ParityError(
                f"{case.what}: the traced program fails where the eager model does not: {reason}; the trace "
                "holds only what ran on the example: make the model independent of the sizes, or leave "
                "these fixed"
            ) from error
    in_python = compare_ways(file, manifest, results, "eager")
    _refuse(in_python, cases)
    archive = Archive(file)
    in_cpp = verify_archive(archive, Model(archive, torchscript.ENGINE, device))
    _refuse(in_cpp, cases)
    rows = tuple(
        replace(row, differences={**row.differences, **other.differences}, first_values={})
        for row, other in zip(in_python.rows, in_cpp.rows, strict=True)
    )
    return replace(in_python, columns=(*in_python.columns, *in_cpp.columns), rows=rows)


def _refuse(report: ParityReport, cases: Sequence[Case]) -> None:
    for row in report.rows:
        for column, one in row.differences.items():
            if not one.within:
                raise ParityError(
                    f"{cases[row.case].what}, output '{row.output}': {column} differs from eager: "
                    f"{one.reason}; no archive was written: make the model deterministic and independent of "
                    "the example, or widen `tolerances` in the recipe"
                )

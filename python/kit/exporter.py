"""Export: from a recipe to a verified archive."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

import kit
from kit.archive import Archive, member_infos, write_archive
from kit.cases import encode, member_name
from kit.compare import tolerances_for
from kit.compiling import AUTO, assemble, check_targets, compile_programs, engines_of, not_compared
from kit.configuration import Configuration
from kit.eager import module_of, on_device
from kit.errors import UnavailableError, UsageError
from kit.guard import guarded
from kit.guards.check import check_allowed
from kit.manifest import ENGINES, Manifest, ProgramInfo
from kit.method import Method
from kit.precision import precision
from kit.programs import torchscript
from kit.programs.canonical import canonical
from kit.programs.devices import follow_inputs
from kit.programs.sources import MEMBER as SOURCES
from kit.programs.sources import sources_of
from kit.prove import Prepared, ProgramDiffers, prepare, prove
from kit.recipe import Method as RecipeMethod
from kit.recipe import Recipe, run_recipe
from kit.report import ParityReport
from kit.signature import Dim
from kit.state import evaluating, taking_turns
from kit.writing import check_destination


@dataclass(frozen=True)
class Exported:
    """What an export did: the archive, how far its programs are from the eager model on the golden cases,
    what was compiled because it branches, and what could not be compared."""

    archive: Archive
    report: ParityReport
    compiled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


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
    scalars: Sequence[str] | None = None,
    methods: Mapping[str, RecipeMethod] | None = None,
    training: bool | None = None,
    allow: Sequence[str] | None = None,
    on_branch: str | None = None,
    configuration: Configuration | None = None,
    device: str | torch.device | None = None,
    targets: Sequence[str] = (),
) -> Archive:
    """Trace a model, write the archive, and verify it in the C++ engine.

    model_or_recipe: a model (an nn.Module, a function of tensors, a method of a module), with its example in
        `args`; or a `kit.Recipe`, a function that returns one, or "path.py:function".
    args: example arguments; a single tensor stands for a tuple of one. Not with a recipe, which has its own.
    path: the file to write.
    programs: which programs to put into the archive: "native" and "aoti" are compiled ahead of time, and
        "torchscript" is always in it. "auto" takes all that can be made.
    targets: what they are compiled for: "x86-64-v2", "x86-64-v3" (the default), "x86-64-v4", and for aoti
        "cuda:sm_NN".
    device: where to trace and verify, "cpu" or "cuda:N"; by default where the model is.
    All others: as in `kit.Recipe`. What is given replaces what a recipe says.

    The model is traced in evaluation mode. Its training flags, its buffers and the state of all random
    generators are as before at the end, also after an error; on another device a copy is traced.
    Exports in several threads take turns, also with `kit.adopt`, `kit.lint`, `kit.parity`, `kit.layers` and
    `kit.compare_with_peers`. Other threads may use torch meanwhile, but not the model.

    Raises UsageError for wrong arguments, TraceError if the model cannot be traced faithfully, ParityError
    if C++ computes something else than the eager model, UnavailableError for a device that is not here, and
    if there is no compiler, or it fails. The file is then as it was before.
    """
    fields = {
        "kwargs": kwargs,
        "name": name,
        "dynamic": dynamic,
        "names": names,
        "cases": cases,
        "tolerances": tolerances,
        "seed": seed,
        "scalars": scalars,
        "methods": methods,
        "training": training,
        "allow": allow,
        "on_branch": on_branch,
        "configuration": configuration,
    }
    known = {key: value for key, value in fields.items() if value is not None}
    return export_with_report(
        model_or_recipe, args, path, programs, device=device, known=known, targets=targets
    ).archive


def export_with_report(
    model_or_recipe: Any,
    args: Any = None,
    path: str | os.PathLike[str] = "model.pt",
    programs: Sequence[str] = (torchscript.ENGINE,),
    *,
    device: str | torch.device | None = None,
    known: Mapping[str, Any] | None = None,
    targets: Sequence[str] = (),
) -> Exported:
    """The same, and what there is to say of it.

    known: fields of `kit.Recipe`, which replace those of a recipe.
    """
    check_programs(programs)
    check_targets(engines_of(programs), targets)
    targets = tuple(dict.fromkeys(targets))
    device = check_device(device)
    recipe_file = model_or_recipe.rpartition(":")[0] if isinstance(model_or_recipe, str) else None
    check_destination(path, recipe_file)
    with taking_turns(), ExitStack() as stack:
        recipe = as_recipe(model_or_recipe, args, known or {})
        check_allowed(recipe.allow)
        stack.enter_context(precision(recipe.configuration.tf32))
        with evaluating(module_of(recipe.model)):
            if device is not None:
                recipe = on_device(recipe, device)
            methods = [prepare(name, guarded(one)) for name, one in recipe.by_method().items()]
            program = _program(methods)
            where = device or methods[0].model.eager.device
            follow_inputs(program, torch.device(where))
            members, written = canonical(program)
            made, notes = compile_programs(programs, targets, methods, where)
        for one in methods:
            members[member_name(one.name)] = encode(one.model.signature, one.cases)
        sources = sources_of(program, written, [one.name for one in methods])
        if sources is not None:
            members[SOURCES] = sources
        while True:
            compiled, files = assemble(made, members)
            all_members = {**members, **files}
            manifest = _manifest(recipe, methods, all_members, compiled)
            proof = partial(prove, manifest=manifest, methods=methods, device=where)
            try:
                report = write_archive(path, all_members, manifest, proof)
                break
            except ProgramDiffers as error:
                if AUTO not in programs:
                    raise
                made = [one for one in made if (one.engine, one.target) != error.program]
                notes.append(f"no program {' for '.join(error.program)}: {error.problem}")
    return Exported(
        Archive(path),
        replace(report, path=os.fspath(path)),
        tuple(str(part) for one in methods for part in one.model.branches.scripted),
        (*(note for one in methods for note in one.notes), *notes, *not_compared(made, methods)),
    )


def _program(methods: Sequence[Prepared]) -> torch.jit.ScriptModule:
    """The program with all methods, to be changed freely: what is compiled is the caller's, so it is copied.

    Only a single method can have the form of the model itself.
    """
    if len(methods) == 1:
        program: torch.jit.ScriptModule = methods[0].model.program()
    else:
        with ExitStack() as stack:
            for one in methods:
                stack.enter_context(one.model.branches.installed())
            program = torchscript.trace_methods({one.name: one.model.eager for one in methods})
    scripted = any(isinstance(part, torch.jit.ScriptModule) for part in _parts(methods))
    return torchscript.copied(program) if scripted else program


def _parts(methods: Sequence[Prepared]) -> Iterator[torch.nn.Module]:
    """The modules that were given, and those that were compiled from them."""
    for one in methods:
        with one.model.branches.installed():
            if one.model.eager.module is not None:
                yield from one.model.eager.module.modules()


def check_programs(programs: Sequence[str]) -> None:
    """Raise UsageError for an unknown program."""
    if isinstance(programs, str) or not programs:
        raise UsageError(f"programs is {programs!r}; give a list of names, as ('torchscript', 'native')")
    for program in programs:
        if program not in (*ENGINES, AUTO):
            raise UsageError(
                f"there is no program '{program}'; the programs are {', '.join(ENGINES)}, or auto"
            )


def check_device(device: str | torch.device | None) -> str | None:
    """The device's name. Raises UsageError for one that is none, UnavailableError for one that this host
    lacks."""
    if device is None:
        return None
    device = str(device)
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
    return device


def as_recipe(model_or_recipe: Any, args: Any = None, known: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe that is given, that the given function or name makes, or that has the given model.

    known: fields that replace those of the recipe. Raises UsageError for what is neither.
    """
    known = known or {}
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
    recipe: Recipe,
    methods: Sequence[Prepared],
    members: Mapping[str, bytes | memoryview],
    compiled: Sequence[ProgramInfo],
) -> Manifest:
    described = tuple(
        Method(
            one.name,
            one.model.signature,
            len(one.cases),
            tolerances_for([spec.dtype for spec in one.model.signature.outputs], recipe.tolerances),
            one.model.eager.seed,
            one.tried,
            one.rows_depend,
        )
        for one in methods
    )
    version = torch.__version__.partition("+")[0]
    programs = (ProgramInfo(torchscript.ENGINE, torchscript.TARGET, version), *compiled)
    infos = member_infos(members)
    return Manifest(str(recipe.name), described, programs, infos, provenance(), recipe.configuration)


def provenance() -> dict[str, str]:
    """Versions of what makes an archive, and the time only if SOURCE_DATE_EPOCH gives it."""
    version = torch.__version__.partition("+")[0]
    made = {"kit": kit.__version__, "torch": version, "python": platform.python_version()}
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is not None:
        if not epoch.isdigit():
            raise UsageError(
                f"SOURCE_DATE_EPOCH={epoch} is no number of seconds; unset it or give a whole number"
            )
        made["created"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(epoch)))
    return made

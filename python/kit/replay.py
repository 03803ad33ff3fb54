"""Comparing every way to run an archive: with its golden cases, and with the eager model."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from kit.archive import Archive
from kit.binding import native
from kit.compare import Tolerance, default_tolerance
from kit.configuration import DEFAULTS, Configuration
from kit.eager import Eager, module_of, on_device
from kit.errors import ArchiveError, InputError, UsageError
from kit.manifest import Manifest
from kit.method import FORWARD, Method
from kit.precision import precision
from kit.predictor import run_predictor
from kit.programs import aoti
from kit.programs.deprecation import torchscript_deprecation_ignored
from kit.programs.torchscript import ENGINE as TORCHSCRIPT
from kit.recipe import Recipe, run_recipe
from kit.report import Difference, ParityReport, Row, worst_of
from kit.runtime import Model
from kit.signature import Signature
from kit.state import evaluating, random_state_kept, taking_turns

EAGER = "eager"
TRACED = "traced in Python"
PREDICTOR = "predictor (C++)"
NATIVE = "native"
RUNS = 3
"""How often each case runs in turn: a program that is compiled while it runs may differ from the 2nd on."""

Run = Callable[[Sequence[Tensor]], list[Tensor]]


def verify(
    path: str | os.PathLike[str],
    engine: str = "auto",
    device: str | torch.device = "cpu",
    method: str | None = None,
    configuration: Configuration = DEFAULTS,
) -> ParityReport:
    """Replay the golden cases of an archive in the C++ engine, and compare with the eager outputs in it.

    method: the one to replay; all that the archive has, if not given.
    configuration: how the TorchScript engine runs it; the report says how it ran.

    A difference is in the report and raises nothing. A program that the exporting host could not run stays
    unverified: only `predictor verify` notes that it has passed here. Raises ArchiveError if the file is no
    sound archive or has no golden cases, UsageError if it has no such method, UnavailableError if the host
    lacks the engine or the device.
    """
    archive = Archive(path)
    manifest = known_manifest(archive)
    methods = manifest.methods if method is None else (manifest.method(method),)
    # All models stay until the last is done, so that the weights are loaded once.
    models = [Model(archive, engine, device, one.name, configuration) for one in methods]
    return _together([verify_archive(archive, model) for model in models])


def _together(reports: Sequence[ParityReport]) -> ParityReport:
    """The reports of an archive's methods as one."""
    rows = tuple(row for report in reports for row in report.rows)
    return replace(reports[0], cases=sum(report.cases for report in reports), rows=rows)


def verify_archive(archive: Archive, model: Model) -> ParityReport:
    """The same for an archive that is opened, and one method of it that is loaded."""
    with random_state_kept():
        report = native.verify(model._native, archive._native)
    column = model.label
    outputs = [expected for _, expected in archive.cases(model.method)]
    signature = known_manifest(archive).method(model.method).signature
    index = {spec.name: i for i, spec in enumerate(signature.outputs)}
    rows = [
        Row(
            one.case_index,
            one.output,
            shape_text(outputs[one.case_index][index[one.output]]),
            {column: plain_difference(one.difference)},
            method=model.method,
        )
        for one in report.results
    ]
    return ParityReport(
        archive.path,
        (column,),
        report.cases,
        tuple(rows),
        engine=report.engine,
        configuration=model.configuration,
    )


def parity(
    recipe: Recipe | Callable[[], object] | str,
    path: str | os.PathLike[str],
    engine: str = "auto",
    device: str | torch.device = "cpu",
    configuration: Configuration = DEFAULTS,
) -> ParityReport:
    """Run the golden inputs of an archive through every way there is, and compare with the eager model.

    The ways are the eager model, the TorchScript program in Python, each program that this host can run in
    C++ (of `engine` alone, if that is given), and `predictor` with the one that it takes by itself. Each case
    runs three times in turn, but once in predictor, which is a new process each time. C++ runs with the
    configuration, the program in Python as plain torch runs it, but with the same precision of cuDNN. A
    recipe that is given as a function or by name is run, which may train the model once more. All methods of
    the archive are compared.

    Raises UsageError if the recipe's model takes or returns something else than the archive's, or lacks a
    method of it, UnavailableError if there is no predictor, or if the host lacks the engine or the device.
    """
    device = str(device)
    archive = Archive(path)
    manifest = known_manifest(archive)
    # Before the recipe is run, which may take long: a device that is not here is found at once.
    models = [_models(archive, engine, device, one.name, configuration) for one in manifest.methods]
    reports = []
    with taking_turns():
        recipe = recipe if isinstance(recipe, Recipe) else run_recipe(recipe)
        with evaluating(module_of(recipe.model)), precision(models[0][0].configuration.tf32):
            recipes = on_device(recipe, device).by_method()
            for method, programs in zip(manifest.methods, models, strict=True):
                eager = eager_of(recipes, method, archive.path)
                results = _run_all(archive, method, eager, programs, device)
                report = compare_runs(archive.path, manifest, results, EAGER, method.name)
                reports.append(_with_configuration(report, programs))
    return _together(reports)


def _models(
    archive: Archive, engine: str, device: str, method: str, configuration: Configuration
) -> list[Model]:
    """A method in each program to compare: the one that is taken by itself, then the others that run here."""
    best = Model(archive, engine, device, method, configuration)
    if engine != "auto":
        return [best]
    taken = (best.engine, best.target)
    others = []
    for one in native.programs(archive._native):
        fits = one.engine == TORCHSCRIPT or (aoti.device_for(one.target, device) or "cpu") == device
        if (one.engine, one.target) != taken and not one.obstacle and fits:
            own = configuration if one.engine == TORCHSCRIPT else Configuration(tf32=configuration.tf32)
            others.append(Model(archive, one.engine, device, method, own, target=one.target))
    return [best, *others]


def _with_configuration(report: ParityReport, models: Sequence[Model]) -> ParityReport:
    """With how the TorchScript program ran, if it did."""
    for model in models:
        if model.engine == TORCHSCRIPT:
            return replace(report, engine=model.engine, configuration=model.configuration)
    return replace(report, engine=models[0].engine, configuration=models[0].configuration)


Results = dict[str, list[list[list[Tensor]]]]
"""By way, then by case, then by run, the outputs."""


def _run_all(archive: Archive, method: Method, eager: Eager, models: Sequence[Model], device: str) -> Results:
    """Outputs of every way for each golden case of a method, run by run."""
    ways: dict[str, Run] = {
        EAGER: lambda given: eager.run(given, "a golden case"),
        TRACED: traced_in_python(archive.path, device, method.name),
        PREDICTOR: _in_predictor(archive, method, models[0], device),
        **{model.label: partial(predict_with, model) for model in models},
    }
    results: Results = {name: [] for name in ways}
    for given, _ in archive.cases(method.name):
        for name, run in ways.items():
            outputs = []
            for _ in range(1 if name in (EAGER, PREDICTOR) else RUNS):
                if method.seed is not None:
                    torch.manual_seed(method.seed)
                outputs.append(run([tensor.to(device) for tensor in given]))
            results[name].append(outputs)
    return results


def predict_with(model: Model, given: Sequence[Tensor]) -> list[Tensor]:
    """Flat outputs of a model for flat inputs."""
    return model.predict(list(given))


def compare_ways(
    path: str,
    manifest: Manifest,
    results: dict[str, list[list[Tensor]]],
    expected: str,
    method: str = FORWARD,
) -> ParityReport:
    """A report of a method's outputs of each case by way, against those of the way `expected`."""
    once = {name: [[outputs] for outputs in cases] for name, cases in results.items()}
    report = compare_runs(path, manifest, once, expected, method)
    return replace(report, rows=tuple(replace(row, runs={}) for row in report.rows))


def compare_runs(
    path: str, manifest: Manifest, results: Results, expected: str, method: str = FORWARD
) -> ParityReport:
    """The same for ways that ran each case several times, against the first run of the way `expected`."""
    columns = tuple(name for name in results if name != expected)
    known = manifest.method(method)
    rows = []
    for case, (wanted, *_) in enumerate(results[expected]):
        for index, spec in enumerate(known.signature.outputs):
            tolerance = known.tolerances.get(spec.dtype, default_tolerance(spec.dtype))
            runs = {
                name: tuple(difference(run[index], wanted[index], tolerance) for run in results[name][case])
                for name in columns
            }
            rows.append(
                Row(
                    case,
                    spec.name,
                    shape_text(wanted[index]),
                    {name: worst_of(differences) for name, differences in runs.items()},
                    {name: _first_value(cases[case][0][index]) for name, cases in results.items()},
                    method,
                    runs,
                )
            )
    return ParityReport(path, columns, len(results[expected]), tuple(rows), expected)


def traced_in_python(path: str, device: str, method: str = FORWARD) -> Run:
    """A method of the TorchScript program of an archive as plain torch runs it."""
    with torchscript_deprecation_ignored():
        module = torch.jit.load(path, map_location=device)  # type: ignore[no-untyped-call]
    program = getattr(module, method)

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        with torch.no_grad(), warnings.catch_warnings():
            # On a GPU: a module that is loaded has them in pieces. Kit's engine moves them together.
            warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")
            result: Any = program(*[tensor.clone() for tensor in inputs])
        return list(result) if isinstance(result, tuple) else [result]

    return run


def _in_predictor(archive: Archive, method: Method, model: Model, device: str) -> Run:
    signature = method.signature
    configuration = model.configuration
    if model.engine != NATIVE and configuration.threads is None:
        configuration = replace(configuration, threads=torch.get_num_threads())

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        named = dict(zip([spec.name for spec in signature.inputs], inputs, strict=True))
        outputs = run_predictor(
            archive.path,
            named,
            engine=model.engine,
            device=device,
            configuration=configuration,
            method=method.name,
            seed=method.seed,
        )
        return [outputs[spec.name] for spec in signature.outputs]

    return run


def difference(actual: Tensor, expected: Tensor, tolerance: Tolerance) -> Difference:
    """How far a tensor is from the expected one, as the C++ core sees it."""
    return plain_difference(
        native.compare(actual.detach().cpu(), expected.detach().cpu(), tolerance.rtol, tolerance.atol)
    )


def plain_difference(one: native.Difference) -> Difference:
    """The C++ value as a Python one."""
    return Difference(one.within, one.bit_equal, one.max_abs, one.max_rel, one.reason, one.max_ulp)


def known_manifest(archive: Archive) -> Manifest:
    """The manifest. Raises ArchiveError if there is none, and so nothing to compare with."""
    if archive.manifest is None:
        raise ArchiveError(
            f"{archive.path}: it has no manifest, hence no golden cases; write an archive that has with "
            "python -m kit.export"
        )
    return archive.manifest


def shape_text(tensor: Tensor) -> str:
    """ "float32[8, 3]"."""
    return f"{str(tensor.dtype).removeprefix('torch.')}[{', '.join(map(str, tensor.shape))}]"


def eager_of(recipes: Mapping[str, Recipe], method: Method, path: str) -> Eager:
    """The eager model of a method of the archive at that path.

    recipes: by method. Raises UsageError if they lack it, or are those of another model.
    """
    if method.name not in recipes:
        raise UsageError(
            f"{path} has the method '{method.name}', which the recipe has not; give the recipe of this "
            "archive"
        )
    eager = Eager(recipes[method.name])
    _check_same_model(eager, method.signature, path)
    eager.seed = method.seed
    return eager


def _check_same_model(eager: Eager, signature: Signature, path: str) -> None:
    try:
        signature.check_inputs(list(eager.inputs.values()))
    except InputError as error:
        raise UsageError(
            f"the example of the recipe does not fit {path}: {error}; give the recipe of this archive"
        ) from None
    if [spec.name for spec in signature.outputs] != eager.outputs:
        names = ", ".join(spec.name for spec in signature.outputs)
        raise UsageError(
            f"the recipe's model returns {', '.join(eager.outputs)}, {path} has {names}; give the recipe of "
            "this archive"
        )


def _first_value(tensor: Tensor) -> str:
    if tensor.numel() == 0:
        return "(empty)"
    value = tensor.detach().cpu().reshape(-1)[0].item()
    return f"{value:.6g}" if isinstance(value, (float, complex)) else str(value)

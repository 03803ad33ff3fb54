"""Comparing every way to run an archive: with its golden cases, and with the eager model."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from kit.archive import Archive
from kit.binding import native
from kit.compare import Tolerance, default_tolerance
from kit.eager import Eager, module_of
from kit.errors import ArchiveError, InputError, UsageError
from kit.manifest import Manifest
from kit.predictor import run_predictor
from kit.programs.deprecation import torchscript_deprecation_ignored
from kit.recipe import Recipe, run_recipe
from kit.report import Difference, ParityReport, Row
from kit.runtime import Model
from kit.state import evaluating, random_state_kept

EAGER = "eager"
TRACED = "traced in Python"
PREDICTOR = "predictor (C++)"
BINDING = "binding (C++)"

Run = Callable[[Sequence[Tensor]], list[Tensor]]


def verify(path: str | os.PathLike[str], engine: str = "auto", device: str = "cpu") -> ParityReport:
    """Replay the golden cases of an archive in the C++ engine, and compare with the eager outputs in it.

    A difference is in the report and raises nothing. Raises ArchiveError if the file is no sound archive or
    has no golden cases, UnavailableError if the host lacks the engine or the device.
    """
    archive = Archive(path)
    return verify_archive(archive, Model(archive, engine, device))


def verify_archive(archive: Archive, model: Model) -> ParityReport:
    """The same for an archive and a model that are loaded."""
    report = native.verify(model._native, archive._native)
    column = f"{report.engine} (C++)"
    outputs = [expected for _, expected in archive.cases()]
    index = {spec.name: i for i, spec in enumerate(known_manifest(archive).signature.outputs)}
    rows = [
        Row(
            one.case_index,
            one.output,
            shape_text(outputs[one.case_index][index[one.output]]),
            {column: plain_difference(one.difference)},
        )
        for one in report.results
    ]
    return ParityReport(archive.path, (column,), report.cases, tuple(rows))


def parity(
    recipe: Recipe | Callable[[], object] | str,
    path: str | os.PathLike[str],
    engine: str = "auto",
    device: str = "cpu",
) -> ParityReport:
    """Run the golden inputs of an archive through every way there is, and compare with the eager model.

    The ways are the eager model, the traced program in Python, `predictor`, and the C++ engine in this
    process. A recipe that is given as a function or by name is run, which may train the model once more.
    Raises UsageError if the recipe's model takes or returns something else than the archive's,
    UnavailableError if there is no predictor.
    """
    archive = Archive(path)
    manifest = known_manifest(archive)
    model = Model(archive, engine, device)
    with random_state_kept():
        recipe = recipe if isinstance(recipe, Recipe) else run_recipe(recipe)
        with evaluating(module_of(recipe.model)):
            eager = Eager(recipe, None if device == "cpu" else device)
            _check_same_model(eager, manifest, archive.path)
            inputs = [given for given, _ in archive.cases()]
            results = {
                EAGER: [
                    eager.run([tensor.to(device) for tensor in given], f"case {i}")
                    for i, given in enumerate(inputs)
                ]
            }
    ways: dict[str, Run] = {
        TRACED: traced_in_python(archive.path, device),
        PREDICTOR: _in_predictor(archive, model.engine, device),
        BINDING: lambda given: model.predict(list(given)),
    }
    for name, run in ways.items():
        results[name] = [run([tensor.to(device) for tensor in given]) for given in inputs]
    return compare_ways(archive.path, manifest, results, EAGER)


def compare_ways(
    path: str, manifest: Manifest, results: dict[str, list[list[Tensor]]], expected: str
) -> ParityReport:
    """A report of the outputs of each case by way, against those of the way `expected`."""
    columns = tuple(name for name in results if name != expected)
    rows = []
    for case, wanted in enumerate(results[expected]):
        for index, spec in enumerate(manifest.signature.outputs):
            tolerance = manifest.tolerances.get(spec.dtype, default_tolerance(spec.dtype))
            outputs = {name: runs[case][index] for name, runs in results.items()}
            rows.append(
                Row(
                    case,
                    spec.name,
                    shape_text(wanted[index]),
                    {name: difference(outputs[name], wanted[index], tolerance) for name in columns},
                    {name: _first_value(tensor) for name, tensor in outputs.items()},
                )
            )
    return ParityReport(path, columns, len(results[expected]), tuple(rows), expected)


def traced_in_python(path: str, device: str) -> Run:
    """The TorchScript program of an archive as plain torch runs it."""
    with torchscript_deprecation_ignored():
        program = torch.jit.load(path, map_location=device)  # type: ignore[no-untyped-call]

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        with torch.no_grad():
            result: Any = program(*[tensor.clone() for tensor in inputs])
        return list(result) if isinstance(result, tuple) else [result]

    return run


def _in_predictor(archive: Archive, engine: str, device: str) -> Run:
    signature = known_manifest(archive).signature

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        named = dict(zip([spec.name for spec in signature.inputs], inputs, strict=True))
        outputs = run_predictor(
            archive.path, named, engine=engine, device=device, threads=torch.get_num_threads()
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
    return Difference(one.within, one.bit_equal, one.max_abs, one.max_rel, one.reason)


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


def _check_same_model(eager: Eager, manifest: Manifest, path: str) -> None:
    signature = manifest.signature
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

"""Proof: the program of a written archive agrees with the eager model, on sizes and values not traced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from kit.archive import Archive
from kit.cases import Case, case_of, full_name, make_cases, run_case, scale_of
from kit.compare import DEFAULT_TOLERANCES, Tolerance, default_tolerance
from kit.coverage import cover_branches
from kit.dependence import rows_depend
from kit.errors import Error, ParityError, TraceError
from kit.guard import Guarded
from kit.guards.graph import all_nodes
from kit.manifest import Manifest, ProgramInfo
from kit.method import Method
from kit.programs import aoti, native
from kit.programs.torchscript import ENGINE
from kit.replay import TRACED, Run, compare_ways, difference, predict_with, traced_in_python, verify_archive
from kit.report import Difference, ParityReport
from kit.runtime import Model
from kit.shapes import example_sizes
from kit.signature import TensorSpec
from kit.sizes import budget_of, rungs_of
from kit.state import as_in_a_new_process
from kit.values import NAN, VARIANTS, random_like, variant

_TRANSFORMS = ("aten::fft_", "aten::stft", "aten::istft")


class ProgramDiffers(ParityError):
    """A compiled program computes something else than the eager model, or fails where that does not.

    program: its engine and target. problem: what differs, without what to do about it.
    """

    def __init__(self, message: str, program: tuple[str, str]) -> None:
        super().__init__(message)
        self.program = program
        self.problem = message.rpartition("; ")[0]


@dataclass(frozen=True)
class Prepared:
    """One method with all that its program will be compared on.

    cases: the golden ones. proofs: further ones, which are not stored. notes: what could not be tried.
    rows_depend: whether the rows of a call are known to depend on one another.
    """

    name: str
    model: Guarded
    cases: Sequence[Case]
    proofs: Sequence[Case]
    notes: Sequence[str]
    rows_depend: bool = False

    @property
    def tried(self) -> dict[str, tuple[int, ...]]:
        """The sizes of each dim in all cases, ascending."""
        signature = self.model.signature
        seen: dict[str, set[int]] = {dim.name: set() for dim in signature.dims}
        for case in (*self.cases, *self.proofs):
            named = dict(zip(self.model.eager.inputs, case.inputs, strict=True))
            for name, size in example_sizes(signature.inputs, named).items():
                seen[name].add(size)
        return {name: tuple(sorted(sizes)) for name, sizes in seen.items()}

    @property
    def transforms(self) -> bool:
        """Whether a Fourier transform is in it. Which of its numbers are NaN, where one of the input's is,
        differs between libraries, and from one size to the next."""
        program = self.model.program()
        graphs = [getattr(program, name).inlined_graph for name in program._c._method_names()]
        return any(node.kind().startswith(_TRANSFORMS) for graph in graphs for node in all_nodes(graph))


def prepare(name: str, model: Guarded) -> Prepared:
    """Make the golden cases of a method, and the further ones: the bounds of each dim, and extreme values."""
    more, notes = cover_branches(model)
    cases = make_cases(model.eager, model.signature, model.recipe, more)
    extremes, refused = _extremes(model)
    proofs = [*_sizes(model, cases), *extremes]
    depend = rows_depend(model.eager, model.signature, cases)
    return Prepared(name, model, cases, proofs, [*notes, *refused], depend)


def _sizes(model: Guarded, cases: Sequence[Case]) -> list[Case]:
    """Cases with each dim at those of its sizes that no golden case has, and with all of several dims at
    their bounds, as far as they are affordable."""
    signature, recipe = model.signature, model.recipe
    if not isinstance(recipe.cases, int):
        return []  # random values would not do
    budget = budget_of(model.eager, signature, generous=True)
    tried = Prepared("", model, cases, (), ()).tried
    wanted = [
        {**budget.known, dim.name: size}
        for dim in signature.dims
        for size in rungs_of(dim)[:5]
        if size not in tried[dim.name]
    ]
    if len(signature.dims) > 1:
        wanted += [
            {dim.name: dim.max for dim in signature.dims},
            {dim.name: dim.min for dim in signature.dims},
        ]
    result = []
    for sizes in wanted:
        if budget.affords(signature, sizes):
            tensors = random_like(signature.inputs, list(model.eager.inputs.values()), sizes, recipe.seed)
            result.append(run_case(model.eager, signature, "random values", tensors))
    return result


def _extremes(model: Guarded) -> tuple[list[Case], list[str]]:
    """Cases with extreme values in place of the example's, and which of these the model itself refuses.

    Where the recipe gives its own cases, values that make an output another shape are none that can come.
    """
    examples = list(model.eager.inputs.values())
    if not any(tensor.is_floating_point() for tensor in examples):
        return [], []
    cases, refused = [], []
    for what, change in VARIANTS.items():
        tensors = variant(examples, change)
        name = full_name(model.signature, what, tensors)
        try:
            outputs = model.eager.run(tensors, name)
        except TraceError as error:
            refused.append(f"{what} were not compared, because the model itself fails on them: {error}")
            continue
        try:
            cases.append(case_of(model.signature, name, tensors, outputs))
        except TraceError as error:
            if isinstance(model.recipe.cases, int):
                raise
            refused.append(f"{what} were not compared, because they do not fit the signature: {error}")
    return cases, refused


def prove(file: str, manifest: Manifest, methods: Sequence[Prepared], device: str) -> ParityReport:
    """Compare what the archive's programs give with the eager model: the TorchScript program in Python, then
    each that this host can run in C++.

    Gives the differences on the golden cases. Raises TraceError where the TorchScript program is another than
    the model, ParityError where C++ computes something else; ProgramDiffers if it is a compiled program that
    does. What the recipe has set for this process counts in none that loads the archive, and not here.
    """
    with as_in_a_new_process() as changed:
        try:
            return _proved(file, manifest, methods, device)
        except (TraceError, ParityError) as error:
            if not changed:
                raise
            kind = TraceError if isinstance(error, TraceError) else ParityError
            raise kind(
                f"{error}; {' and '.join(changed)} was called, which no process does that loads the archive: "
                "call it not, or give dtypes where tensors are made"
            ) from error


def _proved(file: str, manifest: Manifest, methods: Sequence[Prepared], device: str) -> ParityReport:
    archive = Archive(file)
    reports, models = [], []
    for one in methods:
        report = _in_python(file, manifest, one, device)
        for program in manifest.programs:
            if program.verified:
                model = _loaded(archive, program, one.name, device)
                models.append(model)  # kept, for the methods share the weights
                try:
                    report = _joined(report, _in_cpp(archive, model, manifest.method(one.name), one))
                except ParityError as error:
                    if program.engine == ENGINE:
                        raise
                    raise ProgramDiffers(str(error), (program.engine, program.target)) from error
        reports.append(report)
    rows = tuple(row for report in reports for row in report.rows)
    return replace(reports[0], cases=sum(report.cases for report in reports), rows=rows)


def _loaded(archive: Archive, program: ProgramInfo, method: str, device: str) -> Model:
    """The program, where it was made for: what is compiled for the CPU runs there."""
    on = device if program.engine == ENGINE else aoti.device_for(program.target, device) or "cpu"
    return Model(archive, program.engine, on, method, target=program.target)


def _in_cpp(archive: Archive, model: Model, method: Method, one: Prepared) -> ParityReport:
    try:
        report = verify_archive(archive, model)
    except Error as error:
        raise ParityError(
            f"{model.label} fails on a golden case, where the eager model does not: {error}; make the model "
            "independent of the sizes, narrow the ranges of its dims, or leave this program out"
        ) from error
    specs = {spec.name: spec for spec in method.signature.outputs}
    for row in report.rows:
        for column, found in row.differences.items():
            if not found.within:
                raise _differs(ParityError, one.cases[row.case], specs[row.output], column, found)
    exact = model.engine == ENGINE
    proofs = one.proofs if exact else [_at_scale(case) for case in one.proofs]
    if model.engine == native.ENGINE and one.transforms:
        proofs = [case for case in proofs if not case.what.startswith(NAN)]
    _compare(proofs, method, partial(predict_with, model), model.device, report.columns[0], ParityError)
    return report


def _at_scale(case: Case) -> Case:
    """The case with room for what a compiled program rounds otherwise."""
    return replace(case, scale=scale_of([*case.inputs, *case.outputs]))


def _joined(report: ParityReport, other: ParityReport) -> ParityReport:
    """One report with the columns of both."""
    rows = tuple(
        replace(row, differences={**row.differences, **more.differences}, first_values={})
        for row, more in zip(report.rows, other.rows, strict=True)
    )
    return replace(report, columns=(*report.columns, *other.columns), rows=rows)


def _in_python(file: str, manifest: Manifest, one: Prepared, device: str) -> ParityReport:
    run = traced_in_python(file, device, one.name)
    method = manifest.method(one.name)
    outputs = _compare(one.cases, method, run, device, TRACED, TraceError)
    _compare(one.proofs, method, run, device, TRACED, TraceError)
    results = {"eager": [list(case.outputs) for case in one.cases], TRACED: outputs}
    return compare_ways(file, manifest, results, "eager", one.name)


def _compare(
    cases: Sequence[Case], method: Method, run: Run, device: str, way: str, kind: type[Error]
) -> list[list[Tensor]]:
    """Outputs of one way for each case. Raises an error of the kind for the first that differs from eager."""
    results = []
    for case in cases:
        if method.seed is not None:
            torch.manual_seed(method.seed)
        try:
            outputs = run([tensor.to(device) for tensor in case.inputs])
        except (RuntimeError, Error) as error:
            reason = str(error).strip().splitlines()[-1]
            raise kind(
                f"{case.what}: {way}: it fails where the eager model does not: {reason}; a program holds "
                "only what ran on the example: make the model independent of the sizes, or leave these fixed"
            ) from error
        for spec, actual, expected in zip(method.signature.outputs, outputs, case.outputs, strict=True):
            tolerance = _tolerance(method, spec.dtype)
            found = difference(actual, expected, replace(tolerance, atol=tolerance.atol * case.scale))
            if not found.within:
                raise _differs(kind, case, spec, way, found)
        results.append(outputs)
    return results


def _tolerance(method: Method, dtype: str) -> Tolerance:
    return method.tolerances.get(dtype, default_tolerance(dtype))


def _differs(kind: type[Error], case: Case, spec: TensorSpec, way: str, found: Difference) -> Error:
    """The error, with what helps: in Python the TorchScript program has given what the eager model gives, so
    another one that does not is the program's own doing."""
    remedies = ["make the model deterministic and independent of the example"]
    if kind is ParityError and not way.startswith(ENGINE):
        remedies = ["leave this program out", "let the model compute this output otherwise"]
    if spec.dtype in DEFAULT_TOLERANCES and found.max_abs > 0:
        remedies.append("widen `tolerances` in the recipe")
    *first, last = remedies
    return kind(
        f"{case.what}, output '{spec.name}': {way} differs from eager: {found.reason}; no archive was "
        f"written: {', '.join(first)}{', or ' if first else ''}{last}"
    )

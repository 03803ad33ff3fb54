"""Finding the first submodule whose results are no longer those of the eager model."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from kit.archive import Archive
from kit.compare import default_tolerance
from kit.eager import Eager, module_of
from kit.errors import UsageError
from kit.layerwise.pairs import Compare, compare_nearest, size, worst
from kit.layerwise.report import Layer, LayersReport
from kit.layerwise.runs import compare_runs, failing_as_parity
from kit.layerwise.watch import Seen, Watch, tensors_of
from kit.method import FORWARD, Method
from kit.programs.deprecation import torchscript_deprecation_ignored
from kit.programs.instrument import Call, Instrumented, Results, instrument
from kit.programs.torchscript import ENGINE
from kit.recipe import Recipe, run_recipe
from kit.replay import TRACED, difference, known_manifest, shape_text, traced_in_python
from kit.report import Difference
from kit.runtime import Model
from kit.signature import dtype_name
from kit.state import evaluating, taking_turns

_RUNS = 3  # a first run is profiled, and what it showed is optimised in the second or the third


def layers(
    recipe: Recipe | Callable[[], object] | str,
    path: str | os.PathLike[str],
    device: str = "cpu",
    method: str = FORWARD,
) -> LayersReport:
    """Compare every submodule of an archive's TorchScript program with the eager model's, and every run.

    Both get the inputs of the golden cases. Each submodule of the program works on what those before it
    gave, so a difference is followed to the outputs. Each case runs three times, and the largest difference
    counts. Then the program as it is runs all cases ten times, in Python and in C++.

    A difference is in the report and raises nothing. Raises UsageError if the recipe's model takes or returns
    something else than the archive's, or has no such method, ArchiveError if the file is no sound archive,
    ParityError if the program fails where eager does not, UnavailableError if the host lacks the device.
    """
    archive = Archive(path)
    manifest = known_manifest(archive)
    model = Model(archive, ENGINE, device, method)
    ways = {
        TRACED: traced_in_python(archive.path, device, method),
        f"{ENGINE} (C++)": lambda inputs: model.predict(list(inputs)),
    }
    cases = [[tensor.to(device) for tensor in inputs] for inputs, _ in archive.cases(method)]
    with taking_turns():
        recipe = recipe if isinstance(recipe, Recipe) else run_recipe(recipe)
        with evaluating(module_of(recipe.model)):
            eager = Eager(_of_method(recipe, method), device)
            described = manifest.method(method)
            _check_same_model(eager, described, archive.path)
            search = _Search(eager, _load(archive.path, device), method, _comparing(described))
            expected = [search.compare(case, inputs) for case, inputs in enumerate(cases)]
            first = next((layer for layer in search.layers.values() if layer.differs), None)
            inputs_of_first = search.inputs_of(first, cases[first.case]) if first is not None else ""
        runs = compare_runs(ways, eager.outputs, cases, expected, search.differ, eager.seed)
    return LayersReport(
        archive.path,
        len(cases),
        tuple(search.layers.values()),
        tuple(search.outputs.values()),
        runs,
        search.unseen,
        _note(eager),
        inputs_of_first,
    )


class _Search:
    """The largest difference of each call of a submodule, and of each output, over the cases so far.

    unseen: submodules that were not compared, and why.
    """

    def __init__(self, eager: Eager, program: torch.jit.ScriptModule, method: str, differ: Compare) -> None:
        self.layers: dict[Call, Layer] = {}
        self.outputs: dict[str, Layer] = {}
        self.unseen: dict[str, str] = {}
        self.differ = differ
        self._eager = eager
        self._program, self._method = program, method
        self._instrumented = instrument(program, method)
        self._watch = Watch(eager.module)
        # With several methods, a module is wrapped that could be traced as it is.
        self._wrapped = not eager.direct or program.original_name == "Flat" != type(eager.module).__name__
        # What is called in the archive, by the names of the eager model.
        self._calls = {self._named(call.path, call.index): call for call in self._instrumented.calls}
        for path, why in self._instrumented.unseen.items():
            self.unseen[self._named(path, 0).path] = why

    def compare(self, case: int, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Run a case in both; gives eager's outputs."""
        with self._watch:
            expected = self._eager.run(inputs, f"case {case}")
        seen = self._watch.seen
        self._find_uncalled(seen)
        for run in range(1, _RUNS + 1):
            results = self._run(self._instrumented, case, inputs)
            for call, one in seen.items():
                if call.path not in self.unseen:
                    layer = self._compare_call(call, one, results)
                    _keep(self.layers, call, replace(layer, case=case, run=run))
            outputs = results.outputs if isinstance(results.outputs, tuple) else (results.outputs,)
            for name, actual, wanted in zip(self._eager.outputs, outputs, expected, strict=True):
                found = self.differ(actual, wanted)
                _keep(self.outputs, name, Layer(name, 1, "", shape_text(wanted), found, case, run))
        return expected

    def inputs_of(self, layer: Layer, inputs: Sequence[Tensor]) -> str:
        """Whether the tensors that a submodule was given "agree" or "differ"; "" where that is not known."""
        call = Call(layer.name, layer.call - 1)
        with Watch(self._eager.module, arguments_of=call) as watch:
            self._eager.run(inputs, f"case {layer.case}")
        instrumented = instrument(self._program, self._method, self._calls[call])
        for _ in range(layer.run):
            given, _ = tensors_of(self._run(instrumented, layer.case, inputs).given)
        found = compare_nearest(given, watch.given, self.differ)
        if not given or len(found) < len(given):
            return ""
        return "agree" if worst(found).within else "differ"

    def _run(self, program: Instrumented, case: int, inputs: Sequence[Tensor]) -> Results:
        with failing_as_parity(case):
            if self._eager.seed is not None:
                torch.manual_seed(self._eager.seed)
            return program.run(inputs)

    def _compare_call(self, call: Call, seen: Seen, results: Results) -> Layer:
        layer = Layer(call.path, call.index + 1, seen.kind, "", None, note=seen.note)
        if not seen.tensors:
            return layer if seen.note else replace(layer, note="it returns no tensor")
        more = f" and {len(seen.tensors) - 1} more" if len(seen.tensors) > 1 else ""
        layer = replace(layer, shape=shape_text(seen.tensors[0]) + more)
        actual, note = tensors_of(results.returned[self._calls[call]])
        if not actual:
            return replace(layer, note=note or "nothing that the archive uses is computed in it")
        found = compare_nearest(actual, seen.tensors, self.differ)
        if not found:
            return replace(layer, note="the archive uses none of what it returns, only values inside of it")
        left = len(seen.tensors) - len(found)
        note = f"the archive does not use {left} of {len(seen.tensors)}" if left else ""
        return replace(layer, difference=worst(found), note=note)

    def _find_uncalled(self, seen: dict[Call, Seen]) -> None:
        """Note the submodules that are not called as often in the one as in the other."""
        eager, archive = (Counter(call.path for call in calls) for calls in (seen, self._calls))
        for path in [*eager, *archive]:
            if path and path not in self.unseen and eager[path] != archive[path]:
                self.unseen[path] = (
                    f"the archive calls it {_times(archive[path])}, eager {_times(eager[path])}"
                    if eager[path]
                    else "eager does not call it, or inside of a scripted module or a fused operation"
                )

    def _named(self, path: str, index: int) -> Call:
        """The call by its path in eager: without the wrapper of the trace, and by the first of its names."""
        if self._wrapped:
            path = path.partition(".")[2]
        return Call(self._watch.first_name(path), index)


def _keep(layers: dict[Any, Layer], key: Any, layer: Layer) -> None:
    """Add a layer, or what is larger in it than in the one that is there."""
    before = layers.get(key)
    if before is None or before.difference is None:
        layers[key] = layer
    elif layer.difference is not None:
        larger = layer if size(layer.difference) > size(before.difference) else before
        layers[key] = replace(larger, difference=worst([before.difference, layer.difference]))


def _of_method(recipe: Recipe, method: str) -> Recipe:
    methods = recipe.by_method()
    if method not in methods:
        raise UsageError(f"the recipe has no method '{method}'; give one that it has: {', '.join(methods)}")
    return methods[method]


def _comparing(method: Method) -> Compare:
    def differ(actual: Tensor, expected: Tensor) -> Difference:
        dtype = dtype_name(expected.dtype)
        return difference(actual, expected, method.tolerances.get(dtype, default_tolerance(dtype)))

    return differ


def _load(path: str, device: str) -> torch.jit.ScriptModule:
    with torchscript_deprecation_ignored():
        return torch.jit.load(path, map_location=device)  # type: ignore[no-any-return, no-untyped-call]


def _check_same_model(eager: Eager, method: Method, path: str) -> None:
    signature = method.signature
    for kind, names, specs in (
        ("takes", list(eager.inputs), signature.inputs),
        ("returns", eager.outputs, signature.outputs),
    ):
        wanted = [spec.name for spec in specs]
        if names != wanted:
            raise UsageError(
                f"the recipe's model {kind} {', '.join(names)}, that of {path} {', '.join(wanted)}; give the "
                "recipe of this archive"
            )


def _note(eager: Eager) -> str:
    if eager.module is None:
        return "the model is a function, which has no submodules"
    return "" if any(True for _ in eager.module.children()) else "the model has no submodules"


def _times(number: int) -> str:
    return f"{number} time{'' if number == 1 else 's'}"

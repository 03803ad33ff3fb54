"""Running one model in every way there is, and comparing the outputs bit by bit.

Nothing of kit's own code for nesting or comparing is used here, only its public interface, and how it sets
torch's precision on a GPU.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

import kit
from kit.precision import precision
from tests.conftest import Run
from tests.rewrite import CASES, read_members

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Exported:
    """A recipe that was exported. cases: inputs and outputs by name, as the archive holds them."""

    recipe: kit.Recipe
    path: Path
    cases: list[tuple[Tensors, Tensors]]


def export(recipe: kit.Recipe, path: Path) -> Exported:
    kit.export(recipe, path=path)
    return Exported(recipe, path, read_cases(path))


def read_cases(path: Path) -> list[tuple[Tensors, Tensors]]:
    """The golden cases of an archive, read without kit."""
    stored = safetensors.torch.load(dict(read_members(path)[1])[CASES])
    names = kit.inspect(path).signature
    assert names is not None
    return [
        (
            {spec.name: stored[f"{index}.inputs.{spec.name}"] for spec in names.inputs},
            {spec.name: stored[f"{index}.outputs.{spec.name}"] for spec in names.outputs},
        )
        for index in range(1 + max(int(key.partition(".")[0]) for key in stored))
    ]


def arguments(recipe: kit.Recipe, inputs: Mapping[str, Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The recipe's arguments, with the tensors of `inputs` in the places of the example's."""

    def fill(value: Any, name: str) -> Any:
        if isinstance(value, Tensor):
            return inputs[name]
        if isinstance(value, Mapping):
            return {key: fill(item, f"{name}.{key}") for key, item in value.items()}
        if isinstance(value, (tuple, list)):
            return type(value)(fill(item, f"{name}.{index}") for index, item in enumerate(value))
        return value

    target = recipe.model.forward if isinstance(recipe.model, nn.Module) else recipe.model
    names = list(inspect.signature(target).parameters)
    args = tuple(fill(value, name) for value, name in zip(recipe.args, names, strict=False))
    return args, {key: fill(value, key) for key, value in recipe.kwargs.items()}


def flat(value: Any) -> list[Tensor]:
    """The tensors of a nest of tuples, lists and dicts, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        return [tensor for item in value for tensor in flat(item)]
    return []


def nesting(value: Any) -> Any:
    """How a value nests: the same value with each tensor replaced by its dtype and shape."""
    if isinstance(value, Tensor):
        return value.dtype, value.shape
    if isinstance(value, Mapping):
        return {key: nesting(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(nesting(item) for item in value)
    return value


def run_eager(exported: Exported, inputs: Mapping[str, Tensor], device: str = "cpu") -> Any:
    """What the model itself returns, in evaluation mode."""
    model = exported.recipe.model
    if isinstance(model, nn.Module):
        model = copy.deepcopy(model).eval().to(device)
    args, kwargs = arguments(exported.recipe, {name: tensor.to(device) for name, tensor in inputs.items()})
    with torch.no_grad():
        return model(*args, **kwargs)


def run_predictor(
    predictor: Run, exported: Exported, inputs: Tensors, folder: Path, *options: str
) -> Tensors:
    """What `predictor` writes for one file of inputs, with as many threads as torch has here: the number of
    threads decides the order of sums, and so the last bit."""
    source, target = folder / "inputs.safetensors", folder / "outputs.safetensors"
    safetensors.torch.save_file(inputs, source)
    threads = ("--threads", str(torch.get_num_threads()))
    done = predictor("run", exported.path, "--input", source, "--output", target, *threads, *options)
    assert (done.returncode, done.stderr) == (0, "")
    return safetensors.torch.load_file(target)


def bit_equal(actual: Tensor, expected: Tensor) -> bool:
    """Same dtype, shape and bits; a NaN is a NaN whatever its bits."""
    if (actual.dtype, actual.shape) != (expected.dtype, expected.shape):
        return False
    if expected.is_complex():
        actual, expected = (
            torch.view_as_real(actual.resolve_conj()),
            torch.view_as_real(expected.resolve_conj()),
        )
    if not expected.is_floating_point():
        return torch.equal(actual, expected)
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[expected.itemsize]
    same = actual.contiguous().view(bits) == expected.contiguous().view(bits)
    return bool((same | (actual.isnan() & expected.isnan())).all())


def check(actual: Sequence[Tensor], expected: Sequence[Tensor], what: str, inexact: str | None) -> None:
    """Fails unless all bits are equal; or, if `inexact` says why they may not be, all is within tolerance."""
    assert len(actual) == len(expected), f"{what}: {len(actual)} outputs instead of {len(expected)}"
    for index, (one, other) in enumerate(zip(actual, expected, strict=True)):
        if inexact is not None:
            torch.testing.assert_close(
                one, other, equal_nan=True, msg=lambda text: f"{what}, {inexact}: {text}"
            )
        elif not bit_equal(one, other):
            difference = "" if one.shape != other.shape else f", up to {_distance(one, other)}"
            raise AssertionError(
                f"{what}, output {index}: {_kind(one)} differs from {_kind(other)}{difference}"
            )


def check_on(device: str, exported: Exported, predictor: Run, folder: Path) -> None:
    """The same archive on a GPU, against the eager model there: traced in Python, through the binding, and
    through `predictor`."""
    inexact = f"pointwise chains may be fused on {device}, from the second run on"
    traced = torch.jit.load(exported.path, map_location=device)
    model = kit.load(exported.path, device=device)
    for run in range(3):
        for index, (inputs, _) in enumerate(exported.cases):
            moved = {name: tensor.to(device) for name, tensor in inputs.items()}
            args, kwargs = arguments(exported.recipe, moved)
            with precision(tf32=False):  # as kit's engine has it
                expected = _on_cpu(run_eager(exported, inputs, device))
                outputs = _on_cpu(_traced(traced, moved))
            check(outputs, expected, f"traced, run {run}, case {index}", inexact)
            result = model(*args, **kwargs)
            assert {tensor.device.type for tensor in flat(result)} == {torch.device(device).type}
            check(_on_cpu(result), expected, f"binding, run {run}, case {index}", inexact)
    inputs, names = exported.cases[-1]
    written = run_predictor(predictor, exported, inputs, folder, "--device", device)
    check([written[name] for name in names], expected, "last case through predictor", inexact)


def _traced(program: torch.jit.ScriptModule, inputs: Mapping[str, Tensor]) -> Any:
    with torch.no_grad(), warnings.catch_warnings():
        # A module that is loaded has them in pieces; only kit's engine moves them together.
        warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")
        return program(*inputs.values())


def _on_cpu(value: Any) -> list[Tensor]:
    return [tensor.cpu() for tensor in flat(value)]


def _distance(one: Tensor, other: Tensor) -> float:
    wide = torch.complex128 if other.is_complex() else torch.float64
    return float((one.to(wide) - other.to(wide)).abs().nan_to_num().max()) if one.numel() else 0.0


def _kind(tensor: Tensor) -> str:
    return f"{tensor.dtype}{list(tensor.shape)}"

"""Every model of the zoo, fused and not: the outputs must agree at every run.

The kernels are those of the CPU's interpreter of fused groups, which is there on every host: exact, and so
slow that each model is run on the smallest of its golden cases.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

import kit
from kit.compare import default_tolerance
from tests.parity.support import Exported

FUSED = kit.Configuration(fusion=True)
UNFUSED = kit.Configuration(fusion=False)
WITH_GROUPS = {"bool_mask", "keywords", "nested_dict_and_tuple", "three_dims"}  # they have pointwise chains
RUNS = 4  # watched, compiled and run for the first time, and twice as it stays


def smallest(exported: Exported) -> dict[str, Tensor]:
    """The inputs of the golden case with the fewest elements."""
    return min((inputs for inputs, _ in exported.cases), key=lambda one: sum(t.numel() for t in one.values()))


def predict(model: kit.Model, inputs: dict[str, Tensor], seed: int | None) -> list[Tensor]:
    if seed is not None:
        torch.manual_seed(seed)
    return model.predict(list(inputs.values()))


def test_fused_gives_what_unfused_gives(exported: Exported) -> None:
    archive = kit.inspect(exported.path)
    assert archive.manifest is not None
    method = archive.manifest.method("forward")
    fused, unfused = (kit.load(archive, configuration=one) for one in (FUSED, UNFUSED))
    inputs = smallest(exported)
    for run in range(1, RUNS + 1):
        outputs = predict(fused, inputs, method.seed), predict(unfused, inputs, method.seed)
        for actual, expected, spec in zip(*outputs, method.signature.outputs, strict=True):
            tolerance = method.tolerances.get(spec.dtype, default_tolerance(spec.dtype))
            torch.testing.assert_close(
                actual,
                expected,
                rtol=tolerance.rtol,
                atol=tolerance.atol,
                equal_nan=True,
                msg=partial("run {}, {}: {}".format, run, spec.name),
            )
    if exported.recipe.name in WITH_GROUPS:
        assert fused.fusion([list(inputs.values())], calls=2).groups
        assert not unfused.fusion([list(inputs.values())], calls=2).groups

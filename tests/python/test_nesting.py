"""Archives of models whose arguments and results nest: dataclasses, named tuples, dicts."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import safetensors.torch
import torch
from torch import Tensor

import kit
from kit.errors import InputError
from tests.conftest import Run
from tests.python.records import Batch, ModelOutput, Options, Point

X = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


class Spread(NamedTuple):
    least: Tensor
    number: int
    rest: dict[str, Any]


@dataclass
class Answer:
    spread: Spread
    scaled: Tensor
    half: Tensor = field(init=False)
    nothing: None = None

    def __post_init__(self) -> None:
        self.half = self.scaled / 2


def answer(batch: Batch, more: dict[str, Tensor], points: list[Point]) -> Answer:
    spread = Spread(
        batch.x.amin(0), batch.options.steps, {"z": more["b"] - more["a"], "a": [points[0].y * 2]}
    )
    return Answer(spread, batch.x * batch.options.gain)


def arguments(x: Tensor) -> tuple[Any, ...]:
    return Batch(x, Options(torch.tensor([1.0, 2.0, 3.0]))), {"b": x + 1, "a": x * 2}, [Point(x[0], x[1])]


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory) -> kit.Archive:
    path = tmp_path_factory.mktemp("nested") / "model.pt"
    allow = ["unused-input:points.0.x"]
    return kit.export(answer, arguments(X), path, allow=allow)


def test_an_archive_names_tensors_by_their_path(nested: kit.Archive) -> None:
    assert nested.signature is not None
    inputs = ["batch.x", "batch.options.gain", "more.b", "more.a", "points.0.x", "points.0.y"]
    outputs = ["spread.least", "spread.rest.z", "spread.rest.a.0", "scaled", "half"]
    assert [spec.name for spec in nested.signature.inputs] == inputs
    assert [spec.name for spec in nested.signature.outputs] == [f"output.{name}" for name in outputs]


def test_a_loaded_model_nests_as_the_eager_one(nested: kit.Archive) -> None:
    given = arguments(X - 3)
    actual, wanted = kit.load(nested)(*given), answer(*given)
    assert [one.name for one in fields(actual)] == ["spread", "scaled", "half", "nothing"]
    assert actual.nothing is None
    assert actual.spread._fields == ("least", "number", "rest")
    assert actual.spread.number == 3
    assert list(actual.spread.rest) == ["z", "a"]
    for one, other in (
        (actual.spread.least, wanted.spread.least),
        (actual.spread.rest["z"], wanted.spread.rest["z"]),
        (actual.spread.rest["a"][0], wanted.spread.rest["a"][0]),
        (actual.scaled, wanted.scaled),
        (actual.half, wanted.half),
    ):
        assert torch.equal(one, other)


def test_what_is_fixed_in_a_dataclass_is_fixed_in_the_archive(nested: kit.Archive) -> None:
    batch, more, points = arguments(X)
    other = Batch(X, Options(batch.options.gain, mode="cubic"))
    message = r"argument 'batch'\.options\.mode: it was fixed at export as 'linear', came 'cubic'"
    with pytest.raises(InputError, match=message):
        kit.load(nested)(other, more, points)


def test_in_files_tensors_are_flat(nested: kit.Archive, predictor: Run, folder: Path) -> None:
    source, target = folder / "in.safetensors", folder / "out.safetensors"
    gain = torch.tensor([3.0, 2.0, 1.0])
    inputs = {"batch.x": X, "batch.options.gain": gain, "more.b": X.clone(), "more.a": X * 5}
    safetensors.torch.save_file(inputs | {"points.0.x": X[0].clone(), "points.0.y": X[1].clone()}, source)
    done = predictor("run", nested.path, "--input", source, "--output", target)
    assert (done.returncode, done.stderr) == (0, "")
    outputs = safetensors.torch.load_file(target)
    assert torch.equal(outputs["output.scaled"], X * gain)
    assert torch.equal(outputs["output.spread.rest.z"], X * -4)
    assert torch.equal(outputs["output.spread.rest.a.0"], X[1] * 2)


def test_a_dict_that_is_a_dataclass_goes_in_and_out(tmp_path: Path) -> None:
    def model(given: ModelOutput) -> ModelOutput:
        assert given.hidden is not None
        return ModelOutput(logits=given["logits"] * 2, hidden=(given.hidden[0] + 1,))

    example = ModelOutput(logits=X, hidden=(X,))
    loaded = kit.load(kit.export(model, (example,), tmp_path / "model.pt"))
    result = loaded(ModelOutput(logits=X + 1, hidden=(X - 1,)))
    assert list(result) == ["logits", "hidden"]
    assert torch.equal(result["logits"], (X + 1) * 2)
    assert torch.equal(result["hidden"][0], X)

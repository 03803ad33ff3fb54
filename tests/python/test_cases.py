"""Golden cases, and the names and shapes of what is in them."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

import kit
from kit.cases import Case, encode, make_cases
from kit.eager import Eager
from kit.errors import InputError, TraceError, UsageError
from kit.recipe import Recipe
from kit.shapes import infer_signature
from kit.signature import Dim, Signature, TensorSpec

X = torch.tensor([[1.0, 2.0, 3.0], [5.0, 6.0, 7.0]])


def double(x: Tensor) -> Tensor:
    return x * 2


def made(model: Any, args: Any = X, **known: Any) -> tuple[Signature, list[Case]]:
    recipe = Recipe(model, args, **known)
    eager = Eager(recipe)
    signature = infer_signature(eager, recipe)
    return signature, make_cases(eager, signature, recipe)


def batch(least: int = 1, most: int = 4096) -> dict[str, dict[int, Dim]]:
    return {"x": {0: Dim("batch", least, most)}}


def test_the_first_case_is_the_example_and_the_others_are_of_several_sizes() -> None:
    signature, cases = made(double, dynamic=batch())
    assert signature.outputs == (TensorSpec("output", "float32", ("batch", 3)),)
    assert len(cases) == 8
    assert torch.equal(cases[0].inputs[0], X)
    assert [case.inputs[0].shape[0] for case in cases] == [2, 1, 2, 4096, 64, 3, 5, 8]
    for case in cases:
        assert torch.equal(case.outputs[0], case.inputs[0] * 2)
    assert cases[4].what == "case 4 (batch = 64)"


def test_the_global_generator_is_not_used_and_the_seed_decides() -> None:
    state = torch.get_rng_state()
    first, second = made(double)[1], made(double)[1]
    other = made(double, seed=1)[1]
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a.inputs[0], b.inputs[0]) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[1].inputs[0], other[1].inputs[0])
    assert not torch.equal(first[1].inputs[0], first[2].inputs[0])


def test_cases_of_the_recipe() -> None:
    given = [(X,), {"x": X + 1}, X[:1]]
    signature, cases = made(double, dynamic=batch(), cases=given)
    assert len(signature.dims) == 1
    assert [case.inputs[0].shape[0] for case in cases] == [2, 2, 1]
    assert torch.equal(cases[1].outputs[0], (X + 1) * 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([X, X[:, :2]], r"case 1 of the recipe: input 'x': wanted float32\[batch, 3\], came float32\[2, 2\]"),
        ([{"y": X}], r"case 0 of the recipe: the model takes \(x\), came \(0 positional, y=\)"),
        ([(X, X)], r"case 0 of the recipe: the model takes \(x\), came \(2 positional\)"),
        ([X.double()], r"case 0 of the recipe: .*convert it to float32"),
    ],
)
def test_cases_of_the_recipe_that_do_not_fit(given: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(double, dynamic=batch(), cases=given)


def test_cases_are_stored_under_the_names_of_the_signature() -> None:
    signature, cases = made(double, dynamic=batch(0), cases=3)
    stored = safetensors.torch.load(encode(signature, cases))
    assert set(stored) == {f"{i}.{name}" for i in range(3) for name in ("inputs.x", "outputs.output")}
    assert torch.equal(stored["0.inputs.x"], X)
    assert stored["1.outputs.output"].shape == (0, 3)


def test_views_and_aliases_are_stored_as_copies() -> None:
    def views(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return x, x, x.t(), x[:, :1].expand(-1, 4)

    signature, cases = made(views, cases=2)
    stored = safetensors.torch.load(encode(signature, cases))
    assert torch.equal(stored["0.outputs.output.2"], X.t())
    assert torch.equal(stored["0.outputs.output.3"], X[:, :1].expand(-1, 4))


def test_a_model_that_changes_its_input_is_refused_and_the_example_is_not_changed() -> None:
    x, y = X.clone(), X.clone()
    with pytest.raises(
        TraceError, match=r"`y\[:1\]\.mul_\(2\)`: the input 'y' is changed in place for the example"
    ):
        made(in_place, (x, y))
    assert torch.equal(x, X)
    assert torch.equal(y, X)


def in_place(x: Tensor, y: Tensor) -> Tensor:
    y[:1].mul_(2)
    return x + y


class Pair(NamedTuple):
    a: Tensor
    b: Tensor


def test_names_of_inputs_and_outputs() -> None:
    class Many(nn.Module):
        def forward(self, x: Tensor, boxes: Any, *more: Tensor, scale: float, mask: Tensor) -> Any:
            return {"y": x, "rest": [boxes[0], (boxes[1]["deep"],)], "pair": Pair(mask, more[0])}

    recipe = Recipe(Many(), (X, [X, {"deep": X}], X, X), {"mask": X, "scale": 0.5})
    eager = Eager(recipe)
    assert list(eager.inputs) == ["x", "boxes.0", "boxes.1.deep", "more.0", "more.1", "mask"]
    assert eager.outputs == ["y", "rest.0", "rest.1.0", "pair.a", "pair.b"]
    assert not eager.direct
    assert Eager(Recipe(double, X)).outputs == ["output"]
    assert Eager(Recipe(lambda x: (x, [x]), X)).outputs == ["output.0", "output.1.0"]
    assert list(Eager(Recipe(torch.sin, X)).inputs) == ["input"]
    assert list(Eager(Recipe(torch.add, (X, X))).inputs) == ["input.0", "input.1"]


def test_given_names_replace_them() -> None:
    names = {"inputs": ["image"], "outputs": ["logits", "class"]}
    eager = Eager(Recipe(lambda x: (x, x), X, names=names))
    assert list(eager.inputs) == ["image"]
    assert eager.outputs == ["logits", "class"]
    for wrong in (["a"], ["a", "a"], ["a", ""]):
        with pytest.raises(UsageError):
            Eager(Recipe(lambda x: (x, x), X, names={"outputs": wrong}))


def test_names_that_collide_ask_for_others() -> None:
    value = {"a": {"b": X}, "a.b": X}
    with pytest.raises(UsageError, match=r"give each a name of its own with names=\{'inputs'"):
        Eager(Recipe(lambda x: x["a"]["b"], (value,)))
    eager = Eager(Recipe(lambda x: x["a"]["b"], (value,), names={"inputs": ["one", "two"]}))
    assert list(eager.inputs) == ["one", "two"]


def test_a_name_that_files_keep_for_themselves() -> None:
    message = r"keep '__metadata__' for themselves; give another name with names=\{'outputs': \[\.\.\.\]\}"
    with pytest.raises(UsageError, match=message):
        Eager(Recipe(double, X, names={"outputs": ["__metadata__"]}))
    with pytest.raises(UsageError, match=message):
        Eager(Recipe(lambda x: {"__metadata__": x}, X))
    with pytest.raises(UsageError, match="inputs are named"):
        Eager(Recipe(double, X, names={"inputs": ["__metadata__"]}))


def test_output_dims_are_found_by_running_at_several_sizes() -> None:
    def model(x: Tensor, y: Tensor) -> Any:
        return x @ y.t(), x.new_zeros(x.shape[0], 7), x.sum(), y.shape[1] * x[:1]

    known = {"x": {0: Dim("n", 1, 64)}, "y": {0: Dim("m", 1, 64)}}
    signature, cases = made(model, (X, X), dynamic=known)
    assert [spec.shape for spec in signature.outputs] == [("n", "m"), ("n", 7), (), (1, 3)]
    assert any(case.inputs[0].shape[0] != case.inputs[1].shape[0] for case in cases)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            lambda x: x.reshape(-1),
            r"output 'output': dimension 0 varies but is the size of no dim: \[6\] for bat",
        ),
        (lambda x: x[0] if len(x) > 2 else x, "output 'output' changes its number of dimensions"),
        (lambda x: x.double() if len(x) > 2 else x, "output 'output' changes its dtype"),
        (
            lambda x: (x, len(x)),
            "returns another structure for batch = 3 than for the example: .tensor, 3. inst",
        ),
        (lambda x: x.view(2, 3), r"test_cases.py:\d+: .*: <lambda> fails for batch = 3: RuntimeError: shape"),
        (lambda x: x[: max(1, min(len(x), 4))], "dimension 0 varies but is the size of no dim"),
    ],
)
def test_outputs_that_do_not_follow_the_dims(model: Any, message: str) -> None:
    with pytest.raises(TraceError, match=message):
        made(model, dynamic=batch())


def test_a_case_whose_output_does_not_follow_the_dims() -> None:
    def model(x: Tensor) -> Tensor:
        return x[1:] if len(x) == 64 else x

    with pytest.raises(TraceError, match=r"case 4 \(batch = 64\): output 'output'"):
        made(model, dynamic=batch())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda x: None, "returns no tensor but None"),
        (lambda x: ({x},), "the output.0 is a builtins.set"),
        (lambda x: x.to_sparse(), "output 'output' is no dense tensor"),
        (lambda x: torch.nested.as_nested_tensor([x, x]), "output 'output' is no dense tensor but nested"),
        (lambda x: 1 / 0, r"test_cases.py:\d+: .*: <lambda> fails for the example: ZeroDivisionError"),
    ],
)
def test_models_without_proper_outputs(model: Any, message: str) -> None:
    with pytest.raises(TraceError, match=message):
        made(model)


def test_arguments_that_do_not_fit_the_model() -> None:
    with pytest.raises(UsageError, match="too many positional arguments; its parameters are"):
        Eager(Recipe(double, (X, X)))


def test_a_dim_of_one_size_is_a_number_in_the_outputs() -> None:
    signature, _ = made(double, dynamic={"x": {0: kit.Dim("batch", 2, 2)}})
    assert signature.outputs[0].shape == (2, 3)

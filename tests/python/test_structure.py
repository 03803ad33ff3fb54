"""Nests of tensors, flattened and restored."""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
import torch
from torch import Tensor

from kit.errors import InputError, TraceError
from kit.structure import Call, Structure, bind, flatten, leaf_indices, match, rebuild, restore
from tests.python.records import Batch, ModelOutput, Options, Point

A, B, C = torch.tensor(1.0), torch.tensor(2.0), torch.tensor(3.0)


def flat(value: object) -> tuple[Structure, list[tuple[str, Tensor]]]:
    leaves: list[tuple[str, Tensor]] = []
    return flatten(value, "the value", ".".join, leaves), leaves


NESTS = [
    A,
    (A, B),
    [A, (B, [C])],
    {"second": A, "first": {"deep": [B]}},
    (A, None, True, 3, 0.5, "text", (), [], {}),
    (A, A),
]


@pytest.mark.parametrize("nest", NESTS)
def test_there_and_back(nest: Any) -> None:
    structure, leaves = flat(nest)
    tensors = [tensor for _, tensor in leaves]
    assert restore(structure, tensors) == nest
    assert rebuild(nest, iter(tensors)) == nest
    assert match(structure, nest, "it") == tensors
    assert leaf_indices(structure) == list(range(len(tensors)))


@pytest.mark.parametrize("nest", [A, (A, B), (A, B, C), ()])
def test_a_call_that_returns_flat(nest: Any) -> None:
    structure, _ = flat(nest)
    assert Call(output=structure).returns_flat


@pytest.mark.parametrize(
    "nest", [(A,), [A, B], [A], {"a": A}, (B, (A, C)), (A, None), (A, 3), Point(A, B), None, [], {}]
)
def test_a_call_that_returns_a_nest(nest: Any) -> None:
    structure, _ = flat(nest)
    assert not Call(output=structure).returns_flat


def test_a_call_that_returns_numbers_or_another_order_is_not_flat() -> None:
    number = {"tensor": 0, "scalar": "float"}
    for output in (number, {"tuple": [number, {"tensor": 1}]}, {"tuple": [{"tensor": 1}, {"tensor": 0}]}):
        assert not Call(output=output).returns_flat


def test_names_are_paths() -> None:
    _, leaves = flat({"boxes": [A, (B,)], "point": Point(C, A)})
    assert [name for name, _ in leaves] == ["boxes.0", "boxes.1.0", "point.x", "point.y"]


def test_a_dict_keeps_its_order() -> None:
    structure, leaves = flat({"z": A, "a": B})
    restored = restore(structure, [tensor for _, tensor in leaves])
    assert list(restored) == ["z", "a"]


def test_a_named_tuple_comes_back_with_its_fields() -> None:
    structure, _ = flat(Point(A, B))
    restored = restore(structure, [A, B])
    assert (restored.x, restored.y) == (A, B)
    assert restored == Point(A, B)


def test_a_dataclass_is_a_dict_with_its_name_beside_it() -> None:
    structure, leaves = flat(Batch(A, Options(B)))
    assert [name for name, _ in leaves] == ["x", "options.gain"]
    assert structure["dataclass"] == "Batch"
    assert structure["dict"]["options"] == {
        "dict": {
            "gain": {"tensor": 1},
            "bias": {"constant": None},
            "mode": {"constant": "linear"},
            "steps": {"constant": 3},
        },
        "keys": ["gain", "bias", "mode", "steps"],
        "dataclass": "Options",
    }
    restored = restore(structure, [A, B])
    assert type(restored).__name__ == "Batch"
    assert (restored.x, restored.options.gain, restored.options.bias) == (A, B, None)
    assert (restored.options.mode, restored.options.steps) == ("linear", 3)


def test_rebuild_keeps_a_dataclass_frozen_and_what_init_does_not_take() -> None:
    options = Options(A, mode="cubic")
    object.__setattr__(options, "steps", 9)
    batch = Batch(B, options)
    rebuilt = rebuild(batch, iter([C, B]))
    assert isinstance(rebuilt, Batch)
    assert rebuilt.x is C
    assert (rebuilt.options.gain, rebuilt.options.mode, rebuilt.options.steps) == (B, "cubic", 9)
    assert (batch.x, options.gain) == (B, A)
    with pytest.raises(FrozenInstanceError):
        rebuilt.options.mode = "linear"  # type: ignore[misc]


def test_a_dataclass_matches_by_its_fields() -> None:
    structure, _ = flat(Batch(A, Options(B)))
    assert match(structure, Batch(B, Options(C)), "it") == [B, C]
    given = {"options": {"steps": 3, "mode": "linear", "bias": None, "gain": C}, "x": B}
    assert match(structure, given, "it") == [B, C]
    with pytest.raises(InputError, match=r"it\.options\.bias: it was fixed at export as None"):
        match(structure, Batch(B, Options(C, C)), "it")
    with pytest.raises(InputError, match=r"it\.options: wanted a dict with the keys gain, .*, came a Tensor"):
        match(structure, Batch(B, C), "it")  # type: ignore[arg-type]


def test_a_dict_that_is_a_dataclass_has_the_entries_of_the_dict() -> None:
    value = ModelOutput(logits=A, hidden=(B, C))
    structure, leaves = flat(value)
    assert [name for name, _ in leaves] == ["logits", "hidden.0", "hidden.1"]
    assert restore(structure, [A, B, C]) == {"logits": A, "hidden": (B, C)}
    rebuilt = rebuild(value, iter([C, B, A]))
    assert isinstance(rebuilt, ModelOutput)
    assert (rebuilt.logits, rebuilt["hidden"], rebuilt.loss) == (C, (B, A), None)


def test_rebuild_keeps_the_types() -> None:
    value = {"point": Point(A, B), "ordered": OrderedDict(k=[C])}
    rebuilt = rebuild(value, iter([C, B, A]))
    assert isinstance(rebuilt["point"], Point)
    assert isinstance(rebuilt["ordered"], OrderedDict)
    assert rebuilt["point"] == Point(C, B)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ((A, {1: B}), "the value.1: the key 1 of a dict is not a string"),
        ([object()], "the value.0 is a builtins.object"),
        ({"k": {A}}, "the value.k is a builtins.set"),
        (math.inf, "the value is inf"),
    ],
)
def test_what_has_no_structure(value: object, message: str) -> None:
    with pytest.raises(TraceError, match=re.escape(message)):
        flat(value)


@pytest.mark.parametrize(
    ("nest", "other", "message"),
    [
        (A, 1.0, "it: wanted a tensor, came 1.0"),
        ((A, B), (A,), "it: wanted a tuple of 2, came a tuple of 1"),
        ([A], A, "it: wanted a list of 1, came a Tensor"),
        ({"a": A}, {"b": A}, "it: wanted a dict with the keys a, came a dict with the keys b"),
        ((A, True), (A, False), "it.1: it was fixed at export as True, came False"),
        ((A, 1), (A, True), "it.1: it was fixed at export as 1, came True"),
        ({"a": [A, None]}, {"a": [A, B]}, "it.a.1: it was fixed at export as None, came a Tensor"),
    ],
)
def test_what_does_not_match(nest: object, other: object, message: str) -> None:
    structure, _ = flat(nest)
    with pytest.raises(InputError, match=re.escape(message)):
        match(structure, other, "it")


def call() -> Call:
    """f(x, scale, *, mask, mode) with a constant among the positional and the keyword arguments."""
    leaves: list[tuple[str, Tensor]] = []
    args = flatten((A, 2.0), "args", ".".join, leaves)
    kwargs = flatten({"mask": [B], "mode": "fast"}, "kwargs", ".".join, leaves)
    return Call(args, kwargs, {"tensor": 0}, ("x", "scale"))


def test_arguments_bind_by_position_and_by_name() -> None:
    assert bind(call(), (A, 2.0), {"mode": "fast", "mask": [B]}) == [A, B]
    assert bind(call(), (A,), {"scale": 2.0, "mode": "fast", "mask": [B]}) == [A, B]
    assert bind(call(), (), {"x": A, "scale": 2.0, "mode": "fast", "mask": [B]}) == [A, B]


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((A,), {"mask": [B], "mode": "fast"}, "the model takes (x, scale, mask=, mode=), came (1 positional"),
        ((A, 2.0, C), {"mask": [B], "mode": "fast"}, "came (3 positional"),
        ((A, 2.0), {"mask": [B], "mode": "fast", "other": 1}, "came (2 positional, mask=, mode=, other=)"),
        ((A, 2.0), {"x": A, "mask": [B], "mode": "fast"}, "came (2 positional, x="),
        (
            (A, 3.0),
            {"mask": [B], "mode": "fast"},
            "argument 'scale': it was fixed at export as 2.0, came 3.0",
        ),
        ((A, 2.0), {"mask": [B], "mode": "slow"}, "argument 'mode': it was fixed at export as 'fast'"),
        ((A, 2.0), {"mask": [None], "mode": "fast"}, "argument 'mask'.0: wanted a tensor, came None"),
        ((2.0, A), {"mask": [B], "mode": "fast"}, "argument 'x': wanted a tensor, came 2.0"),
    ],
)
def test_arguments_that_do_not_bind(args: tuple[Any, ...], kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        bind(call(), args, kwargs)


def test_flat_calls_are_known() -> None:
    assert not call().flat
    assert Call(args={"tuple": [{"tensor": 0}, {"tensor": 1}]}).flat
    assert not Call(args={"tuple": [{"tuple": [{"tensor": 0}]}]}).flat

"""What is noted while a model is traced, where, and that torch is as before at the end."""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kit.guards.recorder import Event, Recorder

pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # of constants

EXAMPLE = torch.arange(12.0).reshape(4, 3)


def events(model: Callable[..., Any]) -> list[Event]:
    with Recorder(["x"]) as recorder:
        torch.jit.trace(model, EXAMPLE.clone(), check_trace=False)
    return recorder.events


@pytest.mark.parametrize(
    ("model", "word", "outcome"),
    [
        (lambda x: x if x.sum() > 0 else -x, "bool", True),
        (lambda x: x * int(x[0, 1]), "number", 1),
        (lambda x: x * x[0, 1].item(), "number", 1.0),
        (lambda x: x + sum(x[0].tolist()), "list", None),
        (lambda x: x + torch.from_numpy(x.numpy()), "array", None),
        (lambda x: x if torch.equal(x, x + 1) else -x, "bool", False),
        (lambda x: x if x.allclose(x) else -x, "bool", True),
        (lambda x: x if 5.0 in x else -x, "bool", True),
        (lambda x: x + copy.deepcopy(x), "unseen", None),
    ],
)
def test_values_are_noted(model: Callable[..., Any], word: str, outcome: Any) -> None:
    (event,) = events(model)
    assert (event.word, event.outcome) == (word, outcome)
    assert event.origins.data == {"x"}
    assert event.place is not None
    assert event.place.path == __file__
    assert event.term is None


def test_sizes_are_noted_with_their_arithmetic() -> None:
    (event,) = events(lambda x: x if x.shape[0] + 1 > 3 else -x)
    assert event.term is not None
    assert event.term.kind == "aten::gt"
    assert event.term.parts[0].parts[0].value == 4
    (event,) = events(lambda x: x if x.numel() > 3 else -x)
    assert event.term is not None
    assert [part.value for part in event.term.parts[0].parts] == [4, 3]


@pytest.mark.parametrize(
    "model",
    [
        lambda x: x * torch.ones(3).sum().item(),
        lambda x: x[: x.shape[0] // 2, 1:],
        lambda x: x[: x[0, 1].long()],
        lambda x: x[x[0, 1].long()],
        lambda x: x + len(repr(x)) + len(f"{x.shape[0]}"),
        lambda x: x * x.shape[0],
    ],
)
def test_harmless_ones_are_not_noted(model: Callable[..., Any]) -> None:
    assert events(model) == []


def test_set_slices_are_not_noted_and_indices_of_lists_are() -> None:
    def sets(x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        y[1 : x.shape[0], 0] = 1
        return y + x

    assert events(sets) == []
    numbers = [1.0, 2.0, 3.0, 4.0, 5.0]
    (event,) = events(lambda x: x * numbers[x.shape[0]])
    assert (event.word, event.outcome) == ("number", 4)


def test_a_conversion_within_another_is_noted_once() -> None:
    (event,) = events(lambda x: x * float(x.sum()))
    assert event.outcome == 66.0


def test_the_callers_are_noted_with_their_modules() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return helper(x)

    model = Model()
    (event,) = events(model)
    assert [caller.code.co_name for caller in event.callers[:2]] == ["helper", "forward"]
    assert event.callers[0].module is None
    assert event.callers[1].module is model


def helper(x: Tensor) -> Tensor:
    return x if x.sum() > 0 else -x


def test_torch_is_as_before() -> None:
    def state() -> list[Any]:
        own = dict(vars(Tensor))
        return [own, torch.equal, torch.allclose, Tensor.__bool__, Tensor.__index__]

    before = state()
    started, submitted = Thread.start, ThreadPoolExecutor.submit
    events(lambda x: x + 1)
    with pytest.raises(ZeroDivisionError):
        events(lambda x: 1 // 0)
    assert state() == before
    assert (Thread.start, ThreadPoolExecutor.submit) == (started, submitted)
    # A tensor without dimensions must not pass for a sequence.
    assert torch.tensor([EXAMPLE[0, 1], EXAMPLE[0, 2]]).tolist() == [1, 2]


def test_texts_of_values_are_counted_and_may_be_those_of_other_tensors() -> None:
    told = []

    def model(x: Tensor) -> Tensor:
        told.extend([f"{x[0, 1]}", f"{x.shape[0]}", f"{torch.ones(1)[0]}"])
        return x + 1

    with Recorder(["x"], told_as=lambda tensor: tensor * 0 - 7) as recorder:
        torch.jit.trace(model, EXAMPLE.clone(), check_trace=False)
    assert recorder.texts == 1
    assert told == ["-7.0", "4", "1.0"]


def test_other_threads_are_not_noted() -> None:
    with Recorder(["x"]) as recorder, ThreadPoolExecutor(1) as pool:
        work = pool.submit(torch.jit.trace, lambda x: x if x.sum() > 0 else -x, EXAMPLE, check_trace=False)
        assert work.result().graph is not None
    assert recorder.events == []


def test_outside_of_a_trace_nothing_is_noted() -> None:
    with Recorder(["x"]) as recorder:
        assert bool(EXAMPLE.sum() > 0)
        assert torch.equal(EXAMPLE, copy.deepcopy(EXAMPLE))
    assert recorder.events == []


def test_a_condition_is_noted_once_and_again_when_it_has_changed() -> None:
    def model(x: Tensor) -> Tensor:
        condition: Any = x.shape[0] > 3
        if condition and condition.item():
            condition.logical_not_()
            return x if bool(condition) else -x
        return x

    assert [event.outcome for event in events(model)] == [True, False]

"""What an export leaves as it found it."""

from __future__ import annotations

import os
import random
import signal
import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from kit.state import Attributes, attributes_kept, evaluating, random_state_kept, taking_turns, training


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_all_generators_are_put_back() -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    with random_state_kept():
        wanted = draw()
        draw()
    assert draw() == wanted
    with random_state_kept():
        wanted = draw()

    def fail() -> None:
        with random_state_kept():
            torch.manual_seed(7)
            random.seed(7)
            np.random.seed(7)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert draw() == wanted


class Stubborn(nn.Sequential):
    """Its train() does more than it says, and so must not be called."""

    calls = 0

    def train(self, mode: bool = True) -> Stubborn:
        self.calls += 1
        super().train(mode)
        return self


def test_training_flags_are_put_back_one_by_one() -> None:
    model = Stubborn(nn.Linear(1, 1), nn.Sequential(nn.Dropout(), nn.BatchNorm1d(1)), nn.Dropout())
    inner = model[1]
    inner.eval()
    inner.get_submodule("1").training = True
    before = [part.training for part in model.modules()]
    assert len(set(before)) == 2

    def fail() -> None:
        with evaluating(model):
            assert not any(part.training for part in model.modules())
            assert not torch.is_grad_enabled()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [part.training for part in model.modules()] == before
    assert model.calls == 0
    assert torch.is_grad_enabled()


def flags(model: Any) -> list[bool]:
    return [part.training for part in model.modules()]


def test_scripted_modules_have_flags_too() -> None:
    model = torch.jit.script(nn.Sequential(nn.Dropout(), nn.Linear(1, 1)))
    with evaluating(model):
        assert flags(model) == [False, False, False]
    assert flags(model) == [True, True, True]


def test_a_frozen_module_has_none() -> None:
    model = torch.jit.freeze(torch.jit.script(nn.Linear(1, 1).eval()))
    with evaluating(model):
        assert model(torch.ones(1, 1)).shape == (1, 1)


def test_a_function_has_no_flags() -> None:
    with evaluating(None):
        assert not torch.is_grad_enabled()


def test_training_mode_leaves_running_statistics_alone() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2))).eval()
    norm: Any = model[0]
    x = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    with training(model):
        assert flags(model) == [True] * 5
        torch.testing.assert_close(norm(x), torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))
    assert flags(model) == [False] * 5
    assert norm.track_running_stats
    assert norm.running_mean.tolist() == [0.0, 0.0]
    assert int(norm.num_batches_tracked) == 0

    def fail() -> None:
        with training(model):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert flags(model) == [False] * 5
    assert norm.track_running_stats


def test_what_a_model_keeps_on_itself_is_dropped() -> None:
    model: Any = nn.Sequential(nn.Linear(1, 1))
    model.size = 3
    with attributes_kept(model):
        model.size = 4
        model[0].last = torch.ones(1)
    assert model.size == 3
    assert not hasattr(model[0], "last")


def test_what_a_model_keeps_in_containers_is_dropped() -> None:
    model: Any = nn.Sequential(nn.Linear(1, 1))
    model.tables = {3: [1, 2], "seen": set()}
    model[0].shift = torch.zeros(2)
    saved = Attributes(model)
    saved.keep_values(saved.tensors.values())
    assert not saved.changed()
    model.tables[3].append(3)
    model.tables["seen"].add(1)
    model.tables[4] = []
    model[0].register_buffer("new", torch.ones(1))
    assert saved.changed()
    saved.restore()
    assert not saved.changed()
    assert model.tables == {3: [1, 2], "seen": set()}
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
    model[0].shift.add_(1)
    assert saved.changed()
    assert saved.keep_written() == [model[0].shift]
    saved.restore()
    assert not saved.changed()
    assert model[0].shift.tolist() == [0.0, 0.0]


def test_one_thread_at_a_time_and_a_fork_waits_for_none() -> None:
    order: list[str] = []

    def other() -> None:
        with taking_turns():
            order.append("other")

    with taking_turns(), taking_turns():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "other"]

    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with taking_turns():
            held.set()
            done.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        with taking_turns():
            os._exit(0)
    done.set()
    holder.join()
    assert os.waitpid(child, 0)[1] == 0

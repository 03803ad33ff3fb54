"""Values that move, or are computed, where a trace does not see them."""

from __future__ import annotations

import copy
import ctypes
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning
from torch.nn import functional as F
from torch.utils import dlpack
from torch.utils.dlpack import from_dlpack

from tests.guards.registry import offender


@offender("untraced")
def deep_copy(x: Tensor) -> Tensor:
    return x * copy.deepcopy(x)  # here


@offender("untraced")
class CopiesABuffer(nn.Module):
    """A copy that the trace would find empty."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.randn(3))

    def forward(self, x: Tensor) -> Tensor:
        return x - copy.copy(self.mean)  # here


@offender("untraced")
def pickled(x: Tensor) -> Tensor:
    y: Tensor = pickle.loads(pickle.dumps(x))  # here
    return x * y


@offender("untraced")
def through_dlpack(x: Tensor) -> Tensor:
    return from_dlpack(x) + x  # here


@offender("untraced")
def through_a_capsule(x: Tensor) -> Tensor:
    return from_dlpack(dlpack.to_dlpack(x)) + x  # type: ignore[attr-defined]  # here


@offender("untraced")
def decided_in_a_thread(x: Tensor) -> Tensor:
    decided: list[bool] = []

    def decide() -> None:
        decided.append(bool(x.max() > 1e7))  # here

    thread = Thread(target=decide)
    thread.start()
    thread.join()
    return x * 2 if decided[0] else x + 1


POOL = ThreadPoolExecutor(1)


@offender("untraced")
def compared_in_a_thread_of_a_pool(x: Tensor) -> Tensor:
    large = POOL.submit(lambda: x.max() > 1e7)  # here
    return x * 2 if large.result() else x + 1


@offender("untraced")
def data_of_a_tensor(x: Tensor) -> Tensor:  # pytorch/pytorch#48477
    y = x * 0
    y.data = x * 1  # here
    return y + 1


@offender("baked-value")
def read_from_memory(x: Tensor) -> Tensor:
    first = ctypes.c_float.from_address(x.data_ptr()).value
    return x * first  # here


@offender("baked-value", dynamic={})
def read_from_memory_of_a_fixed_size(x: Tensor) -> Tensor:
    first = ctypes.c_float.from_address(x.data_ptr()).value
    return x * first  # here


@offender("baked-value")
def written_as_text(x: Tensor) -> Tensor:
    return x * len(f"{x[0, 0]:.3}")  # here


@offender("baked-value")
def decided_by_a_text(x: Tensor) -> Tensor:
    text = f"{x.abs().max():.0f}"
    return x * 2 if len(text) > 7 else x + 1  # here


@offender("baked-value", dynamic={})
def number_of_a_text(x: Tensor) -> Tensor:
    large = float(str(x.max())[7:-1]) > 1e7
    return x * 2 if large else x + 1  # here


@offender("tracer-warning")
def warned_by_a_library(x: Tensor) -> Tensor:
    if torch._C._get_tracing_state() is not None:
        warnings.warn("what this does cannot be traced", TracerWarning, stacklevel=1)  # here
    return x + 1


@offender("fails")
def size_as_a_key(x: Tensor) -> Tensor:
    functions = {3: torch.tanh, 4: torch.relu}
    return functions[x.shape[1]](x)  # here


@offender("fails")
def as_many_as_rows_and_one(x: Tensor) -> Tensor:
    return F.pad(x, (0, 0, 0, 1))


@offender("fails")
def goes_on_after_a_failure(x: Tensor) -> Tensor:
    try:
        x = x.view(2, -1).repeat(1, 2).view(-1, 3)[: x.shape[0]]  # here
    except RuntimeError:
        x = x * 3
    return x + 1


@offender("fails")
def truths_for_bounds(x: Tensor) -> Tensor:
    return x.clamp(False, True)  # here


@offender("fails")
def times_more_than_64_bits_hold(x: Tensor) -> Tensor:
    return x * 2**63  # here


@offender("fails")
def below_more_than_64_bits_hold(x: Tensor) -> Tensor:
    return x.clamp(max=2**63)  # here


@offender("fails")
def asks_for_the_type_of_a_size(x: Tensor) -> Tensor:
    rows = x.shape[0]
    return x * 2 if isinstance(rows, int) else x + 1  # here


@offender("fails")
def size_as_a_key_that_may_be_missing(x: Tensor) -> Tensor:
    return x * {4: 2.0}.get(x.shape[0], 1.0)


@offender("fails")
class AsksWhetherItIsTraced(nn.Module):
    """An output less in production."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.jit._trace.is_tracing():  # here
            return x
        return x + 1

"""What is written through `t.data`: a trace takes it for a constant, and no version of a tensor tells of it.

`t.detach()` gives the same, is recorded, and has the version of its tensor.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from torch import Tensor
from torch.nn.parameter import is_lazy


@contextmanager
def data_detached() -> Iterator[None]:
    """In this thread, `t.data` is `t.detach()` meanwhile."""
    data: Any = Tensor.data
    thread = get_ident()

    def get(tensor: Tensor) -> Tensor:
        ours = get_ident() == thread and not is_lazy(tensor)
        return tensor.detach() if ours else data.__get__(tensor)

    before = vars(Tensor).get("data")
    setattr(Tensor, "data", property(get, data.__set__))  # noqa: B010
    try:
        yield
    finally:
        if before is None:
            del Tensor.data
        else:
            setattr(Tensor, "data", before)  # noqa: B010

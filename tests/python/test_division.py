from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.errors import TraceError
from kit.programs import division

X, N = torch.tensor([7, 8, 9]), torch.tensor([2, 3, 4])


class Divides(nn.Module):
    def __init__(self, divide: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.divide = divide

    def forward(self, x: Tensor, n: Tensor) -> Tensor:
        return self.divide(x, n)


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with torch 2.11 and 2.12, whose kernels divide without a look at the divisor."""
    monkeypatch.setattr(division, "_header", lambda: "")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("engine", ["native", "aoti"])
@pytest.mark.parametrize(
    "divide",
    [
        lambda x, n: x // n,
        lambda x, n: x % n,
        lambda x, n: torch.fmod(x, n),
        lambda x, n: x.clone().remainder_(n),
        lambda x, n: torch.div(x, n, rounding_mode="trunc"),
    ],
)
def test_what_could_end_the_process_is_refused(
    tmp_path: Path, engine: str, divide: Callable[[Tensor, Tensor], Tensor]
) -> None:
    message = rf"test_division\.py:\d+: aten\..* integers .* '{engine}'; use torch 2\.13"
    with pytest.raises(TraceError, match=message):
        kit.export(Divides(divide), (X, N), tmp_path / "model.pt", (engine,), cases=[(X, N)])
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("unchecked")
def test_what_could_not_is_made(tmp_path: Path) -> None:
    """Constants that are not 0, floats, and numbers of elements."""

    def compute(x: Tensor, n: Tensor) -> Tensor:
        return (x // 2 + x % 5) / n + x.float() // n + x.numel() // x.shape[0]

    kit.export(compute, (X, N), tmp_path / "model.pt", ("native",), cases=[(X, N)])
    torch.testing.assert_close(kit.load(tmp_path / "model.pt", engine="native")(X, N), compute(X, N))

"""The precision of cuDNN while kit compares: torch's switches alone, no GPU is asked."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import kit
from kit import exporter
from kit.precision import precision

cudnn: Any = torch.backends.cudnn


def state() -> tuple[str, str]:
    return cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision


def both() -> bool:
    """The older switch for both, which raises if it differs from the others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(cudnn.allow_tf32)


@pytest.fixture(autouse=True)
def torchs_default() -> Iterator[None]:
    yield
    assert (state(), both()) == (("tf32", "tf32"), True)


@pytest.mark.parametrize(("tf32", "wanted"), [(True, "tf32"), (False, "ieee"), (None, "ieee")])
def test_all_switches_are_alike(tf32: bool | None, wanted: str) -> None:
    with precision(tf32):
        assert state() == (wanted, wanted)
        assert both() == (wanted == "tf32")


def test_they_are_put_back_after_an_error() -> None:
    with pytest.raises(KeyError), precision(False):
        raise KeyError


@pytest.mark.parametrize("mixed", [("ieee", "tf32"), ("tf32", "ieee"), ("ieee", "ieee")])
def test_those_of_a_process_that_mixes_them_are_put_back(mixed: tuple[str, str]) -> None:
    cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision = mixed
    try:
        with precision(False):
            assert not both()
        assert state() == mixed
        with pytest.raises(RuntimeError):
            both()
    finally:
        cudnn.conv.fp32_precision = cudnn.rnn.fp32_precision = "tf32"


@pytest.mark.parametrize(("tf32", "wanted"), [(None, "ieee"), (True, "tf32")])
def test_a_model_is_exported_and_proven_with_that_of_its_configuration(
    tf32: bool | None, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def looking(function: Callable[..., Any]) -> Callable[..., Any]:
        def look(*arguments: Any, **options: Any) -> Any:
            seen.append(state())
            return function(*arguments, **options)

        return look

    for name in ("prepare", "prove"):
        monkeypatch.setattr(exporter, name, looking(getattr(exporter, name)))
    kit.export(
        torch.nn.Linear(3, 2),
        torch.zeros(2, 3),
        tmp_path / "model.pt",
        configuration=kit.Configuration(tf32=tf32),
    )
    assert seen == [(wanted, wanted)] * 2
    assert kit.inspect(tmp_path / "model.pt").manifest.configuration.tf32 == tf32  # type: ignore[union-attr]

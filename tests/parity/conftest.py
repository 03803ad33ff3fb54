"""What the parity tests share: the models of the zoo, each exported once in a session."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.parity.support import Exported, export
from tests.parity.zoo import ZOO

EXPORTS: dict[str, Exported] = {}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


def _float16_on_cpu() -> str:
    """Why this CPU cannot run float16, or "" if it can."""
    try:
        torch.nn.functional.linear(torch.ones(1, 2).half(), torch.ones(1, 2).half())
    except RuntimeError as error:
        return f"this CPU has no float16 matrix product: {error}"
    return ""


@pytest.fixture(params=sorted(ZOO))
def exported(request: pytest.FixtureRequest, folder: Path) -> Exported:
    """A model of the zoo."""
    name: str = request.param
    if name == "float16" and (reason := _float16_on_cpu()):
        pytest.skip(reason)
    if name not in EXPORTS:
        EXPORTS[name] = export(ZOO[name](), folder / f"{name}.pt")
    return EXPORTS[name]

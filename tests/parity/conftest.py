"""What the parity tests share: the models of the zoo, each exported once in a session."""

from __future__ import annotations

import pytest
import torch

import kit
from tests.conftest import Once
from tests.parity.support import Exported, read_cases
from tests.parity.zoo import ZOO

EXPORTS: dict[str, Exported] = {}


def _float16_on_cpu() -> str:
    """Why this CPU cannot run float16, or "" if it can."""
    try:
        torch.nn.functional.linear(torch.ones(1, 2).half(), torch.ones(1, 2).half())
    except RuntimeError as error:
        return f"this CPU has no float16 matrix product: {error}"
    return ""


@pytest.fixture(params=sorted(ZOO))
def exported(request: pytest.FixtureRequest, once: Once) -> Exported:
    """A model of the zoo."""
    name: str = request.param
    if name == "float16" and (reason := _float16_on_cpu()):
        pytest.skip(reason)
    if name not in EXPORTS:
        recipe = ZOO[name]()
        made = once(f"zoo-{name}", lambda folder: kit.export(recipe, path=folder / "model.pt"))
        EXPORTS[name] = Exported(recipe, made / "model.pt", read_cases(made / "model.pt"))
    return EXPORTS[name]

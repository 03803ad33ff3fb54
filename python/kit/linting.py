"""Lint: the guards alone, on a model or a recipe. No archive is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch

from kit.eager import module_of, on_device
from kit.exporter import as_recipe, check_device
from kit.guard import lint as lint_method
from kit.guards.check import check_allowed
from kit.guards.finding import Finding
from kit.state import evaluating, taking_turns


def lint(
    model_or_recipe: Any, args: Any = None, *, device: str | torch.device | None = None, **known: Any
) -> list[Finding]:
    """All that would make `kit.export` refuse a model, without writing anything; empty if there is nothing.

    model_or_recipe, args, device: as for `kit.export`. known: fields of `kit.Recipe`.
    A finding says where, what and how to mend it; docs/guards has a page for each rule.

    Raises UsageError for wrong arguments, UnavailableError for a device that is not here.
    """
    device = check_device(device)
    with taking_turns():
        recipe = as_recipe(model_or_recipe, args, known)
        check_allowed(recipe.allow)
        with evaluating(module_of(recipe.model)):
            if device is not None:
                recipe = on_device(recipe, device)
            return [finding for one in recipe.by_method().values() for finding in lint_method(one)]


def to_json(findings: Sequence[Finding]) -> str:
    """The findings as a JSON document."""
    return json.dumps({"findings": [finding.to_dict() for finding in findings]}, ensure_ascii=False, indent=2)

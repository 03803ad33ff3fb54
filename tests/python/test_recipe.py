"""Finding, importing and calling recipes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import kit
from kit.errors import UsageError
from kit.recipe import module_name, run_recipe

GOOD = """
import torch, kit, sibling
def recipe():
    import late_sibling
    return kit.Recipe(torch.nn.Linear(3, sibling.WIDTH), torch.ones(1, 3), name=late_sibling.NAME)
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    tmp_path.joinpath("sibling.py").write_text("WIDTH = 2")
    tmp_path.joinpath("late_sibling.py").write_text("NAME = 'from a sibling'")
    path = tmp_path / "some_recipe.py"
    path.write_text(GOOD)
    return path


def test_a_recipe_by_path_imports_its_siblings(recipe_file: Path) -> None:
    before = list(sys.path)
    recipe = run_recipe(f"{recipe_file}:recipe")
    assert recipe.name == "from a sibling"
    assert recipe.model.out_features == 2
    assert recipe.args[0].shape == (1, 3)
    assert sys.path == before


def test_a_recipe_by_module(recipe_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(recipe_file.parent)
    assert run_recipe("some_recipe:recipe").name == "from a sibling"


def test_a_recipe_by_function() -> None:
    recipe = kit.Recipe(nn.Linear(1, 1))
    assert run_recipe(lambda: recipe) is recipe


def test_the_module_name_is_the_stem_unless_that_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stem in ("my_recipe", "json", "torch", "kit"):
        tmp_path.joinpath(f"{stem}.py").touch()
    assert module_name(str(tmp_path / "my_recipe.py")) == "my_recipe"
    assert module_name(str(tmp_path / "json.py")) == "recipe_json"
    assert module_name(str(tmp_path / "torch.py")) == "recipe_torch"
    assert module_name(str(tmp_path / "kit.py")) == "recipe_kit"
    monkeypatch.chdir(tmp_path)
    assert module_name("my_recipe.py") == "my_recipe"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def recipe(): return None", "returned nothing; return a kit.Recipe"),
        ("def recipe(): return 3", r"returned a builtins.int; return a kit.Recipe"),
        ("recipe = 3", "is no function but 3"),
        ("other = 3", "has no function 'recipe'"),
        (
            "def recipe():\n    x = 1\n    return 1 / 0",
            r"failed at .*bad_recipe\.py:3: ZeroDivisionError: division",
        ),
        ("def recipe():\n    exit(3)", r"failed at .*bad_recipe\.py:2: SystemExit: 3"),
        (
            "x = 1\nraise RuntimeError('two\\nlines')",
            r"cannot be imported, at .*bad_recipe\.py:2: RuntimeError: two",
        ),
        ("def recipe(:", r"cannot be imported, at .*bad_recipe\.py:1: SyntaxError"),
        ("import no_such_module_at_all", r"bad_recipe\.py:1: ModuleNotFoundError: No module named"),
        (
            "import kit\ndef recipe(): return kit.Recipe(3)",
            "the recipe's model is 3, which cannot be called",
        ),
    ],
)
def test_recipes_that_fail(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad_recipe.py"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as raised:
        run_recipe(f"{path}:recipe")
    assert "\n" not in str(raised.value)


def test_a_failed_import_leaves_no_module_behind(tmp_path: Path) -> None:
    path = tmp_path / "half_a_recipe.py"
    path.write_text("x = 1\nraise ValueError")
    with pytest.raises(UsageError):
        run_recipe(f"{path}:recipe")
    assert "half_a_recipe" not in sys.modules


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("recipe.py", "is no recipe; write path.py:function"),
        (":recipe", "is no recipe"),
        ("recipe.py:", "is no recipe"),
        ("recipe.py:not a name", "is no recipe"),
        ("no/such/file.py:recipe", "no such recipe file"),
        ("no_such_package.module:recipe", "there is no module 'no_such_package'"),
    ],
)
def test_names_of_no_recipe(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run_recipe(spec)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"cases": 0},
        {"cases": []},
        {"cases": True},
        {"names": {"input": ["x"]}},
        {"seed": -1},
        {"seed": 2**63},
        {"seed": "a"},
        {"seed": True},
        {"seed": None},
    ],
)
def test_fields_that_are_wrong(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        kit.Recipe(nn.Linear(1, 1), torch.ones(1, 1), **wrong)


def test_the_name_is_that_of_the_class_or_the_function() -> None:
    def double(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    assert kit.Recipe(nn.Linear(1, 1)).name == "Linear"
    assert kit.Recipe(double).name == "double"

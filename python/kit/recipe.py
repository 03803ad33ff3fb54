"""A recipe: a zero-argument function that returns a model, example inputs, and what is known of them."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from kit.configuration import Configuration
from kit.errors import Error, UsageError
from kit.signature import LARGEST, Dim
from kit.source import display_path, one_line, raised_at

DEFAULT_CASES = 8
BRANCHES = ("refuse", "script")


@dataclass
class Method:
    """A further method of a model in the same archive, with an example of its own.

    args, kwargs, dynamic, names, cases, scalars: as in `Recipe`.
    call: name of the module's method to call; by default that under which the archive has it.
    training: whether it runs in training mode. Batch norms then use the statistics of the batch, and leave
        the running ones alone: an archive keeps no state. Dropout must be allowed, see `Recipe.allow`.
    """

    args: Any = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    dynamic: Mapping[str, Mapping[int, Dim]] = field(default_factory=dict)
    names: Mapping[str, Sequence[str]] | None = None
    cases: int | Sequence[Any] = DEFAULT_CASES
    scalars: Sequence[str] = ()
    call: str | None = None
    training: bool = False


@dataclass
class Recipe:
    """What a recipe function returns.

    A recipe should give the same model each time: seed what is random in it. `kit.parity` calls it again,
    so if training takes long, let the recipe keep the trained weights in a file and load them from there.

    model: an nn.Module, a function of tensors, or a method of a module.
    args, kwargs: example arguments; a single tensor stands for a tuple of one.
    name: name of the model; by default that of its class or function.
    dynamic: dims by input and dimension, as {"x": {0: kit.Dim("batch", 1, 4096)}}. An input bears the name
        of its parameter; nested ones have a path, as "boxes.0". Dimensions not named are fixed.
    names: {"inputs": [...], "outputs": [...]}, either may be left out, in flat order.
    cases: number of golden cases to make, the example being the first; or the arguments of each case, as a
        tuple (positional), a dict (keywords) or a tensor. Give these for a model whose inputs depend on
        each other, such as tokens and the offsets of bags of them: random values would not fit.
    tolerances: by dtype of the output, as {"float32": (rtol, atol)}; see `kit.compare.DEFAULT_TOLERANCES`.
    seed: for the values of the golden cases, and for random operations that are allowed; below 2**63.
    scalars: names of numbers among the arguments that are inputs; all others are fixed at export. A program
        computes with whole numbers of 64 bits, which wrap around where Python's grow, and with floats of 64.
    methods: further methods of the same module by their name in the archive, as {"encode": kit.Method(x)};
        what `model` is, is called forward.
    training: whether the model runs in training mode; see `Method`.
    allow: findings to let pass, as the rule ("random"), or the rule and what it is about ("random:dropout",
        "unused-input:mask"). docs/guards says which rules can be allowed.
    configuration: how to run the TorchScript program, recommended to whoever loads the archive.
    on_branch: "refuse" a model with control flow that a trace cannot hold, or "script" the smallest function
        or submodule around it.
    """

    model: Any
    args: Any = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    dynamic: Mapping[str, Mapping[int, Dim]] = field(default_factory=dict)
    names: Mapping[str, Sequence[str]] | None = None
    cases: int | Sequence[Any] = DEFAULT_CASES
    tolerances: Mapping[Any, Any] = field(default_factory=dict)
    seed: int = 0
    scalars: Sequence[str] = ()
    methods: Mapping[str, Method] = field(default_factory=dict)
    training: bool = False
    allow: Sequence[str] = ()
    on_branch: str = "refuse"
    configuration: Configuration = field(default_factory=Configuration)

    def __post_init__(self) -> None:
        if not callable(self.model):
            raise UsageError(
                f"the recipe's model is {self.model!r}, which cannot be called; give a module or function"
            )
        self.args = tuple_of(self.args)
        self.scalars, self.allow = _listed(self.scalars), _listed(self.allow)
        if not isinstance(self.configuration, Configuration):
            raise UsageError(f"configuration is {self.configuration!r}; give a kit.Configuration")
        if self.on_branch not in BRANCHES:
            raise UsageError(f"on_branch is {self.on_branch!r}; give 'refuse' or 'script'")
        if self.name is None:
            self.name = str(getattr(self.model, "__name__", type(self.model).__name__))
        if not isinstance(self.name, str) or not self.name:
            raise UsageError(f"the recipe's name is {self.name!r}; give a text that is not empty")
        for key in self.names or {}:
            if key not in ("inputs", "outputs"):
                raise UsageError(
                    f"the recipe's names have the key {key!r}; the keys are 'inputs' and 'outputs'"
                )
        if (
            isinstance(self.cases, bool)
            or (isinstance(self.cases, int) and self.cases < 1)
            or len_of(self.cases) == 0
        ):
            raise UsageError(
                f"the recipe asks for {self.cases!r} golden cases; an archive needs at least one"
            )
        if not isinstance(self.seed, int) or isinstance(self.seed, bool) or not 0 <= self.seed <= LARGEST:
            raise UsageError(f"the recipe's seed is {self.seed!r}; give a whole number from 0 to {LARGEST}")

    def by_method(self) -> dict[str, Recipe]:
        """A recipe for each method by its name, forward first.

        Raises UsageError for a method that the module lacks, or of a name that cannot be one.
        """
        from torch import nn

        recipes = {"forward": replace(self, methods={})}
        module = self.model if hasattr(self.model, "forward") else getattr(self.model, "__self__", None)
        for name, method in self.methods.items():
            if not isinstance(method, Method):
                raise UsageError(f"methods['{name}'] is a {type(method).__name__}; give a kit.Method")
            if not name.isidentifier() or name == "forward" or hasattr(nn.Module, name):
                raise UsageError(
                    f"a method cannot be called '{name}' in an archive; give it a Python name that is "
                    "neither forward nor one that every module has, as train and eval"
                )
            function = getattr(module, method.call or name, None)
            if not callable(function):
                raise UsageError(
                    f"the model has no method '{method.call or name}' to export as '{name}'; name one of its "
                    "methods with kit.Method(..., call='...')"
                )
            given = {one.name: getattr(method, one.name) for one in fields(method) if one.name != "call"}
            recipes[name] = replace(recipes["forward"], model=function, name=self.name, **given)
        return {name: recipes[name] for name in ["forward", *sorted(self.methods)]}


def tuple_of(args: Any) -> tuple[Any, ...]:
    """Example arguments as a tuple; a single tensor stands for a tuple of one."""
    return tuple(args) if isinstance(args, (tuple, list)) else (args,)


def _listed(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def len_of(cases: int | Sequence[Any]) -> int:
    """How many golden cases a recipe asks for."""
    return cases if isinstance(cases, int) else len(cases)


def run_recipe(spec: str | Callable[[], object]) -> Recipe:
    """Call a recipe, given as a function or as "path.py:function" or "package.module:function".

    Raises UsageError if it cannot be imported, raises, or returns no Recipe.
    """
    if callable(spec):
        return _call(spec, _name_of(spec))
    module, separator, function = spec.rpartition(":")
    if not separator or not module or not function.isidentifier():
        raise UsageError(f"'{spec}' is no recipe; write path.py:function or package.module:function")
    with _import(module, spec) as loaded:
        recipe = getattr(loaded, function, None)
        if recipe is None:
            raise UsageError(f"{module} has no function '{function}'; name one that returns a kit.Recipe")
        return _call(recipe, spec)


def _call(recipe: Callable[[], object], name: str) -> Recipe:
    if not callable(recipe):
        raise UsageError(
            f"the recipe {name} is no function but {recipe!r}; write a function that returns a kit.Recipe"
        )
    try:
        result = recipe()
    except Error:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"the recipe {name} failed at {raised_at(error) or 'its call'}: {one_line(error)}"
        ) from error
    if not isinstance(result, Recipe):
        raise UsageError(f"the recipe {name} returned {_kind(result)}; return a kit.Recipe")
    return result


@contextmanager
def _import(module: str, spec: str) -> Iterator[ModuleType]:
    """The module of a recipe. Its directory is on sys.path meanwhile, for what else it imports."""
    is_path = module.endswith(".py") or os.sep in module
    directory = os.path.dirname(os.path.abspath(module)) if is_path else os.getcwd()
    saved = list(sys.path)
    sys.path.insert(0, directory)
    try:
        yield _load_file(module) if is_path else _load_module(module, spec)
    finally:
        sys.path[:] = saved


def _load_module(module: str, spec: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(error.name + ".")):
            raise UsageError(
                f"'{spec}': there is no module '{error.name}'; write path.py:function or "
                "package.module:function"
            ) from error
        raise _import_failed(module, error) from error
    except Error:
        raise
    except (Exception, SystemExit) as error:
        raise _import_failed(module, error) from error


def _load_file(path: str) -> ModuleType:
    if not os.path.isfile(path):
        raise UsageError(f"{path}: no such recipe file; write path.py:function")
    name = module_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path}: a recipe must be a Python file, ending in .py")
    loaded = importlib.util.module_from_spec(spec)
    previous = sys.modules.get(name)
    sys.modules[name] = loaded
    try:
        spec.loader.exec_module(loaded)
    except BaseException as error:
        if previous is None:
            del sys.modules[name]
        else:
            sys.modules[name] = previous
        if isinstance(error, Error) or not isinstance(error, (Exception, SystemExit)):
            raise
        raise _import_failed(display_path(path), error) from error
    return loaded


def module_name(path: str) -> str:
    """The name under which a recipe file is imported: its stem, or recipe_<stem> if that is an installed
    module.

    It becomes part of the class names in the archive, so it must not depend on where the file lies, nor on
    the current directory.
    """
    stem = Path(path).stem
    here = {os.path.realpath(os.curdir), os.path.dirname(os.path.realpath(path))}
    installed = [entry for entry in sys.path if entry and os.path.realpath(entry) not in here]
    if stem in sys.stdlib_module_names or PathFinder.find_spec(stem, installed) is not None:
        return f"recipe_{stem}"
    return stem


def _import_failed(what: str, error: BaseException) -> UsageError:
    where = raised_at(error)
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{display_path(error.filename)}:{error.lineno}"
    return UsageError(f"the recipe's module {what} cannot be imported, at {where or what}: {one_line(error)}")


def _name_of(recipe: Callable[[], object]) -> str:
    return str(getattr(recipe, "__qualname__", recipe))


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__module__}.{type(value).__qualname__}"

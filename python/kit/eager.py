"""The model as the recipe gave it, seen as a function from flat tensors to flat tensors."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from kit.errors import Error, TraceError, UsageError
from kit.recipe import Recipe
from kit.signature import DTYPES, dtype_name
from kit.source import one_line, raised_at
from kit.structure import Call, Structure, flatten, rebuild


class Eager:
    """A model with the structure of its example call.

    module: the module whose parameters the model uses, or None for a plain function.
    function: what is called; the module itself, a method of it, or the plain function.
    inputs: the tensors of the example by name, in flat order.
    outputs: names of the outputs, in flat order.
    call: how arguments and outputs nest.
    """

    def __init__(self, recipe: Recipe, device: str | None = None) -> None:
        self.name = str(recipe.name)
        self.function: Callable[..., Any] = recipe.model
        self.module = module_of(recipe.model)
        args, kwargs, parameters = _bind(self.function, recipe.args, recipe.kwargs)
        if device is not None:
            args, kwargs = _to(args, device), _to(kwargs, device)
            self._move(device)
        self._args, self._kwargs = args, kwargs
        given = recipe.names or {}
        leaves: list[tuple[str, Tensor]] = []
        args_structure = flatten(args, "the arguments", _argument_name(parameters, len(args)), leaves)
        kwargs_structure = flatten(kwargs, "the keyword arguments", ".".join, leaves)
        names = _chosen_names("inputs", leaves, given.get("inputs"))
        self.inputs = dict(zip(names, (tensor for _, tensor in leaves), strict=True))
        for name, tensor in self.inputs.items():
            _check_tensor(f"input '{name}'", tensor)
        outputs: list[tuple[str, Tensor]] = []
        result = self._call(list(self.inputs.values()), "the example")
        self._output = self._flatten_output(result, outputs)
        if not outputs:
            raise TraceError(
                f"{self.name} returns no tensor but {result!r}; a model must return at least one"
            )
        for name, tensor in outputs:
            _check_tensor(f"output '{name}'", tensor)
        self.outputs = _chosen_names("outputs", outputs, given.get("outputs"))
        self.call = Call(args_structure, kwargs_structure, self._output, tuple(parameters[: len(args)]))

    @property
    def direct(self) -> bool:
        """Whether the module can be traced as it is: flat tensors in, one tensor or a flat tuple out."""
        nodes = self._output.get("tuple")
        flat_out = "tensor" in self._output or (
            nodes is not None and "fields" not in self._output and all("tensor" in node for node in nodes)
        )
        return self.function is self.module and self.call.flat and flat_out

    def rebuild(self, tensors: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments like those of the example, with other tensors."""
        rest = iter(tensors)
        args = rebuild(self._args, rest)
        return args, rebuild(self._kwargs, rest)

    def flat_output(self, result: Any) -> list[Tensor]:
        """The tensors of what the function returned, in flat order."""
        leaves: list[tuple[str, Tensor]] = []
        self._flatten_output(result, leaves)
        return [tensor for _, tensor in leaves]

    def run(self, tensors: Sequence[Tensor], what: str) -> list[Tensor]:
        """Outputs for flat inputs, which are not changed; `what` names these in messages.

        Raises TraceError if the model raises, or if it returns another structure than for the example.
        """
        leaves: list[tuple[str, Tensor]] = []
        structure = self._flatten_output(self._call(tensors, what), leaves)
        if structure != self._output:
            raise TraceError(
                f"{self.name} returns another structure for {what} than for the example: "
                f"{_brief(structure)} instead of {_brief(self._output)}; what is not a tensor must not "
                "depend on the inputs"
            )
        return [tensor.detach() for _, tensor in leaves]

    def _call(self, tensors: Sequence[Tensor], what: str) -> Any:
        copies = [tensor.clone() for tensor in tensors]
        versions = [tensor._version for tensor in copies]
        args, kwargs = self.rebuild(copies)
        try:
            result = self.function(*args, **kwargs)
        except Error:
            raise
        except Exception as error:
            where = raised_at(error)
            raise TraceError(
                f"{where + ': ' if where else ''}{self.name} fails for {what}: {one_line(error)}; mend the "
                "model, its example or the ranges of its dims, or give `cases` if no random values can do"
            ) from error
        for name, tensor, version in zip(self.inputs, copies, versions, strict=True):
            if tensor._version != version:
                raise TraceError(
                    f"{self.name} changes its input '{name}' in place for {what}; work on a copy, as "
                    f"{name.partition('.')[0]}.clone()"
                )
        return result

    def _flatten_output(self, result: Any, leaves: list[tuple[str, Tensor]]) -> Structure:
        return flatten(result, "the output", _output_name(isinstance(result, Mapping)), leaves)

    def _move(self, device: str) -> None:
        """Work on a copy on the device; the caller's model stays where it is."""
        if self.module is None or all(one.device == torch.device(device) for one in self.module.parameters()):
            return
        bound = self.function is not self.module
        moved = copy.deepcopy(self.module).to(device)
        self.function = getattr(moved, self.function.__name__) if bound else moved
        self.module = moved


def module_of(model: Any) -> nn.Module | None:
    """The module that a model is, or of which it is a method; None for a plain function."""
    if isinstance(model, nn.Module):
        return model
    owner = getattr(model, "__self__", None)
    return owner if isinstance(owner, nn.Module) else None


def _bind(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], list[str]]:
    """The arguments with as many as possible made positional, and the names of the positional parameters."""
    target = function.forward if isinstance(function, nn.Module) else function
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):  # a function of torch's C++ has none
        return args, dict(kwargs), []
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise UsageError(
            f"the recipe's arguments do not fit the model: {error}; its parameters are {signature}"
        ) from None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [name for name, parameter in signature.parameters.items() if parameter.kind in positional]
    variadic = [
        n for n, parameter in signature.parameters.items() if parameter.kind is parameter.VAR_POSITIONAL
    ]
    extra = len(bound.args) - len(names)
    if variadic and extra > 0:
        names += [f"{variadic[0]}.{index}" for index in range(extra)]
    return bound.args, bound.kwargs, names


def _argument_name(parameters: Sequence[str], count: int) -> Callable[[tuple[str, ...]], str]:
    def name(path: tuple[str, ...]) -> str:
        index = int(path[0])
        unnamed = "input" if count == 1 else f"input.{index}"
        first = parameters[index] if index < len(parameters) else unnamed
        return ".".join((first, *path[1:]))

    return name


def _output_name(keyed: bool) -> Callable[[tuple[str, ...]], str]:
    """Entries of a dict bear their key; everything else is "output" with its path."""
    return (lambda path: ".".join(path)) if keyed else (lambda path: ".".join(("output", *path)))


def _chosen_names(kind: str, leaves: Sequence[tuple[str, Tensor]], given: Sequence[str] | None) -> list[str]:
    """The names that the recipe gives, or those of the paths. Raises UsageError unless all are distinct."""
    names = [name for name, _ in leaves]
    if given is not None:
        given = [given] if isinstance(given, str) else list(given)
        if len(given) != len(names):
            raise UsageError(
                f"names['{kind}'] has {len(given)} names for {len(names)} {kind} ({', '.join(names)}); "
                "give one for each"
            )
        names = given
    for name in names:
        if not isinstance(name, str) or not name or names.count(name) > 1:
            raise UsageError(
                f"{kind} are named {names}; give each a name of its own with names={{'{kind}': [...]}}"
            )
    return names


def _check_tensor(what: str, tensor: Tensor) -> None:
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type == "meta":
        raise TraceError(
            f"{what} is no dense tensor but {tensor.layout} on {tensor.device}; give a dense one"
        )
    if dtype_name(tensor.dtype) not in DTYPES:
        raise TraceError(
            f"{what} has the dtype {tensor.dtype}, which archives cannot hold; use one of {', '.join(DTYPES)}"
        )


def _to(value: Any, device: str) -> Any:
    leaves: list[tuple[str, Tensor]] = []
    flatten(value, "the arguments", ".".join, leaves)
    return rebuild(value, iter([tensor.to(device) for _, tensor in leaves]))


def _brief(structure: Structure) -> str:
    if "tensor" in structure:
        return "tensor"
    if "constant" in structure:
        return repr(structure["constant"])
    if "dict" in structure:
        return "{" + ", ".join(f"{key}: {_brief(node)}" for key, node in structure["dict"].items()) + "}"
    kind = "tuple" if "tuple" in structure else "list"
    inner = ", ".join(_brief(node) for node in structure[kind])
    return f"({inner})" if kind == "tuple" else f"[{inner}]"

"""The arguments of a call as a recipe gives them: bound to parameters, named, numbers marked as inputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from kit.errors import UsageError
from kit.signature import LARGEST
from kit.structure import SCALARS, scalar


def bind_arguments(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], list[str]]:
    """The arguments with as many as possible made positional, and the names of the positional parameters."""
    try:
        signature = _signature_of(function)
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


def _signature_of(function: Callable[..., Any]) -> inspect.Signature:
    if isinstance(function, torch.jit.ScriptModule):
        method: Any = function._c._get_method("forward")
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Signature(
            [
                inspect.Parameter(
                    one.name,
                    kind,
                    default=one.default_value if one.has_default_value() else inspect.Parameter.empty,
                )
                for one in method.schema.arguments[1:]
            ]
        )
    return inspect.signature(function.forward if isinstance(function, nn.Module) else function)


def with_scalars(
    args: tuple[Any, ...], kwargs: dict[str, Any], parameters: Sequence[str], names: Sequence[str]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with the named numbers marked as inputs."""
    positional, keywords = list(args), dict(kwargs)
    for name in names:
        index = parameters.index(name) if name in parameters else -1
        missing = index >= len(positional) or (index < 0 and name not in keywords)
        value = None if missing else positional[index] if index >= 0 else keywords[name]
        if type(value) not in SCALARS.values():
            what = "no argument" if missing else f"a {type(value).__name__}"
            raise UsageError(
                f"scalars names '{name}', which is {what} in the example; name arguments that are a bool, "
                "an int or a float there"
            )
        if type(value) is int and not -LARGEST - 1 <= value <= LARGEST:
            raise UsageError(
                f"scalars names '{name}', which in the example is too large for 64 bits with its sign; "
                "give a smaller number"
            )
        if index >= 0:
            positional[index] = scalar(value)
        else:
            keywords[name] = scalar(value)
    return tuple(positional), keywords


def argument_name(parameters: Sequence[str], count: int) -> Callable[[tuple[str, ...]], str]:
    """Names for the tensors of positional arguments: the parameter's, and the path in it."""

    def name(path: tuple[str, ...]) -> str:
        index = int(path[0])
        unnamed = "input" if count == 1 else f"input.{index}"
        first = parameters[index] if index < len(parameters) else unnamed
        return ".".join((first, *path[1:]))

    return name


def output_name(keyed: bool) -> Callable[[tuple[str, ...]], str]:
    """Entries of a dict bear their key; everything else is "output" with its path."""
    return (lambda path: ".".join(path)) if keyed else (lambda path: ".".join(("output", *path)))


def chosen_names(kind: str, leaves: Sequence[tuple[str, Tensor]], given: Sequence[str] | None) -> list[str]:
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
        if name == "__metadata__":
            raise UsageError(
                f"{kind} are named {names}, and .safetensors files keep '__metadata__' for themselves; give "
                f"another name with names={{'{kind}': [...]}}"
            )
    return names

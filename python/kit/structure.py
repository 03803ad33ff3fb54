"""How tensors nest in tuples, lists and dicts. An archive holds them flat; this is the way there and back.

A structure is plain JSON: {"tensor": i}, {"tuple": [...]}, {"list": [...]}, {"dict": {...}} or
{"constant": value}. A named tuple is a tuple with "fields" beside it; a dict has its "keys" beside it, as
JSON keeps no order; a dataclass is a dict with its name as "dataclass" beside it; a number that is an input
is a tensor with the kind of number as "scalar" beside it. Knows no torch: what counts as a tensor is asked of
`is_tensor`.
"""

from __future__ import annotations

import copy
import math
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, make_dataclass
from functools import cache
from keyword import iskeyword
from typing import Any

from kit.errors import InputError, TraceError

Structure = dict[str, Any]
Constant = (type(None), bool, int, float, str)
SCALARS: Mapping[str, type] = {"bool": bool, "int": int, "float": float}
"""Numbers that can be inputs. As a tensor they have no dimensions, and the dtype bool, int64 or float64."""


@dataclass(frozen=True)
class Scalar:
    """A number among the arguments that is an input: its kind, a key of SCALARS, and the 0-dimensional
    tensor that stands for it."""

    kind: str
    tensor: Any


@dataclass(frozen=True)
class Call:
    """How a call of the model nests: positional and keyword arguments, and what it returns.

    `parameters` are the names of the positional arguments, as far as they are known.
    """

    args: Structure = field(default_factory=lambda: {"tuple": []})
    kwargs: Structure = field(default_factory=lambda: {"dict": {}, "keys": []})
    output: Structure = field(default_factory=lambda: {"tuple": []})
    parameters: tuple[str, ...] = ()

    @property
    def flat(self) -> bool:
        """Whether all arguments are tensors, positional and not nested."""
        nodes = self.args["tuple"]
        return not self.kwargs["dict"] and all("tensor" in node and "scalar" not in node for node in nodes)

    @property
    def returns_flat(self) -> bool:
        """Whether it returns one tensor as it is, or several in their order as a tuple."""
        nodes = self.output.get("tuple", ())
        several = {"tuple": [{"tensor": index} for index in range(len(nodes))]}
        return self.output == {"tensor": 0} or (self.output == several and len(nodes) != 1)


def is_tensor(value: object) -> bool:
    """Whether the value is a torch tensor. Does not import torch: who has a tensor has imported it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def flatten(
    value: object, where: str, name: Callable[[tuple[str, ...]], str], leaves: list[tuple[str, Any]]
) -> Structure:
    """The structure of `value`; its tensors are added to `leaves` under the name that `name` gives their
    path.

    Raises TraceError for what is neither a tensor, a constant, nor a container of these.
    """
    return _flatten(value, where, (), name, leaves)


def _flatten(
    value: object,
    where: str,
    path: tuple[str, ...],
    name: Callable[[tuple[str, ...]], str],
    leaves: list[tuple[str, Any]],
) -> Structure:
    if is_tensor(value):
        leaves.append((name(path), value))
        return {"tensor": len(leaves) - 1}
    if isinstance(value, Scalar):
        leaves.append((name(path), value.tensor))
        return {"tensor": len(leaves) - 1, "scalar": value.kind}
    if isinstance(value, float) and not math.isfinite(value):
        raise TraceError(f"{_at(where, path)} is {value}, which a manifest cannot hold; pass it as a tensor")
    if isinstance(value, Constant):
        return {"constant": value}
    if isinstance(value, Mapping):
        bad = next((key for key in value if not isinstance(key, str)), None)
        if bad is not None:
            raise TraceError(
                f"{_at(where, path)}: the key {bad!r} of a dict is not a string; use string keys"
            )
        entries = {key: _flatten(item, where, (*path, key), name, leaves) for key, item in value.items()}
        return {"dict": entries, "keys": list(entries)}
    if _is_record(value):
        given = {one.name: getattr(value, one.name) for one in fields(value)}  # type: ignore[arg-type]
        entries = {key: _flatten(item, where, (*path, key), name, leaves) for key, item in given.items()}
        return {"dict": entries, "keys": list(entries), "dataclass": type(value).__name__}
    if isinstance(value, (tuple, list)):
        names = getattr(value, "_fields", None)
        steps = names if names is not None else [str(index) for index in range(len(value))]
        nodes = [
            _flatten(item, where, (*path, step), name, leaves)
            for step, item in zip(steps, value, strict=True)
        ]
        if names is not None:
            return {"tuple": nodes, "fields": list(names)}
        return {"tuple": nodes} if isinstance(value, tuple) else {"list": nodes}
    raise TraceError(
        f"{_at(where, path)} is a {type(value).__module__}.{type(value).__qualname__}; use tensors, None, "
        "bool, int, float and str, and tuples, lists, dicts and dataclasses of these"
    )


def leaf_indices(structure: Any) -> list[int]:
    """The indices of the tensors, in the order of the nest. Raises ValueError for what is no structure."""
    if not isinstance(structure, dict):
        raise ValueError("a node of the structure is no object")
    kinds = [kind for kind in ("tensor", "constant", "tuple", "list", "dict") if kind in structure]
    if len(kinds) != 1:
        raise ValueError("a node of the structure is of no kind, or of two")
    kind = kinds[0]
    value = structure[kind]
    types: dict[str, Any] = {"tensor": int, "constant": Constant, "dict": dict}
    wanted = types.get(kind, list)
    if not isinstance(value, wanted) or (kind == "tensor" and (isinstance(value, bool) or value < 0)):
        raise ValueError(f"a '{kind}' of the structure is {value!r}")
    if kind == "tensor":
        if structure.get("scalar", "int") not in SCALARS:
            raise ValueError(f"a 'scalar' of the structure is {structure['scalar']!r}")
        return [value]
    if kind == "constant":
        return []
    keys, names = structure.get("keys"), structure.get("fields")
    if keys is not None and (kind != "dict" or not _texts(keys) or sorted(keys) != sorted(value)):
        raise ValueError("'keys' of the structure are not those of their dict")
    if names is not None and (kind != "tuple" or not _texts(names) or len(names) != len(value)):
        raise ValueError("'fields' of the structure are not as many as the entries of their tuple")
    named = structure.get("dataclass")
    if named is not None and not (
        kind == "dict" and _texts([named, *value]) and _identifiers([named, *value])
    ):
        raise ValueError("a 'dataclass' of the structure is not beside a dict, or has names that are none")
    children = value.values() if kind == "dict" else value
    return [leaf for child in children for leaf in leaf_indices(child)]


def scalar_kinds(structure: Structure) -> dict[int, str]:
    """The kinds of the numbers that are inputs, by the index of the input."""
    if "scalar" in structure:
        return {structure["tensor"]: structure["scalar"]}
    children: Any = structure.get("tuple") or structure.get("list") or structure.get("dict") or ()
    nodes = children.values() if isinstance(children, dict) else children
    return {index: kind for node in nodes for index, kind in scalar_kinds(node).items()}


def _identifiers(names: Sequence[str]) -> bool:
    return all(name.isidentifier() and not iskeyword(name) for name in names)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def rebuild(value: Any, tensors: Iterator[Any]) -> Any:
    """A copy of the nest `value` in which the tensors are replaced, in their flat order."""
    if is_tensor(value) or isinstance(value, Scalar):
        return next(tensors)
    if _is_record(value) and not isinstance(value, Mapping):
        result = copy.copy(value)
        for one in fields(value):
            object.__setattr__(result, one.name, rebuild(getattr(value, one.name), tensors))
        return result
    if isinstance(value, Mapping):
        items = {key: rebuild(item, tensors) for key, item in value.items()}
        if _is_record(value):  # a dict that is a dataclass too, as outputs of transformers are
            return type(value)(**items)
        return items if type(value) is dict else type(value)(items)  # type: ignore[call-arg]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[rebuild(item, tensors) for item in value])
    if isinstance(value, (tuple, list)):
        return type(value)([rebuild(item, tensors) for item in value])
    return value


def restore(structure: Structure, tensors: Sequence[Any]) -> Any:
    """The nest that the structure describes, with `tensors` at its leaves."""
    if "tensor" in structure:
        tensor = tensors[structure["tensor"]]
        return tensor.item() if "scalar" in structure else tensor
    if "constant" in structure:
        return structure["constant"]
    if "dict" in structure:
        nodes: dict[str, Structure] = structure["dict"]
        order: list[str] = structure.get("keys", list(nodes))
        items = {key: restore(nodes[key], tensors) for key in order}
        named = structure.get("dataclass")
        return _record(named, tuple(order))(**items) if named else items
    if "list" in structure:
        return [restore(node, tensors) for node in structure["list"]]
    entries = tuple(restore(node, tensors) for node in structure["tuple"])
    names = structure.get("fields")
    return _named_tuple(tuple(names))._make(entries) if names else entries


@cache
def _named_tuple(fields: tuple[str, ...]) -> Any:
    return namedtuple("Output", fields, rename=True)


@cache
def _record(name: str, names: tuple[str, ...]) -> Any:
    return make_dataclass(name, names)


def _is_record(value: object) -> bool:
    """Whether the value is an object of a dataclass."""
    return is_dataclass(value) and not isinstance(value, type)


def match(structure: Structure, value: Any, where: str) -> list[Any]:
    """The tensors of `value` in flat order. Raises InputError where it does not nest like the structure."""
    found: dict[int, Any] = {}
    _match(structure, value, where, found)
    return [found[index] for index in sorted(found)]


def _match(structure: Structure, value: Any, where: str, found: dict[int, Any]) -> None:
    if "tensor" in structure:
        if "scalar" in structure:
            value = _number(structure["scalar"], value, where)
        if not is_tensor(value):
            raise InputError(f"{where}: wanted a tensor, came {_describe(value)}; give a torch.Tensor")
        found[structure["tensor"]] = value
    elif "constant" in structure:
        wanted = structure["constant"]
        if type(value) is not type(wanted) or value != wanted:
            raise InputError(
                f"{where}: it was fixed at export as {wanted!r}, came {_describe(value)}; give {wanted!r}, "
                "or export again with another value"
            )
    elif "dict" in structure:
        nodes = structure["dict"]
        if _is_record(value) and not isinstance(value, Mapping):
            value = {one.name: getattr(value, one.name) for one in fields(value)}
        if not isinstance(value, Mapping) or set(value) != set(nodes):
            keys = ", ".join(nodes) or "none"
            raise InputError(f"{where}: wanted a dict with the keys {keys}, came {_describe(value)}")
        for key, node in nodes.items():
            _match(node, value[key], f"{where}.{key}", found)
    else:
        kind = "tuple" if "tuple" in structure else "list"
        nodes = structure[kind]
        if not isinstance(value, (tuple, list)) or len(value) != len(nodes):
            raise InputError(f"{where}: wanted a {kind} of {len(nodes)}, came {_describe(value)}")
        for index, (node, item) in enumerate(zip(nodes, value, strict=True)):
            _match(node, item, f"{where}.{index}", found)


def scalar(value: Any) -> Scalar:
    """The number as an input. Raises OverflowError if it needs more than 64 bits."""
    torch = sys.modules["torch"]
    if type(value) is int and not -(2**63) <= value < 2**63:
        raise OverflowError("the number needs more than 64 bits")
    kind = next(name for name, type_ in SCALARS.items() if type(value) is type_)
    dtypes = {"bool": torch.bool, "int": torch.int64, "float": torch.float64}
    return Scalar(kind, torch.tensor(value, dtype=dtypes[kind]))


def _number(kind: str, value: Any, where: str) -> Any:
    """The tensor for a number that is an input; a 0-dimensional tensor is taken as it is."""
    if is_tensor(value):
        return value
    try:
        if kind == "float" and type(value) is int:
            value = float(value)
        if type(value) is not SCALARS[kind]:
            raise InputError(f"{where}: wanted a number of type {kind}, came {_describe(value)}; give one")
        return scalar(value).tensor
    except OverflowError:
        limit = "a float" if kind == "float" else "64 bits with its sign"
        raise InputError(
            f"{where}: the whole number that came is too large for {limit}; give a smaller one"
        ) from None


def bind(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
    """The input tensors of a call in flat order. Raises InputError if it is not called as at export."""
    nodes = call.args["tuple"]
    given = list(args)
    left = dict(kwargs)
    for name in call.parameters[len(given) : len(nodes)]:
        if name not in left:
            break
        given.append(left.pop(name))
    names = [_parameter(call, index) for index in range(len(nodes))]
    keywords = call.kwargs["dict"]
    if len(given) != len(nodes) or set(left) != set(keywords):
        wanted = ", ".join([*names, *(f"{key}=" for key in keywords)]) or "no arguments"
        came = ", ".join([f"{len(args)} positional", *(f"{key}=" for key in kwargs)])
        raise InputError(f"the model takes ({wanted}), came ({came}); give the arguments of the export")
    found: dict[int, Any] = {}
    for name, node, value in zip(names, nodes, given, strict=True):
        _match(node, value, f"argument '{name}'", found)
    for key, node in keywords.items():
        _match(node, left[key], f"argument '{key}'", found)
    return [found[index] for index in sorted(found)]


def _parameter(call: Call, index: int) -> str:
    return call.parameters[index] if index < len(call.parameters) else str(index)


def _at(where: str, path: tuple[str, ...]) -> str:
    return f"{where}.{'.'.join(path)}" if path else where


def _describe(value: object) -> str:
    if isinstance(value, Constant):
        return repr(value)
    if isinstance(value, Mapping):
        return f"a dict with the keys {', '.join(map(str, value)) or 'none'}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"

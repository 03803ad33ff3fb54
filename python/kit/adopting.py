"""Adopting a TorchScript file from elsewhere: its signature comes from an example."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from kit.archive import Archive
from kit.errors import ArchiveError, TraceError, UsageError
from kit.exporter import Exported, export_with_report
from kit.programs.deprecation import torchscript_deprecation_ignored
from kit.programs.devices import follow_inputs
from kit.recipe import DEFAULT_CASES, Recipe
from kit.signature import LARGEST, Dim
from kit.source import one_line
from kit.writing import check_destination

_DIM = re.compile(r"(?P<input>.+):(?P<axis>-?\d+)=(?P<name>[^:]+?)(?::(?P<min>\d+)\.\.(?P<max>\d+|any))?")


def adopt(
    program: str | os.PathLike[str],
    example: str | os.PathLike[str] | Mapping[str, Tensor],
    path: str | os.PathLike[str] = "model.pt",
    *,
    dynamic: Mapping[str, Mapping[int, Dim]] | None = None,
    name: str | None = None,
    cases: int = DEFAULT_CASES,
    allow: Sequence[str] = (),
) -> Archive:
    """Make an archive of a TorchScript file that torch or anything else wrote, traced or scripted.

    program: the file. example: a tensor for each input of its `forward`, by name, or a .safetensors file of
    these. Entries of lists, tuples and dicts have a path: "boxes.0". A number among the arguments is fixed as
    what the 0-dimensional tensor of its name holds.
    dynamic: dims by input and dimension, as in `kit.Recipe`; all other sizes are fixed.
    name: name of the model; by default that of the file. cases, allow: as in `kit.Recipe`.

    The golden cases are what the file's program itself computes here, so they prove that it is carried along
    unchanged, and nothing of the model that it was once made from. Devices that are constants of the program
    follow its inputs from now on.

    Raises ArchiveError if the file is no TorchScript, UsageError for an example that does not fit it, and all
    that `kit.export` raises.
    """
    return adopt_with_report(
        program, example, path, dynamic=dynamic, name=name, cases=cases, allow=allow
    ).archive


def adopt_with_report(
    program: str | os.PathLike[str],
    example: str | os.PathLike[str] | Mapping[str, Tensor],
    path: str | os.PathLike[str] = "model.pt",
    *,
    dynamic: Mapping[str, Mapping[int, Dim]] | None = None,
    name: str | None = None,
    cases: int = DEFAULT_CASES,
    allow: Sequence[str] = (),
) -> Exported:
    """The same, and what there is to say of it."""
    check_destination(path, program)
    if not isinstance(example, Mapping):
        check_destination(path, example)
    module = _load(program)
    devices, others = _devices(module), _other_methods(module)
    follow_inputs(module, None)
    args, kwargs, names = _arguments(module, _read_example(example), os.fspath(program))
    recipe = Recipe(
        module,
        args,
        kwargs,
        name=name or Path(program).stem,
        dynamic=dynamic or {},
        names={"inputs": names},
        cases=cases,
        allow=allow,
    )
    try:
        done = export_with_report(recipe, path=path)
    except TraceError as error:
        if len(error.findings) < 2:
            raise
        # Nothing else would list them: lint takes a recipe.
        raise TraceError("; and ".join(map(str, error.findings)), error.findings) from error
    notes = [
        f"the device {device} was a constant of the program: it follows the inputs now" for device in devices
    ]
    notes += [f"the method '{name}' is not in the archive, which has forward alone" for name in others]
    return Exported(done.archive, done.report, done.compiled, (*notes, *done.notes))


def parse_dims(texts: Sequence[str]) -> dict[str, dict[int, Dim]]:
    """Dims written as "x:0=batch:1..4096". Raises UsageError for what is written otherwise."""
    dynamic: dict[str, dict[int, Dim]] = {}
    for text in texts:
        match = _DIM.fullmatch(text)
        if match is None:
            raise UsageError(f"'{text}' is no dim; write INPUT:AXIS=NAME:MIN..MAX, as x:0=batch:1..4096")
        most = LARGEST if match["max"] in (None, "any") else int(match["max"])
        dim = Dim(match["name"], int(match["min"] or 1), most)
        dynamic.setdefault(match["input"], {})[int(match["axis"])] = dim
    return dynamic


def _load(path: str | os.PathLike[str]) -> torch.jit.ScriptModule:
    where = os.fspath(path)
    if not os.path.isfile(where):
        raise ArchiveError(f"{where}: there is no such file; name a TorchScript file")
    try:
        with torchscript_deprecation_ignored():
            module = torch.jit.load(where, map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise ArchiveError(
            f"{where}: torch cannot load it as TorchScript: {one_line(error).partition('. ')[0]}; export a "
            "model that is no TorchScript with python -m kit.export"
        ) from error
    if not module._c._has_method("forward"):
        methods = ", ".join(sorted(module._c._method_names())) or "none"
        raise ArchiveError(f"{where}: its module has no forward method (it has {methods}); save one that has")
    result: torch.jit.ScriptModule = module.eval()
    return result


def _read_example(example: str | os.PathLike[str] | Mapping[str, Tensor]) -> dict[str, Tensor]:
    if isinstance(example, Mapping):
        return dict(example)
    where = os.fspath(example)
    try:
        return safetensors.torch.load_file(where)
    except OSError as error:
        reason = error.strerror or "there is no such file"
        raise UsageError(
            f"{where}: the example cannot be read: {reason}; give a .safetensors file"
        ) from error
    except safetensors.SafetensorError as error:
        raise UsageError(f"{where}: it is no .safetensors file: {one_line(error)}") from error


def _arguments(
    module: torch.jit.ScriptModule, example: Mapping[str, Tensor], where: str
) -> tuple[tuple[Any, ...], dict[str, Any], list[str]]:
    """Arguments of `forward` from the example, and the names of its tensors in flat order."""
    left = dict(example)
    names: list[str] = []
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    schema = module._c._get_method("forward").schema
    for index, argument in enumerate(schema.arguments[1:]):
        given = any(key == argument.name or key.startswith(f"{argument.name}.") for key in left)
        if not given and argument.has_default_value():
            continue
        value = _value(argument.name, argument.type, left, names, where)
        if len(args) == index:
            args.append(value)
        else:
            kwargs[argument.name] = value
    if left:
        known = ", ".join(argument.name for argument in schema.arguments[1:])
        raise UsageError(
            f"the example has '{next(iter(left))}', which {where} does not take; its inputs are {known}"
        )
    return tuple(args), kwargs, names


def _value(name: str, kind: Any, left: dict[str, Tensor], names: list[str], where: str) -> Any:
    """The value of one argument, or of one entry in it, of a TorchScript type."""
    what = kind.kind()
    if what == "OptionalType":
        if not any(key == name or key.startswith(f"{name}.") for key in left):
            return None
        return _value(name, kind.getElementType(), left, names, where)
    if what in ("IntType", "FloatType", "BoolType", "NumberType") and name in left:
        return left.pop(name).item()
    if what == "TensorType" and name in left:
        names.append(name)
        return left.pop(name)
    if what == "TupleType":
        return tuple(
            _value(f"{name}.{index}", one, left, names, where) for index, one in enumerate(kind.elements())
        )
    steps = list(_steps(name, left))
    if what == "ListType" and steps:
        ordered = sorted(steps, key=lambda step: (len(step), step))
        return [_value(f"{name}.{step}", kind.getElementType(), left, names, where) for step in ordered]
    if what == "DictType" and steps:
        return {
            step: _value(f"{name}.{step}", kind.getValueType(), left, names, where) for step in sorted(steps)
        }
    raise UsageError(
        f"the example has no '{name}', which {where} takes as {kind}; give it, entries of lists and dicts as "
        f"'{name}.0' or '{name}.key'"
    )


def _steps(name: str, left: Mapping[str, Tensor]) -> Iterator[str]:
    """The next steps of the paths that begin with the name, each once."""
    paths = (key[len(name) + 1 :] for key in left if key.startswith(f"{name}."))
    return iter(dict.fromkeys(path.partition(".")[0] for path in paths))


def _devices(module: torch.jit.ScriptModule) -> list[str]:
    """The devices that are constants of the program, but for the CPU."""
    graph: Any = module.inlined_graph  # it owns its nodes
    found = {
        str(node.output().toIValue())
        for node in graph.findAllNodes("prim::Constant")
        if node.output().type().kind() == "DeviceObjType"
    }
    return sorted(found - {"cpu"})


def _other_methods(module: torch.jit.ScriptModule) -> list[str]:
    """The methods of the module that forward does not call."""
    known = {name for name in module._c._method_names() if not name.startswith("__")}
    called: set[str] = set()
    pending = {"forward"}
    while pending:
        called |= pending
        graphs: list[Any] = [module._c._get_method(name).graph for name in pending]
        nodes = [node for graph in graphs for node in graph.findAllNodes("prim::CallMethod")]
        pending = {node.s("name") for node in nodes} & known - called
    return sorted(known - called)

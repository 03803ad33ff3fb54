"""The model as the recipe gave it, seen as a function from flat tensors to flat tensors."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from kit.arguments import argument_name, bind_arguments, chosen_names, output_name, with_scalars
from kit.detaching import data_detached
from kit.errors import Error, TraceError
from kit.guards.finding import Finding, refuse
from kit.guards.parameters import check_parameters
from kit.guards.state import BufferState, mutated_buffer, mutated_input, place_of_change, was_written
from kit.recipe import Recipe, tuple_of
from kit.signature import DTYPES, dtype_name
from kit.source import Place, followed, is_ground, one_line, place_of, place_raised
from kit.state import Attributes, attributes_kept, training, version_of
from kit.structure import SCALARS, Call, Structure, flatten, rebuild, scalar_kinds

_RANDOM = ("random", "training-mode")


class Eager:
    """A model with the structure of its example call.

    module: the module whose parameters the model uses, or None for a plain function.
    function: what is called; the module itself, a method of it, or the plain function.
    inputs: the tensors of the example by name, in flat order.
    outputs: names of the outputs, in flat order.
    example_outputs: what it returned for the example, in flat order.
    call: how arguments and outputs nest.
    seed: what the random generator is seeded with before each call, if the model may draw random numbers.
    keeps: whether the first call left something on the module.
    mended: whether its traces were mended before they ended, see `kit.programs.mending`.
    """

    def __init__(self, recipe: Recipe, device: str | None = None) -> None:
        if device is not None:
            recipe = on_device(recipe, device)
        self.name = str(recipe.name)
        self.function: Callable[..., Any] = recipe.model
        self.module = module_of(recipe.model)
        self.training = recipe.training
        self.mended = False
        self.seed = recipe.seed if any(one.partition(":")[0] in _RANDOM for one in recipe.allow) else None
        args, kwargs, parameters = bind_arguments(self.function, recipe.args, recipe.kwargs)
        args, kwargs = with_scalars(args, kwargs, parameters, recipe.scalars)
        self._args, self._kwargs = args, kwargs
        given = recipe.names or {}
        leaves: list[tuple[str, Tensor]] = []
        args_structure = flatten(args, "the arguments", argument_name(parameters, len(args)), leaves)
        kwargs_structure = flatten(kwargs, "the keyword arguments", ".".join, leaves)
        self._scalars = scalar_kinds(args_structure) | scalar_kinds(kwargs_structure)
        names = chosen_names("inputs", leaves, given.get("inputs"))
        self.inputs = dict(zip(names, (tensor for _, tensor in leaves), strict=True))
        for name, tensor in self.inputs.items():
            _check_tensor(f"input '{name}'", tensor)
        refuse(check_parameters(self.module, list(self.inputs.values())))
        if _is_lazy(self.module):  # the call that makes its parameters is none to be judged by
            self._run_or_refuse([tensor.clone() for tensor in self.inputs.values()], "the example")
        self._buffers = BufferState(self.module)
        self._fresh = Attributes(self.module)
        self._fresh.keep_values(self._fresh.tensors.values())
        self._generator = torch.get_rng_state()
        outputs: list[tuple[str, Tensor]] = []
        result = self._call(list(self.inputs.values()), "the example")
        self._output = self._flatten_output(result, outputs)
        if not outputs:
            raise TraceError(
                f"{self.name} returns no tensor but {result!r}; a model must return at least one"
            )
        for name, tensor in outputs:
            _check_tensor(f"output '{name}'", tensor)
        self.outputs = chosen_names("outputs", outputs, given.get("outputs"))
        self.example_outputs = [tensor.detach() for _, tensor in outputs]
        self.call = Call(args_structure, kwargs_structure, self._output, tuple(parameters[: len(args)]))
        self.keeps = self._fresh.changed()
        self._fresh.keep_written()
        self._buffers.watch_parameters()

    def moved(self, device: str) -> Eager:
        """The same with the module there, a copy if it is not yet, and the example's arguments."""
        other = copy.copy(self)
        other.function = _model_on(self.function, device)
        other.module = module_of(other.function)
        other._buffers = BufferState(other.module)
        other._args, other._kwargs = _to(self._args, device), _to(self._kwargs, device)
        other.inputs = {name: tensor.to(device) for name, tensor in self.inputs.items()}
        return other

    @property
    def direct(self) -> bool:
        """Whether the module can be traced as it is: flat tensors in, one tensor or a flat tuple out."""
        nodes = self._output.get("tuple")
        flat_out = "tensor" in self._output or (
            nodes is not None and "fields" not in self._output and all("tensor" in node for node in nodes)
        )
        return self.function is self.module and self.call.flat and flat_out and not self.training

    def mode(self) -> AbstractContextManager[None]:
        """The mode that the model is to run in, given that it is in evaluation mode."""
        return training(self.module) if self.training else nullcontext()

    def rebuild(self, tensors: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments like those of the example, with other tensors. Numbers are tensors while the model is
        traced or exported, so that the program can compute with them."""
        numbers = torch._C._get_tracing_state() is None and not torch.compiler.is_exporting()
        kinds = self._scalars if numbers else {}
        rest = iter(
            SCALARS[kinds[i]](tensor.item()) if i in kinds else tensor for i, tensor in enumerate(tensors)
        )
        args = rebuild(self._args, rest)
        return args, rebuild(self._kwargs, rest)

    def flat_output(self, result: Any) -> list[Tensor]:
        """The tensors of what the function returned, in flat order."""
        leaves: list[tuple[str, Tensor]] = []
        self._flatten_output(result, leaves)
        return [tensor for _, tensor in leaves]

    def restore_buffers(self) -> bool:
        """Put back the buffers that a call has changed; whether there are any."""
        changed = bool(self._buffers.changed())
        self._buffers.restore()
        return changed

    def known_output(self, result: Any) -> list[Tensor] | None:
        """The same, or None if it nests otherwise than for the example."""
        leaves: list[tuple[str, Tensor]] = []
        same = self._flatten_output(result, leaves) == self._output
        return [tensor for _, tensor in leaves] if same else None

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

    def run_first(self, tensors: Sequence[Tensor], what: str) -> list[Tensor]:
        """The same, if this were the first call; it leaves nothing on the module."""
        with self._as_before(), torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._generator)
            return self.run(tensors, what)

    @contextmanager
    def _as_before(self) -> Iterator[None]:
        """The module is meanwhile as it was before the first call."""
        self._buffers.leave_parameters()
        try:
            with attributes_kept(self.module, self._fresh.keep_written()):
                self._fresh.restore()
                yield
        finally:
            self._buffers.watch_parameters()

    def place_of_keeping(self) -> Place | None:
        """The line of the first call that first left something on the module."""
        places: list[tuple[str, int]] = []
        done = False

        def watch(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal done
            if is_ground(frame.f_code.co_filename):
                return None
            done = done or self._fresh.changed()
            if not done:
                places.append((frame.f_code.co_filename, frame.f_lineno))
            return watch

        with self._as_before(), followed(watch):
            self._run([tensor.clone() for tensor in self.inputs.values()])
        return place_of(places[-1:])

    def forget(self) -> None:
        """Take from the module what the first call left on it."""
        self._fresh.restore()

    def _call(self, tensors: Sequence[Tensor], what: str) -> Any:
        copies = [tensor.clone() for tensor in tensors]
        versions = [version_of(tensor) for tensor in copies]
        attributes = Attributes(self.module)
        try:
            result = self._run_or_refuse(copies, what)
        finally:
            buffers = self._buffers.changed()
            self._buffers.restore()
        inputs = [
            name
            for name, tensor, version, given in zip(self.inputs, copies, versions, tensors, strict=True)
            if was_written(tensor, version, given)
        ]
        if inputs or buffers:
            attributes.restore()  # what the model has made of itself may keep it from changing them again
            try:
                self._refuse_changes(inputs, buffers, tensors, what)
            finally:
                attributes.restore()
        return result

    def _run_or_refuse(self, tensors: Sequence[Tensor], what: str) -> Any:
        try:
            return self._run(tensors)
        except Error:
            raise
        except Exception as error:
            finding = Finding(
                "fails",
                f"{self.name} fails for {what}: {one_line(error)}",
                "mend the model, its example or the ranges of its dims, or give `cases` if no random values "
                "can do",
                place_raised(error),
            )
            raise TraceError(str(finding), [finding]) from error

    def _run(self, tensors: Sequence[Tensor]) -> Any:
        args, kwargs = self.rebuild(tensors)
        with self.mode(), data_detached():
            if self.seed is not None:
                torch.manual_seed(self.seed)
            return self.function(*args, **kwargs)

    def _refuse_changes(
        self, inputs: Sequence[str], buffers: Sequence[str], tensors: Sequence[Tensor], what: str
    ) -> None:
        """Raise TraceError, with the line that makes the change."""
        copies = [tensor.clone() for tensor in tensors]
        watched = {name: tensor for name, tensor in zip(self.inputs, copies, strict=True) if name in inputs}
        watched.update({name: self._buffers.tensors[name] for name in buffers})
        try:
            place = place_of_change(lambda: self._run(copies), watched)
        finally:
            self._buffers.restore()
        kinds = {
            name: "parameter" if isinstance(watched[name], nn.Parameter) else "buffer" for name in buffers
        }
        refuse(
            [mutated_input(name, place, what) for name in inputs]
            + [mutated_buffer(name, place, kind) for name, kind in kinds.items()]
        )

    def _flatten_output(self, result: Any, leaves: list[tuple[str, Tensor]]) -> Structure:
        return flatten(result, "the output", output_name(isinstance(result, Mapping)), leaves)

    @property
    def device(self) -> str:
        """Where inputs and parameters are."""
        tensors = list(self.inputs.values()) or list(self.module.parameters() if self.module else ())
        return str(tensors[0].device) if tensors else "cpu"


def on_device(recipe: Recipe, device: str) -> Recipe:
    """The recipe with its example and a copy of its model there; the caller's model stays where it is."""
    methods = {
        name: replace(one, args=_to(tuple_of(one.args), device), kwargs=_to(one.kwargs, device))
        for name, one in recipe.methods.items()
    }
    return replace(
        recipe,
        model=_model_on(recipe.model, device),
        args=_to(recipe.args, device),
        kwargs=_to(recipe.kwargs, device),
        methods=methods,
    )


def module_of(model: Any) -> nn.Module | None:
    """The module that a model is, or of which it is a method; None for a plain function."""
    if isinstance(model, nn.Module):
        return model
    owner = getattr(model, "__self__", None)
    return owner if isinstance(owner, nn.Module) else None


def _is_lazy(module: nn.Module | None) -> bool:
    """Whether parts of a module get their parameters in the first call."""
    return module is not None and any(map(is_lazy, (*module.parameters(), *module.buffers())))


def _check_tensor(what: str, tensor: Tensor) -> None:
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_nested or tensor.is_meta:
        kind = "nested" if tensor.is_nested else str(tensor.layout)
        raise TraceError(f"{what} is no dense tensor but {kind} on {tensor.device}; give a dense one")
    if dtype_name(tensor.dtype) not in DTYPES:
        raise TraceError(
            f"{what} has the dtype {tensor.dtype}, which archives cannot hold; use one of {', '.join(DTYPES)}"
        )


def _model_on(model: Any, device: str) -> Any:
    """The model if all of it is there, or a copy that is."""
    module = module_of(model)
    if module is None or all(
        one.device == torch.device(device) for one in (*module.parameters(), *module.buffers())
    ):
        return model
    moved = copy.deepcopy(module).to(device)
    return moved if model is module else getattr(moved, model.__name__)


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

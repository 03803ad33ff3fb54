"""Running an archive in the C++ engine."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from inspect import signature as signature_of
from typing import Any

import torch
from torch import Tensor

from kit.archive import Archive
from kit.binding import native
from kit.configuration import DEFAULTS, Configuration
from kit.errors import ArchiveWarning, InputError, UsageError
from kit.fusion import FusionReport
from kit.graph import Graph
from kit.method import FORWARD
from kit.signature import Signature
from kit.state import random_state_kept
from kit.structure import bind, restore
from kit.warm_up import WarmUp

WarmUpSizes = bool | Mapping[str, Sequence[int]]

_log = logging.getLogger("kit")
_SIGNATURE = signature_of(lambda *args, **kwargs: None)  # of a call, which C++ does not tell


class Model(native.Caller):
    """A loaded model. Call it like the eager one: the arguments nest the same way, and so does what it
    returns. A call raises InputError if the arguments do not fit the signature.

    Inputs are read in place and outputs are new memory; Python's lock is released meanwhile, so that threads
    run in parallel.
    """

    def __init__(
        self,
        archive: Archive,
        engine: str,
        device: str | torch.device,
        method: str = FORWARD,
        configuration: Configuration = DEFAULTS,
        warm_up: WarmUpSizes = False,
        target: str = "",
    ) -> None:
        self.archive = archive
        device = str(device)
        if not isinstance(configuration, Configuration):
            raise UsageError(f"configuration is {configuration!r}; give a kit.Configuration")
        sizes = warm_up if isinstance(warm_up, Mapping) else {}
        for dim, each in sizes.items():
            given: object = each
            if isinstance(given, str) or not isinstance(given, Sequence):
                raise UsageError(f"warm_up gives {each!r} for the dim {dim!r}; give a list of sizes")
            for size in given:
                if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 1 << 63:
                    raise UsageError(
                        f"warm_up gives the size {size!r} for the dim {dim!r}; give whole numbers"
                    )
        with random_state_kept() if warm_up else nullcontext():
            self._native = native.Model.load(
                archive._native,
                engine,
                device,
                method,
                native.Configuration(**configuration.to_dict()),
                bool(warm_up),
                sizes,
                _log.warning,
                target,
            )
            self._warm_after_load()
        self.device = device
        self._signature = archive.manifest.method(method).signature if archive.manifest is not None else None
        self._call = self._signature.call if self._signature is not None else None
        self._flat = self._call is None or self._call.flat
        self.__signature__ = _SIGNATURE
        self._direct = self._flat and (self._call is None or self._call.returns_flat)

    @property
    def name(self) -> str:
        """The model's name; without a manifest the path of the file."""
        return self.archive.manifest.name if self.archive.manifest is not None else self.archive.path

    @property
    def signature(self) -> Signature | None:
        """Names, dtypes and shapes, or None where there is no manifest."""
        return self._signature

    @property
    def method(self) -> str:
        """The name of the method that was loaded."""
        return self._native.method

    @property
    def engine(self) -> str:
        """The engine in use."""
        return self._native.engine

    @property
    def target(self) -> str:
        """What the program in use was compiled for: "x86-64-v3", "cuda:sm_90"; "any" for TorchScript."""
        return self._native.target

    @property
    def label(self) -> str:
        """What tells it from other ways to run the archive: "native x86-64-v3 (C++)"."""
        return f"{self.engine}{'' if self.target == 'any' else f' {self.target}'} (C++)"

    @property
    def configuration(self) -> Configuration:
        """How the engine runs it: what was asked for, else what the archive recommends, else the defaults.
        Engines other than TorchScript know only the threads."""
        return Configuration(**json.loads(self._native.configuration_json))

    @property
    def notes(self) -> list[str]:
        """Why the other engines were not taken, one sentence each."""
        return self._native.notes

    @property
    def warnings(self) -> list[str]:
        """What could not be checked, one sentence each; empty for an archive of kit's."""
        return self._native.warnings

    def _general(self, *args: Any, **kwargs: Any) -> Any:
        """A call that the native model does not take as it is, or whose outputs it does not nest."""
        outputs = None if kwargs or not self._flat else self._native.call(args)
        if outputs is None:
            return self._nested(self._native.predict(self._bind(args, kwargs)))
        return self._nested(outputs if isinstance(outputs, tuple) else (outputs,))

    def _nested(self, outputs: Sequence[Tensor]) -> Any:
        """The outputs as the model returns them."""
        if self._call is not None:
            return restore(self._call.output, outputs)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def predict(self, inputs: list[Tensor]) -> list[Tensor]:
        """Flat outputs for flat inputs, both in the signature's order."""
        _check_list("predict", inputs)
        return self._native.predict(inputs)

    def warm_up(self, *args: Any, **kwargs: Any) -> WarmUp:
        """Call the model with these arguments until nothing more is compiled, and say what it took.

        Predictions that compile from now on are named by the logger "kit", as warnings with their sizes. Not
        while another thread uses the model. The random generators stay as they are.
        """
        with random_state_kept():
            inputs = self._bind(args, kwargs)
            report = self._native.warm_up([inputs])
            self._warm_binding(inputs)
        return WarmUp.of(report)

    def _warm_binding(self, inputs: list[Tensor]) -> None:
        """Its own first calls are slow as well, when all is compiled."""
        for _ in range(3):
            self._native.call(tuple(inputs))
            self.predict(inputs)

    def _warm_after_load(self) -> None:
        warmed = self._native.warmed_up
        if warmed is None:
            return
        assert self.archive.manifest is not None  # or there were no golden cases to warm up with
        signature = self.archive.manifest.method(self.method).signature
        for inputs, _ in self.archive.cases(self.method):
            if signature.sizes(inputs) in warmed.sizes:
                self._warm_binding(inputs)
                return

    @property
    def warmed_up(self) -> WarmUp | None:
        """All warm-ups together, or None if there was none."""
        one = self._native.warmed_up
        return None if one is None else WarmUp.of(one)

    def fusion(self, inputs: Sequence[Sequence[Tensor]], calls: int = 4) -> FusionReport:
        """What is fused, and what is not, when these flat inputs are given `calls` times each, in this order.

        They are run in an execution of its own, so that the model itself stays as it is. The random
        generators stay as they are.
        """
        if not isinstance(inputs, (list, tuple)):
            raise InputError(
                f"fusion takes a list of cases, not {_kind(inputs)}; give a list of tensors for each"
            )
        for one in inputs:
            _check_list("each case of fusion", one)
        check_calls(calls)
        with random_state_kept():
            return FusionReport.of(native.fusion(self._native, [list(one) for one in inputs], calls))

    def graph(self, stage: str = "traced", inputs: Sequence[Tensor] = ()) -> Graph:
        """The graph of the method at a stage: traced, frozen or optimized.

        For "optimized" it is the one that is executed for flat inputs of these sizes: they are run until
        nothing more is compiled, in an execution of its own, so that the model itself stays as it is. The
        random generators stay as they are.
        """
        if not isinstance(stage, str):
            raise UsageError(f"there is no stage {stage!r}; give traced, frozen or optimized")
        _check_list("graph", inputs)
        with random_state_kept():
            return Graph.of(native.graph(self._native, stage, list(inputs)))

    def update_weights(self, path: str | os.PathLike[str]) -> None:
        """Replace the weights of an aoti program by those of a .safetensors file.

        path: the file, with the tensors of the model's state_dict under their names, and with cases that
            prove them: `cases/0.inputs.<name>` and `cases/0.outputs.<name>`, then 1 and so on. These are
            replayed. Without any the model's `warnings` say so.

        Calls wait meanwhile. After an error the weights are as before. Raises InputError that names a weight
        that is unknown, missing, or of another dtype or shape, ParityError for a case that differs beyond the
        tolerance, and UnavailableError for a program whose weights cannot be replaced.
        """
        with random_state_kept():
            self._native.update_weights(os.fspath(path))

    def seed(self, seed: int) -> None:
        """Seed the random generators that the program draws from: torch's, of the whole process."""
        if not isinstance(seed, int) or not 0 <= seed < 1 << 64:
            raise UsageError(f"the seed is {seed!r}; give a whole number from 0 to {(1 << 64) - 1}")
        self._native.seed(seed)

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
        if self._call is not None:
            return bind(self._call, args, kwargs)
        names = self._native.input_names
        if kwargs or len(args) != len(names) or not _all_tensors(args):
            raise InputError(
                f"the model takes {len(names)} tensors ({', '.join(names)}), in this order and without names"
            )
        return list(args)

    def __copy__(self) -> Model:
        """Another name for the same loaded model."""
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._native, other._direct = self._native, self._direct
        return other

    def __repr__(self) -> str:
        method = "" if self.method == FORWARD else f", method {self.method}"
        return f"<kit.Model {self.name!r}{method}, engine {self.engine}>"


def _all_tensors(args: Sequence[Any]) -> bool:
    return all(isinstance(value, Tensor) for value in args)


def check_calls(calls: object) -> None:
    """Raise UsageError for a number of calls that is none, or that C++ has no room for."""
    if isinstance(calls, bool) or not isinstance(calls, int) or not abs(calls) < 1 << 31:
        raise UsageError(f"calls is {calls!r}; give a whole number from 1 to {(1 << 31) - 1}")


def _check_list(what: str, inputs: object) -> None:
    if not isinstance(inputs, (list, tuple)) or not _all_tensors(inputs):
        raise InputError(f"{what} takes a list of tensors, not {_kind(inputs)}; give one for each input")


def _kind(value: object) -> str:
    if not isinstance(value, (list, tuple)):
        return f"a {type(value).__name__}"
    strange = next(one for one in value if not isinstance(one, Tensor))
    return f"a {type(value).__name__} with a {type(strange).__name__} in it"


def load(
    path: str | os.PathLike[str] | Archive,
    engine: str = "auto",
    device: str | torch.device = "cpu",
    method: str = FORWARD,
    configuration: Configuration = DEFAULTS,
    warm_up: WarmUpSizes = False,
    target: str = "",
) -> Model:
    """Load a model into the C++ engine.

    path: the file, or an opened archive; models of one Archive on one device share the weights.
    engine: "auto" takes the fastest program that the archive has and this host can run.
    device: "cpu", "cuda" or "cuda:N".
    method: which method of the model.
    configuration: how the TorchScript engine runs it.
    warm_up: whether to call it until nothing more is compiled: with one golden case of each of their sizes,
        or of those that are given by dim, as {"batch": [1, 64]}. Predictions that compile after that are
        named by the logger "kit".
    target: what the program was compiled for, as the manifest has it; the best for this host, if not given.

    Raises ArchiveError if the file is no sound archive, UsageError if it has no such method, or no golden
    cases to warm up with, UnavailableError if the host lacks the engine or the device. Warns with
    ArchiveWarning of what cannot be checked: that is all in a plain TorchScript file.
    """
    archive = path if isinstance(path, Archive) else Archive(path)
    model = Model(archive, engine, device, method, configuration, warm_up, target)
    for message in model.warnings:
        warnings.warn(message, ArchiveWarning, stacklevel=2)
    return model


def inspect(path: str | os.PathLike[str]) -> Archive:
    """Open and check an archive without loading the model. Print it to see what it holds."""
    return Archive(path)

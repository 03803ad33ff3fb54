"""Running an archive in the C++ engine."""

from __future__ import annotations

import os
import warnings
from typing import Any

from torch import Tensor

from kit.archive import Archive
from kit.binding import native
from kit.errors import ArchiveWarning, InputError
from kit.method import FORWARD
from kit.signature import Signature
from kit.structure import bind, restore


class Model:
    """A loaded model. Call it like the eager one: the arguments nest the same way, and so does what it
    returns.

    Inputs are read in place and outputs are new memory; Python's lock is released meanwhile, so that threads
    run in parallel.
    """

    def __init__(self, archive: Archive, engine: str, device: str, method: str = FORWARD) -> None:
        self.archive = archive
        self._native = native.Model.load(archive._native, engine, device, method=method)
        self._signature = archive.manifest.method(method).signature if archive.manifest is not None else None
        self._call = self._signature.call if self._signature is not None else None
        self._count = len(self._native.input_names)
        self._flat = self._call is None or self._call.flat

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
    def notes(self) -> list[str]:
        """Why the other engines were not taken, one sentence each."""
        return self._native.notes

    @property
    def warnings(self) -> list[str]:
        """What could not be checked, one sentence each; empty for an archive of kit's."""
        return self._native.warnings

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Outputs for the given arguments. Raises InputError if these do not fit the signature."""
        if kwargs or not self._flat or len(args) != self._count or not _all_tensors(args):
            args = tuple(self._bind(args, kwargs))
        outputs = self._native.predict(args)
        if self._call is not None:
            return restore(self._call.output, outputs)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def predict(self, inputs: list[Tensor]) -> list[Tensor]:
        """Flat outputs for flat inputs, both in the signature's order."""
        return self._native.predict(inputs)

    def seed(self, seed: int) -> None:
        """Seed the random generators that the program draws from: torch's, of the whole process."""
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

    def __repr__(self) -> str:
        method = "" if self.method == FORWARD else f", method {self.method}"
        return f"<kit.Model {self.name!r}{method}, engine {self.engine}>"


def _all_tensors(args: tuple[Any, ...]) -> bool:
    return all(isinstance(value, Tensor) for value in args)


def load(
    path: str | os.PathLike[str] | Archive, engine: str = "auto", device: str = "cpu", method: str = FORWARD
) -> Model:
    """Load a model into the C++ engine.

    path: the file, or an opened archive; models of one Archive on one device share the weights.
    engine: "auto" takes the fastest program that the archive has and this host can run.
    device: "cpu", "cuda" or "cuda:N".
    method: which method of the model.

    Raises ArchiveError if the file is no sound archive, UsageError if it has no such method, UnavailableError
    if the host lacks the engine or the device. Warns with ArchiveWarning of what cannot be checked: that is
    all in a plain TorchScript file.
    """
    model = Model(path if isinstance(path, Archive) else Archive(path), engine, device, method)
    for message in model.warnings:
        warnings.warn(message, ArchiveWarning, stacklevel=2)
    return model


def inspect(path: str | os.PathLike[str]) -> Archive:
    """Open and check an archive without loading the model. Print it to see what it holds."""
    return Archive(path)

"""What is measured: one method of an archive at one size, and the same model in other formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kit.archive import Archive
from kit.eager import Eager
from kit.errors import UsageError
from kit.method import Method
from kit.peers.quiet import quiet
from kit.programs.exported import example_of, exported
from kit.signature import Dim, Signature

Sizes = dict[str, int]


class Files:
    """The model as files of other formats, each made when it is first asked for."""

    def __init__(self, eager: Eager, method: Method, archive: Archive, folder: Path) -> None:
        self._eager, self._method, self._archive, self._folder = eager, method, archive, folder
        self._made: dict[tuple[str, str], Path | Exception] = {}

    def make(
        self,
        suffix: str,
        sizes: Sizes | None,
        inputs: Sequence[Tensor],
        write: Callable[[Any, Path], None],
    ) -> Path:
        """The file of that suffix that `write` makes of what torch.export sees of the model.

        sizes: of the inputs, where the file is to be for them alone; else their dims vary as in the archive.
        What cannot be made raises the same each time.
        """
        key = (suffix, "" if sizes is None else str(sorted(sizes.items())))
        if key not in self._made:
            path = self._folder / f"{len(self._made)}.{suffix}"
            try:
                with quiet():
                    write(self._exported(sizes, inputs), path)
                self._made[key] = path
            except Exception as error:  # whatever an exporter raises is why its runtime takes no part
                self._made[key] = error
        made = self._made[key]
        if isinstance(made, Exception):
            raise made
        return made

    def _exported(self, sizes: Sizes | None, inputs: Sequence[Tensor]) -> torch.export.ExportedProgram:
        signature = self._method.signature
        if sizes is not None:
            return exported(self._eager, fixed(signature, sizes), inputs)
        cases = [given for given, _ in self._archive.cases(self._method.name)]
        return exported(self._eager, signature, example_of(signature, [*cases, inputs]))


@dataclass(frozen=True)
class Work:
    """One method of an archive at one size.

    sizes: of the dims. inputs, expected: flat, in the signature's order; what the eager model gives for them.
    threads: within an operation.
    """

    archive: Archive
    method: Method
    eager: Eager
    threads: int
    files: Files
    sizes: Sizes
    inputs: list[Tensor]
    expected: list[Tensor]

    @property
    def shapes(self) -> dict[str, Sizes | None]:
        """How a file for another runtime may be made: with the dims as in the archive, or for this size
        alone, which may be faster."""
        return {"": None, "sizes fixed": self.sizes} if self.sizes else {"": None}


def sizes_of(archive: Archive, method: Method, batches: Sequence[int]) -> list[Sizes]:
    """What is to be measured: each batch with the other dims as in the largest golden case, or the sizes of
    the golden cases, if no batch is given.

    Raises UsageError for a batch out of range, and where there is no batch or no golden case.
    """
    signature = method.signature
    known = [signature.sizes(inputs) for inputs, _ in archive.cases(method.name)]
    if not known:
        raise UsageError(
            f"{archive.path}: it has no golden cases to take inputs from; export the model again"
        )
    if not batches:
        return sorted(
            {tuple(sorted(one.items())): one for one in known}.values(), key=lambda one: [*one.values()]
        )
    dim = batch_dim(signature)
    if dim is None:
        raise UsageError(f"{archive.path}: its inputs have no batch whose size may vary; leave --batch out")
    for batch in batches:
        if not dim.min <= batch <= dim.max:
            raise UsageError(f"{archive.path}: --batch {batch} is out of range: {dim}; give one in it")
    largest = max(known, key=lambda one: one[dim.name])
    return [{**largest, dim.name: batch} for batch in sorted(set(batches))]


def batch_dim(signature: Signature) -> Dim | None:
    """The dim that leads all inputs and outputs, else that of the name batch, else the only one."""
    leading = {spec.shape[0] if spec.shape else None for spec in (*signature.inputs, *signature.outputs)}
    for dim in signature.dims:
        if leading == {dim.name} or dim.name == "batch":
            return dim
    return signature.dims[0] if len(signature.dims) == 1 else None


def fixed(signature: Signature, sizes: Mapping[str, int]) -> Signature:
    """The signature with these sizes in place of dims."""

    def shape(entries: tuple[int | str, ...]) -> tuple[int | str, ...]:
        return tuple(sizes.get(entry, entry) if isinstance(entry, str) else entry for entry in entries)

    inputs = tuple(replace(spec, shape=shape(spec.shape)) for spec in signature.inputs)
    outputs = tuple(replace(spec, shape=shape(spec.shape)) for spec in signature.outputs)
    return replace(signature, inputs=inputs, outputs=outputs, dims=())

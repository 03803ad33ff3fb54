"""What a model takes and gives: names, dtypes and shapes. Knows no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kit.errors import InputError, UsageError
from kit.structure import Call

DTYPES = (
    "bool",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
    "complex128",
)
"""The element types that an archive can hold, under torch's names without the `torch.`."""

LARGEST = 2**63 - 1
"""The largest size of a dimension: sizes are signed 64-bit integers in C++."""


class TensorLike(Protocol):
    """What the checks read of a tensor."""

    @property
    def shape(self) -> Sequence[int]: ...

    @property
    def dtype(self) -> object: ...


@dataclass(frozen=True)
class Dim:
    """A dimension whose size may vary: wherever the name stands, the size is the same.

    `min` and `max` are the smallest and the largest size, inclusive.
    """

    name: str
    min: int = 1
    max: int = LARGEST

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise UsageError(f"a Dim needs a name, not {self.name!r}; write kit.Dim('batch', 1, 4096)")
        for bound in (self.min, self.max):
            if not isinstance(bound, int) or isinstance(bound, bool):
                raise UsageError(f"dim '{self.name}': the bound {bound!r} is no integer; give whole numbers")
        if not 0 <= self.min <= self.max <= LARGEST:
            raise UsageError(
                f"dim '{self.name}': the range {self.min}..{self.max} is empty or out of 0..{LARGEST}; give "
                "0 <= min <= max"
            )

    def __str__(self) -> str:
        return f"{self.name} in {self.min}..{'any' if self.max == LARGEST else self.max}"


@dataclass(frozen=True)
class TensorSpec:
    """Name, dtype and shape of one input or output. A shape entry is a size, or the name of a dim."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs in their flat order, the dims that their shapes name, and how they nest."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    dims: tuple[Dim, ...] = ()
    call: Call = field(default_factory=Call)

    def check_inputs(self, tensors: Sequence[TensorLike]) -> None:
        """Raise InputError if the tensors do not fit the inputs.

        Checked are count, dtype, rank, fixed sizes, ranges of dims and their agreement between inputs.
        """
        self._check("input", self.inputs, tensors, {})

    def check_outputs(self, tensors: Sequence[TensorLike], inputs: Sequence[TensorLike]) -> None:
        """Raise InputError if the tensors do not fit the outputs, given inputs that fit."""
        sizes: dict[str, tuple[int, str]] = {}
        self._check("input", self.inputs, inputs, sizes)
        self._check("output", self.outputs, tensors, sizes)

    def sizes(self, inputs: Sequence[TensorLike]) -> dict[str, int]:
        """The sizes of the dims in inputs that fit."""
        return {
            entry: size
            for spec, tensor in zip(self.inputs, inputs, strict=True)
            for entry, size in zip(spec.shape, tensor.shape, strict=True)
            if isinstance(entry, str)
        }

    def _check(
        self,
        kind: str,
        specs: Sequence[TensorSpec],
        tensors: Sequence[TensorLike],
        sizes: dict[str, tuple[int, str]],
    ) -> None:
        if len(tensors) != len(specs):
            names = ", ".join(spec.name for spec in specs)
            raise InputError(
                f"{len(specs)} {kind}s are wanted ({names}), {len(tensors)} came; give one for each"
            )
        dims = {dim.name: dim for dim in self.dims}
        for spec, tensor in zip(specs, tensors, strict=True):
            came = f"{dtype_name(tensor.dtype)}[{', '.join(map(str, tensor.shape))}]"
            problem = f"{kind} '{spec.name}': wanted {spec}, came {came}"
            if dtype_name(tensor.dtype) != spec.dtype:
                raise InputError(f"{problem}; convert it to {spec.dtype}")
            if len(tensor.shape) != len(spec.shape):
                raise InputError(f"{problem}; it must have {len(spec.shape)} dimensions")
            for index, (entry, size) in enumerate(zip(spec.shape, tensor.shape, strict=True)):
                if isinstance(entry, int):
                    if size != entry:
                        raise InputError(f"{problem}; dimension {index} must be {entry}")
                    continue
                dim = dims[entry]
                if not dim.min <= size <= dim.max:
                    raise InputError(f"{problem}; dimension {index} is {dim}")
                known, where = sizes.setdefault(entry, (size, f"{kind} '{spec.name}'"))
                if known != size:
                    raise InputError(
                        f"{problem}; '{entry}' is {known} in {where}, so it must be {known} here"
                    )


def dtype_name(dtype: object) -> str:
    """`torch.float32` as "float32"."""
    return str(dtype).removeprefix("torch.")


def resolve_dynamic(
    dynamic: Mapping[str, Mapping[int, Dim]], shapes: Mapping[str, Sequence[int]]
) -> tuple[dict[str, tuple[int | str, ...]], tuple[Dim, ...]]:
    """Put the declared dims into the shapes of the example inputs.

    `dynamic` maps the name of an input and the index of a dimension (negative counts from the end) to a
    Dim; `shapes` maps every input to the sizes of its example. Returns the shapes with the names of the
    dims, and the dims in the order of their first use. Raises UsageError if an input or a dimension does not
    exist, a name has two ranges, or the example is outside of a range.
    """
    dims: dict[str, Dim] = {}
    sizes: dict[str, tuple[int, str]] = {}
    entries: dict[str, list[int | str]] = {name: list(shape) for name, shape in shapes.items()}
    for name, by_index in dynamic.items():
        if name not in shapes:
            raise UsageError(f"dynamic names the input '{name}', but the inputs are {_list(shapes)}")
        if not isinstance(by_index, Mapping):
            raise UsageError(
                f"dynamic['{name}'] must map a dimension to a kit.Dim, as {{0: kit.Dim('batch')}}"
            )
        rank = len(shapes[name])
        for index, dim in by_index.items():
            if not isinstance(index, int) or not -rank <= index < rank:
                raise UsageError(f"dynamic['{name}'][{index!r}]: '{name}' has the dimensions 0 to {rank - 1}")
            if not isinstance(dim, Dim):
                raise UsageError(
                    f"dynamic['{name}'][{index}] is {dim!r}; give a kit.Dim, as kit.Dim('batch', 1, 4096)"
                )
            if dims.setdefault(dim.name, dim) != dim:
                raise UsageError(
                    f"dim '{dim.name}' is declared as {dims[dim.name]} and as {dim}; use one range"
                )
            size = shapes[name][index]
            if not dim.min <= size <= dim.max:
                raise UsageError(
                    f"input '{name}': the example has size {size} in dimension {index}, but {dim}; widen "
                    "the range or change the example"
                )
            known, where = sizes.setdefault(dim.name, (size, name))
            if known != size:
                raise UsageError(
                    f"dim '{dim.name}' is {known} in the example of '{where}' but {size} in that of "
                    f"'{name}'; a dim has one size: use another name or make the examples agree"
                )
            entries[name][index] = dim.name
    order = [entry for name in shapes for entry in entries[name] if isinstance(entry, str)]
    return {name: tuple(shape) for name, shape in entries.items()}, tuple(
        dims[name] for name in dict.fromkeys(order)
    )


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"

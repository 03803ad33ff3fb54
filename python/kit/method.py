"""A method of the model in the manifest: what it takes and gives, and how it is verified."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kit.compare import Tolerance
from kit.fields import Fault, count, distinct, each, get, number, text
from kit.signature import DTYPES, LARGEST, Dim, Signature, TensorSpec
from kit.structure import Call, leaf_indices

FORWARD = "forward"
"""The method whose fields stand in the manifest itself; the others have an entry under "methods"."""

_DEPENDENT = "dependent"


@dataclass(frozen=True)
class Method:
    """One method of the model.

    cases: number of golden cases.
    seed: where the method has random operations, what a replay seeds the random generator with before each
    case.
    tried: the sizes at which the export proved the program, by dim.
    rows_depend: whether a trial at export showed that the rows of a call depend on one another.
    """

    name: str
    signature: Signature
    cases: int
    tolerances: Mapping[str, Tolerance]
    seed: int | None = None
    tried: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    rows_depend: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The method as JSON values, without its name."""
        signature, call = self.signature, self.signature.call
        return {
            "signature": {
                "dims": {dim.name: self._dim_to_dict(dim) for dim in signature.dims},
                "inputs": [_spec_to_dict(spec) for spec in signature.inputs],
                "outputs": [_spec_to_dict(spec) for spec in signature.outputs],
                "structure": {
                    "args": call.args,
                    "kwargs": call.kwargs,
                    "output": call.output,
                    "parameters": list(call.parameters),
                },
            },
            "cases": {"count": self.cases} | ({} if self.seed is None else {"seed": self.seed}),
            "tolerances": {name: vars(tolerance) for name, tolerance in self.tolerances.items()},
            **({"rows": _DEPENDENT} if self.rows_depend else {}),
        }

    def _dim_to_dict(self, dim: Dim) -> dict[str, Any]:
        tried = self.tried.get(dim.name)
        return {"min": dim.min, "max": dim.max} | ({"tried": list(tried)} if tried else {})


def _spec_to_dict(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)}


def read_methods(root: dict[str, Any]) -> tuple[Method, ...]:
    """The methods of a manifest, `forward` first. Raises Fault or UsageError for what is none."""
    methods = [_read_method(FORWARD, root, "the manifest")]
    others = get(root, "methods", dict, "the manifest") if "methods" in root else {}
    for name, entry in sorted(others.items()):
        if name == FORWARD or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise Fault(f"'methods' has '{name}', which is no name of a further method")
        methods.append(_read_method(name, entry, f"the method '{name}'"))
    return tuple(methods)


def _read_method(name: str, root: Any, what: str) -> Method:
    signature = get(root, "signature", dict, what)
    tolerances = {}
    for dtype, pair in get(root, "tolerances", dict, what).items():
        if dtype not in DTYPES:
            raise Fault(f"a tolerance is for the unknown dtype '{dtype}'")
        of = f"the tolerance of {dtype}"
        tolerances[dtype] = Tolerance(number(pair, "rtol", of), number(pair, "atol", of))
    cases = get(root, "cases", dict, what)
    return Method(
        name,
        _read_signature(signature),
        count(cases, "count", "'cases'"),
        tolerances,
        count(cases, "seed", "'cases'") if "seed" in cases else None,
        _read_tried(signature["dims"]),
        _read_rows(root, what),
    )


def _read_signature(root: dict[str, Any]) -> Signature:
    dims = []
    for name, bounds in get(root, "dims", dict, "the signature").items():
        dims.append(Dim(name, count(bounds, "min", f"dim '{name}'"), count(bounds, "max", f"dim '{name}'")))
    inputs = each(root, "inputs", _read_spec, "the signature")
    outputs = each(root, "outputs", _read_spec, "the signature")
    distinct("input", [spec.name for spec in inputs])
    distinct("output", [spec.name for spec in outputs])
    known = {dim.name for dim in dims}
    for spec in (*inputs, *outputs):
        for entry in spec.shape:
            if isinstance(entry, str) and entry not in known:
                raise Fault(f"'{spec.name}' names the dim '{entry}', which is not declared")
    return Signature(inputs, outputs, tuple(dims), _read_call(root, len(inputs), len(outputs)))


def _read_tried(dims: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    tried = {}
    for name, dim in dims.items():
        if "tried" not in dim:
            continue
        sizes = get(dim, "tried", list, f"dim '{name}'")
        if not all(_is_size(size) for size in sizes):
            raise Fault(f"'tried' of dim '{name}' is no list of sizes")
        if sizes:
            tried[name] = tuple(sizes)
    return tried


def _read_rows(root: dict[str, Any], what: str) -> bool:
    if "rows" not in root:
        return False
    rows = text(root, "rows", what)
    if rows != _DEPENDENT:
        raise Fault(f"'rows' of {what} is '{rows}'")
    return True


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _read_spec(root: Any) -> TensorSpec:
    name = text(root, "name", "an input or output")
    dtype = text(root, "dtype", f"'{name}'")
    if dtype not in DTYPES:
        raise Fault(f"'{name}' has the unknown dtype '{dtype}'")
    shape = get(root, "shape", list, f"'{name}'")
    for entry in shape:
        if not isinstance(entry, str) and not _is_size(entry):
            raise Fault(f"'{name}' has the size {entry!r}")
    return TensorSpec(name, dtype, tuple(shape))


def _read_call(root: dict[str, Any], inputs: int, outputs: int) -> Call:
    structure = get(root, "structure", dict, "the signature")
    args = get(structure, "args", dict, "the structure")
    kwargs = get(structure, "kwargs", dict, "the structure")
    output = get(structure, "output", dict, "the structure")
    if "tuple" not in args or "dict" not in kwargs:
        raise Fault("the arguments of the structure are no tuple, or the keyword arguments no dict")
    parameters = structure.get("parameters", [])
    if not isinstance(parameters, list) or not all(isinstance(name, str) for name in parameters):
        raise Fault("'parameters' of the structure is no list of texts")
    try:
        leaves = [sorted(leaf_indices(args) + leaf_indices(kwargs)), sorted(leaf_indices(output))]
    except ValueError as error:
        raise Fault(str(error)) from None
    if leaves != [list(range(inputs)), list(range(outputs))]:
        raise Fault("the structure does not have each input and each output once")
    return Call(args, kwargs, output, tuple(parameters))

"""The constants of an aoti package whose weights lie beside its shared object: what each is, and where.

Torch's loader copies them from there into memory of its own. With the table, kit gives the program those that
are mapped.
"""

from __future__ import annotations

import json
from typing import Any

from torch import Tensor

from kit.programs.generated import storage_bytes
from kit.programs.inductor import unexpected

KEY = "kit_constants"
"""In a package's metadata: a list of [name, sizes, strides, offset, at, size] as JSON. offset: of the first
element in the storage, in elements. at, size: where the storage is among the weights, in bytes."""

ALIGNMENT = 64
"""What the storages of a program for a CPU start at multiples of, in bytes."""


def constant_table(graph: Any, weights: bytes) -> str:
    """The table of the constants of a graph of Inductor's, whose storages torch has put one behind the other.

    Raises InternalError if they are not where kit expects them.
    """
    rows: list[list[Any]] = []
    at = 0
    for name in graph.constants:
        tensor: Tensor = graph.get_original_value_of_constant(name).detach()
        storage = storage_bytes(tensor) if tensor.numel() else b""
        if weights[at : at + len(storage)] != storage:
            raise unexpected(f"Inductor has not written the weight {name} where kit looks for it")
        offset = tensor.storage_offset() if storage else 0
        rows.append([name, list(tensor.shape), list(tensor.stride()), offset, at, len(storage)])
        at += -(-len(storage) // ALIGNMENT) * ALIGNMENT
    return json.dumps(rows)

"""Parts of an aoti package that other members of the archive hold too: weights, which are kept once.

A package has its weights in its shared object, or in a member of their own, byte by byte as the TorchScript
program has them in its storages. They are cut out when the archive is written, and put back when the package
is loaded or extracted.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO

from kit.programs.constant_table import KEY

LEAST = 1024
"""Bytes below which a part is left where it is."""

_HEAD = 64
_LOCAL_HEADER = struct.Struct("<26xHH")  # of a zip archive: lengths of the name and of the extra field


def listed_parts(package: bytes) -> list[tuple[int, int]] | None:
    """Where the package says that its constants are, in order, and their sizes; without those of fewer bytes
    than LEAST. None of a package that has them in its shared object, which says nothing."""
    with zipfile.ZipFile(BytesIO(package)) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith("_metadata.json"))
        table = json.loads(archive.read(name)).get(KEY)
    if table is None:
        return None
    rows = [(at, size) for *_, at, size in json.loads(table) if size >= LEAST]
    start = _weights(package)[0]
    return [(start + at, size) for at, size in rows]


def find_parts(package: bytes, known: Sequence[memoryview], step: int) -> Iterator[tuple[int, int]]:
    """Where among the weights of a package there are known bytes, in order, and the index of these.

    step: the alignment of weights, in bytes.
    """
    heads: dict[bytes, list[tuple[int, memoryview]]] = defaultdict(list)
    for index, data in sorted(enumerate(known), key=lambda one: -len(one[1])):
        if len(data) >= LEAST:
            heads[bytes(data[:_HEAD])].append((index, data))
    view = memoryview(package)
    at, end = _weights(package)
    while heads and at < end:
        candidates = heads.get(bytes(view[at : at + _HEAD]), ())
        found = next((one for one in candidates if view[at : at + len(one[1])] == one[1]), None)
        if found is None:
            at += step
            continue
        yield at, found[0]
        at += -(-len(found[1]) // step) * step


def _weights(package: bytes) -> tuple[int, int]:
    """Where the member with the weights begins and ends in the package, which holds it as it is."""
    with zipfile.ZipFile(BytesIO(package)) as archive:
        members = archive.infolist()
    found = [one for ending in (".blob", ".so") for one in members if one.filename.endswith(ending)]
    info = found[0]
    name, extra = _LOCAL_HEADER.unpack_from(package, info.header_offset)
    start = info.header_offset + _LOCAL_HEADER.size + name + extra
    return start, start + info.file_size


def without(package: bytes, parts: Iterable[tuple[int, int]]) -> bytes:
    """The package without parts, given in order by where they begin and how many bytes they have."""
    rest, end = [], 0
    for at, size in parts:
        rest.append(package[end:at])
        end = at + size
    return b"".join([*rest, package[end:]])


def put_back(rest: memoryview, parts: Iterable[tuple[int, memoryview]]) -> Iterator[memoryview]:
    """The whole package in pieces, from what `without` has left and the parts, in order."""
    taken = written = 0
    for at, part in parts:
        piece = rest[taken : taken + at - written]
        yield piece
        yield part
        taken += len(piece)
        written = at + len(part)
    yield rest[taken:]

"""The archive: an ordinary TorchScript file that also holds a manifest and golden cases."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Mapping
from typing import IO, TYPE_CHECKING, Any, TypeVar

from kit.errors import UsageError
from kit.manifest import MEMBER, Manifest, MemberInfo
from kit.method import FORWARD, Method
from kit.signature import Signature, TensorSpec
from kit.writing import replacing, synchronise

if TYPE_CHECKING:
    from torch import Tensor

ROOT = "model"
ALIGNMENT = 64
_HEADER = 30  # bytes of a local header before the name
_ZIP64_FIELD = 20  # bytes that zipfile adds to the header of a member that may exceed 32 bits
_PADDING_ID = b"FB"  # torch's own id for the extra field that aligns
_LARGE = 1 << 30  # from here on zip64 records come into play

T = TypeVar("T")


class Archive:
    """An opened and checked archive.

    Opening reads the file and checks every member against the manifest; it raises ArchiveError if the file
    is no archive, is damaged or is too new. A TorchScript file without a manifest opens, and has no
    signature.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from kit.binding import native

        self.path = os.fspath(path)
        try:
            self.path.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{self.path!a}: the name of the file is no UTF-8; rename it") from None
        self._native = native.Archive.open(self.path)
        text = self._native.manifest_json
        self.manifest = Manifest.parse(text, self.path) if text is not None else None

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._native.size

    @property
    def member_names(self) -> list[str]:
        """Names of the members without the root folder, in the order of the file."""
        return self._native.member_names

    @property
    def signature(self) -> Signature | None:
        """Names, dtypes and shapes of `forward`, or None where there is no manifest."""
        return self.manifest.signature if self.manifest is not None else None

    def member(self, name: str) -> memoryview:
        """The bytes of a member, where the file is mapped. Raises ArchiveError if there is none."""
        return self._native.member(name)

    def cases(self, method: str = FORWARD) -> list[tuple[list[Tensor], list[Tensor]]]:
        """Inputs and eager outputs of each golden case of a method.

        Raises ArchiveError if there are none, UsageError if there is no such method.
        """
        return self._native.cases(method)

    def to_dict(self) -> dict[str, Any]:
        """What is known of the archive, as JSON values."""
        manifest = self.manifest.to_dict() if self.manifest is not None else None
        return {"path": self.path, "size": self.size, "members": self.member_names, "manifest": manifest}

    def to_json(self) -> str:
        """The same as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2, sort_keys=True)

    def __repr__(self) -> str:
        return f"kit.Archive({self.path!r})"

    def __str__(self) -> str:
        lines = [f"{self.path}  {size_text(self.size)}"]
        manifest = self.manifest
        if manifest is None:
            lines.append(
                f"no manifest: a TorchScript file from elsewhere, with {len(self.member_names)} members"
            )
            return "\n".join(lines)
        lines += _rows("name", [manifest.name])
        for method in manifest.methods:
            lines += _rows("method", [method.name]) if len(manifest.methods) > 1 else []
            lines += _method(method)
        lines += _rows("programs", [f"{p.engine} for {p.target}, torch {p.torch}" for p in manifest.programs])
        if recommended := str(manifest.configuration):
            lines += _rows("run with", [recommended])
        lines += _rows(
            "made by", [", ".join(f"{name} {version}" for name, version in manifest.provenance.items())]
        )
        lines += _rows(
            "members", [f"{m.name}  {size_text(m.size)}  {m.sha256[:12]}…" for m in manifest.members]
        )
        return "\n".join(lines)


def size_text(size: int) -> str:
    """Bytes as a person reads them: "12.3 KiB"."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def _method(method: Method) -> list[str]:
    signature = method.signature
    dims = []
    for dim in signature.dims:
        tried = ", ".join(map(str, method.tried.get(dim.name, ())))
        dims.append(f"{dim}, tried {tried}" if tried else str(dim))
    seeded = "" if method.seed is None else f", each with the random seed {method.seed}"
    tolerances = [f"{name}: rtol {t.rtol:g}, atol {t.atol:g}" for name, t in method.tolerances.items()]
    return [
        *_rows("inputs", _specs(signature.inputs)),
        *_rows("outputs", _specs(signature.outputs)),
        *_rows("dims", dims or ["none: all sizes are fixed"]),
        *_rows("rows", ["depend on one another: give them in one call"] if method.rows_depend else []),
        *_rows("cases", [f"{method.cases}{seeded}"]),
        *_rows("tolerances", tolerances),
    ]


def _specs(specs: Iterable[TensorSpec]) -> list[str]:
    return [f"{spec.name}: {spec}" for spec in specs] or ["none"]


def _rows(title: str, values: list[str]) -> list[str]:
    return [f"  {title if index == 0 else '':<11} {_printable(value)}" for index, value in enumerate(values)]


def _printable(text: str) -> str:
    """The text with escapes for what would move the cursor or begin another line: a file may hold any."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def member_infos(members: Mapping[str, bytes | memoryview]) -> tuple[MemberInfo, ...]:
    """Sizes and digests, sorted by name, as the manifest lists them."""
    return tuple(
        MemberInfo(name, len(data), hashlib.sha256(data).hexdigest())
        for name, data in sorted(members.items())
    )


def write_archive(
    path: str | os.PathLike[str],
    members: Mapping[str, bytes | memoryview],
    manifest: Manifest,
    check: Callable[[str], T],
) -> T:
    """Write an archive and give what `check` gives for it.

    The archive is written to a temporary file beside `path`; `check` gets the path of this file, and only
    if it returns is the file renamed. If anything raises, nothing is left behind and an old file stays as
    it was. Raises UsageError if the directory does not exist, UnavailableError if it cannot be written.
    """
    with replacing(path, "export") as file:
        _write_zip(file, {MEMBER: manifest.to_json().encode(), **dict(sorted(members.items()))})
        synchronise(file)
        return check(file.name)


def _write_zip(file: IO[bytes], members: Mapping[str, bytes | memoryview]) -> None:
    """Every member stored and aligned; nothing in the file depends on when or where it is written."""
    large = sum(map(len, members.values())) >= _LARGE
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(f"{ROOT}/{name}", (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, whatever this is
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            if (
                large
            ):  # both headers of a member must name one version, and zipfile may raise that of one only
                entry.extract_version = entry.create_version = zipfile.ZIP64_VERSION
            wide = _ZIP64_FIELD if len(data) * 1.05 > zipfile.ZIP64_LIMIT else 0
            start = file.tell() + _HEADER + len(entry.filename.encode()) + 4 + wide
            padding = -start % ALIGNMENT
            entry.extra = _PADDING_ID + padding.to_bytes(2, "little") + bytes(padding)
            archive.writestr(entry, data)

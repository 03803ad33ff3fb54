"""Takes archives apart and puts them together again, changed: without kit, whose reader is what is tested."""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

MANIFEST = "extra/kit/manifest.json"
CASES = "extra/kit/cases.safetensors"

Members = list[tuple[str, bytes]]


def read_members(path: Path) -> tuple[str, Members]:
    """The root folder, with its slash, and the members in order: names without the root, and contents."""
    with zipfile.ZipFile(path) as file:
        names = file.namelist()
        root = names[0].partition("/")[0] + "/"
        return root, [(name.removeprefix(root), file.read(name)) for name in names]


def write_members(path: Path, root: str, members: Members) -> None:
    """Writes a zip as format 1 wants it: stored, without gaps or data descriptors, of a fixed time."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name, contents in members:
            entry = zipfile.ZipInfo(root + name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            file.writestr(entry, contents)


def rewrite(
    source: Path, target: Path, change: Callable[[Members], Members], *, digests: bool = False
) -> Path:
    """Writes `target`, which is `source` with other members. With `digests`, its manifest agrees."""
    root, members = read_members(source)
    members = change(members)
    write_members(target, root, with_right_digests(members) if digests else members)
    return target


def with_right_digests(members: Members) -> Members:
    """The members with a manifest that lists them as they are."""

    def describe(manifest: dict[str, Any]) -> None:
        manifest["members"] = [
            {"name": name, "size": len(contents), "sha256": hashlib.sha256(contents).hexdigest()}
            for name, contents in sorted(members)
            if name != MANIFEST
        ]

    return edit_manifest(describe)(members)


def edit_manifest(edit: Callable[[dict[str, Any]], None]) -> Callable[[Members], Members]:
    """A change that edits the manifest in place."""

    def change(contents: bytes) -> bytes:
        manifest = json.loads(contents)
        edit(manifest)
        return json.dumps(manifest, indent=2, sort_keys=True).encode() + b"\n"

    return edit_member(MANIFEST, change)


def edit_member(wanted: str, edit: Callable[[bytes], bytes]) -> Callable[[Members], Members]:
    """A change that edits the contents of one member."""

    def change(members: Members) -> Members:
        if wanted not in dict(members):
            raise ValueError(f"no member {wanted} among {[name for name, _ in members]}")
        return [(name, edit(contents) if name == wanted else contents) for name, contents in members]

    return change

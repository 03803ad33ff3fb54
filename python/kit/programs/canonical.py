"""The same TorchScript program for the same model, whatever else the process has traced before.

torch numbers its classes through the whole process (`__torch__.a.___torch_mangle_7.Linear`), counts names of
local variables from class to class, and breaks long expressions by the length of these names. Here classes
are numbered by their first use, and variables within their method. As the breaking of expressions still
shows the old names, the program is then loaded and saved again until it no longer changes.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterable, Mapping

import torch

from kit.errors import InternalError
from kit.programs.deprecation import torchscript_deprecation_ignored
from kit.programs.names import check_class, unreadable
from kit.programs.pickles import pickled_texts, replace_texts
from kit.programs.variables import renumber_variables
from kit.writing import temporary_folder

Members = dict[str, bytes | memoryview]

_CODE = re.compile(r"code/(__torch__(?:/\w+)*)\.py")
_QUALIFIED = re.compile(r'"(?:[^"\\\n]|\\.)*"|(?P<name>\b__torch__(?:\.\w+)+)')
_HEAD = re.compile(r"(class|def) (\w+)")
_MANGLE = re.compile(r"\.___torch_mangle_\d+(?=\.)")
_DROPPED = re.compile(r"\.data/serialization_id|traced_inputs(\.pkl|/.*)|.*\.debug_pkl")
_CONSTANTS = re.compile(r"(?:^  \w+ : Final\[.*\n){2,}", re.MULTILINE)
_MOST_ROUNDS = 6
_LARGE = 1 << 16


def canonical_members(program: torch.jit.ScriptModule) -> Members:
    """The members of the archive that torch writes for `program`, without its root folder, in canonical
    form."""
    return canonical(program)[0]


def canonical(program: torch.jit.ScriptModule) -> tuple[Members, torch.jit.ScriptModule]:
    """These members, and the program as it is loaded from them.

    Dropped are the inputs of the trace, source locations (paths of this machine) and a checksum over these.
    Raises TraceError for names that torch cannot read again, InternalError if it writes something unknown.
    """
    with torchscript_deprecation_ignored():
        members = _canonical(_saved(program))
        for _ in range(_MOST_ROUNDS):
            try:
                loaded = _loaded(members)
            except (RuntimeError, UnicodeDecodeError) as error:
                raise unreadable(program) or error from error
            again = _canonical(_saved(loaded))
            if again == members:
                return members, loaded
            members = again
    raise InternalError(
        f"the TorchScript program still changes after being saved {_MOST_ROUNDS} times, so its archive "
        "would not be reproducible; please report the model"
    )


def _saved(program: torch.jit.ScriptModule) -> Members:
    buffer = io.BytesIO()
    torch.jit.save(program, buffer)
    with zipfile.ZipFile(buffer) as archive:
        infos = {info.filename.partition("/")[2]: info for info in archive.infolist()}
        return {
            name: _contents(archive, info, buffer.getbuffer())
            for name, info in infos.items()
            if not _DROPPED.fullmatch(name)
        }


def _contents(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: memoryview) -> bytes | memoryview:
    """The bytes of a member; of a large one a view, for weights may fill the memory as it is."""
    if info.compress_type != zipfile.ZIP_STORED or info.file_size < _LARGE:
        return archive.read(info)
    name_size, extra_size = struct.unpack_from("<HH", file, info.header_offset + 26)
    start = info.header_offset + 30 + name_size + extra_size
    return file[start : start + info.file_size]


def _loaded(members: Members) -> torch.jit.ScriptModule:
    with temporary_folder() as folder:
        path = folder / "model.pt"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for name, data in members.items():
                archive.writestr(f"model/{name}", data)
        return torch.jit.load(path, map_location="cpu")  # type: ignore[no-any-return, no-untyped-call]


def _canonical(members: Members) -> Members:
    chunks = _chunks(members)
    names = _new_names(members, chunks)
    result: Members = {
        name: replace_texts(bytes(data), names, name) if name.endswith(".pkl") else data
        for name, data in members.items()
        if not _CODE.fullmatch(name)
    }
    files: dict[str, list[tuple[str, str]]] = {}
    for old, text in chunks.items():
        qualifier, _, name = names[old].rpartition(".")
        files.setdefault(qualifier, []).append((name, renumber_variables(_renamed(text, names))))
    for qualifier, parts in files.items():
        text = "".join(part for _, part in sorted(parts))
        result[f"code/{qualifier.replace('.', '/')}.py"] = text.encode()
    return dict(sorted(result.items()))


def _chunks(members: Members) -> dict[str, str]:
    """Every class and function of the code by its qualified name."""
    chunks: dict[str, str] = {}
    for name, data in members.items():
        if not name.startswith("code/"):
            continue
        match = _CODE.fullmatch(name)
        if match is None:
            raise InternalError(
                f"torch wrote the member '{name}', which kit does not know; please report the model"
            )
        qualifier = match[1].replace("/", ".")
        for text in re.split(r"^(?=\S)", bytes(data).decode(), flags=re.MULTILINE):
            if not text.strip():
                continue
            head = _HEAD.match(text)
            if head is None or f"{qualifier}.{head[2]}" in chunks:
                line = text.splitlines()[0]
                raise InternalError(
                    f"torch wrote '{line}' in '{name}', which kit does not know; please report the model"
                )
            check_class(_MANGLE.sub("", f"{qualifier}.{head[2]}").removeprefix("__torch__."))
            # torch writes constants in the order of a set, which Python shuffles from process to process.
            text = _CONSTANTS.sub(lambda match: "".join(sorted(match[0].splitlines(keepends=True))), text)
            chunks[f"{qualifier}.{head[2]}"] = text.rstrip("\n") + "\n"
    return chunks


def _new_names(members: Members, chunks: Mapping[str, str]) -> dict[str, str]:
    """Old to new qualified names: where only torch's number differs, they are numbered by their first use."""
    order: dict[str, None] = {}
    waiting = [
        name
        for text in pickled_texts(bytes(members["data.pkl"]), "data.pkl")
        for name in _mentioned(text, chunks)
    ]
    waiting.reverse()
    while waiting:
        name = waiting.pop()
        if name not in order:
            order[name] = None
            waiting.extend(reversed(list(_mentioned(chunks[name], chunks))))
    rest = sorted((chunks.keys() - order.keys()), key=lambda name: (chunks[name], name))
    taken: dict[str, int] = {}
    names: dict[str, str] = {}
    for name in (*order, *rest):
        base = _MANGLE.sub("", name)
        number = taken.get(base, 0)
        taken[base] = number + 1
        qualifier, _, last = base.rpartition(".")
        names[name] = base if number == 0 else f"{qualifier}.___torch_mangle_{number - 1}.{last}"
    return names


def _mentioned(text: str, chunks: Mapping[str, str]) -> Iterable[str]:
    """The classes and functions that a text names, in its order."""
    for match in _QUALIFIED.finditer(text):
        name = _longest(match["name"] or "", chunks)
        if name:
            yield name


def _longest(text: str, names: Mapping[str, str]) -> str:
    """The longest leading part that is a known name; what follows is an attribute, as an enum has."""
    while text and text not in names:
        text = text.rpartition(".")[0]
    return text


def _renamed(text: str, names: Mapping[str, str]) -> str:
    """The code of one class or function under the new names."""

    def rename(match: re.Match[str]) -> str:
        old = _longest(match["name"] or "", names)
        return names[old] + match[0][len(old) :] if old else match[0]

    return _QUALIFIED.sub(rename, text)

"""Writing archives: their layout, and that a file is there as a whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import signal
import stat
import struct
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import kit
from kit.archive import ALIGNMENT, Archive, member_infos, size_text, write_archive
from kit.errors import ArchiveError, UnavailableError, UsageError
from kit.manifest import MEMBER, Manifest, ProgramInfo
from kit.method import Method
from kit.signature import Signature

MEMBERS = {"data.pkl": b"12345", "data/0": b"", "code/__torch__.py": b"x" * 1000, "größe": b"\xff"}


def manifest(members: dict[str, bytes]) -> Manifest:
    program = ProgramInfo("torchscript", "any", "2.13.0")
    method = Method("forward", Signature((), ()), 0, {})
    return Manifest("m", (method,), (program,), member_infos(members))


def write(path: Path, members: dict[str, bytes] | None = None, check: Any = lambda path: path) -> Any:
    members = MEMBERS if members is None else members
    return write_archive(path, members, manifest(members), check)


def leftovers(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "model.pt"
    torch.manual_seed(0)
    kit.export(nn.Linear(3, 2), torch.ones(1, 3), path)
    return path


def test_every_member_is_stored_aligned_and_without_a_trace_of_when_and_where(tmp_path: Path) -> None:
    write(tmp_path / "a.pt")
    data = (tmp_path / "a.pt").read_bytes()
    position = 0
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        assert archive.comment == b""
        entries = archive.infolist()
        assert [entry.filename for entry in entries] == [
            f"model/{name}" for name in (MEMBER, "code/__torch__.py", "data.pkl", "data/0", "größe")
        ]
        for entry in entries:
            name_size, extra_size = struct.unpack("<HH", data[entry.header_offset + 26 :][:4])
            start = entry.header_offset + 30 + name_size + extra_size
            assert entry.header_offset == position  # no gap
            assert start % ALIGNMENT == 0
            position = start + entry.file_size
            assert entry.compress_type == zipfile.ZIP_STORED
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert entry.external_attr >> 16 == stat.S_IFREG | 0o644
            assert entry.create_system == 3
            assert entry.flag_bits & ~0x800 == 0
            name = entry.filename.removeprefix("model/")
            if name != MEMBER:
                assert archive.read(entry) == MEMBERS[name]
    assert data[position:][:4] == b"PK\x01\x02"  # the directory follows at once


def test_the_manifest_lists_every_other_member(tmp_path: Path) -> None:
    write(tmp_path / "a.pt")
    infos = {info.name: info for info in manifest(MEMBERS).members}
    assert list(infos) == sorted(MEMBERS)
    for name, data in MEMBERS.items():
        assert infos[name].size == len(data)
        assert infos[name].sha256 == hashlib.sha256(data).hexdigest()


def test_archives_beyond_32_bits_have_headers_that_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # zipfile's own limit is lowered, rather than 2 GiB written.
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 500)
    monkeypatch.setattr("kit.archive._LARGE", 250)
    write(tmp_path / "a.pt")
    data = (tmp_path / "a.pt").read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        for entry in archive.infolist():
            version, name_size, extra_size = (
                struct.unpack_from("<H", data, entry.header_offset + 4)[0],
                *struct.unpack_from("<HH", data, entry.header_offset + 26),
            )
            assert version == entry.extract_version == zipfile.ZIP64_VERSION
            assert (entry.header_offset + 30 + name_size + extra_size) % ALIGNMENT == 0


def test_a_new_file_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "a.pt")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.pt").stat().st_mode) == 0o640


def test_the_check_sees_the_whole_file_before_it_gets_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"

    def check(file: str) -> int:
        assert not path.exists()
        assert Path(file).parent == tmp_path
        assert zipfile.ZipFile(file).testzip() is None
        return 42

    assert write(path, check=check) == 42
    assert leftovers(tmp_path) == ["a.pt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("old", [True, False])
def test_a_failed_check_leaves_the_old_file_or_none(
    tmp_path: Path, error: type[BaseException], old: bool
) -> None:
    path = tmp_path / "a.pt"
    if old:
        path.write_text("old")

    def check(file: str) -> None:
        raise error

    with pytest.raises(error):
        write(path, check=check)
    assert leftovers(tmp_path) == (["a.pt"] if old else [])
    assert not old or path.read_text() == "old"


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "No space left on device; make room"),
        (errno.EIO, "Input/output error; write it elsewhere"),
    ],
)
def test_a_disk_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    def fail(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UnavailableError, match=message):
        write(tmp_path / "a.pt")
    assert leftovers(tmp_path) == []


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """A limit on the size of files fails in the middle of writing, as a full disk does."""
    code = f"""
        import resource, signal
        from tests.python.test_archive import *
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            write(Path({str(tmp_path)!r}) / "a.pt")
        except UnavailableError as error:
            print(error)
    """
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(root / "python")])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "it cannot be written: File too large" in done.stdout
    assert leftovers(tmp_path) == []


def test_a_killed_export_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_text("old")
    code = f"""
        import os, signal
        from tests.python.test_archive import *
        write(Path({str(tmp_path)!r}) / "a.pt", check=lambda file: os.kill(os.getpid(), signal.SIGKILL))
    """
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(root / "python")])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env={**os.environ, "PYTHONPATH": path}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "a.pt").read_text() == "old"


def test_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the directory .*/no does not exist; make it first"):
        write(tmp_path / "no" / "a.pt")
    with pytest.raises(UsageError, match="it is a directory; name a file to write"):
        write(tmp_path)
    with pytest.raises(UsageError, match="it is no regular file"):
        write(Path("/dev/full"))
    assert Path("/dev/full").is_char_device()


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real.pt").write_text("old")
    (tmp_path / "link.pt").symlink_to("real.pt")
    write(tmp_path / "link.pt")
    assert (tmp_path / "link.pt").is_symlink()
    assert zipfile.is_zipfile(tmp_path / "real.pt")


def test_an_archive_tells_what_it_holds(exported: Path) -> None:
    archive = kit.inspect(exported)
    assert isinstance(archive, Archive)
    assert archive.size == exported.stat().st_size
    assert archive.manifest is not None
    assert archive.signature is archive.manifest.signature
    assert {info.name for info in archive.manifest.members} | {MEMBER} == set(archive.member_names)
    text = str(archive)
    for part in (
        str(exported),
        "input: float32[1, 3]",
        "output: float32[1, 2]",
        "data.pkl",
        "torchscript for any",
    ):
        assert part in text
    assert archive.to_dict()["manifest"]["signature"]["inputs"][0]["name"] == "input"
    inputs, outputs = archive.cases()[0]
    assert torch.equal(inputs[0], torch.ones(1, 3))
    assert outputs[0].shape == (1, 2)


def test_torch_reads_the_manifest_as_an_extra_file(exported: Path) -> None:
    extra = {"kit/manifest.json": ""}
    program = torch.jit.load(str(exported), _extra_files=extra)
    assert Manifest.parse(extra["kit/manifest.json"], "it") == kit.inspect(exported).manifest
    assert program(torch.ones(1, 3)).shape == (1, 2)


def test_a_changed_member_is_refused(exported: Path, tmp_path: Path) -> None:
    data = bytearray(exported.read_bytes())
    with zipfile.ZipFile(exported) as archive:
        position = data.index(archive.read("model/data/0"))
    data[position] ^= 1
    (tmp_path / "bad.pt").write_bytes(data)
    with pytest.raises(ArchiveError, match=r"data/0"):
        kit.inspect(tmp_path / "bad.pt")


def test_sizes_as_people_read_them() -> None:
    assert [size_text(n) for n in (0, 1023, 1024, 12_600, 5 << 20, 3 << 40)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "12.3 KiB",
        "5.0 MiB",
        "3072.0 GiB",
    ]

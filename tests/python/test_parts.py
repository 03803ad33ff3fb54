"""Parts of a package that the archive has elsewhere: found, cut out and put back to the byte."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

import kit
from kit.errors import ArchiveError
from kit.manifest import ProgramMethod
from kit.programs.parts import LEAST, find_parts, put_back, without
from tests.rewrite import edit_member, rewrite

ONE, TWO, SHORT = (random.Random(seed).randbytes(size) for seed, size in enumerate([5000, 2052, LEAST - 1]))
LONGER = ONE + bytes(64)
CODE = random.Random(7).randbytes(777)


def package(library: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("model/version", b"6")
        archive.writestr("model/model.wrapper.so", library)
        archive.writestr("model/data.json", ONE)
    return data.getvalue()


def padded(*parts: bytes, to: int = 64) -> bytes:
    return b"".join(part + bytes(-len(part) % to) for part in parts)


def cut(whole: bytes, known: list[bytes], step: int = 64) -> tuple[list[int], bytes]:
    """Which of the known are found, and what is left; checked to give the whole again."""
    found = list(find_parts(whole, [memoryview(one) for one in known], step))
    rest = without(whole, [(at, len(known[index])) for at, index in found])
    parts = [(at, memoryview(known[index])) for at, index in found]
    assert b"".join(put_back(memoryview(rest), parts)) == whole
    return [index for _, index in found], rest


def test_weights_are_cut_out_wherever_they_are() -> None:
    whole = package(padded(CODE, TWO, SHORT, ONE, CODE, TWO))
    found, rest = cut(whole, [ONE, TWO, SHORT])
    assert found == [1, 0, 1]
    assert len(rest) == len(whole) - len(ONE) - 2 * len(TWO)
    assert rest.count(ONE) == 1  # that which is not in the shared object


def test_what_begins_alike_is_told_apart() -> None:
    assert cut(package(padded(ONE, CODE)), [ONE, LONGER])[0] == [0]
    assert cut(package(padded(LONGER, CODE)), [ONE, LONGER])[0] == [1]
    assert cut(package(padded(ONE[:-1], CODE)), [ONE, LONGER])[0] == []


def test_zeros_are_like_anything_else() -> None:
    zeros = bytes(2048)
    assert cut(package(padded(CODE, zeros, bytes(5000), ONE)), [ONE, zeros])[0] == [1, 1, 1, 0]


def test_weights_for_a_gpu_lie_one_behind_the_other() -> None:
    whole = package(CODE[:776] + TWO + ONE)
    assert cut(whole, [ONE, TWO], step=4)[0] == [1, 0]
    assert cut(whole, [ONE, TWO], step=64)[0] == []


@pytest.mark.parametrize("known", [[], [SHORT], [CODE[:10]]])
def test_without_anything_known_the_package_stays_whole(known: list[bytes]) -> None:
    whole = package(padded(CODE, ONE))
    assert cut(whole, known) == ([], whole)


def test_the_last_bytes_may_be_a_part() -> None:
    assert cut(package(ONE), [ONE])[0] == [0]


# In an archive


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[nn.Module, Path]]:
    """Two models of the same code, with weights that are worth sharing."""
    folder = tmp_path_factory.mktemp("wide")
    found: dict[int, tuple[nn.Module, Path]] = {}
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 3)).eval()
        path = folder / f"{seed}.pt"
        kit.export(model, torch.randn(2, 64), path, ("torchscript", "aoti"), targets=("x86-64-v2",))
        found[seed] = model, path
    return found


def held_of(path: Path) -> ProgramMethod:
    manifest = kit.inspect(path).manifest
    assert manifest is not None
    return manifest.programs[1].methods["forward"]


def test_weights_are_in_the_archive_once(wide: dict[int, tuple[nn.Module, Path]]) -> None:
    model, path = wide[0]
    weight = model.get_parameter("0.weight").detach().numpy().tobytes()
    assert path.read_bytes().count(weight) == 1
    (held,) = [one for one in held_of(path).constants if one.size == len(weight)]
    archive = kit.inspect(path)
    assert held.member.startswith("data/")
    assert bytes(archive.member(held.member)) == weight


def test_models_of_the_same_code_have_their_own_weights(wide: dict[int, tuple[nn.Module, Path]]) -> None:
    packages = [kit.inspect(path).member(held_of(path).member) for _, path in wide.values()]
    assert len(packages[0]) == len(packages[1])
    models = [kit.load(path, engine="aoti") for _, path in wide.values()]
    for engine, (model, _) in zip(models, wide.values(), strict=True):
        x = torch.randn(2, 64)
        torch.testing.assert_close(engine(x), model(x).detach())


def test_an_extracted_package_is_whole(wide: dict[int, tuple[nn.Module, Path]], tmp_path: Path) -> None:
    model, path = wide[0]
    kit.extract(path, tmp_path / "out.pt2", "aoti")
    with zipfile.ZipFile(tmp_path / "out.pt2") as package:
        assert package.testzip() is None
    x = torch.randn(2, 64)
    loaded: Any = torch._inductor.aoti_load_package(str(tmp_path / "out.pt2"))
    torch.testing.assert_close(loaded(x)[0], model(x).detach())


def test_shared_weights_that_were_tampered_with_are_refused(
    wide: dict[int, tuple[nn.Module, Path]], tmp_path: Path
) -> None:
    _, path = wide[0]
    member = held_of(path).constants[0].member
    bad = rewrite(path, tmp_path / "bad.pt", edit_member(member, lambda data: bytes(len(data))))
    with pytest.raises(ArchiveError, match=member):
        kit.load(bad, engine="aoti")


def test_shared_weights_are_replaced(wide: dict[int, tuple[nn.Module, Path]], tmp_path: Path) -> None:
    (_, path), (other, _) = wide[0], wide[1]
    safetensors.torch.save_file(dict(other.state_dict()), tmp_path / "other.safetensors")
    model = kit.load(path, engine="aoti")
    model.update_weights(tmp_path / "other.safetensors")
    x = torch.randn(2, 64)
    torch.testing.assert_close(model(x), other(x).detach())

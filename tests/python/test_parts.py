"""Parts of a package that the archive has elsewhere: found, cut out and put back to the byte."""

from __future__ import annotations

import io
import random
import zipfile

import pytest

from kit.programs.parts import LEAST, find_parts, put_back, without

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

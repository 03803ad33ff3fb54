"""The program aoti: what its package is, that it computes what eager does, and that its weights change."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.eager import Eager
from kit.errors import ArchiveError, InputError, UnavailableError, UsageError
from kit.programs import aoti
from kit.programs.aoti import compile_method, compile_package, device_for
from kit.shapes import infer_signature
from kit.state import evaluating
from tests import aoti_archive
from tests.aoti_archive import MEMBER, agree, simple
from tests.conftest import Run
from tests.rewrite import edit_manifest, edit_member, rewrite
from tests.torch_version import CHECKS_DIVISIONS, ROUNDS_TO_16_BITS

Cases = list[tuple[list[Tensor], list[Tensor]]]


@pytest.fixture(scope="module")
def package(aoti_scores: Path) -> bytes:
    return zipfile.ZipFile(aoti_scores).read(f"model/{MEMBER}")


@pytest.fixture(scope="module")
def cases(aoti_scores: Path) -> Cases:
    return list(kit.inspect(aoti_scores).cases())


@pytest.fixture
def model(aoti_scores: Path) -> kit.Model:
    return kit.load(aoti_scores, engine="aoti")


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("target", "rows"), [(aoti_archive.TARGET, 2), ("cuda:sm_90", 64)])
def test_a_gpu_is_compiled_for_with_large_sizes(
    target: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.export.ExportedProgram] = []

    def compile_package(program: torch.export.ExportedProgram, target: str, *, frozen: bool) -> bytes:
        seen.append(program)
        return b"package"

    monkeypatch.setattr(aoti, "compile_package", compile_package)
    recipe = aoti_archive.recipe()
    with evaluating(recipe.model):
        eager = Eager(recipe)
        signature = infer_signature(eager, recipe)
        cases = recipe.cases
        assert not isinstance(cases, int)
        assert compile_method(eager, signature, cases, target) == b"package"
    (program,) = seen
    assert program.example_inputs is not None
    assert [tuple(one.shape) for one in program.example_inputs[0]] == [(rows, 4), (rows,)]


def test_it_computes_what_eager_computes(model: kit.Model, cases: Cases) -> None:
    assert {len(inputs[0]) for inputs, _ in cases} >= {1, 2, 5, 64}
    for inputs, outputs in cases:
        agree(model.predict(inputs), outputs)


def test_inputs_may_lie_anywhere(model: kit.Model, cases: Cases) -> None:
    (x, index), outputs = cases[0]
    strided = x.t().contiguous().t()
    apart = torch.stack([index, index], 1)[:, 0]
    memory = torch.empty(x.numel() + 1)
    unaligned = memory[1:].view(x.shape).copy_(x)
    for inputs in ([strided, apart], [unaligned, index]):
        agree(model.predict(inputs), outputs)


def test_an_output_is_no_input(model: kit.Model, cases: Cases) -> None:
    (x, index), _ = cases[0]
    given = x.clone()
    same = model.predict([given, index])[1]
    given.zero_()
    assert torch.equal(same, x)


def test_outputs_outlive_the_model(aoti_scores: Path, cases: Cases) -> None:
    inputs, outputs = cases[0]
    agree(kit.load(aoti_scores, engine="aoti").predict(inputs), outputs)


def test_inputs_are_checked_first(model: kit.Model) -> None:
    with pytest.raises(InputError, match="'batch'"):
        model(torch.zeros(65, 4), torch.zeros(65, dtype=torch.int64))
    with pytest.raises(InputError, match="'x': wanted float32"):
        model(torch.zeros(2, 5), torch.zeros(2, dtype=torch.int64))


def test_many_threads_predict_at_once(model: kit.Model, cases: Cases) -> None:
    with ThreadPoolExecutor(8) as pool:
        for outputs, (_, expected) in zip(
            pool.map(lambda case: model.predict(case[0]), cases * 50), cases * 50, strict=True
        ):
            agree(outputs, expected)


@CHECKS_DIVISIONS
def test_a_division_by_zero_is_an_error_of_its_own_call_alone(tmp_path: Path) -> None:
    """And calls that wait for a place are not forgotten when those that have one fail."""
    x, n = torch.arange(60_000), torch.arange(60_000) % 7 + 1
    kit.export(lambda x, n: (x // n) * 2, (x, n), tmp_path / "model.pt", ("aoti",), cases=[(x, n)])
    model = kit.load(tmp_path / "model.pt", engine="aoti")
    zero = n.index_fill(0, torch.tensor([59_999]), 0)  # not in the part of the thread that calls

    def call(number: int) -> str:
        try:
            return "right" if torch.equal(model(x, n if number % 2 else zero), x // n * 2) else "wrong"
        except kit.Error as error:
            return "zero" if "ZeroDivisionError" in str(error) else str(error)

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(call, range(2000)))
    assert set(said[0::2]) == {"zero"}
    assert set(said[1::2]) == {"right"}


def test_an_index_out_of_bounds_is_an_error_of_its_own_call_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In every thread that computes a call, in several loops of a kernel, and with loops in loops."""

    class Lookup(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(11, 6)

        def forward(self, index: Tensor) -> tuple[Tensor, ...]:
            x = self.words(index)
            return x.softmax(-1), x.sum(1), self.words.weight.t()[:, index[:, 0]] * 2

    index = torch.arange(40_000).view(-1, 2) % 11
    kit.export(Lookup(), index, tmp_path / "model.pt", ("aoti",), dynamic={"index": {0: kit.Dim("rows")}})
    model = kit.load(tmp_path / "model.pt", engine="aoti")
    expected = model(index)
    beyond = index.clone()
    beyond[-1, 1] = 11
    capfd.readouterr()

    def call(number: int) -> str:
        try:
            outputs = model(index if number % 2 else beyond)
        except InputError as error:
            return str(error)
        return "right" if all(map(torch.equal, outputs, expected)) else "wrong"

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(call, range(100)))
    assert set(said[1::2]) == {"right"}
    assert len(set(said[0::2])) == 1
    assert "the model cannot compute these inputs: index out of bounds: 0 <= " in said[0]
    assert capfd.readouterr() == ("", "")


@ROUNDS_TO_16_BITS
def test_what_eager_rounds_to_16_bits_is_rounded(tmp_path: Path) -> None:
    x = torch.tensor([1.0, 7e4, -0.1, 100.0])
    kit.export(lambda x: (x.half() * 1000 / 1000).float(), x, tmp_path / "model.pt", ("aoti",))
    expected = torch.tensor([1.0, torch.inf, -0.1, torch.inf]).half().float()
    actual = kit.load(tmp_path / "model.pt", engine="aoti")(x)
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=0)


def test_operations_without_a_c_interface_are_called(tmp_path: Path) -> None:
    z = torch.randn(3, 4, dtype=torch.complex64)
    kit.export(lambda z: (z * z.conj()).real.sqrt(), z, tmp_path / "model.pt", ("aoti",), cases=[(z,)])
    with zipfile.ZipFile(tmp_path / "model.pt") as archive:
        (member,) = (name for name in archive.namelist() if name.endswith(".pt2"))
        package = zipfile.ZipFile(io.BytesIO(archive.read(member)))
    assert "model/data/aotinductor/model/model.wrapper.json" in package.namelist()
    assert torch.allclose(kit.load(tmp_path / "model.pt", engine="aoti")(z), z.abs())


def test_auto_takes_it_before_torchscript(aoti_scores: Path) -> None:
    assert kit.load(aoti_scores).engine == "aoti"


# The package


def test_the_same_program_gives_the_same_bytes(
    aoti_scores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: None
) -> None:
    monkeypatch.setenv("KIT_CACHE", str(tmp_path / "cache"))  # in which nothing is yet
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    torch.set_num_threads(1)
    torch.manual_seed(5)
    assert aoti_archive.write(tmp_path / "again.pt").read_bytes() == aoti_scores.read_bytes()


def test_it_holds_nothing_of_the_machine_that_made_it(package: bytes, root: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        assert all(entry.date_time == (1980, 1, 1, 0, 0, 0) for entry in archive.infolist())
        content = b"".join(archive.read(name) for name in archive.namelist())
    for place in (root, Path(torch.__file__).parent, Path.home(), "/tmp/", "kit-compile"):
        assert str(place).encode() not in content
    assert len(package) < 500_000


def test_a_second_export_compiles_nothing(
    aoti_scores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch._inductor.aoti_compile_and_package", lambda *_, **__: pytest.fail("it did"))
    assert aoti_archive.write(tmp_path / "again.pt").read_bytes() == aoti_scores.read_bytes()


def test_a_package_that_was_tampered_with_is_refused(aoti_scores: Path, tmp_path: Path) -> None:
    def flip(content: bytes) -> bytes:
        return content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]

    with pytest.raises(ArchiveError, match=MEMBER):
        kit.load(rewrite(aoti_scores, tmp_path / "bad.pt", edit_member(MEMBER, flip)), engine="aoti")


def test_verifying_all_fails_where_one_cannot_be_loaded_now(
    aoti_scores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, predictor: Run
) -> None:
    """The others are verified all the same."""
    assert predictor("verify", aoti_scores, "--all").returncode == 0
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    done = predictor("verify", aoti_scores, "--all")
    assert done.returncode == 6
    assert re.search(r"torchscript: \d+ cases, all outputs bit-equal", done.stdout)
    assert "what this host should be able to run was not verified: aoti for" in done.stderr
    assert json.loads(predictor("verify", aoti_scores, "--all", "--json").stdout)["passed"] is False


def test_a_package_that_is_none_is_refused(aoti_scores: Path, tmp_path: Path) -> None:
    bad = rewrite(aoti_scores, tmp_path / "bad.pt", edit_member(MEMBER, lambda _: b"no zip"), digests=True)
    with pytest.raises(UnavailableError, match=f"libtorch cannot load {MEMBER}"):
        kit.load(bad, engine="aoti")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("torch", "2.1.0", "made with torch 2.1.0"),
        ("target", "cuda:sm_10", "made for cuda:sm_10"),
    ],
)
def test_a_program_for_another_host_is_not_taken(
    field: str, value: str, message: str, aoti_scores: Path, tmp_path: Path
) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        (program,) = [one for one in manifest["programs"] if one["engine"] == "aoti"]
        program[field] = value

    other = rewrite(aoti_scores, tmp_path / "other.pt", edit_manifest(edit))
    with pytest.raises(UnavailableError, match=message):
        kit.load(other, engine="aoti")
    assert kit.load(other).engine == "torchscript"


# Making it


def test_targets_that_there_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    eager, signature, cases = simple(nn.Tanh())
    with pytest.raises(UsageError, match="no target 'x86-64-v9'"):
        compile_method(eager, signature, cases, "x86-64-v9")
    with pytest.raises(UnavailableError, match="compute capability 10"):
        compile_method(eager, signature, cases, "cuda:sm_10")


def test_a_compiler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UnavailableError, match="no-such-compiler is not here"):
        compile_method(*simple(nn.Tanh()), "x86-64-v2")


def test_a_program_for_a_gpu_runs_on_one_that_it_was_made_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_for("x86-64-v2", "cuda:0") is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: [(8, 0), (9, 0), (9, 0)][index])
    assert device_for("cuda:sm_90") == "cuda:1"
    assert device_for("cuda:sm_90", "cuda:2") == "cuda:2"
    assert device_for("cuda:sm_90", "cuda:0") == "cuda:1"
    assert device_for("cuda:sm_80", "cuda") == "cuda"
    assert device_for("cuda:sm_75", "cuda:0") is None
    with pytest.raises(UnavailableError, match="compute capability 75 to compile on; here are sm_80, sm_90"):
        compile_method(*simple(nn.Tanh()), "cuda:sm_75")


def test_inputs_with_gaps_are_a_fault_of_the_caller() -> None:
    exported = torch.export.export(nn.Tanh(), (torch.randn(3, 2).t(),))
    with pytest.raises(kit.errors.InternalError, match="input 0"):
        compile_package(exported, "x86-64-v2")


# Other weights

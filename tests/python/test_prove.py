"""Proof: what the guards do not see is seen when the program is compared with the model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import kit
import kit.guard
import kit.prove
import kit.replay
from kit.errors import ParityError, TraceError
from kit.exporter import export_with_report
from kit.guard import guarded
from kit.manifest import ProgramInfo
from kit.prove import prepare
from kit.recipe import Recipe
from kit.replay import predict_with
from kit.report import Difference, ParityReport
from kit.signature import TensorSpec
from kit.state import evaluating

X = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
BATCH = {"x": {0: kit.Dim("batch", 1, 64)}}


@pytest.fixture
def unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guards find nothing."""
    monkeypatch.setattr(kit.guard, "check", lambda *_: [])
    monkeypatch.setattr(kit.guard, "doubts", lambda *_: [])


def large_batch(x: Tensor) -> tuple[Tensor, Tensor]:
    return x + 1, x * 2 if x.shape[0] > 20 else x


def two_rows(x: Tensor) -> Tensor:
    return x * 2 if x.shape[0] == 2 else x


def positive(x: Tensor) -> Tensor:
    return x * 2 if x.min() > 0 else x


def finite(x: Tensor) -> Tensor:
    return x * 2 if not x.isnan().any() else x * 3


def narrow(x: Tensor) -> Tensor:
    """In the trace at least two rows, whatever it is given."""
    return torch.cat([x.narrow(0, 0, 2), x[2:]]) if torch._C._is_tracing() else x


def two_of_them(x: Tensor) -> Tensor:
    return x[:2] if torch._C._is_tracing() else x


DIFFERS = r"output '{}': traced in Python differs from eager: .*; no archive was written: make"


@pytest.mark.usefixtures("unguarded")
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (large_batch, r"case 3 \(batch = 64\), " + DIFFERS.format(r"output\.1")),
        (two_rows, r"case 1 \(batch = 1\), " + DIFFERS.format("output")),
        (positive, r"(case \d|negative values|zeros) \(batch = \d+\), " + DIFFERS.format("output")),
        (finite, r"NaN \(batch = 2\), |case"),
        (two_of_them, r"case 1 \(batch = 1\): output 'output': wanted float32\[2, 3\], came float32\[1, 3\]"),
        (narrow, r"case 1 \(batch = 1\): traced in Python: it fails where the eager model does not: "),
    ],
)
def test_a_program_that_is_another_is_refused(
    tmp_path: Path, model: Callable[..., Any], message: str
) -> None:
    path = tmp_path / "model.pt"
    path.write_text("old")
    with pytest.raises(TraceError, match=message) as raised:
        kit.export(model, X, path, dynamic=BATCH)
    assert "\n" not in str(raised.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.pt"]
    assert path.read_text() == "old"


@pytest.mark.usefixtures("unguarded")
def test_a_bound_that_no_case_has_is_tried_too(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"random values \(batch = 64\), output 'output\.1': traced in Pyth"):
        kit.export(large_batch, X, tmp_path / "model.pt", dynamic=BATCH, cases=1)


def test_cpp_that_computes_something_else_is_a_parity_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(report: ParityReport) -> ParityReport:
        difference = Difference(False, False, 1.0, 1.0, "1 of 6 elements differ")
        rows = [replace(row, differences=dict.fromkeys(row.differences, difference)) for row in report.rows]
        return replace(report, rows=tuple(rows))

    original = kit.replay.verify_archive
    monkeypatch.setattr(kit.prove, "verify_archive", lambda *args: wrong(original(*args)))
    with pytest.raises(
        ParityError,
        match=r"case 0 \(batch = 2\), output 'output': torchscript \(C\+\+\) differs from eager: 1 of",
    ):
        kit.export(torch.nn.ReLU(), X, tmp_path / "model.pt", dynamic={"input": BATCH["x"]})
    assert list(tmp_path.iterdir()) == []


def test_cpp_is_compared_on_what_is_not_stored_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = predict_with
    monkeypatch.setattr(kit.prove, "predict_with", lambda *args: [one + 1 for one in original(*args)])
    with pytest.raises(
        ParityError, match=r"^random values \(batch = 64\), output 'output': torchscript \(C\+\+\) differs"
    ):
        kit.export(lambda x: x * 2, X, tmp_path / "model.pt", dynamic=BATCH, cases=3)
    with pytest.raises(ParityError, match=r"^zeros, output 'output': torchscript \(C\+\+\) differs"):
        kit.export(lambda x: x * 2, X, tmp_path / "model.pt")
    assert list(tmp_path.iterdir()) == []


def places_of_largest(x: Tensor) -> tuple[Tensor, Tensor]:
    """The largest of each two, and where they are: of NaN this is another place in Inductor's code."""
    found: tuple[Tensor, Tensor] = functional.max_pool2d(x, 2, return_indices=True)
    return found


def test_what_no_tolerance_helps_against_is_not_told_to_be_widened(tmp_path: Path) -> None:
    with pytest.raises(
        ParityError,
        match=r"^NaN, output 'output\.1': native x86-64-v3 \(C\+\+\) differs from eager: .*; no archive was "
        r"written: leave this program out, or let the model compute this output otherwise$",
    ):
        kit.export(places_of_largest, torch.randn(1, 2, 4, 4), tmp_path / "model.pt", programs=("native",))


@pytest.mark.parametrize(
    ("dtype", "off", "way", "remedy"),
    [
        ("float32", 0.5, "traced in Python", "make the model .* of the example, or widen `tolerances`"),
        ("int64", 2.0, "traced in Python", "make the model deterministic and independent of the example$"),
        ("float32", 0.0, "torchscript (C++)", "make the model deterministic and independent of the example$"),
        ("float32", 0.5, "aoti x86-64-v3 (C++)", "leave this program out, let .*, or widen `tolerances`"),
        ("complex64", 0.5, "native x86-64-v3 (C++)", "leave this program out, .*, or widen `tolerances`"),
    ],
)
def test_remedies_are_those_that_can_help(dtype: str, off: float, way: str, remedy: str) -> None:
    (case,) = prepared(lambda x: x * 2, cases=1).cases
    kind = TraceError if way == "traced in Python" else ParityError
    difference = Difference(False, False, off, off, "1 of 6 elements differ")
    error = kit.prove._differs(kind, case, TensorSpec("y", dtype, (2, 3)), way, difference)
    assert re.search(f"written: {remedy}", str(error)), str(error)


def prepared(model: Any, args: Any = X, **known: Any) -> kit.prove.Prepared:
    with evaluating(None):
        return prepare("forward", guarded(Recipe(model, args, **known)))


def test_proofs_are_at_the_sizes_that_no_golden_case_has() -> None:
    one = prepared(lambda x: x * 2, dynamic=BATCH, cases=3)
    sizes = [case.inputs[0].shape[0] for case in one.proofs if case.what.startswith("random values")]
    assert [case.inputs[0].shape[0] for case in one.cases] == [2, 1, 2]
    assert sizes == [64, 8, 3]
    assert one.tried == {"batch": (1, 2, 3, 8, 64)}


def test_proofs_have_extreme_values() -> None:
    one = prepared(lambda x: x * 2)
    assert [case.what for case in one.proofs] == ["zeros", "negative values", "large values", "NaN"]
    assert one.proofs[3].outputs[0].isnan().any()
    assert one.notes == []
    assert prepared(lambda x: x * 2, X.to(torch.int64)).proofs == []


def test_random_values_are_not_mixed_with_the_recipes_own_cases() -> None:
    one = prepared(lambda x: x * 2, dynamic=BATCH, cases=[X, X[:1]])
    assert not any(case.what.startswith("random values") for case in one.proofs)
    assert one.tried == {"batch": (1, 2)}


def test_values_that_the_model_itself_refuses_are_noted(tmp_path: Path) -> None:
    def model(x: Tensor) -> Tensor:
        return torch.linalg.cholesky(x @ x.T + 9 * torch.eye(2))

    done = export_with_report(model, X, tmp_path / "model.pt")
    (note,) = [note for note in done.notes if note.startswith("NaN")]
    assert re.match(
        r"NaN were not compared, because the model itself fails on them: .*test_prove\.py:\d+: .*LinAlgError",
        note,
    )
    assert kit.verify(tmp_path / "model.pt").passed


def test_the_report_is_of_the_golden_cases(tmp_path: Path) -> None:
    done = export_with_report(lambda x: x * 2, X, tmp_path / "model.pt", known={"cases": 3})
    assert done.report.columns == ("traced in Python", "torchscript (C++)")
    assert [row.case for row in done.report.rows] == [0, 1, 2]
    assert done.report.bit_equal
    assert done.notes == ()


@pytest.mark.parametrize(
    ("engine", "target", "wanted", "runs_on"),
    [
        ("torchscript", "any", "cpu", "cpu"),
        ("torchscript", "any", "cuda:0", "cuda:0"),
        ("aoti", "cuda:sm_90", "cpu", "cuda:0"),
        ("aoti", "cuda:sm_90", "cuda:0", "cuda:0"),
        ("aoti", "x86-64-v2", "cuda:0", "cpu"),
        ("native", "x86-64-v2", "cuda:0", "cpu"),
    ],
)
def test_a_program_is_proven_on_the_device_that_it_was_made_for(
    engine: str, target: str, wanted: str, runs_on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    given: list[Any] = []
    monkeypatch.setattr(kit.prove, "Model", lambda *args, **_: given.append(args))
    archive: Any = None
    kit.prove._loaded(archive, ProgramInfo(engine, target, "2.13.0"), "forward", wanted)
    ((_, _, device, _),) = given
    assert device == runs_on


@pytest.fixture
def double_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double_by_default")
def test_the_default_dtype_of_the_recipe_counts_in_no_other_process(tmp_path: Path) -> None:
    message = r"wanted float64\[3\], got float32\[3\].*; torch\.set_default_dtype\(torch\.float64\)"
    with pytest.raises(TraceError, match=message):
        kit.export(lambda x: x.sum() + torch.full((3,), 0.1), X, tmp_path / "model.pt")
    assert list(tmp_path.iterdir()) == []
    kit.export(lambda x: x.sum() + torch.full((3,), 0.1, dtype=x.dtype), X, tmp_path / "model.pt")
    assert torch.get_default_dtype() is torch.float64


@pytest.fixture
def denormals_flushed() -> Iterator[None]:
    torch.set_flush_denormal(True)
    yield
    torch.set_flush_denormal(False)


@pytest.mark.usefixtures("denormals_flushed")
def test_denormal_numbers_are_kept_where_an_archive_is_loaded(tmp_path: Path) -> None:
    small = torch.full((3,), 1e-20)
    exact = {"float32": (0, 0)}
    with pytest.raises(TraceError, match=r"; torch\.set_flush_denormal\(True\) was called, which no process"):
        kit.export(lambda x: x * 1e-20, small, tmp_path / "model.pt", tolerances=exact)
    assert torch.tensor([1e-38]).mul(0.01).item() == 0
    assert kit.export(lambda x: x * 2, small, tmp_path / "model.pt", tolerances=exact).signature is not None

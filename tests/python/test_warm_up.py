"""Warming up: at load, later, and in predictor."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

import kit
from kit.errors import InputError, UsageError
from tests.conftest import Run

FUSED = kit.Configuration(fusion=True, static_depth=20, dynamic_depth=0)


def chain(x: Tensor, y: Tensor) -> Tensor:
    return torch.relu(x * y + 1) * 3


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("chain") / "model.pt"
    batch = kit.Dim("batch", 1, 32)
    cases = [(torch.randn(rows, 3), torch.randn(rows, 3)) for rows in (2, 1, 2, 5)]
    kit.export(chain, cases[0], path, dynamic={"x": {0: batch}, "y": {0: batch}}, name="chain", cases=cases)
    return str(path)


def inputs(rows: int) -> tuple[Tensor, Tensor]:
    return torch.ones(rows, 3), torch.full((rows, 3), 2.0)


def test_every_size_of_the_golden_cases_is_warmed_up(archive: str) -> None:
    model = kit.load(archive, configuration=FUSED, warm_up=True)
    report = model.warmed_up
    assert report is not None
    sizes = sorted(one["batch"] for one in report.sizes)
    assert sizes == sorted(set(sizes))
    assert {1, 2, 5} <= set(sizes)
    assert report.compilations == len(sizes)
    assert report.calls == 4 * len(sizes)  # watched, compiled for, and two that change nothing
    assert report.settled
    listed = ", ".join(map(str, sizes))
    assert re.fullmatch(
        rf"warmed up for batch = {listed}: {report.calls} calls, [\d.]+ ms, {len(sizes)} graphs compiled",
        str(report),
    )


def test_only_the_sizes_that_are_asked_for(archive: str) -> None:
    report = kit.load(archive, configuration=FUSED, warm_up={"batch": [1, 5]}).warmed_up
    assert report is not None
    assert sorted(one["batch"] for one in report.sizes) == [1, 5]
    assert report.compilations == 2


def test_nothing_is_warmed_up_unasked(archive: str) -> None:
    assert kit.load(archive).warmed_up is None


def test_sizes_of_which_there_is_no_case(archive: str) -> None:
    with pytest.raises(UsageError, match=r"no golden case has batch = 31; there are cases of .*1, 2"):
        kit.load(archive, warm_up={"batch": [1, 31]})
    with pytest.raises(UsageError, match="there is no dim 'rows' to warm up sizes of; it has batch"):
        kit.load(archive, warm_up={"rows": [1]})


def test_an_archive_from_elsewhere_is_warmed_up_with_inputs_of_its_user(tmp_path: Path) -> None:
    path = tmp_path / "plain.pt"
    torch.jit.trace(chain, inputs(2)).save(str(path))
    with pytest.raises(UsageError, match="there is nothing to warm up with"):
        kit.load(path, warm_up=True)
    with pytest.warns(kit.ArchiveWarning):
        model = kit.load(path, configuration=FUSED)
    report = model.warm_up(*inputs(2))
    assert report.compilations == 1
    assert str(report).startswith("warmed up for its one size: ")


def test_a_prediction_that_compiles_later_is_in_the_log(
    archive: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = kit.load(archive, configuration=FUSED, warm_up={"batch": [1]})
    with caplog.at_level(logging.INFO, logger="kit"):
        model(*inputs(1))
        model(*inputs(7))  # watched, not compiled for
        assert caplog.records == []
        model(*inputs(7))
        model(*inputs(7))
    assert [(one.name, one.levelname, one.message) for one in caplog.records] == [
        (
            "kit",
            "WARNING",
            "a prediction compiled 1 graph for batch = 7, for which the model was not warmed up",
        )
    ]
    caplog.clear()
    report = model.warm_up(*inputs(9))
    assert report.sizes == ({"batch": 9},)
    model(*inputs(9))
    assert caplog.records == []
    together = model.warmed_up
    assert together is not None
    assert together.sizes == ({"batch": 1}, {"batch": 9})
    # The same sizes in another layout are compiled for, too.
    strided = torch.ones(3, 9).t()
    for _ in range(2):
        model(strided, strided)
    assert len(caplog.records) == 1
    assert "batch = 9, although the model was warmed up for these sizes" in caplog.text


def test_without_a_warm_up_there_is_no_log(archive: str, caplog: pytest.LogCaptureFixture) -> None:
    model = kit.load(archive, configuration=FUSED)
    for _ in range(3):
        model(*inputs(3))
    assert caplog.records == []


def test_inputs_that_do_not_fit(archive: str) -> None:
    model = kit.load(archive)
    with pytest.raises(InputError):
        model.warm_up(torch.ones(1, 3))
    with pytest.raises(InputError, match="batch"):
        model.warm_up(*inputs(33))
    assert model.warmed_up is None


def test_the_random_generators_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "noise.pt"
    kit.export(lambda x: x + torch.rand_like(x), torch.ones(2), path, name="noise", allow=["random"])
    state = torch.get_rng_state()
    model = kit.load(path, warm_up=True)
    model.warm_up(torch.ones(2))
    assert torch.equal(torch.get_rng_state(), state)


def test_predictor_says_what_it_took(archive: str, predictor: Run, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"x": [1, 2, 3], "y": [1, 1, 1]}\n' * 12)
    fused = ("--fusion", "on", "--static-depth", "20", "--dynamic-depth", "0")
    plain = predictor("run", archive, "--input", rows)
    done = predictor("run", archive, "--input", rows, "--warm-up", "--batch", "5", *fused)
    assert (done.returncode, done.stdout) == (0, plain.stdout)
    assert re.fullmatch(
        r"predictor: warmed up for batch = 1, 2[\d, ]*: \d+ calls, [\d.]+ ms, \d+ graphs compiled\n",
        done.stderr,
    )
    done = predictor("run", archive, "--input", rows, "--warm-up-sizes", "batch=1,2", "--batch", "6", *fused)
    warmed, noted = done.stderr.splitlines()
    assert warmed.startswith("predictor: warmed up for batch = 1, 2: 8 calls, ")
    assert noted == (
        "predictor: note: a prediction compiled 1 graph for batch = 6, for which the model was not warmed up"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--warm-up-sizes", "batch"], "--warm-up-sizes batch is no dim with its sizes; give batch=1,64"),
        (["--warm-up-sizes", "batch="], "is no dim with its sizes"),
        (["--warm-up-sizes", "batch=1,"], "is no dim with its sizes"),
        (["--warm-up-sizes", "=1"], "is no dim with its sizes"),
        (["--warm-up-sizes", "batch=-1"], "is no dim with its sizes"),
        (["--warm-up-sizes", "batch=31"], "no golden case has batch = 31"),
        (["--warm-up-sizes", "rows=1"], "there is no dim 'rows'"),
    ],
)
def test_predictor_refuses_bad_sizes(
    archive: str, predictor: Run, tmp_path: Path, options: list[str], message: str
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"x": [1, 2, 3], "y": [1, 1, 1]}\n')
    done = predictor("run", archive, "--input", rows, *options)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


def test_sizes_that_are_no_list_are_refused(archive: str) -> None:
    with pytest.raises(UsageError, match="warm_up gives 5 for the dim 'batch'; give a list of sizes"):
        kit.load(archive, warm_up={"batch": 5})  # type: ignore[dict-item]
    with pytest.raises(UsageError, match=f"warm_up gives the size {1 << 63} for the dim 'batch'; give whole"):
        kit.load(archive, warm_up={"batch": [1 << 63]})

"""kit.verify and kit.parity."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import kit
from kit.errors import ArchiveError, UnavailableError, UsageError
from kit.predictor import VARIABLE, find_predictor, run_predictor

X = torch.tensor([[1.0, 2.0, 3.0]])
WAYS = ("traced in Python", "predictor (C++)", "torchscript (C++)")


class Two(nn.Module):
    """Two outputs of two dtypes, the first in proportion to `factor`."""

    def __init__(self, factor: float = 2.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = x * self.factor
        return y, y.argmax(dim=1)


def recipe(factor: float = 2.0) -> kit.Recipe:
    known = {"x": {0: kit.Dim("batch", 1, 32)}}
    return kit.Recipe(Two(factor), X, dynamic=known, names={"outputs": ["y", "best"]}, cases=4)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "model.pt"
    kit.export(recipe(), path=path)
    return path


@pytest.fixture
def with_predictor(predictor_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(predictor_path))
    return predictor_path


def test_verify_replays_the_golden_cases(archive: Path) -> None:
    report = kit.verify(archive)
    assert report.passed
    assert report.bit_equal
    assert report.cases == 4
    assert report.columns == ("torchscript (C++)",)
    assert [(row.case, row.output, row.shape) for row in report.rows[:3]] == [
        (0, "y", "float32[1, 3]"),
        (0, "best", "int64[1]"),
        (1, "y", "float32[1, 3]"),
    ]


def test_parity_goes_every_way(archive: Path, with_predictor: Path) -> None:
    for one in (recipe(), recipe):
        report = kit.parity(one, archive)
        assert report.bit_equal
        assert report.columns == WAYS
        assert len(report.rows) == 8
        assert report.rows[0].first_values == dict.fromkeys(("eager", *WAYS), "2")
        assert report.rows[1].first_values["eager"] == "2"
        runs = {way: len(found) for way, found in report.rows[0].runs.items()}
        assert runs == {"traced in Python": 3, "predictor (C++)": 1, "torchscript (C++)": 3}
        report.raise_for_failure()


def test_parity_finds_another_model(archive: Path, with_predictor: Path) -> None:
    report = kit.parity(recipe(2.5), archive)
    assert not report.passed
    assert {row.output for row in report.rows if not row.differences["torchscript (C++)"].within} == {"y"}
    assert report.rows[0].first_values["eager"] == "2.5"
    assert report.rows[0].first_values["predictor (C++)"] == "2"
    assert str(report).splitlines()[-1].startswith("DIFFERS")


def test_parity_leaves_the_model_and_the_generator_as_they_are(archive: Path, with_predictor: Path) -> None:
    one = recipe()
    one.model.train()
    state = torch.get_rng_state()
    kit.parity(one, archive)
    assert one.model.training
    assert torch.equal(torch.get_rng_state(), state)


def test_recipes_of_another_archive(archive: Path) -> None:
    with pytest.raises(
        UsageError, match=r"the example of the recipe does not fit .*wanted float32\[batch, 3\]"
    ):
        kit.parity(kit.Recipe(Two(), torch.ones(1, 4), names={"outputs": ["y", "best"]}), archive)
    with pytest.raises(UsageError, match=r"returns output\.0, output\.1, .* has y, best"):
        kit.parity(kit.Recipe(Two(), X), archive)


def test_an_archive_without_cases_cannot_be_verified(tmp_path: Path) -> None:
    torch.jit.trace(nn.ReLU(), X).save(str(tmp_path / "plain.pt"))
    with pytest.raises(ArchiveError):
        kit.verify(tmp_path / "plain.pt")
    with pytest.raises(ArchiveError, match="it has no manifest"):
        kit.parity(recipe(), tmp_path / "plain.pt")


def test_the_predictor_is_where_the_variable_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "predictor"
    monkeypatch.setenv(VARIABLE, str(program))
    with pytest.raises(UnavailableError, match=f"{VARIABLE}=.*it is no executable file"):
        find_predictor()
    program.write_text("#!/bin/sh\n")
    with pytest.raises(UnavailableError):
        find_predictor()
    program.chmod(0o755)
    assert find_predictor() == str(program)


@pytest.mark.parametrize(
    ("code", "error"),
    [(3, ArchiveError), (6, UnavailableError), (4, kit.InputError), (99, kit.InternalError)],
)
def test_the_exit_code_of_predictor_becomes_the_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int, error: type[Exception]
) -> None:
    program = tmp_path / "predictor"
    program.write_text(f"#!/bin/sh\necho 'predictor: error: it went wrong' >&2\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(program))
    with pytest.raises(error, match="it went wrong"):
        run_predictor("model.pt", {"x": X})


def test_the_predictor_gives_outputs_by_name(archive: Path, with_predictor: Path) -> None:
    outputs = run_predictor(str(archive), {"x": X.expand(5, 3)})
    assert set(outputs) == {"y", "best"}
    assert torch.equal(outputs["y"], X.expand(5, 3) * 2)
    with pytest.raises(kit.InputError):
        run_predictor(str(archive), {"x": X.double()})
    assert subprocess.run([with_predictor, "--version"], check=False).returncode == 0

"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import kit
from kit.cli import main

RECIPE = """
import kit, torch
def recipe():
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)
    dynamic = {"input": {0: kit.Dim("n", 1, 9)}}
    return kit.Recipe(model, torch.ones(1, 3), name="line", dynamic=dynamic)
def raises():
    raise ValueError("two\\nlines")
def lies():
    return kit.Recipe(lambda x: x + 1 if x.sum() > 0 else x, torch.ones(1, 3))
def interrupted():
    raise KeyboardInterrupt
def internal():
    import kit.guard
    kit.guard.infer_signature = None
    return recipe()
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "line_recipe.py").write_text(RECIPE)
    return tmp_path


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("cli") / "model.pt"
    kit.export(nn.Linear(3, 1), torch.ones(1, 3), path, name="line")
    return str(path)


def test_export_ends_with_a_summary(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "line_recipe.py:recipe", "-o", "out.pt"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert re.fullmatch(r"out\.pt  \d+\.\d KiB", lines[0])
    assert lines[1] == "  signature  (input: float32[n, 3]) → (output: float32[n, 1]); n in 1..9"
    assert re.fullmatch(r"  programs   torchscript \(torch \d+\.\d+\.\d+\)", lines[2])
    assert lines[3] == "  cases      8, replayed: traced in Python, torchscript (C++)"
    assert lines[4] == "  tried      n = 1, 2, 3, 5, 8, 9"
    assert lines[5] == "  difference 0 (bit-equal) from eager"
    assert len(lines) == 6
    assert kit.verify("out.pt").passed


def test_export_writes_model_pt_and_can_be_quiet(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "line_recipe:recipe", "--quiet", "--program", "torchscript"]) == 0
    assert capsys.readouterr() == ("", "")
    assert kit.verify("model.pt").passed


def test_inspect(archive: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", archive]) == 0
    assert "input: float32[1, 3]" in capsys.readouterr().out
    assert main(["inspect", archive, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["manifest"]["name"] == "line"


def test_verify(archive: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", archive]) == 0
    out = capsys.readouterr().out
    assert out.count("bit-equal") == 9
    assert out.endswith("agrees; largest difference: 0 (bit-equal)\n")
    assert main(["verify", archive, "--json", "--engine", "torchscript", "--device", "cpu"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"] is True


def test_parity(
    here: Path, capsys: pytest.CaptureFixture[str], predictor_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT_PREDICTOR", str(predictor_path))
    assert main(["export", "line_recipe.py:recipe", "-q"]) == 0
    assert main(["parity", "line_recipe.py:recipe", "model.pt"]) == 0
    out = capsys.readouterr().out
    header = out.splitlines()[2]
    for column in ("eager", "traced in Python", "predictor (C++)", "torchscript (C++)", "difference"):
        assert column in header
    assert "way                run  absolute  relative  ULP" in out
    assert out.count("bit-equal") == 9
    source = Path("line_recipe.py")
    source.write_text(source.read_text().replace("manual_seed(0)", "manual_seed(1)"))
    assert main(["parity", "line_recipe.py:recipe", "model.pt", "--json"]) == 5
    out, err = capsys.readouterr()
    assert json.loads(out)["passed"] is False
    assert re.match(
        r"kit: error: model\.pt: case 0, output 'output': traced in Python differs from eager", err
    )


def test_the_recipe_is_not_overwritten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "line_recipe.py:recipe", "-o", str(here / "line_recipe.py")]) == 2
    assert "line_recipe.py: it is read, and would be replaced" in capsys.readouterr().err
    assert (here / "line_recipe.py").read_text() == RECIPE


def test_names_that_a_terminal_would_obey(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "model.pt")
    names = {"inputs": ["x\x1b[2J"], "outputs": ["y\x9b2J\nz"]}
    kit.export(torch.relu, torch.ones(2), path, name="a\x1b[31m\nname  forged", names=names)
    assert main(["inspect", path]) == 0
    inspected = capsys.readouterr().out
    assert "\n  name        a\\x1b[31m\\nname  forged\n  inputs      x\\x1b[2J: float32[2]\n" in inspected
    assert "\n  outputs     y\\x9b2J\\nz: float32[2]\n" in inspected
    assert main(["verify", path]) == 0
    assert main(["verify", path, "--method", "\x1b[31m"]) == 2
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert "\x9b" not in out + err
    assert "\\u009b2J" in out
    assert main(["inspect", path, "--json"]) == 0
    manifest = json.loads(capsys.readouterr().out)["manifest"]
    assert manifest["signature"]["inputs"][0]["name"] == "x\x1b[2J"


def test_the_name_of_a_file_that_is_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("inspect", "verify"):
        assert main([command, os.fsdecode(os.fsencode(tmp_path) + b"/a\xffb.pt")]) == 2
        assert "a\\udcffb.pt': the name of the file is no UTF-8; rename it" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ["lint", "loud.py:recipe"],
        ["parity", "loud.py:recipe", "model.pt"],
        ["parity", "loud.py:recipe", "model.pt", "--layers"],
        ["bench", "model.pt", "--peers", "loud.py:recipe", "--seconds", "0.01", "--starts", "0"],
    ],
    ids=["lint", "parity", "layers", "peers"],
)
def test_what_a_recipe_prints_is_not_mixed_with_json(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    predictor_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
) -> None:
    monkeypatch.setenv("KIT_PREDICTOR", str(predictor_path))
    (here / "loud.py").write_text(
        RECIPE.replace("    torch.manual_seed(0)", "    print('loud')\n    torch.manual_seed(0)")
    )
    assert main(["export", "loud.py:recipe", "-q"]) == 0
    assert capsys.readouterr().out == "loud\n"
    assert main([*command, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)
    assert "loud" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, r"the following arguments are required: COMMAND; see python -m kit --help"),
        (["bogus"], 2, r"invalid choice: 'bogus'"),
        (["export"], 2, r"the following arguments are required: RECIPE; see python -m kit export --help"),
        (["export", "no.py:recipe"], 2, r"no\.py: no such recipe file"),
        (["export", "line_recipe.py:no"], 2, r"line_recipe\.py has no function 'no'"),
        (["export", "line_recipe.py:raises"], 2, r"failed at line_recipe\.py:9: ValueError: two$"),
        (
            ["export", "line_recipe.py:lies"],
            7,
            r"line_recipe\.py:11: `.*`: what runs next depends on the values of input 'x'.*\[value-branch\]$",
        ),
        (
            ["export", "line_recipe.py:recipe", "-o", "no/model.pt"],
            2,
            r"no/model\.pt: the directory .* does not exist",
        ),
        (["export", "line_recipe.py:recipe", "--program", "onnx"], 2, r"there is no program 'onnx'"),
        (
            ["export", "line_recipe.py:recipe", "--program", "native", "--target", "x86-64-v3,sse"],
            2,
            r"there is no target 'sse'",
        ),
        (["export", "line_recipe.py:recipe", "--device", "cuda:99"], 6, r"the device cuda:99 is not here"),
        (["inspect", "no.pt"], 3, r"no\.pt"),
        (["inspect", "line_recipe.py"], 3, r"line_recipe\.py: not an archive"),
        (["verify", "no.pt"], 3, r"no\.pt"),
        (["verify", "no.pt", "--engin", "auto"], 2, r"unrecognized arguments: --engin auto"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("kit: error: ")
    assert re.search(message, lines[0]), lines[0]
    assert sorted(entry.name for entry in here.iterdir() if entry.suffix != "") == ["line_recipe.py"]


def test_a_fault_of_ours_is_one_line_too(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import kit.guard
    import kit.shapes

    monkeypatch.setattr(kit.guard, "infer_signature", kit.shapes.infer_signature)  # put back at the end
    assert main(["export", "line_recipe.py:internal"]) == 1
    err = capsys.readouterr().err
    assert re.fullmatch(
        r"kit: error: internal fault: TypeError: .*; report it, with what --traceback prints\n", err
    )


def test_an_interrupt_is_no_traceback(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "line_recipe.py:interrupted"]) == 130
    assert capsys.readouterr() == ("", "kit: error: interrupted; nothing was written\n")


def test_a_traceback_is_there_for_the_asking(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "line_recipe.py:raises", "--traceback"]) == 2
    err = capsys.readouterr().err
    assert 'raise ValueError("two\\nlines")' in err
    assert err.splitlines()[-1].startswith("kit: error: the recipe line_recipe.py:raises failed at")


def test_an_archive_of_unknown_origin_is_told_in_one_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.jit.trace(nn.ReLU(), torch.ones(1)).save("plain.pt")
    assert main(["inspect", "plain.pt"]) == 0
    assert "no manifest" in capsys.readouterr().out
    assert main(["verify", "plain.pt"]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1


def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(kit.__file__).parents[1]), **more}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_help_does_not_wait_for_torch() -> None:
    code = (
        "import sys; from kit.cli import main\ntry: main(['--help'])\nfinally: print('torch' in sys.modules)"
    )
    done = run("-c", code)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: python -m kit")
    assert done.stdout.endswith("False\n")


@pytest.mark.parametrize("module", ["kit", "kit.export"])
def test_the_modules_run_and_know_their_names(module: str) -> None:
    done = run("-m", module, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: python -m {module} ")


def test_a_reader_that_leaves_is_no_error(archive: str) -> None:
    path = str(Path(kit.__file__).parents[1])
    command = f"PYTHONPATH={path} {sys.executable} -m kit inspect {archive} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode in (0, 141)

"""The executable `predictor`: finding it, and running it on tensors."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
from torch import Tensor

from kit import errors
from kit.configuration import DEFAULTS, Configuration
from kit.errors import UnavailableError
from kit.method import FORWARD

VARIABLE = "KIT_PREDICTOR"


def find_predictor() -> str:
    """The executable: $KIT_PREDICTOR, else that of this installation or checkout, else that on PATH.

    Raises UnavailableError if there is none.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if os.access(named, os.X_OK) and os.path.isfile(named):
            return named
        raise UnavailableError(
            f"{VARIABLE}={named}: it is no executable file; set it to the path of predictor"
        )
    checkout = Path(__file__).resolve().parents[2]
    for candidate in (Path(sysconfig.get_path("scripts"), "predictor"), checkout / "build/default/predictor"):
        if os.access(candidate, os.X_OK):
            return str(candidate)
    found = shutil.which("predictor")
    if found is None:
        raise UnavailableError(
            f"predictor is not installed: build it with `make build`, or set {VARIABLE} to its path"
        )
    return found


def run_predictor(
    path: str,
    inputs: Mapping[str, Tensor],
    *,
    engine: str = "auto",
    device: str = "cpu",
    configuration: Configuration = DEFAULTS,
    method: str = FORWARD,
    seed: int | None = None,
) -> dict[str, Tensor]:
    """Outputs by name of `predictor run` for one set of inputs by name.

    Raises the error of the exit code of predictor, with its message.
    """
    program = find_predictor()
    with tempfile.TemporaryDirectory(prefix="kit-") as directory:
        source, result = Path(directory, "inputs.safetensors"), Path(directory, "outputs.safetensors")
        plain = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in inputs.items()}
        safetensors.torch.save_file(plain, source)
        command = [program, "run", path, "--input", str(source), "--output", str(result)]
        command += ["--engine", engine, "--device", device, "--method", method]
        command += configuration_options(configuration)
        command += [] if seed is None else ["--seed", str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise error_of(done)
        return safetensors.torch.load_file(result)


def configuration_options(configuration: Configuration) -> list[str]:
    """The options of predictor that set the same."""
    options = []
    for name, value in configuration.to_dict().items():
        option = f"--{name.replace('_', '-')}"
        if name == "freeze":
            options.append(option if value else "--no-freeze")
        else:
            options += [option, {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)]
    return options


def error_of(done: subprocess.CompletedProcess[str]) -> errors.Error:
    """The error that predictor ended with: of its exit code, with its message."""
    message = done.stderr.strip().splitlines()
    text = message[-1].removeprefix("predictor: error: ") if message else "it wrote no message"
    for kind in errors.Error.__subclasses__():
        if kind.exit_code == done.returncode:
            return kind(f"predictor: {text}")
    return errors.InternalError(f"predictor ended with status {done.returncode}: {text}")

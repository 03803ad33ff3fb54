"""A model with what its aoti program could get wrong, and the archive with that program.

Two inputs of different dtypes, a weight that has two names, buffers, an output that is an input, and weights
so small that Inductor would take them for constants.
"""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

import kit
from kit.eager import Eager
from kit.signature import Signature, TensorSpec

TARGET = "x86-64-v2"
MEMBER = f"extra/kit/programs/aoti-{TARGET}/forward.pt2"
BATCH = kit.Dim("batch", 1, 64)


class Scores(nn.Module):
    """Scores of words for a state x and the word before."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.words = nn.Embedding(11, 4)
            self.head = nn.Linear(4, 11, bias=False)
            self.head.weight = self.words.weight
            self.scale = nn.BatchNorm1d(11)
            self.offset = nn.Parameter(torch.randn(3))
            for buffer in (self.scale.running_mean, self.scale.running_var):
                assert buffer is not None
                buffer.uniform_(0.5, 2)

    def forward(self, x: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        state = torch.tanh(self.words(index) + x + self.offset.sum())
        return self.scale(self.head(state)), x


def recipe(seed: int = 0) -> kit.Recipe:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(9)
        cases = [(torch.randn(rows, 4), torch.randint(0, 11, (rows,))) for rows in (5, 1, 2, 64)]
    return kit.Recipe(
        Scores(seed),
        args=cases[0],
        name="scores",
        dynamic={"x": {0: BATCH}, "index": {0: BATCH}},
        names={"outputs": ["scores", "same"]},
        cases=cases,
    )


def write(path: Path, target: str = TARGET, device: str | None = None) -> Path:
    """The archive with the programs torchscript and aoti. Every test host has what the target needs."""
    kit.export(recipe(), path=path, programs=("torchscript", "aoti"), targets=(target,), device=device)
    return path


def weights_of(seed: int) -> dict[str, Tensor]:
    """Those of another model of this kind, as one saves them: a tensor that has two names once."""
    state = Scores(seed).state_dict()
    return {name: tensor.clone() for name, tensor in state.items() if name != "head.weight"}


def cases_of(seed: int) -> dict[str, Tensor]:
    """What the model of this seed gives for the inputs of the recipe."""
    eager = Scores(seed).eval()
    result: dict[str, Tensor] = {}
    given = recipe().cases
    assert not isinstance(given, int)
    for i, (x, index) in enumerate(given):
        with torch.no_grad():
            scores, same = eager(x, index)
        result |= {f"cases/{i}.inputs.x": x, f"cases/{i}.inputs.index": index}
        result |= {f"cases/{i}.outputs.scores": scores, f"cases/{i}.outputs.same": same.clone()}
    return result


def write_weights(folder: Path) -> None:
    """Weights with their cases, scores.other.safetensors; with those of others, scores.wrong.safetensors."""
    safetensors.torch.save_file({**weights_of(1), **cases_of(1)}, folder / "scores.other.safetensors")
    safetensors.torch.save_file({**weights_of(1), **cases_of(2)}, folder / "scores.wrong.safetensors")


def simple(module: nn.Module) -> tuple[Eager, Signature, list[list[Tensor]]]:
    """What a program is compiled from, for a module of one input: float32[2, 3]."""
    spec = TensorSpec("input", "float32", (2, 3))
    x = torch.randn(2, 3)
    return Eager(kit.Recipe(module.eval(), args=(x,))), Signature((spec,), (spec,)), [[x]]


def agree(outputs: list[Tensor], expected: list[Tensor]) -> None:
    for one, other in zip(outputs, expected, strict=True):
        torch.testing.assert_close(one, other)

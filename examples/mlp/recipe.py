"""The multilayer perceptron of the classic tutorial: three numbers in, one number out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from tqdm import tqdm

import kit

SEED = 20
ROWS = 1_000
EPOCHS = 10
LEARNING_RATE = 0.001
COEFFICIENTS = (0.2, -1.3, -0.5)  # the truth that the training is to find: x1, x2, x3


class Mlp(nn.Module):
    """Linear 3→8, 8→16, 16→1, with ReLU and dropout between. x: float32[batch, 3] → float32[batch, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(3, 8),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(8, 16),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(16, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def data(rows: int = ROWS, seed: int = SEED) -> tuple[Tensor, Tensor]:
    """Inputs x ~ N(0, 1), float32[rows, 3], and y = 0.2·x1 − 1.3·x2 − 0.5·x3 + N(0, 1), float32[rows, 1]."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 3, generator=generator)
    noise = torch.randn(rows, 1, generator=generator)
    return x, x @ torch.tensor(COEFFICIENTS).unsqueeze(1) + noise


@contextmanager
def own_randomness_and_one_thread(seed: int) -> Iterator[None]:
    """Seeds the global generator, which initialisation and dropout draw from, and puts it back at the end.

    The same goes for the number of threads: a step on one row is too small to be worth sharing, and one
    thread gives the same weights on every host of the same kind.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def train(epochs: int = EPOCHS, seed: int = SEED) -> tuple[Mlp, list[float]]:
    """Trains with Adam on the mean squared error, one row at a time.

    Returns the model, still in training mode, and the mean loss of each epoch.
    """
    x, y = data(seed=seed)
    order = torch.Generator().manual_seed(seed + 1)
    losses: list[float] = []
    with own_randomness_and_one_thread(seed + 2):
        model = Mlp()
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
        with tqdm(total=epochs * len(x), unit="row", file=sys.stderr) as progress:
            for epoch in range(1, epochs + 1):
                total = 0.0
                for row in torch.randperm(len(x), generator=order).split(1):
                    optimizer.zero_grad()
                    loss = nn.functional.mse_loss(model(x[row]), y[row])
                    loss.backward()
                    optimizer.step()
                    total += loss.item()
                    progress.update()
                losses.append(total / len(x))
                progress.set_description(f"epoch {epoch}/{epochs}, loss {losses[-1]:.3f}")
    return model, losses


def recipe() -> kit.Recipe:
    """Trains the model, and says what is known of its input."""
    model, _ = train()
    return kit.Recipe(
        model,
        args=(data(rows=4)[0],),
        name="mlp",
        dynamic={"x": {0: kit.Dim("batch", 1, 4096)}},
    )

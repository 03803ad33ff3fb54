"""Handwritten digits: a small convolutional network on the real images that scikit-learn brings along."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from tqdm import tqdm

import kit

SEED = 1
EPOCHS = 20
BATCH = 64
LEARNING_RATE = 0.002
HELD_OUT = 0.2  # part of the images that training never sees
CASE_BATCHES = (1, 2, 3, 5, 8, 13, 21, 34)  # held-out images in each golden case


class DigitNet(nn.Module):
    """images: float32[batch, 1, 8, 8] in 0..1 → logits: float32[batch, 10], and class: int64[batch]."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(0.25),
            nn.Linear(32 * 4 * 4, 64),
            nn.ReLU(),
            nn.Linear(64, 10),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.head(self.features(images))
        return logits, logits.argmax(dim=1)


def data() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images and labels, then held-out images and labels.

    Images are float32[n, 1, 8, 8] in 0..1, labels int64[n]. Every digit has the same share in both parts.
    """
    digits = load_digits()
    images = torch.from_numpy(digits.images / 16).float().unsqueeze(1)
    labels = torch.from_numpy(digits.target).long()
    train, held_out = train_test_split(
        torch.arange(len(labels)).numpy(), test_size=HELD_OUT, random_state=SEED, stratify=labels.numpy()
    )
    return images[train], labels[train], images[held_out], labels[held_out]


@contextmanager
def own_randomness_and_one_thread(seed: int) -> Iterator[None]:
    """Seeds the global generator, which initialisation and dropout draw from, and puts it back at the end.

    The same goes for the number of threads: the images are too small to be worth sharing, and one thread
    gives the same weights on every host of the same kind.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def train(epochs: int = EPOCHS, seed: int = SEED) -> DigitNet:
    """Trains with Adam on the cross entropy. Returns the model, still in training mode."""
    images, labels, _, _ = data()
    order = torch.Generator().manual_seed(seed)
    with own_randomness_and_one_thread(seed):
        model = DigitNet()
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        with tqdm(total=epochs * len(images), unit="image", file=sys.stderr) as progress:
            for epoch in range(1, epochs + 1):
                total = 0.0
                for rows in torch.randperm(len(images), generator=order).split(BATCH):
                    optimizer.zero_grad()
                    logits, _ = model(images[rows])
                    loss = nn.functional.cross_entropy(logits, labels[rows])
                    loss.backward()
                    optimizer.step()
                    total += loss.item() * len(rows)
                    progress.update(len(rows))
                progress.set_description(f"epoch {epoch}/{epochs}, loss {total / len(images):.4f}")
    return model


def recipe() -> kit.Recipe:
    """Trains the network, and takes held-out images as golden cases."""
    model = train()
    _, _, held_out, _ = data()
    return kit.Recipe(
        model,
        args=(held_out[:2],),
        name="digits",
        dynamic={"images": {0: kit.Dim("batch", 1, 1024)}},
        names={"outputs": ["logits", "class"]},
        cases=[
            (images,) for images in held_out.split([*CASE_BATCHES, len(held_out) - sum(CASE_BATCHES)])[:-1]
        ],
    )

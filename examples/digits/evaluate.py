"""Feeds the held-out digits to an archive in Python and in C++, and compares how often each is right.

    python examples/digits/evaluate.py digits.pt
    python examples/digits/evaluate.py digits.pt --format csv --predictor build/default/predictor

Exits with 5 if the two do not give the same class for every image.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from recipe import data  # type: ignore[import-not-found]  # beside this file, which runs as a script
from sklearn.metrics import accuracy_score, confusion_matrix
from torch import Tensor

IN_BUILD_TREE = Path(__file__).parents[2] / "build/default/predictor"


def classes_in_python(archive: Path, images: Tensor) -> Tensor:
    """Runs the archive's TorchScript program. Returns int64[n]."""
    with torch.inference_mode():
        _, classes = torch.jit.load(archive, map_location="cpu")(images)
    assert isinstance(classes, Tensor)
    return classes


def classes_in_cpp(archive: Path, images: Tensor, predictor: str, kind: str) -> Tensor:
    """Runs `predictor` on the images as a file of `kind`: "safetensors", "npy" or "csv". Returns int64[n]."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, f"images.{kind}"), Path(folder, "predictions.csv")
        if kind == "safetensors":
            safetensors.torch.save_file({"images": images}, source)
        elif kind == "npy":
            np.save(source, images.numpy())
        else:
            header = ",".join(f"images.{pixel}" for pixel in range(images[0].numel()))
            np.savetxt(
                source, images.flatten(1).numpy(), delimiter=",", header=header, comments="", fmt="%.9g"
            )
        subprocess.run([predictor, "run", archive, "--input", source, "--output", target], check=True)
        with target.open(newline="") as file:
            return torch.tensor([int(row["class"]) for row in csv.DictReader(file)])


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("archive", type=Path, help="what python -m kit.export made of the recipe")
    parser.add_argument("--predictor", default=shutil.which("predictor") or str(IN_BUILD_TREE))
    parser.add_argument("--format", choices=("safetensors", "npy", "csv"), default="safetensors")
    return parser.parse_args()


def main() -> int:
    options = parse_arguments()
    _, _, images, labels = data()
    python = classes_in_python(options.archive, images)
    cpp = classes_in_cpp(options.archive, images, options.predictor, options.format)
    print("confusion matrix in C++: a row for each true digit, a column for each predicted one")
    print(confusion_matrix(labels, cpp, labels=range(10)))
    print(f"\n{len(labels)} held-out images, right in Python: {accuracy_score(labels, python):.4f}")
    print(f"{len(labels)} held-out images, right in C++:    {accuracy_score(labels, cpp):.4f}")
    if not torch.equal(python, cpp):
        print(f"error: Python and C++ disagree on {int((python != cpp).sum())} images", file=sys.stderr)
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What `predictor run` is measured against: the same work with pandas and torch, as one would write it.

Usage: python tests/bench/pandas_peer.py MODEL INPUT.csv OUTPUT.csv THREADS
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import torch

BATCH = 65_536


def main(model_path: str, input_path: str, output_path: str, threads: int) -> None:
    torch.set_num_threads(threads)
    model = torch.jit.load(model_path).eval()
    x = torch.tensor(pd.read_csv(input_path, dtype=np.float32).to_numpy())
    with torch.inference_mode():
        y = torch.cat([model(rows) for rows in torch.split(x, BATCH)])
    pd.DataFrame(y.numpy(), columns=["output"]).to_csv(output_path, index=False)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))

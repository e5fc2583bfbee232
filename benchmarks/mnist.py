"""Accuracy on MNIST: two networks, batches of 128, three seeds each; the test images are used for
nothing else.

python benchmarks/mnist.py FOLDER      # with the four files train-images-idx3-ubyte.gz, ...
"""

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
from cnn_core.schedules import ReduceOnPlateau

from cnn_core import MLP


def read_idx(path):
    """An array from a gzipped IDX file of unsigned bytes: two zeros, a type, the number of
    dimensions, their sizes."""
    with gzip.open(path) as file:
        data = file.read()
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"{path} is not an IDX file of unsigned bytes")
    dimensions = data[3]
    shape = np.frombuffer(data, ">u4", dimensions, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def load(folder, part):
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    return images.reshape(len(images), -1).astype(np.float32) / 255, read_idx(
        folder / f"{part}-labels-idx1-ubyte.gz"
    )


CASES = {
    "784-128-10, Adam 1e-3, 5 epochs": dict(hidden=(128,), learning_rate=1e-3, epochs=5),
    "784-256-128-10, dropout, early stopping": dict(
        hidden=(256, 128),
        dropout=(0.1, 0.2, 0.2),
        early_stopping=True,
        epochs=60,
        learning_rate=ReduceOnPlateau(patience=2),
    ),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Accuracy of cnn_core on MNIST.")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    X, y = load(options.folder, "train")
    X_test, y_test = load(options.folder, "t10k")
    for name, case in CASES.items():
        print(name)
        scores = []
        for seed in range(3):
            start = time.perf_counter()
            model = MLP(**case, batch_size=128, random_state=seed).fit(X, y)
            seconds = time.perf_counter() - start
            scores.append(model.score(X_test, y_test))
            print(
                f"  seed {seed}: {scores[-1]:.2%} of the test images after {model.n_epochs_} "
                f"epochs in {seconds:.2f} s"
            )
        print(f"  mean {np.mean(scores):.2%}")

"""Rows that come in blocks, for the tests of them."""

import numpy as np


def rows(n=3000, features=6, seed=0, kind="regression", weighted=False):
    """X, y and the weights, which may be None."""
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, features)) * np.arange(1, features + 1) + 2).astype(np.float32)
    signal = X[:, 0] - X[:, 1] / 2 + rng.normal(size=n) / 4
    y = {
        "regression": signal * 7 + 3,
        "outputs": np.column_stack([signal, 5 * X[:, 2]]),
        "words": np.array(["low", "middling", "high"])[np.digitize(signal, (0, 2))],
        "two": (signal > 1).astype(int),
        "labels": np.column_stack([signal > 1, X[:, 2] > 6]).astype(int),
    }[kind]
    return X, y, rng.integers(0, 4, n).astype(float) if weighted else None


def cut(parts, *sizes):
    """Blocks of some sizes, again and again."""
    parts = [part for part in parts if part is not None]
    blocks, first, i = [], 0, 0
    while first < len(parts[0]):
        stop = first + sizes[i % len(sizes)]
        blocks.append(tuple(part[first:stop] for part in parts))
        first, i = stop, i + 1
    return blocks


class Again:
    """Blocks that can be iterated over again and again, and in order alone."""

    def __init__(self, blocks):
        self.blocks, self.times = blocks, 0

    def __iter__(self):
        self.times += 1
        return iter(self.blocks)

"""What tells the rows of two trainings apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cnn_core._dataset import RowSource
    from cnn_core.blocks.learn import BlockData
    from cnn_core.data.prepare import Dataset
    from cnn_core.distributed.prepare import RankData
    from cnn_core.model import Model

#: Bytes of an array that are read whole. Of more, rows that are evenly spaced and have as many.
_MOST = 1 << 30
_BLOCK = 1 << 22

#: The name of the part that a fitted model is, where training goes on from one.
START = "start"
#: The name of the part that a function is which the training watches: by its own name.
MONITOR = "monitor"

#: The arrays that make up each part of the data.
Parts = Mapping[str, Iterable[np.ndarray | None]]


def parts_of(
    train: Dataset,
    validation: Dataset | None,
    blocks: BlockData | None = None,
    ranks: RankData | None = None,
) -> Parts:
    """The arrays that a network is trained on and judged by. For an X that comes in blocks stand
    rows that are evenly spaced, the ends of all columns, and which rows a block and a window
    have; for one that ranks share, the digests of its shards."""
    if ranks is not None:
        rows = [train] if validation is None else [train, validation]
        of_y = [array for data in rows for one in (data.y, data.labels) for array in _arrays(one)]
        sizes = np.array([train.X.count, ranks.tree.shards])
        return {"X": [ranks.digest, sizes], "y": of_y, "sample_weight": _arrays(train.weights)}
    X = train.X if blocks is None else blocks.sample.X
    parts = {
        "X": [*_arrays(X), *([] if blocks is None else [blocks.ends, blocks.layout])],
        "y": [*_arrays(train.y), *_arrays(train.labels)],
        "sample_weight": _arrays(train.weights),
    }
    if validation is not None:
        judged = (validation.X, validation.y, validation.labels)
        parts["validation_data"] = [array for one in judged for array in _arrays(one)]
    return parts


def start_of(model: Model) -> Parts:
    """The arrays of a fitted model that training goes on from."""
    state = model.state or {}
    counts = [model.seed, *(int(state.get(name, 0)) for name in ("epochs", "steps"))]
    slots = [*state.get("slots", ()), *(part for pair in state.get("pairs", ()) for part in pair)]
    numbers = [np.array(counts, np.uint64), np.array(model.history.losses("loss"), np.float64)]
    return {START: [model.network.flat(), *numbers, *map(np.atleast_1d, slots)]}


def preparation_of(model: Model) -> Parts:
    """What rows as a network reads them do not tell of those that were given: how they were scaled
    and encoded."""
    inputs, targets, classes = model.scaling, model.target_scaling, model.task.classes
    parts: dict[str, list[np.ndarray | None]] = {
        "X before it was scaled": [] if inputs is None else [inputs.shift, inputs.factor],
        "y before it was scaled": [] if targets is None else [targets.shift, targets.factor],
        "classes of y": [] if classes is None else [_of_words(repr(classes.tolist()))],
    }
    if model.columns is not None:
        from cnn_core.files.columns import COLUMNS

        written = COLUMNS.write(model.columns, "", {})
        parts["columns of X"] = [_of_words(json.dumps(written, sort_keys=True))]
    return parts


def _of_words(words: str) -> np.ndarray:
    return np.frombuffer(words.encode(), np.uint8)


def _arrays(source: RowSource | None) -> list[np.ndarray | None]:
    return [] if source is None else [source.array, source.indices]


def fingerprint(parts: Parts) -> dict[str, str]:
    """A SHA-256 of each part, and the shape of its first array.

    Parameters
    ----------
    parts : mapping of str to sequence of (ndarray or None)

    Returns
    -------
    dict of str to str
    """
    return {name: _of_arrays(list(arrays)) for name, arrays in parts.items()}


class Fingerprints:
    """`fingerprint` of several data that have arrays in common, which are read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], tuple[str, list[np.ndarray | None]]] = {}

    def __call__(self, parts: Parts) -> dict[str, str]:
        """The fingerprint of some data."""
        return {name: self._of(list(arrays)) for name, arrays in parts.items()}

    def _of(self, arrays: list[np.ndarray | None]) -> str:
        key = tuple(map(id, arrays))  # of arrays that are kept
        if key not in self._known:
            self._known[key] = _of_arrays(arrays), arrays
        return self._known[key][0]


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs between two fingerprints, in words."""
    found = []
    for part in {**before, **now}:
        (old, _, had), (new, _, has) = (one.get(part, "").partition(" ") for one in (before, now))
        if old != new:
            shapes = f", of shape {had} then and {has} now" if had and has and had != has else ""
            found.append(f"{part} differs{shapes}")
    return found


def _of_arrays(arrays: Iterable[np.ndarray | None]) -> str:
    digest, shape = hashlib.sha256(), ""
    for array in arrays:
        if array is None:
            continue
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        shape = shape or f" {array.shape}"
        rows = max(1, _BLOCK * len(array) // max(1, array.nbytes))
        step = -(-array.nbytes // _MOST)
        for first in range(0, len(array), max(1, rows * step)):
            digest.update(np.ascontiguousarray(array[first : first + rows]).data)
    return digest.hexdigest() + shape

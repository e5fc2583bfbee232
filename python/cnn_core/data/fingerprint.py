"""What tells the rows of two trainings apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cnn_core.data.shards import Bounds, rows_of, shard_bounds

if TYPE_CHECKING:
    from cnn_core._dataset import RowSource
    from cnn_core.blocks.learn import BlockData
    from cnn_core.data.prepare import Dataset
    from cnn_core.distributed.prepare import RankData
    from cnn_core.model import Model

#: Bytes of an array that are read whole. Of more, rows that are evenly spaced and have as many.
_MOST = 1 << 30
_BLOCK = 1 << 22
_ROWS = 1 << 12  # of a shard that are read at once

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
    shards: int = 1,
) -> Parts:
    """The arrays that a network is trained on and judged by. For an X that comes in blocks stand
    rows that are evenly spaced, the ends of all columns, and which rows a block and a window
    have; for one in shards, which ranks may share, the digests of these."""
    rows = [train] if validation is None else [train, validation]
    if ranks is not None or (shards > 1 and blocks is None):
        of_y = [array for data in rows for one in (data.y, data.labels) for array in _arrays(one)]
        if ranks is None:
            digest = digest_of_shards([data.X for data in rows], shards)
        else:
            digest, shards = ranks.digest, ranks.tree.shards
        sizes = np.array([train.X.count, shards])
        return {"X": [digest, sizes], "y": of_y, "sample_weight": _arrays(train.weights)}
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


def digest_of_shards(sources: Sequence[RowSource], shards: int) -> np.ndarray:
    """What tells rows in shards apart, the same whatever processes have them."""
    found = [
        digest_of_all(digests_of_shards(source, shard_bounds(source.count, shards)))
        for source in sources
    ]
    return np.frombuffer(b"".join(found), np.uint8)


def digests_of_shards(rows: RowSource, bounds: Bounds) -> list[bytes]:
    """A SHA-256 of the rows of each shard."""
    every, found = rows_of(rows), []
    for first, end in pairwise(map(int, bounds)):
        digest = hashlib.sha256()
        for at in range(first, end, _ROWS):
            digest.update(np.ascontiguousarray(every[at : min(at + _ROWS, end)]).data)
        found.append(digest.digest())
    return found


def digest_of_all(digests: Sequence[bytes]) -> bytes:
    """One of those of all shards."""
    return hashlib.sha256(b"".join(digests)).digest()


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

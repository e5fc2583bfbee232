"""A net a lane: the strategy for narrow nets of one shape."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnn_core import _lanes
from cnn_core._trainer import Trainer
from cnn_core.many.net import Net
from cnn_core.training.loop import DatasetRows


class Lanes:
    """Visits the rows of nets that train side by side.

    Parameters
    ----------
    nets : sequence of Net
        All that there will be, before their first epoch.
    threads : int
        The most to use.
    """

    def __init__(self, nets: Sequence[Net], threads: int) -> None:
        self.threads = threads
        found: dict[Any, list[Net]] = {}
        for net in nets:
            key = key_of(net)
            if key is not None:
                found.setdefault(key, []).append(net)
        self.groups = [group for group in found.values() if len(group) > 1]

    def visit(self) -> None:
        """An epoch of as many of each group as is faster so; the others are left alone."""
        for group in self.groups:
            group[:] = [net for net in group if not net.is_over]
            if len(group) > 1:
                n = _lanes.share(len(group), group[0].loop.trainer, self.threads)
                if n:
                    self._visit(group[:n])

    def _visit(self, group: list[Net]) -> None:
        """An epoch of nets that are alike."""
        began, data = time.perf_counter(), [_data(net) for net in group]
        rates = [net.rates for net in group if net.rates is not None]
        found = _lanes.epochs(
            [net.loop.trainer for net in group],
            data,
            group[0].loop.rows.shuffle,
            rates or None,
            self.threads,
        )
        seconds = (time.perf_counter() - began) / len(group)
        for net, measured in zip(group, found):
            net.was_visited(measured, seconds)


def key_of(net: Net) -> Any:
    """What nets have in common that can train side by side; None for one that cannot."""
    if net.is_over or net.run.longest < math.inf or not net.may_change_threads:
        return None
    trainer, rows = net.loop.trainer, net.loop.rows
    if type(trainer) is not Trainer or type(rows) is not DatasetRows:
        return None
    if isinstance(rows.data.X.array, np.memmap):  # a trainer reads ahead in it
        return None
    key = _lanes.alike(trainer)
    if key is None:
        return None
    data = rows.data
    given = [one is None for one in (data.y, data.labels, data.weights, net.loop.rates)]
    return key, data.X.count, rows.shuffle, *given


def _data(net: Net) -> tuple[Any, ...]:
    data = net.loop.rows.data
    return data.X, data.y, data.labels, data.weights, data.total_weight

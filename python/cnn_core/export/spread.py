"""What exports say of how far y may lie from a prediction: quantiles, standard deviations, and
calibrated intervals of a few levels, of which nothing but one score an output is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._checks import check_number, shown
from cnn_core._spoken import argument
from cnn_core.conformal import kind_of, pairs_of, reaches

if TYPE_CHECKING:
    from cnn_core._network import Network
    from cnn_core.conformal import Calibration
    from cnn_core.task import Task


class Interval(NamedTuple):
    """Those of one level."""

    level: float
    #: Pairs of quantiles, each with how far its interval reaches beyond them, in float64 and of
    #: shape (n_outputs,); the interval of the level holds them all.
    reaches: list[tuple[int, np.ndarray]]

    @property
    def label(self) -> str:
        """The level in per cent, as a part of a name: 90 or 97_5."""
        return f"{100 * self.level:.10g}".replace(".", "_").replace("-", "_")


class Spread(NamedTuple):
    """What is written beside predictions."""

    kind: str  #: one of `conformal.KINDS`
    quantiles: tuple[float, ...]  #: those of a model that has several; empty for others
    intervals: tuple[Interval, ...]
    networks: tuple[Network, ...]  #: of all members, with the outputs of all heads

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Which quantiles bound the intervals of each pair."""
        return pairs_of(self.quantiles)

    @property
    def levels(self) -> list[float]:
        return [one.level for one in self.intervals]


def spread_of(
    task: Task,
    networks: Sequence[Network],
    calibration: Calibration | None,
    intervals: Any,
    what: str,
) -> Spread | None:
    """What is written of a model, None where there is nothing but predictions.

    Parameters
    ----------
    task : Task
    networks : sequence of Network
        Of all members, with the outputs of all heads.
    calibration : Calibration or None
    intervals : float or sequence of float
        Levels that a user asks for.
    what : str
        The function that is asked.

    Raises
    ------
    ValueError, TypeError
        For levels that are none, for a classifier, where the model is not calibrated, or with too
        few rows.
    """
    levels, words = levels_of(intervals), argument("intervals", of=what)
    if levels and task.name != "regression":
        raise ValueError(
            f"{words} is for regression, but this model does {task.name}; its "
            "probabilities say how sure it is"
        )
    if levels and calibration is None:
        raise ValueError(
            f"{words} needs a calibrated model: its method calibrate takes rows that it was "
            "not fitted to"
        )
    if not levels and task.heads == 1:
        return None
    found = []
    for level in levels:
        assert calibration is not None
        found.append(Interval(level, reaches(task, calibration, level)))
    quantiles = task.quantiles if task.heads > 1 else ()
    return Spread(kind_of(task), quantiles, tuple(found), tuple(networks))


def levels_of(intervals: Any) -> list[float]:
    """The levels that a user asks for, in ascending order."""
    array = np.atleast_1d(np.asarray(intervals))
    if array.size and (array.ndim != 1 or array.dtype.kind not in "iuf"):
        raise TypeError(f"intervals must be a number or a list of numbers, got {shown(intervals)}")
    levels: list[float] = sorted({*array.astype(float).tolist()})
    for one in levels:
        check_number("intervals", one, 0, 1, above=True)
    return levels

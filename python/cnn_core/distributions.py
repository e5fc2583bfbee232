"""What networks with several outputs a target say of it: quantiles, or mean and variance; in the
units of y, in float64, and the same bits on every machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnn_core._activations import activation
from cnn_core._functions import logarithms, normal_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnn_core.data.target_scaling import TargetScaling
    from cnn_core.task import Task

#: Added to each variance of targets as the network learns them, as in kernels/kernels.h.
SMALLEST_VARIANCE = 1e-6

#: Standard deviations from the mean beyond which the tail of a normal distribution is not resolved.
FARTHEST = 8.0


def middle_of(quantiles: tuple[float, ...]) -> int:
    """Which of the quantiles `predict` gives: the median, or the only one."""
    return quantiles.index(0.5) if len(quantiles) > 1 else 0


def quantiles_of(z: np.ndarray, task: Task, scaling: TargetScaling | None) -> np.ndarray:
    """The quantiles that z^L means. None is below the one before it: a number that is at least 0 is
    added to it, and neither rounding nor the scaling of the targets changes an order.

    Parameters
    ----------
    z : ndarray, shape (rows, heads * n_outputs)
    task : Task
    scaling : TargetScaling or None

    Returns
    -------
    ndarray of float64, shape (rows, n_outputs, n_quantiles)
    """
    taus = task.quantiles
    by_head = z.astype(np.float64).reshape(len(z), len(taus), task.n_outputs)
    q, steps = np.empty(by_head.shape), np.ascontiguousarray(by_head[:, 1:])
    if steps.size:
        steps = activation("softplus", steps.reshape(len(z), -1)).reshape(steps.shape)
    middle = middle_of(taus)
    q[:, middle] = by_head[:, 0]
    for k in range(middle + 1, len(taus)):
        q[:, k] = q[:, k - 1] + steps[:, k - 1]
    for k in range(middle - 1, -1, -1):
        q[:, k] = q[:, k + 1] - steps[:, k]
    if scaling is not None:
        with np.errstate(over="ignore"):
            q = scaling.in_units(q)
    return np.ascontiguousarray(q.transpose(0, 2, 1))


def mean_and_variance_of(
    z: np.ndarray, task: Task, scaling: TargetScaling | None
) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the variance that z^L means.

    Returns
    -------
    mean, variance : ndarray of float64, shape (rows, n_outputs)
    """
    wide, n = z.astype(np.float64), task.n_outputs
    mean, rest = wide[:, :n], np.ascontiguousarray(wide[:, n:])
    variance = (activation("softplus", rest) if rest.size else rest) + SMALLEST_VARIANCE
    if scaling is None:
        return mean, variance
    with np.errstate(over="ignore"):
        return scaling.in_units(mean), variance * (scaling.factor * scaling.factor)


def quantile_costs(q: np.ndarray, y: np.ndarray, quantiles: tuple[float, ...]) -> np.ndarray:
    """The loss 'pinball' of each row.

    Parameters
    ----------
    q : ndarray of float64, shape (rows, n_outputs, n_quantiles)
    y : ndarray of float64, shape (rows, n_outputs)
    quantiles : tuple of float

    Returns
    -------
    ndarray of float64, shape (rows,)
    """
    total = np.zeros(len(y))
    for j in range(y.shape[1]):
        for k, tau in enumerate(quantiles):
            e = y[:, j] - q[:, j, k]
            total += np.where(e > 0, tau, tau - 1) * e
    return total


def normal_costs(mean: np.ndarray, variance: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The loss 'gaussian_nll' of each row, of arrays of float64 and shape (rows, n_outputs)."""
    total = np.zeros(len(y))
    for j in range(y.shape[1]):
        e, v = y[:, j] - mean[:, j], variance[:, j]
        total += (logarithms(v) + e * e / v) / 2
    return total


def normal_quantile(probability: float) -> float:
    """How many standard deviations above the mean a normal distribution has this quantile, by
    bisection: to 1e-12 for probabilities from 1e-9 on, at most 8.

    Parameters
    ----------
    probability : float
        Above 0 and below 1.

    Returns
    -------
    float
    """
    tail = min(probability, 1 - probability)
    low, high = 0.0, FARTHEST
    for _ in range(64):
        x = (low + high) / 2
        if float(normal_probabilities(np.array([-x]))[0]) > tail:
            low = x
        else:
            high = x
    return -high if probability < 0.5 else high if probability > 0.5 else 0.0


def total_variance(
    means: Sequence[np.ndarray], variances: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of an equal mixture of distributions: the variance is the mean of theirs
    and the variance of their means."""
    n = len(means)
    mean = mean_of(means)
    spread = mean_of([(one - mean) * (one - mean) for one in means])
    return mean, mean_of(variances) + spread if n > 1 else variances[0]


def mean_of(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Their mean, added one after the other."""
    total = np.zeros(arrays[0].shape)
    for one in arrays:
        total += one
    found: np.ndarray = total / len(arrays)
    return found

"""Losses whose number is chosen: objects to give in the place of a name. The functions are
kernels/losses.inc.h."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from cnn_core._checks import check_number
from cnn_core._losses import QUANTILES, check_param, names
from cnn_core._names import choose
from cnn_core._settings import Settings

#: The number of a loss, or its quantiles.
LossParam: TypeAlias = float | tuple[float, ...]


class ParametrizedLoss(Settings):
    """What users give in the place of the name of a loss."""

    name: str


class Huber(ParametrizedLoss):
    """``e^2 / 2`` for errors up to `delta`, ``delta (|e| - delta / 2)`` beyond: Huber 1964, "Robust
    estimation of a location parameter".

    Parameters
    ----------
    delta : float, default 1
        Above 0, in the units that the network learns (`scale_targets`).
    """

    name = "huber"
    delta: float

    def __init__(self, delta: float = 1.0) -> None:
        self._set(delta=delta)

    def _validate(self) -> None:
        check_number("Huber: delta", self.delta, 0, None, above=True)


class Pinball(ParametrizedLoss):
    """Quantiles of y given x, several at once that never cross: the sum over them of ``tau e`` for
    errors ``e = y - q`` above 0 and ``(tau - 1) e`` below (Koenker & Bassett 1978, "Regression
    quantiles").

    The network gives the median, and from each quantile to the next that is farther from it a step
    of softplus(z), which is never negative.

    Parameters
    ----------
    quantiles : sequence of float, default (0.05, 0.5, 0.95)
        Ascending, above 0 and below 1, at most 99. Of several one is 0.5, which `predict` gives; of
        a single one `predict` gives that.

    Examples
    --------
    >>> from cnn_core import MLP, Pinball
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 1.5, 1.5, 3.5]
    >>> model = MLP(8, loss=Pinball((0.1, 0.5, 0.9)), epochs=5, random_state=0).fit(X, y)
    >>> model.predict_quantiles(X).shape
    (4, 3)
    """

    name = "pinball"
    quantiles: tuple[float, ...]

    def __init__(self, quantiles: float | Sequence[float] = QUANTILES) -> None:
        several = isinstance(quantiles, Iterable) and not isinstance(quantiles, str)
        found = tuple(quantiles) if several else (quantiles,)  # type: ignore[arg-type]
        self._set(quantiles=found)

    def _validate(self) -> None:
        found = check_param("Pinball: quantiles", self.name, self.quantiles)
        self.__dict__["quantiles"] = found


class GaussianNLL(ParametrizedLoss):
    """Mean and variance of y given x: the negative log-likelihood of a normal distribution, Nix &
    Weigend 1994, "Estimating the mean and variance of the target probability distribution".

    Where the variance is large the mean hardly learns, so that a poor fit can stay one. With `beta`
    the gradients of each row are multiplied by its variance to that power: Seitzer et al. 2022,
    "On the pitfalls of heteroscedastic uncertainty estimation with probabilistic neural networks".
    The loss that is reported stays the negative log-likelihood.

    Parameters
    ----------
    beta : float, default 0
        From 0, the likelihood's own gradient, to 1, with which the mean learns as by mse.
    """

    name = "gaussian_nll"
    beta: float

    def __init__(self, beta: float = 0.0) -> None:
        self._set(beta=beta)

    def _validate(self) -> None:
        check_number("GaussianNLL: beta", self.beta, 0)
        if self.beta > 1:
            raise ValueError(f"GaussianNLL: beta must be from 0 to 1, got {self.beta!r}")


def get_loss(loss: str | ParametrizedLoss) -> tuple[str, LossParam | None]:
    """The name in the kernels' table and the number that a user means.

    Parameters
    ----------
    loss : str, Huber, Pinball or GaussianNLL

    Returns
    -------
    name : str
    loss_param : float, tuple of float or None
        None: that of the literature.
    """
    if isinstance(loss, Huber):
        return loss.name, float(loss.delta)
    if isinstance(loss, Pinball):
        return loss.name, loss.quantiles
    if isinstance(loss, GaussianNLL):
        return loss.name, float(loss.beta)
    name = names()[choose("loss", loss, names())]
    return name, QUANTILES if name == Pinball.name else None

"""Costs of rows by themselves: of what the last layer hands to training, and of the outputs a, as
textbooks write C(y, a)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from cnn_core import _losses
from cnn_core._checks import MATRIX, as_array, takes
from cnn_core._functions import logarithms
from cnn_core._warn import warn
from cnn_core.data.validation import position
from cnn_core.losses import LossParam

if TYPE_CHECKING:
    from numpy import float32, float64
    from numpy.typing import ArrayLike, NDArray

    Reals = NDArray[Any]

_Real = TypeVar("_Real", "float32", "float64")

#: How far the sum of a row may be from 1 for probabilities: printed ones are rounded.
ROUNDED = 0.015


@takes(out=MATRIX)
def loss(
    name: str,
    out: NDArray[_Real],
    y: ArrayLike,
    row_scale: ArrayLike | None = None,
    loss_param: LossParam | None = None,
) -> tuple[NDArray[_Real], NDArray[_Real]]:
    """Cost of each row, and the error it sends back, as training computes them.

    Parameters
    ----------
    name : str
        One of `loss_names`.
    out : ndarray of float32 or float64, shape (rows, width)
        What the last layer hands over: its z for cross-entropies and whatever else includes the
        output activation, its a for others, as `loss_table` says. `loss_from_a` takes a always.
    y : ndarray
        Targets: shape (rows, width) of the same dtype, or class indices of int32 and shape (rows,)
        for a sparse loss. Of losses with several heads shape (rows, targets); output h of target t
        is then column h * targets + t of `out`.
    row_scale : ndarray of the same dtype, shape (rows,), optional
        Weight of each row's delta; default 1.
    loss_param : float or sequence of float, optional
        The loss's number or quantiles, see `loss_table`; default that of the literature.

    Returns
    -------
    cost : ndarray, shape (rows,)
        Not scaled.
    delta : ndarray, shape (rows, width)
        The derivative with respect to `out`, scaled.

    Warns
    -----
    UserWarning
        Where the loss takes z and `out` looks like the probabilities that come of it.
    """
    found = _losses.loss(name, out, y, row_scale, loss_param)
    outputs = _losses.table()[name].fused_activations
    if outputs and _are_probabilities(outputs[0], out):
        warn(
            f"the loss {name!r} takes z, the input of {outputs[0]}, and these look like its "
            "outputs a: the costs are then those of another prediction; loss_from_a takes a",
            UserWarning,
        )
    return found


def _are_probabilities(output: str, out: Reals) -> bool:
    """Whether rows look like what softmax or sigmoid give."""
    if not out.size or not ((out >= 0) & (out <= 1)).all():
        return False
    if output == "softmax":
        return out.shape[1] > 1 and bool((np.abs(out.sum(axis=1) - 1) <= ROUNDED).all())
    return output == "sigmoid" and bool(((out > 0) & (out < 1)).any())


@takes(a=MATRIX)
def loss_from_a(
    name: str, a: NDArray[_Real], y: ArrayLike, loss_param: LossParam | None = None
) -> tuple[NDArray[_Real], NDArray[_Real]]:
    """C(y, a) of each row and dC/da, from the outputs a (the textbook's y with a hat).

    Parameters
    ----------
    name : str
        One of `loss_names`, but for the perceptron, whose cost depends on z.
    a : ndarray of float32 or float64, shape (rows, width)
        Outputs of the network: probabilities for the cross-entropies, means for poisson.
    y : ndarray
        As in `loss`.
    loss_param : float, optional
        As in `loss`.

    Returns
    -------
    cost : ndarray, shape (rows,)
        Its mean over the rows is the cost C of a mini-batch.
    slope : ndarray, shape (rows, width)
        dC/da of each row by itself; `activation_backward` makes dC/dz of it.

    Raises
    ------
    ValueError
        For a that the loss has no cost for, such as z where probabilities are meant.

    Warns
    -----
    UserWarning
        Where rows of classes do not sum to 1.
    """
    row = _losses.table()[name] if name in _losses.names() else None
    # Of a anyway, or of a that is z; or unknown, which is refused there.
    if row is None or row.fused_activations in ((), ("identity",)):
        return _losses.loss(name, a, y, None, loss_param)
    if name not in COSTS:
        hard = " and ".join(row.fused_activations)
        raise ValueError(
            f"the loss {name!r} has no cost of a: {hard} do not tell how far z is from 0; loss "
            "takes z"
        )
    rule, (rows, width) = COSTS[name], a.shape
    if row.sparse:
        targets = _one_hot(_losses.class_indices(name, y, rows, width), a)
    else:
        targets = as_array("y", y, a.dtype)
        if targets.shape != (rows, width):
            raise ValueError(
                f"y must have shape {(rows, width)} for the loss {name!r}, got {targets.shape}"
            )
    _check_outputs(name, rule, a)
    cost = np.zeros(rows, a.dtype)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # One after the other: NumPy's own order depends on the machine.
        for term in rule.cost(a, targets).T:
            cost += term
    return cost, _slope(rule, a, targets)


def slopes(name: str, a: Reals, y: Reals, loss_param: LossParam | None = None) -> Reals:
    """dC/da of each row for a loss that works on z; NaN for the perceptron, whose slope is not
    that of a step."""
    if _losses.table()[name].fused_activations == ("identity",):
        return _losses.loss(name, a, y, None, loss_param)[1]
    rule = COSTS.get(name)
    if rule is None:
        return np.full_like(a, np.nan)
    return _slope(rule, a, _one_hot(y, a) if y.ndim == 1 else y)


def _slope(rule: Cost, a: Reals, targets: Reals) -> Reals:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return rule.slope(a, targets)


def _one_hot(labels: Reals, a: Reals) -> Reals:
    """Targets of 0 and 1 like a."""
    one_hot: Reals = np.equal.outer(labels, np.arange(a.shape[1])).astype(a.dtype)
    return one_hot


class Cost(NamedTuple):
    """A loss as a function of the outputs a."""

    cost: Callable[[Reals, Reals], Reals]  #: of each output
    slope: Callable[[Reals, Reals], Reals]
    high: float  #: the outputs lie between 0 and this
    sums_to_one: bool = False


def _times(y: Reals, x: Reals) -> Reals:
    """y x, where 0 times infinity is 0; NaN stays."""
    return np.where((y == 0) & np.isinf(x), y.dtype.type(0), y * x)


#: -y log a - (1 - y) log(1 - a); -y log a of each class; a - y log a.
COSTS = {
    "binary_crossentropy": Cost(
        lambda a, y: -_times(y, logarithms(a)) - _times(1 - y, logarithms(1 - a)),
        lambda a, y: _times(1 - y, 1 / (1 - a)) - _times(y, 1 / a),
        1,
    ),
    "categorical_crossentropy": Cost(
        lambda a, y: -_times(y, logarithms(a)), lambda a, y: 0 - _times(y, 1 / a), 1, True
    ),
    "sparse_categorical_crossentropy": Cost(
        lambda a, y: -_times(y, logarithms(a)), lambda a, y: 0 - _times(y, 1 / a), 1, True
    ),
    "poisson": Cost(
        lambda a, y: a - _times(y, logarithms(a)), lambda a, y: 1 - _times(y, 1 / a), np.inf
    ),
}


def _check_outputs(name: str, rule: Cost, a: Reals) -> None:
    """Raise for what is no output of the loss's activation, and warn of what is hardly one."""
    beyond = (a < 0) | (a > rule.high)
    if beyond.any():
        index = tuple(int(i) for i in np.argwhere(beyond)[0])
        allowed = "from 0 to 1" if rule.high == 1 else "of at least 0"
        raise ValueError(
            f"a has {a[index]} at {position(index)}, but the loss {name!r} is of outputs "
            f"{allowed}; loss takes z"
        )
    if rule.sums_to_one and len(a):
        sums = a.sum(axis=1)
        row = int(np.abs(sums - 1).argmax())
        if abs(sums[row] - 1) > ROUNDED:
            warn(
                f"row {row} of a sums to {sums[row]:.4g}, and probabilities of classes sum to 1: "
                "are these the outputs of softmax? loss takes z",
                UserWarning,
            )

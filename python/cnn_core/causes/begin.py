"""What is wrong before the first step: weights that leave out a class or nearly all rows, initial
weights of another size than the layers need, targets that are all the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.data.validation import plain, which_target

if TYPE_CHECKING:
    from cnn_core._network import Network
    from cnn_core.task import Task

WHOLE, MOST = 0.99, 0.9  # share of the weight of one class, whose share of the rows is below MOST
FEWEST, ZEROS = 10, 0.1  # rows of a weight above 0, and their share, below which both are few
SMOOTH = 0.7  # label_smoothing that leaves little
FEW = 0.01  # share of the rows that count, as (sum w)^2 / sum w^2 has it
#: Root mean square of a layer's weights times sqrt(n_in), which is about 1: the size of z for
#: inputs of size 1.
USUAL, STRICT = (15.0, 1e-2), (20.0, 1e-4)
NEURONS = 128  # of a layer whose weights are looked at


def unweighted(
    task: Task, labels: np.ndarray | None, weights: np.ndarray, class_weight: Any
) -> Iterator[str]:
    """A class whose rows all have weight 0.

    Parameters
    ----------
    task : Task
    labels : ndarray of int, shape (rows,), or None
        Class indices.
    weights : ndarray, shape (rows,)
    class_weight
        The parameter of MLP.

    Yields
    ------
    str
    """
    if labels is None or task.classes is None:
        return
    counts = np.bincount(labels, minlength=task.n_classes)
    totals = np.bincount(labels, weights, minlength=task.n_classes)
    found = np.flatnonzero((counts > 0) & (totals == 0))
    if len(found):
        k = int(found[0])
        yield (
            f"Class {plain(task.classes[k])!r} has {_given(class_weight)} 0 in all of its "
            f"{counts[k]} rows, so that it is never learned: give it a weight above 0."
        )


def few_rows(
    task: Task, labels: np.ndarray | None, weights: np.ndarray, class_weight: Any
) -> Iterator[str]:
    """Nearly all rows have weight 0.

    Parameters
    ----------
    task, labels, weights, class_weight
        As for `unweighted`.

    Yields
    ------
    str
    """
    count = int(np.count_nonzero(weights))
    if count < FEWEST and count <= ZEROS * len(weights):
        yield (
            f"Only {count} of {len(weights)} rows have a {_given(class_weight)} above 0, so that "
            "nothing is learned from the others: check the weights."
        )


def _given(class_weight: Any) -> str:
    return "sample_weight" if class_weight is None else "class_weight"


def uneven(
    task: Task, labels: np.ndarray | None, weights: np.ndarray, class_weight: Any
) -> Iterator[str]:
    """Weights by which one class, or a few rows, make up the loss.

    Parameters
    ----------
    task, labels, weights, class_weight
        As for `unweighted`.

    Yields
    ------
    str
    """
    w = weights.astype(np.float64)
    size, rows = np.full(len(w), w.mean()), int(np.count_nonzero(w))
    if labels is not None and task.classes is not None:
        counts = np.bincount(labels, minlength=task.n_classes)
        totals = np.bincount(labels, w, minlength=task.n_classes)
        share, k = totals / totals.sum(), int(totals.argmax())
        few = _is_few(_counting(w[labels == k]), min(rows, counts[k]))
        if share[k] > WHOLE and counts[k] < MOST * len(w) and not few:
            yield (
                f"{_given(class_weight)} gives class {plain(task.classes[k])!r} "
                f"{100 * share[k]:.6g} % of the loss for {100 * counts[k] / len(w):.3g} % of the "
                "rows, so that the other classes hardly count: take a smaller ratio, such as that "
                "of class_weight='balanced'."
            )
            return
        if not few:
            size = (totals / np.maximum(counts, 1))[labels]
    counting = _counting(w / np.where(size > 0, size, 1))
    if _is_few(counting, rows):
        yield (
            f"sample_weight lets about {counting:.2g} of {rows} rows count, as its largest is "
            f"{w.max() / np.median(w[w > 0]):.2g} times the median, and the others are hardly "
            "learned: take a smaller ratio."
        )


def _counting(w: np.ndarray) -> float:
    """How many rows of equal weight would count as much."""
    w = w / (w.max() or 1)
    return float(w.sum() ** 2 / np.square(w).sum())


def _is_few(counting: float, rows: int) -> bool:
    return counting < max(2.0, FEW * rows) and counting < rows / 2


def smoothed(label_smoothing: float) -> Iterator[str]:
    """Targets of which smoothing leaves little.

    Parameters
    ----------
    label_smoothing : float

    Yields
    ------
    str
    """
    if label_smoothing >= SMOOTH:
        yield (
            f"label_smoothing={label_smoothing:g} leaves little of the targets: take less, such as "
            "0.1, or none."
        )


def sizes(network: Network) -> list[float]:
    """The root mean square of each layer's weights times sqrt(n_in); of a wide layer that of some
    neurons at equal distances."""
    found = []
    for l in range(network.n_layers):
        W = network.weights(l)
        W = W[:: -(-len(W) // NEURONS)]
        found.append(float(np.sqrt(np.square(W, dtype=np.float64).mean() * W.shape[1])))
    return found


def layer_name(l: int, n_layers: int) -> str:
    """A layer as messages call it."""
    return "the output layer" if l == n_layers - 1 else f"hidden layer {l + 1}"


def initial_weights(network: Network, strict: bool = False) -> Iterator[str]:
    """Initial weights so large that units saturate or outputs begin far off, or so small that
    outputs and gradients vanish.

    Parameters
    ----------
    network : Network
    strict : bool
        Whether to look for sizes from which hardly a network learns.

    Yields
    ------
    str
    """
    large, small = STRICT if strict else USUAL
    for l, size in enumerate(sizes(network)):
        layer = layer_name(l, network.n_layers)
        if size > large:
            saturates = network.activations[l] in ("sigmoid", "tanh", "hard_sigmoid", "softmax")
            what = "its units begin saturated" if saturates else "its outputs begin far off"
        elif 0 < size < small and network.n_layers > 1:
            what = "outputs and gradients nearly vanish"
        else:
            continue
        yield (
            f"The initial weights of {layer} are about {size:.2g} times the usual size, so that "
            f"{what}: init='auto' is the cure."
        )
        return


def constant_targets(
    low: np.ndarray, high: np.ndarray, names: tuple[str, ...] = ()
) -> Iterator[str]:
    """Numbers to predict that are the same in every row.

    Parameters
    ----------
    low, high : ndarray, shape (n_outputs,)
    names : tuple of str
        Of the columns of y.

    Yields
    ------
    str
    """
    constant = np.flatnonzero(low == high)
    n = len(low)
    if not len(constant):
        return
    i = int(constant[0])
    if len(constant) == n:
        which = "y" if n == 1 else "Each column of y"
        yield f"{which} is the same in every row: there is nothing to learn."
    else:
        yield (
            f"{which_target(i, n, names, True)} is {low[i]:.4g} in every row and counts 0 in R^2, "
            f"the mean over {n} columns, unless it is met exactly: leave it out."
        )

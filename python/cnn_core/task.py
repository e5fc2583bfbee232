"""What the outputs of a network mean: `Task`, its metric, and which loss and output go together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnn_core import _losses
from cnn_core._frozen import Frozen
from cnn_core.losses import LossParam

#: Activations whose derivative is 0 everywhere.
HARD_THRESHOLD = ("step", "sign")
#: Outputs that are never below 0, and so never on the side of a class that hinge calls -1.
NEVER_NEGATIVE = ("sigmoid", "softmax", "relu", "softplus", "hard_sigmoid", "exp")

#: What y may be. One-hot rows, two classes and several are all the task 'classification'.
KINDS = ("regression", "multilabel", "one_hot", "two_classes", "classes")

#: loss: the kinds of y that it is for. One that is not listed is for every kind.
FITS = {
    "poisson": ("regression",),
    "binary_crossentropy": ("regression", "multilabel", "two_classes"),
    "categorical_crossentropy": ("one_hot", "two_classes", "classes"),
    "sparse_categorical_crossentropy": ("two_classes", "classes"),
    "pinball": ("regression",),
    "gaussian_nll": ("regression",),
    "hinge": ("multilabel", "two_classes", "classes"),
    "perceptron": ("two_classes",),
}

#: kind of y: the output that 'auto' means where the loss does not ask for one.
USUAL_OUTPUT = {
    "regression": "identity",
    "multilabel": "sigmoid",
    "one_hot": "softmax",
    "two_classes": "sigmoid",
    "classes": "softmax",
}


class Task(Frozen):
    """Fixed for the life of a fitted model."""

    name: str  # 'classification', 'multilabel' or 'regression'
    loss: str
    output: str
    n_outputs: int
    classes: np.ndarray | None = None  # None for regression
    loss_param: LossParam | None = None
    output_param: float | None = None
    flat: bool = True  # whether predictions have shape (rows,)
    one_hot: bool = False  # whether y holds a row of class probabilities a sample

    @property
    def sparse(self) -> bool:
        """Whether the loss takes class indices instead of targets."""
        return _losses.table()[self.loss].sparse

    @property
    def heads(self) -> int:
        """Outputs of the network for each output that is predicted: 1 but for the losses that learn
        a distribution. The first `n_outputs` of the network are what is predicted."""
        return _losses.heads(self.loss, self.loss_param)

    @property
    def quantiles(self) -> tuple[float, ...]:
        """Those that the loss learns; empty for other losses."""
        param = _losses.check_param("loss_param", self.loss, self.loss_param)
        return param if isinstance(param, tuple) else ()

    @property
    def judged_quantile(self) -> float | None:
        """The quantile that is predicted, if it is not the median: predictions are then judged by
        its pinball loss, as they are far from the mean by design."""
        known = self.quantiles
        return known[0] if len(known) == 1 and known[0] != 0.5 else None

    @property
    def metric_name(self) -> str:
        """What the metric is called."""
        if self.name != "regression":
            return "accuracy"
        return "R2" if self.judged_quantile is None else "D2"

    @property
    def metric_key(self) -> str:
        """The same among the results of `evaluate`."""
        return {"R2": "r2", "D2": "d2_pinball"}.get(self.metric_name, self.metric_name)

    @property
    def n_classes(self) -> int:
        """How many there are; 0 for regression."""
        return 0 if self.classes is None else len(self.classes)

    @property
    def target_range(self) -> tuple[int, int]:
        """The targets of a class that is not and is the sample's: -1 and 1 for hinge, 0 and 1 for
        the others."""
        return (-1, 1) if self.loss == "hinge" else (0, 1)

    @property
    def threshold(self) -> float:
        """The output above which a single neuron says yes."""
        return sum(self.target_range) / 2

    def metric(self, measured: Any, total: np.ndarray | None) -> float:
        """The metric as users see it: the share of rows that are right, or R^2.

        Parameters
        ----------
        measured : float or ndarray
            What a trainer has measured: that share, or the sum of squared residuals of each output.
        total : ndarray or None
            For regression the total sum of squares of each output.

        Returns
        -------
        float
        """
        return float(measured) if total is None else r2(measured, total)


def r2_of_outputs(residual: np.ndarray, total: np.ndarray) -> np.ndarray:
    """R^2 of each output, which is 1 for one that does not vary and is met exactly, else 0."""
    constant = total == 0
    with np.errstate(invalid="ignore"):
        share = residual / np.where(constant, 1, total)
    scores: np.ndarray = np.where(constant, np.where(residual == 0, 1.0, 0.0), 1 - share)
    return scores


def r2(residual: np.ndarray, total: np.ndarray) -> float:
    """Their mean."""
    return float(r2_of_outputs(residual, total).mean())


def check_fit(loss: str, kind: str, shape: tuple[int, ...], n_classes: int) -> None:
    """Raise where a loss is not for a kind of y."""
    if kind in FITS.get(loss, KINDS):
        return
    if kind == "multilabel":
        raise ValueError(
            f"y has shape {shape}, several yes-or-no labels a row; the loss {loss!r} does not go "
            "with them"
        )
    if FITS[loss] == ("regression",):
        of = "counts, which are a regression" if loss == "poisson" else "a regression"
        raise ValueError(
            f"the loss {loss!r} is for {of}, but task is 'classification'; leave the loss at "
            "'auto', or say task='regression'"
        )
    raise ValueError(
        f"the loss {loss!r} is for two classes, y has {n_classes}; "
        "choose 'sparse_categorical_crossentropy'"
    )


def output_of(loss: str, output: str, kind: str) -> str:
    """The output activation that is meant, if it goes with the loss."""
    if loss == "hinge" and output in NEVER_NEGATIVE:
        raise ValueError(
            "the loss 'hinge' takes outputs below 0 for one class and above for the other, but "
            f"output {output!r} is never negative; choose 'identity' or 'tanh'"
        )
    fused = _losses.table()[loss].fused_activations
    if fused and output not in ("auto", *fused):
        raise ValueError(
            f"the loss {loss!r} needs output {' or '.join(map(repr, fused))}, got {output!r}"
        )
    if output == "auto":
        output = fused[0] if fused else "identity" if loss == "hinge" else USUAL_OUTPUT[kind]
    return output


def check_task(task: Task) -> None:
    """Raise ValueError for a loss and an output that do not go with what y was."""
    kind = task.name
    if kind == "classification":
        kind = "two_classes" if task.n_classes == 2 else "classes"
        kind = "one_hot" if task.one_hot else kind
    check_fit(task.loss, kind, (0, task.n_outputs), task.n_classes)
    output_of(task.loss, task.output, kind)


def check_trainable(activations: Sequence[str], loss: str) -> None:
    """Raise for layers that cannot learn, as a derivative of 0 stops what is sent back to them."""
    *hidden, output = activations
    for name in hidden:
        if name in HARD_THRESHOLD:
            raise ValueError(
                f"activation {name!r} has derivative 0 everywhere, so the layers below it cannot "
                "learn; it trains only as the output of a single layer, hidden=(), "
                f"output={name!r}, and works in networks whose weights are given and not trained"
            )
    if output in HARD_THRESHOLD and (hidden or loss != "perceptron"):
        raise ValueError(
            f"output {output!r} has derivative 0 everywhere and trains by the perceptron rule "
            "alone: two classes, hidden=() and loss 'perceptron' or 'auto'"
        )

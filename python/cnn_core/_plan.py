"""What the outputs of a network mean: task, loss and output activation, decided from the parameters
and y."""

import numbers
import warnings
from dataclasses import dataclass

import numpy as np

from cnn_core import _losses
from cnn_core._validation import as_numbers, check_rows, check_targets, encode_labels
from cnn_core.activations import get_activation
from cnn_core.losses import get_loss

STEPS = ("step", "sign")
#: Outputs that are never below 0, and so never on the side of a class that hinge calls -1.
NEVER_NEGATIVE = ("sigmoid", "softmax", "relu", "softplus", "hard_sigmoid", "exp")


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """Fixed for the life of a fitted model."""

    task: str  # 'classification', 'multilabel' or 'regression'
    loss: str
    output: str
    n_outputs: int
    classes: np.ndarray | None = None  # None for regression
    loss_alpha: float | None = None
    output_alpha: float | None = None
    flat: bool = True  # whether predictions have shape (rows,)
    one_hot: bool = False  # whether y holds a row of class probabilities a sample

    @property
    def sparse(self):
        return _losses.table()[self.loss].sparse

    @property
    def no_and_yes(self):
        """The targets of a class that is not and is the sample's: -1 and 1 for hinge, 0 and 1 for
        the others."""
        return (-1, 1) if self.loss == "hinge" else (0, 1)

    @property
    def threshold(self):
        """The output from which on a single neuron says yes."""
        return sum(self.no_and_yes) / 2


def make_plan(y, task, loss, output, hidden_layers, label_smoothing, known=None):
    """Decide.

    Parameters
    ----------
    y : array-like
    task, loss, output
        The parameters of MLP.
    hidden_layers : int
    label_smoothing : float
    known : ndarray, optional
        The class labels that may occur, sorted; default those of y.

    Returns
    -------
    plan : Plan
    labels : ndarray of int32, shape (rows,), or None
        y's class indices, where they were needed.

    Raises
    ------
    ValueError, TypeError
        If y, task, loss and output do not go together.
    """
    array = np.asarray(y)
    columns = array.shape[1] if array.ndim == 2 else 1
    output_name, output_alpha = ("auto", None) if output == "auto" else get_activation(output)
    loss_name, loss_alpha = ("auto", None) if loss == "auto" else get_loss(loss)
    one_hot = loss_name == "categorical_crossentropy" and columns > 1
    asked = task
    if task == "auto":
        task = "regression" if _holds_fractions(array) and not one_hot else "classification"

    labels = classes = None
    if task == "regression":
        if label_smoothing:
            raise ValueError("label_smoothing is for classification, but this is a regression")
        if loss_name.endswith("categorical_crossentropy") or loss_name in ("hinge", "perceptron"):
            raise ValueError(
                f"the loss {loss_name!r} is for classification, but task is 'regression'"
            )
        loss_name = "mse" if loss_name == "auto" else loss_name
        n_outputs, usual = columns, "identity"
    elif one_hot:
        n_outputs, usual, classes = columns, "softmax", np.arange(columns)
    elif columns > 1:
        task = "multilabel"
        loss_name = "binary_crossentropy" if loss_name == "auto" else loss_name
        if label_smoothing and loss_name == "hinge":
            raise ValueError("label_smoothing does not go with the loss 'hinge'")
        if loss_name not in ("binary_crossentropy", "hinge", "mse", "mae", "huber"):
            raise ValueError(
                f"y has shape {array.shape}, several yes-or-no labels a row; the loss {loss_name!r} does "
                "not go with them"
            )
        n_outputs, usual, classes = columns, "sigmoid", np.arange(columns)
    else:
        classes, labels = encode_labels(y, known)
        if (
            asked == "auto"
            and known is None
            and len(labels) >= 20
            and len(classes) > len(labels) / 2
            and array.dtype.kind in "iuO"
        ):
            warnings.warn(
                f"y holds {len(classes)} classes in {len(labels)} rows; if these are numbers to predict, say "
                "task='regression'",
                UserWarning,
                stacklevel=4,
            )
        binary = len(classes) == 2
        if loss_name == "auto":
            if output_name in STEPS:
                loss_name = "perceptron"
            elif output_name not in ("auto", "sigmoid", "softmax"):
                raise ValueError(
                    f"no loss goes with output {output_name!r} by itself; name one, such as loss='mse', or "
                    "leave the output at 'auto'"
                )
            else:
                alone = binary and output_name in ("auto", "sigmoid")
                loss_name = "binary_crossentropy" if alone else "sparse_categorical_crossentropy"
        if loss_name in ("binary_crossentropy", "perceptron") and not binary:
            raise ValueError(
                f"the loss {loss_name!r} is for two classes, y has {len(classes)}; "
                "choose 'sparse_categorical_crossentropy'"
            )
        if loss_name == "poisson":
            raise ValueError(
                "the loss 'poisson' is for counts, but whole numbers are taken for classes; say "
                "task='regression'"
            )
        if label_smoothing and loss_name == "sparse_categorical_crossentropy":
            loss_name = "categorical_crossentropy"  # smoothed targets have an entry for every class
        if label_smoothing and loss_name in ("hinge", "perceptron"):
            raise ValueError(f"label_smoothing does not go with the loss {loss_name!r}")
        n_outputs, usual = None, "sigmoid" if binary else "softmax"
    if loss_name == "hinge":
        usual = "identity"
        if output_name in NEVER_NEGATIVE:
            raise ValueError(
                f"the loss 'hinge' takes outputs below 0 for one class and above for the other, but output "
                f"{output_name!r} is never negative; choose 'identity' or 'tanh'"
            )

    fitting = _losses.table()[loss_name].outputs
    if fitting and output_name not in ("auto", *fitting):
        raise ValueError(
            f"the loss {loss_name!r} needs output {' or '.join(map(repr, fitting))}, got {output_name!r}"
        )
    if output_name == "auto":
        output_name = fitting[0] if fitting else usual
    if output_name in STEPS and (hidden_layers or loss_name != "perceptron"):
        raise ValueError(
            f"output {output_name!r} has derivative 0 and trains by the perceptron rule alone: two "
            "classes, hidden=() and loss 'perceptron' or 'auto'"
        )
    if n_outputs is None:
        n_outputs = 1 if binary and output_name != "softmax" else len(classes)
    plan = Plan(
        task,
        loss_name,
        output_name,
        n_outputs,
        classes,
        loss_alpha,
        output_alpha,
        array.ndim == 1,
        one_hot,
    )
    return plan, labels


def _holds_fractions(array):
    """Whether y holds floating-point numbers, also where they stand in an array of objects."""
    if array.dtype.kind == "O" and array.size:
        return all(isinstance(value, numbers.Number) for value in array.flat) and not all(
            isinstance(value, numbers.Integral) for value in array.flat
        )
    return array.dtype.kind == "f"


def make_targets(plan, y, labels, dtype, label_smoothing=0.0, name="y"):
    """y in the form that the loss wants.

    Parameters
    ----------
    plan : Plan
    y : array-like
    labels : ndarray or None
        y's class indices, where they are known already.
    dtype : dtype-like
    label_smoothing : float
        Share of each target that is spread evenly over the classes: Szegedy et al. 2016,
        "Rethinking the Inception architecture for computer vision", section 7.
    name : str
        What to call y in messages.

    Returns
    -------
    targets : ndarray of dtype, shape (rows, n_outputs), or None
        None for a sparse loss.
    labels : ndarray of int32, shape (rows,), or None
        Class indices; None for regression and multilabel.
    """
    no, yes = plan.no_and_yes
    if plan.task == "regression":
        row = _losses.table()[plan.loss]
        return check_targets(y, dtype, plan.n_outputs, row.low, row.high, plan.loss, name), None
    if plan.task == "multilabel":
        array = as_numbers(name, y)
        wrong = np.argwhere((array != 0) & (array != 1))
        if len(wrong):
            row, column = wrong[0]
            raise ValueError(
                f"{name} has {array[row, column].item()!r} at row {row}, column {column}; several labels "
                "a row must each be 0 or 1 (rows of class probabilities need "
                "loss='categorical_crossentropy', several numbers task='regression')"
            )
        targets = check_targets(array, dtype, plan.n_outputs, name=name) * (yes - no) + no
        if label_smoothing:
            targets = targets * (1 - label_smoothing) + label_smoothing / 2
        return np.ascontiguousarray(targets, dtype), None
    if plan.one_hot and np.ndim(y) == 2:
        targets = check_targets(y, dtype, plan.n_outputs, 0, 1, plan.loss, name)
        wrong = np.flatnonzero(np.abs(targets.sum(axis=1) - 1) > 1e-3)
        if len(wrong):
            raise ValueError(
                f"{name} has row {wrong[0]} with the sum {targets[wrong[0]].sum():g}; rows of class "
                "probabilities must sum to 1"
            )
        labels = targets.argmax(axis=1).astype(np.int32)
    else:
        labels = encode_labels(y, plan.classes, name)[1] if labels is None else labels
        if plan.sparse:
            return None, labels
        if plan.n_outputs == 1:
            targets = (labels[:, None] * (yes - no) + no).astype(dtype)
        else:
            targets = (np.eye(plan.n_outputs)[labels] * (yes - no) + no).astype(dtype)
    if label_smoothing:
        share = label_smoothing / (2 if plan.n_outputs == 1 else plan.n_outputs)
        targets = (targets * (1 - label_smoothing) + share).astype(dtype)
    return targets, labels


def make_weights(plan, labels, rows, sample_weight, class_weight, dtype):
    """Weight of each row, from sample_weight and class_weight; None where both are None.

    Returns
    -------
    ndarray of dtype, shape (rows, 1), or None
    """
    if sample_weight is None and class_weight is None:
        return None
    weights = np.ones(rows)
    if sample_weight is not None:
        weights = check_targets(sample_weight, np.float64, 1, name="sample_weight")[:, 0].copy()
        check_rows(weights, np.empty(rows), "y", "sample_weight")
        if weights.min() < 0:
            row = int(weights.argmin())
            raise ValueError(
                f"sample_weight has {weights[row]} at row {row}; weights must be at least 0"
            )
        if weights.max() == 0:
            raise ValueError("sample_weight is 0 for every row; at least one must be above 0")
    if class_weight is not None:
        if labels is None:
            raise ValueError("class_weight is for one class label a row; use sample_weight here")
        # Only ratios count. The largest of each at 1/2 to 1, by a power of two, and no product can
        # overflow.
        weights /= 2.0 ** np.frexp(weights.max())[1]
        of_classes = _class_weights(plan.classes, labels, class_weight)
        weights *= (of_classes / 2.0 ** np.frexp(of_classes.max())[1])[labels]
        if weights.max() == 0:
            raise ValueError(
                "class_weight and sample_weight leave every row with the weight 0; at least one must be "
                "above 0"
            )
    exponent = np.frexp(weights.max())[1]
    if abs(exponent) > 20:  # beyond what sums over many rows can do with in float32
        weights = np.ldexp(weights, -exponent)
    return np.ascontiguousarray(weights[:, None], dtype)


def _class_weights(classes, labels, class_weight):
    """One weight a class. 'balanced' is rows / (classes * rows of the class): King & Zeng 2001, as
    in scikit-learn."""
    if isinstance(class_weight, str):
        return len(labels) / (
            len(classes) * np.maximum(1, np.bincount(labels, minlength=len(classes)))
        )
    known = classes.tolist()
    for label in class_weight:
        if label not in known:
            raise ValueError(
                f"class_weight has the unknown class {label!r}; y holds "
                f"{', '.join(map(repr, known[:10]))}"
            )
    return np.array([float(class_weight.get(label, 1.0)) for label in known])

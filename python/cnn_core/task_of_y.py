"""Task, loss and output activation, decided from the parameters and y."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnn_core.activations import Activation
from cnn_core.data.targets import (
    as_rows,
    check_range,
    encode_labels,
    refuse_types,
)
from cnn_core.data.validation import as_numbers, check_finite, place_of_first, plain
from cnn_core.losses import ParametrizedLoss
from cnn_core.meaning import (
    Given,
    floats_are_classes,
    holds_floats,
    is_number,
    names_and_params,
)
from cnn_core.task import FITS, HARD_THRESHOLD, KINDS, Task, check_fit, output_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: kind of y: the loss that 'auto' means. For classes it depends on the output, see `_class_loss`.
USUAL_LOSS = {"regression": "mse", "multilabel": "binary_crossentropy"}

#: By which the sum of a row of class probabilities may differ from 1.
SUM_SLACK = 1e-3

#: Losses whose targets cannot be smoothed.
NEVER_SMOOTH = ("hinge", "perceptron")


def infer_task(
    y: ArrayLike,
    task: str,
    loss: str | ParametrizedLoss,
    output: str | Activation,
    label_smoothing: float,
    known: np.ndarray | None = None,
    class_weight: object = None,
    asked: str = "",
) -> tuple[Task, np.ndarray | None]:
    """Decide.

    Parameters
    ----------
    y : array-like
    task, loss, output
        The parameters of MLP.
    label_smoothing : float
    known : ndarray, optional
        The class labels that may occur, sorted; default those of y.
    class_weight
        The parameter of MLP.
    asked : str
        Which of its other parameters asks for a regression, from `only_for_numbers`.

    Returns
    -------
    task : Task
    labels : ndarray of int32, shape (rows,), or None
        y's class indices, where they were needed.

    Raises
    ------
    ValueError, TypeError
        If y, task, loss and output do not go together.
    """
    array = as_rows("y", y)
    refuse_types("y", y, array)
    columns = array.shape[1] if array.ndim == 2 else 1
    (loss_name, loss_param), (output_name, output_param) = names_and_params(loss, output)
    smooths, weighs = bool(label_smoothing), class_weight is not None
    given = Given(task, loss_name, output_name, smooths, weighs, known is not None, asked)
    kind = _kind(y, array, given, columns)
    labels = classes = None
    if kind == "classes":
        if task == "auto" and known is None:
            _check_two_values(array)
        classes, labels = encode_labels(y, known)
        kind = "two_classes" if len(classes) == 2 else "classes"
    elif kind in ("one_hot", "multilabel"):
        classes = np.arange(columns)
    n_classes = 0 if classes is None else len(classes)

    if kind == "regression":
        _check_regression(y, array, given, columns)
    if loss_name == "auto":
        _check_output(output_name, kind, n_classes, task)
        loss_name = USUAL_LOSS.get(kind) or _class_loss(kind, output_name)
    check_fit(loss_name, kind, array.shape, n_classes)
    if label_smoothing:
        if loss_name in NEVER_SMOOTH:
            raise ValueError(f"label_smoothing does not go with the loss {loss_name!r}")
        if loss_name == "sparse_categorical_crossentropy":
            loss_name = "categorical_crossentropy"  # smoothed targets have an entry for every class
    output_name = output_of(loss_name, output_name, kind)
    n_outputs = columns
    if kind == "two_classes":
        n_outputs = 2 if output_name == "softmax" else 1
    elif kind == "classes":
        n_outputs = n_classes
    found = Task(
        kind if kind in ("regression", "multilabel") else "classification",
        loss_name,
        output_name,
        n_outputs,
        classes,
        loss_param,
        output_param,
        array.ndim == 1,
        kind == "one_hot",
    )
    return found, labels


def _kind(y: ArrayLike, array: np.ndarray, given: Given, columns: int) -> str:
    """What y is, two classes not yet told from more."""
    if given.task == "regression" or (given.task == "auto" and given.for_numbers):
        return "regression"
    if given.loss == "categorical_crossentropy" and columns > 1:
        return "one_hot"
    if columns > 1 and given.output == "softmax" and given.loss != "binary_crossentropy":
        _check_shares(y, array)
        return "one_hot"
    if given.task == "auto" and holds_floats(array) and not floats_are_classes(array, given):
        return "regression"
    return "multilabel" if columns > 1 else "classes"


def _check_shares(y: ArrayLike, array: np.ndarray) -> None:
    """Raise for rows that the output softmax cannot have, where nothing says what they are."""
    rows = as_numbers("y", y if array.dtype.kind == "O" else array)
    check_finite("y", rows, np.float64, y)
    wrong = (rows < 0).any(axis=1) | (np.abs(rows.sum(axis=1) - 1) > SUM_SLACK)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            "output='softmax' makes this a classification of rows of class probabilities, which "
            f"must sum to 1, but y has {plain(rows[row].sum()):g} in row {row}; output='sigmoid' "
            "is for several labels a row, output='identity' for numbers to predict"
        )


def _check_two_values(array: np.ndarray) -> None:
    """Raise for floats that are taken for classes, all of them the same."""
    if array.ndim > 2 or not array.size or not holds_floats(array):
        return
    if (array == array.flat[0]).all():
        raise ValueError(
            f"y holds one class only, {plain(array.flat[0])!r}; classification needs at least "
            "two: partial_fit(classes=...) names those to come, and task='regression' takes y for "
            "numbers to predict"
        )


def _check_no_labels(y: ArrayLike, array: np.ndarray, decides: str) -> None:
    """Raise for y of texts, which no regression takes, and of bools, where the user has not said
    that it is one."""
    entries = array.flat if array.dtype.kind in "OUST" else ()
    texts = [isinstance(plain(value), (str, bytes)) for value in entries]
    if any(texts):
        index, where = place_of_first(np.array(texts).reshape(array.shape), "y", y)
        numbers = all(is_number(plain(value)) for value in array.flat)
        cure = "; y.astype(float) makes numbers of them" if numbers else ""
        why = f"{decides} makes this a regression" if decides else "this is a regression"
        leave = f" without {decides}" if decides else " or MLPClassifier"
        raise TypeError(
            f"y must hold numbers, as {why}, got the text "
            f"{plain(array[index])!r} {where}; task='classification'"
            f"{leave} takes texts for classes{cure}"
        )
    if decides and array.dtype.kind == "b":
        raise ValueError(
            f"{decides} is for a regression, but y holds bools, which are classes; leave it out, "
            "or say task='regression' to predict them as the numbers 0 and 1"
        )


def _check_regression(y: ArrayLike, array: np.ndarray, given: Given, columns: int) -> None:
    """Raise where numbers to predict do not go with what is given."""
    decides = given.for_numbers if given.task == "auto" else ""
    _check_no_labels(y, array, decides)
    if given.output == "softmax" and columns == 1:
        raise ValueError(
            "the output 'softmax' of a single number a row is always 1: output='identity' is for "
            "numbers to predict, task='classification' takes them for classes"
        )
    if given.task == "regression":
        why = "this is a regression"
    elif decides:
        why = f"{decides} makes this a regression"
    else:
        labels = "them for classes" if columns == 1 else "columns of 0 and 1 for labels"
        why = (
            "y holds floats and is taken for numbers to predict; "
            f"task='classification' takes {labels}"
        )
    for what, wrong in (
        ("label_smoothing", given.smooths),
        ("class_weight", given.weighs),
        ("classes", given.classes),
        (f"the loss {given.loss!r}", "regression" not in FITS.get(given.loss, KINDS)),
    ):
        if wrong:
            check_finite("y", array, np.float64, y)  # a missing label makes floats of ints
            verb = "are" if what == "classes" else "is"
            raise ValueError(f"{what} {verb} for classification, but {why}")
    if given.loss == "binary_crossentropy" and given.task == "auto":
        numbers = as_numbers("y", array)
        check_finite("y", numbers, np.float64, y)
        if numbers.size:
            check_range("y", numbers, given.loss, y, f", and {why}")


def _class_loss(kind: str, output: str) -> str:
    """The loss that 'auto' means for classes."""
    if kind == "one_hot":
        return "categorical_crossentropy"
    if output in HARD_THRESHOLD:
        return "perceptron"
    if output not in ("auto", "sigmoid", "softmax"):
        raise ValueError(
            f"no loss goes with output {output!r} by itself; name one, such as loss='mse', or "
            "leave the output at 'auto'"
        )
    single = kind == "two_classes" and output in ("auto", "sigmoid")
    return "binary_crossentropy" if single else "sparse_categorical_crossentropy"


def _check_output(output: str, kind: str, n_classes: int, task: str) -> None:
    """Raise where an output is not for a kind of y, and no loss is named that would say so."""
    if kind == "classes" and output in ("sigmoid", *HARD_THRESHOLD):
        amounts = "" if task != "auto" else "; if y holds numbers to predict, say task='regression'"
        raise ValueError(
            f"y holds {n_classes} classes, and the output {output!r} is for two: leave the output "
            f"at 'auto', which is softmax for them{amounts}"
        )
    if kind == "multilabel" and output not in ("auto", "sigmoid"):
        amounts = "" if task != "auto" else ", or say task='regression' for numbers to predict"
        raise ValueError(
            f"y has {n_classes} columns of 0 and 1, several labels a row, and the output "
            f"{output!r} is not for them: leave the output at 'auto', which is sigmoid{amounts}"
        )

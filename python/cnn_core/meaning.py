"""What y holds where it can be read in more than one way: floats that are class labels, one-hot
rows, amounts, texts of numbers."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core import _activations
from cnn_core._settable import settable
from cnn_core.activations import get_activation
from cnn_core.losses import LossParam, get_loss

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.task import Task

#: What only classifiers take.
CLASS_LOSSES = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "hinge",
    "perceptron",
)
CLASS_OUTPUTS = ("softmax", "step", "sign")
#: What only regressions take.
REGRESSION_LOSSES = ("poisson", "mae", "huber", "pinball", "gaussian_nll")
#: Outputs of a classifier whose loss is named, such as mse or hinge.
WITH_A_LOSS = ("identity", "tanh", "hard_sigmoid")
#: The only whole floats that are classes by themselves.
TWO_CLASSES = ([0, 1], [-1, 1])
#: Floats of so few different whole values, with so many rows each on average, may be classes.
FEW_VALUES, ROWS_A_VALUE = 20, 5
#: More classes than this, with fewer rows each on average, may be amounts or identifiers.
MANY_CLASSES, ROWS_A_CLASS = 10, 10
#: Columns with a 1 a row are one-hot classes in two columns, or with this share of rows without,
#: where there are so many rows; in three columns and more they are in three rows.
MANY_ROWS, NO_CLASS = 10, 0.05
#: Texts of missing entries, in small letters.
GAPS = ("", "nan", "none", "<na>", "nat", "na", "n/a", "#n/a", "null", "nil", "?", "-", "missing")
#: Whole numbers that fill at least this share of their range, in steps of one size, are dense in
#: it; labels begin at -1, 0 or 1, or within this share of the range if the first are missing.
DENSE, FIRST = 0.5, 0.05
#: How often each comes has one peak, this many times as high as both ends, and neighbours differ by
#: less than this share of what any two do: so it is with counts and amounts.
PEAK, SMOOTH = 1.3, 0.2
#: Floats that are all but a few, at most this share of so many rows, one of a few whole values.
STRAYS, FEWEST_ROWS = 0.01, 20
NEAR = 3  # steps of whole values within which a rare one is one of them, as of counts
#: A number with separators, a currency before it, or a unit behind it.
_AMOUNT = re.compile(
    r"[-+]?[$€£¥]?\s?[-+]?(\d{1,3}([,.' ]\d{3})+|\d+)([.,]\d+)?\s?(%|[$€£¥]|[^\W\d_]{1,3})?"
)
#: Rows that are looked at before all are.
_FIRST = 1000


class Given(NamedTuple):
    """What the user has said of the task."""

    task: str
    loss: str
    output: str
    smooths: bool = False  #: label_smoothing
    weighs: bool = False  #: class_weight
    classes: bool = False  #: classes=, of partial_fit
    asked: str = ""  #: from `only_for_numbers`

    @property
    def for_classes(self) -> bool:
        """Whether something is given that only classifiers take."""
        return (
            self.loss in CLASS_LOSSES
            or self.output in CLASS_OUTPUTS
            or self.smooths
            or self.weighs
            or self.classes
        )

    @property
    def for_numbers(self) -> str:
        """What is given that only regressions take, in words."""
        if self.loss in REGRESSION_LOSSES:
            return f"loss={self.loss!r}"
        either = ("auto", "sigmoid", *CLASS_OUTPUTS, *(WITH_A_LOSS if self.loss == "mse" else ()))
        if self.loss in ("auto", "mse") and self.output not in either:
            return f"output={self.output!r}"
        return self.asked


def only_for_numbers(p: SimpleNamespace) -> str:
    """Which of the parameters of MLP, but loss and output, asks for a regression, in words."""
    if p.scale_targets not in (None, "auto"):
        return f"scale_targets={p.scale_targets!r}"
    return "clip_outputs=True" if p.clip_outputs else ""


def names_and_params(
    loss: Any, output: Any
) -> tuple[tuple[str, LossParam | None], tuple[str, float | None]]:
    """Name and number of a loss and of an output activation, either of which may be 'auto'."""
    return (
        ("auto", None) if loss == "auto" else get_loss(loss),
        ("auto", None) if output == "auto" else get_activation(output),
    )


def holds_floats(array: np.ndarray) -> bool:
    """Whether y holds floating-point numbers, also where they stand in an array of objects."""
    if array.dtype.kind == "O" and array.size:
        return all(isinstance(value, numbers.Number) for value in array.flat) and not all(
            isinstance(value, numbers.Integral) for value in array.flat
        )
    return array.dtype.kind == "f"


def floats_are_classes(array: np.ndarray, given: Given) -> bool:
    """Whether floats are class labels, or several labels a row, where the task is not said."""
    columns = array.shape[1] if array.ndim == 2 else 1
    if array.ndim not in (1, 2) or not array.size:
        return False
    if given.classes and columns == 1:
        return True
    values = _whole(array)
    if values is None:
        return False
    yes_or_no = given.loss == "binary_crossentropy" or columns > 1
    yes_or_no = yes_or_no and bool(((values == 0) | (values == 1)).all())
    if columns > 1:
        return yes_or_no and (given.loss in ("binary_crossentropy", "hinge") or given.smooths)
    if given.for_classes or yes_or_no:
        return True
    few = None if given.for_numbers else _few(values)
    return few is not None and few[0].tolist() in TWO_CLASSES


def _whole(array: np.ndarray) -> np.ndarray | None:
    """Floats in one dimension if all are whole numbers, else None."""
    values = array.reshape(-1)
    if values.dtype.kind == "O":
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError, OverflowError):  # such as complex numbers
            return None
    for part in (values[:_FIRST], values[_FIRST:]):
        if not (part == np.floor(part)).all():
            return None
    return values


def _few(values: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The different values, sorted, and how often each comes, if they are few, else None."""
    if len(np.unique(values[:_FIRST])) > FEW_VALUES:
        return None
    found, counts = np.unique(values, return_counts=True)
    return (found, counts) if len(found) <= FEW_VALUES else None


def target_warnings(
    y: ArrayLike,
    p: SimpleNamespace,
    task: Task,
    named_classes: bool,
    targets: np.ndarray | None,
    begins: bool = False,
) -> Iterator[str]:
    """What else y may mean, and which values the output does not take: a sentence each.

    Parameters
    ----------
    y : array-like
        Good for the task.
    p : namespace
        The parameters of MLP, from `check_parameters`.
    task : Task
        What y is taken for.
    named_classes : bool
        Whether the user has listed the classes.
    targets : ndarray or None
        What is trained on.
    begins : bool
        Whether these are the first rows of a stream, whose very first has decided the task.

    Yields
    ------
    str
    """
    array = np.asarray(y)
    said = p.task == "regression" or (
        p.task != "auto" and (p.loss != "auto" or not settable("loss"))
    )
    (loss, _), (output, _) = names_and_params(p.loss, p.output_activation)
    numbers = bool(Given(p.task, loss, output, asked=only_for_numbers(p)).for_numbers)
    if not (said or task.one_hot):
        yield from _columns(array, task, numbers)
    if task.name == "regression":
        if p.task == "auto" and not numbers:
            yield from _few_numbers(array, begins)
        if task.output != "identity" and targets is not None:
            yield from outside_range(task, targets)
    elif task.name == "classification" and not (task.one_hot or named_classes):
        assert task.classes is not None
        yield from _gaps(task.classes)
        yield from _codes(task.classes)
        yield from _spellings(task.classes)
        if p.task == "auto":
            yield from _many_classes(task.classes, len(array))
        else:
            yield from _measured(task.classes, len(array))


def _columns(array: np.ndarray, task: Task, numbers: bool) -> Iterator[str]:
    """What columns that hold two values alone may mean instead; with `numbers`, a parameter says
    that they are none of several labels."""
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "biufO":
        return
    no = _two_values(array)
    if no is None:
        yield from _shares(array, task)
        return
    n, per_row = array.shape[1], np.count_nonzero(array == 1, axis=1)
    none = int(np.count_nonzero(per_row == 0))
    fewest = MANY_ROWS if n == 2 or none else 3
    if len(array) >= fewest and per_row.max() == 1 and none <= NO_CLASS * len(array):
        meant = "regression" if task.name == "regression" else "classification"
        taken = "numbers to predict" if meant == "regression" else "several labels a row"
        cure = "loss='categorical_crossentropy'"
        cure = f"{cure} takes each row for one class, as y.argmax(axis=1) would"
        if none or no or not settable("loss"):
            cure = "give y.argmax(axis=1), the number of each row's class"
        without = f" (but for {none} row{'s' * (none > 1)} without)" if none else ""
        yield (
            f"each row of y holds a single 1{without}, as one-hot classes do, but its {n} columns "
            f"are taken for {taken}; {cure}, task={meant!r}"
            + (f" with loss={task.loss!r}" if settable("loss") else "")
            + " leaves it at that"
        )
    elif task.name == "regression" and not numbers and len(array) >= ROWS_A_VALUE:
        labels = "y" if no == 0 else "(y + 1) / 2"
        yield (
            f"y holds {n} columns of {no} and 1 and is taken for numbers to predict, as these are "
            f"floats; if each is a yes-or-no label, give {labels} with task='classification', if "
            "they are numbers, say task='regression'"
        )


def _shares(array: np.ndarray, task: Task) -> Iterator[str]:
    """Rows that sum to 1, as class probabilities do."""
    if task.name != "regression" or len(array) < MANY_ROWS or array.dtype.kind != "f":
        return
    for part in (array[:_FIRST], array[_FIRST:]):
        if not (np.abs(part.sum(axis=1) - 1) < 1e-5).all() or (part.size and part.min() < 0):
            return
    yield (
        "each row of y sums to 1, as class probabilities do, and is taken for numbers to predict; "
        + ("loss='categorical_crossentropy' learns probabilities, " if settable("loss") else "")
        + "task='regression' says that these are numbers"
    )


def _two_values(array: np.ndarray) -> int | None:
    """0 or -1, if that and 1 are all that y holds; where all are 1 or all are not, nothing."""
    for no in (0, -1):
        if all(((part == 1) | (part == no)).all() for part in (array[:_FIRST], array[_FIRST:])):
            return no if (array == 1).any() and (array == no).any() else None
    return None


def _few_numbers(array: np.ndarray, begins: bool) -> Iterator[str]:
    """Floats that may be class labels; the first of a stream are too few to come often each."""
    if array.ndim != 1 and array.shape[1] != 1:
        return
    values = _whole(array) if holds_floats(array) else None
    few = None if values is None else _few(values)
    if values is None or few is None or few[1].min() == 1:
        stray = "" if begins else _strays(array)
        if stray:
            yield stray
            return
    if values is None or few is None:
        return
    n = len(few[0])
    often = len(values) >= ROWS_A_VALUE * n and few[1].min() >= 2
    if n > 1 and (often or (begins and len(values) >= 2 * n)):
        yield _few_whole(n)


def _few_whole(n: int) -> str:
    return (
        f"y holds floats of only {n} different whole values and is taken for numbers to predict; "
        "if these are classes, say task='classification', if numbers, task='regression'"
    )


def _strays(array: np.ndarray) -> str:
    """That few floats keep the others from being classes, in a sentence; nothing where none do."""
    if not holds_floats(array) or len(array) < FEWEST_ROWS:
        return ""
    try:
        values = array.reshape(-1).astype(np.float64)
    except (TypeError, ValueError, OverflowError):  # such as complex numbers
        return ""
    most = max(1, int(STRAYS * len(values)))
    if len(np.unique(values[:_FIRST])) > FEW_VALUES + most:
        return ""
    found, counts = np.unique(values, return_counts=True)
    common = (found == np.floor(found)) & (counts >= max(ROWS_A_VALUE, STRAYS * len(values)))
    count, n = int(counts[~common].sum()), int(common.sum())
    if not (0 < count <= most and 1 < n <= FEW_VALUES):
        return ""
    steps = np.diff(found)
    if n > 2 and (found == np.floor(found)).all() and steps.max() <= NEAR * steps.min():
        return _few_whole(len(found)) if len(found) <= FEW_VALUES else ""
    row = int(np.isin(values, found[common]).argmin())
    which = " or ".join(f"{one:g}" for one in found[common]) if n == 2 else f"{n} whole values"
    return (
        f"all but {count} of the {len(values)} numbers in y are {which}, and y is taken for "
        f"numbers to predict, as {values[row]:g} at row {row} is not; if these are classes, "
        "correct it or say task='classification', if numbers, task='regression'"
    )


def _gaps(classes: np.ndarray) -> Iterator[str]:
    """Texts that a gap becomes where a column is converted to texts."""
    listed = (label for label in classes.tolist() if isinstance(label, str))
    found = [label for label in listed if label.strip().lower() in GAPS]
    if found and len(classes) > len(found):
        yield (
            f"y has the text {found[0]!r} beside other classes, as a missing entry becomes that is "
            "converted to text; drop these rows, or name the classes if it is one"
        )


def _codes(classes: np.ndarray) -> Iterator[str]:
    """A number that is used as a code for a missing entry, beside classes that it lies far from;
    -1 beside 0, 1, 2 and so on."""
    if classes.dtype.kind not in "if" or len(classes) < 3:
        return
    for code, others in ((classes[0], classes[1:]), (classes[-1], classes[:-1])):
        low, high = others[0], others[-1]
        away = max(int(low) - int(code), int(code) - int(high))
        counted = code == -1 and len(others) > 2 and (others == np.arange(len(others))).all()
        digits = f"{abs(float(code)):.6g}"
        nines = len(digits) > 1 and set(digits) == {"9"} and away > int(high) - int(low) + 1
        if counted or nines:
            yield (
                f"y has the class {code.item()!r} beside {low.item()!r} to {high.item()!r}, which "
                "looks like a code for a missing entry; drop these rows if it is one"
            )


def _spellings(classes: np.ndarray) -> Iterator[str]:
    """Texts that differ in case and spaces alone."""
    listed = classes.tolist()
    if len(listed) > _FIRST or not all(isinstance(label, str) for label in listed):
        return
    known: dict[str, str] = {}
    for label in listed:
        alike = " ".join(label.casefold().split())
        other = known.setdefault(alike, label)
        if other != label and len(alike) > 1:  # 'a' and 'A' may be two
            yield (
                f"y has the classes {other!r} and {label!r}, which differ in case or spaces alone; "
                "if they are one, y.str.strip().str.lower() of a pandas Series makes them so"
            )
            return


def _many_classes(classes: np.ndarray, n_rows: int) -> Iterator[str]:
    """Classes that may be amounts or identifiers."""
    n, listed = len(classes), classes.tolist()
    many = n > MANY_CLASSES and n_rows < ROWS_A_CLASS * n
    if all(isinstance(label, (str, bytes)) for label in listed):
        if all(map(is_number, listed)):
            yield (
                f"y holds texts that are numbers, such as {listed[0]!r}, and {n} different ones "
                "are taken for classes; y.astype(float) makes numbers to predict of them, "
                "task='classification' says that they are classes"
            )
        elif words := _conversion(listed, many):
            yield (
                f"y holds texts such as {listed[0]!r}, and {n} different ones are taken for "
                f"classes; {words} makes numbers to predict of them, task='classification' says "
                "that they are classes"
            )
        elif many and _are_amounts(listed):
            yield (
                f"y holds texts such as {listed[0]!r}, and {n} different ones are taken for "
                "classes; strip signs and separators and make numbers of them, or say "
                "task='classification'"
            )
        elif many:
            yield (
                f"y holds {n} classes in {n_rows} rows, so few rows each that its texts look like "
                "identifiers; if they are classes, say task='classification'"
            )
    elif many:
        yield words_of_amounts(classes, n_rows)


def words_of_amounts(classes: np.ndarray, n_rows: int) -> str:
    """What many classes that are numbers may be."""
    return (
        f"y holds {len(classes)} classes in {n_rows} rows; if these are numbers to predict, say "
        "task='regression', if classes, task='classification'"
    )


def of_amounts(classes: np.ndarray, y: np.ndarray) -> list[str]:
    """Classes of labels y that look like amounts, however often each comes."""
    if y.ndim != 1 or not whole_numbers(classes):
        return []
    counts = np.unique(y, return_counts=True)[1]
    return [words_of_amounts(classes, len(y))] if are_amounts(classes, counts) else []


def whole_numbers(classes: np.ndarray | None) -> bool:
    """Whether classes are so many whole numbers that they may be amounts."""
    if classes is None or len(classes) <= MANY_CLASSES or classes.dtype.kind not in "iufO":
        return False
    return all(isinstance(k, numbers.Real) and k == k // 1 for k in classes.tolist())


def are_amounts(classes: np.ndarray, counts: np.ndarray) -> bool:
    """Whether whole numbers look like amounts, however often each comes: dense in a range that does
    not begin as labels do, or with one smooth peak, as counts have it.

    Parameters
    ----------
    classes : ndarray
        Sorted, as `whole_numbers` wants them.
    counts : ndarray of int, shape (classes,)
        How often each comes.

    Returns
    -------
    bool
    """
    listed = [int(k) for k in classes.tolist()]
    step = math.gcd(*(k - listed[0] for k in listed))
    span = (listed[-1] - listed[0]) // step + 1
    if len(listed) < DENSE * span:
        return False
    if step > 1 or not -1 <= listed[0] <= max(1, FIRST * span):  # the first may be missing
        return True
    there = np.zeros(span)
    there[[k - listed[0] for k in listed]] = counts
    peak = there.max() >= PEAK * max(there[0], there[-1])
    uneven = 2 * np.square(there - there.mean()).sum()
    return bool(peak and np.square(np.diff(there)).sum() < SMOOTH * uneven)


def _conversion(labels: list[str | bytes], many: bool) -> str:
    """What makes numbers of texts such as '$15,868'; nothing for '4wd' or '#1', which may well be
    classes unless there are many."""
    from cnn_core.data.number_texts import conversion

    texts = [label for label in labels if isinstance(label, str)]
    amounts = all("%" in text or re.search("[$\u00a2-\u00a5\u20a0-\u20cf]", text) for text in texts)
    return conversion(texts) if len(texts) == len(labels) and (amounts or many) else ""


def _measured(classes: np.ndarray, n_rows: int) -> Iterator[str]:
    """Classes that are said to be some, and look like measurements."""
    n, floats = len(classes), classes.dtype.kind == "f"
    many = n > MANY_CLASSES and n_rows < ROWS_A_CLASS * n
    if floats and many and (classes != np.floor(classes)).any():
        yield (
            f"y holds {n} different numbers with fractions in {n_rows} rows, and each is taken for "
            "a class of its own; numbers to predict are for task='regression', or MLPRegressor"
        )


def is_number(text: Any) -> bool:
    """Whether a text, or an object, is a number."""
    try:
        float(text)
    except (TypeError, ValueError):
        return False
    return True


def _are_amounts(texts: list[Any]) -> bool:
    """Whether texts are numbers with separators, all of one currency or unit."""
    if not all(isinstance(text, str) and _AMOUNT.fullmatch(text.strip()) for text in texts):
        return False
    return len({re.sub(r"[-+\d.,'\s]", "", text) for text in texts}) == 1


def output_range(output: str, number: float | None) -> tuple[float, float]:
    """The lowest and the highest value of an activation, which may be infinite."""
    if output == "softmax":  # which looks at all outputs of a row
        return 0.0, 1.0
    z = np.concatenate(([-np.inf], np.linspace(-8, 8, 1601), [np.inf]))
    a = _activations.activation(output, z[None], number)
    return float(a.min()), float(a.max())


def outside_range(task: Task, targets: np.ndarray) -> Iterator[str]:
    """Targets that no weights can meet."""
    low, high = output_range(task.output, task.output_param)
    least, most = float(targets.min()), float(targets.max())
    slack = 1e-6 * max(1.0, abs(least), abs(most))
    if least < low - slack or most > high + slack:
        span = f"from {low:.3g} to {high:.3g}" if np.isfinite(high) else f"from {low:.3g} upwards"
        yield (
            f"y reaches from {least:.4g} to {most:.4g}, the output {task.output!r} {span}; "
            "choose an output that reaches y, such as 'identity', or scale y"
        )

"""Over- or underfitting: what metrics and losses suggest, in words that promise no more than they
can show."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from cnn_core._few import counted

RISE = 0.05  # by which the validation loss must have risen from its lowest, as a share of it
GAP = 0.5  # by which a loss must lie above the training loss, as a share of that
DEVIATION = 2.0  # of the loss of a row beside its mean: 1.4 for normal errors under mse
FALL = 0.02  # by which a loss still falls in the last tenth of the epochs
POOR = 0.25  # of the way from the trivial prediction to the perfect one
LITTLE = 0.5  # of that way, below which a linear network is named as the cause
GOOD = 0.95  # of that way, from which no cause is looked for
WORSE = 0.05  # of that way, by which the metric on other rows must lie below that of training
FEW_STEPS = 200  # of mini-batches, after which few networks have learned
NO_HIDDEN = "it has no hidden layers"
NAMES = ("loss", "metric")
MOSTLY = 0.9  # share of the largest class above which accuracy says little


class Evaluated(NamedTuple):
    """What was measured on some rows."""

    loss: float
    metric: float | None = None
    rows: int | None = None
    baseline: float | None = None  #: the metric of the best constant prediction on these rows
    balanced: float | None = None  #: balanced accuracy, where accuracy says little
    n_classes: int = 2
    says_little: bool = False  #: whether the metric of these rows says nothing of others
    varying: float | None = None  #: the metric of the outputs whose y is not always the same


class Trained(NamedTuple):
    """What is known of the training."""

    history: Mapping[str, Sequence[float]]  #: as `MLP.history_`
    baseline: float  #: the metric of the best constant prediction
    best_epoch: int | None = None  #: from 1: whose weights the model has, if not the last one's
    word: str = "metric"  #: its name
    weighted: bool = False  #: whether rows counted unequally in the loss
    diverged: bool = False
    steps: int | None = None  #: mini-batches, where their number says how much was learned
    divergence: str = ""  #: what was said of it
    ended: str = ""  #: why the training ended, as `TrainResult` has it
    batch_size: int = 32
    uses: Mapping[str, float] = {}  #: what is on against overfitting, with its number
    linear: str = ""  #: why the network is linear in x, if it is
    varying: float = 1.0  #: share of the outputs whose y was not always the same
    patience: int = 0
    recent: int = 1  #: entries that are averaged at the end, as each is of few rows
    comparable: bool = True  #: whether their metric says anything
    unlike: tuple[str, ...] = ()  #: how the validation rows differ from those of training
    validated: int = 0  #: rows that the validation loss is of
    few: str = ""  #: that the rows were few, in a sentence
    measured: int = 0  #: rows of a stream that loss and metric at the end are of; 0: of a fit


def at_end(trained: Trained) -> tuple[float, float | None]:
    """Loss and metric of the epoch whose weights the model has, or the mean of the last ones; the
    metric is None where it says nothing.

    Parameters
    ----------
    trained : Trained

    Returns
    -------
    (float, float or None)
    """
    history = trained.history
    if not history.get("loss"):
        return math.nan, trained.baseline
    end = trained.best_epoch or len(history["loss"])
    loss, metric = (
        math.fsum(some) / len(some)
        for some in (history[name][max(0, end - trained.recent) : end] for name in NAMES)
    )
    return loss, metric if trained.comparable else None


#: parameter: what more of it is called, and what less of it
AGAINST_OVERFITTING = {
    "early_stopping": ("Early stopping", "", ""),
    "l2": ("l2", "a larger l2 than {:g}", "a smaller l2 than {:g}"),
    "dropout": ("dropout", "more dropout than {:g}", "less dropout than {:g}"),
}


def diagnose(
    trained: Trained,
    evaluated: Evaluated | None = None,
    find_causes: Callable[[bool], Sequence[str]] = lambda general: (),
    notes: Sequence[str] = (),
) -> str:
    """A hint from training against other rows.

    Parameters
    ----------
    trained : Trained
    evaluated : Evaluated, optional
        Some rows, in the place of the validation rows in the history.
    find_causes : callable
        Called with True where the model is not good, with False where only other rows show it:
        sentences of `cnn_core.causes`, which are named first. Where training looks well, only
        causes that hide there are asked for.
    notes : sequence of str
        What else is to be said of the rows.

    Returns
    -------
    str
        The causes, the notes, then what metrics and losses suggest.
    """
    causes: Sequence[str] = ()
    diverged = trained.divergence
    told = [f"{diverged[0].upper()}{diverged[1:]}."] if diverged else []
    if not trained.history.get("loss"):
        words, causes = "not trained for a whole epoch", told
        if trained.diverged and not told:  # a model of an older version
            words = "training diverged in its first epoch: the weights are those before it"
            causes = find_causes(True)
    elif diverged:
        causes = told
        words = _Case(trained, evaluated).verdict(True)
    else:
        case = _Case(trained, evaluated)
        unlike = list(trained.unlike) if evaluated is None else []
        if case.reached < GOOD or (case.worse and case.other is not None):
            causes = find_causes(case.reached < GOOD) or ([] if unlike else case.linear())
        few = [trained.few] if trained.few and case.other is not None and case.worse else []
        causes = [*unlike, *causes]
        notes = [*few, *notes]
        words = case.verdict(bool(causes))
    said = [*causes, *notes]
    return " ".join([*said, f"{words[0].upper()}{words[1:]}."]) if said else f"{words}."


class _Case:
    """The numbers that decide, and the sentence that they make."""

    def __init__(self, trained: Trained, evaluated: Evaluated | None) -> None:
        self.trained, self.evaluated = trained, evaluated
        history = trained.history
        train, curve = history["loss"], history.get("val_loss")
        if curve and any(map(math.isnan, curve)):  # some of the epochs were without validation
            curve = None
        at = (trained.best_epoch or len(train)) - 1
        self.curve = curve
        self.loss, known = at_end(trained)
        self.metric = math.nan if known is None else known
        self.unseen: float | None = None
        self.other: float | None = None
        self.rows: int | None = None
        if evaluated is not None:
            self.unseen, self.other, self.rows = evaluated.loss, evaluated.metric, evaluated.rows
        elif curve:
            self.unseen = curve[at]
            self.rows = trained.validated or None
            if "val_metric" in history:
                self.other = history["val_metric"][at]
        self.where = "the validation rows" if evaluated is None else "these rows"
        self.train = train
        self.falling = _still_falls(train) and (curve is None or _still_falls(curve))

    @property
    def _known(self) -> list[float]:
        """How far the model has come from the constant prediction to the perfect one, by all
        that is known, as the metric of training is low under dropout and early on, and accuracy
        says little of rare classes."""
        evaluated, baseline = self.evaluated, self.trained.baseline
        known = []
        if self.trained.comparable:
            metric = min(self.metric / (self.trained.varying or 1.0), 1.0)
            known.append(progress(metric, baseline))
        if evaluated is not None and evaluated.varying is not None:
            known.append(evaluated.varying)
        if self.other is not None and not (evaluated and evaluated.says_little):
            here = None if evaluated is None else evaluated.baseline
            known.append(progress(self.other, baseline if here is None else here))
        if evaluated is not None and evaluated.balanced is not None:
            known.append(progress(evaluated.balanced, 1 / evaluated.n_classes))
        return known

    @property
    def reached(self) -> float:
        """The best of it; 0 where nothing is known."""
        return max(self._known, default=0.0)

    def verdict(self, caused: bool) -> str:
        """What the numbers suggest; `caused` says whether likely causes stand before it."""
        trained, more = self.trained, ""
        if not caused and self.reached < GOOD:
            more = self._more()
        if self.evaluated is not None and self.evaluated.says_little:
            return self._both()
        # Where only the loss tells of training, it may have learned these rows' like by heart.
        by_heart = self.other is not None and not (caused or trained.comparable)
        if self._known and self.reached < POOR and not (by_heart and self._larger_loss()):
            return self._underfitting(caused, more)
        if self.evaluated is None and not trained.unlike and (risen := self._risen()):
            return f"may be overfitting: {risen}. {self._help()}"
        if self.unseen is None:
            return (
                f"no validation loss to compare the training loss ({self.loss:.4g}) with{more}. "
                "Give validation_data or early_stopping, or evaluate on other rows"
            )
        below = ", worse than their mean," if self._below_mean() else ""
        if caused:  # which is not cured by what is good against overfitting
            reached = f"where a constant prediction reaches {trained.baseline:.4g}"
            return f"has learned in part: {self._both(below)}, {reached}"
        if self.worse if self.other is not None and trained.comparable else self._larger_loss():
            return f"may be overfitting: {self._both(below)}. {self._help()}"
        return f"no sign of over- or underfitting: {self._both()}{more}"

    def linear(self) -> list[str]:
        """A sentence that the network is linear in x, where it has learned little in many steps."""
        linear, steps = self.trained.linear, self.trained.steps
        few = steps is not None and steps < FEW_STEPS
        if not linear or few or self.reached >= LITTLE or (self.other is not None and self.worse):
            return []
        return [f"The network is linear in x, as {linear}: {cure_of_linear(linear)}."]

    def _more(self) -> str:
        """What may help a training that was short."""
        trained = self.trained
        more = "a larger max_seconds" if trained.ended == "max_seconds" else "more epochs"
        if trained.steps is not None and trained.steps < FEW_STEPS:
            smaller = " or a smaller batch_size" if trained.batch_size > 1 else ""
            return f"; only {trained.steps} steps were taken, so {more}{smaller} may help"
        if trained.ended == "stopping" and (
            self.falling or len(self.train) <= trained.patience + 3
        ):
            return (
                f"; early stopping ended it after {counted(len(self.train), 'epoch')}, so a larger "
                f"patience "
                f"than {trained.patience} may help"
            )
        if self.falling and trained.ended not in ("stopping", "converged", "hook"):
            return f"; the loss was still falling, so {more} may help"
        return ""

    def _trial(self) -> str:
        """What shows whether the network is too small, or y depends little on X."""
        uses = self.trained.uses.items()
        less = [AGAINST_OVERFITTING[name][2].format(n) for name, n in uses]
        trial = ", ".join([*filter(None, less), "a larger net"])
        return (
            "either X says little about y, or the network is too small or was trained too short: "
            f"compare once with {trial} and more epochs; if the metric stays, the rest is noise"
        )

    def _help(self) -> str:
        """What is not yet done against overfitting."""
        uses, linear = self.trained.uses, self.trained.linear == NO_HIDDEN
        may = [
            more.format(uses[name]) if name in uses else new
            for name, (new, more, _) in AGAINST_OVERFITTING.items()
            if (more or name not in uses) and not (linear and name == "dropout")
        ]
        may.insert(0 if "early_stopping" in uses else len(may), "a smaller net")
        words = f"{', '.join(may)} or more data may help"
        if linear:
            words = words.replace("a smaller net", "fewer features")
        return f"{words[0].upper()}{words[1:]}"

    @property
    def worse(self) -> bool:
        """Whether the metric on other rows lies below that of training, by more than chance."""
        if self.other is None:
            return True
        baseline = self.trained.baseline
        # Below the constant prediction accuracy is not what was aimed at, as with class_weight.
        margin = WORSE * (1 - baseline if self.metric > baseline else 1)
        if self.rows:
            margin = max(margin, 2 * self._standard_error(self._inverse_rows, self.other))
        return self.metric - self.other > margin

    @property
    def _inverse_rows(self) -> float:
        """1 / rows, of these and of those in a stream that they are compared with together."""
        measured = self.trained.measured
        return 1 / (self.rows or 1) + (1 / measured if measured else 0)

    def _standard_error(self, inverse: float, other: float) -> float:
        """Of a metric between that of training and the other one, measured on 1 / inverse rows."""
        share = min(max((self.metric + other) / 2, 0.0), 1.0)
        if self.trained.word in ("R2", "D2"):
            return 2 * math.sqrt(share * inverse) * (1 - share)
        return math.sqrt(share * (1 - share) * inverse)

    def _larger_loss(self) -> bool:
        """Whether the loss on other rows is much larger than that of training."""
        unseen, loss = self.unseen, self.loss
        if unseen is None or self.trained.weighted:
            return False
        gap = GAP * abs(loss)
        if self.trained.measured:
            mean = (abs(unseen) + abs(loss)) / 2
            gap = max(gap, 2 * mean * DEVIATION * math.sqrt(self._inverse_rows))
        return unseen > loss + gap and not math.isclose(unseen, loss, abs_tol=1e-12)

    def _risen(self) -> str:
        """How the validation loss has left the training loss; empty where it has not."""
        curve, train = self.curve, self.trained.history["loss"]
        if not curve or self.trained.best_epoch is not None or not self.worse:
            return ""
        lowest = min(range(len(curve)), key=curve.__getitem__)
        if curve[-1] <= curve[lowest] + RISE * abs(curve[lowest]) or train[-1] >= train[lowest]:
            return ""
        return (
            f"the validation loss was lowest in epoch {lowest + 1} ({curve[lowest]:.4g}) and has "
            f"risen to {curve[-1]:.4g} while the training loss fell to {train[-1]:.4g}"
        )

    def _below_mean(self) -> bool:
        return self.trained.word == "R2" and self.other is not None and self.other < 0

    def _both(self, below: str = "") -> str:
        """The metrics, then the losses, on other rows and in training."""
        losses = f"loss {self.unseen:.4g} and {self.loss:.4g}"
        if self.trained.weighted:
            losses += ", which was weighted"
        if not self.trained.comparable and self.other is not None:
            losses = f"loss {self.unseen:.4g}, and {self.loss:.4g} in training"
            return f"{self.trained.word} is {self.other:.4g} on {self.where}{below} ({losses})"
        if self.other is None:
            return f"the loss is {self.unseen:.4g} on {self.where} and {self.loss:.4g} in training"
        return (
            f"{self.trained.word} is {self.other:.4g} on {self.where}{below} and "
            f"{self.metric:.4g} in training ({losses})"
        )

    def _underfitting(self, caused: bool, more: str) -> str:
        trained, word = self.trained, self.trained.word
        if self.evaluated is not None and self.evaluated.balanced is not None:
            found = (
                f"balanced accuracy is {self.evaluated.balanced:.4g} on these rows, where chance "
                f"reaches {1 / self.evaluated.n_classes:.4g}"
            )
            cure = "" if trained.weighted else "; class_weight='balanced' may help"
            return f"may be underfitting: {found}{cure}{more}"
        here = "" if self.other is None else f" and {self.other:.4g} on {self.where}"
        reaches = f"a constant prediction reaches {trained.baseline:.4g}"
        train = f"{self.metric:.4g} in training{here}"
        if not trained.comparable:
            train = f"{self.other:.4g} on {self.where}"
        found = f"{word} is {train}, where {reaches}"
        if (
            self.evaluated is None
            and word == "accuracy"
            and (trained.baseline >= MOSTLY or trained.weighted)
        ):
            return (
                f"{found}: that says little of classes that are rare or weigh more; "
                "evaluate(X, y) gives balanced accuracy and average precision"
            )
        if self._below_mean():
            found += ", their mean"
        if not caused:
            found += more or f"; {self._trial()}"
        return f"may be underfitting: {found}"


def cure_of_linear(linear: str) -> str:
    """The cure of a network that is linear for this reason."""
    hidden = "a hidden layer, such as hidden=(32,),"
    cure = hidden if linear == NO_HIDDEN else "activation='relu'"
    return f"{cure} shows whether there is more to learn"


def progress(metric: float, baseline: float) -> float:
    """The share of the way from a baseline to 1; of 1 itself, as where there is one class alone,
    nobody can say."""
    return (metric - baseline) / (1 - baseline) if baseline < 1 else metric


def _still_falls(curve: Sequence[float]) -> bool:
    """Whether the mean of the last tenth lies clearly below that of the tenth before."""
    n = max(1, len(curve) // 10)
    if len(curve) < 2 * n:
        return False
    last, before = sum(curve[-n:]) / n, sum(curve[-2 * n : -n]) / n
    return last < before - FALL * abs(before)

"""Learning-rate schedules: objects to give as ``MLP(learning_rate=...)``.

A rate is a pure function of the step, so that a run gives the same bits everywhere and can be
continued; only `ReduceOnPlateau` looks at losses. No platform's cosine or power is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnn_core._checks import check_number, is_whole
from cnn_core._functions import logarithms
from cnn_core._settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    from numpy.typing import NDArray

    from cnn_core.history import Losses

    Steps: TypeAlias = NDArray[np.int64]
    Rates: TypeAlias = NDArray[np.float64]


LOG_2 = 0.6931471805599453


class Schedule(Settings):
    """Base of all schedules.

    Parameters
    ----------
    initial : float, optional
        The rate that the schedule starts from (for `OneCycle`: its highest); default the
        optimizer's own.
    """

    initial: float | None

    def __init__(self, *, initial: float | None = None) -> None:
        self._set(initial=initial)

    def _validate(self) -> None:
        if self.initial is not None:
            check_number(f"{type(self).__name__}: initial", self.initial, 0, None, above=True)

    def rates(self, initial: float, steps: Steps, epoch: int, per_epoch: int, epochs: int) -> Rates:
        """The rates of one epoch.

        Parameters
        ----------
        initial : float
            The rate to start from.
        steps : ndarray of int64
            Numbers of the epoch's steps, counted from the first of the run, 0.
        epoch : int
            Counted from 0.
        per_epoch, epochs : int
            Steps an epoch, epochs of the run.

        Returns
        -------
        ndarray of float64, the shape of steps
        """
        factor = self.factor(epoch)
        check_number(f"{type(self).__name__}.factor({epoch})", factor, 0)
        return np.full(len(steps), initial * factor)

    def factor(self, epoch: int) -> float:
        """The share of `initial` that holds in an epoch."""
        return 1.0

    def after(self, losses: Sequence[float], initial: float) -> float:
        """The `initial` for the epochs to come, with the losses so far (validation losses where
        there are any; the negative of what `monitor` of MLP wants great). Of a stream of
        `MLP.partial_fit` they are those of the last epochs, as ``history_`` has them."""
        return initial

    @property
    def looks_back(self) -> bool:
        """Whether `after` looks at losses."""
        return type(self).after is not Schedule.after

    @property
    def plans_ahead(self) -> bool:
        """Whether the rates depend on how many epochs there will be."""
        return False

    def remember(self, losses: Losses) -> Any:
        """What `after` needs to know of losses that are about to be forgotten; it finds it in the
        `memory` of those that are left. None: nothing."""
        return None

    def _check(self, name: str, low: float, high: float | None = None, above: bool = False) -> None:
        check_number(f"{type(self).__name__}: {name}", getattr(self, name), low, high, above)

    def _check_epochs(self, name: str) -> None:
        value = getattr(self, name)
        if not is_whole(value) or value < 1:
            raise ValueError(
                f"{type(self).__name__}: {name} must be a whole number of at least 1, got {value!r}"
            )


class Constant(Schedule):
    """The same rate throughout."""

    def __init__(self, initial: float | None = None) -> None:
        self._set(initial=initial)


class StepDecay(Schedule):
    """``initial * drop ^ (epoch // every)``.

    Parameters
    ----------
    every : int, default 10
        Epochs from one drop to the next.
    drop : float, default 0.5
        Factor of each drop, in (0, 1).
    """

    every: int
    drop: float

    def __init__(self, every: int = 10, drop: float = 0.5, *, initial: float | None = None) -> None:
        self._set(every=every, drop=drop, initial=initial)

    def _validate(self) -> None:
        super()._validate()
        self._check_epochs("every")
        self._check("drop", 0, 1, above=True)

    def factor(self, epoch: int) -> float:
        """The share of `initial` that holds in an epoch."""
        return power(self.drop, epoch // self.every)


class Exponential(Schedule):
    """``initial * decay ^ epoch``.

    Parameters
    ----------
    decay : float, default 0.95
        In (0, 1).
    """

    decay: float

    def __init__(self, decay: float = 0.95, *, initial: float | None = None) -> None:
        self._set(decay=decay, initial=initial)

    def _validate(self) -> None:
        super()._validate()
        self._check("decay", 0, 1, above=True)

    def factor(self, epoch: int) -> float:
        """The share of `initial` that holds in an epoch."""
        return power(self.decay, epoch)


class InverseTime(Schedule):
    """``initial / (1 + decay * epoch)``: Robbins & Monro 1951.

    Parameters
    ----------
    decay : float, default 0.1
        Above 0.
    """

    decay: float

    def __init__(self, decay: float = 0.1, *, initial: float | None = None) -> None:
        self._set(decay=decay, initial=initial)

    def _validate(self) -> None:
        super()._validate()
        self._check("decay", 0, None, above=True)

    def factor(self, epoch: int) -> float:
        """The share of `initial` that holds in an epoch."""
        return 1 / (1 + self.decay * epoch)


class Cosine(Schedule):
    """Half a cosine from `initial` down to `final` over all steps: Loshchilov & Hutter 2017,
    "SGDR", eq. 5, one cycle.

    ::

        final + (initial - final) h(t / T)

    Parameters
    ----------
    final : float, default 0
        At least 0.
    """

    final: float

    def __init__(self, final: float = 0.0, *, initial: float | None = None) -> None:
        self._set(final=final, initial=initial)

    def _validate(self) -> None:
        super()._validate()
        self._check("final", 0)

    @property
    def plans_ahead(self) -> bool:
        """True."""
        return True

    def rates(self, initial: float, steps: Steps, epoch: int, per_epoch: int, epochs: int) -> Rates:
        """The rates of one epoch, see `Schedule.rates`."""
        return self.final + (initial - self.final) * _half_cosine(steps / (per_epoch * epochs))


class Warmup(Schedule):
    """A rate that grows evenly, step by step, to `initial`, and then follows another schedule:
    Goyal et al. 2017, "Accurate, large minibatch SGD", section 2.2.

    ::

        initial (t + 1) / (steps of the warm-up), then the schedule `then`

    Parameters
    ----------
    epochs : int, default 5
        Over which it grows.
    then : Schedule, default Constant()
        Counts its epochs from the end of the warm-up.
    """

    epochs: int
    then: Schedule

    def __init__(
        self,
        epochs: int = 5,
        then: Schedule = Constant(),  # noqa: B008, never changes
        *,
        initial: float | None = None,
    ) -> None:
        self._set(epochs=epochs, then=then, initial=initial)

    def _validate(self) -> None:
        super()._validate()
        self._check_epochs("epochs")
        if not isinstance(self.then, Schedule):
            raise TypeError(f"Warmup: then must be a schedule, got {self.then!r}")
        if self.then.initial is not None:
            raise ValueError(
                f"Warmup: the rate to start from is the Warmup's own initial; leave it out of "
                f"then={self.then!r}"
            )

    def rates(self, initial: float, steps: Steps, epoch: int, per_epoch: int, epochs: int) -> Rates:
        """The rates of one epoch, see `Schedule.rates`."""
        if epoch < self.epochs:
            return initial * (steps + 1) / (per_epoch * self.epochs)
        return self.then.rates(
            initial,
            steps - self.epochs * per_epoch,
            epoch - self.epochs,
            per_epoch,
            max(1, epochs - self.epochs),
        )

    def after(self, losses: Sequence[float], initial: float) -> float:
        """The `initial` for the epochs to come."""
        return self.then.after(self._after_warmup(losses), initial)

    @property
    def looks_back(self) -> bool:
        """Whether the schedule after the warm-up does."""
        return self.then.looks_back

    @property
    def plans_ahead(self) -> bool:
        """Whether the schedule after the warm-up does."""
        return self.then.plans_ahead

    def remember(self, losses: Losses) -> Any:
        """What the schedule after the warm-up needs to know, see `Schedule.remember`."""
        return self.epochs, self.then.remember(self._after_warmup(losses))

    def _after_warmup(self, losses: Sequence[float]) -> Losses:
        """The losses that the schedule after the warm-up looks at."""
        from cnn_core.history import Losses

        if not isinstance(losses, Losses):
            return Losses(losses[self.epochs :])
        skipped, memory = losses.after(self.epochs), _noted(losses.memory, self.epochs)
        gaps, left = [], self.epochs - skipped  # of the warm-up's, those that are forgotten
        for position, count in losses.gaps:
            gone = min(left, count)
            left -= gone
            if count > gone:
                gaps.append((max(0, position - skipped), count - gone))
        return Losses(losses[skipped:], gaps, memory, max(0, losses.covered - skipped))


class OneCycle(Schedule):
    """Up from ``initial * start`` to `initial` over the first `rise` of all steps, then down to
    ``initial * end``, both along half a cosine: Smith 2018, "A disciplined approach to neural
    network hyper-parameters"; the cosines are fast.ai's.

    ::

        with p = t / (T - 1):
        initial (start + (1 - start) (1 - h(p / rise)))             while p < rise
        initial (end + (1 - end) h((p - rise) / (1 - rise)))        after it

    Parameters
    ----------
    rise : float, default 0.3
        In (0, 1).
    start : float, default 0.04
        In (0, 1].
    end : float, default 1e-4
        At least 0.
    """

    rise: float
    start: float
    end: float

    def __init__(
        self,
        rise: float = 0.3,
        start: float = 0.04,
        end: float = 1e-4,
        *,
        initial: float | None = None,
    ) -> None:
        self._set(rise=rise, start=start, end=end, initial=initial)

    def _validate(self) -> None:
        super()._validate()
        self._check("rise", 0, 1, above=True)
        self._check("start", 0, None, above=True)
        if self.start > 1:
            raise ValueError(f"OneCycle: start must be above 0 and at most 1, got {self.start!r}")
        self._check("end", 0)

    @property
    def plans_ahead(self) -> bool:
        """True."""
        return True

    def rates(self, initial: float, steps: Steps, epoch: int, per_epoch: int, epochs: int) -> Rates:
        """The rates of one epoch, see `Schedule.rates`."""
        progress = steps / max(1, per_epoch * epochs - 1)
        up = self.start + (1 - self.start) * (1 - _half_cosine(np.minimum(1, progress / self.rise)))
        down = self.end + (1 - self.end) * _half_cosine(
            np.maximum(0, (progress - self.rise) / (1 - self.rise))
        )
        return initial * np.where(progress < self.rise, up, down)


class Coslog(Schedule):
    """Cosines from 0 up to `initial` and back to 0, each twice as long as the one before:
    Holzmueller, Grinsztajn & Steinwart 2024, "Better by default: strong pre-tuned MLPs and boosted
    trees on tabular data", section 3.

    ::

        initial (1 - cos(2 pi log2(1 + (2^cycles - 1) t / T))) / 2

    Parameters
    ----------
    cycles : int, default 4
        From 1 to 20.
    """

    cycles: int

    def __init__(self, cycles: int = 4, *, initial: float | None = None) -> None:
        self._set(cycles=cycles, initial=initial)

    def _validate(self) -> None:
        super()._validate()
        if not is_whole(self.cycles) or not 1 <= self.cycles <= 20:
            raise ValueError(
                f"Coslog: cycles must be a whole number from 1 to 20, got {self.cycles!r}"
            )

    @property
    def plans_ahead(self) -> bool:
        """True."""
        return True

    def rates(self, initial: float, steps: Steps, epoch: int, per_epoch: int, epochs: int) -> Rates:
        """The rates of one epoch, see `Schedule.rates`."""
        t = steps / (per_epoch * epochs)
        turns = logarithms(1 + (2**self.cycles - 1) * t) / LOG_2
        # Symmetric in the middle of a turn, where h has 1: 1 - h would lose its digits near 0.
        return initial * _half_cosine(np.abs(1 - 2 * (turns - np.floor(turns))))


class FlatCosine(Schedule):
    """`initial` for a while, then down to 0 along half a cosine: Holzmueller, Grinsztajn &
    Steinwart 2024, as `Coslog`; there for weight decay and dropout.

    ::

        initial h(max(0, (t / T - flat) / (1 - flat)))

    Parameters
    ----------
    flat : float, default 0.5
        Share of the steps before it falls, in [0, 1).
    """

    flat: float

    def __init__(self, flat: float = 0.5, *, initial: float | None = None) -> None:
        self._set(flat=flat, initial=initial)

    def _validate(self) -> None:
        super()._validate()
        self._check("flat", 0, 1)

    @property
    def plans_ahead(self) -> bool:
        """True."""
        return True

    def rates(self, initial: float, steps: Steps, epoch: int, per_epoch: int, epochs: int) -> Rates:
        """The rates of one epoch, see `Schedule.rates`."""
        t = steps / (per_epoch * epochs)
        return initial * _half_cosine(np.maximum(0, (t - self.flat) / (1 - self.flat)))


class ReduceOnPlateau(Schedule):
    """Multiply the rate by `drop` whenever the loss has not improved for `patience` epochs.

    The loss is that of the validation data where there are any, or what `monitor` of MLP says. This
    is Keras's rule; PyTorch waits for one epoch more, and its threshold is relative unless told
    otherwise.

    Parameters
    ----------
    patience : int, default 10
        Epochs without improvement; the count begins anew after each drop.
    drop : float, default 0.1
        In (0, 1).
    min_delta : float, default 1e-4
        What counts as an improvement: better than the best so far by more than this.
    smallest : float, default 0
        The rate never falls below.
    """

    patience: int
    drop: float
    min_delta: float
    smallest: float

    def __init__(
        self,
        patience: int = 10,
        drop: float = 0.1,
        min_delta: float = 1e-4,
        smallest: float = 0.0,
        *,
        initial: float | None = None,
    ) -> None:
        self._set(
            patience=patience, drop=drop, min_delta=min_delta, smallest=smallest, initial=initial
        )

    def _validate(self) -> None:
        super()._validate()
        self._check_epochs("patience")
        self._check("drop", 0, 1, above=True)
        self._check("min_delta", 0)
        self._check("smallest", 0)

    def after(self, losses: Sequence[float], initial: float) -> float:
        """The `initial` for the epochs to come."""
        _, _, drops = self._progress(losses)[1]
        return max(initial * power(self.drop, drops), min(initial, self.smallest))

    def remember(self, losses: Losses) -> Any:
        """The lowest loss, the epochs since, and the drops so far, see `Schedule.remember`."""
        return self._progress(losses)

    def _progress(self, losses: Sequence[float]) -> tuple[Any, tuple[float, int, int]]:
        """The rule, and where it has come to."""
        rule, lowest, waited, drops = (self.patience, self.min_delta), float("inf"), 0, 0
        noted = _noted(getattr(losses, "memory", None), rule)
        if isinstance(noted, tuple) and [*map(type, noted)] == [float, int, int]:
            lowest, waited, drops = noted
            losses = losses[getattr(losses, "covered", 0) :]
        for loss in losses:
            if loss < lowest - self.min_delta:
                lowest, waited = loss, 0
            else:
                waited += 1
                if waited >= self.patience:
                    drops, waited = drops + 1, 0
        return rule, (lowest, waited, drops)


#: All that there are.
SCHEDULES = (
    Constant,
    Cosine,
    Coslog,
    Exponential,
    FlatCosine,
    InverseTime,
    OneCycle,
    ReduceOnPlateau,
    StepDecay,
    Warmup,
)


def _noted(memory: Any, rule: object) -> Any:
    """What a memory (rule, note) says; None where it is that of another schedule."""
    if isinstance(memory, tuple) and len(memory) == 2 and memory[0] == rule:
        return memory[1]
    return None


def power(base: float, exponent: int) -> float:
    """base ^ exponent for a whole exponent, by multiplications alone."""
    result = 1.0
    for _ in range(exponent):
        result *= base
        if result == 0:
            break
    return result


def _half_cosine(p: Rates) -> Rates:
    """(1 + cos(pi p)) / 2 = cos^2(pi p / 2) for p in [0, 1], by a Taylor series: NumPy's cosine is
    not the same on every processor."""
    square = (np.pi / 2 * p) ** 2
    series = np.ones_like(square)
    for k in range(24, 0, -2):
        series = 1 - series * square / (k * (k - 1))
    return series * series

"""`TrainingLoop`: epochs, from the first to the one that a rule stops at. It serves every estimator
and every trainer; what differs between them are small policies.

=============  ===================================  ==============================================
policy         asked for                            `cnn_core.MLP` | scikit-learn's estimators
=============  ===================================  ==============================================
trainer        an epoch, its state                  native, reference, L-BFGS | native
rows           ``epoch(trainer, rates)``: visit     the native shuffle by seed and epoch | a
               every row once                       RandomState stream; blocks of a sparse X; the
                                                    constant of the Poisson deviance
rates          ``before_epoch``, ``after_epoch``    `ScheduledRates` | the same, or invscaling,
                                                    which sets the rate after each epoch
monitor        ``entry``: the epoch's numbers       loss and metric, of validation rows too | loss
                                                    and the score on rows set apart
stopping       ``diverged``, ``update``,            patience, min_delta and tol | tol,
               ``should_stop``, ``reason``          n_iter_no_change, and adaptive, which holds the
                                                    trainer and lowers its rate instead
hooks          called after each epoch; True ends   printing, callbacks | the same
               the training
=============  ===================================  ==============================================

An epoch goes: rates, rows, diverged, entry, rates.after_epoch, history, weights, update, hooks,
should_stop. `TrainingLoop.end` ends it from outside, from any thread or a signal handler; nothing
of an epoch that is given up counts. Nothing is published from here: whoever runs the loop takes a
`TrainResult` from `TrainingLoop.result`, in a hook or at the end, and publishes it. After Ctrl-C
and any other exception too: `run` does not catch them, and `result` is that of the last whole
epoch. Nothing is warned of either: `reason` says that an epoch has diverged.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from cnn_core._control import Ended, EndRequest
from cnn_core._network import Network
from cnn_core.data.prepare import Dataset
from cnn_core.training.history import History
from cnn_core.training.stopping import Stopping

if TYPE_CHECKING:
    import numpy as np

    from cnn_core.history import Past
    from cnn_core.training.progress import Progress
    from cnn_core.training.protocols import Monitor, Rates, Saving, Trainer, TrainingRows


class DatasetRows:
    """The rows of a dataset, in a new order each epoch or as they stand."""

    def __init__(self, data: Dataset, shuffle: bool) -> None:
        self.data, self.shuffle = data, shuffle

    def epoch(self, trainer: Trainer, rates: np.ndarray | None) -> tuple[float, Any] | None:
        """Have every row visited once."""
        data = self.data
        return trainer.epoch(
            data.X,
            data.y,
            data.labels,
            self.shuffle,
            weights=data.weights,
            rates=rates,
            total_weight=data.total_weight,
        )


class Start(NamedTuple):
    """Where a loop begins."""

    network: Network  #: the weights, perhaps those of a model in use: never written
    history: Mapping[str, Sequence[float]] = {}  #: of the epochs before
    epoch: int = 0  #: the first one's number for schedules, counted from 0
    best_epoch: int | None = None  #: where these weights are to be surpassed: the epoch they are of


class TrainResult(NamedTuple):
    """What a loop has come to."""

    network: Network  #: the weights after the last whole epoch, at the end perhaps the best ones
    epochs: int  #: whole epochs of this run
    history: Past  #: with the epochs before
    state: dict[str, Any] | None  #: the trainer's; None where it is of no use any more
    best_epoch: int | None  #: where `network` has the best weights: the epoch they are of
    reason: str  #: one of `stopping.REASONS`
    steps: int  #: of this run, up to there


#: Takes the loop and the epoch's entry; True ends the training.
Hook = Callable[["TrainingLoop", dict[str, float]], bool | None]


class TrainingLoop:
    """Epochs of one trainer.

    Parameters
    ----------
    trainer : Trainer
    network : Network
        What it trains.
    rows : TrainingRows
    monitor : Monitor
    start : Start
    rates : Rates, optional
        Default: the rate stays as the trainer has it.
    stopping : Stopping, optional
        Default: only divergence ends the training early.
    hooks : sequence of callables
        Called in their order after each epoch, all of them. One that wants to see weights asks for
        `result`; where nobody does, nothing is copied for it.

    Attributes
    ----------
    end : EndRequest
        Whoever has it may ask for the end: `run` then returns within about 0.1 s, with the reason
        'requested', and `result` is that of the last whole epoch.
    saving : Saving or None
        What keeps the run now and then; between two mini-batches of an epoch too, for trainers that
        have `pause_after`.
    """

    def __init__(
        self,
        trainer: Trainer,
        network: Network,
        rows: TrainingRows,
        monitor: Monitor,
        start: Start,
        rates: Rates | None = None,
        stopping: Stopping | None = None,
        hooks: Sequence[Hook] = (),
    ) -> None:
        self.trainer, self.network, self.rows, self.monitor = trainer, network, rows, monitor
        self.rates, self.stopping, self.hooks = rates, stopping or Stopping(), hooks
        self.first_epoch, self.reason = start.epoch, "interrupted"
        self.first_step, self.end = trainer.steps, EndRequest()
        self.saving: Saving | None = None
        self.last_loss = math.nan  # of an epoch that has diverged
        #: What the last epoch has given; seconds that it has waited for others; its limit.
        self.measured: tuple[float, Any] = (math.nan, None)
        self.waited, self.longest = 0.0, math.inf
        self.clock = time.perf_counter  # of the limit; of ranks that of all of them
        self.history = History(monitor.names, monitor.watched, start.history, monitor.sign)
        #: The weights after the last whole epoch, the number of epochs and that of steps. Replaced
        #: in one step: Ctrl-C may strike between any two others. Until the next epoch begins, or
        #: somebody takes them, the network is the trained one itself: see `_secure`.
        self._kept: tuple[Network, int, int] = (start.network, 0, trainer.steps)
        self._best = None if start.best_epoch is None else (start.network, start.best_epoch)
        self._spare: Network | None = None
        #: Epochs whose entries the rules have seen, and those that the trainer had done before.
        self._settled, self._trainer_epochs = 0, trainer.epochs
        self._goes_on = False  # from where another loop was
        self._shared = True  # whether somebody else has the kept network: then it is never written

    @property
    def epochs(self) -> int:
        """Whole epochs of this run."""
        return self._kept[1]

    @property
    def n_epochs(self) -> int:
        """Whole epochs, those before this run included."""
        return self.history.epochs_before + self._kept[1]

    @property
    def best_epoch(self) -> int | None:
        """The epoch of the best weights, if they are the ones that a run ends with."""
        return None if self._best is None else self._best[1]

    def run(self, epochs: int, seconds: float = math.inf, began: float | None = None) -> None:
        """Train for `epochs` epochs or until a rule, a hook, the trainer or `end` ends it.

        Parameters
        ----------
        epochs : int
        seconds : float
            The first epoch that is over later than that after `began` is the last; one that takes
            longer than that by itself is given up.
        began : float, optional
            A time of `time.perf_counter`; default now.
        """
        with self.saving or nullcontext():
            self.trainer.end = self.end
            try:
                for of_steps in self.course(epochs, seconds, began):
                    self.measured = self.visit(of_steps)
            except Ended:
                self.was_ended()
            finally:
                self.trainer.end = None

    def was_ended(self) -> None:
        """Note why an epoch was given up by `end`."""
        self.reason = "requested" if self.end.requested else "max_seconds"

    def course(
        self, epochs: int, seconds: float = math.inf, began: float | None = None
    ) -> Iterator[np.ndarray | None]:
        """The same with somebody else to visit the rows, who gives `trainer.end` its value too: the
        argument of `visit` for each epoch, whose result is to be in `measured` when the next one is
        asked for. `reason` says at the end why there is none.

        Parameters
        ----------
        epochs, seconds, began
            As for `run`.

        Yields
        ------
        ndarray or None
            The learning rate of each step.
        """
        limited = seconds < math.inf
        last = (self.clock() if began is None else began) + seconds
        trainer, history, rates, saving = self.trainer, self.history, self.rates, self.saving
        entry_of, stopping = self.monitor.entry, self.stopping
        update, should_stop, hooks = stopping.update, stopping.should_stop, self.hooks
        converges, of_steps, number = hasattr(trainer, "converged"), None, self.n_epochs
        self.longest = seconds
        if self._goes_on and should_stop():  # the other loop was ended before it had asked
            self.reason = stopping.reason
            return
        for epoch in range(self.first_epoch, self.first_epoch + epochs):
            self._secure()
            start = time.perf_counter()
            if limited and epoch > self.first_epoch and self.clock() > last:
                self.reason = "max_seconds"
                return
            if rates is not None:
                losses = history.losses if rates.looks_back else []
                of_steps = rates.before_epoch(trainer, epoch, losses)
            yield of_steps
            loss, measured = self.measured
            if stopping.diverged(loss, trainer):
                self.reason, self.last_loss = "divergence", loss
                return
            number += 1
            if saving is not None:
                saving.release()
            entry = entry_of(trainer, number, loss, measured)
            if saving is not None:
                saving.hold()
            if rates is not None:
                rates.after_epoch(trainer)
            entry["learning_rate"] = trainer.learning_rate
            entry["seconds"] = time.perf_counter() - start - self.waited
            history.append(entry)
            self._kept = self.network, self.epochs + 1, trainer.steps
            if update(entry):
                self._keep_best()
            self._settled = self.epochs
            ends = bool(hooks) and self._call(hooks, entry)
            if saving is not None:
                saving.after_epoch()
            if ends:
                self.reason = "hook"
                return
            if should_stop():
                self.reason = stopping.reason
                return
            if converges and trainer.converged:  # type: ignore[attr-defined]
                self.reason = "converged"
                return
        self.reason = "epochs"

    def _call(self, hooks: Sequence[Hook], entry: dict[str, float]) -> bool:
        """Call all hooks; whether one of them ends the training."""
        with nullcontext() if self.saving is None else self.open_to_signals():
            return any([hook(self, entry) for hook in hooks])  # noqa: C419

    @contextmanager
    def open_to_signals(self) -> Iterator[None]:
        """While a user's function is called: what handlers of signals raise does not wait."""
        saving = self.saving
        if saving is None:
            yield
            return
        saving.release()
        try:
            yield
        finally:
            saving.hold()

    def visit(self, rates: np.ndarray | None) -> tuple[float, Any]:
        """Every row visited once: the loss, and what the metric is made of; with the pauses that
        are due."""
        saving, trainer = self.saving, self.trainer
        if self.longest < math.inf:
            self.end.after(self.longest)
        if saving is None or not (saving.within_epochs and hasattr(trainer, "pause_after")):
            found = self.rows.epoch(trainer, rates)
        else:
            trainer.pause_after(saving.seconds_left())
            while (found := self.rows.epoch(trainer, rates)) is None:
                saving.now()
                trainer.pause_after(saving.seconds_left())
        assert found is not None
        return found

    def result(self, final: bool = False) -> TrainResult:
        """What there is now.

        Parameters
        ----------
        final : bool
            Whether the run is over: then the best weights are taken, if they were kept, and neither
            the weights nor the trainer's state are copied.

        Returns
        -------
        TrainResult
        """
        if not final:
            self._secure()
        (network, epochs, steps), self._shared = self._kept, True
        best_epoch = None
        if final and self._best is not None:
            network, best_epoch = self._best
        state = None
        if self.reason != "divergence":
            state = {**self.trainer.state(copy=not final), "steps": steps}
        history = self.history.first(epochs)
        done = steps - self.first_step
        return TrainResult(network, epochs, history, state, best_epoch, self.reason, done)

    def come_to_rest(self) -> bool:
        """Have what there is now be between two steps of an epoch, or after a whole one; whether it
        is. An epoch whose validation was interrupted is one whose mini-batches are done."""
        done = self.trainer.epochs - self._trainer_epochs
        if done == self._settled + 1:
            done -= self.trainer.reopen()
        return done == self.epochs == self._settled

    def in_progress(self) -> TrainResult:
        """What there is between two steps: the weights of the last whole epoch, and the state of
        the trainer."""
        steps = self.trainer.steps
        return self.result()._replace(state=self.trainer.state(), steps=steps - self.first_step)

    def in_epoch(self) -> TrainResult:
        """What there is after a step, in the middle of an epoch, beside the history up to the last
        whole one."""
        done = self.trainer.steps - self.first_step
        network, history = self.network.copy(), self.history.first(self.epochs)
        return TrainResult(network, self.epochs, history, None, None, self.reason, done)

    @property
    def best(self) -> tuple[np.ndarray, int] | None:
        """The parameters that are kept as the best, and their epoch."""
        return None if self._best is None else (self._best[0].flat(), self._best[1])

    def go_on(self, progress: Progress) -> None:
        """Go on from where another loop was.

        Raises
        ------
        ValueError
            For a progress that no loop like this one has made.
        """
        self.stopping.go_on(progress.stopping)
        self._goes_on = True
        if progress.position is not None:
            where = progress.position
            self.trainer.go_on_at(where.parameters, where.batches, list(where.sums))
        if progress.best is None:
            self._best = None
            return
        network = self.network.copy()
        network.set_flat(progress.best[0])
        self._best = network, progress.best[1]

    def _secure(self) -> None:
        """Have the kept weights be a copy, which training leaves alone. The one before is written
        over, unless somebody else has it."""
        network, epochs, steps = self._kept
        if network is not self.network:
            return
        spare = None if self._shared else self._spare
        if spare is None:
            spare = self.network.copy()
        else:
            self.network.copy_to(spare)
        self._spare, self._shared = spare, False
        self._kept = spare, epochs, steps

    def _keep_best(self) -> None:
        """Remember the kept weights as the best."""
        self._secure()
        self._best, self._shared = (self._kept[0], self.n_epochs), True

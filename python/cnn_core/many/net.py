"""One model among many in training."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._control import Exclusive
from cnn_core._warn import warn
from cnn_core.callbacks import Callback, PhaseTimer, Watch
from cnn_core.data.fingerprint import parts_of, preparation_of
from cnn_core.exceptions import DivergenceWarning, ModelFormatError
from cnn_core.training.fit import Job
from cnn_core.training.kept import CUT_SHORT, KeptTraining
from cnn_core.training.progress import Progress
from cnn_core.training.run import TrainingRun
from cnn_core.training.scoring import ScoringError

if TYPE_CHECKING:
    from cnn_core.many.told import Said
    from cnn_core.mlp import MLP
    from cnn_core.model import Model


#: In the place of rates, where no epoch is to come.
_NONE: Any = object()


class Net:
    """A model, its training, and the epoch that it waits for.

    Parameters
    ----------
    number : int
        Of the model, counted from 0.
    model : MLP
    p : namespace
        Its parameters, from `check_parameters`.
    callbacks : list of Callback
    """

    def __init__(
        self, number: int, model: MLP, p: SimpleNamespace, callbacks: list[Callback]
    ) -> None:
        self.number, self.model, self.p, self.callbacks = number, model, p, callbacks
        self.exclusive = Exclusive(model)
        self.before = model._fitted
        self.kept: KeptTraining | None = None  #: what a checkpoint knows of the training
        self.final: Any = None  #: the model that the training has come to
        self._last_kept: tuple[Model, Progress]  #: what `to_keep` has given
        self.said: list[Said] = []
        self.rates: np.ndarray | None = None  #: of the epoch that it waits for
        self.seconds = 0.0  #: that the last one has taken
        self.work = 0.0  #: those of them in `visit`
        self.error: BaseException | None = None  #: that has ended its epoch
        self.asked = 0.0  #: when it began to wait
        self.is_over = self.failed = self.has_new_entry = False
        self.waits = False  #: for its rows to be visited
        self.job: Job
        self.run: TrainingRun
        self.loop: Any = None
        self.course: Iterator[np.ndarray | None]

    def before_fit(self) -> None:
        """Call the callbacks before anything trains."""
        for callback in self.callbacks:
            callback.before_fit(self.model)

    @property
    def start(self) -> Model | None:
        """The model that training goes on with by `warm_start`, or from a checkpoint."""
        before = self.before if self.p.warm_start else None
        return before if self.kept is None else self.kept.start(before)

    def take(self, job: Job) -> None:
        """Take a job that was made of the rows; one that goes on from a checkpoint has the model of
        that, whose rows must be these.

        Raises
        ------
        ValueError
            For other rows.
        """
        self.job, self.epochs, kept = job, int(self.p.epochs), self.kept
        if kept is None:
            return
        model = job.model if kept.model is None else kept.model
        done = (model.state or {}).get("epochs", 0)
        parts = {**parts_of(job.train, job.validation), **preparation_of(job.model)}
        self.epochs = kept.begin(parts, done, self.epochs, job.batches)
        if kept.model is None or self.p.warm_start:  # the job is made of that model
            return
        if model.network_spec != job.model.network_spec:
            raise ModelFormatError(f"{kept.path}: it has another network than its parameters say")
        self.job = job._replace(model=model)

    def begin(self, threads: int) -> None:
        """Make the trainer and the loop; a training without an epoch needs none."""
        epochs, kept = self.epochs, self.kept
        if not self.p.epochs or (kept is not None and kept.is_finished):
            return
        watch = Watch(self.callbacks, self.model, lambda: self.model._fitted, self.model._publish)
        self.p.n_threads, self.p.verbose = threads, 0
        timing = any(isinstance(one, PhaseTimer) for one in self.callbacks)
        self.run = TrainingRun(
            self.p, self.job, self.model._publish, watch, timing=timing, kept=kept
        )
        self.loop = loop = self.run.prepared(epochs)
        if kept is not None:
            kept.go_on(loop)
        loop.trainer.end = loop.end
        self.course = loop.course(epochs, self.run.longest, self.job.began)

    def settle(self) -> None:
        """Where there is nothing to train: publish what there is."""
        if self.loop is not None:
            return
        model = self.job.model
        if self.kept is not None and self.kept.is_finished and model.ended == "divergence":
            warn(model.seen.diverged, DivergenceWarning)
        self.model._publish(model)
        self._after_fit({})

    @property
    def may_change_threads(self) -> bool:
        """Whether any thread may visit the rows: none of the user's functions is called then."""
        watch = self.run.watch
        return self.p.backend == "native" and not (watch is not None and watch.of_steps)

    def visit(self) -> None:
        """Visit the rows, and evaluate the validation rows; any thread may."""
        began, loop = time.perf_counter(), self.loop
        try:
            if self.waits:
                loop.measured, self.waits, self.seconds = loop.visit(self.rates), False, 0.0
            loop.monitor.evaluate(loop.trainer)
        except BaseException as error:
            self.error = error
        self.work = time.perf_counter() - began
        self.seconds += self.work

    def was_visited(self, measured: tuple[float, Any], seconds: float) -> None:
        """Take what an epoch has given that somebody else has done; validation rows are left."""
        self.loop.measured, self.seconds, self.waits = measured, seconds, False

    @property
    def has_work(self) -> bool:
        """Whether something of the epoch is still to be done."""
        return self.waits or self.loop.monitor.validation is not None

    def advance(self) -> bool:
        """Take in the epoch that is done, if there is one, and make ready for the next; whether
        there is one."""
        if self.is_over:
            return False
        loop, epochs = self.loop, self.loop.epochs
        try:
            if self.error is None:
                loop.waited = max(0.0, time.perf_counter() - self.asked - self.seconds)
                self.rates = next(self.course, _NONE)
                self.waits = True
                self.asked = time.perf_counter()
            else:  # an `Ended`
                loop.was_ended()
                self.rates = _NONE
            self.has_new_entry = loop.epochs > epochs
            if self.rates is not _NONE:
                return True
            self.end()
        except BaseException as error:
            self._fails(error)
            raise
        return False

    def _fails(self, error: BaseException) -> None:
        """Remember that an error is of this model."""
        self.failed = True
        if isinstance(error, Exception):
            error.add_note(f"in the training of models[{self.number}]")

    @property
    def entry(self) -> dict[str, float]:
        """The numbers of the last epoch."""
        return {name: column[-1] for name, column in self.loop.history.columns.items()}

    def show(self) -> None:
        """Publish the model as it is in the middle of its training."""
        self.model._publish(self.run.model_after(self.loop.result()._replace(reason="running")))

    def end(self, reason: str | None = None) -> None:
        """The training is over, perhaps for a `reason` of others: publish what there is."""
        if reason is not None:
            self.loop.reason = reason
        self.is_over = True
        try:
            self.run.advise()
        finally:
            self._leave()
        self._after_fit(dict(self.run.trainer.seconds))

    def _after_fit(self, seconds: dict[str, float]) -> None:
        self.is_over = self.exclusive.over = True
        for callback in self.callbacks:
            if isinstance(callback, PhaseTimer):
                callback.seconds = dict(seconds)
        for callback in self.callbacks:
            callback.after_fit(self.model)

    def _leave(self) -> None:
        """Publish what there is."""
        self.run.leave()
        self.final = self.model._fitted
        self.loop.trainer.end = None

    # What a checkpoint keeps

    @property
    def _is_final(self) -> bool:
        """Whether nothing is left to be trained, now or from a checkpoint."""
        return self.loop is None or (self.is_over and self.loop.reason not in CUT_SHORT)

    def to_keep(self) -> tuple[Model, Progress]:
        """What there is to go on from, or what the training has come to. Of a net that an exception
        has left within a step, or an epoch of L-BFGS, what was kept before."""
        if self._is_final or self.loop.come_to_rest():
            self._last_kept = self._kept_now()
        return self._last_kept

    def _kept_now(self) -> tuple[Model, Progress]:
        assert self.kept is not None
        if self.loop is None:
            known = self.kept.progress
            return self.job.model, known or Progress(self.kept.fingerprint, self.kept.until, True)
        model = self.final if self._is_final else self.run.model_after(self.loop.in_progress())
        return model, self.kept.progress_of(self.loop, self._is_final)

    def give_up(self) -> None:
        """Have an epoch in progress end at once."""
        if self.loop is not None:
            self.loop.end.request()

    def leave_after(self, error: BaseException) -> None:
        """Publish what there is after an exception, in the training of this model or of another;
        where memory is short, or the score of this model has failed, that is what it was before."""
        if not self.is_over and self.loop is not None:
            self.is_over = True
            self._leave()
        if isinstance(error, MemoryError) or (self.failed and isinstance(error, ScoringError)):
            self.model._publish(self.before)

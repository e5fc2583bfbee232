"""The run of a training: its trainer, its loop, and the models that it leaves."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from cnn_core._checks import check_state
from cnn_core._frozen import replace
from cnn_core._warn import warn
from cnn_core.callbacks import Watch
from cnn_core.causes.constraints import unkept
from cnn_core.data.fingerprint import parts_of
from cnn_core.exceptions import DivergenceWarning
from cnn_core.model import Model
from cnn_core.monitors import column_of
from cnn_core.schedules import Constant
from cnn_core.spec import TrainingSpec
from cnn_core.threads import threads_of
from cnn_core.training import advice, validating
from cnn_core.training.backends import BACKENDS
from cnn_core.training.fit import Job, learns_scaling
from cnn_core.training.loop import DatasetRows, Hook, Start, TrainingLoop, TrainResult
from cnn_core.training.monitor import LossAndMetric, print_end
from cnn_core.training.rates import ScheduledRates
from cnn_core.training.scoring import Scores, ScoringError
from cnn_core.training.steps import Steps
from cnn_core.training.stopping import Converged, Patience, Stopping

if TYPE_CHECKING:
    from cnn_core.blocks.windows import WindowRows
    from cnn_core.data.prepare import Dataset
    from cnn_core.training.checkpoint import Checkpoint
    from cnn_core.training.kept import KeptTraining
    from cnn_core.training.protocols import TrainingRows
    from cnn_core.training.reports import Report

REHEARSALS = 20  # of a sample of a stream's rows, once it was scaled anew


def train(
    p: SimpleNamespace,
    job: Job,
    epochs: int,
    publish: Callable[[Model], None],
    watch: Watch | None = None,
    *,
    timing: bool = False,
    checkpoint: Checkpoint | None = None,
) -> dict[str, float]:
    """Run the epochs and publish what there is after the last good one.

    Parameters
    ----------
    p, job, publish, watch, timing
        As for `TrainingRun`.
    epochs : int
        To be done where the checkpoint says nothing else.
    checkpoint : Checkpoint, optional
        What the training goes on from, and where it leaves word of itself.

    Returns
    -------
    dict of str to float
        Seconds of each phase, if they were measured.
    """
    if not epochs:
        publish(job.model)
        return {}
    before: Any = None if watch is None else watch.current()
    run = None
    try:
        run = TrainingRun(p, job, publish, watch, timing=timing, kept=checkpoint)
        run.run(epochs, checkpoint)
    except BaseException as error:
        # Whole epochs notwithstanding, the estimator's model is as it was where memory is short, a
        # score fails or a user's blocks raise.
        of_blocks = run is not None and run.windows is not None and run.windows.error is error
        if watch is not None and (isinstance(error, (MemoryError, ScoringError)) or of_blocks):
            publish(before)
        raise
    return dict(run.trainer.seconds) if timing else {}


class TrainingRun:
    """The epochs of a job.

    `early_stopping` applies to a fit alone. After a partial_fit the model keeps the entries of the
    last epochs only.

    Parameters
    ----------
    p : namespace
        The parameters of MLP, from `check_parameters`.
    job : Job
    publish : callable
        Takes the model that users are to see.
    watch : Watch, optional
        The callbacks; those of steps alone, where the rows are of a partial_fit.
    timing : bool
        Whether to measure the phases of a step.
    kept : KeptTraining, optional
        What a checkpoint knows of the training.
    """

    def __init__(
        self,
        p: SimpleNamespace,
        job: Job,
        publish: Callable[[Model], None],
        watch: Watch | None = None,
        *,
        timing: bool = False,
        kept: KeptTraining | None = None,
    ) -> None:
        self.p, self.job, self.publish, self.watch = p, job, publish, watch
        self.kept, self.incremental = kept, job.purpose == "partial_fit"
        self.report: Report | None = None
        self.windows: WindowRows | None = None  # of blocks
        self.network = job.model.network.copy()
        self.trainer = self._trainer(timing)
        _go_on(self.trainer, job.model, job.spec, p.backend)
        if job.rehearsal is not None:
            self._rehearse(job.rehearsal, job.renews)
        of_steps = self._of_any(watch is not None and bool(watch.of_steps))
        tell = self._show_step if of_steps else None
        self.steps = Steps(self.trainer, job.model.step_history, bool(p.step_history), tell)

    def _trainer(self, timing: bool) -> Any:
        """What trains the network."""
        if self.job.ranks is not None:
            from cnn_core.distributed.training import rank_trainer

            return rank_trainer(self.p, self.job.ranks, self.job.spec, self.network)
        return BACKENDS[self.p.backend].trainer(
            self.job.spec,
            self.network,
            threads=threads_of(self.p.n_threads),
            adaptive=self.p.n_threads is None,
            timing=timing,
        )

    def _rehearse(self, data: Dataset, renews: bool) -> None:
        """Train on the sample of a stream's rows, which counts for no epoch; where it does not
        renew the moments of the optimizer, that goes on as it was."""
        p, spec, before = self.p, self.job.spec, self.trainer.state()
        rows = data.X.count
        size = rows if p.batch_size == "full" else min(int(p.batch_size), rows)
        trainer = BACKENDS[p.backend].trainer(
            replace(spec, batch_size=size),
            self.network,
            threads=threads_of(p.n_threads),
            adaptive=p.n_threads is None,
        )
        trainer.restore(before)
        for _ in range(REHEARSALS):
            trainer.epoch(data.X, data.y, data.labels, True)
        after = trainer.state()
        if renews:
            self.trainer.restore({**after, "epochs": before["epochs"]})
            return
        self.trainer.restore(before)
        seen = self.job.seen
        rehearsed = seen.rehearsed + after["steps"] - before["steps"]
        self.job = self.job._replace(seen=seen._replace(rehearsed=rehearsed))

    def run(self, epochs: int, checkpoint: Checkpoint | None = None) -> None:
        """Train, and publish what there is after the last good epoch.

        Parameters
        ----------
        epochs : int
            To be done where the checkpoint says nothing else.
        checkpoint : Checkpoint, optional
            It goes on from that, and leaves word of itself there.
        """
        if checkpoint is not None:
            job = self.job
            parts = parts_of(job.train, job.validation, job.blocks, job.ranks, job.spec.shards)
            epochs = checkpoint.begin(parts, self.trainer.epochs, epochs, self._batches)
            if checkpoint.is_finished:
                self.publish(self.job.model)
                return
        loop, final = self.prepared(epochs), None
        writing = None if checkpoint is None else checkpoint.attach(loop, self.model_after)
        try:
            loop.run(epochs, self.longest, self._began)
            self.advise()
        finally:
            final = self.leave()
            if writing is not None:
                writing.at_end(final)

    def prepared(self, epochs: int) -> TrainingLoop:
        """The loop, ready to run for so many epochs; then come `advise`, unless it was interrupted,
        and `leave`."""
        if self.incremental:
            _warn_of_end_of_plan(self.p, self.job.model, self.trainer.epochs)
        self.loop = self._loop(epochs)
        return self.loop

    @property
    def _began(self) -> float:
        """When, by the clock of the loop."""
        ranks = self.job.ranks
        return self.job.began if ranks is None else ranks.ranks.first_says(self.job.began)

    @property
    def longest(self) -> float:
        """Seconds that it may take."""
        limited = self.p.max_seconds is not None and not self.incremental
        return float(self.p.max_seconds) if limited else math.inf

    @property
    def _collects(self) -> bool:
        """Whether the first rows of a stream are kept until there are enough to scale them."""
        return self.job.model.first_rows is not None and learns_scaling(self.p)

    def advise(self) -> None:
        """Say what the course of the training shows; the model that it leaves knows it too."""
        model, loop = self.job.model, self.loop
        if loop.reason == "divergence":
            words = advice.divergence_words(self.p, self.job.looked_at, loop)
            self.job = self.job._replace(seen=self.job.seen._replace(diverged=words))
            news = advice.is_news(words, model.seen.diverged)
            if news and not self._collects:  # else the scaling that is to come is the cure
                warn(words, DivergenceWarning)
        elif loop.reason == "max_seconds" and not loop.epochs:
            warn(advice.out_of_time(self.p, model, self.kept is not None), UserWarning)
        if found := advice.after_training(self.job.looked_at, loop):
            seen = self.job.seen
            self.job = self.job._replace(seen=seen._replace(begin=(*seen.begin, *found)))
        if self.job.purpose == "fit" and loop.epochs:
            for finding in unkept(self.job.looked_at, self.network):
                warn(finding, UserWarning)
        if unlike := validating.after_training(self.job.looked_at, loop):
            self.job = self.job._replace(seen=self.job.seen._replace(validation=tuple(unlike)))
            for finding in unlike:
                warn(finding, UserWarning)

    def leave(self) -> Model | None:
        """Publish what there is, as the end of the loop has it, and give it; None where that is
        nothing new."""
        model, loop, watch, final = self.job.model, self.loop, self.watch, None
        resumed = self.kept is not None and self.kept.progress is not None
        if watch is not None:
            watch.hide()
        # An error, Ctrl-C or divergence in the first epoch leaves the model as it was before; a
        # first fit that diverges, or whose time is over, leaves the initial weights; first rows of
        # a stream are kept.
        kept = model.state is None or self._collects
        whole = loop.epochs or (resumed and model.n_epochs)
        if whole or loop.reason not in ("interrupted", "max_seconds", "requested"):
            final = self.model_after(loop.result(final=True))
        if whole or (loop.reason == "divergence" and kept):
            assert final is not None
            self.publish(final)
        elif loop.reason == "divergence" and self.incremental and watch is not None:
            kept_model = watch.current()
            seen = kept_model.seen._replace(diverged=self.job.seen.diverged)
            self.publish(replace(kept_model, ended="divergence", seen=seen))
        elif loop.reason in ("max_seconds", "requested") and model.state is None:
            self.publish(replace(model, ended=loop.reason))
        if self.report is not None:
            self.report.close()
            print_end(loop, self.p.patience)
        return final

    def model_after(self, result: TrainResult) -> Model:
        """The model that the training has come to."""
        job, past = self.job, self.steps.past(result.steps)
        if self.incremental:
            history = job.model.history.streamed_on(result.history, self.p.schedule)
            result = result._replace(history=history)
            past = job.model.step_history.streamed_on(past, Constant())
        return replace(
            job.model,
            training_spec=job.spec,
            network=result.network,
            history=result.history,
            state=None if result.state is None else result.state | {"backend": self.p.backend},
            best_epoch=result.best_epoch,
            step_history=past,
            converged=result.reason == "converged",
            weighted=job.train.weights is not None,
            ended=result.reason,
            watched=job.model.watched if self.incremental else self.watched,
            calibration=None,
            stream=job.stream,
            seen=job.seen,
            stream_rows=job.rows,
        )

    # Hooks of the loop

    def _show_step(self, step: int, entry: dict[str, float]) -> bool:
        model = self.model_after(self.loop.in_epoch())
        with self.loop.open_to_signals():
            return self.watch is not None and self.watch.step(model, step, entry)

    def _show(self, loop: TrainingLoop, entry: dict[str, float]) -> bool:
        self.publish(self.model_after(loop.result()._replace(reason="running")))
        return self._of_any(self.watch is not None and self.watch.epoch(loop.n_epochs, entry))

    def _of_any(self, ends: bool) -> bool:
        """What callbacks have returned, or whether there are any, of ranks on any of them."""
        return ends if self.job.ranks is None else self.job.ranks.ranks.any(ends)

    def _hooks(self, epochs: int) -> list[Hook]:
        hooks: list[Hook] = []
        ranks = self.job.ranks
        if self.p.verbose and (ranks is None or ranks.ranks.first):
            from cnn_core.training.reports import report

            before, task = self.job.model.n_epochs, self.job.model.task
            self.report = report(int(self.p.verbose), before + epochs, task, before)
            hooks.append(self.report)
        watches = self._of_any(self.watch is not None and bool(self.watch.callbacks))
        if watches and not self.incremental:
            hooks += [self._show, lambda loop, entry: self._of_any(self.steps.ends)]
        return hooks

    def _loop(self, epochs: int) -> TrainingLoop:
        """The loop with the policies of MLP."""
        p, job, trainer = self.p, self.job, self.trainer
        model, validation = job.model, job.validation
        monitor = LossAndMetric(model.task, job.train, validation, self.watched, self._scores())
        start = Start(model.network, model.history, trainer.epochs)
        stopping = Stopping()
        if job.purpose == "fit" and p.early_stopping:
            patience = int(p.patience), p.min_delta, p.restore_best
            stopping = rule = Patience(monitor.watched, *patience, sign=monitor.sign)
            resumes = self.kept is not None and self.kept.progress is not None
            begins = not model.n_epochs or resumes  # a checkpoint knows what is to be surpassed
            reached = None if begins else monitor.of_model(trainer, model)
            if reached is not None:  # the weights of the fit before are to be surpassed
                rule.lowest = monitor.sign * reached
                if p.restore_best:
                    start = start._replace(best_epoch=model.best_epoch or model.n_epochs)
        if p.tol is not None:
            stopping = Converged(float(p.tol), int(p.patience), stopping)
        rates = None
        given = {"decays": p.decay_schedule, "dropouts": p.dropout_schedule}
        factors = {name: one for name, one in given.items() if one is not None}
        if factors or type(p.schedule) is not Constant:
            planned = max(trainer.epochs + epochs, int(p.epochs))
            steps = self._batches, planned
            rates = ScheduledRates(p.schedule, trainer.learning_rate, *steps, factors)
        hooks = self._hooks(epochs)
        loop = TrainingLoop(
            trainer, self.network, self._rows(), monitor, start, rates, stopping, hooks
        )
        if job.ranks is not None:
            loop.clock = job.ranks.ranks.clock
        return loop

    def _rows(self) -> TrainingRows:
        """Who visits the rows."""
        job, shuffle = self.job, bool(self.p.shuffle)
        if job.blocks is None:
            return DatasetRows(job.train, shuffle)
        from cnn_core.blocks.windows import WindowRows

        self.windows = WindowRows(job.blocks, job.train, job.spec, shuffle)
        return self.windows

    @property
    def watched(self) -> str:
        """The column of the history that says how good the weights are."""
        return column_of(self.p.monitor) if self.job.purpose == "fit" else "val_loss"

    def _scores(self) -> Scores | None:
        """What makes that column, where it is a score."""
        if self.job.scored is None:
            return None
        assert self.watch is not None
        scores = Scores(self.job.scored, self.watch.estimator)
        scores.current = lambda: self.model_after(self.loop.in_epoch()._replace(reason="running"))
        return scores

    @property
    def _batches(self) -> int:
        return self.job.batches


def _warn_of_end_of_plan(p: SimpleNamespace, model: Model, epochs: int) -> None:
    """Say, before the first epoch of a stream beyond it, that a schedule's plan is over."""
    schedules = [p.schedule, *filter(None, (p.decay_schedule, p.dropout_schedule))]
    planning = [one for one in schedules if one.plans_ahead]
    if not planning or epochs < p.epochs:
        return
    if epochs == p.epochs or not model.history.streamed:
        warn(
            f"{type(planning[0]).__name__} has planned its rates for epochs={p.epochs}, and this "
            f"partial_fit is epoch {epochs + 1}: the rates stay near the last one; set epochs to "
            "the number of calls to come, or take a schedule without an end, such as InverseTime",
            UserWarning,
        )


def _go_on(trainer: Any, model: Model, spec: TrainingSpec, backend: str) -> None:
    """Let a trainer go on from where the model's was."""
    state = model.state
    if state is None:
        return
    check_state(state, ("epochs",), ("backend",))
    if (state["optimizer"], state["backend"]) == (spec.optimizer, backend):
        trainer.restore(state)
    else:  # another optimizer starts anew, with the same weights
        trainer.restore({**trainer.state(), "epochs": state["epochs"]})

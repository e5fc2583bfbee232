"""Windows of blocks: which rows they visit, and how a training on them is interrupted."""

import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest
from block_cases import Again, cut, rows
from checkpoint_cases import Interrupt, InterruptStep
from cnn_core._linalg import column_sums
from cnn_core.io import RowBlocks

from cnn_core import MLP, MLPRegressor

X, Y, _ = rows()
SMALL = {"block_rows": 128, "window": 4}
BATCHES = -(-3000 // 32)


def regressor(**parameters):
    given = dict(hidden=(6,), epochs=4, random_state=3, scale_inputs=None, scale_targets=None)
    return MLPRegressor(**given | parameters)


@pytest.mark.parametrize("kind", [list, Again])
@pytest.mark.parametrize("batch_size", [32, 77, 600, 3000])
def test_each_epoch_visits_every_row_once_in_a_new_order(kind, batch_size, monkeypatch):
    from cnn_core.training.backends import native

    visits, steps = [], []
    numbered = np.column_stack([np.arange(3000.0), X[:, 0]])
    make = native.trainer

    class Spy:
        def __init__(self, trainer):
            vars(self)["trainer"] = trainer

        def __getattr__(self, name):
            return getattr(self.trainer, name)

        def __setattr__(self, name, value):
            setattr(self.trainer, name, value)

        def epoch(self, rows, y, *args, order, **options):
            visits.extend(rows.array[order, 0].astype(int).tolist())
            steps.append(len(order))
            assert np.array_equal(y.array[order], Y[rows.array[order, 0].astype(int), None])
            return self.trainer.epoch(rows, y, *args, order=order, **options)

    monkeypatch.setattr(native, "trainer", lambda *args, **options: Spy(make(*args, **options)))
    blocks = RowBlocks(kind(cut((numbered, Y), 500)), **SMALL)
    regressor(epochs=3, batch_size=batch_size, dtype="float64").fit(blocks)
    epochs = np.array(visits).reshape(3, 3000)
    assert (np.sort(epochs) == np.arange(3000)).all()
    assert (epochs[0] != epochs[1]).mean() > 0.99 and (epochs[1] != epochs[2]).mean() > 0.99
    of_blocks = [np.unique(epoch[:128] // 128).tolist() for epoch in epochs]
    assert all(len(one) == 4 for one in of_blocks)
    if kind is list:
        assert len({tuple(one) for one in of_blocks}) == 3
    else:
        assert of_blocks == [[0, 1, 2, 3]] * 3


def test_sums_go_on_from_those_of_the_rows_before(dtype):
    some, shift = X.astype(dtype), np.ones(6)
    whole = column_sums(some, shift, 2)
    assert np.array_equal(column_sums(some[7:], shift, 2, column_sums(some[:7], shift, 2)), whole)
    with pytest.raises(ValueError, match="start must have an entry for each of the 6 columns"):
        column_sums(some, shift, 2, np.zeros(5))


@pytest.mark.parametrize("part", [(1, 3000), (0, 20), (0, 19), (1, 39)])
def test_a_part_that_does_not_fit_is_refused(part):
    from cnn_core.training import fit, run

    p = regressor()._check_parameters()
    job = fit.begin(p, X[:20], Y[:20] * 1.0, purpose="fit")
    trainer = run.TrainingRun(p, job, print).trainer
    trainer.part = part
    if part == (0, 20):
        assert trainer.epoch(job.train.X, job.train.y, None) is not None
        return
    with pytest.raises(ValueError, match="part must say how many mini-batches"):
        trainer.epoch(job.train.X, job.train.y, None)


RUNS = {
    "shuffled": {},
    "in order": {"shuffle": False},
    "early stopping": {"early_stopping": True, "validation_fraction": 0.2, "epochs": 12},
    "many windows a mini-batch": {"batch_size": 700},
    "threads": {"n_threads": 2},
    "the reference implementation": {"backend": "python", "hidden": (2,), "batch_size": 300},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("kind", [list, Again])
def test_a_training_on_blocks_is_resumed_within_an_epoch_to_the_same_bits(name, kind, tmp_path):
    path, options = tmp_path / "run.ckpt", RUNS[name]
    blocks = RowBlocks(kind(cut((X, Y), 500)), **SMALL)
    whole = regressor(**options).fit(blocks)
    steps = BATCHES // 2 if options.get("batch_size", 32) == 32 else 3
    for error in (InterruptStep(steps), InterruptStep(2 * steps - 1), Interrupt(2)):
        other = RowBlocks(kind(cut((X, Y), 77)), **SMALL)
        with pytest.raises(KeyboardInterrupt):
            regressor(**options, callbacks=error).fit(other, checkpoint=path, checkpoint_every=0)
    resumed = regressor(**options).fit(blocks, checkpoint=path)
    assert np.array_equal(resumed.parameters_, whole.parameters_)
    for column in whole.history_.keys() - {"seconds"}:
        assert resumed.history_[column] == whole.history_[column]


@pytest.mark.parametrize(
    "other",
    [
        RowBlocks(cut((X + 1, Y), 500), **SMALL),
        RowBlocks(cut((X[:-1], Y[:-1]), 500), **SMALL),
        RowBlocks(cut((X, Y), 500), block_rows=64, window=4),
        RowBlocks(cut((X, Y), 500), block_rows=128, window=3),
        RowBlocks(Again(cut((X, Y), 500)), **SMALL),
        RowBlocks(cut((X, Y + 1), 500), **SMALL),
    ],
)
def test_a_checkpoint_is_of_the_same_rows_in_the_same_windows(other, tmp_path):
    path = tmp_path / "run.ckpt"
    with pytest.raises(KeyboardInterrupt):
        regressor(callbacks=Interrupt(2)).fit(RowBlocks(cut((X, Y), 500), **SMALL), checkpoint=path)
    with pytest.raises(ValueError, match="is of a training on other data: [Xy] differs"):
        regressor().fit(other, checkpoint=path)


class Slow(Again):
    """Blocks that come slowly from the sixth iteration on, of which `begins` is told."""

    def __init__(self, blocks, begins=lambda: None):
        super().__init__(blocks)
        self.begins = begins

    def __iter__(self):
        self.times += 1
        if self.times == 6:
            self.begins()
        for block in self.blocks:
            if self.times > 5:
                time.sleep(0.3)
            yield block


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_ctrl_c_is_answered_while_a_window_is_awaited():
    model = regressor(epochs=1000)
    sent = []

    def interrupt():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        model.fit(RowBlocks(Slow(cut((X, Y), 100), interrupt), **SMALL))
    assert time.perf_counter() - sent[0] < 10  # a quiet machine takes 0.05
    assert model.n_epochs_ >= 1


@pytest.mark.slow
def test_max_seconds_ends_an_epoch_whose_windows_are_awaited():
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = regressor(epochs=1000, max_seconds=1.0).fit(
            RowBlocks(Slow(cut((X, Y), 100)), **SMALL)
        )
    assert time.perf_counter() - began < 60  # of more than an hour
    assert model.n_epochs_ < 1000


def test_no_thread_is_left_after_a_fit():
    blocks = RowBlocks(Again(cut((X, Y), 500)), **SMALL)
    regressor().fit(blocks)
    with pytest.raises(KeyboardInterrupt):
        regressor(callbacks=InterruptStep(20)).fit(blocks)
    readers = [one for one in threading.enumerate() if one.name == "cnn_core reader"]
    for one in readers:  # which ends when it has read its window
        one.join(60)
    assert not any(one.is_alive() for one in readers)


def test_two_windows_are_in_memory_at_most():
    """Those that are trained on and read meanwhile."""
    from cnn_core.blocks import windows

    alive, most = set(), []
    made = windows._Window.__new__

    class Counted(np.ndarray):
        def __del__(self):
            alive.discard(id(self))

    def new(kind, X, *rest):
        X = X.view(Counted)
        alive.add(id(X))
        most.append(len(alive))
        return made(kind, X, *rest)

    windows._Window.__new__ = new
    try:
        regressor().fit(RowBlocks(Again(cut((X, Y), 500)), **SMALL))
    finally:
        windows._Window.__new__ = made
    assert max(most) <= 2


def test_an_mlp_that_was_trained_on_blocks_can_be_saved(tmp_path):
    model = MLP(hidden=(4,), epochs=1, random_state=0).fit(RowBlocks(cut((X, Y), 500), **SMALL))
    model.save(tmp_path / "model.safetensors")
    loaded = MLP.load(tmp_path / "model.safetensors")
    assert np.array_equal(loaded.predict(X), model.predict(X))

"""Checkpoints of scikit-learn's estimators."""

import shutil
from functools import partial

import numpy as np
import pytest
import scipy.sparse
from checkpoint_cases import Interrupt, InterruptStep
from cnn_core.sklearn import MLPClassifier, MLPRegressor

from cnn_core import Cosine, OneCycle, ReduceOnPlateau, Warmup

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4))
Y = X[:, 0] * X[:, 1]
LABELS = np.array(["a", "b", "c"])[RNG.integers(0, 3, 300)]

RUNS = {
    "adam": {},
    "early stopping": dict(early_stopping=True),
    "best weights": dict(restore_best_weights=True),
    "adaptive": dict(solver="sgd", learning_rate="adaptive", tol=1e-2, n_iter_no_change=2),
    "invscaling": dict(solver="sgd", learning_rate="invscaling"),
    "a schedule": dict(learning_rate=ReduceOnPlateau(patience=2)),
    "a schedule to the end": dict(learning_rate=Cosine()),
    "a schedule of steps to the end": dict(learning_rate=OneCycle(0.01), solver="sgd"),
    "a schedule within another": dict(learning_rate=Warmup(2, Cosine()), early_stopping=True),
    "dropout": dict(dropout=0.3),
    "in order": dict(shuffle=False),
    "one batch": dict(batch_size=300),
    "float32": dict(dtype="float32"),
}


def assert_same(a, b):
    assert all(map(np.array_equal, a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_))
    for name in ("loss_curve_", "n_iter_", "t_", "best_loss_", "validation_scores_"):
        assert getattr(a, name) == getattr(b, name), name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("make", [MLPRegressor, MLPClassifier])
@pytest.mark.parametrize("matrix", [np.asarray, scipy.sparse.csr_matrix])
def test_an_interrupted_training_ends_with_the_bits_of_an_uninterrupted_one(
    make, name, matrix, tmp_path
):
    options = dict(hidden_layer_sizes=8, max_iter=12, random_state=3) | RUNS[name]
    rows, y = matrix(X), Y if make is MLPRegressor else LABELS
    path = tmp_path / "run.ckpt"
    whole = make(**options).fit(rows, y)
    for epoch in (2, 3, 4):  # counted from where each goes on
        with pytest.raises(RuntimeError, match="after epoch"):
            make(callbacks=[Interrupt(epoch, RuntimeError)], **options).fit(
                rows, y, checkpoint=path, checkpoint_every="epoch"
            )
    end = make(n_threads=2, **options).fit(rows, y, checkpoint=path)
    assert_same(whole, end)
    assert_same(whole, make(**options).fit(rows, y, checkpoint=path))  # it is over
    if not options.get("early_stopping"):
        assert_same(whole.partial_fit(rows, y), end.partial_fit(rows, y))


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_seed_that_was_drawn_is_kept_with_the_rows_set_apart(tmp_path):
    path, ends = tmp_path / "run.ckpt", []
    options = dict(hidden_layer_sizes=5, max_iter=6, early_stopping=True)
    with pytest.raises(RuntimeError):
        MLPRegressor(callbacks=[Interrupt(3, RuntimeError)], **options).fit(
            X, Y, checkpoint=path, checkpoint_every="epoch"
        )
    first = path.read_bytes()
    for _ in range(2):
        path.write_bytes(first)
        ends.append(MLPRegressor(**options).fit(X, Y, checkpoint=path))
    assert_same(*ends)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize(
    ("change", "given", "message"),
    [
        (dict(alpha=1.0), {}, "with alpha=0.0001, and now it is alpha=1.0"),
        ({}, dict(X=X + 1), "on other data: X differs"),
        ({}, dict(X=X[:, :3]), "features, outputs or classes differ"),
        ({}, dict(y=Y + 1), "on other data: y differs"),
        ({}, dict(X_val=X, y_val=Y), "on other data: X_val and y_val differs"),
        (dict(solver="lbfgs"), {}, "does not go with solver='lbfgs'"),
        (dict(warm_start=True), {}, "does not go with warm_start=True"),
    ],
)
def test_what_does_not_match_is_named(change, given, message, tmp_path):
    path, options = tmp_path / "run.ckpt", dict(hidden_layer_sizes=5, max_iter=2, random_state=0)
    MLPRegressor(**options).fit(X, Y, checkpoint=path)
    with pytest.raises(ValueError, match=message):
        MLPRegressor(**options | change).fit(**dict(X=X, y=Y) | given, checkpoint=path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("name", ["adam", "early stopping", "adaptive", "dropout", "in order"])
@pytest.mark.parametrize("make", [MLPRegressor, MLPClassifier])
@pytest.mark.parametrize("every", [0, 1e9])
def test_within_an_epoch_too(make, name, every, tmp_path):
    options = dict(hidden_layer_sizes=8, max_iter=4, random_state=3, batch_size=50) | RUNS[name]
    y, path, steps = Y if make is MLPRegressor else LABELS, tmp_path / "run.ckpt", []
    whole = make(**options).fit(X, y)

    for _ in range(2):
        with pytest.raises(RuntimeError, match="after step"):
            fail = InterruptStep(5, RuntimeError, steps)
            make(callbacks=[fail], **options).fit(X, y, checkpoint=path, checkpoint_every=every)
    assert_same(whole, make(**options).fit(X, y, checkpoint=path))
    assert steps == list(range(1, 11))  # none twice


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("make", [MLPRegressor, MLPClassifier])
def test_a_checkpoint_that_cannot_be_written_costs_no_training(make, tmp_path):
    folder = tmp_path / "gone"
    path, y = folder / "run.ckpt", Y if make is MLPRegressor else LABELS
    options = dict(hidden_layer_sizes=5, max_iter=4, random_state=0)
    with pytest.raises(FileNotFoundError, match="gone"):
        make(**options).fit(X, y, checkpoint=path)
    folder.mkdir()
    model = make(**options, callbacks=lambda *_: shutil.rmtree(folder, ignore_errors=True))
    with pytest.warns(UserWarning, match=r"run\.ckpt cannot be written: .*does not exist"):
        model.fit(X, y, checkpoint=path, checkpoint_every="epoch")
    assert_same(model, make(**options).fit(X, y))


def test_weights_that_are_not_finite_are_refused_again_where_training_goes_on(tmp_path):
    path = tmp_path / "run.ckpt"
    make = partial(MLPRegressor, "mse", 5, solver="sgd", learning_rate_init=1e200, max_iter=3)
    for _ in range(2):
        with pytest.raises(ValueError, match="non-finite"), np.errstate(all="ignore"):
            make(random_state=0).fit(X, Y, checkpoint=path)

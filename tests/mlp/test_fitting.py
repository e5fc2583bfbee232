"""MLP: weights of rows, early stopping, the same bits, history, memory."""

import tracemalloc

import numpy as np
import pytest
from cnn_core.datasets import load_digits
from mlp_cases import LINE, THREE, TWO, X, quick, with_entry

from cnn_core import MLP, SGD

# Weights of rows and classes


def test_sample_weights_act_like_repeated_rows():
    counts = np.arange(200) % 3
    options = dict(batch_size="full", optimizer="sgd", learning_rate=0.1, epochs=5, dtype="float64")
    weighted = quick(**options).fit(X, THREE, sample_weight=counts)
    repeated = quick(**options).fit(np.repeat(X, counts, axis=0), np.repeat(THREE, counts))
    np.testing.assert_allclose(weighted.parameters_, repeated.parameters_, atol=1e-12)
    np.testing.assert_allclose(weighted.history_["loss"], repeated.history_["loss"], rtol=1e-12)


def test_class_weights_are_sample_weights_by_class():
    labels = np.array(["a", "b", "c"])[THREE]
    by_class = quick(class_weight={"a": 2, "c": 0.5}, epochs=3).fit(X, labels).parameters_
    by_row = quick(epochs=3).fit(X, labels, sample_weight=np.array([2, 1, 0.5])[THREE]).parameters_
    assert np.array_equal(by_class, by_row)
    balanced = quick(class_weight="balanced", epochs=3).fit(X, labels).parameters_
    share = 200 / (3 * np.bincount(THREE))
    assert np.array_equal(
        balanced, quick(epochs=3).fit(X, labels, sample_weight=share[THREE]).parameters_
    )


@pytest.mark.parametrize(
    "weights, message",
    [
        (np.ones(5), "sample_weight has 5"),
        (-np.ones(200), "at least 0"),
        (np.zeros(200), "at least one must be above 0"),
        (with_entry(np.ones(200), 3, np.nan), "sample_weight has nan at row 3"),
        (np.ones((200, 2)), r"must have a number for each row, got shape \(200, 2\)$"),
    ],
)
def test_bad_sample_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(X, TWO, sample_weight=weights)


def test_label_smoothing_is_training_on_softer_targets():
    smooth = quick(label_smoothing=0.3, epochs=3).fit(X, THREE)
    soft = quick(loss="categorical_crossentropy", epochs=3).fit(X, 0.7 * np.eye(3)[THREE] + 0.1)
    np.testing.assert_allclose(smooth.parameters_, soft.parameters_, atol=1e-6)
    two = quick(label_smoothing=0.2, epochs=300).fit(X, TWO).predict_proba(X)[:, 1]
    assert 0.85 < np.median(two[TWO == 1]) < 0.95 and 0.05 < np.median(two[TWO == 0]) < 0.15


def test_penalties_and_limits_reach_the_training():
    plain = quick(epochs=30).fit(X, TWO)

    def size(model):
        return sum((W**2).sum() for W in model.weights_)

    assert size(quick(epochs=30, l2=0.1).fit(X, TWO)) < 0.7 * size(plain)
    sparse = quick(epochs=60, l1=0.05).fit(X, TWO)
    assert sum((np.abs(W) < 1e-3).sum() for W in sparse.weights_) > 20
    held = quick(epochs=30, max_norm=0.5).fit(X, TWO)
    assert max(np.linalg.norm(W, axis=1).max() for W in held.weights_) <= 0.5 * (1 + 1e-6)
    one = quick(epochs=1, batch_size="full", optimizer=SGD(), clip_norm=1e-3)
    start = quick(epochs=1, batch_size="full", optimizer=SGD(), learning_rate=1e-30)
    moved = one.fit(X, TWO).parameters_ - start.fit(X, TWO).parameters_
    assert np.linalg.norm(moved) == pytest.approx(
        1e-5, rel=1e-2
    )  # quick's learning rate of 0.01 times 1e-3


def test_only_ratios_of_weights_count():
    plain = quick(epochs=3).fit(X, TWO, sample_weight=1.0 + np.arange(200) % 3)
    for factor in (1e-300, 1e-40, 1e30, 1e300):
        model = quick(epochs=3).fit(X, TWO, sample_weight=factor * (1.0 + np.arange(200) % 3))
        np.testing.assert_allclose(model.parameters_, plain.parameters_, rtol=1e-4, atol=1e-6)
    heavy = quick(epochs=3, class_weight={0: 1e300, 1: 1e300}).fit(
        X, TWO, sample_weight=np.full(200, 1e300)
    )
    assert np.isfinite(heavy.parameters_).all()


def test_weights_count_in_a_score():
    weights = np.arange(200) % 3
    for y in (TWO, LINE, np.column_stack((TWO, X[:, 1] > 0)).astype(int)):
        model = quick(epochs=5).fit(X, y)
        repeated = model.score(np.repeat(X, weights, axis=0), np.repeat(y, weights, axis=0))
        assert model.score(X, y, sample_weight=weights) == pytest.approx(repeated, rel=1e-12)


# Early stopping


def noisy():
    labels = np.where(np.random.default_rng(5).random(200) < 0.25, 1 - TWO, TWO)
    return MLP(
        64, early_stopping=True, patience=5, epochs=500, learning_rate=0.02, random_state=0
    ), labels


def test_early_stopping_sets_rows_apart_and_ends_with_the_best_weights():
    model, labels = noisy()
    model.fit(X, labels)
    losses = model.history_["val_loss"]
    assert model.n_epochs_ == len(losses) < 500
    assert model.best_epoch_ == np.argmin(losses) + 1 == model.n_epochs_ - 5
    last = noisy()[0].set_params(restore_best=False).fit(X, labels)
    assert last.history_["loss"] == model.history_["loss"]
    assert not np.array_equal(last.parameters_, model.parameters_)
    stopped = noisy()[0].set_params(epochs=model.best_epoch_).fit(X, labels)
    assert np.array_equal(stopped.parameters_, model.parameters_)


@pytest.mark.parametrize("backend", ["native", "python"])
def test_the_latest_of_equal_epochs_is_kept_on_request(backend):
    options = {"monitor": "val_metric", "patience": 8, "epochs": 30, "backend": backend}
    options |= {"hidden": 4, "early_stopping": True, "random_state": 6, "learning_rate": 0.02}
    first, latest = (
        MLP(**options, restore_best=which).fit(X[:60], TWO[:60]) for which in (True, "latest")
    )
    metrics = np.array(first.history_["val_metric"])
    assert latest.history_["val_metric"] == first.history_["val_metric"]
    best = np.flatnonzero(metrics == metrics.max()) + 1
    assert len(best) > 1 and (first.best_epoch_, latest.best_epoch_) == (best[0], best[-1])
    ended = MLP(**options | {"epochs": int(best[-1])}, restore_best=False).fit(X[:60], TWO[:60])
    assert np.array_equal(latest.parameters_, ended.parameters_)
    with pytest.raises(ValueError, match="restore_best must be True, False or 'latest'"):
        MLP(restore_best="last")


def test_early_stopping_looks_at_validation_data_where_given():
    model, labels = noisy()
    model.fit(X[:150], labels[:150], validation_data=(X[150:], labels[150:]))
    assert model.best_epoch_ == model.n_epochs_ - 5
    assert model.history_["val_loss"][model.best_epoch_ - 1] == min(model.history_["val_loss"])
    assert model.score(X[150:], labels[150:]) == model.history_["val_metric"][model.best_epoch_ - 1]


def test_min_delta_is_what_an_improvement_must_exceed():
    model, labels = noisy()
    assert (
        model.set_params(min_delta=10.0).fit(X, labels).n_epochs_ == 6
    )  # the first is one, five are not
    assert model.best_epoch_ >= 1


def test_too_few_rows_to_set_apart_are_a_clear_error():
    with pytest.raises(
        ValueError, match="validation_fraction 0.1 of 4 rows leaves none to validate on"
    ):
        MLP(4, early_stopping=True).fit(X[:4], LINE[:4])
    with pytest.raises(ValueError, match="sample_weight has 5"):
        MLP(4, early_stopping=True).fit(X, LINE, sample_weight=np.ones(5))


# The same bits


def test_the_same_seed_gives_the_same_bits_on_every_path(isa, dtype):
    reference = quick(dtype=dtype, epochs=3).fit(X, THREE)
    from cnn_core._cpu import use_instruction_set

    use_instruction_set("generic")  # the isa fixture restores
    oracle = quick(dtype=dtype, epochs=3).fit(X, THREE)
    assert reference.parameters_.tobytes() == oracle.parameters_.tobytes()
    assert reference.history_["loss"] == oracle.history_["loss"]


def test_seeds_matter():
    fits = [
        quick(random_state=seed, epochs=1).fit(X, TWO).parameters_ for seed in (0, 1, None, None)
    ]
    assert len({fit.tobytes() for fit in fits}) == 4


def test_a_numpy_generator_or_random_state_can_be_the_seed():
    for make in (np.random.default_rng, np.random.RandomState):
        a, b = (quick(random_state=make(3), epochs=2).fit(X, TWO).parameters_ for _ in range(2))
        assert np.array_equal(a, b)


@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        lambda x: x.astype("float64"),
        lambda x: x.astype(">f4"),
        lambda x: x[::-1][::-1],
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x.astype(object),
    ],
)
def test_layout_and_type_of_x_do_not_matter(convert):
    a = quick(epochs=2).fit(X, TWO)
    b = quick(epochs=2).fit(convert(X), TWO)
    assert np.array_equal(a.parameters_, b.parameters_)
    assert np.array_equal(a.forward(convert(X)), a.forward(X))


def test_x_of_the_right_type_is_not_written_and_need_not_be_writable():
    frozen = X.copy()
    frozen.flags.writeable = False
    quick(epochs=1).fit(frozen, TWO)
    assert np.array_equal(frozen, X)


# History and validation


def test_history_has_an_entry_an_epoch():
    model = quick(epochs=7).fit(X, THREE, validation_data=(X[:50], THREE[:50]))
    assert set(model.history_) == {
        "loss",
        "metric",
        "val_loss",
        "val_metric",
        "learning_rate",
        "seconds",
    }
    assert {len(values) for values in model.history_.values()} == {7} and model.n_epochs_ == 7
    assert model.history_["learning_rate"] == [0.01] * 7
    assert model.history_["val_metric"][-1] == model.score(X[:50], THREE[:50])
    assert "val_loss" not in quick(epochs=1).fit(X, THREE).history_


def test_validation_metric_of_a_regression_is_r_squared():
    model = quick(epochs=5).fit(X, LINE, validation_data=(X[:50], LINE[:50]))
    assert model.history_["val_metric"][-1] == pytest.approx(
        model.score(X[:50], LINE[:50]), rel=1e-6
    )
    still = quick(epochs=1, learning_rate=1e-30).fit(X, LINE)
    assert still.history_["metric"] == pytest.approx([still.score(X, LINE)], rel=1e-6)


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("loss", ["poisson", "binary_crossentropy"])
@pytest.mark.parametrize("n_outputs", [1, 20])  # transposed or not
def test_r_squared_of_an_epoch_is_that_of_the_outputs(loss, n_outputs, backend):
    # These losses work on z of the last layer; R^2 compares a with y.
    y = np.exp(X[:, :3].sum(axis=1, keepdims=True) * np.linspace(0.1, 0.2, n_outputs)) / 5
    still = quick(
        loss=loss,
        task="regression",
        learning_rate=1e-30,
        epochs=1,
        batch_size=70,
        backend=backend,
    ).fit(X, y if n_outputs > 1 else y[:, 0])
    expected = still.score(X, y if n_outputs > 1 else y[:, 0])
    assert still.history_["metric"] == pytest.approx([expected], rel=1e-4)


@pytest.mark.filterwarnings("ignore:all features are constant")
def test_the_validation_metric_counts_as_predictions_do():
    # sigmoid(1e-9) rounds to 1/2, and that is a "no".
    model = MLP((), init=[([[1e-9]], [0.0])], learning_rate=1e-30, epochs=1)
    model.fit([[1.0], [1.0]], [1, 0], validation_data=([[1.0], [1.0]], [1, 1]))
    assert model.history_["val_metric"] == [model.score([[1.0], [1.0]], [1, 1])] == [0]


def test_validation_data_never_change_a_weight():
    alone = quick(epochs=5).fit(X, THREE)
    watched = quick(epochs=5).fit(X, THREE, validation_data=(X[:50] * 3, THREE[:50]))
    assert np.array_equal(alone.parameters_, watched.parameters_)


def test_the_error_about_verbose_names_all_its_values():
    with pytest.raises(ValueError, match="verbose must be 0, 1 or 2, got -1"):
        quick(verbose=-1).fit(X, LINE)


def test_verbose_2_prints_a_line_an_epoch(capsys):
    quick(epochs=3, verbose=2).fit(X, THREE, validation_data=(X, THREE))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for word in ("epoch 1/3", "loss", "accuracy", "val_loss", "val_accuracy", "ms"):
        assert word in lines[0]
    quick(epochs=1, verbose=1).fit(X, LINE)
    assert "R2" in capsys.readouterr().out
    quick(epochs=1).fit(X, LINE)
    assert capsys.readouterr().out == ""


# Real data


def test_digits_are_learned():
    images, digits = load_digits()
    images /= 16
    test = np.arange(len(digits)) % 5 == 0
    model = MLP(hidden=(128,), epochs=50, random_state=0).fit(images[~test], digits[~test])
    assert model.score(images[test], digits[test]) >= 0.97


# Memory


@pytest.mark.parametrize("early_stopping", [False, True])
def test_x_of_the_right_type_is_trained_from_where_it_lies(tmp_path, early_stopping):
    # An array, and a memory map of a file; 4 MB, of which nothing is copied.
    rows = np.random.default_rng(0).normal(size=(2000, 500)).astype("float32")
    y = (rows[:, 0] > 0).astype(int)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    fits = []
    for source in (rows, mapped):
        model = quick(epochs=2, early_stopping=early_stopping)
        tracemalloc.start()
        fits.append(model.fit(source, y).parameters_)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < rows.nbytes / 4
    assert np.array_equal(*fits)
    assert np.array_equal(model.predict(mapped), model.predict(rows))
    assert type(model.predict(mapped)) is type(model.forward(mapped)) is np.ndarray


@pytest.mark.filterwarnings("ignore:all features are constant")
def test_the_memory_of_a_fit_does_not_grow_with_the_rows():
    # Beside X and y: the order of the rows, 8 bytes each, and their labels, 4.
    peaks = []
    for rows in (2_000, 50_000):
        big, labels = np.zeros((rows, 5), "float32"), np.arange(rows) % 2
        tracemalloc.start()
        MLP(8, epochs=1, batch_size=100).fit(big, labels)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 48_000 * 64

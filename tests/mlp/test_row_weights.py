"""A row's weight means the same in a mini-batch of any size, and in a stream."""

import numpy as np
import pytest

from cnn_core import MLP, SGD

RNG = np.random.default_rng(5)
X = RNG.normal(size=(240, 4))
LINE = X @ [1.0, -2.0, 0.5, 0.0]
TWO = (X[:, 0] > 0.8).astype(int)
ALL = {"random_state": 0, "dtype": "float64", "epochs": 3}


def fitted(y=TWO, fit=None, **options):
    return MLP(**{"hidden": 6} | ALL | options).fit(X, y, **fit or {})


def distance(one, other):
    return np.abs(one.parameters_ - other.parameters_).max()


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("batch_size", [1, 2, 7, 32])
def test_class_weight_counts_in_a_mini_batch_of_any_size(batch_size, backend):
    options = {"batch_size": batch_size, "backend": backend, "epochs": 1}
    assert distance(fitted(**options), fitted(class_weight={0: 1, 1: 1000}, **options)) > 1e-3


@pytest.mark.filterwarnings("ignore:all features are constant")
@pytest.mark.parametrize("batch_size", [1, 8, 32, 100, "full"])
def test_a_weighted_mean_comes_out_at_every_batch_size(batch_size):
    # One output without inputs to speak of: its bias is the weighted mean of y, 900 zeros of weight
    # 1 and 100 ones of weight 9.
    y = np.r_[np.zeros(900), np.ones(100)]
    model = MLP(
        (), epochs=400 if batch_size == "full" else 40, task="regression", dtype="float64",
        optimizer=SGD(0.5 if batch_size == "full" else 0.001 * min(batch_size, 32)),
        batch_size=batch_size, random_state=0, scale_inputs=None, scale_targets=None,
    )  # fmt: skip
    means = []
    model.set_params(callbacks=lambda model, epoch, logs: means.append(model.biases_[0][0]))
    model.fit(np.zeros((1000, 1)), y, sample_weight=np.where(y, 9.0, 1.0))
    assert np.mean(means[len(means) // 2 :]) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "lbfgs"])
def test_a_weight_of_two_is_the_row_given_twice(optimizer, backend):
    times = np.arange(240) % 3
    options = {"hidden": 6, "optimizer": optimizer, "batch_size": "full", "backend": backend}
    weighted = MLP(**options, **ALL).fit(X, LINE, sample_weight=times)
    repeated = MLP(**options, **ALL).fit(np.repeat(X, times, axis=0), np.repeat(LINE, times))
    np.testing.assert_allclose(weighted.parameters_, repeated.parameters_, rtol=1e-9)


@pytest.mark.parametrize("factor", [2.0**-40, 0.5, 8.0, 2.0**60])
@pytest.mark.parametrize("batch_size", [1, 32, "full"])
def test_a_common_factor_of_all_weights_changes_no_bit(batch_size, factor):
    weights = RNG.uniform(0.1, 2, 240)
    one, other = (
        fitted(LINE, {"sample_weight": w}, batch_size=batch_size)
        for w in (weights, weights * factor)
    )
    assert distance(one, other) == 0


def test_equal_weights_are_no_weights():
    plain = fitted(LINE)
    for weight in (1.0, 0.25, 4.0):
        assert distance(plain, fitted(LINE, {"sample_weight": np.full(240, weight)})) < 1e-13


def test_the_loss_of_an_epoch_is_the_weighted_mean():
    weights = RNG.uniform(0, 2, 240)
    model = fitted(LINE, {"sample_weight": weights}, learning_rate=1e-300, epochs=1)
    costs = ((model.predict(X) - LINE) / model.target_factor_) ** 2 / 2
    assert model.history_["loss"][0] == pytest.approx(np.average(costs, weights=weights))


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("rows", [1, 5])
def test_a_weight_in_a_stream_multiplies_the_step(rows, backend):
    def moved(weight):
        model = MLP(3, optimizer=SGD(1e-3), backend=backend, random_state=0, dtype="float64")
        model.partial_fit(X[:rows], LINE[:rows], sample_weight=np.zeros(rows) + 1e-300)
        before = model.parameters_
        model.partial_fit(X[:rows], LINE[:rows], sample_weight=np.full(rows, float(weight)))
        return model.parameters_ - before

    np.testing.assert_allclose(moved(3), 3 * moved(1), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(moved(2.0**-30), 2.0**-30 * moved(1), rtol=1e-4, atol=1e-15)


def test_class_weight_counts_in_a_stream_of_single_rows():
    streams = []
    for class_weight in (None, {0: 1, 1: 10}):
        model = MLP(3, class_weight=class_weight, optimizer=SGD(0.01), random_state=0)
        for row in range(60):
            model.partial_fit(X[row : row + 1], TWO[row : row + 1], classes=[0, 1])
        streams.append(model)
    plain, weighted = (model.predict_proba(X)[:, 1].mean() for model in streams)
    assert weighted > plain + 0.05


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e-310, 5e-324, 1e300])
def test_weights_of_any_size_can_be_trained_with(size, dtype):
    for continues in ("fit", "partial_fit"):
        model = MLP(3, random_state=0, epochs=1, dtype=dtype, optimizer=SGD(1e-3))
        weights = np.full(5, size if continues == "fit" else min(size, 1.0))
        getattr(model, continues)(X[:5], LINE[:5], sample_weight=weights)
        assert np.isfinite(model.parameters_).all()


def test_rows_set_apart_take_their_weight_with_them():
    weights = np.where(np.arange(240) < 120, 1.0, 3.0)
    model = fitted(LINE, {"sample_weight": weights}, early_stopping=True)
    assert np.isfinite(model.parameters_).all()

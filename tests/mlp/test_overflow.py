"""Rows that are finite and outputs that are not: one warning that counts the rows and names the
cause."""

import warnings

import numpy as np
import pytest
from cnn_core.functional import BatchPredictor, Network, uniform
from mlp_cases import LINE, THREE, TWO, X, quick

from cnn_core import MLP, MLPClassifier

FAR = X.copy()
FAR[[3, 5, 190]] = 3e38
METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "forward")


def told(use, *given):
    """The only warning of a call, which names this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use(*given)
    (one,) = caught
    assert one.category is RuntimeWarning and one.filename == __file__
    return str(one.message)


@pytest.mark.parametrize("y, methods", [(THREE, METHODS), (TWO, METHODS), (
    LINE, ("predict", "forward")), (np.column_stack((TWO, TWO)), METHODS)])  # fmt: skip
@pytest.mark.parametrize("n_threads", [1, 2])
def test_every_prediction_counts_the_rows_whose_outputs_are_no_numbers(y, methods, n_threads):
    model = quick(hidden=(8, 8), epochs=1, n_threads=n_threads).fit(X, y)
    many = np.repeat(FAR, 40, axis=0)
    for name in methods:
        use = getattr(model, name)
        message = told(use, FAR)
        assert message.startswith("3 of 200 rows have outputs that are NaN")
        assert "numbers on the way overflow float32: the network's largest input is " in message
        assert told(use, many).startswith("120 of 8,000 rows have")
        assert told(use, FAR[3:4]).startswith("1 of 1 rows has outputs that are NaN")
        assert told(use, FAR[3:4].tolist()) == told(use, FAR[3:4])
    assert "3 of 200 rows have" in told(model.score, FAR, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in methods:
            getattr(model, name)(X)
            getattr(model, name)(X[:1])
        model.predict_one(FAR[3], check=False)  # looks at nothing
    assert told(lambda: model.predict_one(FAR[3])).startswith("1 of 1 rows has")
    row = FAR[3].copy()
    if y is LINE:  # an output may take the place of the inputs
        told(lambda: model.predict_one(row, out=row[:1]))


def test_the_message_names_the_largest_input_and_the_largest_weight():
    model = quick(epochs=1).fit(X, LINE)
    assert "overflow float32: the network's largest input is 3e+38, its" in told(model.predict, FAR)
    weights = [W.copy() for W in model.weights_]
    weights[0][:] = 3e38
    model.weights_ = weights
    assert "its largest weight 3e+38" in told(model.predict, X)


def test_infinite_regressions_are_told_of_and_an_infinite_score_of_a_class_is_its_largest():
    model = MLP((), output="exp", loss="mse", task="regression", epochs=1).fit(X, np.abs(LINE))
    far = np.full((2, X.shape[1]), 1e4, np.float32)
    model.weights_ = [np.ones((1, X.shape[1]))]
    assert "2 of 2 rows have outputs that are NaN or infinite" in told(model.predict, far)
    model = MLPClassifier((), output="exp", loss="mse", epochs=1).fit(X, THREE)
    model.weights_ = [np.repeat([[0.0], [1.0], [0.5]], X.shape[1], axis=1)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.predict(far[:1] / 100).tolist() == [1]


def test_the_difference_of_two_scores_may_overflow_alone():
    model = MLP((), output="softmax", epochs=1).fit(X, TWO)
    model.weights_ = [np.array([[1.0] + [0] * 4, [-1.0] + [0] * 4])]
    rows = np.zeros((3, 5), np.float32)
    rows[1, 0] = 3e38
    assert np.isfinite(rows).all()
    assert "1 of 3 rows has" in told(model.decision_function, rows)


def test_the_reference_implementation_tells_of_them_too():
    model = quick(epochs=1, backend="python").fit(X[:40], LINE[:40])
    model.weights_ = [W * 1e30 for W in model.weights_]
    assert "40 of 40 rows have" in told(model.forward, X[:40])
    model = MLP(8, "exp", loss="hinge", epochs=1, random_state=0, backend="python")
    model.fit(X[:40], THREE[:40])
    far = X[:40] * 1e5
    with pytest.warns(RuntimeWarning):
        unknown = np.isnan(model.forward(far)).any(axis=1).sum()
    assert 1 < unknown < 40
    message = told(model.predict, far)
    assert message.startswith(f"{unknown} of 40 rows have outputs that are NaN, as")


def test_scaled_inputs_count_as_the_network_reads_them():
    model = quick(epochs=1, scale_inputs="standard").fit(X * 1e-4, LINE)
    model.weights_ = [W * 10 for W in model.weights_]
    far = np.full((1, X.shape[1]), 1e34)
    message = told(model.predict, far)
    assert "largest input is" in message and "largest input is 1e+34" not in message
    assert told(lambda: model.predict_one(far[0])) == told(model.forward, far) == message


def test_a_row_gets_the_class_of_its_first_nan_alone_and_among_others_and_a_warning():
    rows = (2 * uniform(7, 0, 600 * 5).reshape(600, 5) - 1).astype(np.float32)
    model = MLP(8, "exp", loss="hinge", epochs=1, random_state=0).fit(
        rows[:300], np.arange(300) % 3
    )
    far = rows * 200  # every entry is finite, but exp is not
    with pytest.warns(RuntimeWarning, match="outputs that are NaN or infinite"):
        outputs = model.forward(far)
    unknown = np.isnan(outputs).any(axis=1)
    assert 0 < unknown.sum() < 600
    with pytest.warns(RuntimeWarning) as caught:
        together = model.predict(far)
    assert str(caught[0].message).startswith(
        f"{unknown.sum()} of 600 rows have outputs that are NaN,"
    )
    assert str(caught[0].message).endswith("; the classes predicted for them mean nothing")
    assert np.array_equal(together, outputs.argmax(axis=1))
    with pytest.warns(RuntimeWarning, match="NaN"):
        assert np.array_equal([model.predict(row[None])[0] for row in far], together)
    known = far[~unknown]
    assert np.array_equal(model.predict(known), together[~unknown])  # without a warning


@pytest.mark.parametrize("n_out", [1, 3, 16, 17, 40])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_output_of_any_row_is_enough(n_out, dtype, bad):
    network = Network((2, n_out), ("identity",), dtype)
    predictor = BatchPredictor(network)
    W = np.zeros((n_out, 2), dtype)
    W[-1, 0] = 1
    network.set_layer(0, W, np.zeros(n_out, dtype))
    for rows in (1, 5, 300):
        X = np.zeros((rows, 2), dtype)
        X[-1, 0] = bad
        predictor.forward(X)  # without a warning
        assert told(lambda: predictor.forward(X, warns=True)).startswith(
            f"{1} of {rows} rows has outputs that are NaN or infinite, as inputs are"
        )


def test_the_drop_in_tells_of_them_too():
    pytest.importorskip("sklearn", minversion="1.9")
    from cnn_core.sklearn import MLPClassifier, MLPRegressor
    from scipy import sparse

    options = {"hidden_layer_sizes": (8, 8), "max_iter": 9, "tol": 1e9, "n_iter_no_change": 1}
    options["random_state"] = 0
    for y in (THREE, TWO, np.column_stack((TWO, TWO))):
        model = MLPClassifier(**options).fit(X, y)
        for name in ("predict", "predict_proba", "predict_log_proba"):
            use = getattr(model, name)
            assert told(use, FAR).startswith("3 of 200 rows have")
            assert told(use, FAR[3:4]).startswith("1 of 1 rows has")
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                use(X)
    regressor = MLPRegressor(**options).fit(X, LINE)
    for rows in (FAR, sparse.csr_array(FAR)):
        assert "3 of 200 rows have" in told(regressor.predict, rows)
    regressor.coefs_[0][:] = np.nan
    assert "outputs that are NaN or infinite, as weights are" in told(regressor.predict, X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLPRegressor(**options).fit(X, LINE, X_val=FAR, y_val=LINE)  # scores of a fit are silent

"""The first rows of a stream: kept until there are ten to learn a scaling from."""

import pickle
import warnings

import numpy as np
import pytest

from cnn_core import MLP, MLPRegressor

RNG = np.random.default_rng(5)
U = RNG.random((40, 3))
X, Y = U * 1e4, np.sin(3 * U[:, 0]) * 1000 + 5000
WEIGHTS = RNG.integers(1, 4, 40)
LABELS = np.array(["low", "high"])[(Y > 5500).astype(int)]


def streamed(model, sizes, y=Y, weights=None, moves=False):
    first = 0
    for size in sizes:
        part = slice(first, first + size)
        options = {} if weights is None else {"sample_weight": weights[part]}
        if y is LABELS and not first:
            options["classes"] = ["high", "low"]
        model.partial_fit(X[part], y[part], **options)
        model = pickle.loads(pickle.dumps(model)) if moves else model
        first += size
    return model


def same(one, other):
    return (
        np.array_equal(one.parameters_, other.parameters_)
        and np.array_equal(one.predict(X), other.predict(X))
        and one.n_features_in_ == other.n_features_in_
    )


@pytest.mark.slow
@pytest.mark.parametrize("options", [
    {}, {"scale_inputs": "minmax"}, {"scale_inputs": "standard", "scale_targets": "standard"},
    {"scale_inputs": None}, {"scale_targets": None}, {"hidden": ()}, {"loss": "huber"},
    {"dtype": "float64", "optimizer": "sgd", "dropout": 0.2}, {"backend": "python"},
    {"clip_outputs": True}, {"init": "data_driven"},
    {"init": "data_driven", "scale_inputs": None, "scale_targets": None},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("sizes", [[1] * 10, [3, 3, 3, 3], [9, 1], [4, 12]], ids=str)
def test_ten_rows_in_pieces_train_as_a_first_call_with_all_of_them(options, sizes):
    options = {"hidden": 4, "random_state": 0} | options
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pieces = streamed(MLP(**options), [*sizes, 5, 1], moves=True)
        whole = streamed(MLP(**options), [sum(sizes), 5, 1])
    assert same(pieces, whole)
    assert pieces.n_epochs_ == len(sizes) + 2 and whole.n_epochs_ == 3
    assert pieces.history_["loss"] == whole.history_["loss"]
    assert pieces._fitted.first_rows is None


@pytest.mark.parametrize("y, weights", [(LABELS, None), (Y, WEIGHTS), (LABELS, WEIGHTS)])
def test_labels_and_weights_of_the_first_rows_count(y, weights):
    pieces, whole = (
        streamed(MLP(4, random_state=0), sizes, y, weights) for sizes in ([4, 4, 4], [12])
    )
    assert same(pieces, whole) and pieces._fitted.baseline == whole._fitted.baseline


def test_a_column_of_targets_and_rows_without_weights_are_first_rows_too():
    model = MLPRegressor(4, random_state=0).partial_fit(X[:5], Y[:5].tolist())
    model.partial_fit(X[5:8].tolist(), Y[5:8, None], sample_weight=[2, 2, 2])
    model.partial_fit(X[8:12].astype("float32"), Y[8:12].astype("float32"))
    rows = np.vstack((X[:8], X[8:12].astype("float32")))
    y = np.append(Y[:8], Y[8:12].astype("float32"))
    weights = np.repeat([1.0, 2.0, 1.0], [5, 3, 4])
    whole = MLPRegressor(4, random_state=0).partial_fit(rows, y, sample_weight=weights)
    assert same(model, whole)


def test_rows_that_need_no_scaling_do_not_begin_anew():
    rows = RNG.normal(size=(40, 3))
    models = [
        MLP(4, random_state=0, scale_inputs=kind, scale_targets=kind) for kind in ("auto", None)
    ]
    for model in models:
        for i in range(0, 40, 2):
            model.partial_fit(rows[i : i + 2], np.array([-1.0, 1.0]))
    assert np.array_equal(models[0].parameters_, models[1].parameters_)
    assert models[0].history_["loss"] == models[1].history_["loss"]
    assert models[0]._fitted.first_rows is None and len(models[0].history_["loss"]) == 20


def test_names_of_a_frame_stay_and_errors_count_the_rows_of_their_call():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    model = MLP(4, random_state=0)
    for first in range(0, 8, 4):
        model.partial_fit(frame[first : first + 4], Y[first : first + 4])
    bad = frame[8:12].copy()
    bad.iloc[1, 2] = np.nan
    fitted = model._fitted
    with pytest.raises(ValueError, match="row 1"):
        model.partial_fit(bad, Y[8:12])
    assert model._fitted is fitted
    model.partial_fit(frame[8:12], Y[8:12])
    assert model.feature_names_in_.tolist() == ["a", "b", "c"] and model._fitted.scaling is not None


def test_what_the_user_changes_later_does_not_change_the_first_rows():
    rows, y = X[:5].copy(), Y[:5].copy()
    model = MLP(4, random_state=0).partial_fit(rows, y)
    rows[:], y[:] = 7, 7
    assert same(model.partial_fit(X[5:12], Y[5:12]), streamed(MLP(4, random_state=0), [12]))


def test_weights_that_were_set_before_the_first_row_stay_those_that_training_begins_with():
    def prepared():
        model = MLP(4, random_state=0).initialize(n_features=3, n_outputs=1)
        model.parameters_ = np.linspace(-1, 1, len(model.parameters_))
        return model

    assert same(streamed(prepared(), [5, 5]), streamed(prepared(), [10]))


@pytest.mark.parametrize("sizes", [[20], [1] * 20, [7, 13]], ids=str)
def test_an_outlier_among_the_first_targets_does_not_set_their_scale(sizes):
    y = Y.copy()
    y[3] = 1e9
    with pytest.warns(UserWarning, match="y is 1e.09 in 1 row, far from the others") as caught:
        model = streamed(MLP(4, random_state=0), sizes, y)
    assert len(caught) == 1
    assert 100 < model.target_factor_[0] < 3000 and 4500 < model.target_shift_[0] < 6500
    plain = streamed(MLP(4, random_state=0), [20])
    assert plain.target_shift_ == pytest.approx([Y[:20].mean()], rel=1e-12)


@pytest.mark.slow
def test_a_stream_of_single_rows_is_learned():
    rng = np.random.default_rng(0)
    u = rng.random((5000, 2))
    rows, y = u * 1e4, np.sin(3 * u[:, 0]) * 1000 + 5000
    model = MLP(32, random_state=0)
    for i in range(len(rows)):
        model.partial_fit(rows[i : i + 1], y[i : i + 1])
    assert model.score(rows, y) > 0.9

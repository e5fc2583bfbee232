"""MLP: the life of an estimator, and data frames."""

import copy
import pickle

import numpy as np
import pytest
from mlp_cases import LINE, THREE, TWO, X, quick, with_entry

from cnn_core import MLP, SGD, Adam, NotFittedError

# Life of an estimator


def test_before_fit_everything_fitted_is_a_clear_error():
    model = MLP()
    for use in (
        lambda: model.predict(X),
        lambda: model.score(X, TWO),
        lambda: model.weights_,
        lambda: model.history_,
    ):
        with pytest.raises(NotFittedError, match="call fit first"):
            use()
    assert not hasattr(model, "classes_")


def test_pickles_and_deep_copies_predict_the_same_bits():
    model = quick(optimizer=SGD(0.1, momentum=0.9)).fit(X, np.array(["a", "b", "c"])[THREE])
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert other.forward(X).tobytes() == model.forward(X).tobytes()
        assert other.predict(X).tolist() == model.predict(X).tolist()
        assert other.history_ == model.history_ and repr(other) == repr(model)
    pickle.loads(pickle.dumps(MLP())).fit(X, TWO)


def test_changing_what_an_attribute_returned_does_not_change_the_model():
    model = quick(epochs=1).fit(X, TWO)
    before = model.forward(X)
    predicted = model.predict(X)
    model.history_["loss"].clear()
    assert np.array_equal(model.forward(X), before) and np.array_equal(model.predict(X), predicted)
    assert model.n_epochs_ == 1


@pytest.mark.parametrize(
    "change, error",
    [
        (lambda model: model.weights_[0].__setitem__(slice(None), 0), ValueError),
        (lambda model: model.weights_[1].fill(0), ValueError),
        (lambda model: model.biases_[0].__setitem__(0, 1), ValueError),
        (lambda model: model.parameters_.__setitem__(..., 0), ValueError),
        (lambda model: model.parameters_.sort(), ValueError),
        (lambda model: np.negative(model.weights_[0], out=model.weights_[0]), ValueError),
        (lambda model: model.weights_[0].T.__setitem__(0, 1), ValueError),
        (lambda model: model.weights_.__setitem__(0, model.weights_[0]), AttributeError),
        (lambda model: exec("model.weights_[0] = 1", {"model": model}), TypeError),
        (lambda model: exec("model.biases_[1] = 1", {"model": model}), TypeError),
        (lambda model: exec("model.weights_[0] *= 2", {"model": model}), ValueError),
        (lambda model: exec("del model.weights_[0]", {"model": model}), TypeError),
        (lambda model: model.biases_.append(1), AttributeError),
    ],
)
def test_a_change_of_weights_in_place_is_an_error(change, error):
    model = quick(epochs=1).fit(X, TWO)
    before = model.forward(X)
    with pytest.raises(error):
        change(model)
    assert np.array_equal(model.forward(X), before)


def test_whole_attributes_of_weights_can_be_assigned_to():
    model, other = quick(epochs=1).fit(X, TWO), quick(epochs=1, random_state=1).fit(X, TWO)
    model.weights_ = list(other.weights_)
    model.biases_ = other.biases_
    assert np.array_equal(model.parameters_, other.parameters_)
    model.parameters_ = 2 * model.parameters_
    assert np.array_equal(model.weights_[0], 2 * other.weights_[0])
    kept = model.weights_[0].copy()
    kept[:] = 0  # a copy may be changed
    model.weights_ = [kept, model.weights_[1]]
    assert (model.weights_[0] == 0).all()


def test_get_params_and_set_params_are_inverse():
    model = MLP(hidden=(3,), optimizer=Adam(beta1=0.5))
    assert MLP(**model.get_params()).get_params() == model.get_params()
    assert model.set_params(epochs=3, verbose=1) is model and model.epochs == 3
    with pytest.raises(ValueError, match="unknown parameter 'epoch'; it is called epochs here"):
        model.set_params(verbose=0, epoch=4)
    with pytest.raises(ValueError, match="batch_size"):
        model.set_params(epochs=9, batch_size=0)
    assert (model.epochs, model.verbose, model.batch_size) == (3, 1, 32)


def test_repr_names_what_differs_from_the_defaults():
    assert repr(MLP()) == "MLP()"
    assert repr(MLP((3, 4), "tanh", epochs=5)) == "MLP(hidden=(3, 4), activation='tanh', epochs=5)"
    assert eval(repr(MLP(hidden=7, optimizer=SGD(momentum=0.5)))).optimizer == SGD(momentum=0.5)


def test_initial_weights_can_be_handed_in_and_short_runs_start_from_them():
    init = [(np.full((2, 5), 0.25), np.array([0.5, -0.5])), (np.ones((1, 2)), np.zeros(1))]
    model = MLP(hidden=2, init=init, epochs=1, learning_rate=1e-30).fit(X, LINE)
    assert np.array_equal(model.weights_[0], init[0][0]) and np.array_equal(
        model.biases_[0], [0.5, -0.5]
    )
    with pytest.raises(ValueError, match=r"\(2, 5\)"):
        MLP(hidden=2, init=init[::-1]).fit(X, LINE)
    for wrong in (3, ["a", "b"], [1, [2, [3]]]):
        with pytest.raises((TypeError, ValueError), match="init"):
            MLP(hidden=2, init=wrong).fit(X, LINE)
    with pytest.raises(ValueError, match="W of init's hidden 1 has nan at row 1, column 2"):
        MLP(hidden=2, init=[(with_entry(init[0][0], (1, 2), np.nan), init[0][1]), init[1]]).fit(
            X, LINE
        )


def test_feature_names_of_a_data_frame_are_kept_and_checked():
    class Frame:
        def __init__(self, columns):
            self.columns = columns

        def __array__(self, dtype=None, copy=None):
            return X

    model = quick(epochs=1).fit(Frame(["a", "b", "c", "d", "e"]), TWO)
    assert model.feature_names_in_.tolist() == ["a", "b", "c", "d", "e"]
    model.predict(X)
    with pytest.raises(ValueError, match="missing: e; unknown: f"):
        model.predict(Frame(["a", "b", "c", "d", "f"]))
    with pytest.raises(ValueError, match="their order differs"):
        model.predict(Frame(["b", "a", "c", "d", "e"]))
    assert not hasattr(quick(epochs=1).fit(X, TWO), "feature_names_in_")


def test_scikit_learn_takes_it_in_pipelines_and_searches():
    from sklearn.base import clone, is_classifier, is_regressor
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = quick(task="classification")
    assert is_classifier(model) and is_regressor(quick(task="regression"))
    assert clone(model).get_params() == model.get_params()
    assert cross_val_score(model, X, THREE, cv=3).mean() > 0.8
    assert make_pipeline(StandardScaler(), model).fit(X, THREE).score(X, THREE) > 0.9
    search = GridSearchCV(quick(), {"hidden": [(2,), (16,)]}, cv=3).fit(X, THREE)
    assert search.predict(X).shape == (200,)


# Data frames


def test_data_frames_are_numbers_with_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcde"), index=range(100, 300))
    series = pandas.Series(TWO, index=frame.index)
    weights = pandas.Series(np.ones(200), index=frame.index)
    model = quick(epochs=3).fit(
        frame, series, sample_weight=weights, validation_data=(frame, series)
    )
    plain = quick(epochs=3).fit(X, TWO, sample_weight=np.ones(200))
    assert model.feature_names_in_.tolist() == list("abcde") and np.array_equal(
        model.parameters_, plain.parameters_
    )
    assert np.array_equal(model.predict(frame), plain.predict(X)) and model.score(
        frame, series
    ) == plain.score(X, TWO)
    with pytest.raises(ValueError, match="their order differs"):
        model.predict(frame[list("bacde")])
    with pytest.raises(TypeError, match="X must hold numbers, got <NA> in column 'b' .row 3.;"):
        with_gap = frame.astype("Float64")
        with_gap.iloc[3, 1] = pandas.NA
        model.predict(with_gap)


def test_weights_of_another_shape_are_refused_by_the_name_of_their_layer():
    model = quick(hidden=(4, 3), epochs=1).fit(X, TWO)
    weights, biases = list(model.weights_), list(model.biases_)
    before = model.parameters_
    with pytest.raises(
        ValueError, match=r"weights_\[1\], of hidden 2, must have shape \(3, 4\), got"
    ):
        model.weights_ = [weights[0], np.zeros((4, 4)), weights[2]]
    with pytest.raises(
        ValueError, match=r"biases_\[2\], of output, must have shape \(1,\), got \(2"
    ):
        model.biases_ = [*biases[:2], np.zeros(2)]
    assert np.array_equal(model.parameters_, before)

"""Pickles of one version, read by another: parameters missing and unknown, older and newer
formats."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from mlp_cases import LINE, THREE, TWO, X, quick

import cnn_core
from cnn_core import MLP, Adam, _state


def older(state):
    """The state of an estimator in a version without a SHA-256."""
    versions = dict(state[_state.KEY])
    del versions["sha256"]
    return {**state, _state.KEY: versions}


def rebuilt(model, **changes):
    """A model from the state that another would have in a version without a SHA-256; None takes an
    entry out."""
    state = older(model.__getstate__())
    for name, value in changes.items():
        if value is None:
            del state[name]
        else:
            state[name] = value
    other = object.__new__(type(model))
    other.__setstate__(state)
    return other


def of_sklearn(name="MLPClassifier", **options):
    sklearn = pytest.importorskip("cnn_core.sklearn")
    return getattr(sklearn, name)(
        hidden_layer_sizes=(4,), max_iter=50, tol=1.0, random_state=0, **options
    )


def test_a_state_says_its_format_and_the_library():
    for model in (MLP(), quick(epochs=1).fit(X, TWO), of_sklearn(), of_sklearn().fit(X, TWO)):
        saved = model.__getstate__()[_state.KEY]
        assert saved["format"] == _state.FORMAT and saved["version"] == cnn_core.__version__
        other = pickle.loads(pickle.dumps(model))
        assert _state.KEY not in vars(other) and _state.KEY not in vars(model)


@pytest.mark.parametrize("name", sorted(MLP().get_params()))
def test_any_parameter_that_is_missing_gets_its_default(name):
    model = MLP(4, epochs=2, random_state=0).fit(X, TWO)
    before = model.predict_proba(X)
    other = rebuilt(model, **{name: None})
    assert getattr(other, name) == MLP._defaults()[name]
    assert other.predict_proba(X).tobytes() == before.tobytes()
    assert repr(other) and other.set_params(epochs=1, hidden=4).get_params()
    other.partial_fit(X, TWO).fit(X, TWO)


@pytest.mark.parametrize("name", ["class_weight", "n_threads", "dropout", "compatible", "max_iter"])
def test_the_drop_in_fills_in_what_is_missing_too(name):
    sklearn = pytest.importorskip("sklearn")
    model = of_sklearn().fit(X, TWO)
    other = rebuilt(model, **{name: None})
    assert getattr(other, name) == getattr(type(model)(), name)
    assert np.array_equal(other.predict(X), model.predict(X)) and repr(other)
    sklearn.base.clone(other).set_params(max_iter=50).fit(X, TWO)


def test_what_is_not_a_parameter_may_be_missing():
    other = rebuilt(MLP(4, epochs=1), _fitted=None)
    assert other.fit(X, TWO).n_epochs_ == 1


def test_a_state_without_a_version_is_that_of_an_older_one():
    for model in (quick(epochs=2).fit(X, LINE), of_sklearn().fit(X, TWO)):
        other = rebuilt(model, **{_state.KEY: None})
        assert np.array_equal(other.predict(X), model.predict(X)) and repr(other) == repr(model)


@pytest.mark.parametrize("make", [lambda: quick(epochs=1).fit(X, TWO), MLP, of_sklearn])
def test_a_newer_format_warns_once_and_names_both_versions(make):
    model = make()
    newer = {"format": _state.FORMAT + 1, "version": "7.8.9", "attributes": []}
    with pytest.warns(UserWarning, match="format 3") as caught:
        rebuilt(model, **{_state.KEY: newer})
    (message,) = [str(warning.message) for warning in caught]
    assert "7.8.9" in message and cnn_core.__version__ in message and message.count(". ") == 0
    older = {"format": 0, "version": "0.0.1"}
    rebuilt(model, **{_state.KEY: older})  # without a warning


@pytest.mark.parametrize("make", [MLP, lambda: quick(epochs=1).fit(X, TWO), of_sklearn])
def test_an_unknown_parameter_is_kept_with_a_warning(make):
    with pytest.warns(UserWarning, match=r"cnn_core .* does not know, 'horizon': kept"):
        other = rebuilt(make(), horizon=3)
    assert other.horizon == 3 and "horizon" not in other.get_params() and repr(other)
    if isinstance(other, MLP):
        other.set_params(epochs=1).fit(X, TWO)


def test_attributes_of_the_users_own_are_no_surprise():
    for model in (quick(epochs=1).fit(X, TWO), of_sklearn().fit(X, TWO)):
        model.note = "mine"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for other in (
                pickle.loads(pickle.dumps(model)),
                copy.deepcopy(model),
                copy.copy(model),
            ):
                assert other.note == "mine"


def test_a_warning_points_at_the_line_that_unpickles():
    model = MLP(4)
    state = older(model.__getstate__()) | {"horizon": 3}

    class Saved:
        def __reduce__(self):
            return object.__new__, (MLP,), state

    data = pickle.dumps(Saved())
    with pytest.warns(UserWarning, match="horizon") as caught:
        pickle.loads(data)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("field", ["best_epoch", "state", "history"])
def test_a_fitted_model_may_lack_what_has_a_default(field):
    model = quick(epochs=2, optimizer=Adam()).fit(X, THREE)
    fitted = model._fitted
    state = _state.opened(fitted.__getstate__())
    del state[field]
    other = object.__new__(type(fitted))
    other.__setstate__(state | {"of the future": 1})
    model._fitted = other
    assert model.predict(X).shape == (200,)
    model.partial_fit(X, THREE)
    pickle.loads(pickle.dumps(model)).set_params(warm_start=True).fit(X, THREE)


def test_a_fitted_model_that_lacks_more_is_a_clear_error():
    fitted = quick(epochs=1).fit(X, THREE)._fitted
    state = _state.opened(fitted.__getstate__())
    del state["network"]
    with pytest.raises(ValueError, match="the pickled model is damaged.*: it has no 'network'"):
        object.__new__(type(fitted)).__setstate__(state)


def test_scikit_learns_own_warning_still_comes():
    exceptions = pytest.importorskip("sklearn.exceptions")
    model = of_sklearn().fit(X, THREE)
    binarizer = model._label_binarizer if hasattr(model, "_label_binarizer") else None
    if binarizer is None:
        binarizer = model._model.label_binarizer
    state = binarizer.__getstate__() | {"_sklearn_version": "0.1"}
    with pytest.warns(exceptions.InconsistentVersionWarning):
        object.__new__(type(binarizer)).__setstate__(state)

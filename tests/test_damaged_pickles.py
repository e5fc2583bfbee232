"""A damaged or edited pickle is an error, or gives what was pickled."""

import copy
import gc
import pickle
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from mlp_cases import LINE, THREE, X, quick

from cnn_core import MLP, Cosine, _state

KINDS = {
    "classes": lambda: quick(epochs=2, early_stopping=True).fit(X * 50, np.array([*"abc"])[THREE]),
    "numbers": lambda: quick(epochs=2, learning_rate=Cosine(), hidden=(3, 2)).fit(X, LINE),
    "first rows": lambda: MLP(3, random_state=0, class_weight={0: 2.0}).partial_fit(
        X[:5], np.array([0, 1, 0, 1, 1])
    ),
    "the reference implementation": lambda: quick(backend="python", epochs=1).fit(
        X[:20], LINE[:20]
    ),
    "not fitted": lambda: MLP(7, init=[(np.ones((1, 2)), None)]),
    "drop-in": lambda: of_sklearn("MLPClassifier").fit(X, THREE),
    "drop-in of numbers": lambda: of_sklearn("MLPRegressor").fit(X, LINE),
}


def of_sklearn(name):
    sklearn = pytest.importorskip("cnn_core.sklearn")
    options = dict(hidden_layer_sizes=(4,), max_iter=50, tol=1.0, random_state=0)
    return getattr(sklearn, name)(**options)


def content(model):
    """All that a pickle holds, as one text."""

    def shown(value):
        if isinstance(value, np.ndarray):
            return value.dtype.str, value.shape, value.tolist()
        if isinstance(value, (list, tuple)):
            return [*map(shown, value)]
        return repr(value)

    fitted = [name for name in dir(model) if name.endswith("_") and not name.startswith("_")]
    values = {name: getattr(model, name, None) for name in fitted if name != "label_binarizer_"}
    parameters = {name: shown(value) for name, value in model.get_params().items()}
    return repr(({name: shown(value) for name, value in values.items()}, parameters))


@pytest.fixture
def arrays_of_damaged_types(monkeypatch):
    """NumPy unpickles a dtype whose flags are damaged, and tells of it where its arrays are freed:
    here, and not during another test."""
    monkeypatch.setattr(sys, "unraisablehook", lambda found: None)
    yield
    gc.collect()


@pytest.fixture
def bounded_memory():
    """A damaged pickle may name the memo's entry 3,000,000,000: CPython's unpickler then makes a
    table with room for all those before, 18 GB and more."""
    if sys.platform != "linux":
        yield
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    most = pages * resource.getpagesize() + (1 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (most, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("arrays_of_damaged_types", "bounded_memory")
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("most", [60, pytest.param(10**6, marks=pytest.mark.slow)])
def test_a_changed_byte_is_an_error_or_changes_nothing(name, most):
    model = KINDS[name]()
    data, whole = pickle.dumps(model), content(model)
    sealed = _sealed_bytes(data)
    random.seed(0)
    inside = set(sealed)
    everywhere = [i for i in range(len(data)) if i not in inside]
    some = [random.sample(places, min(len(places), most)) for places in (everywhere, sealed)]
    kinds = []
    for at in some[0] + some[1]:
        for mask in (0xFF, 1 << random.randrange(8)):
            changed = bytearray(data)
            changed[at] ^= mask
            try:
                found = pickle.loads(bytes(changed))
            except ValueError:
                continue
            except Exception as error:  # pickle tells in its way of what is no pickle any more
                kinds.append((at, mask, error))
                continue
            if type(found) is type(model):
                assert at not in sealed and content(found) == whole, (at, mask)
    assert [one for one in kinds if one[0] in sealed] == []


def _sealed_bytes(data):
    """Where the pickles within a pickle stand."""
    places = []

    class Unpickler(pickle._Unpickler):
        def load_binbytes(self):
            length = int.from_bytes(self.read(4), "little")
            self._take(length)

        def load_short_binbytes(self):
            self._take(self.read(1)[0])

        def _take(self, length):
            found = self.read(length)
            self.append(found)
            start = data.find(found)
            if found[:2] == b"\x80\x05":
                places.extend(range(start, start + length))

        dispatch = dict(pickle._Unpickler.dispatch)
        dispatch[pickle.BINBYTES[0]] = load_binbytes
        dispatch[pickle.SHORT_BINBYTES[0]] = load_short_binbytes

    import io

    Unpickler(io.BytesIO(data)).load()
    return places


@pytest.mark.parametrize("name", ["classes", "numbers", "drop-in", "drop-in of numbers"])
@pytest.mark.parametrize("other", [np.nan, 1e30, 0.0])
def test_a_weight_of_another_value_is_an_error(name, other):
    model = KINDS[name]()
    weights = model.parameters_ if hasattr(model, "parameters_") else model.coefs_[0]
    data, bits = pickle.dumps(model), weights.tobytes()[:8]
    assert data.count(bits)
    edited = data.replace(bits, np.array([other] * 2, weights.dtype).tobytes()[:8])
    with pytest.raises(ValueError, match="the pickled model is damaged, .* SHA-256"):
        pickle.loads(edited)


@pytest.mark.parametrize("name", ["classes", "drop-in", "not fitted"])
@pytest.mark.parametrize("change", ["random_state", "batch_size", "verbose"])
def test_a_parameter_of_another_value_is_an_error(name, change):
    state = KINDS[name]().__getstate__()
    with pytest.raises(ValueError, match=r"the pickled MLP\w* is damaged, .* SHA-256"):
        object.__new__(type(KINDS[name]())).__setstate__({**state, change: 3})


@pytest.mark.parametrize("name", ["classes", "drop-in"])
@pytest.mark.parametrize("state", [None, 3, [], (1, 2), {"pickle": 3, "sha256": b""}])
def test_a_state_of_another_kind_is_an_error(name, state):
    model = KINDS[name]()
    fitted = getattr(model, "_fitted", None) or model._model
    for kind, error in ((type(fitted), "model"), (type(model), type(model).__name__)):
        if kind is not type(fitted) and isinstance(state, (dict, list)):
            continue  # parameters of a version without a SHA-256
        with pytest.raises(ValueError, match=f"the pickled {error} is damaged"):
            object.__new__(kind).__setstate__(state)


@pytest.mark.parametrize("name", KINDS)
def test_copies_and_pickles_are_whole(name):
    model = KINDS[name]()
    for other in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model, 2))):
        assert content(other) == content(model)


class Changed(MLP):
    """A class that leaves out of its pickles what it does not want there."""

    def __getstate__(self):
        return {**super().__getstate__(), "verbose": 0, "callbacks": ()}


def test_a_class_may_change_its_state():
    model = Changed(3, epochs=1, verbose=1, random_state=0).fit(X, LINE)
    other = pickle.loads(pickle.dumps(model))
    assert other.verbose == 0 and np.array_equal(other.predict(X), model.predict(X))


def test_what_a_parameter_holds_may_be_of_any_kind():
    itself = [1]
    itself.append(itself)
    estimator = MLP(3, callbacks=lambda model, epoch, logs: None, class_weight={0: 1.0, "a": 2})
    estimator.callbacks, estimator.class_weight = itself, {10**5000: np.float32(2), None: {1, 2}}
    other = pickle.loads(pickle.dumps(estimator))
    assert other.class_weight == estimator.class_weight
    estimator.hidden = itself
    assert len(pickle.loads(pickle.dumps(estimator)).hidden) == 2


def test_a_model_that_no_fit_leaves_is_an_error_behind_a_right_digest():
    fitted = KINDS["numbers"]()._fitted
    state = _state.opened(fitted.__getstate__())
    for name, value in (("seed", -1), ("task", None), ("baseline", "3"), ("best_epoch", 99)):
        with pytest.raises(ValueError, match=f"the pickled model is damaged, .*: {name}"):
            object.__new__(type(fitted)).__setstate__(_state.sealed({**state, name: value}))

"""Any arguments of fit, predict, partial_fit and evaluate: a valid result, or one clear TypeError
or ValueError; never another exception, and never a change of the model by a refused call."""

import contextlib
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cnn_core import MLP

FEATURES = 3
SEED = st.integers(0, 2**16)
KINDS = [
    "f4", "f8", ">f4", ">f8", "f2", "i1", "u1", "i2", "i4", "i8", "u8", ">i4", "?", "c8", "O", "U3",
    "S2", "M8[s]", "m8[s]", "V4", "g", "i4,f4",
]  # fmt: skip
SPECIAL = [np.nan, np.inf, -np.inf, 1e300, -1e38, 1e-310, 3.5e38, 2.0**63, 0.0, -0.0]

#: What is no array.
ODD = [
    None, 0, 1.5, "text", b"bytes", [], {}, set(), object(), [[]], [[1, 2], [3]], [None] * 5,
    range(5), [[1, "a", 2]] * 5, float("nan"), lambda: 0, np.float32(2), [1] * 5, ["a"] * 5,
    [[0.5, 1, 2]] * 5, [True, False] * 3, np.ma.masked_array([1, 2, 3], [0, 1, 0]), 10**400,
    [10**400] * 5, [[np.nan, 1, 2]] * 5, MLP, [1, None, "x", 2.0, True], iter("abc"),
]  # fmt: skip


@st.composite
def arrays(draw):
    """An array of some dtype, shape, order, strides and byte order."""
    rows, columns = (
        draw(st.sampled_from([0, 1, 2, 5, 5, 5, 8])),
        draw(st.sampled_from([0, 1, 3, 3, 4])),
    )
    shape = draw(
        st.sampled_from(
            [(rows, columns), (rows, columns), (rows,), (), (rows, columns, 2), (1, rows)]
        )
    )
    dtype = np.dtype(draw(st.sampled_from(KINDS)))
    rng = np.random.default_rng(draw(SEED))
    numbers = rng.integers(0, draw(st.sampled_from([1, 2, 3, 100])), size=shape)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            array = numbers.astype(dtype)
        except (TypeError, ValueError):
            array = np.zeros(shape, dtype)
        if dtype.kind == "f" and array.size and draw(st.booleans()):
            array.flat[rng.integers(array.size)] = draw(st.sampled_from(SPECIAL))
    if array.ndim:
        way = draw(st.sampled_from(["C", "F", "reversed", "every other", "broadcast", "read-only"]))
        if way == "F":
            array = np.asfortranarray(array)
        elif way == "reversed":
            array = array[::-1]
        elif way == "every other":
            array = np.repeat(array, 2, axis=0)[::2]
        elif way == "broadcast":
            array = np.broadcast_to(array[:1], array.shape) if len(array) else array
        elif way == "read-only":
            array.flags.writeable = False
        elif draw(st.booleans()) and dtype.kind in "fiu":
            raw = np.zeros(array.nbytes + 1, np.uint8)  # not aligned
            raw[1:] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            array = raw[1:].view(dtype).reshape(array.shape)
    return array


VALUES = st.one_of(arrays(), arrays(), arrays(), st.sampled_from(ODD))
X_LIKE = st.one_of(
    SEED.map(lambda seed: np.random.default_rng(seed).normal(size=(5, FEATURES))), VALUES
)
Y_LIKE = st.one_of(SEED.map(lambda seed: np.random.default_rng(seed).integers(0, 3, 5)), VALUES)

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 5), st.sampled_from([2**31, 2**63, 2**70, -(2**63)]),
    st.floats(allow_nan=True, allow_infinity=True), st.sampled_from(["", "relu", "auto", "none"]),
    st.sampled_from([(), (1,), [2, 2], (0,), ("relu", 3), {}, {0: 1.0}, {0: 1e308}, {"a": -1}, b"x",
                     np.float32(0.5), np.int64(3), np.array(2), np.array([1, 2]), object(), 1j]),
)  # fmt: skip

#: Parameters that change how much work there is: their odd values only, and no long trainings.
LONG = {"epochs", "hidden", "batch_size", "callbacks", "verbose", "max_seconds", "checkpoint"}
PARAMETERS = sorted(set(MLP().get_params()) - LONG)

quiet = settings(
    deadline=None, max_examples=60, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
longer = settings(quiet, max_examples=1500, derandomize=False)


@contextlib.contextmanager
def one_clear_error():
    """The block succeeds or raises a TypeError or ValueError of one sentence, not of a stranger."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (TypeError, ValueError) as error:
            text = str(error)
            assert text and "NoneType" not in text and "subscriptable" not in text, text
            assert len(text) < 1500 and "\n\n" not in text, text


def fitted():
    rng = np.random.default_rng(0)
    return MLP(4, epochs=1, random_state=0).fit(rng.normal(size=(12, FEATURES)), np.arange(12) % 3)


MODEL = fitted()
PROBE = np.linspace(-1, 1, 4 * FEATURES).reshape(4, FEATURES)


def check_predictions(X):
    before = MODEL.forward(PROBE)
    for method in (MODEL.predict, MODEL.predict_proba, MODEL.forward, MODEL.predict_one):
        with one_clear_error():
            answer = np.asarray(method(X))
            assert answer.size == 0 or answer.dtype.kind in "fiub"
    assert np.array_equal(MODEL.forward(PROBE), before)


def check_training(X, y, weights, parameters, method):
    try:
        model = MLP(4, epochs=1, random_state=0, **parameters)
    except (TypeError, ValueError):
        return
    with one_clear_error():
        if method == "evaluate":
            MODEL.evaluate(X, y)
        elif method == "partial_fit after fit":
            model = fitted()
            before = model.forward(PROBE)
            try:
                model.partial_fit(X, y, sample_weight=weights)
            except (TypeError, ValueError):
                assert np.array_equal(model.forward(PROBE), before)
                raise
        else:
            getattr(model, method)(X, y, sample_weight=weights)
            answer = model.forward(np.zeros((2, model.n_features_in_)))
            assert len(answer) == 2


METHODS = st.sampled_from(["fit", "partial_fit", "partial_fit after fit", "evaluate"])
WEIGHTS = st.one_of(st.none(), st.none(), VALUES)
PARAMETER = st.one_of(
    st.just({}), st.tuples(st.sampled_from(PARAMETERS), SCALARS).map(lambda pair: dict([pair]))
)


@pytest.mark.slow
@quiet
@given(VALUES)
@example(np.zeros((0, FEATURES)))
@example(np.zeros(()))
@example(np.zeros((2, FEATURES), ">f8"))
def test_any_rows_are_predicted_or_refused(X):
    check_predictions(X)


@quiet
@given(X_LIKE, Y_LIKE, WEIGHTS, PARAMETER, METHODS)
def test_any_data_are_trained_on_or_refused(X, y, weights, parameters, method):
    check_training(X, y, weights, parameters, method)


@pytest.mark.slow
@longer
@given(VALUES)
def test_many_rows_are_predicted_or_refused(X):
    check_predictions(X)


@pytest.mark.slow
@longer
@given(X_LIKE, Y_LIKE, WEIGHTS, PARAMETER, METHODS)
def test_many_data_are_trained_on_or_refused(X, y, weights, parameters, method):
    check_training(X, y, weights, parameters, method)

"""``MLP(monotone=..., convex=...)`` and what `certify` proves."""

import itertools
import pickle

import numpy as np
import pytest
from cnn_core._activations import activation
from cnn_core.constraints.allowed import CONVEX, NEVER_FALL
from training_cases import numbers

import cnn_core
from cnn_core import ELU, MLP, Ensemble, LeakyReLU, MLPClassifier

X = numbers(5, 300, 4)
Y = np.tanh(3 * X[:, 0]) + X[:, 0] * np.maximum(X[:, 3], 0) - X[:, 1] ** 3 + np.sin(4 * X[:, 2])
BENT = X[:, 0] ** 2 - np.abs(X[:, 1]) + X[:, 2] ** 3 + X[:, 3]


def quick(**options):
    return MLP(**dict(hidden=(16, 8), epochs=8, random_state=0) | options)


def pairs(dtype, rows=3000):
    """Rows, and others that are larger in column 0 and smaller in column 1, some by an ulp."""
    first = numbers(9, rows, 4).astype(dtype)
    second = first.copy()
    step = (10.0 ** np.linspace(-9, 0, rows)).astype(dtype)
    second[:, 0] += step
    second[:, 1] -= step[::-1]
    second[::3, :2] = np.nextafter(first[::3, :2], np.array([np.inf, -np.inf], dtype))
    return first, second


HIDDEN = [name for name in NEVER_FALL if name not in ("step", "sign")]


@pytest.mark.parametrize("name", [*HIDDEN, LeakyReLU(0.3), ELU(2.0)])
def test_predictions_never_fall_where_that_is_promised(name, dtype, isa):
    model = quick(activation=name, monotone={0: 1, 1: -1}, dtype=dtype, learning_rate=3e-3)
    with np.errstate(over="ignore"):
        model.fit(X, Y)
    low, high = pairs(dtype)
    assert (model.predict(low) <= model.predict(high)).all()
    assert (model.predict(low) < model.predict(high)).mean() > 0.5
    one = model.predict_one
    assert all(one(a)[0] <= one(b)[0] for a, b in zip(low[:50], high[:50]))
    found = model.certify()
    assert found.monotone[:2].tolist() == [1, -1]


@pytest.mark.parametrize("name", NEVER_FALL)
def test_activations_never_fall_from_one_number_to_the_next(name, dtype, isa):
    centres = numbers(3, 400) * 10.0 ** np.linspace(-6, 2.3, 400)
    joints = [0.0, 1.0, -1.0, 2.5, -2.5, 3.0, -3.0, -87.3, 88.7, -103.9, -708.3, 709.7, -745.1]
    bits, kind = {"float32": (np.int32, np.float32), "float64": (np.int64, np.float64)}[dtype]
    at = np.concatenate((centres, joints)).astype(kind)
    z = (at.view(bits)[:, None] + np.arange(-64, 64, dtype=bits)).view(kind)
    z = np.sort(np.where(np.isfinite(z), z, 0), axis=1)
    a = activation(name, z)
    assert (a[:, 1:] >= a[:, :-1]).all()


def test_probabilities_of_two_classes_and_of_labels_rise():
    labels = (Y > 0).astype(int)
    low, high = pairs("float32", 500)
    one = MLPClassifier(16, monotone={0: 1, 1: -1}, epochs=8, random_state=0).fit(X, labels)
    assert (one.predict_proba(low)[:, 1] <= one.predict_proba(high)[:, 1]).all()
    several = quick(monotone={0: 1, 1: -1}).fit(X, np.column_stack((labels, X[:, 0] > 0)))
    assert (several.predict_proba(low) <= several.predict_proba(high)).all()
    assert several.certify().monotone[:2].tolist() == [1, -1]


def test_what_is_not_declared_is_learned_freely():
    model = quick(hidden=(32, 32), monotone={0: 1, 1: -1}, epochs=200).fit(X, Y)
    free = quick(hidden=(32, 32), epochs=200).fit(X, Y)
    assert model.score(X, Y) > 0.97 and model.score(X, Y) > free.score(X, Y) - 0.02
    assert np.isnan(model.certify().monotone[2])


@pytest.mark.parametrize("name", sorted(CONVEX))
def test_predictions_bend_the_way_that_is_promised(name):
    model = quick(activation=name, convex={0: 1, 1: -1}, epochs=30, dtype="float64").fit(X, BENT)
    t = np.linspace(-1.5, 1.5, 61)
    rows = np.repeat(numbers(2, 20, 1, 4), 61, axis=1)
    for column, sign in ((0, 1), (1, -1)):
        line = rows.copy()
        line[:, :, column] = t
        y = model.predict(line.reshape(-1, 4)).reshape(20, 61)
        assert (sign * np.diff(y, 2) >= -1e-12).all()
    bends = model.certify().convex[:2].tolist()
    assert bends == ([0, 0] if name == "identity" else [1, -1])


def test_monotone_and_convex_go_together():
    model = quick(monotone={2: 1}, convex={0: 1, 1: -1, 2: 0}, epochs=200).fit(X, BENT)
    found = model.certify()
    assert found.convex[:2].tolist() == [1, -1] and found.monotone[2] == 1
    assert model.score(X, BENT) > 0.95


def test_the_certificate_agrees_with_all_paths_of_any_network():
    """A net of random signs, compared with the signs of the products along every path."""
    for seed in range(30):
        model = quick(hidden=(3, 2), activation="relu", random_state=seed).initialize(X[:, :2], Y)
        flat = numbers(seed, 3 * 2 + 3 + 6 + 2 + 2 + 1)
        flat[np.abs(flat) < 0.6] = 0
        model.parameters_ = flat
        W = model.weights_
        found = model.certify()
        for i in range(2):
            products = {
                float(np.sign(W[0][j, i] * W[1][k, j] * W[2][0, k]))
                for j, k in itertools.product(range(3), range(2))
            } - {0.0}
            wanted = np.nan if len(products) == 2 else max(products, default=0.0)
            np.testing.assert_equal(found.monotone[i], wanted)


def test_the_certificate_says_nothing_of_what_it_cannot_prove():
    for options in (dict(activation="tanh"), dict(scale_inputs="robust_clip")):
        assert np.isnan(quick(**options).fit(X, Y).certify().monotone).all()
    periodic = quick(numeric_embedding="periodic", hidden=(), activation="relu").fit(X, Y)
    assert np.isnan(periodic.certify().monotone).all()
    softmax = quick(hidden=()).fit(X, np.digitize(Y, [-0.3, 0.3]))
    assert np.isnan(softmax.certify().monotone).all()
    linear = quick(hidden=()).fit(X, Y).certify()
    assert linear.monotone.tolist()[:2] == [1, -1] and linear.convex.tolist() == [0] * 4
    nothing = quick(hidden=()).fit(X, Y)
    nothing.parameters_ = np.zeros(5)
    assert nothing.certify().monotone.tolist() == [0] * 4
    clipped = quick(hidden=(), clip_outputs=True).fit(X, Y).certify()
    assert clipped.monotone[0] == 1 and np.isnan(clipped.convex).all()


def test_columns_of_tables_are_declared_by_name_and_may_have_gaps():
    table = {"age": X[:, 0].copy(), "price": X[:, 1], "city": ["a", "b", "c"] * 100}
    table["age"][::7] = np.nan
    model = quick(columns="auto", monotone={"age": 1, "price": -1}).fit(table, Y)
    assert repr(model.certify()).split("\n") == [
        "column  outputs        curve",
        "----------------------------",
        "age     rise",
        "price   fall",
        "city    not certified",
    ]
    embedded = quick(columns={"city": "embedding"}, monotone={"age": 1}).fit(table, Y)
    assert embedded.certify().monotone[0] == 1


@pytest.mark.filterwarnings("ignore:monotone=.* does not fit the training rows")
def test_a_promise_travels_in_files_and_pickles_and_is_kept_by_what_follows(tmp_path):
    model = quick(monotone={0: 1, 1: -1}, convex={3: 0}).fit(X, Y)
    model.save(tmp_path / "model.safetensors")
    for other in (cnn_core.load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        assert other.monotone == {0: 1, 1: -1} and other.convex == {3: 0}
        assert other._fitted.training_spec == model._fitted.training_spec
        other.partial_fit(X, -Y)
        assert other.certify().monotone[:2].tolist() == [1, -1]
    model.set_params(warm_start=True).fit(X, -Y)
    assert model.certify().monotone[:2].tolist() == [1, -1]


def test_a_stream_whose_first_rows_are_few_keeps_its_promise():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = quick(monotone={"a": 1, "b": -1})
    for first in range(0, 300, 5):
        model.partial_fit(frame[first : first + 5], Y[first : first + 5])
    assert model.certify().monotone[:2].tolist() == [1, -1]


@pytest.mark.parametrize("epochs", [3, 100])
@pytest.mark.parametrize("hidden", [(), 16])
def test_a_column_that_goes_against_its_sign_is_told_and_one_with_it_is_not(hidden, epochs):
    options = dict(hidden=hidden, epochs=epochs)
    words = r"monotone=\{0: -1\} does not fit .* y rises with column 0, .*; say 1 or leave it free"
    for columns in ([0, 2], [0]):
        with pytest.warns(UserWarning, match=words):
            quick(monotone={0: -1}, **options).fit(X[:, columns], X[:, columns].sum(axis=1))
        quick(monotone={0: 1}, **options).fit(X[:, columns], X[:, columns].sum(axis=1))
    with pytest.warns(UserWarning, match=words):
        quick(monotone={0: -1}, **options).fit(X, X[:, 0] > 0)
    quick(monotone={0: -1}, **options).fit(X, np.cos(3 * X[:, 1]))


@pytest.mark.parametrize("epochs", [3, 100])
def test_a_column_that_bends_against_its_sign_is_told(epochs):
    words = r"convex=\{0: -1\} does not fit .* y bends up with column 0, .*; say 1 or leave"
    with pytest.warns(UserWarning, match=words):
        quick(convex={0: -1}, epochs=epochs).fit(X, X[:, 0] ** 2)
    quick(convex={0: 1}, epochs=epochs).fit(X, X[:, 0] ** 2)


def test_weights_that_break_the_promise_are_refused():
    layers = [(np.ones((2, 4)), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))]
    with pytest.raises(ValueError, match=r"keep W1\[1, 0\] at most 0, and init has 1"):
        quick(hidden=2, init=layers, monotone={0: 1}).fit(X, Y)
    kept = quick(monotone={0: 1}).fit(X, Y)
    before = kept.parameters_
    with pytest.raises(ValueError, match=r"keep W1\[0, 0\] at least 0, and what is assigned has -"):
        kept.weights_ = [-W for W in kept.weights_]
    with pytest.raises(ValueError, match="what is assigned has"):
        kept.parameters_ = -before
    assert (kept.parameters_ == before).all()
    kept.parameters_ = before
    free = quick(warm_start=True).fit(X, Y)
    before = free.parameters_
    with pytest.raises(ValueError, match="the fitted model that training goes on with has"):
        free.set_params(monotone={0: 1}).fit(X, Y)
    assert np.array_equal(free.parameters_, before)


THREE = np.digitize(Y, [-0.3, 0.3])


@pytest.mark.parametrize("options, kind, words", [
    (dict(monotone=[1, 0]), TypeError, r"monotone must be a dict such as \{'age': 1"),
    (dict(monotone={0: 2}), ValueError, "monotone of 0 must be 1, for outputs that rise with it"),
    (dict(convex={0: "up"}), TypeError, "convex of 0 must be 1, for outputs that are convex in it"),
    (dict(monotone={1.5: 1}), TypeError, "monotone must name columns, or give their numbers"),
    (dict(monotone={4: 1}), ValueError, "those of X are numbered from 0 to 3"),
    (dict(monotone={"a": 1}), ValueError, "the features of X have no names"),
    (dict(monotone={0: 1}, activation="tanh"), ValueError, "'tanh' of hidden layer 1 does"),
    (dict(convex={0: 1}, activation="sigmoid"), ValueError, "'sigmoid' of hidden layer 1 is not"),
    (dict(convex={0: 1}, activation=LeakyReLU(2.0)), ValueError, "convex and never fall"),
    (dict(monotone={0: 1}, optimizer="lbfgs"), ValueError, "LBFGS minimises over all weights"),
    (dict(monotone={0: 1}, numeric_embedding="periodic"), ValueError, "turns numbers into waves"),
    (dict(monotone={0: 1}, scale_inputs="robust_clip"), ValueError, "a linear scaling of the"),
    (dict(convex={0: 1, 1: -1}, hidden=(4, 1)), ValueError, "need two units or more in each"),
    (dict(convex={0: 1}, clip_outputs=True), ValueError, "whose limits bend the other way"),
])  # fmt: skip
def test_what_cannot_be_kept_is_refused(options, kind, words):
    with pytest.raises(kind, match=words):
        quick(**options).fit(X, Y)


def test_outputs_that_cannot_keep_it_are_refused():
    with pytest.raises(ValueError, match="the probabilities of 3 classes share a softmax"):
        quick(monotone={0: 1}).fit(X, THREE)
    with pytest.raises(ValueError, match="convex needs the output 'identity'"):
        quick(convex={0: 1}).fit(X, THREE > 0)
    with pytest.raises(ValueError, match="the probabilities of 3 classes share a softmax"):
        quick(monotone={0: 1}).initialize(n_features=4, classes=[0, 1, 2])


def test_a_mean_is_certified_where_all_its_models_are():
    promised = [quick(monotone={0: 1, 1: -1}, random_state=seed).fit(X, Y) for seed in range(3)]
    assert Ensemble(promised).certify().monotone[:2].tolist() == [1, -1]
    other = quick(hidden=(), learning_rate=0.1).fit(X[:, [1, 0, 2, 3]], Y)
    found = Ensemble([*promised, other]).certify().monotone
    assert np.isnan(found[:2]).all()
    linear = Ensemble([quick(hidden=()).fit(X, Y) for _ in range(2)]).certify()
    assert linear.monotone.tolist()[:2] == [1, -1] and linear.convex.tolist() == [0] * 4
    low, high = pairs("float32", 500)
    mean = Ensemble(promised)
    assert (mean.predict(low) <= mean.predict(high)).all()

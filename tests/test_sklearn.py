"""cnn_core.sklearn against scikit-learn itself: the same stream, the same weights to rounding, the
same words."""

import re
import subprocess
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.9")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

import cnn_core.sklearn as ours
import sklearn.neural_network as theirs
from scipy import sparse
from sklearn import datasets
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.preprocessing import scale

RNG = np.random.default_rng(5)


def bundled(name):
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return scale(X), scale(y) if name == "diabetes" else y


DATA = {name: bundled(name) for name in ("iris", "wine", "breast_cancer", "digits", "diabetes")}
X, THREE = DATA["iris"]
TWO = (THREE == 1).astype(int)
MANY = np.column_stack((TWO, X[:, 1] > 0, X[:, 2] > 0)).astype(int)
LINE = X @ [1.0, -2, 0.5, 3]
LINES = np.column_stack((LINE, np.sin(X[:, 0]), X[:, 1] ** 2))
COUNTS = RNG.poisson(np.exp(0.3 * X[:, 0])).astype(float)
WEIGHTS = RNG.uniform(0.1, 3, 150)


def arrays(model):
    return model.coefs_ + model.intercepts_


def distance(a, b):
    """The largest difference of two models' weights, relative to the largest weight of each
    array."""
    return max(
        np.abs(v - w).max() / np.abs(w).max() for v, w in zip(arrays(a), arrays(b), strict=True)
    )


def pair(kind, **options):
    """An estimator of this package and scikit-learn's."""
    of_ours = {name: options.pop(name) for name in ("compatible", "dtype") if name in options}
    options = dict(random_state=0, max_iter=20) | options
    return getattr(ours, f"MLP{kind}")(**options, **of_ours), getattr(theirs, f"MLP{kind}")(
        **options
    )


def agree(a, b, X, limit=1e-9, loss=True):
    assert distance(a, b) < limit
    for name in (
        "n_iter_",
        "t_",
        "n_layers_",
        "n_outputs_",
        "out_activation_",
        "n_features_in_",
        "classes_",
    ):
        assert np.array_equal(getattr(a, name, None), getattr(b, name, None)), name
    for name in (
        "validation_scores_",
        "best_validation_score_",
        "loss_",
        "loss_curve_",
        "best_loss_",
    )[: None if loss else 2]:
        one, other = getattr(a, name, None), getattr(b, name, None)
        assert (one is None) == (other is None), name
        if other is not None:
            np.testing.assert_allclose(one, other, rtol=limit, atol=1e-300, err_msg=name)
    if hasattr(b, "predict_proba"):
        for method in ("predict_proba", "predict_log_proba"):
            with np.errstate(divide="ignore"):  # log 0, where a model is sure
                np.testing.assert_allclose(
                    getattr(a, method)(X), getattr(b, method)(X), rtol=100 * limit, atol=1e-14
                )
        assert (
            np.array_equal(a.predict(X), b.predict(X)) and a.predict(X).dtype == b.predict(X).dtype
        )
    else:
        np.testing.assert_allclose(a.predict(X), b.predict(X), rtol=100 * limit, atol=100 * limit)


# The same weights


@pytest.mark.slow
@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_after_twenty_epochs_the_weights_are_those_of_scikit_learn(name, activation, solver):
    rows, y = DATA[name]
    a, b = pair(
        "Regressor" if name == "diabetes" else "Classifier", solver=solver, activation=activation
    )
    agree(a.fit(rows, y), b.fit(rows, y), rows)


VARIANTS = {
    "mini-batches": (THREE, dict(batch_size=37)),
    "one row a mini-batch": (THREE, dict(batch_size=1, max_iter=3)),
    "in order": (THREE, dict(batch_size=40, shuffle=False)),
    "three layers": (THREE, dict(hidden_layer_sizes=(16, 9, 5), batch_size=32)),
    "an int for the layers": (THREE, dict(hidden_layer_sizes=7)),
    "no hidden layer": (THREE, dict(hidden_layer_sizes=(), batch_size=32)),
    "no penalty": (THREE, dict(alpha=0.0, batch_size=32)),
    "a strong penalty": (TWO, dict(alpha=3.0, batch_size=32)),
    "other moments": (TWO, dict(beta_1=0.5, beta_2=0.9, epsilon=1e-2, learning_rate_init=0.03)),
    "plain momentum": (THREE, dict(solver="sgd", nesterovs_momentum=False, batch_size=32)),
    "full momentum": (THREE, dict(solver="sgd", momentum=1.0, batch_size=32)),
    "no momentum": (THREE, dict(solver="sgd", momentum=0, batch_size=32, learning_rate_init=0.3)),
    "invscaling": (
        THREE,
        dict(solver="sgd", learning_rate="invscaling", learning_rate_init=0.3, power_t=0.3),
    ),
    "adaptive": (
        THREE,
        dict(solver="sgd", learning_rate="adaptive", tol=0.02, n_iter_no_change=2, max_iter=200),
    ),
    "stopped by tol": (THREE, dict(tol=0.05, n_iter_no_change=3, max_iter=200)),
    "never stopped": (THREE, dict(tol=1e9, n_iter_no_change=np.inf)),
    "early stopping of two classes": (TWO, dict(early_stopping=True, max_iter=60, batch_size=32)),
    "early stopping of several": (
        THREE,
        dict(early_stopping=True, max_iter=60, n_iter_no_change=4, compatible=True),
    ),
    "early stopping, adaptive": (
        TWO,
        dict(early_stopping=True, solver="sgd", learning_rate="adaptive", max_iter=80),
    ),
    "several labels": (MANY, dict(batch_size=32)),
    "several labels, lbfgs": (MANY, dict(solver="lbfgs")),
    "several labels, early stopping": (MANY, dict(early_stopping=True)),
    "sparse labels": (sparse.csr_matrix(MANY), {}),
    "text labels": (np.array(["ant", "bee", "cat"])[THREE], {}),
    "yes or no": (TWO.astype(bool), {}),
    "one class": (np.full(150, 7), {}),
    "one class, early stopping": (np.full(150, 7), dict(early_stopping=True)),
}


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_classification_agrees(variant):
    y, options = VARIANTS[variant]
    a, b = pair("Classifier", **options)
    a.fit(X, y), b.fit(X, y)
    if sparse.issparse(y):
        assert (
            distance(a, b) < 1e-9
            and sparse.issparse(a.predict(X))
            and (a.predict(X) != b.predict(X)).nnz == 0
        )
    else:
        agree(a, b, X)


def test_where_there_is_one_class_it_is_what_is_predicted_and_judged():
    for seed in range(4):  # untrained, some say no
        a, b = pair(
            "Classifier",
            early_stopping=True,
            learning_rate_init=1e-9,
            random_state=seed,
            max_iter=2,
        )
        agree(a.fit(X, np.full(150, 7)), b.fit(X, np.full(150, 7)), X)
        assert a.validation_scores_ == [1.0, 1.0]


@pytest.mark.parametrize(
    "y, options",
    [
        (LINE, dict(batch_size=32)),
        (LINE[:, None], {}),
        (LINE, dict(early_stopping=True, max_iter=60)),
        (COUNTS, dict(loss="poisson", batch_size=32)),
        (COUNTS, dict(loss="poisson", solver="lbfgs")),
        (LINES, dict(compatible=True, batch_size=32)),
        (LINES, dict(compatible=True, solver="lbfgs")),
        (LINES, dict(compatible=True, early_stopping=True)),
        (np.abs(LINES), dict(loss="poisson", batch_size=32)),
    ],
)
@pytest.mark.filterwarnings("ignore:A column-vector y")
def test_regression_agrees(y, options):
    a, b = pair("Regressor", **options)
    agree(a.fit(X, y), b.fit(X, y), X)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, y, options",
    [
        ("Classifier", THREE, {}),
        ("Classifier", THREE, dict(batch_size=32)),
        ("Classifier", TWO, dict(solver="lbfgs")),
        ("Classifier", MANY, dict(solver="sgd", batch_size=32)),
        ("Classifier", TWO, dict(early_stopping=True, batch_size=20)),
        ("Regressor", LINE, dict(batch_size=32)),
        ("Regressor", LINE, dict(early_stopping=True)),
        ("Regressor", COUNTS, dict(loss="poisson", batch_size=32)),
        ("Regressor", COUNTS, dict(loss="poisson", solver="lbfgs")),
        ("Regressor", LINES, dict(compatible=True, batch_size=32)),
    ],
)
def test_weighted_rows_agree(kind, y, options):
    a, b = pair(kind, **options)
    agree(a.fit(X, y, WEIGHTS), b.fit(X, y, WEIGHTS), X)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1e-300, 1e300])
@pytest.mark.parametrize(
    "kind, y", [("Classifier", THREE), ("Classifier", TWO), ("Regressor", LINE)]
)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_very_small_and_large_weights_agree(size, kind, y, solver):
    # Divided by weights of 1e-300 the penalty would be all there is.
    a, b = pair(kind, batch_size=32, solver=solver, alpha=0.0 if size < 1 else 1e299)
    weights = size * WEIGHTS
    agree(a.fit(X, y, weights), b.fit(X, y, weights), X)


@pytest.mark.parametrize(
    "kind, y",
    [("Classifier", THREE), ("Classifier", TWO), ("Classifier", MANY), ("Regressor", LINE)],
)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_warm_starts_agree(kind, y, solver):
    a, b = pair(
        kind, warm_start=True, solver=solver, max_iter=7, batch_size=32, learning_rate="invscaling"
    )
    for _ in range(3):
        agree(a.fit(X, y), b.fit(X, y), X)


def test_warm_starts_of_lbfgs_agree():
    a, b = pair("Classifier", warm_start=True, solver="lbfgs", max_iter=5)
    for _ in range(2):
        agree(a.fit(X, THREE), b.fit(X, THREE), X)


@pytest.mark.parametrize(
    "options", [dict(compatible=True), dict(random_state=np.random.RandomState(1))]
)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fits_agree(options, solver):
    a, b = (
        pair("Classifier", **options, solver=solver, batch_size=20, learning_rate="invscaling")[i]
        for i in (0, 1)
    )
    if "random_state" in options:
        a.set_params(random_state=np.random.RandomState(1))
        b.set_params(random_state=np.random.RandomState(1))
    for part in np.array_split(np.arange(150), 4):
        a.partial_fit(X[part], THREE[part], WEIGHTS[part], classes=[0, 1, 2])
        b.partial_fit(X[part], THREE[part], WEIGHTS[part], classes=[0, 1, 2])
        agree(a, b, X)
    a.fit(X, THREE), b.fit(X, THREE)
    agree(a.partial_fit(X, THREE), b.partial_fit(X, THREE), X)


def test_a_first_partial_fit_of_several_labels_or_a_regression_agrees():
    a, b = pair("Classifier")
    agree(a.partial_fit(X, MANY, classes=[0, 1, 2]), b.partial_fit(X, MANY, classes=[0, 1, 2]), X)
    a, b = pair("Regressor", batch_size=32)
    agree(a.partial_fit(X, LINE), b.partial_fit(X, LINE), X)


@pytest.mark.parametrize("seed", [None, np.random])
def test_a_stream_that_others_share_is_left_where_scikit_learn_leaves_it(seed):
    found = []
    for i in (0, 1):
        np.random.seed(3)
        model = pair("Classifier", random_state=None if seed is None else np.random.mtrand._rand)[i]
        model.set_params(early_stopping=True).fit(X, TWO)
        found.append((model, np.random.random_sample()))
    assert distance(*(model for model, _ in found)) < 1e-9 and found[0][1] == found[1][1]


def test_float32_is_trained_in_float32_and_stays_near():
    rows = X.astype("float32")
    for kind, y in (("Classifier", THREE), ("Regressor", LINE.astype("float32"))):
        a, b = pair(kind)
        a.fit(rows, y), b.fit(rows, y)
        assert {array.dtype for array in arrays(a)} == {np.dtype("float32")} and distance(
            a, b
        ) < 1e-4
        out = "predict_proba" if kind == "Classifier" else "predict"
        for given in (rows, X, np.round(X).astype(int)):
            one, other = getattr(a, out)(given), getattr(b, out)(given)
            assert one.dtype == other.dtype
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    a, b = pair("Classifier", solver="lbfgs")
    assert a.fit(rows, THREE).coefs_[0].dtype == b.fit(rows, THREE).coefs_[0].dtype == np.float64
    assert distance(a, b) < 1e-3  # theirs computes some products in float32


@pytest.mark.slow
@pytest.mark.parametrize(
    "convert",
    [
        sparse.csr_matrix,
        sparse.csc_matrix,
        sparse.csr_array,
        sparse.coo_matrix,
        np.asfortranarray,
        list,
        lambda X: X.tolist(),
    ],
)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_rows_of_any_kind_agree(convert, solver):
    rows = np.where(np.abs(X) > 0.7, X, 0)
    a, b = pair("Classifier", solver=solver, batch_size=32)
    agree(a.fit(convert(rows), THREE), b.fit(rows, THREE), rows)
    np.testing.assert_allclose(a.predict_proba(convert(rows)), b.predict_proba(rows), rtol=1e-7)


def test_sparse_rows_are_made_dense_some_mini_batches_at_a_time(monkeypatch):
    from cnn_core.sklearn import _weights

    rows = sparse.csr_matrix(np.where(np.abs(X) > 0.7, X, 0))
    monkeypatch.setattr(_weights, "DENSE_BYTES", 4 * 8 * 50)  # 50 rows: one mini-batch of 32
    seen = []
    monkeypatch.setattr(
        "cnn_core.sklearn._rows.dense_rows",
        lambda *args: seen.append(args[0].shape[0]) or args[0].toarray(),
    )
    for options in ({}, dict(early_stopping=True, compatible=True)):
        a, b = pair("Classifier", batch_size=32, **options)
        agree(a.fit(rows, THREE, WEIGHTS), b.fit(rows.toarray(), THREE, WEIGHTS), rows)
    a, b = pair("Regressor", batch_size=32, loss="poisson")
    agree(a.fit(rows, COUNTS, WEIGHTS), b.fit(rows.toarray(), COUNTS, WEIGHTS), rows)
    assert max(seen) == 32


# The same words


def caught(call):
    """(warnings, error) of a call, as classes and texts."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        error = None
        try:
            call()
        except Exception as raised:
            error = type(raised), re.sub("0x[0-9A-F]+", "somewhere", str(raised))
    return [(one.category, str(one.message)) for one in seen], error


CALLS = {
    "epochs used up": lambda C, R: C(max_iter=2).fit(X, THREE),
    "lbfgs not converged": lambda C, R: C(max_iter=2, solver="lbfgs").fit(X, THREE),
    "lbfgs out of calls": lambda C, R: C(max_fun=2, solver="lbfgs").fit(X, THREE),
    "large batch": lambda C, R: C(batch_size=151, tol=10).fit(X, THREE),
    "a column": lambda C, R: C(tol=10).fit(X, THREE[:, None]),
    "no layer of 0": lambda C, R: C(hidden_layer_sizes=(3, 0)).fit(X, THREE),
    "no negative layer": lambda C, R: C(hidden_layer_sizes=-1).fit(X, THREE),
    "batch of 0": lambda C, R: C(batch_size=0).fit(X, THREE),
    "alpha below 0": lambda C, R: C(alpha=-1).fit(X, THREE),
    "a generator": lambda C, R: C(random_state=np.random.default_rng(0)).fit(X, THREE),
    "no patience": lambda C, R: C(n_iter_no_change=None).fit(X, THREE),
    "a text for shuffle": lambda C, R: C(shuffle="yes").fit(X, THREE),
    "momentum above 1": lambda C, R: R(momentum=2).fit(X, LINE),
    "nan": lambda C, R: C().fit(np.where(X > 1, np.nan, X), THREE),
    "infinity": lambda C, R: C().fit(np.where(X > 1, np.inf, X), THREE),
    "one dimension": lambda C, R: C().fit(X[0], THREE),
    "no rows": lambda C, R: C().fit(X[:0], THREE[:0]),
    "other lengths": lambda C, R: C().fit(X, THREE[:9]),
    "no y": lambda C, R: C().fit(X, None),
    "a regression target": lambda C, R: C().fit(X, LINE),
    "several multiclass labels": lambda C, R: C().fit(X, np.column_stack((THREE, THREE))),
    "weights of 0": lambda C, R: C().fit(X, THREE, np.zeros(150)),
    "weights of other length": lambda C, R: C().fit(X, THREE, np.ones(9)),
    "few to judge": lambda C, R: R(early_stopping=True).fit(X[:5], LINE[:5]),
    "no share to judge": lambda C, R: C(early_stopping=True, validation_fraction=0).fit(X, TWO),
    "a class of one": lambda C, R: C(early_stopping=True).fit(X[:4], [0, 0, 0, 1]),
    "not fitted": lambda C, R: C().predict(X),
    "other features": lambda C, R: C(tol=10).fit(X, THREE).predict(X[:, :3]),
    "partial: no classes": lambda C, R: C().partial_fit(X, THREE),
    "partial: other classes": lambda C, R: (
        C().partial_fit(X, THREE, classes=[0, 1, 2]).partial_fit(X, THREE, classes=[1, 2])
    ),
    "partial: unknown class": lambda C, R: C().partial_fit(X, THREE, classes=[0, 1]),
    "partial: early stopping": lambda C, R: C(early_stopping=True).partial_fit(
        X, THREE, classes=[0, 1, 2]
    ),
    "partial: lbfgs": lambda C, R: C(solver="lbfgs").partial_fit(X, THREE, classes=[0, 1, 2]),
    "warm: other classes": lambda C, R: C(warm_start=True, tol=10).fit(X, THREE).fit(X, TWO),
}


@pytest.mark.parametrize("call", CALLS)
def test_warnings_and_errors_have_the_words_of_scikit_learn(call):
    one, other = (
        caught(lambda: CALLS[call](module.MLPClassifier, module.MLPRegressor))
        for module in (ours, theirs)
    )
    assert one == other and (one[0] or one[1])


@pytest.mark.parametrize(
    "options, name",
    [
        (dict(activation="rleu"), "activation"),
        (dict(solver="newton"), "solver"),
        (dict(learning_rate="fast"), "learning_rate"),
    ],
)
def test_where_more_is_allowed_an_error_names_all_of_it(options, name):
    for module in (ours, theirs):
        with pytest.raises(
            ValueError, match=f"The '{name}' parameter of MLPClassifier must be .*Got '"
        ):
            module.MLPClassifier(**options).fit(X, THREE)


@pytest.mark.parametrize(
    "kind, y, options",
    [
        ("Classifier", THREE, dict(max_iter=3)),
        ("Classifier", TWO, dict(early_stopping=True, tol=0.9, max_iter=50)),
        (
            "Regressor",
            LINE,
            dict(solver="sgd", learning_rate="adaptive", tol=0.5, n_iter_no_change=1, max_iter=50),
        ),
        ("Classifier", THREE, dict(tol=5, n_iter_no_change=2)),
        ("Classifier", THREE, dict(solver="lbfgs", max_iter=3)),
    ],
)
def test_what_is_printed_is_what_scikit_learn_prints(kind, y, options, capsys):
    texts = []
    for model in pair(kind, **options, verbose=True):
        model.fit(X, y)
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] and (texts[0] or options["solver"] == "lbfgs")


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_the_constructor_is_scikit_learns_with_more_at_its_end(kind):
    from inspect import signature

    one, other = (signature(getattr(module, f"MLP{kind}")) for module in (ours, theirs))
    shared = list(one.parameters.values())[: len(other.parameters)]
    untyped = [parameter.replace(annotation=parameter.empty) for parameter in shared]
    assert untyped == list(other.parameters.values())
    assert all(
        more.kind == more.KEYWORD_ONLY for more in list(one.parameters.values())[len(shared) :]
    )
    for method in ("fit", "partial_fit", "predict", "score"):
        one, other = (
            list(signature(getattr(getattr(module, f"MLP{kind}"), method)).parameters)
            for module in (ours, theirs)
        )
        assert one[: len(other)] == other and set(one) - set(other) <= {
            "X_val", "y_val", "checkpoint", "checkpoint_every",
        }  # fmt: skip
    public = {name for name in dir(getattr(theirs, f"MLP{kind}")) if not name.startswith("_")}
    assert public <= set(dir(getattr(ours, f"MLP{kind}")))


def test_fitted_attributes_are_those_of_scikit_learn():
    for kind, y, options in (
        ("Classifier", THREE, {}),
        ("Regressor", LINE, dict(early_stopping=True)),
        ("Classifier", TWO, dict(solver="lbfgs")),
    ):
        a, b = pair(kind, **options)
        a.fit(X, y), b.fit(X, y)
        public = [name for name in dir(a) if name.endswith("_") and not name.startswith("_")]
        assert {name for name in public if hasattr(a, name)} == {
            name for name in vars(b) if name.endswith("_")
        }
        assert not any(hasattr(clone(a), name) for name in public)
        assert all(array.flags.c_contiguous and array.flags.writeable for array in arrays(a))
        assert [array.shape for array in arrays(a)] == [array.shape for array in arrays(b)]


# The module


def test_without_scikit_learn_the_import_says_what_to_install():
    code = (
        "import sys; sys.modules['sklearn'] = None\nimport cnn_core\n"
        "try:\n    import cnn_core.sklearn\nexcept ImportError as error:\n    print(error)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert (
        out
        == "cnn_core.sklearn needs scikit-learn, 1.7 or later: pip install 'scikit-learn>=1.7'\n"
    )


def test_a_model_that_is_not_fitted_says_so():
    for call in (lambda m: m.predict(X), lambda m: m.predict_proba(X), lambda m: m.score(X, THREE)):
        with pytest.raises(NotFittedError, match="This MLPClassifier instance is not fitted yet"):
            call(ours.MLPClassifier())
    with pytest.warns(ConvergenceWarning):
        ours.MLPClassifier(max_iter=1).fit(X, THREE)

"""Fitted models of every kind, for the tests of model files: `CASES` has a function for each that
returns (model, X, y)."""

import warnings
from functools import partial
from unittest import mock

import numpy as np
from cnn_core.activations import ELU, LeakyReLU
from cnn_core.initializers import Normal, Orthogonal
from cnn_core.losses import Huber
from cnn_core.optimizers import LBFGS, OPTIMIZERS, SGD, Adam, Rprop
from cnn_core.schedules import (
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    OneCycle,
    ReduceOnPlateau,
    StepDecay,
    Warmup,
)
from cnn_core.tabular import recipe

from cnn_core import (
    MLP,
    Embedding,
    Ensemble,
    MLPClassifier,
    MLPRegressor,
    PeriodicEmbedding,
    TabularMLP,
    _activations,
)

RNG = np.random.default_rng(7)
X = RNG.normal(size=(40, 3))
TWO = np.where(X[:, 0] + X[:, 1] > 0, 1, 0)
THREE = np.digitize(X[:, 0] + 0.5 * X[:, 1], [-0.5, 0.5])
LINE = 20 + 3 * X[:, 0] - X[:, 1]
PLANE = np.column_stack((LINE, 100 * X[:, 2]))
COUNTS = RNG.poisson(3.0, size=40).astype(float)
SHARES = 1 / (1 + np.exp(-LINE))
YES_OR_NO = (X > 0).astype(int)
WEIGHTS = RNG.uniform(0.1, 2, size=40)
#: Beside X a column of categories.
EMBEDDED = np.column_stack((X, np.arange(40) % 7))


class Mine(MLP):
    """A class of a user's own with parameters of its own."""

    def __init__(self, hidden=(5,), epochs=3, extra=1):
        super().__init__(hidden=hidden, epochs=epochs, random_state=3)
        self.extra = extra


def quietly(call, *arguments, **named):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*arguments, **named)


def fitted(y=TWO, kind=MLP, rows=X, fit=None, **options):
    """A model that has seen few rows for few epochs; with `fit`, arguments of its fit."""
    given = {"hidden": (6, 4), "epochs": 3, "random_state": 1, "batch_size": 16} | options
    if options.get("optimizer") in ("lbfgs", "rprop") or isinstance(
        options.get("optimizer"), (LBFGS, Rprop)
    ):
        given["batch_size"] = "full"
    model = kind(**given)
    quietly(model.fit, rows, y, **fit or {})
    return model, rows, y


def calibrated():
    """A regression that knows how far y lies from its predictions."""
    model, rows, y = fitted(LINE)
    return model.calibrate(rows, y + 0.01), rows, y


def of_stream(calls, rows=5, **options):
    """A model of some calls of partial_fit."""
    model = MLP(hidden=(4,), random_state=2, **options)
    for i in range(calls):
        part = slice(i * rows % 40, i * rows % 40 + rows)
        quietly(model.partial_fit, X[part] * [1, 10, 100], LINE[part])
    return model, X, LINE


def of_long_stream():
    """A model that has forgotten the first entries of its history."""
    with mock.patch("cnn_core.history.STREAMED", 5):
        return of_stream(9, learning_rate=ReduceOnPlateau(2))


class Frame:
    """Rows whose columns have names, without pandas."""

    def __init__(self, rows, *names):
        self.rows, self.columns, self.shape = rows, np.array(names, object), rows.shape

    def __array__(self, dtype=None, copy=None):
        return self.rows.astype(dtype or self.rows.dtype)

    def __len__(self):
        return len(self.rows)


def with_names(**options):
    """A model that knows the names of its features."""
    return fitted(rows=Frame(X, "a", "größe", "\ud800"), **options)


def untrained(y, **sizes):
    model = MLP(hidden=(5,), random_state=4)
    model.initialize(**sizes)
    return model, X, y


def changed():
    """Weights that were assigned, not learned."""
    model, rows, y = fitted()
    model.parameters_ = model.parameters_ * 2
    return model, rows, y


LABELS = {
    "int64": np.array([-5, 7, 1000]),
    "int8": np.array([-5, 7, 100], np.int8),
    "uint64": np.array([1, 2, 2**64 - 1], np.uint64),
    "big-endian": np.array([1, 2, 300], ">i4"),
    "float64": np.array([0.1, 0.5, 1e300]),
    "float16": np.array([0.5, 1.5, 2.5], np.float16),
    "bool": np.array([False, True, True]),
    "text": np.array(["ash", "birch, cedar", "größe \ud800"]),
    "bytes": np.array([b"ash", b"\xff\x01", b"cedar"]),
    "object": np.array(["ash", "birch", "cedar"], object),
    "object-int": np.array([1, 2**40, 3], object),
    "object-bytes": np.array([b"ash", b"\xff", b"z"], object),
    "object-bool": np.array([False, True, True], object),
}

CASES = {
    "plain": fitted,
    "three": partial(fitted, THREE),
    "float64": partial(fitted, THREE, dtype="float64"),
    "dtype": partial(fitted, dtype=np.float64),
    "python": partial(fitted, THREE, backend="python"),
    "python, float64": partial(fitted, LINE, backend="python", dtype="float64", optimizer="nadam"),
    "python, lbfgs": partial(fitted, LINE, backend="python", optimizer="lbfgs"),
    "monitor": partial(fitted, THREE, early_stopping=True, monitor="val_metric"),
    "no hidden layer": partial(fitted, hidden=()),
    "many layers": partial(fitted, hidden=(2,) * 30),
    "regression": partial(fitted, LINE),
    "two outputs": partial(fitted, PLANE),
    "one column": partial(fitted, LINE[:, None]),
    "multilabel": partial(fitted, YES_OR_NO),
    "one-hot": partial(fitted, np.eye(3)[THREE], loss="categorical_crossentropy"),
    "one-hot of two": partial(fitted, np.eye(2)[TWO], loss="categorical_crossentropy"),
    "softmax of two": partial(fitted, output="softmax"),
    "perceptron": partial(fitted, hidden=(), output="step", optimizer=SGD(1.0), batch_size=1),
    "no bias": partial(fitted, THREE, bias=False),
    "no bias, init": partial(
        fitted, LINE, bias=False, hidden=2, init=[(np.ones((2, 3)), None), (np.ones((1, 2)), None)]
    ),
    "init": partial(
        fitted,
        LINE,
        hidden=2,
        init=[
            (np.ones((2, 3), "float32"), np.zeros(2)),
            ([[1, 2]], (0.5,)),
        ],
    ),
    "epochs 0": partial(fitted, epochs=0),
    "untrained": partial(untrained, TWO, n_features=3, classes=[0, 1, 7]),
    "untrained regression": partial(untrained, PLANE, n_features=3, n_outputs=2),
    "changed": changed,
    "early stopping": partial(
        fitted, THREE, early_stopping=True, patience=2, epochs=30, learning_rate=0.05
    ),
    "best epoch": partial(
        fitted, LINE, early_stopping=True, patience=3, epochs=40, learning_rate=0.3
    ),
    "tol": partial(fitted, LINE, tol=0.5, epochs=50, patience=2),
    "step history": partial(fitted, step_history=True),
    "diverged": partial(fitted, LINE, optimizer="sgd", learning_rate=1e6, scale_targets=None),
    "validation": partial(fitted, fit={"validation_data": (X[:9], TWO[:9])}),
    "sample weights": partial(fitted, LINE, fit={"sample_weight": WEIGHTS}),
    "class weights": partial(fitted, THREE, class_weight={np.int64(0): 2.0, 2: np.float32(0.5)}),
    "class weights, bytes": partial(
        fitted, LABELS["bytes"].astype(object)[THREE], class_weight={b"\xff\x01": 2.0}
    ),
    "balanced": partial(fitted, THREE, class_weight="balanced"),
    "penalties": partial(
        fitted, THREE, l1=0.01, l2=0.1, max_norm=1.0, clip_norm=0.5, label_smoothing=0.1
    ),
    "dropout": partial(fitted, THREE, dropout=(0.1, 0.2, 0.3), activation="selu"),
    "large seed": partial(fitted, random_state=2**128 + 1),
    "generator": partial(fitted, random_state=np.random.default_rng(1)),
    "random state": partial(fitted, random_state=np.random.RandomState(1)),
    "no seed": partial(fitted, random_state=None),
    "numpy numbers": partial(
        fitted, hidden=np.array([4, 3]), epochs=np.int32(2), l2=np.float32(0.1), shuffle=np.bool_(1)
    ),
    "range": partial(fitted, hidden=range(3, 5), verbose=0, n_threads=2),
    "warm start": partial(fitted, warm_start=True),
    "activations": partial(fitted, activation=["gelu", LeakyReLU(0.2)]),
    "elu": partial(fitted, activation=ELU(0.7), output="elu", task="regression", loss="mse"),
    "names": with_names,
    "names of targets": partial(fitted, Frame(PLANE, "größe", "\ud800")),
    "classifier": partial(fitted, TWO.astype(float), MLPClassifier),
    "regressor": partial(fitted, THREE, MLPRegressor),
    "derived": lambda: (quietly(Mine(extra=None).fit, X, TWO), X, TWO),
    "scaled targets": partial(fitted, PLANE, scale_targets="standard", clip_outputs=True),
    "unscaled": partial(fitted, LINE, scale_inputs=None, scale_targets=None),
    "clipped": partial(fitted, LINE, scale_targets=None, clip_outputs=True),
    "constant column": partial(fitted, rows=X * [1, 0, 1000]),
    "embedded column": partial(fitted, LINE, rows=EMBEDDED, columns={3: Embedding(2)}),
    "embedded columns": partial(
        fitted,
        THREE,
        rows=EMBEDDED[:, 2:],
        columns={0: "embedding", 1: Embedding()},
        dtype="float64",
    ),
    "periodic embeddings": partial(
        fitted, LINE, numeric_embedding=PeriodicEmbedding(5, 2), init="data_driven"
    ),
    "periodic and embedded columns": partial(
        fitted, THREE, rows=EMBEDDED, columns={3: Embedding(2)}, numeric_embedding="periodic"
    ),
    "calibrated": calibrated,
    "monotone and convex": partial(fitted, LINE, monotone={0: 1, 1: -1}, convex={2: 1}),
    "stream": partial(of_stream, 8),
    "first rows": partial(of_stream, 1),
    "stream, steps": partial(of_stream, 3, step_history=True),
    "stream, lbfgs": partial(of_stream, 3, optimizer="lbfgs"),
    "long stream": of_long_stream,
}
CASES |= {
    f"labels of {name}": partial(fitted, labels[THREE], task="classification")
    for name, labels in LABELS.items()
}
CASES |= {
    f"scale_inputs {kind}": partial(fitted, rows=X * [1, 50, 9000], scale_inputs=kind)
    for kind in ("auto", "minmax", "standard", "robust", "robust_clip", "robust_asinh")
}
CASES |= {
    f"optimizer {name}": partial(fitted, LINE, optimizer=name, dtype=dtype)
    for name, dtype in zip(OPTIMIZERS, 9 * ("float32", "float64"))
}
CASES |= {
    f"optimizer {one}": partial(fitted, LINE, optimizer=one)
    for one in (
        SGD(0.05, momentum=0.9, nesterov=True),
        Adam(0.01, 0.8, 0.99, 1e-3),
        LBFGS(0.5, memory=3, max_evaluations=4),
        Rprop(0.02, 0.4, 1.3, 1e-4, 0.1),
    )
}
CASES |= {
    f"learning_rate {type(rate).__name__}": partial(fitted, learning_rate=rate)
    for rate in (
        0.02,
        Constant(0.02),
        StepDecay(2, 0.3),
        Exponential(0.8, initial=0.01),
        InverseTime(0.5),
        Cosine(0.001, initial=0.02),
        Warmup(2, Exponential(0.7), initial=0.02),
        OneCycle(initial=0.05),
        ReduceOnPlateau(1, 0.5, 0.1, initial=0.02),
    )
}
CASES |= {
    f"init {init}": partial(fitted, init=init)
    for init in ("he", "glorot", "lecun", "normal", "orthogonal", Normal(0.3), Orthogonal(1.5))
}
CASES |= {
    f"activation {name}": partial(fitted, LINE, activation=name)
    for name in _activations.names()
    if name not in ("step", "sign")
}
CASES |= {
    f"loss {loss}, {name}": partial(fitted, y, loss=loss, task=task)
    for loss, targets in {
        "mse": ("two", "three", "line", "plane", "labels"),
        "mae": ("two", "line"),
        "huber": ("line",),
        "poisson": ("counts",),
        "binary_crossentropy": ("two", "shares", "labels"),
        "categorical_crossentropy": ("three",),
        "sparse_categorical_crossentropy": ("three",),
        "hinge": ("two", "three", "labels"),
    }.items()
    for name, y, task in (
        ("two", TWO, "classification"),
        ("three", THREE, "classification"),
        ("labels", YES_OR_NO, "classification"),
        ("line", LINE, "regression"),
        ("plane", PLANE, "regression"),
        ("counts", COUNTS, "regression"),
        ("shares", SHARES, "regression"),
    )
    if name in targets
}
CASES["loss perceptron"] = partial(fitted, hidden=(), output="sign", loss="perceptron")
CASES["loss Huber"] = partial(fitted, LINE, loss=Huber(0.2))


def of_sklearn(name, y, partial_fits=0, fit=None, **options):
    """One of scikit-learn's estimators, fitted."""
    import cnn_core.sklearn

    kind = getattr(cnn_core.sklearn, name)
    model = kind(**{"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0} | options)
    quietly(model.fit, X, y, **fit or {})
    for _ in range(partial_fits):
        quietly(model.partial_fit, X, y)
    return model, X, y


def with_integer_weights():
    model, rows, y = of_sklearn("MLPRegressor", LINE)
    model.coefs_ = [np.round(3 * W).astype(int) for W in model.coefs_]
    return model, rows, y


#: The same of scikit-learn's estimators.
SKLEARN = {
    f"{name}, {solver}, {kind}": partial(of_sklearn, name, y, solver=solver, **options)
    for solver in ("adam", "sgd", "lbfgs")
    for name, kind, y, options in (
        ("MLPClassifier", "two", TWO, {}),
        ("MLPClassifier", "three", LABELS["text"][THREE], {"activation": "tanh"}),
        ("MLPClassifier", "multilabel", YES_OR_NO, {"activation": "logistic"}),
        ("MLPRegressor", "line", LINE, {"activation": "identity"}),
        ("MLPRegressor", "plane", PLANE, {"alpha": 0.1}),
    )
}
SKLEARN |= {
    "sklearn, partial_fit": partial(of_sklearn, "MLPClassifier", THREE, 2),
    "sklearn, early stopping": partial(
        of_sklearn, "MLPClassifier", THREE, early_stopping=True, n_iter_no_change=np.inf
    ),
    "sklearn, weights": partial(of_sklearn, "MLPRegressor", LINE, fit={"sample_weight": WEIGHTS}),
    "sklearn, poisson": partial(of_sklearn, "MLPRegressor", COUNTS, loss="poisson"),
    "sklearn, hidden": partial(of_sklearn, "MLPRegressor", LINE, hidden_layer_sizes=[4, 3, 2]),
    "sklearn, stream": partial(
        of_sklearn, "MLPRegressor", LINE, 1, random_state=np.random.RandomState(1)
    ),
    "sklearn, integer weights": with_integer_weights,
}


def of_several(*models):
    """The mean of models of the cases: (model, X, y)."""
    made = [make() for make in models]
    return Ensemble([one for one, _, _ in made]), *made[0][1:]


def of_recipe(y=LINE):
    """A `TabularMLP` of narrow networks that have learned for a few epochs."""
    with mock.patch.multiple(recipe, WIDTH=4, EPOCHS=((1000, 3),)):
        return quietly(TabularMLP(members=2, random_state=0).fit, X, y), X, y


#: Several models in one file.
ENSEMBLES = {
    "tabular": of_recipe,
    "ensemble": partial(
        of_several,
        partial(fitted, LABELS["text"][THREE], random_state=1),
        partial(fitted, LABELS["text"][THREE], random_state=2, hidden=(3,), scale_inputs="robust"),
    ),
    "ensemble of tables": partial(
        of_several,
        *(
            partial(fitted, LINE, MLPRegressor, EMBEDDED, columns={3: Embedding(2)}, random_state=k)
            for k in range(3)
        ),
    ),
}

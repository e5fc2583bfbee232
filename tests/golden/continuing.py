"""Golden runs that go on: `partial_fit`, `warm_start`, pickles; and those of the reference
implementation."""

import pickle

import numpy as np
from cnn_core.optimizers import LBFGS, SGD, Adam, Nadam, RMSprop, Rprop
from cnn_core.schedules import Exponential, Warmup

from cnn_core import MLP
from golden import data
from golden.results import joined
from golden.table import BOTH, UNSCALED, add, fitted, golden, results_on

ROWS = data.classes(7, 3)


def pieces(rows, *cuts):
    for part in np.split(np.arange(len(rows.X)), cuts):
        yield rows.X[part], rows.y[part]


@golden("partial_fit", dtypes=BOTH)
def partial_fit(n_threads, dtype):
    """Pieces of several sizes, with and without classes that are yet to come."""
    results = []
    for rows, classes, parameters in (
        (ROWS, [0, 1, 2, 7], {}),
        (ROWS, None, {"dropout": 0.2, "learning_rate": Exponential(0.8)}),
        (data.numbers(7, 2), None, {"optimizer": Nadam(), "scale_inputs": "standard"}),
        (data.labels(7, 3), None, {"optimizer": SGD(0.1, 0.9), "clip_norm": 0.5}),
    ):
        parameters = {"dtype": dtype, "random_state": 5, **UNSCALED, **parameters}
        model = MLP((9,), n_threads=n_threads, **parameters)
        for number, (X, y) in enumerate(pieces(rows, 50, 51, 120)):
            more = {"classes": classes} if classes and number == 0 else {}
            model.partial_fit(X, y, sample_weight=np.arange(len(X)) % 3 + 1.0, **more)
        results.append(results_on(model, rows, dtype))
    return joined(results)


@golden("warm_start", dtypes=BOTH)
def warm_start(n_threads, dtype):
    """Three epochs and two more, on these rows and on others, with each kind of optimizer."""
    results = []
    for parameters in (
        {"optimizer": Adam(0.01)},
        {"optimizer": "amsgrad", "dropout": 0.3},
        {"optimizer": Nadam(), "learning_rate": Warmup(4)},
        {"optimizer": RMSprop(momentum=0.5), "l2": 0.01},
        {"optimizer": Rprop()},
        {"optimizer": LBFGS()},
        {"early_stopping": True, "patience": 2, "learning_rate": 0.05},
    ):
        model = fitted(ROWS, n_threads, dtype, hidden=(9,), warm_start=True, **parameters)
        model.set_params(epochs=2).fit(ROWS.X, ROWS.y).fit(ROWS.X[:70], ROWS.y[:70])
        results.append(results_on(model, ROWS, dtype))
    return joined(results)


@golden("warm_start after a pickle", dtypes=BOTH)
def warm_start_after_a_pickle(n_threads, dtype):
    """The same bits as without the pickle, for each kind of optimizer."""
    results = []
    for parameters in (
        {"optimizer": Adam(0.01), "scale_inputs": "standard"},
        {"optimizer": Rprop()},
        {"optimizer": LBFGS()},
        {"optimizer": Nadam(), "dropout": 0.3},
    ):
        model = fitted(ROWS, n_threads, dtype, hidden=(9,), warm_start=True, **parameters)
        model = pickle.loads(pickle.dumps(model)).fit(ROWS.X, ROWS.y)
        results.append(results_on(model, ROWS, dtype))
    return joined(results)


@golden("warm_start with other parameters")
def warm_start_with_other_parameters(n_threads, dtype):
    """Another optimizer, batch size and penalty; validation rows that come later; parameters that
    were set by hand; another number of threads."""
    model = fitted(ROWS, n_threads, dtype, hidden=(9,), warm_start=True)
    model.set_params(optimizer=SGD(0.1, 0.9), batch_size=50).fit(ROWS.X, ROWS.y)
    model.set_params(l2=0.1).fit(ROWS.X, ROWS.y, validation_data=(ROWS.X_new, ROWS.y_new))
    model.parameters_ = model.parameters_ / 2
    model.set_params(n_threads=2).partial_fit(ROWS.X, ROWS.y)
    return results_on(model, ROWS, dtype)


@golden("diverging while it goes on")
def diverging_while_it_goes_on(n_threads, dtype):
    """The weights after the last good epoch; then a new beginning of the optimizer."""
    rows = data.numbers(7)
    model = fitted(rows, n_threads, dtype, hidden=(9,), optimizer=SGD(0.1, 0.9), warm_start=True)
    model.set_params(learning_rate=1e30).fit(rows.X, rows.y)
    parts = results_on(model, rows, dtype)
    model.set_params(learning_rate=0.1).fit(rows.X, rows.y)
    return joined([parts, results_on(model, rows, dtype)])


# The reference implementation, as far as it does without libm: its exponentials, logarithms and
# powers are the platform's, and its sums of squares depend on the version of Python.

plain = dict(backend="python", hidden=(5,), batch_size=9)
few = data.numbers(3, 2, 30, 7)
weighted = {"sample_weight": data.row_weights(30)}
add(
    "reference implementation",
    few,
    (few, {"optimizer": SGD(0.1, 0.9, True), "loss": "mae", "activation": "leaky_relu"}),
    (few, {"optimizer": "adagrad", "loss": "huber", "activation": "hard_swish", "fit": weighted}),
    (few, {"optimizer": "rmsprop", "dropout": (0.2, 0.3), "activation": "hard_sigmoid"}),
    (few, {"optimizer": "adadelta", "early_stopping": True, "shuffle": False}),
    (few, {"optimizer": Rprop(), "batch_size": "full", "scale_inputs": "standard"}),
    (few, {"optimizer": LBFGS(), "batch_size": "full"}),
    (data.classes(3, 2, 30, 7), {"loss": "hinge", "optimizer": SGD(0.1)}),
    (data.classes(3, 3, 30, 7), {"loss": "hinge", "optimizer": SGD(0.1)}),
    (
        data.classes(3, 2, 30, 7),
        {"hidden": (), "activation": "sign", "optimizer": SGD(1.0), "batch_size": 1},
    ),
    **{"optimizer": SGD(0.1), **plain},
)

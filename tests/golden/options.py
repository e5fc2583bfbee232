"""Golden runs of each activation, output, loss, optimizer, schedule, initializer and other
parameter of `MLP`."""

import warnings

import numpy as np
from cnn_core.activations import ELU, LeakyReLU
from cnn_core.initializers import Normal, Orthogonal
from cnn_core.losses import GaussianNLL, Huber, Pinball
from cnn_core.optimizers import LBFGS, SGD, Adam, AdamW, Nadam, RMSprop, Rprop
from cnn_core.schedules import (
    Constant,
    Cosine,
    Coslog,
    Exponential,
    FlatCosine,
    InverseTime,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
    StepDecay,
    Warmup,
)

from cnn_core import MLP, _activations
from golden import data
from golden.results import joined, traced
from golden.table import ALL, BOTH, UNSCALED, add, fitted, golden, results_on

# Activations: of hidden layers and outputs, narrow (transposed) and wide, and over a range that
# reaches the ends of each.

ACTIVATIONS = [name for name in _activations.names() if name not in ("step", "sign")]


def of_activation(n_threads, dtype, activation):
    results = []
    for n in (3, 20):
        rows = data.numbers(7, n)
        parameters = dict(hidden=(19, 6), activation=activation, output=activation)
        with warnings.catch_warnings():  # many of them do not reach y
            warnings.filterwarnings("ignore", "y reaches from")
            model = fitted(rows, n_threads, dtype, loss="mse", task="regression", **parameters)
        parts = results_on(model, rows, dtype)
        far = (rows.X_new * 2.0 ** np.arange(-2, 5)).astype(dtype)
        parts["predictions"]["far"] = model.forward(far)
        parts["gradient"].append(traced(model, far, rows.y_new))
        results.append(parts)
    return joined(results)


for one in (*ACTIVATIONS, LeakyReLU(0.2), ELU(0.7)):

    @golden(f"activation {one}", dtypes=BOTH)
    def activation(n_threads, dtype, one=one):
        return of_activation(n_threads, dtype, one)


add(
    "activations that differ",
    data.classes(5, 3),
    dtypes=BOTH,
    hidden=(9, 18, 7),
    activation=["tanh", "relu", LeakyReLU(0.3)],
)

# Losses, with the outputs that go with them.

five, twenty = data.numbers(7, 5), data.numbers(7, 20)
small = dict(hidden=(11,), dtypes=BOTH)
add("loss mse", data.numbers(7), five, twenty, loss="mse", **small)
add("loss mae", data.numbers(7), five, twenty, loss="mae", **small)
add("loss huber", five, twenty, (five, {"loss": Huber(0.2)}), loss="huber", **small)
for loss in (Pinball(), Pinball((0.1, 0.25, 0.5, 0.9)), "gaussian_nll", GaussianNLL(0.5)):
    name = loss if isinstance(loss, str) else f"{loss!r}"
    add(f"loss {name}", data.numbers(7), five, twenty, loss=loss, **small)
add(
    "loss poisson",
    data.counts(7),
    data.counts(7, 5),
    data.counts(7, 20),
    loss="poisson",
    task="regression",
    **small,
)
add(
    "loss binary_crossentropy, shares",
    data.shares(7, 5),
    data.shares(7, 20),
    loss="binary_crossentropy",
    task="regression",
    **small,
)
add("loss binary_crossentropy", data.classes(7, 2), data.labels(7, 4), data.labels(7, 20), **small)
add(
    "loss categorical_crossentropy",
    data.one_hot(7, 3),
    data.one_hot(7, 20),
    data.classes(7, 4),
    loss="categorical_crossentropy",
    **small,
)
add(
    "loss sparse_categorical_crossentropy",
    data.classes(7, 3),
    (data.classes(7, 20), {"task": "classification"}),
    (data.classes(7, 2), {"output": "softmax"}),
    **small,
)
add(
    "loss hinge",
    data.classes(7, 2),
    data.classes(7, 3),
    (data.classes(7, 20), {"task": "classification"}),
    data.labels(7, 4),
    (data.classes(7, 2), {"output": "tanh"}),
    loss="hinge",
    **small,
)
add(
    "losses of numbers for classes",
    *(
        (rows, {"loss": loss})
        for rows in (data.classes(7, 2), data.classes(7, 3), data.labels(7, 3))
        for loss in ("mse", "mae", "huber")
    ),
    task="classification",
    **small,
)
for output in ("step", "sign"):
    add(
        f"Rosenblatt's perceptron, {output}",
        data.classes(4, 2),
        dtypes=BOTH,
        hidden=(),
        activation=output,
        optimizer=SGD(1.0),
        batch_size=1,
    )

# Targets.

one_of_three = data.classes(7, 3)
add(
    "labels of strings",
    data.made(one_of_three, np.array(["cedar", "ash", "birch"]).take),
    hidden=(8,),
)
add("labels of bools", data.made(data.classes(7, 2), lambda y: y > 0), hidden=(8,))
add("labels with gaps", data.made(one_of_three, np.array([-5, 7, 1000]).take), hidden=(8,))
add(
    "label_smoothing",
    data.classes(7, 2),
    one_of_three,
    data.labels(7, 3),
    (data.one_hot(7, 4), {"loss": "categorical_crossentropy"}),
    (data.classes(7, 20), {"loss": "mse", "task": "classification"}),
    label_smoothing=0.1,
    **small,
)

# Optimizers, each on a small net and on one whose steps go weight tile by weight tile.

OPTIMIZERS = [
    SGD(0.05),
    SGD(0.05, momentum=0.9),
    SGD(0.05, momentum=0.9, nesterov=True),
    "adagrad",
    "adadelta",
    RMSprop(),
    RMSprop(0.002, rho=0.95, momentum=0.5),
    "adam",
    Adam(0.01, 0.8, 0.99, 1e-3),
    "adam_hat",
    "amsgrad",
    AdamW(0.01, weight_decay=0.1),
    Nadam(),
    "rprop",
    Rprop(0.02, 0.4, 1.3, 1e-4, 0.1),
]
tiles = {"hidden": (256,), "batch_size": "full"}
for one in OPTIMIZERS:
    add(
        f"optimizer {one}",
        data.classes(7, 3),
        (data.numbers(64, 4, 60), tiles),
        dtypes=BOTH,
        threads=(1, 2),
        hidden=(19,),
        optimizer=one,
    )
add(
    "rprop, small gradients",
    data.made(data.numbers(7), lambda y: np.ldexp(y, -70)),
    dtypes=BOTH,
    hidden=(),
    init="zeros",
    optimizer=Rprop(2.0**-80, step_min=2.0**-100),
    epochs=12,
)

searched = dict(hidden=(19,), epochs=12)
add(
    "optimizer lbfgs",
    data.classes(7, 3),
    data.numbers(7, 2),
    (data.labels(7, 3), {"optimizer": LBFGS(0.5, memory=3, max_evaluations=4)}),
    (data.numbers(7), {"fit": {"sample_weight": data.row_weights(150)}, "l2": 0.01, "l1": 1e-3}),
    dtypes=BOTH,
    optimizer="lbfgs",
    **searched,
)
add(
    "lbfgs, many rows",
    data.classes(30, 3, 600),
    threads=ALL,
    optimizer="lbfgs",
    hidden=(64, 32),
    epochs=3,
)
add(
    "lbfgs, until it has converged",
    data.numbers(3),
    dtypes=BOTH,
    optimizer="lbfgs",
    hidden=(),
    epochs=50,
    l2=0.1,
)

# Schedules.


class Halves(Schedule):
    """A schedule of a user's own."""

    def factor(self, epoch):
        return 2.0 ** -(epoch // 2)


SCHEDULES = [
    0.02,
    Constant(0.02),
    StepDecay(2, 0.3),
    Exponential(0.8, initial=0.01),
    InverseTime(0.5),
    Cosine(0.001, initial=0.02),
    Warmup(2, Exponential(0.7), initial=0.02),
    OneCycle(initial=0.05),
    ReduceOnPlateau(1, 0.5, 0.1, initial=0.02),
    Halves(initial=0.02),
]
plain = dict(hidden=(9,), epochs=7)
for one in SCHEDULES:
    add(f"learning_rate {type(one).__name__}", data.classes(5, 3), learning_rate=one, **plain)
add(
    "learning_rate, sgd and lbfgs",
    *((data.numbers(5), {"optimizer": optimizer}) for optimizer in ("sgd", "lbfgs", "nadam")),
    learning_rate=StepDecay(2, 0.5),
    **plain,
)

# Initial weights.

drawn = dict(hidden=(20, 9), epochs=1, dtypes=BOTH)
for init in ("auto", "he", "glorot", "lecun", "normal", "orthogonal", Normal(0.3), Orthogonal(1.5)):
    add(
        f"init {init}",
        *(
            (data.classes(7, 3), {"activation": activation})
            for activation in ("relu", "selu", "tanh", LeakyReLU(0.5))
        ),
        init=init,
        **drawn,
    )
add(
    "init data_driven",
    *(
        (rows, {"activation": activation})
        for rows in (data.classes(7, 3), data.numbers(20, 2, rows=1500))
        for activation in ("relu", "selu", "mish")
    ),
    (data.numbers(7), {"scale_inputs": "robust_clip", "early_stopping": True}),
    init="data_driven",
    **drawn,
)
add("init zeros", data.classes(7, 3), hidden=(), init="zeros", dtypes=BOTH)
add(
    "init given",
    data.numbers(7),
    hidden=(5,),
    init=[
        (data.uniform(1, 5, 7), data.uniform(2, 5)),
        (data.uniform(3, 1, 5), data.uniform(4, 1)),
    ],
    dtypes=BOTH,
)


@golden("random_state")
def random_state(n_threads, dtype):
    """A large seed, and NumPy's two kinds of streams."""
    rows, results = data.classes(7, 3), []
    for state in (2**70 + 1, np.random.default_rng(3), np.random.RandomState(3)):
        model = fitted(rows, n_threads, dtype, hidden=(9,), random_state=state)
        results.append(results_on(model, rows, dtype))
    return joined(results)


# Penalties and limits.

rows = data.classes(7, 3)
for parameters in (
    {"l1": 0.01},
    {"l2": 0.05},
    {"l1": 0.01, "l2": 0.05},
    {"max_norm": 0.4},
    {"clip_norm": 0.03},
    {"clip_norm": 1e6},
    {"clip_norm": 0.1, "max_norm": 0.5, "l1": 0.01, "l2": 0.05, "optimizer": SGD(0.1, 0.9)},
):
    name = ", ".join(f"{key}={value}" for key, value in parameters.items())
    add(name, rows, data.numbers(7, 18), hidden=(9, 21), dtypes=BOTH, **parameters)

# Promises.

for parameters in (
    {"monotone": {0: 1, 3: -1}},
    {"monotone": {0: 1}, "convex": {1: 1, 2: -1}, "optimizer": SGD(0.05, 0.9), "max_norm": 2.0},
):
    name = ", ".join(f"{key}={value}" for key, value in parameters.items())
    add(name, data.numbers(7, 1), hidden=(9, 21), dtypes=BOTH, **parameters)

# Rows in shards.

for parameters in (
    {"shards": 7, "clip_norm": 0.1, "l2": 0.01, "dropout": 0.2},
    {"shards": 64, "early_stopping": True, "scale_inputs": "standard"},
    {"shards": 3, "optimizer": LBFGS(), "batch_size": "full"},
):
    name = ", ".join(f"{key}={value}" for key, value in parameters.items())
    variants = data.numbers(7, 18), data.classes(9, 3)
    add(name, *variants, threads=(1, 2), hidden=(9, 21), dtypes=BOTH, **parameters)

# Dropout.

for dropout, activation in (
    (0.3, "relu"),
    ((0.2, 0.5, 0.1), "tanh"),
    (0.3, "selu"),
    ((0.1, 0.2, 0), ["selu", "relu"]),
):
    add(
        f"dropout {dropout}, {activation}",
        rows,
        (data.classes(30, 3, 330), {"batch_size": 300, "hidden": (64, 32)}),
        threads=ALL,
        dtypes=BOTH,
        hidden=(9, 21),
        dropout=dropout,
        activation=activation,
    )

# Weights of rows and classes.

weights = data.row_weights(150)
small = dict(hidden=(9,), dtypes=BOTH)
for name, row_weights in (
    ("sample_weight", weights),
    ("sample_weight, tiny", np.ldexp(weights, -900)),
    ("sample_weight, a mini-batch of zeros", np.where(np.arange(150) // 32 == 1, 0, weights)),
):
    fit = {"sample_weight": row_weights}
    add(name, rows, data.numbers(7, 2), data.labels(7, 18), fit=fit, shuffle=False, **small)
for name, class_weight in (("balanced", "balanced"), ("given", {0: 3.0, 2: 0.25})):
    add(
        f"class_weight {name}",
        rows,
        (data.classes(7, 20), {"task": "classification"}),
        (rows, {"fit": {"sample_weight": weights}}),
        (rows, {"loss": "hinge"}),
        class_weight=class_weight,
        **small,
    )

# Scaled inputs.


@golden("scale_inputs", dtypes=BOTH)
def scale_inputs(n_threads, dtype):
    """Each kind, learned from doubles, floats and whole numbers, with a column that is constant."""
    rows, results = data.numbers(6), []
    factor = 2.0 ** np.array([0, 3, -4, 9, 0, 1])
    X, X_new = (part * factor + factor for part in (rows.X, rows.X_new))
    X[:, 4] = X_new[:, 4] = 0.1
    for kind in ("minmax", "standard", "robust"):
        for given in (np.float64, np.float32, np.int32):
            parameters = {"dtype": dtype, "random_state": 5, **UNSCALED, "scale_inputs": kind}
            model = MLP((9,), epochs=2, **parameters)
            model.fit(X.astype(given), rows.y)
            results.append(results_on(model, rows._replace(X_new=X_new), dtype))
            results[-1]["predictions"]["given"] = model.forward(X_new.astype(given))
    return joined(results)


@golden("scale_targets", dtypes=BOTH)
def scale_targets(n_threads, dtype):
    """Targets far from 0, of several sizes, and predictions that are clipped, with inputs clipped
    smoothly; what 'auto' makes of them too."""
    rows, results = data.numbers(6, 2), []
    factor = 2.0 ** np.array([0, 3, -4, 9, 0, 1])
    X, X_new = (part * factor + factor for part in (rows.X, rows.X_new))
    y, y_new = (part * [1e-3, 100] + [5, 20_000] for part in (rows.y, rows.y_new))
    for parameters in (
        {"scale_inputs": "robust_clip", "scale_targets": "standard", "clip_outputs": True},
        {"loss": "huber", "optimizer": LBFGS()},
        {"scale_inputs": None, "scale_targets": None, "clip_outputs": True},
    ):
        model = MLP((9,), epochs=2, dtype=dtype, random_state=5, **parameters).fit(X, y)
        results.append(results_on(model, rows._replace(X_new=X_new, y_new=y_new), dtype))
    return joined(results)


# What ends a training.

waiting = dict(hidden=(9,), epochs=25, learning_rate=0.05, patience=3, dtypes=BOTH)
held = {"validation_data": (data.numbers(7, rows=50).X, data.numbers(7, rows=50).y)}
of_classes = {"validation_data": (data.classes(7, 3, 50).X, data.classes(7, 3, 50).y)}
add("early_stopping", rows, data.numbers(7), data.labels(7, 3), early_stopping=True, **waiting)
add("early_stopping, the last weights", rows, early_stopping=True, restore_best=False, **waiting)
add("early_stopping, min_delta", rows, early_stopping=True, min_delta=0.1, **waiting)
same = {**waiting, "learning_rate": 2.0**-90}
add("early_stopping, losses that are equal", rows, early_stopping=True, **same)
add(
    "early_stopping, with weights, smoothing, scaling, dropout and a schedule",
    (rows, {"fit": {"sample_weight": weights}}),
    (rows, {"class_weight": "balanced", "fit": of_classes}),
    early_stopping=True,
    label_smoothing=0.1,
    scale_inputs="standard",
    dropout=(0.1, 0.2),
    **{**waiting, "epochs": 6, "learning_rate": StepDecay(2, initial=0.05)},
)
add(
    "validation_data", rows, fit=of_classes, early_stopping=True, scale_inputs="standard", **waiting
)
add("validation_data, no early end", data.numbers(7), fit=held, **waiting)
add(
    "validation_data, a plateau",
    data.numbers(7),
    fit=held,
    **{**waiting, "learning_rate": ReduceOnPlateau(1, 0.5, 0.05, initial=0.05)},
)
add(
    "callbacks that end it",
    rows,
    hidden=(9,),
    epochs=9,
    callbacks=[lambda model, epoch, logs: epoch == 4],
)

# Runs that diverge: the weights that are kept.


class Grows(Schedule):
    """Sooner or later too high a rate."""

    def factor(self, epoch):
        return 16.0**epoch


diverging = dict(
    hidden=(9,), optimizer="sgd", learning_rate=Grows(initial=0.01), epochs=20, dtypes=BOTH
)
add("diverging", data.numbers(7), **diverging)
add("diverging, early_stopping", data.numbers(7), early_stopping=True, **diverging)


@golden("validation_data that overflows")
def validation_that_overflows(n_threads, dtype):
    rows = data.numbers(7)
    held = (rows.X_new * 1e37, rows.y_new)
    model = fitted(rows, n_threads, dtype, fit={"validation_data": held}, loss="mse", hidden=(9,))
    return results_on(model, rows, dtype)


# Gradients by central differences.


@golden("check_gradient")
def check_gradient(n_threads, dtype):
    results = []
    for rows, parameters in (
        (data.classes(5, 3, new=9), {"activation": "gelu"}),
        (data.numbers(5, 2, new=9), {"activation": "tanh", "l1": 0.01, "l2": 0.1}),
        (data.labels(5, 18, new=9), {"activation": "mish"}),
    ):
        model = fitted(rows, n_threads, dtype, hidden=(7,), **parameters)
        results.append(results_on(model, rows, dtype))
        results[-1]["gradient"].append(list(model.check_gradient(rows.X_new, rows.y_new)))
        at = model.parameters_ / 2
        results[-1]["gradient"].append(
            model.loss_and_gradient(rows.X_new, rows.y_new, parameters=at)
        )
    return joined(results)


# Groups of parameters, and what is scheduled beside the learning rate.

for optimizer in ("sgd", "adam", "adamw", "rmsprop"):
    add(
        f"groups of parameters, {optimizer}",
        data.numbers(9, 2),
        (data.classes(9, 3), {"batch_size": 64}),
        optimizer=optimizer,
        rate_factors={"biases": 0.1, "W1": 3, "weights": 0.7},
        decay_factors={"biases": 0, "W2": 2} if optimizer == "adamw" else None,
        dtypes=BOTH,
        hidden=(23, 9),
    )
add(
    "schedules of rate, decay and dropout",
    data.numbers(9, 2),
    (data.classes(9, 3), {"batch_size": 64, "label_smoothing": 0.1}),
    optimizer=AdamW(0.01, weight_decay=0.5),
    learning_rate=Coslog(initial=0.02),
    decay_schedule=FlatCosine(),
    dropout_schedule=FlatCosine(0.25),
    decay_factors={"biases": 0},
    dropout=(0.1, 0.3, 0.2),
    activation="selu",
    alpha_dropout=False,
    dtypes=BOTH,
    hidden=(23, 9),
)

"""Networks, trainers and rows that the tests of training share."""

import hashlib

import numpy as np
from cnn_core._backprop import Backprop
from cnn_core._dataset import RowSource
from cnn_core._network import Network
from cnn_core._random import uniform
from cnn_core._trainer import Trainer
from cnn_core.optimizers import OPTIMIZERS

LOSS = "sparse_categorical_crossentropy"
# Of each optimizer, the defaults of its class or, where these test less, others.
SETTINGS = {name: make().settings() for name, make in OPTIMIZERS.items() if name != "lbfgs"} | {
    "sgd": dict(learning_rate=0.05, momentum=0.9, nesterov=1),
    "adagrad": dict(learning_rate=0.05, epsilon=1e-10),
    "adadelta": dict(learning_rate=1, rho=0.95, epsilon=1e-6),
    "rmsprop": dict(learning_rate=0.01, rho=0.9, momentum=0.5, epsilon=1e-8),
    "adam": dict(learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-8),
    "adam_hat": dict(learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-3),
    "amsgrad": dict(learning_rate=0.01, beta1=0.9, beta2=0.9, epsilon=1e-8),
    "adamw": dict(learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.1),
    "nadam": dict(learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-8, momentum_decay=0.004),
    "rprop": dict(learning_rate=0.01, eta_minus=0.5, eta_plus=1.2, step_min=1e-6, step_max=50),
}


def numbers(seed, *shape, dtype="float64"):
    return (2 * uniform(seed, 0, int(np.prod(shape))) - 1).reshape(shape).astype(dtype)


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()[
        :16
    ]


def make_run(
    dtype,
    optimizer="adam",
    widths=(30, 64, 32, 3),
    activations=("relu", "tanh", "softmax"),
    batch=32,
    loss=LOSS,
    seed=7,
    **options,
):
    network = Network(widths, activations, dtype)
    network.set_flat(numbers(1, network.flat().size) * 0.3)
    return Trainer(Backprop(network, loss, batch), optimizer, SETTINGS[optimizer], seed, **options)


def make_rows(dtype, rows=640, n_in=30, n_classes=3):
    labels = (uniform(3, 0, rows) * n_classes).astype(np.int32)[:, None]
    return RowSource(numbers(2, rows, n_in, dtype=dtype)), None, RowSource(labels)


# 20 steps of 30-64-32-3 with batches of 32, on every machine: a change of these numbers is a change
# of the promise.

"""The workloads: which networks are trained and asked, on which rows, from which initial weights.

Everything here follows from the case alone, so each peer, in a process of its own, works on the
same numbers. A layer is a pair (W, b) of float32, W of shape (n_out, n_in); a net of one output
does regression, others tell classes apart.
"""

from dataclasses import dataclass, replace

import numpy as np

LEARNING_RATE = 1e-3
QUICK_ROWS = 2_000  # with --quick no training set has more


@dataclass(frozen=True)
class Net:
    """Widths from inputs to outputs, and the activation of all hidden layers."""

    widths: tuple[int, ...]
    activation: str = "relu"

    @property
    def classes(self):
        """How many classes the outputs stand for; 0 for regression."""
        return self.widths[-1] if self.widths[-1] > 1 else 0

    def __str__(self):
        return "-".join(map(str, self.widths)) + (
            f" {self.activation}" if self.activation != "relu" else ""
        )


@dataclass(frozen=True)
class Training:
    """One net and what it is trained on; `batch` None is the full batch, whose order does not
    matter and stays."""

    name: str
    net: Net
    batch: int | None
    rows: int
    epochs: int  # of one measurement: a training, as users have it, with its checks of the data
    whole: int = 0  # rows of the data set that this stands for, where only some of them are used
    in_order: bool = False  # mini-batches without shuffling, for the check of equal work

    @property
    def batch_size(self):
        return self.batch or self.rows

    @property
    def shuffle(self):
        return self.batch is not None and not self.in_order

    @property
    def check_epochs(self):
        """Epochs before the losses are compared: one, or as many as make 20 steps."""
        return -(-20 // -(-self.rows // self.batch_size))

    def quick(self):
        return replace(self, rows=min(self.rows, QUICK_ROWS), whole=self.whole or self.rows)

    def __str__(self):
        rows = f"{self.rows:,} rows" + (f" of {self.whole:,}" if self.whole > self.rows else "")
        step = f"batch {self.batch}" if self.batch else "full batch, an epoch is a step"
        return f"{self.name}: {self.net}, {rows}, {step}"


TRAININGS = (
    Training("tiny", Net((8, 16, 2)), 32, 10_000, 20),
    Training("tabular", Net((30, 64, 32, 2)), 64, 20_000, 10),
    Training("sensor", Net((10, 46, 46, 10)), 128, 10_000, 10),
    Training("full batch", Net((4, 32, 16, 4), "tanh"), None, 10_000, 20),
    Training("one step", Net((24, 8, 2), "tanh"), None, 200, 1_000),
    Training("images", Net((784, 128, 10)), 128, 20_000, 5, whole=60_000),
    Training("images, deep", Net((784, 512, 512, 10)), 128, 20_000, 1, whole=60_000),
    Training("wide", Net((512, 1024, 1024, 10)), 256, 5_000, 2),
)

#: Asked for one row at a time.
ROW_NETS = (Net((64, 64, 64, 1)), Net((16, 32, 32, 1)), Net((784, 128, 10)))

#: Asked for many rows at once.
BATCH_NETS = tuple(dict.fromkeys(ROW_NETS + tuple(case.net for case in TRAININGS)))
BATCH_ROWS = 10_000

#: Whose peak of memory is measured.
MEMORY = tuple(case for case in TRAININGS if case.name in ("tabular", "images"))


def inputs(net, rows):
    return np.random.default_rng(1).standard_normal((rows, net.widths[0]), dtype=np.float32)


def training_data(case):
    """X in float32, y in int64: classes that a linear teacher sees, every tenth replaced by
    chance."""
    X = inputs(case.net, case.rows)
    rng = np.random.default_rng(2)
    y = (X @ rng.standard_normal((case.net.widths[0], case.net.classes), dtype=np.float32)).argmax(
        axis=1
    )
    noisy = rng.random(case.rows) < 0.1
    y[noisy] = rng.integers(0, case.net.classes, noisy.sum())
    return X, y.astype(np.int64)


def initial_layers(net):
    """He's uniform weights for relu, Glorot's for tanh; biases 0."""
    rng = np.random.default_rng(3)
    layers = []
    for n_in, n_out in zip(net.widths, net.widths[1:]):
        limit = np.sqrt(6 / n_in if net.activation == "relu" else 6 / (n_in + n_out))
        layers.append(
            (
                rng.uniform(-limit, limit, (n_out, n_in)).astype(np.float32),
                np.zeros(n_out, np.float32),
            )
        )
    return layers


def outputs(net, layers, X):
    """z of the last layer, in float64: what all peers are checked against."""
    a = X.astype(np.float64)
    for W, b in layers[:-1]:
        z = a @ W.T + b
        a = np.maximum(z, 0) if net.activation == "relu" else np.tanh(z)
    W, b = layers[-1]
    return a @ W.T + b


def training_loss(net, layers, X, y):
    """Mean softmax cross-entropy, in float64."""
    z = outputs(net, layers, X)
    z -= z.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]))


def wrong_answers(net, layers, X, answers):
    """Share of the answers (classes, or numbers for regression) that are not what the net says,
    ties aside."""
    z = outputs(net, layers, X)
    answers = np.asarray(answers).reshape(len(X))
    if not net.classes:
        return float(np.mean(np.abs(answers - z[:, 0]) > 1e-3 * (1 + np.abs(z[:, 0]))))
    return float(np.mean(z.max(axis=1) - z[np.arange(len(X)), answers.astype(int)] > 1e-3))

"""Record training runs of PyTorch for tests/test_pytorch.py: ``pip install torch``, then run this
file.

Every run goes in float64 over the same rows in the same order, 5 epochs of 30 rows in batches of 8
(the last has 6); those named after an optimizer take 30 steps of 10 rows. pytorch.npz holds, for
each case, the data, the initial weights, the loss of every epoch and the final weights; those named
no_bias have weights alone. It was recorded with PyTorch 2.13.0 on the CPU, no_bias with 2.14.1.
"""

import itertools
from pathlib import Path

import numpy as np
import torch

ROWS = 30
ACTIVATIONS = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "gelu": torch.nn.functional.gelu,
    "mish": torch.nn.functional.mish,
    "elu": torch.nn.functional.elu,
}


def mse(a, y):
    return 0.5 * ((a - y) ** 2).sum(1).mean()


#: name: (widths, hidden activation, kind of target, loss of the last z, optimizer)
CASES = {
    "softmax_adam": (
        (10, 8, 6, 3),
        "tanh",
        "class",
        torch.nn.functional.cross_entropy,
        lambda p: torch.optim.Adam(p, lr=0.01),
    ),
    "sigmoid_nesterov": (
        (7, 9, 1),
        "relu",
        "binary",
        lambda z, y: torch.nn.functional.binary_cross_entropy_with_logits(z[:, 0], y.double()),
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    ),
    "regression_momentum": (
        (5, 17, 2),
        "sigmoid",
        "number",
        mse,
        lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.8),
    ),
    "huber_gelu": (
        (5, 12, 2),
        "gelu",
        "number",
        lambda a, y: 2 * torch.nn.functional.huber_loss(a, y, delta=0.7),
        lambda p: torch.optim.Adam(p, lr=0.01),
    ),
    "mae_mish": (
        (5, 12, 2),
        "mish",
        "number",
        lambda a, y: 2 * torch.nn.functional.l1_loss(a, y),
        lambda p: torch.optim.Adam(p, lr=0.01),
    ),
    "poisson_elu": (
        (5, 12, 1),
        "elu",
        "count",
        lambda z, y: torch.nn.functional.poisson_nll_loss(z[:, 0], y.double()),
        lambda p: torch.optim.Adam(p, lr=0.01),
    ),
    "softmax_mse_sgd": (
        (6, 11, 4),
        "relu",
        "class",
        lambda z, y: mse(torch.softmax(z, 1), torch.nn.functional.one_hot(y, z.shape[1])),
        lambda p: torch.optim.SGD(p, lr=0.3),
    ),
}

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05),
    "adadelta": lambda p: torch.optim.Adadelta(p, lr=1.0, rho=0.95, eps=1e-6),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.005, alpha=0.9, momentum=0.5),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.9, 0.9), amsgrad=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "rprop": lambda p: torch.optim.Rprop(p, lr=0.01),
    "lbfgs": lambda p: torch.optim.LBFGS(
        p, max_iter=1, max_eval=26, history_size=10, line_search_fn="strong_wolfe"
    ),
}
FULL_BATCH = ("rprop", "lbfgs")
CASES["no_bias_adamw"] = (
    (10, 8, 6, 3),
    "tanh",
    "class",
    torch.nn.functional.cross_entropy,
    lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
)
CASES["no_bias_sgd"] = (
    (5, 17, 2),
    "relu",
    "number",
    mse,
    lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.8, nesterov=True),
)
for optimizer_name, make in OPTIMIZERS.items():
    CASES[optimizer_name] = ((6, 9, 3), "tanh", "class", torch.nn.functional.cross_entropy, make)
#: By their places, so that new cases leave the data of others as they are.
SEEDS = [
    *sorted(name for name in CASES if not name.startswith("no_bias")),
    "no_bias_adamw",
    "no_bias_sgd",
]


def record(name):
    widths, activation, kind, loss, optimizer = CASES[name]
    batch, epochs = (10, 10) if name in OPTIMIZERS else (8, 5)
    if name in FULL_BATCH:
        batch, epochs = ROWS, 30
    rng = np.random.default_rng(SEEDS.index(name))
    X = rng.normal(size=(ROWS, widths[0]))
    classes = {"class": widths[-1], "binary": 2, "count": 5}.get(kind)
    y = rng.normal(size=(ROWS, widths[-1])) if kind == "number" else rng.integers(0, classes, ROWS)
    parameters = []
    for n_in, n_out in itertools.pairwise(widths):
        parameters += [rng.normal(size=(n_out, n_in)) / np.sqrt(n_in), rng.normal(size=n_out) / 10]
    each = 1 if name.startswith("no_bias") else 2  # parameters of a layer
    parameters = [p for i, p in enumerate(parameters) if each == 2 or i % 2 == 0]
    arrays = {f"{name}/X": X, f"{name}/y": y}
    arrays |= {f"{name}/initial/{i}": p.copy() for i, p in enumerate(parameters)}

    tensors = [torch.tensor(p, requires_grad=True) for p in parameters]
    X, y = torch.tensor(X), torch.tensor(y)
    step = optimizer(tensors)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for first in range(0, ROWS, batch):

            def cost_and_gradients():
                a = X[first : first + batch]
                for i in range(0, len(tensors), each):
                    z = torch.nn.functional.linear(a, *tensors[i : i + each])
                    a = ACTIVATIONS[activation](z)
                cost = loss(z, y[first : first + batch])
                step.zero_grad()
                cost.backward()
                return cost

            total += step.step(cost_and_gradients).item() * len(X[first : first + batch])
        losses.append(total / ROWS)
    arrays[f"{name}/loss"] = np.array(losses)
    return arrays | {f"{name}/final/{i}": t.detach().numpy() for i, t in enumerate(tensors)}


if __name__ == "__main__":
    torch.manual_seed(0)
    arrays = {key: value for name in CASES for key, value in record(name).items()}
    np.savez_compressed(Path(__file__).with_name("pytorch.npz"), **arrays)

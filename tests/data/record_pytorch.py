"""Record training runs of PyTorch for tests/test_pytorch.py: ``pip install torch``, then run this file.

Every run goes in float64 over the same rows in the same order, 5 epochs of 30 rows in batches of 8 (the last has 6).
pytorch.npz holds, for each case, the data, the initial weights, the loss of every epoch and the final weights. It was
recorded with PyTorch 2.13.0 on the CPU.
"""

from pathlib import Path

import numpy as np
import torch

ROWS, BATCH, EPOCHS = 30, 8, 5
ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}


def mse(a, y):
    return 0.5 * ((a - y) ** 2).sum(1).mean()


#: name: (widths, hidden activation, kind of target, loss of the last z, optimizer)
CASES = {
    "softmax_adam": ((10, 8, 6, 3), "tanh", "class", lambda z, y: torch.nn.functional.cross_entropy(z, y),
                     lambda p: torch.optim.Adam(p, lr=0.01)),
    "sigmoid_nesterov": ((7, 9, 1), "relu", "binary",
                         lambda z, y: torch.nn.functional.binary_cross_entropy_with_logits(z[:, 0], y.double()),
                         lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True)),
    "regression_momentum": ((5, 17, 2), "sigmoid", "number", mse,
                            lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.8)),
    "softmax_mse_sgd": ((6, 11, 4), "relu", "class",
                        lambda z, y: mse(torch.softmax(z, 1), torch.nn.functional.one_hot(y, z.shape[1])),
                        lambda p: torch.optim.SGD(p, lr=0.3)),
}


def record(name):
    widths, activation, kind, loss, optimizer = CASES[name]
    rng = np.random.default_rng(sorted(CASES).index(name))
    X = rng.normal(size=(ROWS, widths[0]))
    classes = {"class": widths[-1], "binary": 2}.get(kind)
    y = rng.normal(size=(ROWS, widths[-1])) if kind == "number" else rng.integers(0, classes, ROWS)
    parameters = []
    for n_in, n_out in zip(widths, widths[1:]):
        parameters += [rng.normal(size=(n_out, n_in)) / np.sqrt(n_in), rng.normal(size=n_out) / 10]
    arrays = {f"{name}/X": X, f"{name}/y": y}
    arrays |= {f"{name}/initial/{i}": p.copy() for i, p in enumerate(parameters)}

    tensors = [torch.tensor(p, requires_grad=True) for p in parameters]
    X, y = torch.tensor(X), torch.tensor(y)
    step = optimizer(tensors)
    losses = []
    for _ in range(EPOCHS):
        total = 0.0
        for first in range(0, ROWS, BATCH):
            a = X[first : first + BATCH]
            for i in range(0, len(tensors), 2):
                z = a @ tensors[i].T + tensors[i + 1]
                a = ACTIVATIONS[activation](z)
            cost = loss(z, y[first : first + BATCH])
            step.zero_grad()
            cost.backward()
            step.step()
            total += cost.item() * len(X[first : first + BATCH])
        losses.append(total / ROWS)
    arrays[f"{name}/loss"] = np.array(losses)
    return arrays | {f"{name}/final/{i}": t.detach().numpy() for i, t in enumerate(tensors)}


if __name__ == "__main__":
    torch.manual_seed(0)
    arrays = {key: value for name in CASES for key, value in record(name).items()}
    np.savez_compressed(Path(__file__).with_name("pytorch.npz"), **arrays)

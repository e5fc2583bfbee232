"""Costs, gradient descent and backpropagation, each equation beside what the library computes."""

import numpy as np

from cnn_core import MLP, SGD
from cnn_core import functional as F


def chapter(title: str) -> None:
    """Print the heading of a chapter."""
    print(f"\n{title}\n{'-' * len(title)}")


def near(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays are the same but for rounding."""
    return one.shape == other.shape and bool(np.abs(one - other).max() < 1e-14)


chapter("1. Costs C(y, a): a better prediction costs less")
cases = {
    "mse": ([[1.0, 0.0]], [[0.9, 0.2]], [[0.5, 0.5]]),
    "binary_crossentropy": ([[1.0]], [[0.9]], [[0.5]]),
    "categorical_crossentropy": ([[0.0, 1.0, 0.0]], [[0.1, 0.8, 0.1]], [[0.3, 0.4, 0.3]]),
    "sparse_categorical_crossentropy": ([1], [[0.1, 0.8, 0.1]], [[0.3, 0.4, 0.3]]),
}
for loss, (y, good, poor) in cases.items():
    better, slope = F.loss_from_a(loss, np.array(good), np.array(y))
    worse, _ = F.loss_from_a(loss, np.array(poor), np.array(y))
    print(f"{loss:32}{better[0]:.4f} < {worse[0]:.4f}  dC/da {slope[0].round(4)}")

chapter("2. Descent: a line through the origin, w := w - alpha dC/dw")
x = np.array([[1.0], [2.0], [3.0]])
y = np.array([2.0, 4.0, 6.0])
path = []
line = MLP(
    hidden=(),
    bias=False,
    init=[(np.array([[0.0]]), None)],
    task="regression",
    optimizer=SGD(0.1),
    batch_size="full",
    epochs=6,
    dtype="float64",
    callbacks=lambda model, epoch, logs: path.append(model.weights_[0][0, 0]),
)
line.fit(x, y)
w, by_hand = 0.0, []
for _ in range(6):
    w -= 0.1 * np.mean((w * x[:, 0] - y) * x[:, 0])
    by_hand.append(w)
print("w =", *(f"{one:.4f}" for one in path))
print("as by hand:", np.allclose(path, by_hand, rtol=1e-14, atol=0))

chapter("3. Why cross-entropy: a sigmoid that is confident and wrong")
one, zero = np.array([[1.0]]), np.array([0.0])
for loss in ("mse", "binary_crossentropy"):
    neuron = MLP(
        hidden=(),
        output="sigmoid",
        loss=loss,
        task="regression",
        init=[(np.array([[2.0]]), np.array([2.0]))],
        optimizer=SGD(0.5),
        batch_size="full",
        epochs=200,
        dtype="float64",
    )
    neuron.fit(one, zero)
    curve = neuron.history_["loss"]
    print(f"{loss:20}", *(f"{curve[epoch]:.4f}" for epoch in (0, 10, 50, 100, 199)))
a = F.activation("sigmoid", np.array([[4.0]]))
print(f"its first error: (a - y) f' = {(a * a * (1 - a))[0, 0]:.4f}, and a - y = {a[0, 0]:.4f}")

chapter("4. Backpropagation in a 4-2-3 network of tanh and sigmoid, with mse")
rng = np.random.default_rng(1)
X, target = rng.normal(size=(5, 4)), rng.uniform(size=(5, 3))  # N = 5 rows
net = MLP(2, activation="tanh", output="sigmoid", dtype="float64", random_state=0)
net.initialize(X, target)
net.biases_ = [np.array([0.1, -0.1]), np.zeros(3)]

(W1, W2), (b1, b2) = net.weights_, net.biases_
z1 = X @ W1.T + b1
a1 = np.tanh(z1)
z2 = a1 @ W2.T + b2
a2 = 1 / (1 + np.exp(-z2))
delta2 = (a2 - target) / 5 * a2 * (1 - a2)  # delta^L = dC/da * f'(z), with dC/da = (a - y) / N
delta1 = delta2 @ W2 * (1 - a1**2)  # (W^T delta) * f'(z), with a row for each sample
dW1, dW2 = delta1.T @ X, delta2.T @ a1  # delta a^T, summed over the rows
db1, db2 = delta1.sum(axis=0), delta2.sum(axis=0)

by_hand = {"hidden 1": (z1, a1, delta1, dW1, db1), "output": (z2, a2, delta2, dW2, db2)}
for layer in net.trace(X, target).layers:
    computed = layer.z, layer.a, layer.delta, layer.dW, layer.db
    agree = all(map(near, computed, by_hand[layer.name]))
    print(f"{layer.name}: dW {layer.dW.shape[0]} x {layer.dW.shape[1]}, as by hand: {agree}")
_, gradient = net.loss_and_gradient(X, target)
flat = np.concatenate([part.ravel() for part in (dW1, db1, dW2, db2)])
print(f"as one vector of {gradient.size}:", near(gradient, flat))
print("entry 7 is of", *net.where(7))
print("central differences agree:", net.check_gradient(X, target).error < 1e-8)
rows = net.per_sample_gradients(X, target)
print(f"gradients of {len(rows)} rows, their mean is it:", near(rows.mean(axis=0), gradient))

chapter("5. One step moves all parameters together")
before = net.weights_
net.set_params(optimizer=SGD(0.5), batch_size="full", epochs=1, warm_start=True).fit(X, target)
stepped = (W - 0.5 * dW for W, dW in zip(before, (dW1, dW2)))
print(
    "W := W - alpha dC/dW:", all(near(new, by_hand) for new, by_hand in zip(net.weights_, stepped))
)
cost, _ = net.loss_and_gradient(X, target)
print(f"C {net.history_['loss'][-1]:.4f} -> {cost:.4f}")

chapter("6. Another activation changes one factor and nothing else")
for name in ("tanh", "relu"):
    delta = F.backward_delta(W2, delta2, z1, name)
    factor = F.activation_derivative(name, z1)
    print(f"{name}: (W^T delta) * f'(z):", near(delta, delta2 @ W2 * factor))

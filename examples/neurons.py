"""Neurons, layers and activations: from one threshold to a network that solves XOR."""

import numpy as np

from cnn_core import MLP, SGD
from cnn_core import functional as F

INPUTS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
AND, XOR = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 0])


def chapter(title: str) -> None:
    """Print the heading of a chapter."""
    print(f"\n{title}\n{'-' * len(title)}")


chapter("1. One neuron: z = w x + b, a = f(z)")
w, b = np.array([[2.0, -1.0]]), np.array([0.5])
for x in INPUTS:
    z = F.matvec(w, x, b)
    step, sign = (F.activation(name, z[None])[0, 0] for name in ("step", "sign"))
    print(f"x = {x}  z = {z[0]:4.1f}  step {step:.0f}  sign {sign:2.0f}")

chapter("2. Rosenblatt's perceptron learns AND, and cannot learn XOR")
for name, y in (("AND", AND), ("XOR", XOR)):
    neuron = MLP(
        hidden=(), output="step", optimizer=SGD(1.0), batch_size=1, epochs=20, random_state=0
    )
    neuron.fit(INPUTS, y)
    print(f"{name}: w = {neuron.weights_[0][0]}, b = {neuron.biases_[0][0]:.0f}, ", end="")
    print(f"right {neuron.score(INPUTS, y):.0%}: {neuron.predict(INPUTS)}")

chapter("3. Three thresholds solve XOR: at least one, not both")
either_both = np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([-0.5, -1.5])
but_not_both = np.array([[1.0, -1.0]]), np.array([-0.5])
thresholds = MLP(hidden=2, activation="step", output="step", init=[either_both, but_not_both])
thresholds.initialize(INPUTS, XOR)
hidden, output = thresholds.trace(INPUTS, XOR).layers
for x, a1, a2 in zip(INPUTS, hidden.a, output.a):
    print(f"x = {x}  hidden a = {a1}  output a = {a2[0]:.0f}")
try:
    thresholds.fit(INPUTS, XOR)
except ValueError as error:
    print(f"they cannot be trained: {str(error).partition(';')[0]}")

chapter("4. Layers: a^l = f(W^l a^(l-1) + b^l)")
rng = np.random.default_rng(0)
X, y = rng.normal(size=(50, 4)), rng.integers(0, 3, 50)
net = MLP(hidden=2, random_state=0).initialize(X, y)
for l, (W, bias) in enumerate(zip(net.weights_, net.biases_), 1):
    print(f"layer {l}: W {W.shape[0]} x {W.shape[1]}, b {bias.shape[0]}")
print("parameters:", net.parameters_.size)
W1, b1 = net.weights_[0].astype(float), net.biases_[0].astype(float)
with_one = np.column_stack([X, np.ones(len(X))])
same = np.abs(with_one @ np.column_stack([W1, b1]).T - (X @ W1.T + b1)).max() < 1e-14
print("a bias is the weight of a unit that is always 1:", same)

chapter("5. Without a non-linear f two layers are one")
two = MLP(hidden=5, activation="identity", dtype="float64", random_state=0)
two.initialize(n_features=4, n_outputs=1)
(W1, W2), (b1, b2) = two.weights_, two.biases_
one = X @ (W2 @ W1).T + (W2 @ b1 + b2)
print("largest difference below 1e-12:", np.abs(one - two.forward(X)).max() < 1e-12)

chapter("6. Activations and their derivatives")
z = np.array([[-2.0, 0.0, 2.0]])
for name in ("sigmoid", "tanh", "relu", "gelu", "leaky_relu", "elu", "softplus", "swish"):
    a, slope = F.activation(name, z)[0], F.activation_derivative(name, z)[0]
    print(f"{name:10} f {a.round(4)}  f' {slope.round(4)}")
sigmoid = F.activation("sigmoid", z)
from_a = F.activation_derivative_from_a("sigmoid", sigmoid)
print("sigmoid' = a (1 - a):", np.array_equal(from_a, sigmoid * (1 - sigmoid)))
softmax = F.activation("softmax", np.array([[1.0, 2.0, 3.0]]))
print("softmax", softmax[0].round(4), f"sums to {softmax.sum():.4f}; its Jacobian:")
print(F.activation_derivative_from_a("softmax", softmax)[0].round(4))

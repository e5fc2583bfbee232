"""Training on handwritten digits: data, epochs, learning rates, over- and underfitting.

Without arguments it takes the bundled digits of 8 x 8 pixels; with the paths of MNIST's four files
(training images and labels, test images and labels) it takes those.
"""

import re
import sys
import warnings

import numpy as np
from cnn_core.datasets import load_digits, read_idx, split

from cnn_core import MLP, SGD, DivergenceWarning


def chapter(title: str) -> None:
    """Print the heading of a chapter."""
    print(f"\n{title}\n{'-' * len(title)}")


chapter("1. Data that are trained on, and data that are not")
if len(sys.argv) == 5:
    X_train, y_train, X_test, y_test = (read_idx(path) for path in sys.argv[1:])
    X_train, X_test = (X.reshape(len(X), -1).astype("float32") for X in (X_train, X_test))
else:
    X, y = load_digits()
    X_train, X_test, y_train, y_test = split(X, y, test=0.2, stratify=y, random_state=0)
print(f"{len(X_train)} rows to train on, {len(X_test)} to test on, {X_train.shape[1]} inputs")
print("labels", y_test[:5], "as one-hot rows:")
print(np.eye(10, dtype=int)[y_test[:2]])

chapter("2. Epochs of mini-batches of 32")


def tell(model: MLP, epoch: int, logs: dict[str, float]) -> None:
    """Cost and accuracy after an epoch, on both parts."""
    print(
        f"epoch {epoch}: trained on {logs['loss']:.4f} {logs['metric']:.3f}, "
        f"not trained on {logs['val_loss']:.4f} {logs['val_metric']:.3f}"
    )


common = dict(hidden=30, batch_size=32, scale_inputs="minmax", random_state=0)
model = MLP(**common, optimizer=SGD(0.5), epochs=8, callbacks=tell)
model.fit(X_train, y_train, validation_data=(X_test, y_test))

chapter("3. The prediction is the largest output")
outputs = model.forward(X_test[:3])
for row, label in zip(outputs, y_test):
    print(f"largest output {row.max():.3f} at {row.argmax()}, the label is {label}")
print("predict says the same:", np.array_equal(outputs.argmax(axis=1), model.predict(X_test[:3])))

chapter("4. The learning rate: too small, good, too large")
for rate in (0.001, 0.1, 1.0, 100.0):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DivergenceWarning)
        trained = MLP(**common, optimizer=SGD(rate), epochs=8).fit(X_train, y_train)
    print(f"alpha = {rate:g}: accuracy {trained.score(X_test, y_test):.3f}")
said = re.search(r"The learning rate[^:]*", trained.evaluate(X_test, y_test)["diagnosis"])
print("of the last one it says:", said and said[0])
waits = MLP(**common, tol=0.001, patience=5, epochs=1000).fit(X_train, y_train)
print(f"of a good one: converged {waits.converged_}, after {waits.n_epochs_} epochs")

chapter("5. Overfitting and underfitting")
for words, width, rows, epochs in (
    ("too small a network", 2, slice(None), 20),
    ("few rows to train on", 100, slice(0, 60), 200),
    ("enough of both", 100, slice(None), 20),
):
    options = common | dict(hidden=width, epochs=epochs)
    trained = MLP(**options).fit(X_train[rows], y_train[rows])
    seen, new = trained.score(X_train[rows], y_train[rows]), trained.score(X_test, y_test)
    print(f"{words}: train {seen:.3f}, test {new:.3f}")

chapter("6. Deep networks: the gradients of the early layers")
rows = slice(0, 200)
for activation in ("sigmoid", "relu"):
    options = common | dict(hidden=(30,) * 5, activation=activation, epochs=1)
    deep = MLP(**options).fit(X_train[rows], y_train[rows])
    sizes = [np.abs(layer.dW).mean() for layer in deep.trace(X_train[rows], y_train[rows]).layers]
    print(f"{activation:8}", *(f"{size:.1e}" for size in sizes))

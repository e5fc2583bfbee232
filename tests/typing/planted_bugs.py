"""Slips that type checkers find. Where one does not, its ``type: ignore`` is an error."""

from cnn_core.datasets import load_digits

from cnn_core import MLP, Adam, EarlyStopping, load  # type: ignore[attr-defined]  # noqa: F401

X, y = load_digits()
MLP(hiden=(32,))  # type: ignore[call-arg]
MLP(epochs="ten")  # type: ignore[arg-type]
MLP(scale_inputs=True)  # type: ignore[arg-type]
MLP(optimizer="adma")  # type: ignore[arg-type]
MLP(activation="tnah")  # type: ignore[arg-type]
MLP(activation=("relu", "tnah"))  # type: ignore[arg-type]
MLP(scale_inputs="standart")  # type: ignore[arg-type]
MLP(loss="msee")  # type: ignore[arg-type]
MLP(output="sofmax")  # type: ignore[arg-type]
MLP(init="hee")  # type: ignore[arg-type]
MLP(task="regresion")  # type: ignore[arg-type]
MLP(batch_size="ful")  # type: ignore[arg-type]
Adam(lr=0.1)  # type: ignore[call-arg]
model = MLP().fit(X, y)
model.epochs = "ten"  # type: ignore[assignment]
model.fitt(X, y)  # type: ignore[attr-defined]
model.fit(X, y, epochs=5)  # type: ignore[arg-type]
model.predict(X, y, 3)  # type: ignore[call-arg]
load("model").fitt(X, y)  # type: ignore[attr-defined]
model.coefs_  # type: ignore[attr-defined]
model.predict(X) + "text"  # type: ignore[operator]

"""What a user may write: checkers know each type, find no error and no `Any`, and it runs."""

from typing import Literal, assert_type

import matplotlib.pyplot as plt
import numpy as np
from cnn_core.datasets import load_digits
from cnn_core.sklearn import MLPClassifier as DropIn
from numpy.typing import NDArray

from cnn_core import MLP, Adam, Cosine, MLPClassifier

X, y = load_digits()
X /= 16
new_X, new_y = X[1500:], y[1500:]
activation: Literal["relu", "tanh"] = "relu"  # names from elsewhere say which they may be
model = MLP(
    hidden=(32,),
    activation=activation,
    optimizer=Adam(),
    learning_rate=Cosine(),
    epochs=5,
    random_state=0,
)
assert_type(model, MLP)
assert_type(model.fit(X[:1500], y[:1500], validation_data=(new_X, new_y)), MLP)

results = model.evaluate(new_X, new_y)
assert_type(results["loss"], float)
assert_type(model.score(new_X, new_y), float)
print(f"loss {results['loss']:.3f}, accuracy {model.score(new_X, new_y):.1%}")
classifier = MLPClassifier((8,), scale_inputs="minmax", epochs=1).fit(X, y)
print(classifier.score(new_X, new_y), classifier.classes_.shape)
probabilities, weights = model.predict_proba(new_X), model.weights_
assert_type(probabilities, NDArray[np.float32 | np.float64])
assert_type(model.forward(new_X), NDArray[np.float32 | np.float64])
assert_type(model.predict_one(new_X[:1].ravel()), NDArray[np.float32 | np.float64])
labels = model.predict(new_X)
assert_type(labels, NDArray[np.generic])
assert_type(model.classes_, NDArray[np.generic])
assert_type(model.best_epoch_, int)
print(probabilities[:3], labels[:3], [W.shape for W in weights])

drop_in = DropIn((8,), tol=0.5, random_state=0).fit(X[:200], y[:200])
assert_type(drop_in, DropIn)
assert_type(drop_in.partial_fit(X[200:300], y[200:300]), DropIn)
assert_type(drop_in.predict_proba(new_X), NDArray[np.float32 | np.float64])
assert_type(drop_in.predict(new_X), NDArray[np.generic])
assert_type(drop_in.coefs_, list[NDArray[np.float32 | np.float64]])
assert_type(drop_in.n_iter_, int)

figure, axes = plt.subplots()
for name in ("loss", "val_loss"):
    axes.plot(model.history_[name], label=name)
axes.legend()
figure.savefig("learning_curve.png")
profile = model.profile(X[:500], y[:500], seconds=0.05)
profile.plot("profile.png")
print(profile)
text: str = model.summary()

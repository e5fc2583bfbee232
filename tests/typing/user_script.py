"""What a user may write: mypy, strict, finds no error and no `Any` in it, and it runs."""

import matplotlib.pyplot as plt
from cnn_core.datasets import load_digits
from cnn_core.schedules import Cosine

from cnn_core import MLP, Adam, MLPClassifier

X, y = load_digits()
X /= 16
new_X, new_y = X[1500:], y[1500:]
model = MLP(hidden=(32,), optimizer=Adam(), learning_rate=Cosine(), epochs=5, random_state=0)
model.fit(X[:1500], y[:1500], validation_data=(new_X, new_y))

results = model.evaluate(new_X, new_y)
print(f"loss {results['loss']:.3f}, accuracy {model.score(new_X, new_y):.1%}")
classifier = MLPClassifier((8,), scale_inputs="minmax", epochs=1).fit(X, y)
print(classifier.score(new_X, new_y), classifier.classes_.shape)
probabilities, weights = model.predict_proba(new_X), model.weights_
labels = model.predict(new_X)
print(probabilities[:3], labels[:3], [W.shape for W in weights])

figure, axes = plt.subplots()
for name in ("loss", "val_loss"):
    axes.plot(model.history_[name], label=name)
axes.legend()
figure.savefig("learning_curve.png")
profile = model.profile(X[:500], y[:500], seconds=0.05)
profile.plot("profile.png")
print(profile)
model.summary()

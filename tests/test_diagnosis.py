"""What learning curves suggest, in words that promise no more than curves can show."""

import numpy as np
import pytest
from cnn_core.diagnosis import diagnose

from cnn_core import MLP


def curves(loss, metric, val_loss=None):
    history = {"loss": loss, "metric": metric}
    return history | ({"val_loss": val_loss} if val_loss else {})


@pytest.mark.parametrize("history, options, words", [
    (curves([1, 0.5, 0.2, 0.1], [0.5, 0.7, 0.9, 0.99], [1, 0.6, 0.7, 0.9]), {},
     "may be overfitting: the validation loss was lowest in epoch 2 (0.6) and has risen to 0.9"),
    (curves([1, 0.5, 0.2, 0.1], [0.5, 0.7, 0.9, 0.99], [1, 0.6, 0.7, 0.9]), dict(best_epoch=2),
     "no sign of"),
    (curves([1, 0.5, 0.2, 0.1], [0.5, 0.7, 0.9, 0.99], [1, 0.6, 0.5, 0.4]), {},
     "may be overfitting: the loss is 0.4"),
    (curves([0.7] * 20, [0.52] * 20, [0.7] * 20), {},
     "may be underfitting: on the training rows the metric is 0.52"),
    (curves([0.9, 0.8, 0.7], [0.52] * 3, [0.9, 0.8, 0.7]), {}, "more epochs may help"),
    (curves([0.5, 0.3, 0.3], [0.8, 0.9, 0.9], [0.5, 0.33, 0.33]), {},
     "no sign of over- or underfitting"),
    (curves([0.5, 0.3, 0.2], [0.8, 0.9, 0.9]), {},
     "no validation loss to compare the training loss (0.2) with; the loss"),
    (curves([0.5, 0.3, 0.2], [0.8, 0.9, 0.9]), dict(loss=0.9),
     "may be overfitting: the loss is 0.9"),
    (curves([0.5, 0.3, 0.2], [0.8, 0.9, 0.9], [np.nan, 0.3, 0.2]), {}, "no validation loss"),
    (curves([], []), {}, "not trained"),
    (curves([-3.0, -3.1, -3.1], [0.8, 0.9, 0.9], [-3.0, -3.1, -3.1]), {}, "no sign"),
])  # fmt: skip
def test_curves_get_their_hint(history, options, words):
    assert words in diagnose(history, 0.5, **options)


def noise(rows=60):
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, 20)), rng.integers(0, 2, rows)


def test_a_net_that_learns_noise_by_heart_may_be_overfitting():
    X, y = noise()
    model = MLP(64, epochs=200, random_state=0).fit(
        X[:40], y[:40], validation_data=(X[40:], y[40:])
    )
    assert "may be overfitting" in model.evaluate(X[40:], y[40:])["diagnosis"]


def test_a_net_that_cannot_learn_may_be_underfitting(capsys):
    X, y = noise(600)
    model = MLP((), epochs=30, random_state=0, l2=10.0).fit(X, y, validation_data=(X, y))
    model.summary()
    assert "may be underfitting" in capsys.readouterr().out


def test_evaluate_gives_loss_and_metric():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(700, 3))
    for y, name in ((X[:, 0] > 0, "accuracy"), (X @ [1.0, 2, 3], "r2"), (X[:, :2] > 0, "accuracy")):
        model = MLP(8, epochs=30, random_state=0).fit(
            X, y.astype(float) if name == "r2" else y.astype(int)
        )
        result = model.evaluate(X, y)
        assert set(result) == {"loss", name, "diagnosis"}
        assert result[name] == pytest.approx(model.score(X, y), rel=1e-6)
        assert result["loss"] == pytest.approx(model.loss_and_gradient(X, y)[0], rel=1e-6)

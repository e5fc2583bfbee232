"""What learning curves suggest, in words that promise no more than curves can show."""

import numpy as np
import pytest
from cnn_core.diagnosis import Evaluated, Trained, diagnose

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
     "may be underfitting: metric is 0.52 in training"),
    (curves([0.9, 0.8, 0.7], [0.52] * 3, [0.9, 0.8, 0.7]), {}, "more epochs may help"),
    (curves([0.5, 0.3, 0.3], [0.8, 0.9, 0.9], [0.5, 0.33, 0.33]), {},
     "no sign of over- or underfitting"),
    (curves([0.5, 0.3, 0.2], [0.8, 0.9, 0.9]), {},
     "no validation loss to compare the training loss (0.2) with; the loss"),
    (curves([0.5, 0.3, 0.2], [0.8, 0.9, 0.9]), dict(evaluated=Evaluated(0.9)),
     "may be overfitting: the loss is 0.9"),
    (curves([0.5, 0.3, 0.2], [0.8, 0.9, 0.9], [np.nan, 0.3, 0.2]), {}, "no validation loss"),
    (curves([], []), {}, "not trained"),
    (curves([-3.0, -3.1, -3.1], [0.8, 0.9, 0.9], [-3.0, -3.1, -3.1]), {}, "no sign"),
])  # fmt: skip
def test_curves_get_their_hint(history, options, words):
    evaluated = options.pop("evaluated", None)
    assert words in diagnose(Trained(history, 0.5, **options), evaluated)


# Metrics first: what a teacher reads off two accuracies


def evaluated(train, other, share=0.1, losses=(0.03, 0.09), **options):
    history = {"loss": [1.0, 0.5, losses[0]], "metric": [0.5, 0.8, train]}
    trained = Trained(history, share, word=options.pop("word", "accuracy"))
    return diagnose(trained, Evaluated(losses[1], other, **options))


@pytest.mark.parametrize("train, other, baseline, losses", [
    (0.991, 0.975, 0.1, (0.03, 0.09)), (0.999, 0.998, 0.5, (0.00002, 0.003)),
    (1.0, 0.999, 0.5, (1e-9, 0.01)), (0.95, 0.95, 0.5, (0.2, 0.9)), (0.9, 0.97, 0.5, (0.3, 0.1)),
    (0.975, 0.965, 0.1, (0.1, 0.4)),
])  # fmt: skip
def test_accuracies_that_agree_are_no_sign_whatever_the_losses(train, other, baseline, losses):
    text = evaluated(train, other, baseline, losses)
    assert text.startswith(f"no sign of over- or underfitting: accuracy is {other:.4g} on these")


@pytest.mark.parametrize("train, other, baseline, losses", [
    (0.99, 0.8, 0.1, (0.03, 0.5)), (0.99, 0.8, 0.1, (0.5, 0.4)), (1.0, 0.93, 0.5, (0.1, 0.1)),
    (0.97, 0.9, 0.1, (0.1, 0.11)), (0.9, 0.6, 0.5, (0.3, 0.6)),
])  # fmt: skip
def test_a_lower_accuracy_on_other_rows_is_overfitting_whatever_the_losses(
    train, other, baseline, losses
):
    text = evaluated(train, other, baseline, losses)
    assert text.startswith(f"may be overfitting: accuracy is {other:.4g} on these rows and")
    assert "not trained on" not in text


@pytest.mark.parametrize("train, other", [(0.15, 0.12), (0.2, 0.2), (0.1, 0.3), (0.05, 0.05)])
def test_two_low_accuracies_are_underfitting(train, other):
    assert evaluated(train, other).startswith("may be underfitting: accuracy is")


def test_a_low_accuracy_in_training_alone_is_none():
    assert "no sign" in evaluated(0.2, 0.9)  # under dropout


@pytest.mark.parametrize("rows, sign", [(5, "no sign"), (20, "no sign"), (2000, "may be overfitt")])
def test_a_gap_that_chance_explains_is_no_sign(rows, sign):
    assert evaluated(0.95, 0.88, 0.5, rows=rows).startswith(sign)


@pytest.mark.parametrize("train, other, rows, sign", [
    (0.99, 0.98, 100, "no sign"), (0.99, 0.7, 100, "may be overfitting"),
    (0.9, -0.5, 1000, "may be overfitting"), (0.7, 0.6, 20, "no sign"),
    (0.7, 0.6, 5000, "may be overfitting"), (0.1, 0.05, 100, "may be underfitting"),
])  # fmt: skip
def test_r2_is_judged_alike(train, other, rows, sign):
    text = evaluated(train, other, 0.0, word="R2", rows=rows)
    assert text.startswith(sign)
    assert ("worse than their mean" in text) == (other < 0)


def test_accuracy_below_the_largest_class_is_no_overfitting():
    """With class_weight it is not what was aimed at."""
    text = evaluated(0.8212, 0.8103, 0.9962, rows=15000, balanced=0.786, baseline=0.9972)
    assert text.startswith("no sign")
    text = evaluated(0.9962, 0.9972, 0.9962, rows=15000, balanced=0.5, baseline=0.9972)
    assert text.startswith("may be underfitting: balanced accuracy is 0.5 on these rows")


def test_losses_decide_where_metrics_are_unknown():
    assert evaluated(0.9, None, losses=(0.2, 0.9)).startswith("may be overfitting: the loss is 0.9")
    assert evaluated(0.9, None, losses=(0.2, 0.25)).startswith("no sign")
    history = curves([0.9, 0.5, 0.2], [0.5, 0.8, 0.9])
    weighted = Trained(history, 0.5, weighted=True)
    assert diagnose(weighted, Evaluated(0.9)).startswith(
        "no sign"
    )  # the training loss was weighted


def test_a_model_that_is_good_is_not_sent_on():
    falling = curves([1.0, 0.5, 0.25, 0.1], [0.5, 0.9, 0.95, 0.99])
    assert "more epochs" not in diagnose(Trained(falling, 0.5), Evaluated(0.1, 0.99))
    falling["metric"] = [0.5, 0.6, 0.7, 0.8]
    assert "more epochs may help" in diagnose(Trained(falling, 0.5), Evaluated(0.1, 0.8))


def test_causes_come_first_and_take_the_place_of_advice():
    history = curves([0.9, 0.8, 0.7], [0.52] * 3)
    asked = []

    def find(general):
        asked.append(general)
        return ["Something is wrong: do this."]

    text = diagnose(Trained(history, 0.5, word="accuracy"), Evaluated(0.7, 0.5), find, ["A note."])
    assert text.startswith("Something is wrong: do this. A note. May be underfitting: accuracy")
    assert "epochs" not in text
    history["metric"] = [0.5, 0.9, 1.0]
    diagnose(Trained(history, 0.5), Evaluated(0.7, 0.5), find)  # only other rows show it
    diagnose(Trained(history, 0.5), Evaluated(0.7, 1.0), find)  # nothing is wrong
    assert asked == [True, False]


def test_summary_does_not_judge_rare_or_weighted_classes_by_accuracy():
    history = curves([0.02, 0.019, 0.018], [0.996] * 3)
    text = diagnose(Trained(history, 0.996, word="accuracy"))
    assert "evaluate(X, y) gives balanced accuracy" in text and "larger net" not in text
    history = curves([0.5, 0.4, 0.4], [0.92] * 3)
    assert "balanced accuracy" in diagnose(Trained(history, 0.9, word="accuracy", weighted=True))


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
    print(model.summary())
    assert "May be underfitting" in capsys.readouterr().out


def test_evaluate_gives_loss_and_metric():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(700, 3))
    for y, name in ((X[:, 0] > 0, "accuracy"), (X @ [1.0, 2, 3], "r2"), (X[:, :2] > 0, "accuracy")):
        model = MLP(8, epochs=30, random_state=0).fit(
            X, y.astype(float) if name == "r2" else y.astype(int)
        )
        result = model.evaluate(X, y)
        labels = {"accuracy_per_label"} if y.ndim == 2 else set()
        assert set(result) == {"loss", name, "diagnosis"} | labels
        assert result[name] == pytest.approx(model.score(X, y), rel=1e-6)
        assert result["loss"] == pytest.approx(model.loss_and_gradient(X, y)[0], rel=1e-6)

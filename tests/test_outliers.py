"""A far outlier among the training targets is named by fit, evaluate and summary, and clean rows
are not blamed for it; heavy tails are left in peace."""

import warnings

import numpy as np
import pytest
from cnn_core.causes.outliers import outliers

from cnn_core import MLP, Huber

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 4))
LINE = X @ [1.0, 2.0, -1.0, 0.5]
SPOILT = LINE.copy()
SPOILT[5] = 1e6
CLEAN = X[6:], LINE[6:]


def fitted(y, **options):
    """A model, and what its fit warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = MLP(**dict(hidden=16, epochs=40, random_state=0) | options).fit(X, y)
    return model, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("options", [{}, dict(early_stopping=True), dict(scale_targets=None)])
def test_an_outlier_of_y_is_told_by_fit_evaluate_and_summary(options):
    model, said = fitted(SPOILT, **options)
    assert len(said) == 1 and said[0].startswith(
        "y is 1e+06 in 1 row, far from the others (-7.762 to 7.328), and makes up 100 % of the "
        "squared error: check it, or take loss='mae' or Huber()."
    )
    text = model.evaluate(*CLEAN)["diagnosis"]
    assert text.startswith("In training y was 1e+06 in 1 row") and "elsewhere" not in text
    assert "In training y was 1e+06 in 1 row" in model.summary()


@pytest.mark.parametrize("loss", ["mae", Huber(1.0)])
def test_a_loss_that_outliers_do_not_rule_is_not_warned_of_but_r2_in_training_is(loss):
    model, said = fitted(SPOILT, loss=loss, epochs=100)
    assert not said
    result = model.evaluate(*CLEAN)
    assert result["r2"] > 0.95
    text = result["diagnosis"]
    assert text.startswith("In training y was 1e+06 in 1 row") and "squares of R2" in text
    assert "No sign of over" in text and "R2 is 0.9" in text and "and -0.0" not in text
    assert "may be underfitting" not in model.summary()


def test_an_outlier_of_these_rows_is_told_apart_from_one_of_training():
    model, said = fitted(LINE)
    assert not said
    text = model.evaluate(X, SPOILT)["diagnosis"]
    assert text.startswith("y is 1e+06 in 1 of these rows") and "check it." in text
    assert "In training" not in text and "loss=" not in text


def test_the_column_and_the_number_of_outliers_are_told():
    two = np.column_stack((LINE, SPOILT))
    two[9, 1] = -3e5
    _, said = fitted(two)
    assert said[0].startswith("Column 1 of y is 1e+06 or so in 2 rows, far from the others")


def test_rows_of_weight_0_are_no_outliers():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLP(4, epochs=1).fit(X, SPOILT, sample_weight=(np.arange(600) != 5) * 1.0)


def test_other_units_are_told_beside_an_outlier_of_training():
    text = fitted(SPOILT)[0].evaluate(X[6:], 1000 * LINE[6:])["diagnosis"]
    assert "y lies elsewhere, from -7762 to 7328, than in training, from -7.762 to 7.328" in text


@pytest.mark.parametrize("rows", [25, 60, 400, 5000])
@pytest.mark.parametrize("kind", [
    "normal", "lognormal", "wide lognormal", "exponential", "t", "zeros", "counts", "uniform",
])  # fmt: skip
def test_heavy_tails_are_no_outliers(kind, rows):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y = {
            "normal": lambda: rng.normal(size=rows),
            "lognormal": lambda: np.exp(rng.normal(size=rows)),
            "wide lognormal": lambda: np.exp(2.5 * rng.normal(size=rows)),
            "exponential": lambda: rng.exponential(size=rows),
            "t": lambda: rng.standard_t(3, rows),
            "zeros": lambda: np.where(rng.random(rows) < 0.99, 0.0, rng.normal(size=rows)),
            "counts": lambda: rng.poisson(0.1, rows) * 1.0,
            "uniform": lambda: rng.random(rows),
        }[kind]()
        assert not outliers(y[:, None]), (kind, rows, seed)

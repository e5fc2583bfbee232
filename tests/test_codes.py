"""Numbers that stand for missing entries in y: told by fit and by a stream, in any shape of y."""

import warnings

import numpy as np
import pytest
from cnn_core.causes.codes import code

from cnn_core import MLP, Huber

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 3))
LINE = X[:, 0]
PRICES, AMOUNTS = 50 + 10 * LINE, np.exp(LINE)
COUNTS = np.round(PRICES)
CODES = [(-99999, 7), (999, 40), (-1, 10), (99, 40), (9999, 100), (-9999, 3), (-999, 200)]


def with_code(y, number, every):
    y = y.copy()
    y[::every] = number
    return y


def told(y, how=None, **options):
    """What a fit, or a stream of calls of so many rows, warns of."""
    model = MLP(4, epochs=3, random_state=0, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if how is None:
            model.fit(X, y)
        else:
            for i in range(0, len(X), how):
                model.partial_fit(X[i : i + how], y[i : i + how])
    return [str(one.message) for one in caught], model


@pytest.mark.parametrize("y", [PRICES, AMOUNTS, COUNTS], ids=["prices", "amounts", "counts"])
@pytest.mark.parametrize("number, every", CODES)
@pytest.mark.parametrize("options", [{}, {"scale_targets": None}, {"loss": Huber(1.0)}], ids=str)
def test_a_code_in_y_is_told_by_the_fit(y, number, every, options):
    messages, model = told(with_code(y, number, every), **options)
    rows = len(y[::every])
    assert len(messages) == 1 and messages[0].startswith(f"y is {number} in {rows} rows, ")
    assert messages[0].endswith("looks like a code for a missing entry: leave these rows out.")
    begin = model._fitted.seen.begin[0]
    assert begin.startswith(f"In training y was {number} in {rows} rows")
    assert model._fitted.seen.y[0, 0] >= -0.1 and model._fitted.seen.y[1, 0] < 90


def test_a_code_is_told_with_its_column():
    y = np.column_stack((PRICES, with_code(PRICES, -999, 9)))
    assert told(y)[0][0].startswith("Column 1 of y is -999 in 45 rows")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(y, columns=["rent", "price"])
    assert told(frame)[0][0].startswith("Column 'price' of y is -999 in 45 rows")


def test_rows_without_weight_are_no_codes():
    y = with_code(PRICES, -999, 9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLP(4, epochs=1).fit(X, y, sample_weight=(y != -999) * 1.0)


@pytest.mark.parametrize("how", [400, 50])
def test_a_stream_tells_of_a_code_among_its_first_rows(how):
    messages, _ = told(with_code(PRICES, -999, 9), how)
    assert messages[0].startswith(f"y is -999 in {len(range(0, how, 9))} rows")


def test_a_stream_of_single_rows_tells_of_a_code_at_its_tenth():
    y = with_code(PRICES, -999, 4)
    messages, _ = told(y, 1)
    assert messages[0].startswith("y is -999 in 3 rows, far from the others")


@pytest.mark.parametrize("classes, label, others", [
    ([0, 1, -999], -999, "0 to 1"), ([0, 1, 2, 99], 99, "0 to 2"), ([1, 2, 9999], 9999, "1 to 2"),
    ([-1, 0, 1, 2], -1, "0 to 2"),
])  # fmt: skip
def test_a_code_among_classes_is_told(classes, label, others):
    labels = np.array(classes)[np.arange(400) % len(classes)]
    messages, _ = told(labels)
    assert messages == [
        f"y has the class {label} beside {others}, which looks like a code for a missing entry; "
        "drop these rows if it is one"
    ]


@pytest.mark.parametrize("classes", [
    [-1, 0, 1], [0, 1], [0, 999], [1, 2, 9], [90, 95, 99], range(100), range(-3, 4), [8, 9, 10, 11],
    ["0", "1", "999"],
], ids=str)  # fmt: skip
def test_other_classes_are_no_codes(classes):
    labels = np.array(classes)[np.arange(400) % len(classes)]
    assert not [one for one in told(labels, task="classification")[0] if "code for" in one]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("rows", [30, 400])
def test_numbers_of_other_kinds_are_no_codes(seed, rows):
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=rows)
    for values in (
        normal,
        np.round(2 * normal),
        np.round(2 * normal + 4),
        rng.poisson(3, rows) - 1,
        rng.integers(-1, 12, rows),
        rng.integers(0, 100, rows),
        np.minimum(rng.exponential(60, rows).round(), 99),
        np.minimum(rng.normal(80, 20, rows), 99),
        np.clip(3 * normal, -1, 1),
        rng.choice([-1, 0, 1], rows),
        np.where(rng.random(rows) < 0.5, 0, np.exp(normal)),
        np.maximum(-1, np.round(rng.normal(3, 2, rows))),
    ):
        assert code(np.asarray(values, float)[:, None]) is None

"""Single rows of tables, as they are served: the bits that they have in a table, quickly, from any
thread."""

import decimal
import fractions
import itertools
import math
import re
import threading
import warnings

import numpy as np
import pytest

from cnn_core import MLP, MLPRegressor

RNG = np.random.default_rng(0)
ROWS = 120
TABLE = {
    "island": RNG.choice(["Biscoe", "Dream", "Torgersen"], ROWS).tolist(),
    "mass": [None if i % 9 == 0 else float(x) for i, x in enumerate(RNG.normal(4e3, 500, ROWS))],
    "eggs": RNG.integers(0, 5, ROWS).tolist(),
    "day": [f"2026-0{1 + i % 9}-1{i % 7}" for i in range(ROWS)],
}
PRICE = np.array([len(one) for one in TABLE["island"]]) * 10.0 + np.array(TABLE["eggs"])
SPECIES = np.where(PRICE > 62, "Adelie", "Gentoo")


def records(table):
    return [dict(zip(table, row)) for row in zip(*table.values())]


@pytest.fixture(scope="module")
def model():
    return MLPRegressor(8, columns="auto", epochs=20, random_state=0).fit(TABLE, PRICE)


ENTRIES = [
    None, math.nan, 0.0, -0.0, 3, 3.0, 3.5, 2**60, 10**18, True, False, "", "NA", "3", "3.5",
    "Biscoe", "Dream", "biscoe", np.float64(2.5), np.float32(0.1), np.int8(3), np.str_("Biscoe"),
    np.bool_(True), fractions.Fraction(1, 3), decimal.Decimal("0.1"), 5e-324, 1e299, 1e301, -1e308,
]  # fmt: skip


@pytest.mark.parametrize("gaps", [True, False])
@pytest.mark.parametrize("many", [True, False])
def test_every_entry_of_a_row_is_encoded_as_in_a_table(gaps, many):
    places = [f"p{i % 40}" for i in range(120)] if many else ["Biscoe", "Dream", "3"] * 40
    numbers = [float(i % 7) for i in range(120)]
    if gaps:
        places[5] = numbers[7] = None
    table = {"number": numbers, "place": places}
    found = MLP(3, columns="auto", epochs=1).fit(table, np.arange(120.0)).columns_

    def outcome(call):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                return np.array(call()).tobytes(), [str(one.message)[2:] for one in told]
            except (ValueError, TypeError) as error:
                return str(error).partition(" ")[2], []

    for number, place in itertools.product(ENTRIES, ENTRIES):
        row = {"place": place, "number": number}
        one = outcome(lambda row=row: [found.encode_row(row)])
        together = outcome(lambda row=row: found.encode([row], "x"))
        words = [re.sub(r" \(1 row\)", "", word) for word in together[1]]
        assert one == (together[0], words), row


@pytest.mark.slow
def test_threads_encode_rows_at_once(model):
    rows, errors = records(TABLE)[:20], []
    wanted = [model.predict_one(row).tobytes() for row in rows]

    def predict():
        for _ in range(20):
            for row, a in zip(rows, wanted):
                if model.predict_one(row).tobytes() != a:
                    errors.append(row)

    threads = [threading.Thread(target=predict) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_a_row_of_a_table_may_give_its_label(model):
    classes = MLP(16, columns="auto", epochs=40, random_state=0).fit(TABLE, SPECIES)
    for row, wanted in zip(records(TABLE), classes.predict(TABLE).tolist()):
        assert classes.predict_one(row, labels=True) == wanted
        assert classes.predict([row])[0] == classes.predict(row)[0] == wanted
    row = records(TABLE)[0]
    assert model.predict_one(row, labels=True) == model.predict([row])[0]

"""Texts that are numbers with signs around them: one sentence says what makes numbers of them."""

import re

import numpy as np
import pytest
from mlp_cases import X, quick

from cnn_core import MLP


@pytest.mark.parametrize(
    "texts, numbers",
    [
        (["$15868", "$1,200", "$3"], [15868, 1200, 3]),
        (["-$5.50", "$-2", "$1"], [-5.5, -2, 1]),
        (["€ 12.50", "€ 3"], [12.5, 3]),
        (["12%", "3.5 %"], [12, 3.5]),
        (["12 kg", "3.25kg"], [12, 3.25]),
        (["3,5", "2,25"], [3.5, 2.25]),
        (["1,200", "15"], [1200, 15]),
        (["1 200 €", "7 €"], [1200, 7]),
    ],
    ids=str,
)
def test_texts_of_numbers_with_signs_name_what_makes_numbers_of_them(texts, numbers):
    with pytest.raises(TypeError, match=r"float\(text.* makes numbers of such texts$") as caught:
        MLP().fit([[text] for text in texts], numbers)
    found = re.search(r"float\(text.*?\)(?= makes)", str(caught.value))
    assert [eval(found[0], {"text": text}) for text in texts] == numbers


@pytest.mark.parametrize(
    "texts",
    [
        ["ab", "c"],
        ["B12", "C1"],
        ["1st", "2nd"],
        ["2020-01-01"],
        ["10-20"],
        ["12:30"],
        ["<5"],
        ["(5)"],
    ],
    ids=str,
)
def test_other_texts_are_to_be_encoded(texts):
    with pytest.raises(TypeError, match="encode text as numbers, such as pandas.get_dummies"):
        MLP().fit([[text] for text in texts], np.arange(len(texts)) + 0.5)


def test_amounts_in_y_with_signs_are_not_identifiers():
    words = r"texts such as '\$1,000', .*float\(text.* makes numbers to predict of them"
    with pytest.warns(UserWarning, match=words):
        quick(epochs=1).fit(X[:40], [f"${1000 + 31 * i:,}" for i in range(40)])
    with pytest.warns(UserWarning, match=r"texts such as '0 kg', .*float\(text"):
        quick(epochs=1).fit(X[:40], [f"{i} kg" for i in range(40)])
    for few in (["4wd", "2wd"], ["#1", "#2"], ["1st", "2nd"], ["a", "b"]):
        quick(epochs=1).fit(X[:40], 20 * few)

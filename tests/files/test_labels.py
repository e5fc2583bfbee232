"""Labels and parameters of every size: a file holds them as they are, or `save` refuses them, and
no file is written that `load` would refuse."""

import enum
import io
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from file_cases import TWO, X, quietly

import cnn_core
from cnn_core import MLP, MLPClassifier


class Grade(enum.IntEnum):
    LOW, HIGH = 1, 2


def of_two(one, other, dtype=None):
    values = [other if i else one for i in TWO]
    return values if dtype is None else np.array(values, dtype)


def loaded(model):
    file = io.BytesIO()
    model.save(file)
    return cnn_core.load(file.getvalue())


KEPT = {
    "beyond 64 bits": of_two(10**20, 10**20 + 1),
    "below -2^63": of_two(-(10**20), -(10**20) - 1),
    "2^64": of_two(2**64, 2**64 + 1),
    "hundreds of digits": of_two(10**400, 10**400 + 1),
    "one of two": of_two(1, 10**30, object),
    "beside a float": of_two(0.5, 10**20, object),
    "the ends of 64 bits": of_two(2**64 - 1, 0, np.uint64),
    "the lowest of 64 bits": of_two(-(2**63), 2**63 - 1, np.int64),
    "large floats": of_two(1e300, -1e300),
    "subnormal floats": of_two(5e-324, 1e-323),
    "half floats": of_two(0, 1, np.float16),
    "bytes": of_two(b"\xff", b"a"),
    "bytes as objects": of_two(b"\xff", b"a", object),
    "bools as objects": of_two(True, False, object),
    "an enumeration": of_two(Grade.LOW, Grade.HIGH),
    "an empty text": of_two("", "b"),
    "NUL in a text": of_two("a\0b", "b"),
}


@pytest.mark.parametrize("name", KEPT)
def test_labels_are_kept_as_they_are(name):
    model = quietly(MLPClassifier(2, epochs=1, random_state=0).fit, X, KEPT[name])
    other = loaded(model)
    assert other.classes_.dtype == model.classes_.dtype
    assert other.classes_.tolist() == model.classes_.tolist()
    assert [type(one) for one in other.classes_] == [type(one) for one in model.classes_]
    assert other.predict(X).tolist() == model.predict(X).tolist()


REFUSED = {
    "infinity": (of_two(0.0, np.inf), "task.classes has inf, which no file can hold"),
    "thousands of digits": (of_two(1, 16**1001, object), "more than 1000 hexadecimal digits"),
    "long texts": (of_two("a" * 600_000, "b"), "has 2 texts of up to 600,000 characters; a file"),
    "Decimal": (of_two(Decimal(1), Decimal(2)), "of type Decimal, which no file can hold"),
    "Fraction": (of_two(Fraction(1, 3), Fraction(2, 3)), "of type Fraction, which no file can"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_file_can_hold_is_refused_by_save(name, tmp_path):
    y, words = REFUSED[name]
    model = MLPClassifier(2, epochs=1, random_state=0).fit(X, y)
    with pytest.raises((ValueError, TypeError), match=words):
        model.save(tmp_path / "model")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options",
    [
        dict(patience=10**30, early_stopping=True),
        dict(random_state=2**200),
        dict(batch_size=10**20),
        dict(l1=10**19, learning_rate=1e-30),
        dict(class_weight={0: 10**30, 1: 1}),
        dict(tol=1e-320),
        dict(min_delta=1e308),
    ],
    ids=str,
)
def test_parameters_of_any_size_are_kept(options):
    model = MLP(**dict(hidden=2, epochs=1, random_state=0) | options).fit(X, TWO)
    other = loaded(model)
    assert {name: getattr(other, name) for name in options} == options


def test_names_of_columns_are_kept_or_refused():
    pandas = pytest.importorskip("pandas")
    n = X.shape[1]
    for labels in ([10**20 + i for i in range(n)], [i / 4 for i in range(n)]):
        model = MLP(2, epochs=1, random_state=0).fit(pandas.DataFrame(X, columns=labels), TWO)
        frame = pandas.DataFrame(X, columns=labels).iloc[:, ::-1]
        with pytest.raises(ValueError, match="their order differs"):
            loaded(model).predict(frame)
    frame = pandas.DataFrame(X, columns=[np.nan, *range(1, n)])
    with pytest.raises(ValueError, match="feature_names has nan, which no file can hold"):
        loaded(MLP(2, epochs=1, random_state=0).fit(frame, TWO))

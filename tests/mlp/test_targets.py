"""MLP: what is no y, and other shapes and lengths than X and y may have."""

import datetime
import enum
from fractions import Fraction

import numpy as np
import pytest
from mlp_cases import LINE, TWO, X, quick

from cnn_core import MLP


def short(**options):
    return quick(**{"epochs": 1} | options)


# What is no y


class Colour(enum.Enum):
    RED, BLUE = 1, 2


class Plain:
    pass


def sparse():
    class Sparse:
        shape = (200, 1)
        toarray = None

    return Sparse()


@pytest.mark.parametrize(
    "y, error, message",
    [
        (sparse(), TypeError, r"y is a sparse matrix; .*y.toarray\(\)"),
        ((v for v in TWO), TypeError, r"type generator, .*use list\(y\)"),
        (map(int, TWO), TypeError, r"of type map, .*use list\(y\)"),
        (iter(TWO.tolist()), TypeError, "of type list_iterator"),
        (dict(enumerate(TWO)), TypeError, r"of type dict; .*list\(y.values\(\)\)"),
        (dict(enumerate(TWO)).values(), TypeError, r"of type dict_values; .*list\(y\)"),
        (set(range(200)), TypeError, "of type set, which has no order"),
        (frozenset((0, 1)), TypeError, "of type frozenset, which has no order"),
        ("yes", TypeError, "the single text 'yes'"),
        (b"yes", TypeError, "the single text b'yes'"),
        (3, TypeError, "the single number 3, of type int"),
        (Plain(), TypeError, "a single object, of type Plain"),
        ([[0, 1], [1]] * 100, ValueError, "y must be a rectangular array; its rows have different"),
        ([0, [1]] * 100, ValueError, "y must be a rectangular array"),
        ([["a"], ["b", "c"]] * 100, ValueError, "y must be a rectangular array"),
        (np.array([[1], [1, 2]] * 100, object), TypeError, "type list at row 0"),
        (TWO * 1j, TypeError, "complex numbers.*complex128"),
        ([1j, 2] * 100, TypeError, "complex numbers"),
        (np.array([1j, 2] * 100, object), TypeError, "complex numbers .complex"),
        (TWO.astype("datetime64[D]"), TypeError, r"dates or times \(datetime64\[D\]\)"),
        (TWO.astype("timedelta64[h]"), TypeError, r"time spans \(timedelta64\[h\]\)"),
        ([datetime.date(2020, 1, 1 + v) for v in TWO], TypeError, r"dates or times \(date\)"),
        ([datetime.timedelta(int(v)) for v in TWO], TypeError, r"time spans \(timedelta\)"),
        ([Colour(v + 1) for v in TWO], TypeError, "type Colour, which cannot be sorted; .*names"),
        ([[Plain(), Plain()][v] for v in TWO], TypeError, "type Plain, which cannot be sorted"),
        (np.array([None, None, {1: 2}, {}] * 50), TypeError, "type dict at row 2"),
        ([b"a", "b"] * 100, TypeError, "mixes labels of types bytes, str"),
    ],
)
def test_what_is_no_y_is_refused_in_one_sentence(y, error, message):
    for task in ("auto", "classification"):
        with pytest.raises(error, match=message) as caught:
            short(task=task).fit(X, y)
        assert "\n" not in str(caught.value)


def test_what_is_no_y_is_refused_by_score_too():
    model = short().fit(X, TWO)
    for y, message in (
        ({1: 2}, "of type dict"),
        ("yes", "the single text"),
        ((v for v in TWO), "type generator"),
        ([[0], [0, 1]], "rectangular"),
        (sparse(), "sparse"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            model.score(X, y)
    with pytest.raises(TypeError, match="validation_data's y is of type set"):
        short().fit(X, TWO, validation_data=(X, {0, 1}))
    with pytest.raises(TypeError, match="dates"):
        short(task="regression").fit(X, TWO.astype("datetime64[D]"))


def test_times_of_data_frames_are_refused_by_name():
    pandas = pytest.importorskip("pandas")
    for y, message in (
        (pandas.Series(pandas.to_datetime(["2020-01-01", "2021-01-01"] * 100)), "datetime64"),
        (pandas.Series(pandas.to_datetime(["2020", "2021"] * 100, utc=True)), "Timestamp|datetime"),
        (pandas.Series(pandas.to_timedelta(TWO, "h")), "timedelta64"),
    ):
        with pytest.raises(TypeError, match=message):
            short().fit(X, y)


def test_texts_of_pythons_and_numpys_type_are_one():
    for y in (["a", np.str_("b")] * 100, np.array(["a", np.str_("b")] * 100, object)):
        assert short().fit(X, y).classes_.tolist() == ["a", "b"]
    labels = np.array([b"a", np.bytes_(b"b")] * 100, object)
    assert short().fit(X, labels).classes_.tolist() == [b"a", b"b"]


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 2 has StringDType")
@pytest.mark.parametrize("gap", [np.nan, None, "gone"])
def test_a_gap_in_numpys_own_texts_is_refused(gap):
    dtype = np.dtypes.StringDType(na_object=gap)
    y = np.array(["a", "b", gap, "a"], dtype)
    for task in ("auto", "classification"):
        with pytest.raises(ValueError, match="at row 2; every row needs a class label"):
            short(task=task).fit(X[:4], y)
    whole = np.array(["a", "b"], dtype)[TWO]
    model = short().fit(X, whole)
    assert model.classes_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="y has .* at row 2"):
        model.score(X[:4], y)


def test_class_weights_of_a_series_go_by_its_index():
    pandas = pytest.importorskip("pandas")
    plain = short(class_weight={0: 1.0, 1: 5.0}).fit(X, TWO)
    series = short(class_weight=pandas.Series([5.0, 1.0], index=[1, 0])).fit(X, TWO)
    assert np.array_equal(series.parameters_, plain.parameters_)
    texts = pandas.Series({"a": 2.0})
    assert short(class_weight=texts).fit(X, np.array(["a", "b"])[TWO]).n_epochs_ == 1
    with pytest.raises(ValueError, match="unknown class 7"):
        short(class_weight=pandas.Series([5.0], index=[7])).fit(X, TWO)
    with pytest.raises(ValueError, match="class_weight names the class 1 twice"):
        MLP(class_weight=pandas.Series([5.0, 1.0], index=[1, 1]))
    with pytest.raises(ValueError, match="class_weight of 1"):
        MLP(class_weight=pandas.Series([-5.0], index=[1]))


@pytest.mark.parametrize("size", [400, 6000])  # beyond float64, and more digits than Python writes
@pytest.mark.parametrize("make", [int, Fraction, lambda one: Fraction(one, 3)])
def test_a_class_beyond_all_floating_point_numbers_is_an_unknown_class_in_few_words(size, make):
    model, huge = short(task="classification").fit(X, TWO), make(10**size)
    for call in (model.partial_fit, model.score, model.evaluate):
        with pytest.raises(ValueError, match=r"^y has the unknown class .{5,80} at row 0; the mod"):
            call(X, [huge] * len(X))
    with pytest.raises(ValueError, match=r"^class_weight has the unknown class .{5,80}; y holds"):
        short(task="classification", class_weight={huge: 2.0}).fit(X, TWO)


# Shapes


def test_lengths_are_compared_before_classes_are_counted():
    for y in (TWO[:10], TWO[:10].tolist(), TWO[:1], np.zeros(10), ["a"] * 10, LINE[:10]):
        with pytest.raises(ValueError, match=f"X has 200 rows and y has {len(y)}; they must"):
            MLP().fit(X, y)
        with pytest.raises(ValueError, match=f"X has 200 rows and y has {len(y)}; they must"):
            MLP().partial_fit(X.tolist(), y)


def test_images_are_told_to_become_rows():
    images = X[:196].reshape(5, 14, 14)
    model = short().fit(images.reshape(5, -1), [0, 1, 0, 1, 1])
    for given in (images, images.tolist(), images[:1], images[..., None]):
        with pytest.raises(ValueError, match=r"X.reshape\(len\(X\), -1\) makes a row of each"):
            MLP().fit(given, [0.5, 1, 0, 1, 1][: len(given)])
        with pytest.raises(ValueError, match=r"X.reshape\(len\(X\), -1\) makes a row of each"):
            model.predict(given)
    with pytest.raises(ValueError, match=r"14 features, .* with 196; X.reshape\(1, -1\) makes one"):
        model.predict(images[0])

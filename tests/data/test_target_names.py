"""Columns of y by name, those of a frame and the only one of a series, in errors and advice."""

import datetime
import pickle
import warnings

import numpy as np
import pytest

from cnn_core import MLP, load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
A = np.arange(40) + 0.25
OTHER = A[::-1] ** 2
DAY = datetime.date(2020, 1, 1)


def changed(value, rows=(7,), dtype=float):
    values = A[::-1].astype(dtype)
    values[list(rows)] = value
    return values


def frame(values, kind):
    """A frame of two columns, the second of which is `area`; or that column alone."""
    library = pytest.importorskip("polars" if kind.startswith("polars") else "pandas")
    values = values.tolist()
    if kind == "polars series":
        return library.Series("area", values)
    if kind == "pandas series":
        return library.Series(values, name="area")
    columns = {"area": values} if kind.endswith("column") else {"price": A, "area": values}
    return library.DataFrame(columns)


KINDS = ["pandas frame", "pandas column", "pandas series", "polars frame", "polars series"]
ONE = r"in column 'area' \(row 7\)"
TWO = r"in column 'area' \(2 rows, the first is row 7\)"
NUMBERS = [
    (changed(np.nan), {}, f"y has nan {ONE}; .*: fill the gaps"),
    (changed(np.nan, (7, 9)), {}, f"y has nan {TWO}"),
    (changed(np.inf), {}, f"y has inf {ONE}"),
    (changed(1e39, (7, 9)), {}, rf"y has 1e\+39 {TWO}; .* range of float32"),
    (changed(1e39), {"scale_targets": None}, rf"y has 1e\+39 {ONE}"),
    (changed(-3.0, (7, 9)), {"loss": "poisson"}, f"y has -3.0 {TWO}; the loss 'poisson' takes"),
    (changed(2.0), {"loss": "binary_crossentropy"}, r"in column '\w+' \(\d+ rows.* from 0 to 1"),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values, options, message", NUMBERS)
def test_errors_about_numbers_to_predict_name_the_column(kind, values, options, message):
    with pytest.raises(ValueError, match=message):
        MLP(2, epochs=1, **options).fit(X, frame(values, kind))


OBJECTS = [
    ("abc", {"task": "regression"}, f"got the text 'abc' {ONE}"),
    (DAY, {"task": "regression"}, rf"y holds dates or times \(date\) {ONE}"),
]


@pytest.mark.parametrize("kind", KINDS[:3])
@pytest.mark.parametrize("value, options, message", OBJECTS)
def test_errors_about_objects_name_the_column(kind, value, options, message):
    with pytest.raises(TypeError, match=message):
        MLP(2, epochs=1, **options).fit(X, frame(changed(value, dtype=object), kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_type_of_a_column_is_named_with_it(kind):
    y = frame(np.array([DAY] * 40), kind)
    y = y.astype("datetime64[s]") if kind == "pandas series" else y
    with pytest.raises(TypeError, match="y holds dates or times .* in column 'area'"):
        MLP(2).fit(X, y)


@pytest.mark.parametrize("kind", ["pandas column", "pandas series", "polars series"])
def test_errors_about_labels_name_the_column(kind):
    labels = np.array(["a", "b"] * 20, object)
    model = MLP(2, epochs=1).fit(X, labels)
    gaps, unknown = labels.copy(), labels.copy()
    gaps[[7, 9]], unknown[[7, 9]] = None, "c"
    with pytest.raises(ValueError, match=rf"y has (None|nan) {TWO}; every row needs"):
        MLP(2).fit(X, frame(gaps, kind))
    with pytest.raises(ValueError, match=f"unknown class 'c' {TWO}; the model knows 'a', 'b'"):
        model.score(X, frame(unknown, kind))
    with pytest.raises(ValueError, match=f"validation_data's y has the unknown class 'c' {TWO}"):
        MLP(2).fit(X, labels, validation_data=(X, frame(unknown, kind)))


def test_a_text_among_numbers_is_shown():
    for y in (frame(changed("abc", dtype=object), "pandas series"), changed("abc", dtype=object)):
        where = "at row 7" if isinstance(y, np.ndarray) else ONE
        with pytest.raises(TypeError, match=f"types float, str, such as 'abc' {where}; they must"):
            MLP(2).fit(X, y)


@pytest.mark.parametrize("kind", ["pandas frame", "polars frame"])
def test_errors_about_several_labels_a_row_name_the_column(kind):
    library = pytest.importorskip(kind.split()[0])
    yes, no = [1, 0] * 20, [0, 1] * 20
    no[7] = 2
    with pytest.raises(ValueError, match=r"y has 2 in column 'q' \(row 7\); several labels"):
        MLP(2).fit(X, library.DataFrame({"p": yes, "q": no}))
    no[7] = None
    with pytest.raises(ValueError, match=r"y has nan in column 'q' \(row 7\); .*: fill the gaps"):
        MLP(2, task="classification").fit(X, library.DataFrame({"p": yes, "q": no}))


def test_arrays_and_nameless_series_are_named_by_row_and_column():
    pandas = pytest.importorskip("pandas")
    bad = changed(np.nan)
    for y, where in (
        (bad, "row 7"),
        (pandas.Series(bad), "row 7"),
        (np.column_stack((A, bad)), "row 7, column 1"),
    ):
        with pytest.raises(ValueError, match=f"y has nan at {where};"):
            MLP(2).fit(X, y)
    with pytest.raises(ValueError, match="x has 2 features"):  # whose name is that of a row
        MLP(2, epochs=1).fit(X, A).predict_one(pandas.Series([1.0, 2.0], name=7))


# Advice


def told(y, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = MLP(2, epochs=2, random_state=0, **options).fit(X, y)
    return [str(one.message) for one in caught], model


def test_warnings_of_a_fit_name_the_column():
    messages, model = told(frame(changed(1e6), "pandas frame"))
    assert messages[0].startswith("Column 'area' of y is 1e+06 in 1 row")
    assert "column 'area' of y was 1e+06" in model._fitted.seen.outlier
    messages, _ = told(frame(1e9 + A, "polars frame"))
    assert messages[0].startswith("column 'area' of y has mean 1e+09")


def test_the_summary_names_a_constant_column():
    _, model = told(frame(changed(3.0, range(40)), "pandas frame"))
    assert "Column 'area' of y is 3 in every row" in str(model.summary())


def test_evaluate_names_columns_also_where_its_rows_have_no_names():
    _, model = told(frame(OTHER, "polars frame"), scale_targets=None)
    text = model.evaluate(X, np.column_stack((A, OTHER)))["diagnosis"]
    assert "column 'area' of y has mean" in text or "(column 'area')" in text


def test_a_stream_that_begins_row_by_row_names_the_column():
    library = pytest.importorskip("pandas")
    y = library.DataFrame({"p": X[:, 0], "q": 300 + X[:, 1]})
    model = MLP(2, random_state=0)
    for i in range(20):
        model.partial_fit(X[i : i + 1], y[i : i + 1])
    y["q"] += 1e6
    with pytest.warns(UserWarning, match="column 'q' of y lies elsewhere"):
        model.partial_fit(X, y)


# The order of the columns


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_columns_of_y_in_another_order_are_refused(kind, tmp_path):
    library = pytest.importorskip(kind)
    y = library.DataFrame({"p": A, "q": OTHER})
    other = y[["q", "p"]]
    fitted = MLP(2, epochs=2, warm_start=True).fit(X, y)
    fitted.save(tmp_path / "model")
    for model in (fitted, pickle.loads(pickle.dumps(fitted)), load(tmp_path / "model")):
        for use in (
            lambda: model.score(X, other),
            lambda: model.evaluate(X, other),
            lambda: model.partial_fit(X, other),
            lambda: model.fit(X, other),
            lambda: MLP(2).fit(X, y, validation_data=(X, other)),
        ):
            with pytest.raises(ValueError, match="y has the columns of the fit in another o"):
                use()
        model.score(X, y.rename({"p": "a"}) if kind == "polars" else y.rename(columns={"p": "a"}))
        model.score(X, np.column_stack((A, OTHER)))

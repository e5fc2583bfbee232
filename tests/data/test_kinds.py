"""Dates, time spans, complex numbers and records: refused as numbers by every estimator, from
whatever library they come, with the name of their column."""

import datetime

import numpy as np
import pytest
from mlp_cases import TWO

from cnn_core import MLP, MLPRegressor

X = np.random.default_rng(0).normal(size=(12, 3))
Y, LABELS = X[:, 0], TWO[:12]
DAYS = np.array(["2020-01-01", "2021-01-01", "2022-01-01"] * 4, "M8[D]")
SPANS = DAYS - DAYS[0]
DATE, TIME, SPAN = datetime.date(2020, 1, 1), datetime.time(1), datetime.timedelta(1)

#: name: (library that it needs, a column of 12 entries, a kind and what the message says)
COLUMNS = {
    "pandas datetime64": ("pandas", DAYS.astype("M8[ns]"), "dates or times"),
    "pandas timedelta64": ("pandas", SPANS, "time spans"),
    "pandas time zone": ("pandas", lambda p: p.Series(DAYS).dt.tz_localize("UTC"), "dates"),
    "pandas period": ("pandas", lambda p: p.period_range("2020", periods=12, freq="D"), "dates"),
    "pandas category": ("pandas", lambda p: p.Categorical(DAYS.astype("M8[ns]")), "dates"),
    "pandas complex": ("pandas", X[:, 0] + 1j, "complex numbers"),
    "pandas dates": ("pandas", [DATE] * 12, "datetime.date"),
    "polars Date": ("polars", [DATE] * 12, "dates or times"),
    "polars Datetime": ("polars", [datetime.datetime(2020, 1, 1)] * 12, "dates or times"),
    "polars Time": ("polars", [TIME] * 12, "dates or times"),
    "polars Duration": ("polars", [SPAN] * 12, "time spans"),
    "polars Struct": ("polars", [{"a": 1, "b": 2}] * 12, "records"),
    "pyarrow date32": ("pyarrow", [DATE] * 12, "dates or times"),
    "pyarrow timestamp": ("pyarrow", [datetime.datetime(2020, 1, 1)] * 12, "dates or times"),
    "pyarrow time64": ("pyarrow", [TIME] * 12, "dates or times"),
    "pyarrow duration": ("pyarrow", [SPAN] * 12, "time spans"),
    "pyarrow dictionary": ("pyarrow", lambda p: p.array([DATE] * 12).dictionary_encode(), "dates"),
}

#: Without names.
ARRAYS = {
    "datetime64": (np.column_stack([DAYS] * 3), "dates or times"),
    "big-endian datetime64": (np.column_stack([DAYS] * 3).astype(">M8[s]"), "dates or times"),
    "NaT": (np.full((12, 3), "NaT", "M8[D]"), "dates or times"),
    "timedelta64": (np.column_stack([SPANS] * 3), "time spans"),
    "complex": (X + 1j, "complex numbers"),
    "records": (np.zeros((12, 3), [("a", "f8")]), "records"),
    "raw bytes": (np.zeros((12, 3), "V8"), "raw bytes"),
    "objects of NumPy's dates": (np.array([[DAYS[1], 1.0, 2.0]] * 12, object), "datetime.date"),
    "objects of spans": (np.array([[SPANS[1], 1.0, 2.0]] * 12, object), "datetime.timedelta"),
    "objects of datetime": (np.array([[DATE, 1.0, 2.0]] * 12, object), "datetime.date"),
    "complex objects": ((X + 1j).astype(object), "1j"),
    "a list of dates": ([[DATE, 1.0, 2.0]] * 12, "datetime.date"),
    "a list of NumPy's dates": ([[DAYS[0]] * 3] * 12, "dates or times"),
    "a list of complex numbers": ((X + 1j).tolist(), "complex numbers"),
}


def frame(name):
    """A table of three columns, of which 'when' is of that kind, and what is said of it."""
    library, column, kind = COLUMNS[name]
    module = pytest.importorskip(library)
    if callable(column):
        column = column(module)
    columns = {"a": X[:, 0], "when": column, "c": X[:, 2]}
    return (module.table if library == "pyarrow" else module.DataFrame)(columns), kind


def of_scikit_learn():
    """The estimators of the drop-in, with names as those of MLP."""
    pytest.importorskip("sklearn", minversion="1.9")
    from cnn_core import sklearn

    options = {"hidden_layer_sizes": (4,), "max_iter": 9, "tol": 1e9, "n_iter_no_change": 1}
    return sklearn.MLPClassifier(**options), sklearn.MLPRegressor(**options)


def uses_of_rows(whose, plain):
    """All that takes rows, of a model that was fitted with `plain` ones."""
    if whose == "MLP":
        model = MLP(4, epochs=1).fit(plain, LABELS)
        scaled = MLP(4, epochs=1, scale_inputs="standard")
        return model, [
            scaled.fit,
            lambda rows, y: MLP(4, epochs=1).fit(plain, y, validation_data=(rows, y)),
            model.partial_fit,
            model.score,
            model.evaluate,
            lambda rows, y: model.forward(rows),
        ]
    new, _ = of_scikit_learn()
    model, _ = of_scikit_learn()
    model.fit(plain, LABELS)
    return model, [
        new.fit,
        lambda rows, y: new.fit(plain, y, X_val=rows, y_val=y),
        model.partial_fit,
        model.score,
        lambda rows, y: model.predict_proba(rows),
    ]


@pytest.mark.parametrize("whose", ["MLP", "scikit-learn's"])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_that_holds_no_numbers_is_refused_by_its_name(name, whose):
    rows, kind = frame(name)
    library = COLUMNS[name][0]
    module = pytest.importorskip(library)
    make = module.table if library == "pyarrow" else module.DataFrame
    model, uses = uses_of_rows(whose, make({"a": X[:, 0], "when": X[:, 1], "c": X[:, 2]}))
    before = model.predict(X) if whose == "MLP" else None
    for use in (*uses, lambda rows, y: model.predict(rows)):
        with pytest.raises((TypeError, ValueError), match=rf"X .*{kind}.*in column 'when'"):
            use(rows, LABELS)
    assert before is None or np.array_equal(model.predict(X), before)


@pytest.mark.parametrize("whose", ["MLP", "scikit-learn's"])
@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_that_holds_no_numbers_is_refused(name, whose):
    rows, kind = ARRAYS[name]
    model, uses = uses_of_rows(whose, X)
    before = model.predict(X)
    for use in (*uses, lambda rows, y: model.predict(rows)):
        with pytest.raises((TypeError, ValueError), match=f"X .*{kind}"):
            use(rows, LABELS)
    with pytest.raises((TypeError, ValueError), match=kind):
        model.predict(rows[:1])
    assert np.array_equal(model.predict(X), before)


def targets():
    """Columns and arrays as y."""
    for name, (library, column, kind) in COLUMNS.items():
        yield name, library, column, kind
    for name, (array, kind) in ARRAYS.items():
        column = [row[0] for row in array] if isinstance(array, list) else array[:, 0].copy()
        yield name, None, column, kind


@pytest.mark.parametrize("name, library, column, kind", list(targets()))
def test_what_is_no_number_is_nothing_to_predict(name, library, column, kind):
    y, given = column, [column]
    if library is not None:
        module = pytest.importorskip(library)
        if callable(y):
            y = y(module)
        if library == "pyarrow":
            y = module.chunked_array([y]) if isinstance(y, module.Array) else module.array(y)
            given = [y]
        else:
            given = [module.Series(y), module.DataFrame({"y": y, "z": Y})]
    _, regressor = of_scikit_learn()
    fitted, own = of_scikit_learn()[1].fit(X, Y), MLP(4, epochs=1).fit(X, Y)
    words = "dates or times|time spans|complex|records|raw bytes|datetime|1j"
    for y in given:
        for use in (
            MLP(4, epochs=1).fit,
            MLPRegressor(4, epochs=1).fit,
            own.score,
            own.partial_fit,
            own.evaluate,
            lambda X, y: MLP(4, epochs=1).fit(X, Y, validation_data=(X, y)),
            regressor.fit,
            fitted.partial_fit,
            fitted.score,
            lambda X, y: regressor.fit(X, Y, X_val=X, y_val=y),
            lambda X, y: regressor.fit(X, Y, sample_weight=y),
            lambda X, y: MLP(4, epochs=1).fit(X, Y, sample_weight=y),
        ):
            with pytest.raises((TypeError, ValueError), match=words):
                use(X, y)
        with pytest.raises((TypeError, ValueError), match=words):
            MLP(4, epochs=1, task="classification").fit(X, y)


def test_labels_of_scikit_learn_may_be_dates_without_gaps_and_never_records():
    model, _ = of_scikit_learn()
    assert model.fit(X, DAYS).predict(X).dtype == DAYS.dtype
    with pytest.raises(ValueError, match="y has NaT at row 2; every row needs a class label"):
        model.fit(X, np.where(np.arange(12) == 2, np.datetime64("NaT", "D"), DAYS))
    for y in (
        np.zeros(12, [("a", "f8")]),
        np.zeros(12, "V8"),
        X[:, 0] + 1j,
        (X[:, 0] + 1j).astype(object),
    ):
        with pytest.raises((TypeError, ValueError), match="y holds .*, which are no class labels"):
            model.fit(X, y)


def test_other_types_of_the_same_libraries_are_numbers_as_before():
    polars = pytest.importorskip("polars")
    pandas = pytest.importorskip("pandas")
    model = MLP(4, epochs=1, random_state=0).fit(X, LABELS)
    rows = X.round(2)
    decimal = polars.DataFrame(rows, schema=["a", "b", "c"]).cast(polars.Decimal(20, 2))
    objects = pandas.DataFrame(rows.astype(object))
    categories = pandas.DataFrame({i: pandas.Categorical(rows[:, i]) for i in range(3)})
    sparse = pandas.DataFrame(rows).astype(pandas.SparseDtype(float))
    nullable = pandas.DataFrame(rows).astype("Float64")
    for given in (decimal, objects, categories, sparse, nullable):
        assert np.array_equal(model.forward(given), model.forward(rows))

"""A model that was fitted on a table takes tables everywhere, whatever the order of their
columns."""

import io
import pickle

import numpy as np
import pytest

import cnn_core
from cnn_core import MLP, MLPClassifier, MLPRegressor

ROWS = 300


def penguins(seed=0):
    rng = np.random.default_rng(seed)
    island = rng.choice(["Biscoe", "Dream", None], ROWS)
    mass = np.where(rng.random(ROWS) < 0.1, np.nan, rng.normal(4000, 500, ROWS))
    sex = rng.choice(["male", "female"], ROWS)
    price = np.where(island == "Biscoe", 100.0, 50.0) + np.nan_to_num(mass, nan=3000.0) / 100
    price += (sex == "male") * 20 + rng.normal(size=ROWS)
    species = np.where(price > 110, "Adelie", "Gentoo")
    day = np.datetime64("2024-02-27T05") + np.arange(ROWS) * np.timedelta64(7, "h")
    return {"island": island, "mass": mass, "sex": sex, "day": day}, price, species


TABLE, PRICE, SPECIES = penguins()
WHOLE = TABLE | {"price": PRICE}
REVERSED = {name: WHOLE[name] for name in reversed(WHOLE)}


def rows(table, where):
    return {name: column[where] for name, column in table.items()}


def records(table):
    return [dict(zip(table, row)) for row in zip(*(list(column) for column in table.values()))]


def regressor(**options):
    return MLPRegressor(16, columns="auto", epochs=15, random_state=0, **options)


@pytest.fixture(scope="module")
def model():
    return regressor().fit(WHOLE, "price")


@pytest.mark.parametrize("source", [
    lambda: WHOLE, lambda: TABLE, lambda: REVERSED, lambda: records(WHOLE),
    lambda: TABLE | {"another": ["?"] * ROWS},
])  # fmt: skip
def test_columns_go_by_name_and_others_are_ignored(model, source):
    assert model.predict(source()).tobytes() == model.predict(TABLE).tobytes()


def test_y_may_be_the_name_of_a_column(model):
    given = regressor().fit(TABLE, PRICE)
    assert given.parameters_.tobytes() == model.parameters_.tobytes()
    assert model.score(WHOLE, "price") == model.score(TABLE, PRICE) > 0.5
    assert model.evaluate(WHOLE, "price") == model.evaluate(TABLE, PRICE)
    classes = MLP(16, columns="auto", epochs=40, random_state=0).fit(
        TABLE | {"species": SPECIES}, "species"
    )
    assert classes.classes_.tolist() == ["Adelie", "Gentoo"]
    assert classes.score(TABLE | {"species": SPECIES}, "species") > 0.8


@pytest.mark.parametrize("y, error, message", [
    ("prize", ValueError, "y names the column 'prize', which X does not have; it has 'island'"),
    ("mass", ValueError, r"the target 'mass' of X is missing in \d+ rows, the first is row \d+"),
    ("day", TypeError, "the target 'day' of X holds dates"),
])  # fmt: skip
def test_a_column_that_is_no_target_is_refused(y, error, message):
    with pytest.raises(error, match=message):
        regressor().fit(WHOLE, y)


def test_a_row_is_predicted_as_in_a_table(model):
    together = model.predict(TABLE)
    for row, wanted in zip(records(TABLE)[:20], together):
        for one in (row, row | {"another": 1}, dict(reversed(row.items()))):
            assert model.predict_one(one)[0] == model.predict([one])[0] == wanted
            assert model.predict(one)[0] == wanted


def test_files_and_pickles_keep_the_columns(model):
    file = io.BytesIO()
    model.save(file)
    for loaded in (pickle.loads(pickle.dumps(model)), cnn_core.load(file.getvalue())):
        assert loaded.predict(REVERSED).tobytes() == model.predict(TABLE).tobytes()
        assert loaded.predict_one(records(TABLE)[0]) == model.predict_one(records(TABLE)[0])
        assert repr(loaded.columns_) == repr(model.columns_)
        assert loaded.feature_names_in_.tolist() == list(TABLE) and loaded.n_features_in_ == 4
        again = io.BytesIO()
        loaded.save(again)
        assert again.getvalue() == file.getvalue()


def test_the_open_box_takes_tables(model):
    some = rows(WHOLE, slice(5))
    width = model.columns_.width
    assert model.trace(some, "price").dx.shape == (5, width)
    assert model.per_sample_gradients(some, "price").shape == (5, len(model.parameters_))
    assert model.check_gradient(some, "price").error < 1e-5
    assert f"4 columns become {width} features" in str(model.summary(WHOLE))


def test_rows_set_apart_teach_the_columns_nothing():
    some = MLPRegressor(8, columns="auto", epochs=2, random_state=0, early_stopping=True)
    some.fit(WHOLE, "price")
    everything = MLPRegressor(8, columns="auto", epochs=2, random_state=0).fit(WHOLE, "price")
    present = TABLE["mass"][~np.isnan(TABLE["mass"])]
    mean = {model: model.columns_.columns[1].mean for model in (some, everything)}
    assert mean[everything] == pytest.approx(present.mean())
    assert mean[some] != pytest.approx(present.mean(), abs=1e-3)


def test_rows_to_validate_on_may_be_a_table():
    apart = np.arange(ROWS) % 3 == 0
    whole, other = rows(WHOLE, ~apart), rows(REVERSED, apart)
    named = regressor().fit(whole, "price", validation_data=(other, "price"))
    given = regressor().fit(
        rows(TABLE, ~apart), PRICE[~apart], validation_data=(rows(TABLE, apart), PRICE[apart])
    )
    assert named.history_["val_loss"] == given.history_["val_loss"]


def test_training_goes_on_with_the_columns_of_the_first_fit():
    stream, weights = MLPRegressor(16, columns="auto", random_state=0), []
    for i in range(10):
        stream.partial_fit(rows(WHOLE, slice(i, None, 10)), "price")
        weights.append(stream.parameters_.shape)
    assert len(set(weights)) == 1 and np.isfinite(stream.predict(TABLE)).all()
    stream.partial_fit({**rows(TABLE, slice(3)), "island": ["Elsewhere"] * 3}, PRICE[:3])
    warm = regressor(warm_start=True).fit(WHOLE, "price").fit(REVERSED, "price")
    assert warm.n_epochs_ == 30
    plain = MLPRegressor(4, epochs=1, warm_start=True).fit([[1.0], [2.0]], [1.0, 2.0])
    with pytest.raises(ValueError, match="fitted without columns; fit anew, or set columns=None"):
        plain.set_params(columns="auto").fit({"x": [1.0, 2.0]}, [1.0, 2.0])


def test_a_stream_of_tables_begins_with_some_rows():
    stream = MLPRegressor(8, columns="auto", random_state=0)
    with pytest.raises(ValueError, match="X has 3 rows; give it 10 typical rows or more, or begin"):
        stream.partial_fit(rows(WHOLE, slice(3)), "price")
    stream.partial_fit(rows(WHOLE, slice(None, None, 5)), "price")
    for row in records(WHOLE)[1::8]:
        stream.partial_fit(row, "price")
    assert np.isfinite(stream.predict(TABLE)).all()


def test_a_checkpoint_goes_on_to_the_same_bits(tmp_path):
    def stop(model, epoch, logs):
        if epoch == 4:
            raise KeyboardInterrupt

    whole = regressor(early_stopping=True).fit(WHOLE, "price")
    path = tmp_path / "table.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        regressor(early_stopping=True, callbacks=stop).fit(WHOLE, "price", checkpoint=path)
    resumed = regressor(early_stopping=True).fit(REVERSED, "price", checkpoint=path)
    assert resumed.parameters_.tobytes() == whole.parameters_.tobytes()
    assert resumed.predict(TABLE).tobytes() == whole.predict(TABLE).tobytes()


def test_missing_and_unknown_entries_are_none_of_the_categories(model):
    row = records(TABLE)[0]
    unknown = model.predict_one(row | {"sex": "other"})
    with pytest.warns(UserWarning, match="missing entries in 'sex', where the training rows had"):
        missing = model.predict_one(row | {"sex": None})
    assert unknown == missing
    with pytest.warns(UserWarning, match=r"missing entries in 'sex' \(300 rows\), where"):
        model.predict({**TABLE, "sex": [None] * ROWS})


def test_a_column_that_is_missing_is_named(model):
    without = {name: column for name, column in TABLE.items() if name != "mass"}
    for predict, given in ((model.predict, without), (model.predict_one, records(without)[0])):
        with pytest.raises(ValueError, match="has no column 'mass', which the model was fitted"):
            predict(given)


@pytest.mark.parametrize("given, message", [
    (np.ones((2, 4)), "X has no names for its columns, and the model was fitted on a table with"),
    ([[1, 2, 3, 4]], "X has no names for its columns"),
    (TABLE | {"mass": ["heavy"] * ROWS}, "X has 'heavy' in column 'mass', row 0, which is no num"),
    (TABLE | {"mass": [np.inf] * ROWS}, "X has inf in column 'mass', row 0"),
    (TABLE | {"day": ["soon"] * ROWS}, "X has 'soon' in column 'day', row 0, which is no date"),
    (TABLE | {"day": [3.0] * ROWS}, "X has '3.0' in column 'day', row 0, which is no date"),
    (TABLE | {"mass": [10**400] * ROWS}, r"X has 10+\.\.\. in column 'mass', row 0, beyond the r"),
    (TABLE | {"island": [10**400] * ROWS}, r"X has 10+\.\.\. in column 'island', row 0, beyond"),
])  # fmt: skip
def test_entries_that_cannot_be_read_are_shown(model, given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        model.predict(given)


@pytest.mark.parametrize("column", ["mass", "island"])
def test_a_number_beyond_all_floating_point_numbers_is_refused_in_one_row_too(model, column):
    row = {name: values[0] for name, values in TABLE.items()} | {column: 10**400}
    with pytest.raises(
        ValueError, match=rf"x has 10+\.\.\. in column '{column}', row 0, beyond the"
    ):
        model.predict_one(row)


@pytest.mark.parametrize("columns, error, message", [
    ("all", ValueError, "unknown columns 'all'"), (3, TypeError, "columns must be 'auto', a dict"),
    ({"mass": "numeric"}, ValueError, "unknown kind of the column 'mass' 'numeric'.*'number'"),
    ({"weight": "number"}, ValueError, "columns names 'weight', which X does not have; it has"),
    ({"island": "number"}, ValueError, "X has '.*' in column 'island', row .*no number"),
    (dict.fromkeys(TABLE, "drop"), ValueError, "X has no column to learn from"),
])  # fmt: skip
def test_columns_that_make_no_sense_are_refused(columns, error, message):
    with pytest.raises(error, match=message):
        MLPRegressor(4, columns=columns, epochs=1).fit(TABLE, PRICE)


def test_a_dict_says_what_columns_are():
    table = TABLE | {"code": np.arange(ROWS) % 7, "row": np.arange(ROWS)}
    kinds = {"code": "category", "row": "drop", "day": "drop", "mass": "auto"}
    model = MLPRegressor(4, columns=kinds, epochs=1, random_state=0).fit(table, PRICE)
    found = {one.name: one.kind for one in model.columns_.columns}
    assert found == {
        "island": "category", "mass": "number", "sex": "category", "day": "drop",
        "code": "category", "row": "drop",
    }  # fmt: skip
    # 3, 3.0 and '3' are the same category.
    as_texts = model.predict(table | {"code": [str(one) for one in table["code"]]})
    assert as_texts.tobytes() == model.predict(table | {"code": table["code"] * 1.0}).tobytes()


def test_the_most_frequent_of_many_categories_have_a_column_each():
    rng = np.random.default_rng(0)
    city = np.array([f"c{i:03}" for i in (rng.random(4000) ** 2 * 100).astype(int)])
    model = MLPRegressor(4, columns="auto", epochs=1).fit({"city": city}, rng.normal(size=4000))
    column = model.columns_.columns[0]
    counts = dict(zip(*np.unique(city, return_counts=True)))
    assert column.width == 64 and column.other
    rest = set(counts) - set(column.values)
    assert min(counts[one] for one in column.values) >= max(counts[one] for one in rest)
    other = model.predict([{"city": "elsewhere"}, {"city": rest.pop()}])
    assert other[0] == other[1] != model.predict([{"city": column.values[0]}])[0]


def test_matrices_are_what_they_were_without_columns():
    X = np.random.default_rng(0).normal(size=(50, 3))
    plain = MLPRegressor(4, epochs=3, random_state=0).fit(X, X[:, 0])
    table = MLPRegressor(4, epochs=3, random_state=0, columns="auto").fit(X, X[:, 0])
    assert plain.parameters_.tobytes() == table.parameters_.tobytes()
    assert plain.predict(X).tobytes() == table.predict(X).tobytes()
    with pytest.raises(ValueError, match="nan.*fill the gaps"):
        plain.fit(np.where(X > 2, np.nan, X), X[:, 0])
    with pytest.raises(AttributeError, match="columns='auto' takes tables"):
        plain.columns_


def test_classes_of_words_come_back_as_words():
    model = MLPClassifier(16, columns="auto", epochs=20, random_state=0).fit(TABLE, SPECIES)
    assert set(model.predict(TABLE)) <= {"Adelie", "Gentoo"}
    assert model.predict_proba(TABLE).shape == (ROWS, 2)
    assert model.score(TABLE, SPECIES) > 0.8
    assert model.decision_function(TABLE).shape == (ROWS,)


def test_the_reference_implementation_reads_the_same_matrix():
    native, python = (
        MLPRegressor(4, columns="auto", epochs=2, random_state=0, dtype="float64", backend=backend)
        .fit(rows(WHOLE, slice(40)), "price").predict(TABLE)
        for backend in ("native", "python")
    )  # fmt: skip
    assert native == pytest.approx(python, rel=1e-9)


@pytest.mark.parametrize("entry", [3.0, 3, True, "soon"])
def test_a_row_is_refused_as_its_table_is(model, entry):
    row = records(TABLE)[0] | {"day": entry}
    for predict in (model.predict_one, lambda one: model.predict([one])):
        with pytest.raises(ValueError, match=r"'day', row 0, which is no date"):
            predict(row)

"""Targets that are named as columns of the table, and tables and rows that are none."""

import numpy as np
import pytest
from cnn_core.io import parquet as parquet_rows

from cnn_core import MLP, TabularMLP, load

ROWS = 60
rng = np.random.default_rng(0)
TABLE = {
    "size": rng.normal(size=ROWS),
    "kind": ["a", "b", "c"] * 20,
    "low": rng.normal(size=ROWS),
    "high": rng.normal(size=ROWS),
}


def model(**options):
    return MLP(4, columns="auto", epochs=2, random_state=0, **options)


@pytest.mark.parametrize("names", [["low", "high"], ("low", "high"), np.array(["low", "high"])])
def test_several_names_are_several_targets(names):
    found = model().fit(TABLE, names)
    X = {name: TABLE[name] for name in ("size", "kind")}
    y = np.column_stack([TABLE["low"], TABLE["high"]])
    assert found.predict(TABLE).tobytes() == model().fit(X, y).predict(X).tobytes()
    assert found.score(TABLE, names) == found.score(X, y)
    assert found.evaluate(TABLE, names)["loss"] == found.evaluate(X, y)["loss"]


def test_several_targets_are_named_in_validation_data_too():
    names = ["low", "high"]
    found = model().fit(TABLE, names, validation_data=(TABLE, names))
    assert found.history_["val_loss"][-1] == pytest.approx(found.evaluate(TABLE, names)["loss"])


@pytest.mark.parametrize(
    ("names", "kind", "message"),
    [
        (["low", "hihg"], ValueError, "y names the column 'hihg', which X does not have; it has"),
        (["low", "kind"], TypeError, "y names several columns, which must hold numbers, and 'kin"),
        (["size", "kind", "low", "high"], ValueError, "X has no column beside the target 'size'"),
    ],
)
def test_names_that_are_no_targets_are_one_sentence(names, kind, message):
    with pytest.raises(kind, match=message):
        model().fit(TABLE, names)


def test_as_many_texts_as_rows_are_labels():
    X = {"low": [1.0, 2.0], "high": [3.0, 5.0]}
    assert model().fit(X, ["low", "high"]).classes_.tolist() == ["high", "low"]


@pytest.mark.parametrize(
    ("y", "names"), [("low", ("low",)), (["low", "high"], ("low", "high")), (TABLE["low"], ())]
)
def test_the_names_of_targets_are_kept_in_files(tmp_path, y, names):
    found = model().fit(TABLE, y)
    found.save(tmp_path / "m.safetensors")
    for one in (found, load(tmp_path / "m.safetensors")):
        assert one._model().seen.targets == names


@pytest.mark.parametrize("columns", [None, "auto"])
def test_the_target_of_blocks_is_kept_too(tmp_path, columns):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    numbers = {name: TABLE[name] for name in ("size", "low", "high")}
    parquet.write_table(pyarrow.table(numbers), tmp_path / "rows.parquet")
    blocks = parquet_rows(tmp_path / "rows.parquet", target="low")
    found = MLP(4, columns=columns, epochs=2, random_state=0).fit(blocks)
    assert found._model().seen.targets == ("low",)


def test_a_column_of_weights_is_given_as_its_entries():
    found = model().fit(TABLE, "low")
    for call in (model().fit, found.score):
        with pytest.raises(TypeError, match=r"sample_weight is the single text 'high'; .*X\['hi"):
            call(TABLE, "low", sample_weight="high")


def frames():
    """A frame of each package that is there, with what makes one of its columns."""
    try:
        import pandas

        yield pandas.DataFrame(TABLE), lambda frame: frame["size"]
        yield pandas.DataFrame(TABLE), lambda frame: frame.iloc[0]
    except ImportError:
        pass
    try:
        import polars

        yield polars.DataFrame(TABLE), lambda frame: frame["size"]
    except ImportError:
        pass
    try:
        import pyarrow

        yield pyarrow.table(TABLE), lambda frame: frame["size"]
    except ImportError:
        pass


@pytest.mark.parametrize(("frame", "column"), [*frames()])
def test_a_single_column_is_no_table(frame, column):
    found = model().fit(frame, "low")
    for call in (found.predict, lambda one: model().fit(one, TABLE["low"])):
        with pytest.raises(TypeError, match=r"X is a single column or row \(\w+\), and a table is"):
            call(column(frame))


@pytest.mark.parametrize(("frame", "column"), [*frames()])
@pytest.mark.parametrize("rows", [1, ROWS])
def test_a_frame_is_no_row(frame, column, rows):
    found = model().fit(frame, "low")
    with pytest.raises(TypeError, match=r"x is a table \(\w+\), which predict takes; predict_one"):
        found.predict_one(frame[:rows])


def test_columns_that_are_missing_are_several():
    found = model().fit(TABLE, "low")
    with pytest.raises(ValueError, match="X has no columns 'size', 'high', which the model was"):
        found.predict({"kind": ["a"]})


def test_the_text_of_a_column_that_is_left_out_is_one_of_many():
    names = ["k0", "k0", *(f"k{i}" for i in range(1, ROWS - 1))]
    with pytest.warns(UserWarning, match=r"'name' \(nearly every row has .* own, such as 'k1'\)"):
        model().fit({**TABLE, "name": names}, "low")


@pytest.mark.filterwarnings("ignore:calibrate was given rows that the model was fitted to")
def test_the_same_targets_in_another_order_are_refused():
    names, swapped = ["low", "high"], ["high", "low"]
    found = model().fit(TABLE, names)
    apart = TABLE | {"size": TABLE["size"] + 0.5}
    before = found.calibrate(apart, names).predict_interval(TABLE).tobytes()
    calls = (found.score, found.evaluate, found.calibrate, found.partial_fit, found.importances)
    for call in calls:
        with pytest.raises(
            ValueError, match=r"^y has the columns of the fit in another order, 'hi"
        ):
            call(TABLE, swapped)
    with pytest.raises(ValueError, match="validation_data's y has the columns of the fit in anot"):
        model().fit(TABLE, names, validation_data=(TABLE, swapped))
    assert found.predict_interval(TABLE).tobytes() == before


def test_tabular_mlp_knows_its_targets_by_name(tmp_path):
    names = ["low", "high"]
    found = TabularMLP(members=1, random_state=0, max_seconds=1e-9).fit(TABLE, names)
    found.save(tmp_path / "m.safetensors")
    for one in (found, load(tmp_path / "m.safetensors")):
        second = one.input_gradient(TABLE, output=1)
        assert one.input_gradient(TABLE, output="high").tobytes() == second.tobytes()
        with pytest.raises(ValueError, match="y has the columns of the fit in another order"):
            one.score(TABLE, names[::-1])

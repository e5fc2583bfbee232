"""A category is the same one whichever way a table comes, and unknown ones are said."""

import re
import warnings

import numpy as np
import pytest
from cnn_core.columns.columns import Columns
from cnn_core.columns.table import read_table
from cnn_core.io import read_csv


def of_csv(tmp_path, words):
    file = tmp_path / "table.csv"
    file.write_text("flag,x\n" + "".join(f"{one},{i}.5\n" for i, one in enumerate(words)))
    return read_csv(str(file))


def of_records(_, entries):
    return [{"flag": one, "x": i + 0.5} for i, one in enumerate(entries)]


def of_numpy(_, entries):
    return {"flag": np.array(entries), "x": np.arange(len(entries)) + 0.5}


def of_pandas(_, entries):
    return pytest.importorskip("pandas").DataFrame(of_numpy(_, entries))


def of_polars(_, entries):
    return pytest.importorskip("polars").DataFrame(of_numpy(_, entries))


def of_arrow(_, entries):
    return pytest.importorskip("pyarrow").table(of_numpy(_, entries))


BOOLS = [
    (of_csv, ["TRUE", "FALSE"]), (of_csv, ["true", "false"]), (of_csv, ["True", "False"]),
    (of_records, [True, False]), (of_numpy, [True, False]), (of_pandas, [True, False]),
    (of_polars, [True, False]), (of_arrow, [True, False]), (of_records, ["TRUE", "False"]),
]  # fmt: skip
AS_NUMBERS = [(of_csv, [1, 0]), (of_numpy, [1, 0]), (of_numpy, ["1", "0"]), (of_numpy, [1.0, 0.0])]


@pytest.mark.parametrize("trained", BOOLS)
@pytest.mark.parametrize("given", BOOLS + AS_NUMBERS)
def test_true_is_one_category_whichever_way_it_comes(tmp_path, trained, given):
    source, (true, false) = trained
    columns = Columns.fitted(read_table(source(tmp_path, [true, false, true, true])), None)
    assert columns.columns[0].values == ("False", "True")
    source, (true, false) = given
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        matrix = columns.encode(source(tmp_path, [true, false, true]))
        assert (matrix[:, :2] == [[0, 1], [1, 0], [0, 1]]).all()
        assert columns.encode_row({"flag": true, "x": 0.5}) == matrix[0].tolist()


def test_bools_are_the_zeros_and_ones_that_training_took_for_categories():
    columns = Columns.fitted(read_table({"flag": ["0", "1", "1"]}), {"flag": "category"})
    assert (columns.encode({"flag": [True, False]}) == [[0, 1], [1, 0]]).all()
    words = Columns.fitted(read_table({"flag": ["true", "false", "maybe"] * 2}), None)
    assert words.columns[0].values == ("false", "maybe", "true")


@pytest.mark.parametrize("values, given", [
    (["3", "x"], ["3.0", "3"]), (["1701", "x"], ["01701", 1701.0]),
    (["3", "x"], [3, np.float32(3)]),
])  # fmt: skip
def test_a_number_is_one_category_however_it_is_written(values, given):
    columns = Columns.fitted(read_table({"c": values * 2}), None)
    for one in given:
        assert (columns.encode({"c": [one]}) == [[1, 0]]).all()
        assert list(columns.encode_row({"c": one})) == [1, 0]


@pytest.mark.parametrize("values, given, words", [
    (["01701", "02139"], [1701, 2139], "'1701' where training had '01701'; write them as in "
     "training: as texts where they begin with 0, such as by read_csv(dtype=str)"),
    (["Biscoe", "Dream"], ["biscoe", "dream "], "'biscoe' where training had 'Biscoe'; write"),
    (["a", "b"], ["x", "y", "a"] * 9, "'x' where training had 'a', 'b'; is it the same column?"),
    ([f"c{i}" for i in range(80)], [f"d{i}" for i in range(20)], "'d0' where training had 'c0', "),
])  # fmt: skip
def test_mostly_unknown_categories_are_said_once_with_the_cause(values, given, words):
    columns = Columns.fitted(read_table({"c": values * 3}), None)
    with pytest.warns(UserWarning, match=re.escape(words)) as seen:
        columns.encode({"c": given})
    assert len(seen) == 1
    assert "column 'c' that the training rows had not in most rows, such as" in str(seen[0].message)


def test_a_row_whose_category_is_written_otherwise_is_said_and_a_new_one_is_not():
    columns = Columns.fitted(read_table({"c": ["01701", "02139"] * 3}), None)
    with pytest.warns(UserWarning, match="x has categories in column 'c' .* '2139' where training"):
        assert not any(columns.encode_row({"c": 2139}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not any(columns.encode_row({"c": "10001"}))
        assert (columns.encode({"c": ["10001", "01701", "01701"]})[0] == 0).all()
        many = Columns.fitted(read_table({"c": [f"c{i}" for i in range(80)] * 2}), None)
        many.encode({"c": ["x"] * 30 + ["c0"]})  # most are others, and training had those

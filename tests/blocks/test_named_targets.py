"""A target that is named means the same in blocks as in a table."""

import warnings

import numpy as np
import pytest
from cnn_core.cli.main import main
from cnn_core.io import RowBlocks, parquet

from cnn_core import MLP

pd = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

N = 1200
Z = np.random.default_rng(0).normal(size=N)
TARGETS = {
    "two": np.arange(N) % 2,
    "few": np.arange(N) % 20,
    "many": np.arange(N) % 21,
    "ids": 2**60 + np.arange(N) % 3,
    "amounts": (np.arange(N) * 7919) % 90001,
    "few floats": np.arange(N) % 3 * 1.0,
    "floats": np.arange(N) % 7 / 2,
    "words": np.array(["a", "b", "c"])[np.arange(N) % 3],
    "texts of amounts": np.array([f"{i / 8:.3f}" for i in range(N)]),
    "bools": np.arange(N) % 3 == 0,
}


def fitted(X, y=None, **parameters):
    """What a fit takes y for, and what it warns of."""
    model = MLP(4, **{"columns": "auto", "epochs": 1, "random_state": 0, **parameters})
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model.fit(X, y)
    try:
        classes = model.classes_.tolist()
    except AttributeError:
        classes = None
    return classes, {str(one.message).split(";")[0] for one in seen}


@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize("target", TARGETS)
def test_blocks_take_a_named_target_for_what_tables_do(target, small, tmp_path):
    table = pd.DataFrame({"z": Z, "y": TARGETS[target]})
    wanted = fitted(table, "y")
    assert (wanted[0] is None) == (target in ("many", "amounts", "floats", "texts of amounts"))
    sizes = {} if small else {"block_rows": 100, "window": 2}
    cuts = [table[i : i + 500] for i in (0, 500, 1000)]
    assert fitted(RowBlocks(cuts, "y", **sizes)) == wanted
    if small:
        assert fitted(cuts, "y") == wanted
    table.to_parquet(tmp_path / "rows.parquet", row_group_size=300)
    assert fitted(parquet(tmp_path / "rows.parquet", target="y", **sizes)) == wanted


def test_what_is_said_of_the_task_holds_for_blocks():
    two = pd.DataFrame({"z": Z, "y": TARGETS["two"]})
    assert fitted([two], "y", task="regression")[0] is None
    assert fitted([two], "y", loss="mse") == fitted(two, "y", loss="mse")
    many = pd.DataFrame({"z": Z, "y": TARGETS["many"]})
    assert fitted([many], "y", task="classification")[0] == list(range(21))


def test_too_many_words_are_no_classes_in_blocks():
    table = pd.DataFrame({"z": Z, "y": [f"u{i}" for i in range(N)]})
    with pytest.raises(ValueError, match="'y' of X has 1,200 different texts in 1,200 rows"):
        fitted([table], "y")


def test_a_model_of_blocks_keeps_the_name_of_its_target(tmp_path):
    table = pd.DataFrame({"z": Z, "y": TARGETS["floats"]})
    path, csv = str(tmp_path / "m.safetensors"), str(tmp_path / "rows.csv")
    table.to_csv(csv, index=False)
    for small in ({}, {"block_rows": 100, "window": 2}):
        for X, y in (([table], "y"), (RowBlocks([table], "y", **small), None)):
            MLP(4, columns="auto", epochs=1, random_state=0).fit(X, y).save(path)
            assert main(["evaluate", path, csv, "--quiet"]) == 0

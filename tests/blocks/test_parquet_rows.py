"""MLP.fit on Parquet files and on batches of Arrow."""

from itertools import pairwise

import numpy as np
import pytest
from block_cases import Again, rows
from checkpoint_cases import InterruptStep
from cnn_core.io import RowBlocks, parquet

from cnn_core import MLP, MLPRegressor

pyarrow = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

X, WORDS, W = rows(kind="words", weighted=True)
NAMES = list("abcdef")
TABLE = pyarrow.table(
    {name: X[:, i] for i, name in enumerate(NAMES)} | {"kind": WORDS.tolist(), "w": W}
)
SMALL = {"block_rows": 128, "window": 4}


def write(folder, files, group):
    """The rows in some files of some row groups."""
    folder.mkdir(exist_ok=True)
    ends = np.linspace(0, len(X), files + 1).astype(int)
    for i, (first, stop) in enumerate(pairwise(ends)):
        part = TABLE.slice(first, stop - first)
        part = part.select(part.column_names[::-1]) if i % 2 else part
        pq.write_table(part, folder / f"{i}.parquet", row_group_size=group)
    return folder / "*.parquet"


def fitted(blocks, y=None, sample_weight=None, **options):
    given = dict(hidden=(6,), epochs=3, random_state=0, scale_inputs="standard") | options
    return MLP(**given).fit(blocks, y, sample_weight=sample_weight)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"columns": "auto"}, {"shuffle": False}])
def test_files_and_row_groups_change_no_bit(options, tmp_path):
    found = [
        fitted(
            parquet(
                write(tmp_path / f"{files}-{group}", files, group),
                columns=NAMES,
                target="kind",
                **SMALL,
            ),
            **options,
        )
        for files, group in ((1, 100), (3, 333), (7, 50), (1, 300))
    ]
    for other in found[1:]:
        assert np.array_equal(other.parameters_, found[0].parameters_)
        assert other.history_["loss"] == found[0].history_["loss"]
    assert found[0].feature_names_in_.tolist() == NAMES
    assert found[0].classes_.tolist() == ["high", "low", "middling"]


@pytest.mark.parametrize("weight", [None, "w"])
def test_a_file_in_order_gives_the_bits_of_its_arrays(weight, tmp_path):
    files = write(tmp_path, 2, 300)
    model = fitted(
        parquet(files, columns=NAMES, target="kind", weight=weight, **SMALL), shuffle=False
    )
    weights = None if weight is None else W
    whole = fitted(X.astype(float), WORDS, sample_weight=weights, shuffle=False)
    assert np.array_equal(model.parameters_, whole.parameters_)


def test_a_small_file_is_trained_on_as_a_whole(tmp_path):
    files = write(tmp_path, 3, 300)
    model = fitted(parquet(files, columns=NAMES, target="kind"))
    assert np.array_equal(model.parameters_, fitted(X.astype(float), WORDS).parameters_)
    both = [
        fitted(one, y, columns="auto")
        for one, y in (
            (parquet(files, columns=NAMES, target="kind"), None),
            (parquet(files, columns=[*NAMES, "kind"]), "kind"),
        )
    ]
    assert np.array_equal(both[0].parameters_, both[1].parameters_)


def test_batches_of_arrow_with_the_name_of_the_target(tmp_path):
    table = TABLE.drop_columns(["w"])
    batches = table.to_batches(max_chunksize=400)
    whole = fitted(X.astype(float), WORDS)
    assert np.array_equal(fitted(batches, "kind").parameters_, whole.parameters_)
    assert np.array_equal(fitted(Again(batches), "kind").parameters_, whole.parameters_)
    in_order = fitted(RowBlocks(Again(batches), "kind", **SMALL), shuffle=False)
    whole = fitted(X.astype(float), WORDS, shuffle=False)
    assert np.array_equal(in_order.parameters_, whole.parameters_)


def test_a_training_on_files_is_resumed_to_the_same_bits(tmp_path):
    files, path = write(tmp_path, 2, 300), tmp_path / "run.ckpt"
    blocks = parquet(files, columns=NAMES, target="kind", **SMALL)
    with pytest.raises(KeyboardInterrupt):
        MLP((6,), epochs=3, random_state=0, callbacks=InterruptStep(130)).fit(
            blocks, checkpoint=path, checkpoint_every=0
        )
    resumed = MLP((6,), epochs=3, random_state=0).fit(blocks, checkpoint=path)
    whole = MLP((6,), epochs=3, random_state=0).fit(blocks)
    assert np.array_equal(resumed.parameters_, whole.parameters_)


def test_what_is_wrong_with_a_file_names_it(tmp_path):
    files = write(tmp_path, 2, 300)
    with pytest.raises(ValueError, match=r"0\.parquet has no column 'price'"):
        parquet(files, target="price")
    with pytest.raises(ValueError, match="has no column beside kind"):
        parquet(files, columns=["kind"], target="kind")
    with pytest.raises(FileNotFoundError, match="no file matches"):
        parquet(tmp_path / "none*.parquet", target="kind")
    with pytest.raises(ValueError, match=r"1\.parquet \(from row 1 on\) holds text"):
        other = TABLE.set_column(0, "a", [["x"] * 3000])
        pq.write_table(other, tmp_path / "1.parquet", row_group_size=300)
        MLPRegressor(epochs=1).fit(parquet(files, columns=NAMES, target="w", **SMALL))
    (tmp_path / "1.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"1\.parquet cannot be read"):
        parquet(files, target="kind")


def test_missing_targets_are_named(tmp_path):
    table = pyarrow.table({"a": [1.0, 2.0, 3.0], "y": [1.0, None, 2.0]})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="the target 'y' of .*a.parquet .* is missing in 1 row"):
        MLP().fit(parquet(tmp_path / "a.parquet", target="y"))


def test_large_row_groups_are_warned_of(tmp_path):
    files = write(tmp_path, 1, 3000)
    with pytest.warns(UserWarning, match="row groups of up to 3,000 rows.*convert --shuffle"):
        fitted(parquet(files, columns=NAMES, target="kind", **SMALL))

"""Files whose rows ranks share."""

import numpy as np
import pytest
from cnn_core._random import uniform
from cnn_core.distributed import simulate

from cnn_core import MLP


def make_files(n=90):
    X = uniform(5, 0, n * 3).reshape(n, 3).astype(np.float32)
    y = X @ np.float32([1, 2, 3])
    for number, (first, end) in enumerate(((0, 31), (31, 32), (32, n))):
        np.save(f"X-{number}.npy", X[first:end])
    np.save("X.npy", X)
    np.save("y.npy", y)
    return X, y


def fit(ranks, *files, parameters, **options):
    X, y = ranks.open(*files, **options)
    return MLP((9,), epochs=2, shards=8, random_state=0, **parameters).fit(X, y, ranks=ranks)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("files", ["X.npy", "X-*.npy"])
def test_memory_maps_are_read_where_their_shards_are(files, early_stopping, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_files()
    parameters = dict(early_stopping=early_stopping)
    mapped = np.load("X.npy", mmap_mode="r")
    whole = MLP((9,), epochs=2, shards=8, random_state=0, **parameters)
    whole.fit(mapped, np.load("y.npy"))
    for model in simulate(3, lambda ranks: fit(ranks, files, "y.npy", parameters=parameters)):
        assert np.array_equal(model.parameters_, whole.parameters_)


def test_each_rank_reads_its_rows_of_parquet_files(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.chdir(tmp_path)
    X, y = make_files()
    kinds = np.array(["a", "b"])[(X[:, 0] > 0.5).astype(int)]
    columns = {"size": X[:, 1].astype(float), "kind": kinds, "price": y.astype(float)}
    for number, part in enumerate((slice(0, 40), slice(40, 90))):
        table = pyarrow.table({name: column[part] for name, column in columns.items()})
        parquet.write_table(table, f"{number}.parquet", row_group_size=7)
    parameters = dict(columns="auto")
    whole = MLP((9,), epochs=2, shards=8, random_state=0, **parameters).fit(columns, "price")

    def work(ranks):
        opened = ranks.open("*.parquet", target="price")[0]
        return len(opened), fit(ranks, "*.parquet", target="price", parameters=parameters)

    found = simulate(4, work)
    assert [rows for rows, _ in found] == [23, 23, 22, 22]
    parquet.write_table(table.set_column(0, "size", pyarrow.array(["a"] * 50)), "2.parquet")
    with pytest.raises(ValueError, match="columns of 0.parquet and 2 more differ in type: .*size"):
        simulate(4, work)
    for _, model in found:
        assert np.array_equal(model.parameters_, whole.parameters_)


def test_what_cannot_be_opened_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_files()
    np.save("X-3.npy", np.zeros((3, 2), np.float32))
    (tmp_path / "X.csv").write_text("a,b")

    def refused(match, *files, error=ValueError, **options):
        with pytest.raises(error, match=match):
            simulate(1, lambda ranks: ranks.open(*files, **options))

    refused("X-3.npy has rows of shape \\(2,\\)", "X-*.npy")
    refused("reads .npy files, and with target= Parquet files, got X.csv", "X.csv")
    refused("with target= reads Parquet files, got X.npy", "X.npy", target="y")
    refused("no file matches Z", "Z-*.npy", error=FileNotFoundError)
    refused("needs the name of a file", error=TypeError)

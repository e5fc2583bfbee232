"""MLP.fit on rows that come in blocks, of which a window is in memory."""

import numpy as np
import pytest
from block_cases import Again, cut, rows
from cnn_core.io import RowBlocks
from cnn_core.training import fit

from cnn_core import MLP, MLPClassifier, MLPRegressor

#: A window of 4 blocks of 128 rows, so that 3,000 rows are six windows.
SMALL = {"block_rows": 128, "window": 4}


def fitted(X, y=None, kind=MLP, sample_weight=None, validation_data=None, **parameters):
    model = kind(**{"hidden": (8,), "epochs": 3, "random_state": 0, **parameters})
    return model.fit(X, y, sample_weight=sample_weight, validation_data=validation_data)


def same(one, other):
    assert np.array_equal(one.parameters_, other.parameters_)
    for name in ("loss", "val_loss"):
        assert one.history_.get(name) == other.history_.get(name)
    assert np.allclose(one.history_["metric"], other.history_["metric"], rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["regression", "outputs", "words", "two", "labels"])
@pytest.mark.parametrize("scale", [None, "auto", "standard", "minmax", "robust", "robust_clip"])
def test_blocks_in_order_give_the_bits_of_whole_arrays(kind, scale, dtype):
    X, y, _ = rows(kind=kind)
    options = dict(shuffle=False, scale_inputs=scale, dtype=dtype)
    whole = fitted(X, y, **options)
    model = fitted(RowBlocks(Again(cut((X, y), 500, 7)), **SMALL), **options)
    same(model, whole)
    assert np.array_equal(model.predict(X), whole.predict(X))


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "sgd", "batch_size": 7},
        {"batch_size": 700},
        {"dropout": 0.2, "l2": 1e-3, "clip_norm": 1.0},
        {"loss": "huber"},
        {"early_stopping": True, "epochs": 20, "patience": 2},
        {"learning_rate": "schedule"},
        {"clip_outputs": True, "hidden": ()},
        {"backend": "python", "hidden": (3,), "epochs": 1},
    ],
)
def test_blocks_in_order_give_the_same_bits_whatever_the_parameters(options):
    if options.get("learning_rate"):
        from cnn_core.schedules import Cosine

        options = {"learning_rate": Cosine(0.01)}
    X, y, _ = rows(n=600 if "backend" in options else 3000)
    small = {"block_rows": 32} if "backend" in options else SMALL
    whole = fitted(X, y, MLPRegressor, shuffle=False, **options)
    same(fitted(RowBlocks(cut((X, y), 100), **small), None, MLPRegressor, shuffle=False, **options),
         whole)  # fmt: skip


@pytest.mark.parametrize("kind", ["regression", "words"])
@pytest.mark.parametrize("scale", ["auto", "standard", "minmax", "robust"])
def test_weights_in_blocks_count_as_those_beside_arrays(kind, scale):
    X, y, w = rows(kind=kind, weighted=True)
    options = dict(shuffle=False, scale_inputs=scale)
    if kind == "words":
        options["class_weight"] = "balanced"
    same(
        fitted(RowBlocks(cut((X, y, w), 301, 5), **SMALL), **options),
        fitted(X, y, sample_weight=w, **options),
    )


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_sizes_of_blocks_change_no_bit_of_a_shuffled_fit(listed, threads):
    X, y, _ = rows(kind="words")
    kind = list if listed else Again
    first, *others = (
        fitted(RowBlocks(kind(cut((X, y), *sizes)), **SMALL), n_threads=threads)
        for sizes in ((3000,), (128,), (1, 700, 33), (2999, 1))
    )
    for other in others:
        same(other, first)


def test_a_sequence_is_shuffled_by_blocks_too_and_other_iterables_in_windows_alone():
    X, y, _ = rows()
    model, other = (fitted(RowBlocks(kind(cut((X, y), 500)), **SMALL)) for kind in (list, Again))
    assert not np.array_equal(model.parameters_, other.parameters_)
    in_order = fitted(RowBlocks(cut((X, y), 500), **SMALL), shuffle=False)
    assert not np.array_equal(model.parameters_, in_order.parameters_)


def test_blocks_that_fit_into_one_window_are_trained_on_as_arrays():
    X, y, w = rows(kind="words", weighted=True)
    blocks = Again(cut((X, y, w), 500))
    same(fitted(blocks), fitted(X, y, sample_weight=w))
    assert blocks.times == 1


def test_validation_data_is_judged_after_each_epoch():
    X, y, _ = rows()
    options = dict(shuffle=False, validation_data=(X[:100] + 1, y[:100]))
    same(fitted(RowBlocks(cut((X, y), 900), **SMALL), **options), fitted(X, y, **options))


def test_rows_to_stop_on_are_at_most_a_window():
    X, y, _ = rows(kind="words")
    blocks = RowBlocks(cut((X, y), 900), block_rows=16, window=4)
    parameters = MLP(early_stopping=True, validation_fraction=0.5)._check_parameters()
    job = fit.begin(parameters, blocks, None, purpose="fit")
    assert job.validation.X.count == 64
    assert job.train.X.count == 3000 - 64


def test_empty_blocks_are_skipped():
    X, y, _ = rows()
    blocks = cut((X, y), 500)
    holes = [(X[:0], y[:0]), *blocks[:3], (X[:0], y[:0]), *blocks[3:], (X[:0], y[:0])]
    same(fitted(RowBlocks(holes, **SMALL)), fitted(RowBlocks(blocks, **SMALL)))


def test_a_rare_class_of_a_later_block_is_known():
    X, y, _ = rows(n=2000, kind="words")
    y = y.astype("U8")
    y[1990] = "higher"
    model = fitted(RowBlocks(Again(cut((X, y), 128)), **SMALL), None, MLPClassifier)
    assert model.classes_.tolist() == ["high", "higher", "low", "middling"]


def test_warm_start_goes_on_over_blocks():
    X, y, _ = rows()
    blocks = RowBlocks(cut((X, y), 128), **SMALL)
    once = fitted(blocks, epochs=4)
    twice = fitted(blocks, epochs=2, warm_start=True).fit(blocks)
    assert np.array_equal(once.parameters_, twice.parameters_)


def test_tables_in_blocks_become_columns_as_a_whole_table_does():
    X, y, _ = rows(kind="words")
    city = np.array(["Bern", "Rome", None], object)[np.arange(len(X)) % 3]
    gaps = X[:, 1].astype(float)
    gaps[::10] = np.nan
    table = {"a": X[:, 0], "b": gaps, "city": city}

    def part(first, stop):
        return {name: column[first:stop] for name, column in table.items()}

    blocks = [(part(i, i + 700), y[i : i + 700]) for i in range(0, len(X), 700)]
    options = dict(columns="auto", shuffle=False, scale_inputs="standard")
    model = fitted(RowBlocks(blocks, **SMALL), **options)
    whole = fitted(table, y, **options)
    assert repr(model.columns_) == repr(whole.columns_)
    same(model, whole)
    named = [
        dict(reversed([*part(i, i + 300).items(), ("kind", y[i : i + 300])]))
        for i in range(0, len(X), 300)
    ]
    same(fitted(RowBlocks(Again(named), "kind", **SMALL), **options), fitted(
        dict(reversed([*table.items()])), y, **options))  # fmt: skip


def test_tables_of_numbers_in_blocks_need_no_columns_and_keep_their_names():
    X, y, _ = rows()
    names = list("abcdef")
    blocks = [
        ({name: X[i : i + 400, j] for j, name in enumerate(names)}, y[i : i + 400])
        for i in range(0, len(X), 400)
    ]
    model = fitted(RowBlocks(blocks, **SMALL), shuffle=False)
    same(model, fitted(X.astype(float), y, shuffle=False))
    assert model.feature_names_in_.tolist() == names
    assert fitted(blocks).feature_names_in_.tolist() == names


def test_a_gap_that_no_looked_at_row_has_gets_its_column_all_the_same():
    from cnn_core.data import scaling

    n = 2 * scaling.QUARTILE_ROWS[1] + 1  # so that every third row is looked at
    table = {"a": np.arange(n) % 7 + 0.5, "b": np.ones(n) * (np.arange(n) % 5) / 2}
    table["a"][1] = np.nan
    y = table["b"] * 2
    blocks = [({k: v[i : i + 50000] for k, v in table.items()}, y[i : i + 50000])
              for i in range(0, n, 50000)]  # fmt: skip
    small = {"block_rows": 4096, "window": 4}
    model = fitted(RowBlocks(blocks, **small), columns="auto", epochs=1, task="regression")
    assert "a is missing" in [name for one in model.columns_.columns for name in one.encoded]

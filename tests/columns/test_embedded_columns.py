"""Columns whose categories are embedded: part of the model, as all columns are."""

import copy
import io
import pickle

import numpy as np
import pytest
from cnn_core.embeddings import usual_width

import cnn_core
from cnn_core import MLP, Embedding, MLPClassifier, MLPRegressor

ROWS, CITIES = 600, 40
RNG = np.random.default_rng(3)
WORTH = RNG.normal(size=CITIES)
CODES = np.concatenate((np.arange(CITIES), RNG.integers(CITIES, size=ROWS - CITIES)))
TABLE = {
    "city": [f"city {c:02}" for c in CODES],
    "size": RNG.normal(50, 20, ROWS),
    "shop": RNG.choice(["a", "b", None], ROWS),
    "code": RNG.integers(7, size=ROWS),
}
PRICE = 3 * WORTH[CODES] + TABLE["size"] / 20 + RNG.normal(size=ROWS) / 10
BAND = np.digitize(PRICE, [0.5, 4.0])
KINDS = {"city": Embedding(8), "code": "embedding"}


def rows(where, table=TABLE):
    return {name: np.array(column, object)[where] for name, column in table.items()}


def records(table):
    return [dict(zip(table, row)) for row in zip(*(list(column) for column in table.values()))]


def regressor(**options):
    given = dict(columns=KINDS, epochs=10, random_state=0) | options
    return MLPRegressor((16, 8), **given)


@pytest.fixture(scope="module")
def model():
    return regressor(epochs=40).fit(TABLE, PRICE)


def test_a_category_becomes_a_vector_that_is_learned(model):
    assert str(model.columns_).splitlines()[::3] == [
        "city  40 categories, each embedded as 8 numbers: city 00, city 01, city 02, city 03, "
        "city 04, ...",
        "code  7 categories, each embedded as 2 numbers: 0, 1, 2, 3, 4, ...",
    ]
    assert model.columns_.encoded.tolist() == ["size", "shop=a", "shop=b", "city", "code"]
    assert {name: E.shape for name, E in model.embeddings_.items()} == {
        "city": (40, 8),
        "code": (7, 2),
    }
    assert model.categories_["city"] == tuple(f"city {c:02}" for c in range(40))
    assert model.categories_ | {"city": 0} == {
        "city": 0,
        "shop": ("a", "b"),
        "code": tuple("0123456"),
    }
    with pytest.raises(ValueError, match="read-only"):
        model.embeddings_["city"][0] = 1
    with pytest.raises(AttributeError):
        model.embeddings_ = {}
    assert model.score(TABLE, PRICE) > 0.95
    begun = regressor().initialize(TABLE, PRICE).embeddings_["city"]
    assert 0.045 < np.abs(begun).max() <= 0.05
    assert np.abs(model.embeddings_["city"]).max() > 0.06


def test_parameters_end_with_the_vectors(model):
    flat = model.parameters_
    assert flat[-14:].tobytes() == model.embeddings_["code"].tobytes()
    assert flat[-334:-14].tobytes() == model.embeddings_["city"].tobytes()
    assert model.weights_[0].shape == (16, 13)
    assert tuple(model.where(len(flat) - 1)) == ("embedding 2", "E", (6, 1))
    assert tuple(model.where(len(flat) - 334)) == ("embedding 1", "E", (0, 0))
    for i in range(0, len(flat), 7):
        assert model.index_of(*model.where(i)) == i
    with pytest.raises(ValueError, match="the parameter of an embedding must be 'E', got 'W'"):
        model.index_of("embedding 1", "W", (0, 0))
    with pytest.raises(IndexError, match=r"E of 'embedding 2' has shape \(7, 2\); got index"):
        model.index_of("embedding 2", "E", (7, 0))
    other = copy.deepcopy(model)
    other.parameters_ = flat * 2
    assert other.embeddings_["city"].tobytes() == (model.embeddings_["city"] * 2).tobytes()


def test_unknown_and_missing_categories_are_the_vector_0(model):
    row = records(TABLE)[0]
    unknown = model.predict_one(row | {"city": "nowhere"})
    with pytest.warns(UserWarning, match="missing entries in 'city', where the training rows"):
        assert model.predict_one(row | {"city": None}) == unknown
    assert model.predict([row | {"city": "nowhere"}]) == unknown
    other = copy.deepcopy(model)
    flat = other.parameters_.copy()
    flat[-334:-326] = 0
    other.parameters_ = flat
    assert CODES[0] == 0 and other.predict_one(row) == unknown
    assert np.isfinite(unknown).all() and unknown != model.predict_one(row)


def test_gaps_in_training_rows_are_no_category():
    gappy = TABLE | {"city": [None if i % 5 == 0 else c for i, c in enumerate(TABLE["city"])]}
    model = regressor().fit(gappy, PRICE)
    assert None not in model.categories_["city"]
    model.predict([records(TABLE)[0] | {"city": float("nan")}])  # without a warning


def test_one_row_has_the_bits_of_many(model):
    many = model.predict(TABLE)
    assert many.tobytes() == model.set_params(n_threads=1).predict(TABLE).tobytes()
    for row, wanted in zip(records(TABLE)[:30], many):
        assert model.predict_one(row)[0] == model.predict(row)[0] == wanted
        assert model.predict_one(row | {"code": str(row["code"])})[0] == wanted
        assert model.predict_one(row | {"code": float(row["code"])})[0] == wanted


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_columns_of_an_array_may_be_embedded(dtype):
    X = np.column_stack((TABLE["size"], CODES, TABLE["code"]))
    model = regressor(columns={1: Embedding(3), 2: Embedding(1)}, epochs=30, dtype=dtype)
    model.fit(X, PRICE)
    assert list(model.embeddings_) == [1, 2]
    assert model.score(X, PRICE) > 0.9
    assert np.array([model.predict_one(x)[0] for x in X[:20]]).tobytes() == (
        model.predict(X)[:20].astype(dtype).tobytes()
    )
    alone = regressor(columns={0: "embedding"}, dtype=dtype, epochs=60)
    alone.fit(CODES[:, None], WORTH[CODES])
    assert alone.score(CODES[:, None], WORTH[CODES]) > 0.9
    assert alone.predict_one([CODES[0]]) == alone.predict(CODES[:1, None])


@pytest.mark.parametrize("kind", ["auto", "standard", "robust_clip", "minmax", None])
def test_scaling_leaves_the_numbers_of_categories_as_they_are(kind):
    model = regressor(scale_inputs=kind, columns=KINDS).fit(TABLE, PRICE)
    if kind is not None:
        assert model.input_shift_.shape == model.input_factor_.shape == (3,)
    dear = model.predict({**TABLE, "city": [f"city {WORTH.argmax():02}"] * ROWS})
    cheap = model.predict({**TABLE, "city": [f"city {WORTH.argmin():02}"] * ROWS})
    assert (dear > cheap).mean() > 0.9
    for row, wanted in zip(records(TABLE)[:10], model.predict(TABLE)):
        assert model.predict_one(row)[0] == wanted


OPTIONS = [
    dict(dropout=(0.1, 0.2, 0.0), l1=1e-5, l2=1e-4, clip_norm=1.0, max_norm=2.0),
    dict(optimizer="lbfgs"),
    dict(optimizer="rprop"),
    dict(early_stopping=True, learning_rate=cnn_core.Cosine(0.01)),
    dict(dtype="float64", batch_size=1, epochs=2),
]


@pytest.mark.parametrize("options", OPTIONS)
def test_threads_give_the_same_bits(options):
    found = {
        regressor(**options, n_threads=n).fit(TABLE, PRICE).parameters_.tobytes()
        for n in (1, 2, 3, 4)
    }
    assert len(found) == 1


@pytest.mark.parametrize("options", OPTIONS)
def test_files_pickles_and_copies_hold_the_vectors(options):
    model = regressor(**options).fit(TABLE, PRICE)
    wanted = model.predict(TABLE).tobytes()
    for optimizer in (False, True):
        file = io.BytesIO()
        model.save(file, optimizer=optimizer)
        loaded = cnn_core.load(file.getvalue())
        again = io.BytesIO()
        loaded.save(again, optimizer=optimizer)
        assert again.getvalue() == file.getvalue()
        assert loaded.columns == KINDS
        for other in (loaded, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
            assert other.predict(TABLE).tobytes() == wanted
            for name, E in model.embeddings_.items():
                assert other.embeddings_[name].tobytes() == E.tobytes()
            assert other.categories_ == model.categories_
    one, two = (other.set_params(warm_start=True, epochs=2) for other in (model, loaded))
    assert (
        one.fit(TABLE, PRICE).parameters_.tobytes() == two.fit(TABLE, PRICE).parameters_.tobytes()
    )


def test_a_file_has_a_tensor_for_each_table(model, tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    model.save(tmp_path / "model.safetensors")
    tensors = safetensors.load_file(tmp_path / "model.safetensors")
    assert tensors["embedding.0.weight"].tobytes() == model.embeddings_["city"].tobytes()
    assert tensors["embedding.1.weight"].shape == (7, 2)


def test_a_checkpoint_goes_on_to_the_same_bits(tmp_path):
    def stop(model, epoch, logs):
        if epoch == 4:
            raise KeyboardInterrupt

    whole = regressor(early_stopping=True).fit(TABLE, PRICE)
    path = tmp_path / "embedded.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        regressor(early_stopping=True, callbacks=stop).fit(TABLE, PRICE, checkpoint=path)
    resumed = regressor(early_stopping=True).fit(TABLE, PRICE, checkpoint=path)
    assert resumed.parameters_.tobytes() == whole.parameters_.tobytes()


def test_training_goes_on_with_the_categories_of_the_first_fit():
    warm = regressor(warm_start=True, epochs=5).fit(TABLE, PRICE).fit(TABLE, PRICE)
    assert warm.parameters_.tobytes() == regressor().fit(TABLE, PRICE).parameters_.tobytes()
    stream = regressor()
    for first in range(0, ROWS, 100):
        some = rows(slice(first, first + 100))
        stream.partial_fit(some, PRICE[first : first + 100])
    assert len(stream.categories_["city"]) == 40
    before = stream.embeddings_["city"]
    new = rows(slice(5)) | {"city": ["new"] * 5}
    stream.partial_fit(new, PRICE[:5])
    assert stream.embeddings_["city"].shape == before.shape
    assert np.isfinite(stream.predict(new)).all()


def test_the_categories_are_those_of_the_rows_that_are_trained_on():
    apart = np.array([c in (3, 4) for c in CODES])
    with pytest.warns(UserWarning, match="categories in column 'city' that the training rows had"):
        model = regressor().fit(
            rows(~apart), PRICE[~apart], validation_data=(rows(apart), PRICE[apart])
        )
    assert len(model.categories_["city"]) == 38
    assert np.isfinite(model.history_["val_loss"]).all()


def test_weights_of_rows_count():
    twice = {
        name: np.concatenate((column, column[:50])) for name, column in rows(slice(None)).items()
    }
    options = dict(batch_size="full", optimizer="sgd", dtype="float64", epochs=5)
    options |= dict(scale_inputs="standard", scale_targets=None)
    one = regressor(**options).fit(TABLE, PRICE, sample_weight=1.0 + (np.arange(ROWS) < 50))
    two = regressor(**options).fit(twice, np.concatenate((PRICE, PRICE[:50])))
    for name, E in one.embeddings_.items():
        np.testing.assert_allclose(E, two.embeddings_[name], rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("options", [{}, dict(dtype="float64"), dict(hidden=())])
def test_the_open_box_shows_the_vectors(backend, options):
    columns = KINDS | {"size": "drop"} if options.get("hidden") == () else KINDS
    given = dict(hidden=(5, 4), epochs=2, random_state=0, columns=columns) | options
    model = MLP(**given).fit(TABLE, BAND)
    model.set_params(backend=backend)
    n = 40 if backend == "native" else 6
    some, y = rows(slice(n)), BAND[:n]
    found = model.check_gradient(some, y)
    assert found.error < 1e-7
    gradient = model.loss_and_gradient(some, y)[1]
    traced = model.trace(some, y)
    assert traced.dx.shape == (n, model.weights_[0].shape[1])
    tables = np.concatenate([dE.ravel() for dE in traced.dE])
    assert [dE.shape for dE in traced.dE] == [(40, 8), (7, 2)]
    if backend == "native":
        assert tables.tobytes() == gradient[-334:].tobytes()
    else:
        np.testing.assert_allclose(tables, gradient[-334:])
    assert model.per_sample_gradients(some, y).mean(axis=0)[-334:] == pytest.approx(
        tables, abs=1e-6
    )
    words = str(model.summary(some))
    assert "embedding of city       1        8" in words and " 40 x 8         320" in words
    assert f"{len(model.parameters_):,} parameters of" in words


def test_the_reference_implementation_learns_the_same():
    options = dict(dtype="float64", epochs=3, dropout=(0.1, 0.1, 0.0), l2=1e-3, l1=1e-4)
    some = rows(slice(150))
    one, two = (
        regressor(**options, backend=backend).fit(some, PRICE[:150])
        for backend in ("native", "python")
    )
    for name, E in one.embeddings_.items():
        np.testing.assert_allclose(two.embeddings_[name], E, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(two.predict(TABLE), one.predict(TABLE), rtol=1e-11, atol=1e-12)


def test_an_embedding_learns_what_the_63_most_frequent_cannot():
    rng = np.random.default_rng(1)
    worth = rng.normal(size=500)
    codes = np.concatenate((np.arange(500), rng.integers(500, size=7500)))
    x = rng.normal(size=8000)
    y = worth[codes] + 0.3 * x
    table = {"city": [f"c{c}" for c in codes], "x": x}
    train, test = np.arange(8000) < 6000, np.arange(8000) >= 6000
    score = {}
    for kind in ("category", "embedding"):
        model = MLPRegressor(32, columns={"city": kind}, epochs=30, random_state=0)
        model.fit(rows(train, table), y[train])
        score[kind] = model.score(rows(test, table), y[test])
    assert score["category"] < 0.4 and score["embedding"] > 0.95


def test_nothing_is_said_of_numbers_of_categories():
    classes = MLPClassifier(8, columns=KINDS, epochs=30, random_state=0).fit(TABLE, BAND)
    last = rows(slice(-100, None)) | {"city": ["unknown"] * 100}
    assert "city" not in classes.evaluate(rows(slice(100)), BAND[:100])["diagnosis"]
    with pytest.warns(UserWarning, match="categories in column 'city' that the training rows had"):
        assert "city" not in classes.evaluate(last, BAND[:100])["diagnosis"]
    with pytest.raises(ValueError, match="initialized by sizes alone has no vectors for"):
        regressor(warm_start=True).initialize(n_features=5, n_outputs=1).fit(TABLE, PRICE)


@pytest.mark.parametrize("kind, error, message", [
    (lambda: {"city": Embedding}, TypeError, r"'city' must be an object, Embedding\(\), got the"),
    (lambda: {"city": "embedded"}, ValueError, "'city' 'embedded'; did you mean 'embedding'"),
    (lambda: {"city": Embedding(0)}, ValueError, "dim must be a whole number from 1 to 4096, or N"),
    (lambda: {"city": Embedding(2.5)}, TypeError, "dim must be a whole number .* got 2.5"),
    (lambda: {"town": Embedding(2)}, ValueError, "columns names 'town', which X does not have"),
])  # fmt: skip
def test_what_no_embedding_can_be_is_refused(kind, error, message):
    with pytest.raises(error, match=message):
        regressor(columns=kind()).fit(TABLE, PRICE)


def test_an_embedding_is_a_value():
    assert Embedding(8) == Embedding(dim=8) != Embedding()
    assert repr(Embedding(8)) == "Embedding(dim=8)" and len({Embedding(8), Embedding(8)}) == 1
    with pytest.raises(AttributeError, match="do not change"):
        Embedding(8).dim = 9
    widths = {n: usual_width(n) for n in (1, 2, 16, 17, 81, 500, 1000, 10_000, 1 << 24)}
    assert list(widths.values()) == [1, 2, 2, 3, 3, 5, 6, 10, 64]


def test_a_column_without_entries_is_left_out():
    with pytest.warns(UserWarning, match=r"leaves out 'city' \(every entry is missing\)"):
        model = regressor().fit(TABLE | {"city": [None] * ROWS}, PRICE)
    assert list(model.embeddings_) == ["code"]
    assert regressor(columns="auto").fit(TABLE, PRICE).embeddings_ == {}


@pytest.mark.parametrize("kind", ["auto", "standard"])
def test_tables_in_blocks_are_embedded(kind):
    whole, found = rows(slice(None)), set()

    class Blocks:
        def __init__(self, size):
            self.size = size

        def __iter__(self):
            for first in range(0, ROWS, self.size):
                some = slice(first, first + self.size)
                yield {name: column[some] for name, column in whole.items()}, PRICE[some]

    for size in (70, ROWS):
        model = regressor(epochs=20, scale_inputs=kind).fit(Blocks(size))
        found.add(model.parameters_.tobytes())
        assert model.score(TABLE, PRICE) > 0.9 and len(model.categories_["city"]) == 40
    assert len(found) == 1

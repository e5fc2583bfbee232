"""Periodic embeddings of the numbers of a model: ``numeric_embedding``."""

import pickle
import re

import numpy as np
import pytest
import reference_numpy

from cnn_core import MLP, Embedding, MLPRegressor, PeriodicEmbedding

RNG = np.random.default_rng(6)
X = RNG.uniform(-2, 2, (400, 4))
X[:, 2] = X[:, 2] > 0
WAVES = np.sin(5 * X[:, 0]) + np.cos(4 * X[:, 1]) + X[:, 2] * X[:, 3]
THREE = np.digitize(WAVES, [-0.6, 0.6])
TABLE = {
    "size": X[:, 0],
    "city": RNG.choice(["Bern", "Oslo", "Rome"], 400),
    "age": np.where(X[:, 1] > 1.8, None, X[:, 1]),
    "shop": RNG.choice(list("abcdefgh"), 400),
}


def quick(**options):
    given = dict(hidden=(16, 8), numeric_embedding=PeriodicEmbedding(6, 2), random_state=0)
    return MLP(**given | dict(epochs=3) | options)


def test_numbers_have_parameters_of_their_own(dtype):
    model = quick(dtype=dtype).fit(X, WAVES)
    assert list(model.numeric_embeddings_) == [0, 1, 3]  # a column of two values needs none
    assert model.weights_[0].shape == (16, 4 + 3 * 2)
    flat = [np.concatenate([p.ravel() for p in one]) for one in model.numeric_embeddings_.values()]
    assert model.parameters_[-3 * 26 :].tobytes() == np.concatenate(flat).tobytes()
    w, c, V, d = model.numeric_embeddings_[3]
    assert (w.shape, c.shape, V.shape, d.shape) == ((6,), (6,), (2, 6), (2,))
    with pytest.raises(ValueError, match="read-only"):
        V[0] = 1
    assert MLP(4, epochs=1).fit(X, WAVES).numeric_embeddings_ == {}


def test_features_go_by_their_names():
    columns = {"shop": Embedding(3)}
    model = MLP(8, columns=columns, numeric_embedding="periodic", epochs=1, random_state=0)
    model.fit(TABLE, WAVES)
    assert list(model.numeric_embeddings_) == ["size", "age"]
    n_numbers = len(model.columns_.encoded) - 1
    assert model.weights_[0].shape[1] == n_numbers + 2 * 3 + 3
    assert all(one.w.shape == (16,) for one in model.numeric_embeddings_.values())
    rows = [dict(zip(TABLE, row)) for row in zip(*TABLE.values())]
    one = np.array([model.predict_one(row) for row in rows[:9]])
    assert one.tobytes() == model.forward(rows[:9]).tobytes()


def test_first_parameters_are_those_of_the_paper():
    rows = RNG.normal(size=(50, 30))
    for scale in (0.1, 2.0):
        kind = PeriodicEmbedding(400, 4, scale)
        model = MLP(4, numeric_embedding=kind, random_state=0).initialize(rows, rows[:, 0])
        w, c, V, d = (
            np.concatenate([one[i].ravel() for one in model.numeric_embeddings_.values()])
            for i in range(4)
        )
        assert w.std() == pytest.approx(scale, rel=0.03) and abs(w.mean()) < 0.05 * scale
        assert abs(c).max() <= np.pi and c.std() == pytest.approx(np.pi / np.sqrt(3), rel=0.03)
        for part in (V, d):
            assert abs(part).max() <= 0.05 and part.std() == pytest.approx(
                0.05 / np.sqrt(3), rel=0.1
            )
        assert len(np.unique(w)) > 0.99 * len(w)


@pytest.mark.parametrize("kind", ["standard", "robust_clip", None])
def test_the_outputs_are_those_of_numpy(kind):
    model = quick(dtype="float64", scale_inputs=kind, activation="tanh", scale_targets=None)
    model.fit(X, WAVES)
    x = X if kind is None else (X - model.input_shift_) * model.input_factor_
    if kind == "robust_clip":
        x = x / np.sqrt(1 + (x / 3) ** 2)
    found = model.numeric_embeddings_
    parts = [np.array(part) for part in zip(*found.values())]
    a = np.hstack((x, reference_numpy.periodic(x[:, list(found)], *parts)))
    for W, b in zip(model.weights_[:-1], model.biases_[:-1]):
        a = np.tanh(a @ W.T + b)
    wanted = a @ model.weights_[-1].T + model.biases_[-1]
    np.testing.assert_allclose(model.forward(X), wanted, atol=1e-12)
    one = np.array([model.predict_one(row) for row in X])
    assert one.tobytes() == model.forward(X).tobytes()


def test_they_learn_waves():
    scores = {}
    for kind in (None, PeriodicEmbedding(scale=0.3)):
        options = dict(epochs=150, learning_rate=3e-3, random_state=0)
        model = MLPRegressor((32, 32), numeric_embedding=kind, **options)
        scores[kind] = model.fit(X[:300], WAVES[:300]).score(X[300:], WAVES[300:])
    plain, periodic = scores.values()
    assert plain < 0.8 and periodic > 0.95


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("options", [
    {}, dict(dtype="float64", scale_inputs="standard"),
    dict(hidden=(), scale_inputs="robust_asinh"),
], ids=str)  # fmt: skip
def test_the_open_box_shows_them(backend, options):
    options = dict(activation="tanh", epochs=1) | options
    model = quick(**options).fit(X[:100], THREE[:100])
    model.set_params(backend=backend)
    some, y = X[:20], THREE[:20]
    found = model.check_gradient(some, y)
    assert found.error < 1e-7
    gradient = model.loss_and_gradient(some, y)[1]
    traced = model.trace(some, y)
    shown = np.concatenate([part.ravel() for one in traced.periodic for part in one])
    if backend == "native":
        assert shown.tobytes() == gradient[-78:].tobytes()
    else:
        np.testing.assert_allclose(shown, gradient[-78:])
    assert traced.dx.shape == some.shape
    of_rows = model.per_sample_gradients(some, y)
    assert of_rows.mean(axis=0)[-78:] == pytest.approx(shown, abs=1e-6)
    size = len(model.parameters_)
    places = [model.where(i) for i in range(size)]
    assert [model.index_of(*place) for place in places] == list(range(size))
    assert tuple(places[-1]) == ("periodic 3", "d", (1,))
    words = str(model.summary(some))
    assert re.search(r"periodic embeddings +3 +6 +cos +3 x 2 x 6 +78\n", words)
    assert f"{size:,} parameters of" in words


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("kind", [None, "standard", "robust_asinh", "robust_clip"])
def test_dx_goes_by_way_of_them(kind, backend):
    rows = np.column_stack((X, RNG.integers(5, size=400)))
    model = quick(
        dtype="float64", scale_inputs=kind, activation="tanh", columns={4: Embedding(2)},
        scale_targets=None, backend="native",
    ).fit(rows, WAVES)  # fmt: skip
    model.set_params(backend=backend)
    some, y = rows[:9], WAVES[:9]
    dx = model.trace(some, y).dx
    assert dx.shape == (9, 4 + 2)
    for i in range(4):
        costs = []
        for h in (1e-6, -1e-6):
            shifted = some.copy()
            shifted[:, i] += h
            costs.append(((model.forward(shifted)[:, 0] - y) ** 2) / 2 / 9)
        np.testing.assert_allclose((costs[0] - costs[1]) / 2e-6, dx[:, i], atol=1e-8)


def test_the_reference_implementation_learns_the_same():
    options = dict(dtype="float64", epochs=3, dropout=(0.1, 0.1, 0.0), l2=1e-3, l1=1e-4)
    options |= dict(rate_factors={"periodic": 0.3}, optimizer="adamw", init="data_driven")
    options |= dict(decay_factors={"periodic": 0.5})
    one, two = (
        quick(**options, backend=backend).fit(X[:120], WAVES[:120])
        for backend in ("native", "python")
    )
    np.testing.assert_allclose(two.parameters_, one.parameters_, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(two.forward(X), one.forward(X), rtol=1e-10, atol=1e-12)


def test_files_pickles_and_continued_training_keep_them(tmp_path):
    model = quick(warm_start=True).fit(X, THREE)
    path = tmp_path / "model.safetensors"
    model.save(path, optimizer=True)
    once = pickle.loads(pickle.dumps(model)).fit(X, THREE)
    for other in (MLP.load(path), pickle.loads(pickle.dumps(model))):
        assert other.numeric_embedding == PeriodicEmbedding(6, 2)
        assert other.forward(X).tobytes() == model.forward(X).tobytes()
        assert np.array_equal(other.fit(X, THREE).parameters_, once.parameters_)
    with pytest.raises(ValueError, match="training goes on with the numeric_embedding"):
        model.set_params(numeric_embedding="periodic").fit(X, THREE)
    with pytest.raises(ValueError, match="training goes on with the numeric_embedding"):
        model.set_params(numeric_embedding=None).fit(X, THREE)


@pytest.mark.parametrize("options", [
    dict(optimizer="lbfgs"), dict(early_stopping=True), dict(batch_size="full"), dict(bias=False),
    dict(clip_norm=0.1, max_norm=1.0), dict(hidden=()), dict(scale_inputs=None),
    dict(init="data_driven"), dict(dropout=(0.3, 0.1, 0.0)),
], ids=str)  # fmt: skip
def test_they_go_with_other_parameters(options):
    model = quick(epochs=5, **options).fit(X, WAVES)
    again = quick(epochs=5, **options).fit(X, WAVES)
    assert np.isfinite(model.parameters_).all() and model.score(X, WAVES) > -1
    assert again.parameters_.tobytes() == model.parameters_.tobytes()
    first = quick(epochs=5, **options).initialize(X, WAVES)
    for part, then in zip(model.numeric_embeddings_[0], first.numeric_embeddings_[0]):
        assert (part != then).any()


def test_a_stream_embeds_all_its_numbers():
    scaled = dict(scale_inputs="standard")
    whole = quick(**scaled).partial_fit(X[:12], THREE[:12], classes=[0, 1, 2])
    assert list(whole.numeric_embeddings_) == [0, 1, 2, 3]
    pieces = quick(**scaled)
    for first, end in ((0, 1), (1, 5), (5, 12)):
        pieces.partial_fit(X[first:end], THREE[first:end], classes=[0, 1, 2])
    assert pieces.parameters_.tobytes() == whole.parameters_.tobytes()


def test_sizes_alone_embed_all_numbers():
    model = quick().initialize(n_features=5, n_outputs=1)
    assert list(model.numeric_embeddings_) == [0, 1, 2, 3, 4]
    assert model.predict(np.zeros((3, 5))).shape == (3,)


def test_one_number_and_columns_of_two_values():
    one = quick(epochs=2).fit(X[:, :1], WAVES)
    assert list(one.numeric_embeddings_) == [0]
    none = quick(epochs=2).fit(X[:, 2:3], WAVES)
    assert none.numeric_embeddings_ == {}
    plain = quick(epochs=2, numeric_embedding=None).fit(X[:, 2:3], WAVES)
    assert none.parameters_.tobytes() == plain.parameters_.tobytes()


@pytest.mark.parametrize("make, error, message", [
    (lambda: "period", ValueError, "numeric_embedding 'period'; did you mean 'periodic'"),
    (lambda: "pbld", ValueError, "numeric_embedding 'pbld'; it is called 'periodic' here"),
    (lambda: PeriodicEmbedding, TypeError, "numeric_embedding"),
    (lambda: 8, TypeError, "numeric_embedding"),
    (lambda: PeriodicEmbedding(0), ValueError, "frequencies must be a whole number from 1 to 1024"),
    (lambda: PeriodicEmbedding(4, 17), ValueError, "width must be a whole number from 1 to 16"),
    (lambda: PeriodicEmbedding(4, 2.5), TypeError, "width must be a whole number"),
    (lambda: PeriodicEmbedding(scale=0), ValueError, "scale must be a finite number above 0"),
])  # fmt: skip
def test_what_cannot_be_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        quick(numeric_embedding=make()).fit(X, WAVES)


def test_an_embedding_is_a_value():
    assert PeriodicEmbedding(16) == PeriodicEmbedding() != PeriodicEmbedding(8)
    assert repr(PeriodicEmbedding(8)) == "PeriodicEmbedding(frequencies=8, width=3, scale=0.1)"


def test_evaluate_and_profile_know_them():
    model = quick(epochs=20).fit(X, THREE)
    assert "diagnosis" in model.evaluate(X, THREE)
    profiled = model.profile(X, THREE)
    assert "backward" in str(profiled)


def test_the_class_in_place_of_an_object_is_named_with_its_cure() -> None:
    with pytest.raises(TypeError, match=r"an object, PeriodicEmbedding\(\), got the class itself"):
        MLP(numeric_embedding=PeriodicEmbedding).fit([[0.0], [1.0]], [0, 1])

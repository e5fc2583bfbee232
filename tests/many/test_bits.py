"""Each model that fit_many trains has the bits of its own fit."""

import numpy as np
import pytest
from many_cases import NUMBERS, RNG, X, Y, facts, own_fits, small

from cnn_core import (
    MLP,
    Adam,
    AdamW,
    Cosine,
    Coslog,
    FlatCosine,
    Huber,
    MLPClassifier,
    MLPRegressor,
    Normal,
    PeriodicEmbedding,
    ReduceOnPlateau,
    _lanes,
    fit_many,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:many_cases")

FEATURES = X * [1, 20, 300, 1, 1, 1] + [0, 0, 5000, 0, 0, 0]


def assert_alike(make, X, y, rows=None, **options):
    """Fit the same models at once, by one thread and by two, and one after the other."""
    alone = make()
    own_fits(alone, X, y, rows, **options)
    expected = [facts(model) for model in alone]
    for threads in (1, 2):
        models = make()
        found = fit_many(models, X, y, rows, n_threads=threads, **options)
        assert all(one is other for one, other in zip(found, models, strict=True))
        for i, (model, wanted) in enumerate(zip(models, expected, strict=True)):
            assert facts(model) == wanted, f"models[{i}] with {threads} threads"
            assert np.array_equal(model.predict(X), alone[i].predict(X))


KINDS = {
    "seeds": lambda: [small(random_state=seed) for seed in range(9)],
    "widths": lambda: [small(hidden=h, random_state=3) for h in (1, 4, 4, (8, 3), 20, (), 40)],
    "epochs": lambda: [small(epochs=e) for e in (0, 3, 1, 7)],
    "optimizers": lambda: [
        small(optimizer=name)
        for name in ("sgd", "adam", Adam(amsgrad=True), "rprop", "lbfgs", AdamW(weight_decay=0.1))
    ],
    "schedules": lambda: [
        small(learning_rate=Cosine(0.02)),
        small(learning_rate=Coslog(), epochs=9),
        small(learning_rate=ReduceOnPlateau(patience=1, initial=0.1), epochs=12),
        small(dropout=0.2, dropout_schedule=FlatCosine(), random_state=1),
        small(optimizer=AdamW(), decay_schedule=FlatCosine(), decay_factors={"biases": 0}),
    ],
    "early stopping": lambda: [
        small(early_stopping=True, epochs=60, patience=2, random_state=seed) for seed in range(4)
    ],
    "monitors": lambda: [
        small(early_stopping=True, monitor=name, restore_best=best, epochs=8)
        for name in ("val_metric", "balanced_accuracy", "val_loss", "loss")
        for best in (True, "latest", False)
    ],
    "tol": lambda: [small(tol=tol, patience=2, epochs=40) for tol in (1e-1, 1e-2, 1e-9)],
    "regularised": lambda: [
        small(l1=1e-3), small(l2=1e-2), small(max_norm=1.0), small(clip_norm=0.1),
        small(dropout=0.5), small(bias=False), small(label_smoothing=0.1),
    ],
    "scalings": lambda: [
        small(scale_inputs=kind, random_state=seed)
        for kind in ("auto", None, "minmax", "standard", "robust_clip")
        for seed in (0, 1)
    ],
    "dtypes": lambda: [small(dtype=name) for name in ("float32", "float64", "float32")],
    "batches": lambda: [small(batch_size=size) for size in (1, 7, 64, "full", 1000)],
    "in order": lambda: [small(shuffle=False, random_state=seed) for seed in (0, 1)],
    "weights of classes": lambda: [
        small(class_weight=one) for one in (None, "balanced", {0: 2.0}, {0: 2.0})
    ],
    "backends": lambda: [small(backend=one, epochs=2) for one in ("native", "python")],
    "steps": lambda: [small(step_history=True), small()],
    "given weights": lambda: [
        small(hidden=2, init=[(np.full((2, 6), 0.1), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))]),
        small(init="zeros"), small(init="orthogonal"), small(init=Normal(1e-9)),
        small(init=Normal(0.1)), small(init="data_driven"), small(init="data_driven"),
    ],
    "numeric embeddings": lambda: [
        small(numeric_embedding=one, random_state=seed)
        for one in ("periodic", None, PeriodicEmbedding(4, 2)) for seed in (0, 1)
    ],
    "of one task": lambda: [MLPClassifier(4, epochs=3, random_state=i) for i in (0, 1)],
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_each_has_the_bits_of_its_own_fit(kind):
    assert_alike(KINDS[kind], X if kind == "given weights" else FEATURES, Y)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("y", [Y, NUMBERS], ids=["classes", "numbers"])
@pytest.mark.parametrize("kind", KINDS)
def test_nets_side_by_side_have_the_bits_of_their_own_fits(kind, y, monkeypatch):
    if y is NUMBERS and kind in ("weights of classes", "of one task", "regularised", "monitors"):
        pytest.skip("for classes alone")
    monkeypatch.setattr(_lanes, "share", lambda n, trainer, threads: n)  # whatever it costs
    assert_alike(lambda: [*KINDS[kind](), *KINDS[kind]()], X, y)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["seeds", "early stopping", "scalings", "dtypes", "optimizers"])
def test_each_has_the_bits_of_its_own_regression(kind):
    assert_alike(KINDS[kind], FEATURES, NUMBERS)


@pytest.mark.parametrize("loss", ["mae", Huber(0.5), "poisson", "mse"])
def test_losses_of_a_regression(loss):
    def make():
        return [MLPRegressor(8, loss=loss, epochs=3, random_state=seed) for seed in (0, 1)]

    assert_alike(make, X, NUMBERS)


ROWS = [
    None,
    slice(0, 200),
    slice(250, 20, -1),
    RNG.permutation(300)[:150],
    RNG.integers(0, 300, 300),  # as a bootstrap has it
    RNG.random(300) > 0.4,
    np.arange(-100, 0),
    np.arange(300),
    list(range(50)),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("features", [X, FEATURES, X.astype("float64")], ids=["as", "far", "64"])
@pytest.mark.parametrize("y", [Y, NUMBERS], ids=["classes", "numbers"])
def test_each_has_its_own_rows(features, y):
    def make():
        options = [{"random_state": i, "early_stopping": i % 2 == 1} for i in range(len(ROWS))]
        return [small(**one) for one in options]

    assert_alike(make, features, y, ROWS)


def test_weights_of_rows_go_with_them():
    weight = RNG.random(300)

    def make():
        return [small(random_state=i) for i in range(len(ROWS))]

    assert_alike(make, X, Y, ROWS, sample_weight=weight)


def test_validation_rows_are_those_of_all():
    def make():
        return [
            small(random_state=i, early_stopping=i > 1, patience=1, epochs=20) for i in range(4)
        ]

    assert_alike(make, FEATURES, Y, validation_data=(FEATURES[:80], Y[:80]))


@pytest.mark.filterwarnings("ignore")
def test_a_warm_start_goes_on_beside_new_models():
    def make():
        first = small(warm_start=True, epochs=4).fit(X, Y)
        initialized = small(warm_start=True, random_state=4).initialize(X, Y)
        return [small(random_state=1), first, initialized]

    assert_alike(make, X, Y)


def test_seeds_are_drawn_in_the_order_of_the_models():
    def make():
        stream, old = np.random.default_rng(5), np.random.RandomState(5)
        return [small(random_state=one) for one in (stream, old, stream, old, 3, stream)]

    assert_alike(make, X, Y, [None, slice(100), slice(100), None, None, None])


def test_monitors_of_a_users_own():
    def share(model, X, y):
        return float((model.predict(X) == y).mean())

    def make():
        return [
            small(monitor=share, early_stopping=True, random_state=seed, epochs=9, patience=3)
            for seed in range(3)
        ]

    assert_alike(make, FEATURES, Y, [None, slice(0, 200), slice(0, 200)])


TABLE = {
    "size": [*RNG.normal(40, 5, 58).tolist(), None, 3.0] * 2,
    "kind": ["a", "b", "c", None, "a", "b"] * 20,
    "y": ["yes", "no", "yes", "yes", "no", "no"] * 20,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("columns", ["auto", {"kind": "embedding"}], ids=["auto", "embedded"])
def test_tables_and_their_rows(columns):
    which = [None, np.arange(0, 120, 2), slice(0, 100)]

    def make():
        return [small(columns=columns, random_state=i, epochs=3) for i in range(3)]

    def part(i):
        numbers = np.arange(120) if which[i] is None else np.arange(120)[which[i]]
        return {name: [values[n] for n in numbers] for name, values in TABLE.items()}

    alone = make()
    for i, model in enumerate(alone):
        model.fit(part(i), "y")
    models = fit_many(make(), TABLE, "y", which)
    for model, other in zip(models, alone, strict=True):
        assert model.parameters_.tobytes() == other.parameters_.tobytes()
        assert np.array_equal(model.predict(TABLE), other.predict(TABLE))
        assert str(model.columns_) == str(other.columns_)


def test_frames_and_series_keep_their_names():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    names = [f"x{i}" for i in range(6)]
    frames = [
        (pandas.DataFrame(X, columns=names), pandas.Series(NUMBERS, name="price")),
        (polars.DataFrame(X, schema=names), polars.Series("price", NUMBERS)),
    ]
    for frame, series in frames:
        models = fit_many([small(random_state=i) for i in (0, 1)], frame, series, [None, ROWS[3]])
        parts = [
            one.iloc[ROWS[3]] if hasattr(one, "iloc") else one[ROWS[3]] for one in (frame, series)
        ]
        own = small(random_state=1).fit(*parts)
        assert facts(models[1]) == facts(own)
        assert list(models[1].feature_names_in_) == names


def test_a_training_goes_on_as_after_its_own_fit():
    models = fit_many([small(random_state=i, warm_start=True) for i in (0, 1)], X, Y)
    alone = [small(random_state=i, warm_start=True).fit(X, Y) for i in (0, 1)]
    for model, other in zip(models, alone, strict=True):
        assert facts(model.fit(X, Y)) == facts(other.fit(X, Y))
        assert facts(model.partial_fit(X[:50], Y[:50])) == facts(other.partial_fit(X[:50], Y[:50]))


def test_no_model_and_a_single_one():
    assert fit_many([], X, Y) == []
    (model,) = fit_many(iter([MLP(4, epochs=2, random_state=0)]), X, Y, n_threads=2)
    assert facts(model) == facts(MLP(4, epochs=2, random_state=0).fit(X, Y))


def test_rows_of_models_are_not_copied(monkeypatch):
    from cnn_core.many.net import Net

    sources = []
    begin = Net.begin

    def kept(self, threads):
        sources.append(self.job.train.X.array)
        begin(self, threads)

    monkeypatch.setattr(Net, "begin", kept)
    scaled = {"scale_inputs": None}
    fit_many(
        [small(random_state=i, **scaled) for i in range(4)], X, Y, [ROWS[i] for i in (3, 4, 5, 1)]
    )
    assert all(np.shares_memory(one, X) for one in sources)
    sources.clear()
    fit_many([small(random_state=i) for i in range(4)], FEATURES, Y, [None, ROWS[3], None, ROWS[3]])
    assert len({one.ctypes.data for one in sources}) == 2


def test_a_memory_map_is_read_in_place(tmp_path):
    X_map = np.memmap(tmp_path / "X", "float32", "w+", shape=X.shape)
    X_map[:] = X
    which = [None, slice(20, 200), ROWS[3]]

    def make():
        return [small(random_state=i, scale_inputs=None) for i in range(3)]

    assert_alike(make, X_map, Y, which)
    with pytest.warns(UserWarning, match="memory map"):
        scaled = fit_many([small(), small()], far_map(tmp_path), Y, [slice(150), ROWS[3]])
    assert [model._model().scaling is None for model in scaled] == [True, False]


def far_map(folder):
    """Features of other sizes in a file."""
    array = np.memmap(folder / "far", "float32", "w+", shape=X.shape)
    array[:] = FEATURES
    return array


def test_targets_are_named_for_some_rows_too():
    table, names = {"a": X[:, 0], "b": X[:, 1], "low": X[:, 2], "high": X[:, 3]}, ["low", "high"]
    (one,) = fit_many([small(columns="auto", random_state=0)], table, names, rows=[slice(0, 90)])
    some = {name: column[:90] for name, column in table.items()}
    own = small(columns="auto", random_state=0).fit(some, names)
    assert one.parameters_.tobytes() == own.parameters_.tobytes()


@pytest.mark.parametrize("rows", [slice(0, 90), np.arange(90)])
@pytest.mark.parametrize("n", [80, 310])
def test_more_or_fewer_targets_or_weights_than_rows_are_refused(rows, n):
    with pytest.raises(ValueError, match=f"X has 300 rows and y has {n}; they must have the same"):
        fit_many([small()], X, np.resize(Y, n), rows=[rows])
    with pytest.raises(ValueError, match=f"X has 300 rows and sample_weight has {n}; they must h"):
        fit_many([small()], X, Y, rows=[rows], sample_weight=np.ones(n))

"""Ranks that share a training: the weights, and the history, of one process."""

import shutil
import sys
import threading
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from cnn_core._random import uniform
from cnn_core.callbacks import Callback, PhaseTimer
from cnn_core.data import auto_scaling, scaling
from cnn_core.distributed import RankError, Shared, mpi, prepare, simulate
from cnn_core.distributed.exchange import WHOLE, Exchange
from cnn_core.distributed.ranks import share_of
from cnn_core.distributed.tree import Tree
from cnn_core.embeddings import Embedding
from cnn_core.exceptions import DivergenceWarning
from cnn_core.files import atomic
from cnn_core.io import RowBlocks
from cnn_core.losses import Pinball
from cnn_core.schedules import Cosine

from cnn_core import MLP, _launcher

RANKS = (1, 2, 3, 4, 8)


def make_data(n=90):
    X = uniform(5, 0, n * 4).reshape(n, 4) * [1, 10, 100, 1000]
    return X, X @ [1, 0.2, -0.01, 0.001] + uniform(6, 0, n), uniform(7, 0, n) + 0.5


def words_of(y):
    return np.array(["low", "mid", "high"])[np.digitize(y, [0.5, 1.0])]


def table_of(X):
    kinds = np.array(["a", "b", "c", "d"])[(X[:, 1] / 2.5).astype(int)]
    return {"size": np.where(X[:, 0] > 0.9, np.nan, X[:, 0]), "kind": kinds}


def make(**parameters):
    defaults = dict(hidden=(9,), epochs=3, batch_size=20, random_state=3, shards=7)
    return MLP(**defaults | parameters)


def some(rows, which):
    """Some of the rows of an array or a table."""
    if isinstance(rows, dict):
        return {name: column[which] for name, column in rows.items()}
    return None if rows is None else rows[which]


def share(rows, ranks, gives):
    """What a rank gives: 'all' of the rows, its 'own', or 'odd' shares, of which one is empty."""
    if gives == "all":
        return None if rows is None else Shared(rows)
    n = (
        len(next(iter(rows.values())))
        if isinstance(rows, dict)
        else len(rows if rows is not None else ())
    )
    cuts = [n * r // ranks.size for r in range(ranks.size + 1)]
    if gives == "odd" and ranks.size > 2:
        cuts[1] = cuts[2] = n // 5
    return some(rows, slice(*cuts[ranks.rank : ranks.rank + 2]))


def fit_on_ranks(size, make_model, rows, validation=None, gives="own", **arguments):
    """The models that all ranks have."""

    def work(ranks):
        X, y, weights = (share(one, ranks, gives) for one in rows)
        pair = validation and tuple(share(one, ranks, gives) for one in validation)
        return make_model().fit(
            X, y, sample_weight=weights, validation_data=pair, ranks=ranks, **arguments
        )

    return simulate(size, work)


def assert_same(models, whole):
    for model in models:
        assert np.array_equal(model.parameters_, whole.parameters_)
        for name in model.history_:
            assert name == "seconds" or model.history_[name] == whole.history_[name]
        if whole.step_history:
            assert model.step_history_ == whole.step_history_


CASES = {
    "robust_asinh": dict(dropout=0.2, clip_norm=0.5),
    "standard": dict(scale_inputs="standard", optimizer="sgd", l1=0.001, max_norm=2.0),
    "minmax": dict(scale_inputs="minmax", shuffle=False),
    "robust": dict(scale_inputs="robust", learning_rate=Cosine(0.01), step_history=True),
    "set apart": dict(early_stopping=True, patience=1, epochs=6),
    "full batch": dict(batch_size="full"),
    "lbfgs": dict(optimizer="lbfgs", batch_size="full", l2=0.01),
    "fitted weights": dict(init="data_driven", numeric_embedding="periodic"),
    "two-phase": dict(hidden=(300,), batch_size=60, n_threads=2, dtype="float64"),
    "few rows in a mini-batch": dict(batch_size=3, epochs=1),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:.*epochs=1:UserWarning")
def test_weights_and_history_are_those_of_one_process(case, weighted):
    parameters, (X, y, weights) = CASES[case], make_data()
    rows = X, y, weights if weighted else None
    whole = make(**parameters).fit(X, y, sample_weight=rows[2])
    for size, gives in zip(RANKS, ("own", "all", "odd", "own", "odd")):
        models = fit_on_ranks(size, lambda: make(**parameters), rows, gives=gives)
        assert_same(models, whole)


TARGETS = {
    "several outputs": dict(clip_outputs=True, step_history=True),
    "several labels": dict(optimizer="rprop", batch_size="full"),
    "two classes": dict(label_smoothing=0.1),
    "gaussian_nll": dict(loss="gaussian_nll"),
    "pinball": dict(loss=Pinball((0.1, 0.5, 0.9)), activation="selu", dropout=0.2),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_targets_of_every_kind_are_learned_as_by_one_process(kind):
    X, y, _ = make_data()
    both = np.column_stack((y, X[:, 0]))
    y = {"several outputs": both, "several labels": (both > 0.5).astype(int)}.get(kind, y)
    y = (y > 0.7).astype(int) if kind == "two classes" else y
    whole = make(**TARGETS[kind]).fit(X, y)
    assert_same(fit_on_ranks(3, lambda: make(**TARGETS[kind]), (X, y, None)), whole)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["robust_asinh", "robust", "auto"])
def test_rows_that_stand_for_all_are_the_same_ones(kind, weighted, monkeypatch):
    monkeypatch.setattr(scaling, "QUARTILE_ROWS", (8, 16))
    monkeypatch.setattr(auto_scaling, "_SAMPLE", 7)
    monkeypatch.setattr(prepare, "LOOKED_AT", 16)
    X, y, weights = make_data()
    X[:, :2] *= [0.01, 0.1]
    X[:, 3] = X[:, 3] > 500  # two numbers, of which a periodic embedding can tell nothing
    rows = X, y, np.floor(4 * weights - 2) if weighted else None  # some are 0
    parameters = dict(scale_inputs=kind, init="data_driven", numeric_embedding="periodic")
    whole = make(**parameters).fit(*rows[:2], sample_weight=rows[2])
    for size, gives in ((2, "all"), (3, "odd")):
        models = fit_on_ranks(size, lambda: make(**parameters), rows, gives=gives)
        assert_same(models, whole)


@pytest.mark.parametrize("gives", ["own", "all", "odd"])
@pytest.mark.parametrize("kind", ["matrix", "frame", "table"])
def test_classes_columns_and_validation_rows_are_those_of_all_ranks(kind, gives):
    X, y, _ = make_data()
    y = words_of(y)  # sorted by rank, so that none knows all classes
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    parameters = dict(class_weight="balanced", label_smoothing=0.1)
    if kind == "table":
        X, parameters["columns"] = table_of(X), {"kind": Embedding(2)}
    if kind == "frame":
        X = pytest.importorskip("pandas").DataFrame(X, columns=list("abcd"))
    judged = some(X, slice(None, None, 3)), y[::3]
    whole = make(**parameters).fit(X, y, validation_data=judged)
    for size in (2, 3):
        rows = X, y, None
        models = fit_on_ranks(size, lambda: make(**parameters), rows, judged, gives=gives)
        assert_same(models, whole)
        assert models[-1].classes_.tolist() == ["high", "low", "mid"]
        assert models[-1].predict(X).tolist() == whole.predict(X).tolist()
        named = [getattr(model, "feature_names_in_", None) is None for model in (*models, whole)]
        assert named == [kind == "matrix"] * len(named)


def test_the_target_may_be_a_column_of_the_table():
    X, y, _ = make_data()
    table = table_of(X) | {"y": y}
    whole = make(columns="auto").fit(table, "y")

    def work(ranks):
        return make(columns="auto").fit(share(table, ranks, "own"), "y", ranks=ranks)

    assert_same(simulate(3, work), whole)


@pytest.mark.parametrize("gives", ["own", "all"])
@pytest.mark.parametrize("names", [["y", "z"], "kind", None])
def test_names_of_targets_and_types_of_categories_are_those_of_one_process(names, gives):
    pandas = pytest.importorskip("pandas")
    X, y, _ = make_data()
    table = pandas.DataFrame(table_of(X) | {"y": y, "z": X[:, 0]})
    table["kind"] = pandas.Categorical(table["kind"].map({"a": 1, "b": 2, "c": 3, "d": 4}))
    targets = table.pop("y").to_frame().assign(z=table.pop("z")) if names is None else names
    whole = make(columns="auto").fit(table, targets)

    def work(ranks):
        own = targets if isinstance(names, str | list) else share(targets, ranks, gives)
        return make(columns="auto").fit(share(table, ranks, gives), own, ranks=ranks)

    models = simulate(2, work)
    assert_same(models, whole)
    for model in models:
        assert model._fitted.target_names == whole._fitted.target_names
        assert str(model.columns_) == str(whole.columns_)


@pytest.mark.parametrize("n", [208, WHOLE // 4 + 48])
@pytest.mark.parametrize("shards, size", [(8, 2), (8, 8), (6, 2), (7, 3), (12, 5), (2, 4)])
def test_gradients_are_added_along_the_tree(shards, size, n):
    sums = (uniform(9, 0, shards * n).reshape(shards, n) - 0.5).astype(np.float32)
    sums *= np.float32(10.0) ** np.arange(shards, dtype=np.float32)[:, None]
    expected = list(sums)
    while len(expected) > 1:
        pairs = [a + b for a, b in zip(expected[::2], expected[1::2])]
        expected = pairs + expected[len(expected) & ~1 :]

    def work(ranks):
        tree = Tree(shards, size)
        exchange, found = Exchange(ranks, tree, n, np.dtype(np.float32)), np.empty(n, np.float32)
        for i, (first, end) in enumerate(tree.nodes[ranks.rank]):
            leaves = Tree(end - first, end - first)
            node = leaves.total(list(sums[first:end].copy()))
            (found if exchange.halves else exchange.nodes[i])[:] = node
        exchange.sum(found)
        return found

    for found in simulate(size, work):
        assert np.array_equal(found, expected[0])


def test_a_training_goes_on_with_other_ranks_to_the_same_bits(tmp_path):
    X, y, _ = make_data()
    path = tmp_path / "run.safetensors"
    parameters = dict(epochs=6, early_stopping=True, dropout=0.1, learning_rate=Cosine(0.01))
    whole = make(**parameters).fit(X, y)

    def stops_at(last):
        def stop(model, epoch, logs):
            if epoch == last:
                raise KeyboardInterrupt

        return make(**parameters, callbacks=stop if last else ())

    kept = dict(checkpoint=path, checkpoint_every="epoch")
    for size, last in ((4, 1), (2, 3)):
        with pytest.raises(KeyboardInterrupt):
            fit_on_ranks(size, lambda last=last: stops_at(last), (X, y, None), **kept)
    with pytest.raises(KeyboardInterrupt):  # one process, without ranks
        stops_at(5).fit(X, y, **kept)
    models = fit_on_ranks(3, lambda: stops_at(0), (X, y, None), checkpoint=path)
    assert_same(models, whole)
    finished = fit_on_ranks(2, lambda: stops_at(0), (X, y, None), checkpoint=path)
    assert_same(finished, whole)
    assert_same([stops_at(0).fit(X, y, checkpoint=path)], whole)
    other = X.copy()
    other[-1, 0] += 1
    with pytest.raises(ValueError, match="on other data: X differs"):
        fit_on_ranks(2, lambda: stops_at(0), (other, y, None), checkpoint=path)


def test_pauses_and_ends_are_those_of_all_ranks_and_lose_nothing(tmp_path, monkeypatch):
    """A pause is due after every step, and time is over in the middle of an epoch."""
    from cnn_core.distributed import trainer

    monkeypatch.setattr(trainer, "AGREE", 0.0)  # in every step
    X, y, _ = make_data()
    path = tmp_path / "run.safetensors"
    whole = make().fit(X, y)

    def fit(**parameters):
        return fit_on_ranks(
            3, lambda: make(**parameters), (X, y, None), checkpoint=path, checkpoint_every=0
        )

    written = []
    with monkeypatch.context() as patch:
        patch.setattr(
            atomic,
            "write_whole",
            lambda *given, write=atomic.write_whole: (written.append(given), write(*given)),
        )
        assert_same(fit(), whole)
    assert 15 <= len(written) <= 20  # 15 steps, by the first rank alone
    path.unlink()
    steps = []

    def late(trainer, pause=trainer._is_due):
        steps.append(trainer)
        return len(steps) > 20 or pause(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "_is_due", late)
        ended = fit()
    assert 0 < ended[0].n_epochs_ < 3
    other = shutil.copy(path, tmp_path / "other.safetensors")
    assert_same(fit(), whole)
    assert_same([make().fit(X, y, checkpoint=other)], whole)  # one process, in mid-epoch


def test_a_callback_that_ends_the_training_on_one_rank_ends_all():
    X, y, _ = make_data()

    def work(ranks):
        def ends(model, epoch, logs):
            return ranks.rank == 1 and epoch == 2

        class EndsByAStep(Callback):
            def after_step(self, model, step, logs):
                return ranks.rank == 2 and step == 7

        own = share(X, ranks, "own"), share(y, ranks, "own")
        models = [make(callbacks=one).fit(*own, ranks=ranks) for one in (ends, EndsByAStep())]
        return [model.n_epochs_ for model in models]

    assert simulate(3, work) == [[2, 2]] * 3


class Steps(Callback):
    def __init__(self):
        self.seen = []

    def after_step(self, model, step, logs):
        self.seen.append(step)


@pytest.mark.parametrize("steps", [True, False])
def test_callbacks_may_be_those_of_one_rank(steps):
    X, y, _ = make_data()
    seen = Steps() if steps else None

    def work(ranks):
        own = [seen or (lambda model, epoch, logs: epoch == 2)] if ranks.first else ()
        rows = share(X, ranks, "own"), share(y, ranks, "own")
        return make(callbacks=own).fit(*rows, ranks=ranks)

    models = simulate(2, work)
    assert_same(models, make(epochs=3 if steps else 2).fit(X, y))
    assert not steps or len(seen.seen) == 3 * 5


def test_training_goes_on_with_ranks_and_draws_one_seed_for_all():
    X, y, _ = make_data()
    X[:60, 3] = 5  # a column that begins to vary later
    first, second = (X[:60], y[:60]), (X, y)
    whole = make(warm_start=True, scale_inputs="standard").fit(*first).fit(*second)

    def work(ranks):
        model = make(warm_start=True, scale_inputs="standard").fit(*first)
        own = (share(one, ranks, "own") for one in second)
        return model.fit(*own, ranks=ranks)

    assert_same(simulate(3, work), whole)
    drawn = fit_on_ranks(3, lambda: make(random_state=None), (X, y, None))
    assert_same(drawn, drawn[0])


def test_only_the_first_rank_prints_and_warns(capsys):
    X, y, _ = make_data()
    diverges = dict(optimizer="sgd", learning_rate=1e30)
    with pytest.warns(DivergenceWarning, match="diverged in epoch 1") as told:
        models = fit_on_ranks(3, lambda: make(verbose=2, **diverges), (X, y, None))
    assert len(told) == 1
    assert capsys.readouterr().out.count("stopped: diverged in epoch 1") == 1
    with pytest.warns(DivergenceWarning) as of_one:
        whole = make(**diverges).fit(X, y)
    assert str(told[0].message) == str(of_one[0].message)
    assert_same(models, whole)


def test_rows_that_all_ranks_give_are_noticed():
    X, y, _ = make_data()
    with pytest.warns(UserWarning, match="all 2 ranks give the same 90 rows.*say Shared"):
        simulate(2, lambda ranks: make().fit(X, y, ranks=ranks))


def test_a_rank_that_fails_ends_the_others():
    X, y, _ = make_data()

    def work(ranks):
        own, targets = share(X, ranks, "own").copy(), share(y, ranks, "own")
        own[3, 2] = np.nan if ranks.rank == 1 else 0
        return make().fit(own, targets, ranks=ranks)

    before = threading.active_count()
    with pytest.raises(ValueError, match="X has nan at row 3"):
        simulate(3, work)
    assert threading.active_count() == before

    def alone(ranks):
        if ranks.rank:
            raise OSError("no more")
        ranks.exchange(None, 1, np.zeros(3), 1)

    with pytest.raises(OSError, match="no more"):
        simulate(2, alone)
    assert issubclass(RankError, RuntimeError)


def test_what_ranks_cannot_do_is_said():
    X, y, _ = make_data()

    def refused(match, error=ValueError, size=2, data=(X, y, None), **parameters):
        with pytest.raises(error, match=match):
            fit_on_ranks(size, lambda: make(**parameters), data)

    refused("shards=1, the default, is one", shards=1)
    refused("ranks train by backend='native'", backend="python")
    refused("PhaseTimer measures", callbacks=[PhaseTimer()])
    refused("each rank has its own of them", early_stopping=True, monitor="balanced_accuracy")
    with pytest.raises(ValueError, match="X comes in blocks"):
        simulate(2, lambda ranks: make().fit(RowBlocks([(X, y)]), ranks=ranks))
    with pytest.raises(TypeError, match="ranks must be what"):
        make().fit(X, y, ranks=2)

    def differ(ranks, **others):
        return make(**{"l2": 0.1 * ranks.rank} | others)

    with pytest.raises(ValueError, match="l2 is 0.1 on rank 1 and 0.0 on rank 0"):
        simulate(2, lambda ranks: differ(ranks).fit(X, y, ranks=ranks))
    with pytest.raises(ValueError, match="columns is 3 on rank 1 and 4 on rank 0"):
        simulate(2, lambda ranks: make().fit(X[:, ranks.rank :], y, ranks=ranks))
    with pytest.raises(ValueError, match="which have \\[90, 89\\] of them"):
        simulate(2, lambda ranks: make().fit(Shared(X[ranks.rank :]), y, ranks=ranks))
    with pytest.raises(ValueError, match="X is Shared, .* rank 1 has other rows than rank 0"):
        simulate(2, lambda ranks: make().fit(Shared(X + ranks.rank), Shared(y), ranks=ranks))

    def one_differs(match, one, *others, **arguments):
        """Rank 1 gives other arguments than rank 0."""

        def work(ranks):
            given = (*others, *one) if ranks.rank else (X, y)
            return make().fit(*given, ranks=ranks, **(arguments if ranks.rank else {}))

        with pytest.raises(ValueError, match=match):
            simulate(2, work)

    one_differs("y of all ranks must be alike: holds texts on rank 1", [words_of(y)], X)
    one_differs("y .* rows of shape \\(2,\\) on rank 1 and \\(\\) on rank 0", [X[:, :2]], X)
    one_differs("give y alike: Shared rows on rank 1, and rows of its own", [Shared(y)], X)
    one_differs("give X alike: Shared rows on rank 1", [Shared(X), y])
    one_differs("give sample_weight alike: rows .* and None on", [y], X, sample_weight=y)
    one_differs("validation_data is given on rank 1 and None", [y], X, validation_data=(X, y))
    with pytest.raises(ValueError, match="init is another on rank 1 and one on rank 0"):
        init = [(np.ones((9, 4)), None), (np.ones((1, 9)), None)]
        simulate(2, lambda ranks: make(init=init[:: 1 - 2 * ranks.rank]).fit(X, y, ranks=ranks))
    with pytest.raises(ValueError, match="model to go on with is .* on rank 1 and None on rank 0"):
        on = [make(warm_start=True), make(warm_start=True).fit(X, y)]
        simulate(2, lambda ranks: on[ranks.rank].fit(X, y, ranks=ranks))
    with pytest.raises(TypeError, match="X is None; a rank without rows"):
        simulate(2, lambda ranks: make().fit(None if ranks.rank else X, y, ranks=ranks))
    with pytest.raises(RuntimeError, match="sys.exit in the middle of fit"):
        fit_on_ranks(2, lambda: make(callbacks=lambda *_: sys.exit(0)), (X, y, None))
    with pytest.raises(ValueError, match="no rank has any rows"):
        simulate(2, lambda ranks: make().fit(X[:0], y[:0], ranks=ranks))


def test_processors_that_several_ranks_may_use_are_shared():
    four, two = frozenset(range(4)), frozenset({4, 5})
    assert share_of(four, [four, two]) == share_of(two, [four, two]) == 1  # bound to their own
    assert share_of(four, [four] * 4) == Fraction(1, 4)
    assert share_of(four, [four, frozenset({3})]) == Fraction(7, 8)


def test_mpi_names_the_packages_that_it_needs(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mpi4py", None)
    with pytest.raises(ImportError, match="needs the package mpi4py and an MPI library: pip inst"):
        mpi()


@pytest.mark.parametrize(
    "said",
    [
        {"PMI_SIZE": "4", "PMI_RANK": "3"},
        {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3"},
        {"SLURM_STEP_NUM_TASKS": "4", "PMIX_RANK": "3"},
        {"SLURM_STEP_NUM_TASKS": "4"},
    ],
)
def test_processes_that_another_mpi_has_started_are_not_each_taken_for_all(said, monkeypatch):
    for names in _launcher._NAMES:
        for name in names:
            monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    if len(said) == 1:  # each is on its own, as in a farm of tasks
        assert (_launcher.launched(), _launcher.launched_as()) == (1, 0)
        return
    assert (_launcher.launched(), _launcher.launched_as()) == (4, 3)
    alone = SimpleNamespace(Get_size=lambda: 1, Dup=lambda: None)
    library = SimpleNamespace(COMM_WORLD=alone, Get_library_version=lambda: "MPICH 5")
    monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=library))
    with pytest.raises(RuntimeError, match="4 processes were .* alone: mpi4py has MPICH 5"):
        mpi().__enter__()

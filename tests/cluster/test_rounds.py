"""DaskMLP without a cluster: in this process the same tasks give the same bits."""

import pickle
import sys
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("dask.dataframe")
pytest.importorskip("distributed")

import dask.dataframe as dd
import pandas as pd
from cluster_cases import arrays, sha, table
from cnn_core.dask import DaskMLP, Nesterov, predict
from cnn_core.dask.rounds import outer_step, seed_of
from cnn_core.dask.rows import Deal
from cnn_core.data.shards import shard_bounds
from cnn_core.exceptions import NotFittedError
from cnn_core.training.backends import native
from scipy.sparse import csr_matrix
from sklearn.base import clone

from cnn_core import MLP

X, LABELS, Y = table()
ASYNCHRONOUS = SimpleNamespace(submit=None, nthreads=None, asynchronous=True)
WEIGHTS = np.arange(len(X)) % 4.0
LBFGS = dict(hidden=6, optimizer="lbfgs", epochs=6, shards=3, random_state=3, l2=1e-3)
ROUNDS = dict(hidden=6, epochs=4, shards=3, random_state=3)


def with_nan(row):
    """The features with one entry that is none."""
    return np.where(np.arange(len(X))[:, None] == row, np.nan, X)


@pytest.mark.parametrize(
    "y, weights, options",
    [
        (LABELS, None, {}),
        (Y, WEIGHTS, dict(scale_inputs="standard")),
        (LABELS, None, dict(early_stopping=True, class_weight="balanced")),
        (Y, WEIGHTS, dict(early_stopping=True, hidden=(), scale_inputs="robust")),
        (LABELS, WEIGHTS, dict(dtype="float64", scale_inputs=None)),
    ],
)
def test_lbfgs_has_the_bits_of_mlp_with_as_many_shards(y, weights, options):
    kept = LBFGS | options
    local = MLP(**kept).fit(X, y, sample_weight=weights)
    given = arrays(weights, chunk=100)[0] if weights is not None else None
    model = DaskMLP(**kept).fit(*arrays(X, y), sample_weight=given)
    assert sha(model) == sha(local)
    for name in set(local.history_) - {"seconds"}:
        assert model.history_[name] == local.history_[name], name


def test_validation_rows_that_are_given_are_judged_as_those_of_mlp():
    V, _, v = table(50, 1)
    local = MLP(**LBFGS).fit(X, Y, validation_data=(V, v))
    model = DaskMLP(**LBFGS).fit(*arrays(X, Y), validation_data=arrays(V, v, chunk=7))
    assert model.history_["val_loss"] == local.history_["val_loss"]
    few = DaskMLP(**LBFGS).fit(*arrays(X, Y), validation_data=arrays(V[:2], v[:2]))
    local = MLP(**LBFGS).fit(X, Y, validation_data=(V[:2], v[:2]))
    assert few.history_["val_loss"] == local.history_["val_loss"]


def test_partitions_do_not_matter():
    frame = pd.DataFrame(X, columns=list("abcd")).assign(y=LABELS)
    ddf = dd.from_pandas(frame, npartitions=4)
    given = [
        arrays(X, LABELS),
        [*arrays(X, chunk=31), *arrays(LABELS, chunk=200)],
        [ddf[list("abcd")], ddf["y"]],
        [ddf[list("abcd")], *arrays(LABELS)],
    ]
    found = {sha(DaskMLP(**ROUNDS).fit(*rows)) for rows in given}
    assert len(found) == 1


def test_a_round_is_an_epoch_of_each_shard_and_the_mean_of_its_weights():
    options = dict(scale_inputs=None, scale_targets=None, dropout=0.2)
    model = DaskMLP(**ROUNDS, **options).fit(*arrays(X, Y))
    start = MLP(**ROUNDS | options | {"shards": 1}).initialize(X, Y)._model()
    bounds, parts = [0, 135, 269, 403], []
    data, order = start.dataset(X, Y), Deal(start.training_spec.seed, 3, len(X)).order
    theta = start.network.parameters.copy()
    for s in range(3):
        spec = start.training_spec
        network = start.network.copy()
        values = {name: getattr(spec, name) for name in spec._fields}
        spec = type(spec)(**values | {"seed": seed_of(spec.seed, s)})
        rows = order[bounds[s] : bounds[s + 1]]
        parts.append((native.trainer(spec, network), network, data.at(rows, data.X.array[rows])))
    for _ in range(4):
        for trainer, network, rows in parts:
            network.parameters[:] = theta
            trainer.epoch(rows.X, rows.y, rows.labels)
        one, two, three = (network.parameters.astype(float) for _, network, _ in parts)
        theta = ((one + two + three) / 3).astype("float32")
    assert np.array_equal(model._model().network.parameters, theta)


@pytest.mark.parametrize("y", [LABELS, Y])
def test_averages_within_an_epoch_visit_every_row_once(y):
    whole = DaskMLP(**ROUNDS, optimizer="sgd").fit(*arrays(X, y))
    late = DaskMLP(**ROUNDS, optimizer="sgd", local_steps=100).fit(*arrays(X, y))
    often = DaskMLP(**ROUNDS, optimizer="sgd", local_steps=2).fit(*arrays(X, y))
    assert sha(late) == sha(whole) != sha(often)
    assert often.history_["loss"][-1] == pytest.approx(whole.history_["loss"][-1], rel=0.1)
    one = ROUNDS | dict(shards=1, optimizer="sgd")  # of one shard the average changes nothing
    assert sha(DaskMLP(**one, local_steps=2).fit(*arrays(X, y))) == sha(
        DaskMLP(**one).fit(*arrays(X, y))
    )


@pytest.mark.parametrize("rows, shards", [(403, 3), (64, 16), (5, 5), (1000, 7)])
def test_rows_are_dealt_evenly_and_alike_from_every_part_of_them(rows, shards):
    deal = Deal(5, shards, rows)
    whole = deal.shard_of(0, rows)
    for first in range(0, rows - shards + 1, shards):  # one to each in turn
        assert sorted(whole[first : first + shards]) == list(range(shards))
    for s, (first, end) in enumerate(pairwise(shard_bounds(rows, shards))):
        assert np.array_equal(deal.order[first:end], np.flatnonzero(whole == s))
    for first, end in ((0, 1), (shards - 1, rows), (3, 3), (rows // 2, rows)):
        assert np.array_equal(deal.shard_of(first, end - first), whole[first:end])
    if rows > shards:
        assert not np.array_equal(whole, Deal(6, shards, rows).shard_of(0, rows))


def test_sorted_rows_are_learned_as_well_as_shuffled_ones():
    points = np.random.default_rng(0).normal(size=(400, 2))
    kinds = (np.arctan2(*points.T) // (np.pi / 4)).astype(int)  # eight, one for each shard
    options = ROUNDS | dict(hidden=16, epochs=20, learning_rate=0.02, shards=8)
    for rows in (np.arange(400), np.argsort(kinds, kind="stable")):
        model = DaskMLP(**options).fit(*arrays(points[rows], kinds[rows]))
        assert model.to_local().score(points, kinds) > 0.8


def test_the_outer_step_is_nesterov_momentum():
    theta, mean, rule = np.array([1.0, 2.0]), np.array([0.5, 3.0]), Nesterov(0.5, 0.25)
    after, velocity = outer_step(theta, mean, None, rule)
    assert velocity.tolist() == [0.5, -1.0]
    assert after.tolist() == [1 - 0.5 * (0.5 + 0.125), 2 + 0.5 * (1 + 0.25)]
    _, velocity = outer_step(theta, mean, velocity, rule)
    assert velocity.tolist() == [0.625, -1.25]
    model = DaskMLP(**ROUNDS, outer="nesterov").fit(*arrays(X, Y))
    assert sha(model) == sha(DaskMLP(**ROUNDS, outer=Nesterov(0.7, 0.9)).fit(*arrays(X, Y)))
    assert sha(model) != sha(DaskMLP(**ROUNDS).fit(*arrays(X, Y)))


@pytest.mark.parametrize(
    "options, rule",
    [
        (dict(), "average"),  # five mini-batches a round
        (dict(batch_size=8), "nesterov"),
        (dict(batch_size=8, local_steps=8), "nesterov"),
        (dict(batch_size=8, local_steps=7), "average"),
        (dict(batch_size=8, max_norm=1.0), "average"),
        (dict(batch_size=8, monotone={0: 1}), "average"),
    ],
)
def test_many_steps_a_round_take_nesterov_momentum_unless_weights_are_limited(options, rule):
    models = (DaskMLP(**ROUNDS, **options), DaskMLP(**ROUNDS, **options, outer=rule))
    one, other = (sha(model.fit(*arrays(X, Y))) for model in models)
    assert one == other


def test_how_often_the_client_keeps_states_changes_nothing():
    found = {sha(DaskMLP(**ROUNDS, keep_every=k).fit(*arrays(X, Y))) for k in (1, 3, 10)}
    assert len(found) == 1


def test_options_of_mlp_apply():
    options = dict(early_stopping=True, monitor="val_metric", patience=2, epochs=30, l1=1e-4)
    model = DaskMLP(**ROUNDS | options, learning_rate=0.05).fit(*arrays(X, LABELS))
    assert model.best_epoch_ == int(np.argmax(model.history_["val_metric"])) + 1
    seen = []
    model = DaskMLP(**ROUNDS, callbacks=lambda m, epoch, logs: seen.append(epoch) or epoch == 2)
    model.fit(*arrays(X, LABELS))
    assert seen == [1, 2]
    assert DaskMLP(**ROUNDS | dict(epochs=0)).fit(*arrays(X, LABELS)).history_["loss"] == []


def test_predictions_are_lazy_and_those_of_the_local_model():
    words = np.where(LABELS, "yes", "no")
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(len(X)) + 7)
    ddf = dd.from_pandas(frame, npartitions=3)
    empty = ddf[ddf.a > 2]  # a partition may have no rows
    model = DaskMLP(**ROUNDS).fit(ddf, dd.from_pandas(pd.Series(words, frame.index), npartitions=3))
    local = model.to_local()
    labels, proba = model.predict(ddf), model.predict_proba(ddf)
    assert isinstance(labels, dd.Series) and list(proba.columns) == ["no", "yes"]
    assert labels.compute().tolist() == local.predict(frame).tolist()
    assert labels.compute().index.equals(frame.index)
    assert np.array_equal(proba.compute().to_numpy(), local.predict_proba(frame))
    assert len(predict(model, empty).compute()) == len(empty)
    few = dd.from_pandas(frame.iloc[:3], npartitions=1)
    assert len(predict(local, few[few.a > 1e9]).compute()) == 0
    in_arrays = predict(MLP(**ROUNDS).fit(X, Y), arrays(X, chunk=99)[0], "forward")
    assert in_arrays.shape == (len(X), 1) and in_arrays.dtype == "float32"
    assert in_arrays.compute().shape == (len(X), 1)
    with pytest.raises(ValueError, match="missing: d"):
        model.predict(ddf[["a", "b", "c"]]).compute()
    with pytest.raises(TypeError, match="to_local"):
        model.predict(X)


@pytest.mark.parametrize(
    "y, options",
    [
        (np.where(LABELS, "yes", "no"), {}),
        (Y, {}),
        (np.stack([Y, -Y], axis=1), dict(scale_targets="standard")),
        (np.stack([LABELS, X[:, 1] > 5], axis=1).astype(int), {}),
    ],
)
def test_scores_are_those_of_the_local_model(y, options):
    model = DaskMLP(**ROUNDS, **options).fit(*arrays(X, y))
    local = model.to_local()
    assert model.score(*arrays(X, chunk=99), *arrays(y, chunk=70)) == pytest.approx(
        local.score(X, y), abs=1e-6
    )
    weighted = model.score(*arrays(X, y), *arrays(WEIGHTS))
    assert weighted == pytest.approx(local.score(X, y, WEIGHTS), abs=1e-6)
    with pytest.raises(ValueError, match="402"):
        model.score(*arrays(X, y[:-1]))


def test_the_local_model_saves_and_goes_on(tmp_path):
    model = DaskMLP(**ROUNDS).fit(*arrays(X, Y))
    model.save(tmp_path / "m.safetensors")
    assert sha(MLP.load(tmp_path / "m.safetensors")) == sha(model)
    model.to_local().partial_fit(X, Y)


def test_conventions_of_scikit_learn():
    model = DaskMLP(**ROUNDS, outer=Nesterov(), client=None)
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(local_steps=3, hidden=5).local_steps == 3
    with pytest.raises(ValueError, match="outer must be"):
        model.set_params(outer="median", hidden=7)
    assert (model.hidden, model.outer) == (5, Nesterov())
    fitted = pickle.loads(pickle.dumps(model.fit(*arrays(X, Y))))
    assert sha(fitted) == sha(model)
    assert set(MLP().get_params()) - set(DaskMLP().get_params()) == {
        "step_history",
        "warm_start",
        "backend",
    }


@pytest.mark.parametrize(
    "options, rows, message",
    [
        (dict(outer="sum"), None, "outer must be 'auto'"),
        (dict(local_steps=0), None, "local_steps must be"),
        (dict(keep_every=0), None, "keep_every must be"),
        (dict(monitor="roc_auc"), None, "monitor='roc_auc' scores rows in one place"),
        (dict(outer="nesterov", max_norm=1.0), None, "max_norm limits the weights"),
        (dict(optimizer="lbfgs", local_steps=2), None, "L-BFGS has no local steps"),
        (dict(shards=1000), arrays(X, Y), "shards=1000 needs a row for each, and X has 403"),
        ({}, (X, Y), "X must be a Dask DataFrame, Series or Array, got ndarray"),
        ({}, arrays(X, Y[:-1]), "X has 403 rows, but y has 402"),
        ({}, arrays(with_nan(290), Y), "X of partition 1 has nan at row 140"),
        ({}, arrays(Y, Y), "X must have two dimensions"),
        ({}, (*arrays(X), "y"), "got the text 'y'; frame\\['y'\\] is the column"),
        ({}, arrays(X, np.zeros(len(X), int)), "one class"),
        (dict(client="tcp://x"), arrays(X, Y), "client must be a distributed.Client"),
        (dict(client=ASYNCHRONOUS), arrays(X, Y), "client must wait for results"),
        ({}, (arrays(X)[0].map_blocks(csr_matrix), *arrays(Y)), "X of partition . is sparse"),
    ],
)
def test_errors_say_what_was_given_and_what_is_allowed(options, rows, message):
    with pytest.raises((ValueError, TypeError), match=message):
        DaskMLP(**ROUNDS | options).fit(*(rows or arrays(X, Y)))


def test_columns_of_words_are_refused_by_name():
    frame = pd.DataFrame(X, columns=list("abcd")).assign(city="x")
    with pytest.raises(ValueError, match="X has the column 'city' of dtype .*columns='auto'"):
        DaskMLP().fit(dd.from_pandas(frame, npartitions=2), *arrays(Y))


def customers():
    """A table of numbers with gaps, words, categories and dates."""
    kinds = np.array(["north", "south", "east"])[np.arange(len(X)) % 3]
    return pd.DataFrame(
        {
            "size": np.where(X[:, 0] > 1.5, np.nan, X[:, 0]),
            "city": np.where(X[:, 3] > 0.15, None, kinds),
            "kind": pd.Categorical(kinds, ["south", "north", "east", "west"]),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(X[:, 1], "D"),
            "age": X[:, 1],
        }
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        dict(columns={"city": "embedding", "since": "drop"}, early_stopping=True),
        dict(scale_inputs="standard", class_weight="balanced", dtype="float64"),
        dict(scale_inputs=None, columns=dict.fromkeys(["size", "since", "age"], "drop")),
        dict(columns=dict.fromkeys(["city", "kind"], "embedding")
             | dict.fromkeys(["size", "since", "age"], "drop")),
    ],
)  # fmt: skip
def test_tables_are_read_as_mlp_reads_them(options):
    frame, words = customers(), np.where(LABELS, "yes", "no")
    kept = LBFGS | dict(columns="auto") | options
    local = MLP(**kept).fit(frame, words)
    ddf = dd.from_pandas(frame, npartitions=4)
    model = DaskMLP(**kept).fit(ddf, *arrays(words))
    assert str(model.columns_) == str(local.columns_)
    assert sha(model) == sha(local)
    assert model.predict(ddf).compute().tolist() == local.predict(frame).tolist()


def test_rounds_take_tables_in_any_partitions_and_judge_by_given_ones():
    frame, words = customers(), np.where(LABELS, "yes", "no")
    found = set()
    for n in (1, 5):
        ddf = dd.from_pandas(frame, npartitions=n)
        model = DaskMLP(**ROUNDS, columns="auto")
        judged = frame[frame["size"].notna()][::-1].iloc[:40, ::-1]  # columns by name
        v = dd.from_pandas(judged, npartitions=2, sort=False)
        model.fit(ddf, *arrays(words), validation_data=(v, *arrays(words[judged.index])))
        found.add((sha(model), *model.history_["val_loss"]))
        local = model.to_local()
        loss = local.evaluate(judged, words[judged.index])["loss"]
        assert model.history_["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert len(found) == 1
    with pytest.raises(ValueError, match="validation_data's X has no column 'age'"):
        lacks = v.drop(columns="age")
        model.fit(ddf, *arrays(words), validation_data=(lacks, *arrays(words[judged.index])))


def test_categories_of_which_each_partition_knows_some_are_those_of_all():
    codes = np.sort(np.arange(len(X)) % 3 + 10).astype(str)
    frame = pd.DataFrame({"size": X[:, 0], "code": pd.Categorical(codes)})
    ddf = dd.from_pandas(frame, npartitions=4).map_partitions(
        lambda part: part.assign(code=part["code"].cat.remove_unused_categories())
    )
    kept = LBFGS | dict(columns="auto")
    local, model = MLP(**kept).fit(frame, Y), DaskMLP(**kept).fit(ddf, *arrays(Y))
    assert str(model.columns_) == str(local.columns_)
    assert sha(model) == sha(local)


def test_columns_of_partitions_and_predictions_are_those_of_the_collection():
    frame = pd.DataFrame(X, columns=list("abcd"))
    right = dd.from_pandas(frame, npartitions=2)
    others = right.map_partitions(
        lambda part: part[list("abdc")], meta=frame[:0], enforce_metadata=False
    )
    with pytest.raises(ValueError, match="X of partition . has the columns 'a', 'b', 'd', 'c', an"):
        DaskMLP(**ROUNDS).fit(others, *arrays(Y))
    with pytest.raises(ValueError, match="y of partition 0 has the columns 'a', 'b', 'd', 'c', an"):
        DaskMLP(**ROUNDS).fit(right, others)
    model = DaskMLP(**ROUNDS).fit(right, *arrays(Y))
    with pytest.raises(ValueError, match="missing: d"):
        model.predict(right[list("abc")])
    with pytest.raises(ValueError, match="X has 3 features, but the model was fitted with 4"):
        model.predict(arrays(X[:, :3])[0])


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match="needs the package distributed: pip install"):
        DaskMLP(**ROUNDS).fit(*arrays(X, Y))


def test_an_unfitted_model_says_so():
    with pytest.raises(NotFittedError):
        DaskMLP().to_local()

"""`Ensemble`: the mean of fitted MLPs, in one pass, to the bit; what it refuses; its files."""

import io
import pickle

import numpy as np
import pytest
from cnn_core._ensemble import EnsemblePredictor
from cnn_core.files.estimators import FORMAT
from file_cases import EMBEDDED, LINE, PLANE, THREE, TWO, YES_OR_NO, X, fitted, quietly
from file_edits import put_together, taken_apart

import cnn_core
from cnn_core import MLP, Embedding, Ensemble, MLPClassifier, MLPRegressor, ModelFormatError

MANY = np.random.default_rng(1).normal(size=(1700, 3)) * [1, 30, 0.01]
WIDE = {"hidden": (40, 24)}


def several(y, *options, **common):
    """Models that differ in seed, layers and scaling."""
    given = options or ({}, WIDE, {"scale_inputs": "robust_clip"}, {"scale_inputs": "robust_asinh"})
    return [fitted(y, **({"random_state": k} | common | one))[0] for k, one in enumerate(given)]


def precise(model, rows):
    """The outputs of a model in float64, in the units of the targets, before they are rounded."""
    found = model._fitted
    a = found.network_outputs(found.check_X(rows), 1).astype(float)
    scaling = found.target_scaling
    return a if scaling is None else scaling.invert(a, float)


def mean_of(models, rows, dtype=np.float32):
    total = np.zeros((len(rows), models[0]._fitted.task.n_outputs))
    for model in models:
        total += precise(model, rows)
    return (total / len(models)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("y", [TWO, THREE, YES_OR_NO, LINE, PLANE], ids=["two", "three", "multi",
                         "line", "plane"])  # fmt: skip
def test_outputs_are_the_mean_summed_in_float64_and_rounded_once(y, dtype):
    models = several(y, dtype=dtype)
    ensemble = Ensemble(models)
    wanted = mean_of(models, MANY, dtype)
    assert ensemble.forward(MANY).tobytes() == wanted.tobytes()
    for x, row in zip(MANY[:3], wanted):
        for given in (x, x.tolist()):
            assert ensemble.predict_one(given).tobytes() == row.tobytes()
        assert ensemble.forward(x[None]).tobytes() == row.tobytes()


def test_members_may_differ_in_dtype():
    models = several(LINE, {"dtype": "float64"}, {}, {"dtype": "float64", **WIDE})
    assert Ensemble(models).forward(MANY).tobytes() == mean_of(models, MANY, float).tobytes()


def test_rows_of_float32_and_of_integers_are_taken_as_by_the_models():
    models = several(THREE, {"scale_inputs": "standard"}, {"scale_inputs": None})
    for rows in (MANY.astype(np.float32), np.round(MANY).astype(int), MANY[::2, ::-1]):
        assert Ensemble(models).forward(rows).tobytes() == mean_of(models, rows).tobytes()


@pytest.mark.parametrize("hidden", [(6, 4), (40, 24), (300, 300)])
def test_the_bits_are_the_same_for_any_threads_and_split_of_the_rows(hidden):
    models = several(PLANE, {}, {"hidden": hidden, "scale_inputs": "standard"})
    rows = np.tile(MANY, (3, 1))
    wanted = Ensemble(models, n_threads=1).forward(rows)
    assert Ensemble(models, n_threads=2).forward(rows).tobytes() == wanted.tobytes()
    parts = [Ensemble(models).forward(rows[a:b]) for a, b in ((0, 1), (1, 900), (900, len(rows)))]
    assert np.concatenate(parts).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("y", [TWO, THREE])
def test_classes_are_those_of_the_largest_mean_probability(y):
    models = several(y)
    ensemble = Ensemble(models)
    proba = ensemble.predict_proba(MANY)
    each = np.mean([model.predict_proba(MANY) for model in models], axis=0)
    assert np.allclose(proba, each, atol=1e-6)
    assert (ensemble.predict(MANY) == ensemble.classes_[proba.argmax(axis=1)]).all()
    assert [ensemble.predict_one(x, labels=True) for x in MANY[:9]] == [*ensemble.predict(MANY[:9])]
    assert (np.exp(ensemble.predict_log_proba(X)) - ensemble.predict_proba(X) < 1e-6).all()
    assert ensemble.score(X, y) == np.mean(ensemble.predict(X) == y)


def test_r2_is_that_of_predictions_that_are_not_rounded():
    y = LINE + 1e6
    models = several(y, {"epochs": 30}, {"epochs": 30})
    predicted = np.mean([precise(model, X)[:, 0] for model in models], axis=0)
    r2 = 1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert Ensemble(models).score(X, y) == pytest.approx(r2, abs=1e-12)


def test_what_becomes_of_the_models_later_does_not_change_the_ensemble():
    models = several(THREE)
    ensemble = Ensemble(models)
    before = ensemble.forward(X)
    models[0].set_params(epochs=9).fit(X * 2, THREE)
    models[1].parameters_ = np.zeros_like(models[1].parameters_)
    del models[2:]
    assert ensemble.forward(X).tobytes() == before.tobytes()
    assert len(ensemble.models_) == 4 and ensemble.models_[0].epochs == 3


def table(rows=60, seed=0):
    rng = np.random.default_rng(seed)
    return {"city": rng.choice(["Bern", "Rome", "Oslo"], rows).tolist(),
            "size": rng.normal(60, 20, rows).tolist()}  # fmt: skip


RENT = np.array(table()["size"]) * 10


def of_table(seed, given=None, y=RENT, **options):
    options = {"hidden": 8, "epochs": 3, "columns": "auto", "random_state": seed} | options
    return quietly(MLP(**options).fit, given or table(), y)


def test_a_table_is_encoded_once_where_the_columns_are_the_same(monkeypatch):
    models = [of_table(seed) for seed in range(3)]
    ensemble = Ensemble(models)
    wanted = np.mean([precise(model, table(9, 1)) for model in models], axis=0)
    calls = []
    encode = type(ensemble.columns_).encode
    monkeypatch.setattr(type(ensemble.columns_), "encode",
                        lambda *args: calls.append(1) or encode(*args))  # fmt: skip
    found = ensemble.forward(table(9, 1))
    assert found.tobytes() == wanted.astype(np.float32).tobytes()
    assert len(calls) == 1
    row = {"city": "Rome", "size": 50.0}
    assert ensemble.predict_one(row) == ensemble.forward([row])[0]
    assert ensemble.predict_one(row, labels=True) == ensemble.predict([row])[0]
    assert list(ensemble.feature_names_in_) == ["city", "size"] and ensemble.n_features_in_ == 2


def test_each_model_reads_a_table_by_its_own_columns_where_they_differ():
    models = [of_table(0), of_table(1, columns={"city": Embedding(2)}), of_table(2, table(60, 5))]
    ensemble = Ensemble(models)
    wanted = sum(precise(model, table(9, 1)) for model in models) / 3
    assert ensemble.forward(table(9, 1)).tobytes() == wanted.astype(np.float32).tobytes()
    row = {"city": "Rome", "size": 50.0}
    assert ensemble.predict_one(row) == ensemble.forward([row])[0]


def test_embedded_columns_are_not_scaled():
    options = {"rows": EMBEDDED, "columns": {3: Embedding(2)}}
    models = several(LINE, {"scale_inputs": "standard"}, {}, **options)
    assert Ensemble(models).forward(EMBEDDED).tobytes() == mean_of(models, EMBEDDED).tobytes()


REFUSED = {
    "nothing": (list, ValueError, "this one is empty"),
    "one model": (lambda: fitted()[0], TypeError, "takes a list of fitted MLPs, got one MLP"),
    "another kind": (
        lambda: [fitted()[0], np.arange(3)], TypeError, r"models\[1\] is of type numpy.ndarray"),
    "not fitted": (lambda: [fitted()[0], MLP()], ValueError, r"models\[1\] is not fitted"),
    "another task": (
        lambda: [fitted(THREE)[0], fitted(LINE)[0]],
        ValueError,
        r"models\[1\] has the task 'regression', and models\[0\] 'classification'",
    ),
    "other classes": (
        lambda: [fitted(THREE)[0], fitted(THREE)[0], fitted(THREE + 1)[0]],
        ValueError,
        r"models\[2\] has the classes 1, 2, 3, and models\[0\] 0, 1, 2",
    ),
    "no quantiles": (
        lambda: [fitted(LINE, loss=cnn_core.Pinball(0.9))[0], fitted(LINE)[0]],
        ValueError,
        r"models\[1\] has the quantiles none, and models\[0\] 0.9",
    ),
    "other outputs": (
        lambda: [fitted(LINE)[0], fitted(PLANE)[0]],
        ValueError,
        r"models\[1\] has the number of outputs 2, and models\[0\] 1",
    ),
    "another output": (
        lambda: [fitted(TWO)[0], fitted(TWO, loss="hinge")[0]],
        ValueError,
        r"models\[1\] has the output 'identity', and models\[0\] 'sigmoid'",
    ),
    "other features": (
        lambda: [fitted(LINE)[0], fitted(LINE, rows=X[:, :2])[0]],
        ValueError,
        r"models\[1\] has the number of features 2, and models\[0\] 3",
    ),
    "a table": (
        lambda: [of_table(0, y=RENT), fitted(LINE, rows=X[:, :2])[0]],
        ValueError,
        r"models\[1\] has columns of a table False",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_cannot_predict_together_are_refused_in_a_sentence(name):
    make, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        Ensemble(make())


def test_entries_that_are_not_finite_are_named():
    ensemble = Ensemble(several(THREE))
    for bad in (np.nan, np.inf):
        rows = MANY.copy()
        rows[1501, 2] = bad
        with pytest.raises(ValueError, match="row 1501, column 2"):
            ensemble.predict(rows)
        with pytest.raises(ValueError, match="x has"):
            ensemble.predict_one(rows[1501])
    with pytest.raises(ValueError, match="X has 2 features, but the model was fitted with 3"):
        ensemble.predict(X[:, :2])
    assert np.isnan(ensemble.predict_one(np.full(3, np.nan), check=False)).all()


def test_outputs_that_are_not_finite_are_told():
    models = several(LINE, {"scale_inputs": None}, {"scale_inputs": None, "activation": "relu"})
    with pytest.warns(RuntimeWarning, match="1 of 1,700 rows has outputs that are NaN or infinite"):
        Ensemble(models).predict(np.where(np.arange(1700)[:, None] == 7, 3e38, MANY))


def test_evaluate_has_the_scores_of_the_mean_and_of_each_model():
    models = several(THREE, {"epochs": 20}, {"epochs": 20})
    found = Ensemble(models).evaluate(X, THREE)
    p = Ensemble(models).predict_proba(X)[np.arange(len(X)), THREE]
    assert found["loss"] == pytest.approx(-np.log(p).mean(), rel=1e-5)
    assert found["accuracy"] == Ensemble(models).score(X, THREE)
    assert "The mean of 2 models" in found["diagnosis"]
    alone = Ensemble(models[:1]).evaluate(X, THREE)
    assert alone["loss"] == pytest.approx(models[0].evaluate(X, THREE)["loss"], rel=1e-5)
    planes = several(PLANE, {}, {})
    several_outputs = Ensemble(planes[:1]).evaluate(X, PLANE)
    wanted = planes[0].evaluate(X, PLANE)
    assert several_outputs["loss"] == pytest.approx(wanted["loss"], rel=1e-5)
    assert several_outputs["r2_per_output"] == pytest.approx(wanted["r2_per_output"], rel=1e-5)


@pytest.mark.parametrize("members", [1, 2])
def test_evaluate_says_that_a_mean_is_useless_and_why(members):
    rows, y = {"a": [1.0] * 60, "b": [2.0] * 60}, [0, 1] * 30
    model = quietly(cnn_core.TabularMLP(members=members, random_state=0).fit, rows, y)
    said = model.evaluate(rows, y)["diagnosis"]
    assert said.startswith("Hardly better than a constant prediction, which reaches 0.5.")
    assert "All features are constant" in said
    assert f"of {members} model{'s' * (members > 1)}: accuracy 0.5" in said
    assert "0.5 to 0.5" not in said and "HistGradientBoosting" not in said


def test_evaluate_names_trees_where_several_columns_say_nothing_of_y():
    rng = np.random.default_rng(0)
    noise, y = rng.normal(size=(80, 3)), rng.normal(size=80)
    model = Ensemble([MLP(8, epochs=3, random_state=0).fit(noise[:40], y[:40])])
    said = model.evaluate(noise[40:], y[40:])["diagnosis"]
    assert said.startswith("Hardly better") and said.count("HistGradientBoosting") == 1
    line = noise[:, 0] + noise[:, 1]
    model = cnn_core.TabularMLP(members=2, random_state=0).fit(noise, line)
    healthy = model.evaluate(noise, line)["diagnosis"]
    assert healthy.startswith("The mean of 2 models: R2 0.9") and "Trees" not in healthy


def test_the_summary_has_a_line_for_each_model():
    lines = str(Ensemble(several(THREE)).summary()).splitlines()
    assert len(lines) == 2 + 4 + 1
    assert "3-40-24-3" in lines[3] and "the mean of 4 models" in lines[-1]


def test_scikit_learn_knows_what_it_is():
    metrics = pytest.importorskip("sklearn.metrics")
    ensemble = Ensemble(several(THREE))
    assert metrics.get_scorer("neg_log_loss")(ensemble, X, THREE) < 0
    assert metrics.get_scorer("accuracy")(ensemble, X, THREE) == ensemble.score(X, THREE)


def saved(model, **options):
    file = io.BytesIO()
    model.save(file, **options)
    return file.getvalue()


@pytest.mark.parametrize("optimizer", [False, True])
@pytest.mark.parametrize("kind", [MLP, MLPRegressor])
def test_a_file_and_a_pickle_are_the_ensemble(kind, optimizer):
    models = several(PLANE, {}, WIDE, kind=kind)
    ensemble = Ensemble(models, n_threads=1)
    data = saved(ensemble, optimizer=optimizer)
    for other in (cnn_core.load(data), Ensemble.load(data), pickle.loads(pickle.dumps(ensemble))):
        assert type(other) is Ensemble and other.n_threads == 1
        assert other.forward(X).tobytes() == ensemble.forward(X).tobytes()
        assert [type(one) for one in other.models_] == [kind] * 2
        assert repr(other) == repr(ensemble)
    assert saved(cnn_core.load(data), optimizer=optimizer) == data
    one = cnn_core.load(data).models_[1]
    if optimizer:
        first, second = (quietly(m.set_params(warm_start=True).fit, X, PLANE) for m in
                         (one, models[1]))  # fmt: skip
        assert first.parameters_.tobytes() == second.parameters_.tobytes()


def test_what_models_share_is_in_a_file_once():
    names = [f"city number {i}" for i in range(60)] * 3
    given = {"city": names, "size": np.arange(180) % 7}
    models = [of_table(seed, given, np.arange(180.0)) for seed in range(3)]
    data = saved(Ensemble(models))
    assert data.count(b"city number 7") == saved(models[0]).count(b"city number 7")
    loaded = cnn_core.load(data)
    assert len({id(one._fitted.columns) for one in loaded.models_}) == 1


def test_older_versions_refuse_a_file_of_several_models_and_read_those_of_one():
    assert FORMAT >= 2
    assert taken_apart(saved(Ensemble(several(THREE)))).content["format"] == 2
    assert taken_apart(saved(fitted(THREE)[0])).content["format"] == 1
    with pytest.raises(ModelFormatError, match="holds a cnn_core.Ensemble, and not a cnn_core."):
        MLP.load(saved(Ensemble(several(THREE))))


def edited(change):
    parts = taken_apart(saved(Ensemble(several(THREE, {}, WIDE))))
    change(parts)
    return put_together(parts)


DAMAGED = {
    "no members": (lambda parts: parts.model.update(members=[]), "members must be a list"),
    "other keys": (lambda parts: parts.model.update(a=1), "an object with 'members'"),
    "another class": (
        lambda parts: parts.model["members"][1].update({"class": "Ensemble"}),
        "members.1: class must be",
    ),
    "a parameter": (
        lambda parts: parts.model["members"][1]["parameters"].update(epochs=-1),
        "members.1: parameters: epochs must be",
    ),
    "a missing tensor": (
        lambda parts: parts.tensors.pop("members.1.0.weight"),
        "members.1: the tensor '0.weight' is missing",
    ),
    "a tensor too many": (
        lambda parts: parts.tensors.update({"members.1.9.bias": ["F32", [1], bytes(4)]}),
        "the tensor 'members.1.9.bias' belongs to nothing",
    ),
    "of no member": (
        lambda parts: parts.tensors.update({"members.7.0.bias": ["F32", [1], bytes(4)]}),
        "the tensor 'members.7.0.bias' belongs to nothing",
    ),
    "another task": (
        lambda parts: parts.model["members"][1]["model"].update(
            task=parts.model["members"][0]["model"]["task"]
            | {"classes": {"dtype": "<i8", "values": [0, 1, 3]}}
        ),
        "models[1] has the classes 0, 1, 3",
    ),
    "no network": (
        lambda parts: parts.model["members"][1]["model"].pop("network"),
        "members.1: the model has no 'network'",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_nonsensical_file_says_why(name):
    change, words = DAMAGED[name]
    with pytest.raises(ModelFormatError) as caught:
        cnn_core.load(edited(change))
    assert words in str(caught.value)


def test_a_pickle_that_was_edited_is_one_error():
    state = Ensemble(several(THREE)).__getstate__()
    state["models_"] = (*state["models_"], fitted(LINE)[0])
    with pytest.raises(ValueError, match="pickled Ensemble is damaged"):
        Ensemble.__new__(Ensemble).__setstate__(state)


def test_the_native_class_refuses_what_does_not_go_together():
    one, two = (fitted(y)[0]._fitted.network for y in (LINE, PLANE))
    with pytest.raises(ValueError, match=r"members\[1\] must read 3 features and have 1 outputs"):
        EnsemblePredictor(((one, None, None), (two, None, None)))
    with pytest.raises(ValueError, match="X must have shape"):
        EnsemblePredictor(((one, None, None),)).forward(X.astype(int))
    with pytest.raises(ValueError, match="at least one network"):
        EnsemblePredictor(())


def test_classifiers_and_mlps_go_together():
    models = [fitted(THREE)[0], fitted(THREE, MLPClassifier)[0]]
    assert Ensemble(models).predict(X).shape == (40,)

"""`TabularMLP`: its members are what the recipe says, to the bit; tables, files, scikit-learn."""

import io
import pickle
import warnings

import numpy as np
import pytest
from cnn_core.files import members as members_file
from cnn_core.tabular import recipe as recipes
from cnn_core.tabular.rows import read, set_apart
from file_edits import put_together, taken_apart

import cnn_core
from cnn_core import MLP, Embedding, Ensemble, ModelFormatError, NotFittedError, TabularMLP

RNG = np.random.default_rng(3)
X = RNG.normal(size=(120, 3)) * [1, 50, 0.1]
LINE = 20 + 3 * X[:, 0] - 0.1 * X[:, 1]
THREE = np.array(["low", "middle", "high"])[np.digitize(X[:, 0], [-0.5, 0.5])]
CITIES = [f"city {k % 12}" for k in range(120)]
TABLE = {"city": CITIES, "size": X[:, 1].tolist(), "old": (X[:, 2] > 0).tolist()}


def fitted(y=LINE, rows=X, fit=None, **options):
    given = {"members": 2, "random_state": 1, "n_threads": 1} | options
    return TabularMLP(**given).fit(rows, y, **(fit or {}))


@pytest.fixture(scope="module")
def line():
    return fitted()


@pytest.fixture(scope="module")
def three():
    return fitted(THREE)


@pytest.fixture(scope="module")
def table():
    return fitted(rows=TABLE)


def parts_of(model, rows, y, labels):
    """The rows that a fit trains on and those that it sets apart."""
    given = read(rows, y, "auto", "auto", None)
    seed = cnn_core.parameters.draw_seed(model.random_state) & ((1 << 53) - 1)
    apart = set_apart(seed, labels, len(y), model.validation_fraction)
    return seed, given.take(~apart), given.take(apart)


@pytest.mark.parametrize("which", ["line", "three"])
def test_a_member_is_what_the_fit_of_the_recipe_makes_of_the_rows(which, request):
    model = request.getfixturevalue(which)
    y = {"line": LINE, "three": THREE}[which]
    seed, rest, apart = parts_of(model, X, y, y if which == "three" else None)
    for k, member in enumerate(model.members_):
        alone = model.recipe().set_params(random_state=seed + k)
        alone.fit(rest.X, rest.y, validation_data=(apart.X, apart.y))
        assert alone.parameters_.tobytes() == member.parameters_.tobytes()
        assert alone.best_epoch_ == member.best_epoch_
        assert len(alone.history_["loss"]) == alone.epochs


def test_predictions_are_the_mean_of_the_members(line, three):
    for model in (line, three):
        assert model.forward(X).tobytes() == Ensemble(model.members_).forward(X).tobytes()
    assert (three.predict(X) == three.classes_[three.predict_proba(X).argmax(axis=1)]).all()
    assert line.predict_one(X[0], labels=True) == line.predict(X)[0]
    assert line.score(X, LINE) > 0.9 and three.score(X, THREE) > 0.85
    assert {"loss", "r2", "diagnosis"} <= line.evaluate(X, LINE).keys()
    assert "the mean of 2 models" in str(line.summary())
    assert len(line.history_) == 2 and "val_metric" in line.history_[0]


def test_the_bits_depend_on_the_seed_alone():
    a, b, c = (fitted(THREE, members=1, random_state=s, n_threads=n)
               for s, n in ((1, 1), (1, 2), (2, 1)))  # fmt: skip
    assert a.forward(X).tobytes() == b.forward(X).tobytes() != c.forward(X).tobytes()


def test_the_first_members_are_the_same_whatever_follows(line):
    alone = fitted(members=1)
    assert alone.members_[0].parameters_.tobytes() == line.members_[0].parameters_.tobytes()


@pytest.mark.parametrize(
    "rows, batch, epochs",
    [(100, 64, 128), (1024, 64, 128), (1025, 128, 128), (6000, 128, 64), (9000, 256, 64),
     (40_000, 512, 32), (200_000, 1024, 32)],
)  # fmt: skip
def test_batches_and_epochs_follow_the_number_of_rows(rows, batch, epochs):
    found = recipes.parameters(recipes.Rows(rows, 20, True, None))
    assert (found["batch_size"], found["epochs"]) == (batch, epochs)
    MLP(**found)


def test_rates_are_those_of_the_neural_tangent_parametrization():
    found = recipes.parameters(recipes.Rows(1000, 25, False, None))
    assert found["rate_factors"]["W1"] == 1 / 5 and found["decay_factors"]["W1"] == 5
    assert found["rate_factors"]["W4"] == pytest.approx(128**-0.5)


def test_the_recipe_is_an_mlp_with_public_parameters_alone(line):
    printed = repr(line.recipe())
    assert printed.startswith("MLP(") and "PeriodicEmbedding" in printed
    assert repr(TabularMLP(members=1).recipe(X, LINE)).count("scale_targets='standard'") == 1
    again = eval(printed, vars(cnn_core) | {n: getattr(cnn_core, n) for n in cnn_core.__all__})
    assert repr(again) == printed


def test_columns_of_a_table_are_chosen_by_their_values(table):
    assert table.recipe().columns == {"city": Embedding(8)}
    assert [column.kind for column in table.columns_.columns] == ["embedding", "number", "category"]
    assert list(table.feature_names_in_) == ["city", "size", "old"]
    row = {"city": "city 3", "size": None, "old": True}
    with pytest.warns(UserWarning, match="missing entries in 'size'"):
        assert table.predict_one(row) == table.predict([row])[0]
    said = fitted(rows=TABLE, members=1, columns={"city": "drop"})
    assert said.recipe().columns == {"city": "drop"}


def test_a_target_may_be_a_column_of_the_table():
    rows = TABLE | {"rent": LINE.tolist()}
    model = fitted("rent", rows, members=1)
    assert model.n_features_in_ == 3
    assert model.score(rows, "rent") == model.score(TABLE, LINE)


def test_a_matrix_with_gaps_is_numbers_with_gaps():
    rows = X.copy()
    rows[::7, 1] = np.nan
    model = fitted(rows=rows, members=1)
    assert [column.kind for column in model.columns_.columns] == ["number"] * 3
    assert np.isfinite(model.predict(rows)).all()
    whole = fitted(rows=np.round(X), members=1)  # whole numbers are no categories
    with pytest.raises(AttributeError, match="on a matrix"):
        whole.columns_
    with pytest.raises(ValueError, match="NaN|nan"):
        fitted(rows=rows, members=1, columns=None)


def test_members_beyond_reason_are_refused():
    with pytest.raises(ValueError, match="members must be a whole number from 1 to 1,000, got 10"):
        TabularMLP(members=10**7).fit([[0.0], [1.0]], [0, 1])


def test_what_a_single_network_has_is_named(line):
    for model, where in ((line, "members_"), (Ensemble(line.members_), "models_")):
        own = {
            name for name in dir(MLP) if not (name.startswith("_") or hasattr(type(model), name))
        }
        for name in own - {"fit", "get_params", "set_params", "decision_function"}:
            assert not hasattr(model, name)
            with pytest.raises(AttributeError, match=f"no attribute '{name}'; .+") as caught:
                getattr(model, name)
            assert name != "best_epoch_" or f"{where}[k].best_epoch_" in str(caught.value)
            assert name != "loss_curve_" or f"{where}[k].history_['loss']" in str(caught.value)
        with pytest.raises(TypeError, match=rf"Ensemble\(\[\*models\[1\]\.{where}, \.\.\.\]\)"):
            Ensemble([line.members_[0], model])


def test_dir_lists_what_is_there_now(line):
    for model in (TabularMLP(), line, MLP(), Ensemble(line.members_)):
        public = [name for name in dir(model) if not name.startswith("_")]
        assert "fit" in public or "predict" in public
        for name in public:
            getattr(model, name)
    assert "history_" in dir(line)


def test_advice_about_settings_says_that_they_are_those_of_the_recipe(line):
    advice = "a lower learning rate may help."
    said = line._settings_in(advice)
    assert "Such settings are the recipe's (learning_rate=Coslog(" in said
    assert Ensemble(line.members_)._settings_in(advice) == line._settings_in("well.") == ""


def of_fit(y, rows=X, **more):
    """What a fit says."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = fitted(y, rows, **more)
    return model, [str(one.message) for one in caught]


SEED = cnn_core.parameters.draw_seed(1) & ((1 << 53) - 1)
FIRST = int(set_apart(SEED, None, 120, 0.2).argmax())  # of the rows that a regression sets apart
GAP = TABLE | {"rare": [None if k == FIRST else float(k % 5) for k in range(120)]}


@pytest.mark.parametrize(
    "y, rows, said",
    [
        (LINE * 1e-3 + 1e9, X, "which predictions in float32 cannot show: learn y less its mean"),
        (np.where(np.arange(120) == 3, 1e7, LINE), X, "% of the squared error: check it."),
        (np.round(LINE * 9).astype(int), X, "numbers to predict, say task='regression', if clas"),
        (np.eye(3)[np.arange(120) % 3], X, "give y.argmax(axis=1), the number of each row's class"),
        (np.ones(120), X, "y is the same in every row: there is nothing to learn"),
        (np.where(np.arange(120) % 9, "a", "nan"), X, "y has the text 'nan' beside other classes"),
        (np.round(LINE).astype(str), X, "y.astype(float) makes numbers to predict of them"),
        (LINE, GAP, "the validation rows' X has missing entries in 'rare' (1 row), where the trai"),
    ],
)
def test_what_a_fit_says_is_said_once_and_of_parameters_that_there_are(y, rows, said):
    _, messages = of_fit(y, rows)
    assert sum(said in one for one in messages) == 1
    of_networks = set(MLP().get_params()) - set(TabularMLP().get_params())
    for message in messages:
        assert not message.startswith(("all ", "models", "members"))
        assert not [name for name in of_networks if f"{name}=" in message]


def test_a_task_that_was_said_is_no_question():
    assert of_fit(np.round(LINE * 9).astype(int), task="regression")[1] == []
    assert of_fit(np.eye(3)[np.arange(120) % 3], task="regression")[1] == []


def test_members_without_an_epoch_are_left_out(monkeypatch):
    from cnn_core.tabular import estimator

    train = estimator.train

    def out_of_time(members, *rest):
        train(members, *rest)
        members[1].initialize(X, LINE)

    monkeypatch.setattr(estimator, "train", out_of_time)
    model, said = of_fit(LINE, members=3, max_seconds=60)
    assert len(model.members_) == 2 and model.score(X, LINE) > 0.9
    assert [one.random_state for one in model.members_][1] - model.members_[0].random_state == 2
    assert said[-1].startswith("max_seconds=60 was over before 1 of the 3 members had finished")
    monkeypatch.setattr(estimator, "train", lambda members, *_: [
        one.initialize(X, LINE) for one in members
    ])  # fmt: skip
    assert len(of_fit(LINE, max_seconds=60)[0].members_) == 2


def test_the_rows_set_apart_have_numbers(line):
    rest = np.setdiff1d(np.arange(120), line.validation_rows_)
    alone = line.recipe().set_params(random_state=line.members_[0].random_state)
    alone.fit(
        X[rest], LINE[rest], validation_data=(X[line.validation_rows_], LINE[line.validation_rows_])
    )
    assert alone.parameters_.tobytes() == line.members_[0].parameters_.tobytes()
    given = fitted(members=1, fit={"validation_data": (X, LINE)})
    assert not hasattr(given, "validation_rows_")


def test_gaps_that_training_rows_did_not_have_are_refused_with_a_cure_that_helps(line):
    gaps = np.where(X > 2, np.nan, X)
    with pytest.raises(ValueError, match=r"fit with columns='auto' to rows that have gaps, which"):
        line.predict(gaps)
    assert np.isfinite(fitted(rows=gaps, members=1).predict(gaps)).all()


def test_rows_to_choose_the_epoch_by_may_be_given():
    model = fitted(
        members=1, fit={"validation_data": (X[:30], LINE[:30])}, rows=X[30:], y=LINE[30:]
    )
    alone = model.recipe().set_params(random_state=model.members_[0].random_state)
    alone.fit(X[30:], LINE[30:], validation_data=(X[:30], LINE[:30]))
    assert alone.parameters_.tobytes() == model.members_[0].parameters_.tobytes()


def test_with_weights_the_last_epoch_counts_as_validation_rows_have_none():
    weighted = fitted(THREE, members=1, class_weight={"low": 50.0})
    assert weighted.recipe().restore_best is False
    plain = fitted(THREE, members=1)
    assert (weighted.predict(X) == "low").sum() > (plain.predict(X) == "low").sum()
    model = fitted(members=1, fit={"sample_weight": np.linspace(0, 1, 120)})
    assert model.recipe().restore_best is False


def test_callbacks_watch_the_members_and_may_end_them():
    seen = []

    def watch(models, epoch, logs):
        seen.extend((k, epoch, "val_metric" in entry) for k, entry in logs.items())
        return len(models) == 2 and epoch >= 3

    model = fitted(callbacks=watch)
    assert sorted(seen) == [(k, epoch, True) for k in (0, 1) for epoch in (1, 2, 3)]
    assert [len(one["loss"]) for one in model.history_] == [3, 3]
    assert all(one.callbacks == () for one in model.members_)


def test_an_error_in_a_callback_leaves_the_model_as_it_was(line):
    def fail(models, epoch, logs):
        raise ZeroDivisionError

    model = pickle.loads(pickle.dumps(line)).set_params(callbacks=fail)
    with pytest.raises(ZeroDivisionError):
        model.fit(X, LINE + 5)
    assert model.forward(X).tobytes() == line.forward(X).tobytes()


def saved(model, **options):
    file = io.BytesIO()
    model.save(file, **options)
    return file.getvalue()


@pytest.mark.parametrize("which", ["line", "three", "table"])
def test_a_file_and_a_pickle_are_the_model(which, request):
    model = request.getfixturevalue(which)
    rows = TABLE if which == "table" else X
    data = saved(model)
    for other in (cnn_core.load(data), TabularMLP.load(data), pickle.loads(pickle.dumps(model))):
        assert type(other) is TabularMLP and repr(other) == repr(model)
        assert other.forward(rows).tobytes() == model.forward(rows).tobytes()
        assert repr(other.recipe()) == repr(model.recipe())
        assert other.recipe_version_ == recipes.VERSION
    assert saved(cnn_core.load(data)) == data
    assert taken_apart(data).content["format"] == 2


def test_an_old_file_keeps_its_recipe_and_its_version(line, monkeypatch):
    data = saved(line)
    monkeypatch.setattr(recipes, "VERSION", 7)
    monkeypatch.setattr(recipes, "WIDTH", 10)
    old = cnn_core.load(data)
    assert old.recipe_version_ == 1 and old.recipe().hidden == (128, 128, 128)
    assert taken_apart(saved(old)).model["recipe_version"] == 1
    assert old.fit(X, LINE).recipe_version_ == 7


@pytest.mark.parametrize("change, words", [
    (lambda parts: parts.model.pop("recipe_version"), "recipe_version must be a whole number"),
    (lambda parts: parts.model.update(recipe_version=0), "recipe_version must be"),
    (lambda parts: parts.model.update(members=[]), "members must be a list of models"),
    (lambda parts: parts.content["parameters"].update(members=0), "parameters: members must be"),
    (lambda parts: parts.model["members"].pop(), "belongs to nothing"),
])  # fmt: skip
def test_a_nonsensical_file_says_why(line, change, words):
    parts = taken_apart(saved(line))
    change(parts)
    with pytest.raises(ModelFormatError, match=words):
        cnn_core.load(put_together(parts))
    assert members_file.CLASSES[0] == "MLP"


@pytest.mark.parametrize("options, error, words", [
    ({"members": 0}, ValueError, "members must be a whole number from 1 to 1,000"),
    ({"task": "ranking"}, ValueError, "unknown task 'ranking'"),
    ({"validation_fraction": 1.0}, ValueError, "validation_fraction must be"),
    ({"columns": "all"}, ValueError, "columns"),
    ({"n_threads": 0}, ValueError, "n_threads must be"),
    ({"max_seconds": -1}, ValueError, "max_seconds must be"),
])  # fmt: skip
def test_parameters_are_checked_by_fit_before_anything_changes(options, error, words, line):
    model = pickle.loads(pickle.dumps(line)).set_params(**options)
    with pytest.raises(error, match=words):
        model.fit(X, LINE)
    model.set_params(n_threads=1)
    assert model.forward(X).tobytes() == line.forward(X).tobytes()


def test_what_is_not_fitted_says_so():
    for use in (lambda m: m.predict(X), lambda m: m.members_, lambda m: m.recipe()):
        with pytest.raises(NotFittedError, match="this TabularMLP is not fitted yet"):
            use(TabularMLP())
    with pytest.raises(TypeError, match="TabularMLP has no parameter 'hidden'"):
        TabularMLP(hidden=3)


def test_a_regression_has_no_probabilities(line):
    assert not hasattr(line, "predict_proba") and not hasattr(
        TabularMLP("regression"), "predict_proba"
    )
    assert hasattr(TabularMLP(), "predict_proba")


#: Of scikit-learn's checks: what each wants that is not done, and why.
WORDS = "the error says it in other words"
EXPECTED = {
    "check_n_features_in_after_fitting": WORDS,
    "check_all_zero_sample_weights_error": WORDS,
    "check_complex_data": WORDS,
    "check_estimators_empty_data_messages": WORDS,
    "check_estimator_sparse_array": WORDS,
    "check_estimator_sparse_matrix": WORDS,
    "check_fit2d_1sample": WORDS,
    "check_fit2d_predict1d": WORDS,
    "check_requires_y_none": WORDS,
    "check_classifiers_regression_target": "floats may be labels of classes, as for MLP",
    "check_regressor_multioutput": "predictions are float32, as those of MLP",
    "check_sample_weight_equivalence_on_dense_data": "the rows set apart are others",
}


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_checks_pass_but_for_those_that_are_named(task):
    checks = pytest.importorskip("sklearn.utils.estimator_checks", reason="needs scikit-learn 1.6")
    model = TabularMLP(task, members=1, random_state=0)
    found = checks.check_estimator(model, on_fail=None, on_skip=None)
    failed = {one["check_name"] for one in found if one["status"] == "failed"}
    assert failed <= EXPECTED.keys()


@pytest.mark.slow
def test_it_goes_into_pipelines_searches_and_cross_validation():
    selection = pytest.importorskip("sklearn.model_selection")
    from sklearn.base import clone, is_classifier, is_regressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = TabularMLP("classification", members=1, random_state=0)
    assert is_classifier(model) and is_regressor(clone(model).set_params(task="regression"))
    pipeline = make_pipeline(StandardScaler(), model)
    assert selection.cross_val_score(pipeline, X, THREE, cv=2).mean() > 0.7
    search = selection.GridSearchCV(model, {"validation_fraction": [0.1, 0.3]}, cv=2)
    assert search.fit(X, THREE).best_score_ > 0.7


def test_weights_that_are_all_alike_change_no_bit():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), rng.normal(size=60)
    labels = np.where(y > 0, "a", "b")
    plain = TabularMLP(members=1, random_state=0).fit(X, y)
    weighted = TabularMLP(members=1, random_state=0).fit(X, y, sample_weight=np.full(60, 2.0))
    assert np.array_equal(plain.predict(X), weighted.predict(X))
    plain = TabularMLP(members=1, random_state=0).fit(X, labels)
    ones = TabularMLP(members=1, class_weight={"a": 1, "b": 1}, random_state=0).fit(X, labels)
    assert np.array_equal(plain.predict_proba(X), ones.predict_proba(X))


def test_given_validation_data_choose_the_epoch_whatever_the_weights():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), rng.normal(size=60)
    model = TabularMLP(members=1, random_state=0)
    model.fit(X, y, sample_weight=rng.random(60) + 0.1, validation_data=(X[:20], y[:20]))
    assert model.members_[0].restore_best == "latest"
    model.fit(X, y, sample_weight=rng.random(60) + 0.1)
    assert model.members_[0].restore_best is False


def test_rows_that_it_sets_apart_are_not_called_validation_data():
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            model = TabularMLP("classification", members=1, random_state=0)
            model.fit(rng.normal(size=(60, 1)), np.arange(60) % 30)


def test_a_class_of_one_row_each_is_said_to_be_a_regression():
    X = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(ValueError, match="30 different values in 30 rows.*task='regression'"):
        TabularMLP(random_state=0).fit(X, np.arange(30))

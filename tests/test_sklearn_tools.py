"""cnn_core.sklearn inside scikit-learn: its checks, its own tests of its MLPs, its tools, and
parallel searches."""

import importlib.util
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.9")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

import cnn_core.sklearn
import joblib
import pandas as pd
import sklearn
from cnn_core.sklearn import MLPClassifier, MLPRegressor
from sklearn import datasets
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

IRIS = datasets.load_iris()
X, y = IRIS.data, IRIS.target
LINE = X @ [1.0, -2, 0.5, 3]
GRID = {"alpha": [1e-4, 1.0], "hidden_layer_sizes": [(5,), (9, 4)]}


def classifier(**options):
    return MLPClassifier(
        **dict(hidden_layer_sizes=(9,), max_iter=100, learning_rate_init=0.02, random_state=0)
        | options
    )


# No expected failure. A classifier with lbfgs is not among these: on the separable data of one
# check it becomes so sure that a probability is 0, as scikit-learn's does.
@parametrize_with_checks(
    [
        MLPClassifier(),
        MLPRegressor(),
        MLPClassifier(solver="sgd", learning_rate_init=0.05),
        MLPRegressor(solver="lbfgs", max_iter=20),
    ]
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_checks_of_estimators(estimator, check):
    check(estimator)


#: Of scikit-learn's own tests of its MLPs those that reach into private interfaces.
PRIVATE = {
    "test_gradient": "calls the private _loss_grad_lbfgs with buffers for each layer's gradient"
}

REFEREE = """
import sys
import sklearn.neural_network
from cnn_core.sklearn import MLPClassifier, MLPRegressor
sklearn.neural_network.MLPClassifier = MLPClassifier
sklearn.neural_network.MLPRegressor = MLPRegressor
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


def test_scikit_learns_own_tests_of_its_mlps_pass(tmp_path):
    module = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    if module is None:
        pytest.skip("this scikit-learn comes without its tests")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = [
        "-q",
        "-rA",
        "--import-mode=importlib",
        "-p",
        "no:cacheprovider",
        "-c",
        str(tmp_path / "pytest.ini"),
        *(f"--deselect=test_mlp.py::{name}" for name in PRIVATE),
    ]
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            REFEREE,
            module.origin,
            *options,
            f"--rootdir={os.path.dirname(module.origin)}",
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    if sklearn.__version__.startswith("1.9."):
        assert done.stdout.count("\nPASSED") >= 57


# Its tools


def test_a_clone_has_the_parameters_and_nothing_learned():
    model = classifier(activation=["tanh"], dropout=[0.1, 0.2]).fit(X, y)
    again = clone(model)
    assert again.get_params() == model.get_params() and not hasattr(again, "coefs_")
    assert np.array_equal(again.fit(X, y).coefs_[0], model.coefs_[0])
    assert "hidden_layer_sizes=(9,)" in repr(model) and "dropout" in repr(model)


def test_searches_find_what_they_search():
    search = GridSearchCV(classifier(), GRID, cv=3).fit(X, y)
    assert search.best_score_ > 0.9 and set(search.best_params_) == set(GRID)
    halving = HalvingGridSearchCV(
        classifier(),
        {"alpha": [1e-4, 1e-2, 1.0]},
        resource="max_iter",
        min_resources=20,
        max_resources=180,
        cv=3,
        random_state=0,
    ).fit(X, y)
    assert halving.best_score_ > 0.9


def test_pipelines_ensembles_and_calibration_take_it_as_an_estimator():
    pipe = make_pipeline(StandardScaler(), classifier())
    assert cross_val_score(pipe, X, y, cv=3).mean() > 0.9
    assert pipe.set_params(mlpclassifier__alpha=0.1).fit(X, y)[-1].alpha == 0.1
    assert CalibratedClassifierCV(classifier(), cv=3).fit(X, y).score(X, y) > 0.9
    vote = VotingClassifier(
        [("net", classifier()), ("line", LogisticRegression(max_iter=500))], voting="soft"
    ).fit(X, y)
    assert vote.score(X, y) > 0.9
    assert BaggingClassifier(classifier(), 3, random_state=0).fit(X, y).score(X, y) > 0.9
    regressor = MLPRegressor(hidden_layer_sizes=(9,), solver="lbfgs", random_state=0)
    assert (
        MultiOutputRegressor(regressor)
        .fit(X, np.column_stack((LINE, -LINE)))
        .score(X, np.column_stack((LINE, -LINE)))
        > 0.9
    )


@pytest.mark.parametrize(
    "options",
    [
        dict(max_iter=2),
        dict(max_iter=2, solver="lbfgs"),
        dict(max_iter=2, solver="sgd"),
        dict(tol=10, batch_size=500),
    ],
)
def test_warnings_are_those_of_the_module_that_users_import(options):
    calls = (
        lambda: classifier(**options).fit(X, y),
        lambda: GridSearchCV(classifier(**options), {"alpha": [0.1]}, cv=2).fit(X, y),
        lambda: make_pipeline(StandardScaler(), MLPRegressor(random_state=0, **options)).fit(
            X, LINE
        ),
    )
    for call in calls:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            call()
        assert seen and all(one.filename == cnn_core.sklearn.__file__ for one in seen)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", module=r"cnn_core\.sklearn$")
            call()


def test_inspections_work():
    model = classifier().fit(X, y)
    assert (
        permutation_importance(model, X, y, n_repeats=3, random_state=0).importances_mean.max()
        > 0.2
    )
    assert partial_dependence(model, X, [2])["average"].shape[0] == 3
    regressor = MLPRegressor(
        hidden_layer_sizes=(9,), solver="lbfgs", max_iter=50, random_state=0
    ).fit(X, LINE)
    assert partial_dependence(regressor, X, [0], grid_resolution=5)["average"].shape == (1, 5)


def test_weights_and_validation_rows_are_routed():
    weights = np.where(y == 2, 0.5, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        request = (
            classifier()
            .set_fit_request(sample_weight=True, X_val=True, y_val=True)
            .set_score_request(sample_weight=True)
        )
        search = GridSearchCV(request, {"alpha": [1e-4, 1.0]}, cv=3).fit(
            X, y, sample_weight=weights, X_val=X[:60], y_val=y[:60]
        )
        assert search.best_estimator_.validation_scores_ is not None
        alone = classifier(alpha=search.best_params_["alpha"]).fit(X, y, weights)
        assert np.array_equal(search.best_estimator_.coefs_[0], alone.coefs_[0])
        assert "sample_weight" in request.get_metadata_routing()._serialize()["fit"]


@pytest.mark.parametrize("frame", ["pandas", "polars"])
def test_data_frames_bring_names_that_are_remembered(frame):
    module = pytest.importorskip(frame)
    names = ["a", "b", "c", "d"]
    rows = module.DataFrame(dict(zip(names, X.T)))
    model = classifier().fit(rows, module.Series(y))
    assert model.feature_names_in_.tolist() == names
    assert np.array_equal(model.predict(rows), classifier().fit(X, y).predict(X))
    assert np.array_equal(model.predict(rows[:1]), model.predict(rows)[:1])
    with pytest.warns(
        UserWarning, match="X does not have valid feature names, but MLPClassifier was fitted with"
    ):
        model.predict(X[:1])
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(rows[["b", "a", "c", "d"]])
    early = classifier(early_stopping=True).fit(rows, module.Series(y))
    assert len(early.validation_scores_) == early.n_iter_


def test_frames_of_mixed_columns_become_float64():
    rows = pd.DataFrame(
        {"whole": np.arange(150), "half": X[:, 0].astype("float32"), "yes": X[:, 1] > 3}
    )
    assert classifier().fit(rows, y).coefs_[0].dtype == np.float64


def test_a_transformer_before_it_may_give_frames():
    pipe = make_pipeline(StandardScaler().set_output(transform="pandas"), classifier()).fit(
        IRIS.data, y
    )
    assert len(pipe[-1].feature_names_in_) == 4
    assert np.array_equal(
        pipe.predict(X), make_pipeline(StandardScaler(), classifier()).fit(X, y).predict(X)
    )


# In parallel


def threads_of_a_fit(**options):
    """How many threads a fit may use where this runs."""
    return classifier(**options)._threads()


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_parallel_searches_give_the_scores_of_one_after_the_other(backend):
    alone = GridSearchCV(classifier(), GRID, cv=3).fit(X, y)
    with joblib.parallel_config(backend, n_jobs=2):
        search = GridSearchCV(classifier(), GRID, cv=3, n_jobs=2).fit(X, y)
        scores = cross_val_score(classifier(), X, y, cv=3, n_jobs=2)
    assert np.array_equal(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
    assert np.array_equal(scores, cross_val_score(classifier(), X, y, cv=3))


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_threads_times_jobs_are_no_more_than_the_processors(backend, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with joblib.parallel_config(backend, n_jobs=2):
        counts = joblib.Parallel()(joblib.delayed(threads_of_a_fit)() for _ in range(4))
        chosen = joblib.Parallel()(joblib.delayed(threads_of_a_fit)(n_threads=3) for _ in range(2))
    processors = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )
    assert all(count <= max(1, processors // 2) for count in counts)
    assert chosen == [3, 3]


DASK = """
import joblib, numpy as np
from distributed import Client, LocalCluster
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from cnn_core.sklearn import MLPClassifier

if __name__ == "__main__":
    X, y = load_iris(return_X_y=True)
    model, grid = MLPClassifier((9,), max_iter=20, random_state=0), {"alpha": [1e-4, 1.0]}
    alone = GridSearchCV(model, grid, cv=3).fit(X, y)
    local = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with local as cluster, Client(cluster) as client:
        with joblib.parallel_config("dask"):
            search = GridSearchCV(model, grid, cv=3).fit(X, y)
            count = joblib.delayed(lambda: model._threads())
            threads = joblib.Parallel()(count() for _ in range(4))
    scores = [one.cv_results_["mean_test_score"] for one in (search, alone)]
    print(np.array_equal(*scores), max(threads))
"""


def test_a_search_on_a_dask_cluster_gives_the_same_scores(tmp_path):
    pytest.importorskip("distributed", reason="dask is not installed")
    (tmp_path / "search.py").write_text(DASK)
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(tmp_path / "search.py")],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        check=False,
    )
    assert done.stdout == "True 1\n", done.stderr

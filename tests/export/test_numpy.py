"""Nets as NumPy files give what they predict but for rounding."""

import ast
import importlib.util
import shutil
import subprocess
import sys

import numpy as np
import pytest
from cnn_core.activations import ELU, LeakyReLU

from cnn_core import MLP, Ensemble, _activations

pytestmark = pytest.mark.filterwarnings("ignore")
ROWS = np.random.default_rng(5).normal(size=(60, 3)) * (1, 5, 0.1) + (0, 20, 3)
Z = ROWS[:, 0] + ROWS[:, 1] / 5 - 4
TARGETS = {
    "number": Z,
    "numbers": np.column_stack((Z, 100 * ROWS[:, 2])),
    "two": np.where(Z > 0, 'ja "?"', "nö\\\n😀"),
    "three": np.digitize(Z, (-0.5, 0.5)) * 10,
    "bools": Z > 0,
    "several": np.column_stack((Z > 0, ROWS[:, 2] > 3)).astype(int),
}
BOUNDS = {"float32": 1e-6, "float64": 1e-13}


def fitted(kind="number", dtype="float32", **parameters):
    parameters = dict(hidden=(5, 4), epochs=3, dtype=dtype, random_state=0) | parameters
    return MLP(**parameters).fit(ROWS.astype(dtype), TARGETS[kind])


def loaded(path):
    spec = importlib.util.spec_from_file_location("net", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(path, model, X):
    """The file predicts as the model does; returns its module."""
    model.export_numpy(path)
    net, wanted = loaded(path), model.forward(X)
    found = net.forward(X)
    assert found.dtype == wanted.dtype
    scale = np.maximum(1, np.abs(wanted).max(axis=0))
    assert (np.abs(found - wanted) <= BOUNDS[found.dtype.name] * scale).all()
    if not hasattr(model, "classes_"):
        assert net.predict(X).shape == model.predict(X).shape
        return net
    labels = model.predict(X)
    assert net.predict(X).tolist() == labels.tolist()
    assert net.predict(X).dtype.kind == labels.dtype.kind
    if hasattr(net, "predict_proba"):
        off = np.abs(net.predict_proba(X) - model.predict_proba(X)).max()
        assert off <= BOUNDS[found.dtype.name]
    return net


@pytest.mark.parametrize("dtype", BOUNDS)
def test_every_activation_gives_what_is_predicted(tmp_path, dtype):
    names = [name for name in _activations.names() if name not in ("step", "sign")]
    for activation in (*names, LeakyReLU(0.3), ELU(0.5)):
        model = fitted(dtype=dtype, activation=activation)
        check(tmp_path / "net.py", model, ROWS.astype(dtype))


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("kind", TARGETS)
def test_every_task_and_scaling_gives_what_is_predicted(tmp_path, kind, dtype):
    X = ROWS.astype(dtype)
    for way in (
        dict(scale_inputs="standard", hidden=(100, 30)),
        dict(scale_inputs="robust_clip", clip_outputs=kind == "number"),
        dict(scale_inputs="minmax", numeric_embedding="periodic"),
        dict(hidden=(), bias=False),
    ):
        net = check(tmp_path / "net.py", fitted(kind, dtype, **way), X)
    assert len(net.forward(X[:0])) == 0
    if kind == "numbers":
        check(tmp_path / "net.py", fitted(kind, dtype, loss="gaussian_nll"), X)
    if kind == "two":
        for output in ("step", "sign"):
            way = dict(hidden=(), output=output, loss="perceptron")
            net = check(tmp_path / "net.py", fitted(kind, dtype, **way), X)
        assert not hasattr(net, "predict_proba")


def table():
    rng = np.random.default_rng(2)
    gaps = rng.normal(size=60)
    gaps[::7] = np.nan
    colours = np.array(["röt", "grün", "blau"], object)[rng.integers(0, 3, 60)]
    colours[5] = None
    days = np.datetime64("1899-12-31") + rng.integers(0, 70_000, 60)
    days[:3] = np.array(["2000-02-29", "1900-02-28", "NaT"], "datetime64[D]")
    return {
        "y": ROWS[:, 0],
        'größe "x"': gaps,
        "label": colours,
        "many": rng.integers(0, 90, 60).astype(str).astype(object),
        "": rng.random(60) > 0.5,
        "W": rng.integers(1, 5, 60),
        "z": days.astype("datetime64[s]") + rng.integers(0, 86_400, 60),
    }


KINDS = {"W": "category", "label": "category", "many": "category", "z": "date"}


def test_tables_are_dicts_of_columns_frames_and_csv(tmp_path):
    pd = pytest.importorskip("pandas")
    X, path = table(), tmp_path / "net.py"
    parameters = dict(hidden=(4,), epochs=3, random_state=0)
    first = MLP(**parameters, columns=KINDS, numeric_embedding="periodic").fit(X, TARGETS["two"])
    other = MLP(**parameters, columns=KINDS | {"many": "embedding"}).fit(X, TARGETS["two"])
    check(path, first, X)
    net = check(path, other, X)
    assert (net.predict(pd.DataFrame(X)) == other.predict(X)).all()
    unseen = X | {"label": ["?"] * 60, "many": ["-1"] * 60, "W": ["2.0"] * 60}
    assert np.abs(net.forward(unseen) - other.forward(unseen)).max() <= 1e-6
    rows = pd.DataFrame(X).to_csv(index=False)
    done = subprocess.run(
        [sys.executable, "-W", "error", path], input=rows.encode(), capture_output=True, check=True
    )
    printed = "".join(f"{one}\n" for one in other.predict(X))
    assert done.stdout.decode().splitlines() == printed.splitlines()
    with pytest.raises(ValueError, match=r"no columns \['label'\]"):
        net.predict({name: values for name, values in X.items() if name != "label"})
    numbered = np.array([X["label"], X["y"]], object).T
    check(path, MLP(**parameters, columns="auto").fit(numbered, Z), numbered)
    check(path, Ensemble([first, first]), X)
    check(path, Ensemble([first, other]), X)


def test_means_of_nets_and_the_drop_in_are_written_too(tmp_path):
    check(tmp_path / "net.py", Ensemble([fitted(), fitted(activation="mish")]), ROWS)
    pytest.importorskip("sklearn")
    from cnn_core.sklearn import MLPClassifier

    drop_in = MLPClassifier(hidden_layer_sizes=(4,), max_iter=3).fit(ROWS, TARGETS["three"])
    drop_in.export_numpy(tmp_path / "net.py")
    net = loaded(tmp_path / "net.py")
    assert np.abs(net.predict_proba(ROWS) - drop_in.predict_proba(ROWS)).max() <= 1e-13
    assert (net.predict(ROWS) == drop_in.predict(ROWS)).all()


def test_rows_that_predict_refuses_are_refused(tmp_path):
    net = check(tmp_path / "net.py", fitted(), ROWS.astype("f4"))
    for X, words in ((ROWS[:, :2], r"\(rows, 3\)"), (ROWS[0], "shape"), (ROWS * np.nan, "NaN")):
        with pytest.raises(ValueError, match=words):
            net.predict(X)


def test_the_file_is_tidy_and_imports_numpy_alone(tmp_path):
    for name, way in (
        ("small", dict(activation="gelu")),
        ("packed", dict(hidden=(100, 50))),
        ("wide", dict(activation="swish", numeric_embedding="periodic")),
    ):
        path = tmp_path / f"{name}.py"
        fitted("two", **way).export_numpy(path)
        source = path.read_text(encoding="utf-8")
        imported = {
            one.name
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Import)
            for one in node.names
        }
        assert imported - {"base64", "csv", "math", "sys"} == {"numpy"}
        for ruff in (["check"], ["format", "--check"]) if shutil.which("ruff") else ():
            subprocess.run(["ruff", *ruff, "--isolated", path], check=True, capture_output=True)
    assert (tmp_path / "packed.py").stat().st_size < 40_000


@pytest.mark.parametrize("dtype", BOUNDS)
def test_written_numbers_are_the_weights_themselves(tmp_path, dtype):
    for hidden in ((5,), (100, 50)):
        model = fitted(dtype=dtype, hidden=hidden)
        weights = [w * 10.0 ** np.arange(-20, 20, 40 / w.shape[0])[:, None] for w in model.weights_]
        model.weights_ = weights
        model.export_numpy(tmp_path / "net.py")
        net = loaded(tmp_path / "net.py")
        for l, W in enumerate(model.weights_):
            assert getattr(net, f"W{l + 1}").tobytes() == W.tobytes()

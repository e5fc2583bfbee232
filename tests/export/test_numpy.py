"""Nets as NumPy files give what they predict but for rounding."""

import ast
import datetime
import importlib.util
import io
import runpy
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


DAYS = [datetime.datetime(2019 + i % 4, 1 + i % 12, 1 + i % 28, i % 24, i) for i in range(60)]
ZONE = datetime.timezone(datetime.timedelta(hours=-9))


def of_a_column(values, kind="auto", y=None, **parameters):
    """A net of one column and a number."""
    X = {"a": values, "z": list(range(len(values)))}
    parameters = dict(hidden=(4,), epochs=3, random_state=0) | parameters
    y = Z[: len(values)] if y is None else y
    return MLP(columns={"a": kind, "z": "number"}, **parameters).fit(X, y), X


def test_dates_are_read_as_the_library_reads_them(tmp_path):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    texts = [str(one) for one in DAYS]
    stamps = np.array(DAYS, "datetime64[us]")
    months = list(pd.period_range("2019-01", periods=60, freq="M"))
    ways = (
        DAYS,
        [one.replace(tzinfo=ZONE) for one in DAYS],
        stamps,
        stamps.astype("datetime64[ns]"),
        [one.date() for one in DAYS],
        [f"{one}+05:00" for one in texts],
        [f" {one:%Y/%m/%d %H:%M}Z" for one in DAYS],
        [f"{one.year}-{one.month}-{one.day}T{one.hour}:30:59.123456789" for one in DAYS],
        [f"{one:%Y-%m}" for one in DAYS],
        [" ?", "n/a", "-", "MISSING", "", None, *texts[6:]],
        pd.Series(stamps).dt.tz_localize("Asia/Tokyo"),
        pl.Series(DAYS).dt.replace_time_zone("Asia/Tokyo"),
        months,
        pd.Series(months),
    )
    for kind in ("date", "category"):
        model, X = of_a_column(DAYS, kind)
        net = check(tmp_path / "net.py", model, X)
        for way in ways[:-5] + ways[-4:] if kind == "category" else ways:
            given = X | {"a": way}
            assert np.abs(net.forward(given) - model.forward(given)).max() <= 1e-6, way[0]
    model, X = of_a_column(months, "date")
    check(tmp_path / "net.py", model, X)
    for wrong in (["2020-02-30"], [5], ["1.2.2020"]):
        for one in (model, loaded(tmp_path / "net.py")):
            with pytest.raises(ValueError, match="column 'a'"):
                one.predict({"a": wrong, "z": [1]})


@pytest.mark.parametrize("kind", ["category", "embedding"])
def test_categories_may_be_spelt_as_the_library_takes_them(tmp_path, kind):
    whole, split, big = [3, 4, 5] * 20, [1.5, 2.0, 2.25] * 20, [1e16, 2e16, 3e16] * 20
    for trained, given in (
        (whole, ["3", "3.00", "03", " 3", "3e0", "3.5", "3_0", 3.0, True, None, "x", "nan"]),
        (whole, [np.timedelta64(3, "s"), np.timedelta64(4000, "ms"), None]),
        (split, ["1.50", "2.00", "2", " 2.25", np.float32(1.5), 2, 2.25, float("nan")]),
        (big, ["1e16", "10000000000000000", 2e16, "2e+16", 3 * 10**16]),
        (["3.0", "4", "x"] * 20, ["3.0", "3", "4.0", 3.0, "x"]),
        (["007", "7", "8"] * 20, ["007", "7", "07", 7, 8.0]),
        ([True, False, True] * 20, ["TRUE", "true", "1", "1.0", "0", True, np.False_]),
    ):
        model, _ = of_a_column(trained, kind)
        model.export_numpy(tmp_path / "net.py")
        net = loaded(tmp_path / "net.py")
        for one in given:
            X = {"a": [one, one], "z": [1, 1]}
            assert np.abs(net.forward(X) - model.forward(X)).max() <= 1e-6, one


def test_numbers_are_read_as_the_library_reads_them(tmp_path):
    spans = [datetime.timedelta(seconds=i, microseconds=250_000) for i in range(60)]
    model, X = of_a_column([None, *spans[1:]])
    net = check(tmp_path / "net.py", model, X)
    for way in (
        np.array(spans, "timedelta64[ns]"),
        ["?", " - ", "n/a", "Missing", "#N/A", "NIL", *map(str, range(6, 60))],
        [None, np.float32(1.5), True, *range(57)],
        np.ma.masked_less(np.arange(60), 5),
    ):
        given = X | {"a": way}
        assert np.abs(net.forward(given) - model.forward(given)).max() <= 1e-6
    for wrong in ("1_000", "x", datetime.date(2020, 1, 1), np.datetime64("2020-01-01", "ns")):
        for one in (model, net):
            with pytest.raises(ValueError, match="column 'a'"):
                one.predict({"a": [wrong, wrong], "z": [1, 1]})


def test_every_table_that_the_library_reads_is_read(tmp_path):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    pa = pytest.importorskip("pyarrow")
    a, z = ["x", None, "w"] * 20, list(range(60))
    model, _ = of_a_column(a)
    names = ["u", "v", "w"]
    matrix = MLP(hidden=(4,), epochs=3, random_state=0).fit(pd.DataFrame(ROWS, columns=names), Z)
    model.export_numpy(tmp_path / "net.py")
    matrix.export_numpy(tmp_path / "matrix.py")
    net, of_matrix = loaded(tmp_path / "net.py"), loaded(tmp_path / "matrix.py")
    X, other = {"z": z, "b": z, "a": a}, dict(zip(names[::-1], ROWS.T[::-1]))
    wanted, of_rows = model.forward(X), matrix.forward(ROWS)
    days = np.array(DAYS, "datetime64[us]")
    records = np.array(list(zip(a, z)), [("a", object), ("z", float)])
    for make in (pd.DataFrame, pl.DataFrame, pa.table):
        assert np.abs(net.forward(make(X)) - wanted).max() <= 1e-6
        assert np.abs(of_matrix.forward(make(other)) - of_rows).max() <= 1e-6
        with pytest.raises(ValueError, match=r"no columns \['u'\]"):
            of_matrix.forward(make({"v": z, "w": z}))
        dated, columns = of_a_column(DAYS, "date")
        check(tmp_path / "dated.py", dated, make({"z": columns["z"], "a": days}))
    for given in ([{"z": i, "a": one} for one, i in zip(a, z)], records):
        assert np.abs(net.forward(given) - wanted).max() <= 1e-6
    assert np.abs(net.forward({"a": "x", "z": 0}) - wanted[:1]).max() <= 1e-6
    with pytest.raises(ValueError, match="no names"):
        net.predict(records.tolist())


@pytest.mark.parametrize("names", [["b", "a", "c"], [0, 1, 2], [1, "a", 7]])
def test_columns_of_a_frame_are_those_of_the_fit_in_any_order(tmp_path, names):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(ROWS, columns=names)
    model = MLP(hidden=(4,), epochs=3, random_state=0).fit(X, Z)
    net = check(tmp_path / "net.py", model, X)
    for way in (X[names[::-1]], ROWS, ROWS.tolist(), pd.DataFrame(ROWS, columns=[4, 5, 6])):
        assert (net.forward(way) == net.forward(X)).all()


def program(path, text, *arguments):
    """What a file prints for a CSV, and its error."""
    given, printed = io.TextIOWrapper(io.BytesIO(text)), io.TextIOWrapper(io.BytesIO())
    error = ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["net.py", *arguments])
        patch.setattr("sys.stdin", given)
        patch.setattr("sys.stdout", printed)
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as stop:  # a text is printed to stderr, and the code is 1
            error = stop.code
        printed.flush()
    return printed.buffer.getvalue().decode().split(), error


def test_the_program_takes_no_arguments_and_no_name_of_a_module(tmp_path):
    model = MLP(hidden=(), epochs=1).fit(ROWS[:, :2], Z)
    with pytest.warns(UserWarning, match="in the way of the module numpy"):
        model.export_numpy(tmp_path / "numpy.py")
    said = f"rows are read from the standard input: python {tmp_path / 'numpy.py'} < rows.csv"
    assert program(tmp_path / "numpy.py", b"1,2\n", "rows.csv") == ([], said)


def test_the_program_reads_csv_and_names_what_is_wrong(tmp_path):
    pd = pytest.importorskip("pandas")
    named, _ = of_a_column(["x", None, "é"] * 20)
    named.export_numpy(tmp_path / "table.py")
    MLP(hidden=(), epochs=1).fit(pd.DataFrame(ROWS[:, :2], columns=["a", "z"]), Z).export_numpy(
        tmp_path / "names.py"
    )
    MLP(hidden=(), epochs=1).fit(ROWS[:, :2], Z).export_numpy(tmp_path / "numbers.py")
    MLP(hidden=(), epochs=1, columns="auto").fit(
        np.array([["x", 1.0], ["y", 2.0]] * 30, object), Z
    ).export_numpy(tmp_path / "cells.py")
    for name in ("table", "names", "numbers", "cells"):
        path, head = tmp_path / f"{name}.py", b"z,a\n" * (name in ("table", "names"))
        rows = b"1,2\r\n\r\n3,4\n"
        printed, error = program(path, head + rows)
        assert (len(printed), error) == (2, "")
        assert program(path, b"\xef\xbb\xbf" + head + rows) == (printed, "")
        assert program(path, head) == program(path, b"") == ([], "")
        wrong = [(head + b"1,2\n3\n", f"line {2 + bool(head)} has 1 entries")]
        wrong += [(head + b"1,2\n3,4,5\n", f"line {2 + bool(head)} has 3 entries")]
        wrong += [(b"z,b\n1,2\n", "no columns ['a']" if head else "to float: ")]
        wrong += [(head + b"\xff,1\n", "codec can't decode")]
        for text, words in wrong:
            printed, error = program(path, text)
            assert (printed, len(error.splitlines())) == ([], 1)
            assert words in error


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
    dated = of_a_column([one.date() for one in DAYS], "category")[0]
    for name, model in (
        ("small", fitted("two", activation="gelu")),
        ("packed", fitted("two", hidden=(100, 50))),
        ("wide", fitted("two", activation="swish", numeric_embedding="periodic")),
        ("table", MLP(epochs=1, columns=KINDS).fit(table(), Z)),
        ("dated", dated),
    ):
        path = tmp_path / f"{name}.py"
        model.export_numpy(path)
        source = path.read_text(encoding="utf-8")
        imported = {
            one.name
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Import)
            for one in node.names
        }
        assert imported - {"base64", "csv", "datetime", "math", "re", "sys"} == {"numpy"}
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

"""Profiles: what they hold and print, that they leave the model alone, and that NumPy by hand
computes the same. No test looks at how long anything took."""

import copy
import json
import math
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
from cnn_core.__main__ import main
from cnn_core._numpy_by_hand import ACTIVATIONS, LOSSES, why_not
from cnn_core._random import permutation

from cnn_core import MLP, SGD, LeakyReLU, _activations, _profile

QUICK = {"seconds": 0.01}


def rows(n=90, features=6, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, features)), np.arange(n) % classes


@pytest.fixture(scope="module")
def profile():
    return MLP((7, 5), batch_size=16, random_state=0, n_threads=2).profile(*rows(), **QUICK)


def test_phases_are_those_of_each_layer(profile):
    assert [(row["layer"], row["phase"]) for row in profile["phases"]] == [
        ("rows", "shuffle"),
        ("rows", "gather"),
        ("hidden 1", "forward"),
        ("hidden 1", "activation"),
        ("hidden 1", "gradient"),
        ("hidden 1", "update"),
        ("hidden 2", "forward"),
        ("hidden 2", "activation"),
        ("hidden 2", "backward"),
        ("hidden 2", "gradient"),
        ("hidden 2", "update"),
        ("output", "forward"),
        ("output", "loss"),
        ("output", "backward"),
        ("output", "gradient"),
        ("output", "update"),
    ]
    regression = MLP(4).profile(rows()[0], rows()[0][:, 0], **QUICK)
    assert ("output", "activation") in [
        (row["layer"], row["phase"]) for row in regression["phases"]
    ]


def test_shares_sum_to_one_and_rates_stand_where_they_make_sense(profile):
    assert math.fsum(row["share"] for row in profile["phases"]) == pytest.approx(1)
    assert math.fsum(row["seconds"] for row in profile["phases"]) == pytest.approx(
        profile["totals"]["phase_seconds"]
    )
    for row in profile["phases"]:
        assert row["seconds"] > 0
        assert (row["gflop_per_s"] is not None) == (
            row["phase"] in ("forward", "backward", "gradient")
        )
        assert (row["gb_per_s"] is not None) == (row["phase"] in ("gather", "update"))


def test_every_marked_second_is_in_the_table():
    model = MLP(
        (7,),
        activation="gelu",
        output="sigmoid",
        loss="mse",
        dropout=0.2,
        clip_norm=1.0,
        max_norm=2.0,
    )
    X, y = rows(classes=2)
    plan, labels = model._plan(X, y, None)
    fitted, data, _ = model._begin(plan, labels, None, X, y, None, seed=0)
    run = model._make_run(fitted, fitted.network.copy(), 16, "native", True, 1)
    run.epoch(data.X, data.y, data.labels)
    table = _profile.phase_table(run, data, [run.layer_seconds], 1.0, 1.0)
    assert math.fsum(row["seconds"] for row in table) == pytest.approx(
        sum(run.seconds.values()), rel=1e-12
    )


def test_work_and_traffic_are_counted_as_the_page_says():
    model = MLP((7,), batch_size=16)
    X, y = rows()
    plan, labels = model._plan(X, y, None)
    fitted, data, _ = model._begin(plan, labels, None, X, y, None, seed=0)
    run = model._make_run(fitted, fitted.network.copy(), 16, "native", True, 1)
    assert [
        _profile.work_of(run.backprop.network, 90, l, phase)
        for l in (0, 1)
        for phase in ("forward", "activation", "backward", "gradient", "update")
    ] == [
        2 * 90 * 6 * 7,
        0,
        0,
        2 * 90 * 6 * 7,
        0,
        2 * 90 * 7 * 3,
        0,
        2 * 90 * 7 * 3,
        2 * 90 * 7 * 3,
        0,
    ]
    run.epoch(data.X, data.y, data.labels)
    assert _profile.traffic_of(run, data, 0, "gather") == 2 * 90 * (6 * 4 + 4)
    run.epoch(data.X, data.y, data.labels, shuffled=False)
    assert _profile.traffic_of(run, data, 0, "gather") == 2 * 90 * 4  # the labels alone
    # 6 mini-batches; parameters and two slots read and written, the gradient read; W^T of the upper
    # layer.
    assert _profile.traffic_of(run, data, 0, "update") == 6 * 4 * 7 * 7 * 7
    assert _profile.traffic_of(run, data, 1, "update") == 6 * 4 * (7 * 8 * 3 + 2 * 7 * 3)
    assert _profile.traffic_of(run, data, 0, "forward") == 0


def test_a_profile_is_a_dict_for_scripts(profile):
    assert json.loads(json.dumps(profile)) == profile
    assert set(profile) == {"machine", "training", "phases", "totals", "rounds"}
    assert profile["training"] == {
        "widths": [6, 7, 5, 3],
        "activations": ["relu", "relu", "softmax"],
        "loss": "sparse_categorical_crossentropy",
        "optimizer": "adam",
        "dtype": "float32",
        "parameters": 107,
        "rows": 90,
        "batch_size": 16,
    }
    totals = profile["totals"]
    assert totals["rows_per_s"] == 90 / totals["epoch_seconds"] and totals["threads"] == 2
    for other in (totals["numpy"], totals["twin"]):
        assert other["why_not"] is None and 0 < other["rows"] <= 90
        assert other["speedup"] == pytest.approx(other["epoch_seconds"] / totals["epoch_seconds"])
    copied = pickle.loads(pickle.dumps(profile))
    assert copied == profile and str(copied) == str(profile)


def test_it_prints_as_a_table_with_units(profile):
    text = str(profile)
    assert repr(profile) == text and max(map(len, text.splitlines())) <= 100
    for phrase in (
        "6-7-5-3",
        "90 rows in 6 mini-batches of 16.",
        "ms an epoch",
        "GFLOP/s",
        "GB/s",
        "rows/s",
        "1 thread ",
        "2 threads",
        "NumPy by hand",
        "Python twin",
    ):
        assert phrase in " ".join(text.split()), phrase
    assert (
        len(
            [
                line
                for line in text.splitlines()
                if re.match(r"(hidden \d|output|rows| {10}) +\w+ +\d", line)
            ]
        )
        == 16
    )


def test_numbers_of_a_large_network_fit_the_table(profile):
    large = copy.deepcopy(profile)
    large["training"] |= {"widths": [784] * 30, "parameters": 10**9, "rows": 10**8}
    large["totals"]["numpy"]["why_not"] = "it does not know " + "this, " * 30
    for row in large["phases"]:
        row["seconds"] = 12345.6
        for name in ("gflop_per_s", "gb_per_s"):
            row[name] = row[name] and 12345.6
        for name in ("peak_share", "copy_share"):
            row[name] = row[name] and 123.456
    for part in (large["totals"], large["totals"]["numpy"], large["totals"]["twin"]):
        part |= (
            {name: 1e6 for name in part if name.endswith("seconds")} | {"rows": 50}
            if "rows" in part
            else {}
        )
    assert max(map(len, str(large).splitlines())) <= 100


@pytest.mark.parametrize("fitted", [False, True])
def test_the_model_stays_as_it_is(fitted):
    X, y = rows()
    model = MLP(
        (7,), batch_size=16, epochs=2, warm_start=True, random_state=np.random.default_rng(3)
    )
    if fitted:
        model.fit(X, y)
    before = pickle.dumps(model)
    model.profile(X, y, **QUICK)
    assert pickle.dumps(model) == before
    assert model.__sklearn_is_fitted__() == fitted


def test_it_takes_what_fit_takes():
    X, y = rows()
    names = np.array(["a", "b", "c"])[y]
    model = MLP(
        (7,),
        scale_inputs="standard",
        class_weight="balanced",
        dropout=0.1,
        l2=1e-3,
        batch_size="full",
        shuffle=False,
    )
    profile = model.profile(X.tolist(), names, **QUICK)
    assert profile["training"]["batch_size"] == 90
    assert profile["totals"]["numpy"]["why_not"] == "it does not know l2, dropout, class_weight"
    assert "not measured: it does not know l2" in str(profile)
    assert MLP((), optimizer="rprop").profile(X, X[:, :2], **QUICK)["training"]["loss"] == "mse"
    with pytest.raises(ValueError, match="X has nan at row 0"):
        MLP().profile(np.full((4, 2), np.nan), [0, 1, 0, 1], **QUICK)


@pytest.mark.parametrize(
    "options, given, error, message",
    [
        (
            {"optimizer": "lbfgs"},
            {},
            ValueError,
            "one a mini-batch; this model has optimizer='lbfgs'",
        ),
        ({"backend": "python"}, {}, ValueError, "this model has backend='python'"),
        ({}, {"seconds": 0}, ValueError, "seconds must be a finite number above 0, got 0"),
        ({}, {"seconds": math.nan}, ValueError, "seconds must be a finite number"),
        ({}, {"seconds": "1"}, TypeError, "seconds must be a number"),
    ],
)
def test_what_cannot_be_measured_is_refused(options, given, error, message):
    with pytest.raises(error, match=message):
        MLP(**options).profile(*rows(), **given)


def test_the_twin_takes_a_smaller_mini_batch_where_one_would_take_too_long():
    profile = MLP((150,), batch_size=64).profile(*rows(features=100), **QUICK)
    twin = profile["totals"]["twin"]
    assert twin["rows"] == twin["batch_size"] < 64
    assert f"both in mini-batches of {twin['batch_size']}" in str(profile)


# NumPy by hand


def losses_of_both(model, X, y, epochs=3):
    """The losses of some epochs: those of the native core, and those of NumPy by hand with its
    order of the rows."""
    plan, labels = model._plan(X, y, None)
    fitted, data, _ = model._begin(plan, labels, None, X, y, None, seed=5)
    run = model._make_run(
        fitted, fitted.network.copy(), model._capacity(len(X)), "native", False, 1
    )
    by_hand = _profile.trainer_like(run, model)()
    targets = data.labels.array[:, 0] if data.y is None else data.y.array
    native, numpy = [], []
    for epoch in range(epochs):
        order = np.arange(len(X)) if not model.shuffle else permutation(5, epoch, len(X))
        native.append(run.epoch(data.X, data.y, data.labels, bool(model.shuffle))[0])
        numpy.append(by_hand.epoch(data.X.array, targets, order))
    return native, numpy, run.backprop.network.flat(), by_hand.w


CASES = [{"activation": name} for name in ACTIVATIONS if name != "exp"] + [
    {"activation": "exp", "init": "zeros"},
    {"activation": "softmax"},
    {"activation": LeakyReLU(0.2)},
    {"optimizer": "sgd"},
    {"optimizer": SGD(0.05, momentum=0.9)},
    {"optimizer": SGD(0.05, momentum=0.9, nesterov=True)},
    {"loss": "categorical_crossentropy"},
    {"loss": "categorical_crossentropy", "label_smoothing": 0.1},
    {"loss": "mse"},
    {"loss": "mse", "output": "tanh"},
    {"shuffle": False},
    {"hidden": ()},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_numpy_by_hand_trains_as_the_core_does(case):
    model = MLP(**{"hidden": (8, 5), "batch_size": 16, "dtype": "float64"} | case)
    native, numpy, w, by_hand = losses_of_both(model, *rows())
    np.testing.assert_allclose(numpy, native, rtol=1e-9)
    np.testing.assert_allclose(by_hand, w, rtol=0, atol=1e-8)
    assert native[0] != native[-1]


@pytest.mark.parametrize(
    "y",
    [np.arange(90) % 2, np.arange(90.0) / 90, np.arange(180).reshape(90, 2) % 3 % 2],
    ids=["two classes", "regression", "several labels"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numpy_by_hand_knows_the_usual_tasks(y, dtype):
    native, numpy, _, by_hand = losses_of_both(MLP((8,), batch_size=16, dtype=dtype), rows()[0], y)
    assert by_hand.dtype == dtype
    np.testing.assert_allclose(numpy, native, rtol=1e-4 if dtype == "float32" else 1e-9)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_numpy_by_hand_stays_in_float32(name):
    f, f_prime = ACTIVATIONS[name]
    z = np.linspace(-4, 4, 41, dtype=np.float32).reshape(-1, 1)
    a = f(z, 0.5)
    assert a.dtype == np.float32 and (z * f_prime(z, a, 0.5)).dtype == np.float32


def test_numpy_by_hand_says_what_it_does_not_know():
    assert why_not(("relu", "softmax"), "mse", "adam", {"l1": 0.0, "dropout": False}) is None
    assert why_not(
        ("gelu", "gelu", "softmax"), "huber", "nadam", {"l1": 0.1, "dropout": False}
    ) == ("it does not know the activation 'gelu', the loss 'huber', the optimizer 'nadam', l1")
    assert set(ACTIVATIONS) | {"softmax", "gelu", "step", "sign"} == set(_activations.names())
    assert set(LOSSES) == {"mse"} | {
        name for name in _profile._losses.names() if name.endswith("crossentropy")
    }


# The command line and the chart

SMALL = ["profile", "--widths", "6-8-3", "--rows", "200", "--batch", "32", "--seconds", "0.01"]


def test_the_command_prints_machine_table_and_totals(capsys):
    assert (
        main(
            [
                *SMALL,
                "--threads",
                "1",
                "--activation",
                "tanh",
                "--optimizer",
                "sgd",
                "--dtype",
                "float64",
            ]
        )
        == 0
    )
    out = " ".join(capsys.readouterr().out.split())
    for phrase in (
        "Machine: ",
        "GFLOP/s at most on one thread in float64",
        "GB/s",
        "6-8-3, tanh and softmax, float64",
        "200 rows in 7 mini-batches of 32.",
        "sgd",
        "hidden 1",
        "NumPy by hand",
        "Python twin",
    ):
        assert phrase in out, phrase
    assert "2 threads" not in out
    assert main([*SMALL, "--widths", "6-1"]) == 0
    assert "6-1, sigmoid" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ["--widths", "784"],
            "--widths: must be two numbers or more such as 784-128-10, got '784'",
        ),
        (["--widths", "8-0-2"], "got '8-0-2'"),
        (["--rows", "2"], "--rows must be at least the number of classes, 3, got 2"),
        (["--batch", "0"], "batch_size must be a whole number of at least 1"),
        (["--activation", "rleu"], "did you mean 'relu'"),
        (["--optimizer", "lbfgs"], "this model has optimizer='lbfgs'"),
        (["--threads", "0"], "n_threads must be at least 1"),
        (["--seconds", "-1"], "seconds must be a finite number above 0"),
        (["--dtype", "float16"], "invalid choice: 'float16'"),
    ],
)
def test_wrong_arguments_exit_with_2_and_a_sentence(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*SMALL, *arguments])
    err = capsys.readouterr().err
    assert stop.value.code == 2 and message in err and "usage:" in err


def test_without_matplotlib_the_error_says_how_to_get_it_before_anything_is_measured(
    monkeypatch, capsys, tmp_path
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr(_profile, "measure", None)
    assert main([*SMALL, "--plot", str(tmp_path / "a.png")]) == 1
    printed = capsys.readouterr()
    assert (
        printed.err == "cnn-core: the chart needs matplotlib: pip install 'cnn-core[plot]'\n"
        and printed.out == ""
    )
    with pytest.raises(ImportError, match=r"pip install 'cnn-core\[plot\]'"):
        MLP().profile(*rows(), plot=tmp_path / "a.png")


@pytest.mark.slow
def test_the_chart_is_written(profile, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert main([*SMALL, "--plot", str(tmp_path / "a.png")]) == 0
    assert "a.png" in capsys.readouterr().out
    profile.plot(tmp_path / "b.png")
    MLP((5,), optimizer="rprop", shuffle=False).profile(*rows(), plot=tmp_path / "c.png", **QUICK)
    for name in "abc":
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    profile.plot(tmp_path / "d.svg")
    with pytest.raises(ValueError, match=r"must end in one of .*\.png.*got 'a.xyz'"):
        MLP().profile(*rows(), plot="a.xyz")
    assert main([*SMALL, "--plot", str(tmp_path / "none" / "a.png")]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_importing_the_package_imports_none_of_it():
    code = "import sys, cnn_core; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {
        "cnn_core._profile",
        "cnn_core._profile_plot",
        "cnn_core._numpy_by_hand",
        "threadpoolctl",
    } & set(loaded)


def test_long_rows_that_are_read_in_place_count_nothing():
    model = MLP((64,), batch_size=16)
    X, y = np.random.default_rng(0).random((90, 256), dtype=np.float32), np.arange(90) % 3
    plan, labels = model._plan(X, y, None)
    fitted, data, _ = model._begin(plan, labels, None, X, y, None, seed=0)
    run = model._make_run(fitted, fitted.network.copy(), 16, "native", True, 1)
    run.epoch(data.X, data.y, data.labels)
    assert _profile.traffic_of(run, data, 0, "gather") == 2 * 90 * 4


def test_a_chart_for_a_folder_that_is_not_there_is_refused_before_anything_is_measured(tmp_path):
    pytest.importorskip("matplotlib")
    X, y = rows()
    with pytest.raises(FileNotFoundError, match="does not exist"):
        MLP((7,)).profile(X, y, seconds=1000, plot=tmp_path / "none" / "chart.png")

"""Profiles: what they hold and print, and that they leave the model alone. No test looks at how
long anything took."""

import copy
import json
import math
import pickle
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from cnn_core.profile import phases

from cnn_core import MLP, Adam
from cnn_core import functional as F

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


def training(network, loss, X, y, labels, **options):
    """A native trainer that takes the time, and its rows."""
    backprop = F.Backprop(network, loss, 16, dropout=options.pop("dropout", None))
    trainer = F.Trainer(backprop, "adam", Adam().settings(), timing=True, **options)
    sources = [None if part is None else F.RowSource(part) for part in (X, y, labels)]
    data = SimpleNamespace(X=sources[0], y=sources[1], labels=sources[2], weights=None)
    return trainer, data


def labelled(features=6):
    X, y = rows(features=features)
    return X.astype(np.float32), None, y.astype(np.int32)[:, None]


def test_every_marked_second_is_in_the_table():
    network = F.Network((6, 7, 1), ("gelu", "sigmoid"))
    network.set_flat(np.linspace(-1, 1, 57))
    X, y = rows(classes=2)
    trainer, data = training(
        network,
        "mse",
        X.astype(np.float32),
        y.astype(np.float32)[:, None],
        y.astype(np.int32)[:, None],
        dropout=(0.2, 0.2),
        clip_norm=1.0,
        max_norm=2.0,
    )
    trainer.epoch(data.X, data.y, data.labels)
    table = phases.phase_table(trainer, data, [trainer.layer_seconds], 1.0, 1.0)
    assert math.fsum(row["seconds"] for row in table) == pytest.approx(
        sum(trainer.seconds.values()), rel=1e-12
    )


def test_work_and_traffic_are_counted_as_the_page_says():
    network = F.Network((6, 7, 3), ("relu", "softmax"))
    trainer, data = training(network, "sparse_categorical_crossentropy", *labelled())
    assert [
        phases.work_of(network, 90, l, phase)
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
    trainer.epoch(data.X, data.y, data.labels)
    assert phases.traffic_of(trainer, data, 0, "gather") == 2 * 90 * (6 * 4 + 4)
    trainer.epoch(data.X, data.y, data.labels, shuffled=False)
    assert phases.traffic_of(trainer, data, 0, "gather") == 2 * 90 * 4  # the labels alone
    # 6 mini-batches; parameters and two slots read and written, the gradient read; W^T of the upper
    # layer.
    assert phases.traffic_of(trainer, data, 0, "update") == 6 * 4 * 7 * 7 * 7
    assert phases.traffic_of(trainer, data, 1, "update") == 6 * 4 * (7 * 8 * 3 + 2 * 7 * 3)
    assert phases.traffic_of(trainer, data, 0, "forward") == 0


def test_long_rows_that_are_read_in_place_count_nothing():
    network = F.Network((256, 64, 3), ("relu", "softmax"))
    trainer, data = training(network, "sparse_categorical_crossentropy", *labelled(256))
    trainer.epoch(data.X, data.y, data.labels)
    assert phases.traffic_of(trainer, data, 0, "gather") == 2 * 90 * 4


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
    for baseline in (totals["numpy"], totals["reference"]):
        assert baseline["unsupported_reason"] is None and 0 < baseline["rows"] <= 90
        times = baseline["epoch_seconds"] / totals["epoch_seconds"]
        assert baseline["speedup"] == pytest.approx(times)
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
        "plain Python ",
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
    large["totals"]["numpy"]["unsupported_reason"] = "it does not know " + "this, " * 30
    for row in large["phases"]:
        row["seconds"] = 12345.6
        for name in ("gflop_per_s", "gb_per_s"):
            row[name] = row[name] and 12345.6
        for name in ("peak_share", "copy_share"):
            row[name] = row[name] and 123.456
    for part in (large["totals"], large["totals"]["numpy"], large["totals"]["reference"]):
        part |= (
            {name: 1e6 for name in part if name.endswith("seconds")} | {"rows": 50}
            if "rows" in part
            else {}
        )
    assert max(map(len, str(large).splitlines())) <= 100


@pytest.mark.parametrize(
    "columns, kept, dropped",
    [
        (60, ["of the peak"], ["GFLOP/s  of the peak", "GB/s  of the copy"]),
        (80, ["GFLOP/s  of the peak"], ["GB/s  of the copy"]),
        (120, ["GFLOP/s  of the peak     GB/s  of the copy"], []),
    ],
)
def test_a_narrow_terminal_gets_a_table_without_the_columns_that_do_not_fit(
    columns, kept, dropped, profile, monkeypatch
):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = str(profile)
    assert max(map(len, text.splitlines())) <= min(columns, 100)
    assert all(part in text for part in kept) and not any(part in text for part in dropped)


def test_what_comes_from_a_cache_and_what_is_slower_are_called_so(profile, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    other = copy.deepcopy(profile)
    for row in other["phases"]:
        row["copy_share"] = row["copy_share"] and 2.815
    other["totals"]["threads_speedup"] = 0.87
    other["totals"]["numpy"]["speedup"] = 0.5
    text = str(other)
    assert text.count("cache\n") == 4 and "281.5 %" not in text
    assert "slower: 1.15 times as long as 1 thread" in text
    assert "1 thread is slower: 2.00 times as long" in text
    other["totals"]["threads_speedup"] = 1.0
    assert "1.00 times as fast as 1 thread" in str(other)


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
    assert (
        profile["totals"]["numpy"]["unsupported_reason"]
        == "it does not know l2, dropout, class_weight"
    )
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


def test_plain_python_takes_a_smaller_mini_batch_where_one_would_take_too_long():
    profile = MLP((150,), batch_size=64).profile(*rows(features=100), **QUICK)
    slow = profile["totals"]["reference"]
    assert slow["rows"] == slow["batch_size"] < 64
    assert f"both in mini-batches of {slow['batch_size']}" in str(profile)


# The chart


@pytest.fixture
def no_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)


def test_without_matplotlib_the_error_says_how_to_get_it_before_anything_is_measured(
    no_matplotlib, tmp_path
):
    with pytest.raises(ImportError, match="pip install matplotlib"):
        MLP().profile(*rows(), seconds=1000, plot=tmp_path / "a.png")


@pytest.mark.slow
def test_the_chart_is_written(profile, tmp_path):
    pytest.importorskip("matplotlib")
    profile.plot(tmp_path / "b.png")
    MLP((5,), optimizer="rprop", shuffle=False).profile(*rows(), plot=tmp_path / "c.png", **QUICK)
    for name in "bc":
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    profile.plot(tmp_path / "d.svg")
    with pytest.raises(ValueError, match=r"must end in one of .*\.png.*got 'a.xyz'"):
        MLP().profile(*rows(), plot="a.xyz")


def test_a_chart_for_a_folder_that_is_not_there_is_refused_before_anything_is_measured(tmp_path):
    pytest.importorskip("matplotlib")
    X, y = rows()
    with pytest.raises(FileNotFoundError, match="does not exist"):
        MLP((7,)).profile(X, y, seconds=1000, plot=tmp_path / "none" / "chart.png")


def test_importing_the_package_imports_none_of_it():
    code = "import sys, cnn_core; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    loaded_late = re.compile(r"cnn_core\.(profile|reference|inspection|cli)(\.|$)|threadpoolctl$")
    assert "cnn_core.mlp" in loaded and not [name for name in loaded if loaded_late.match(name)]

"""export: what it writes is chosen by the end of the name."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from cnn_core.cli.main import main

from cnn_core import MLP, Ensemble

X = np.random.default_rng(0).normal(size=(40, 3)).astype("f4")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    MLP(4, epochs=1, scale_inputs="standard", random_state=0).fit(X, X[:, 0] > 0).save("m")
    return tmp_path


def run(capsys, *arguments, code=0):
    assert main(["export", *arguments]) == code
    return capsys.readouterr()


@pytest.mark.filterwarnings("ignore")
def test_the_end_of_the_name_chooses_what_is_written(here, capsys):
    pytest.importorskip("onnx")
    levels = {"intervals": []}
    header = {"name": "net", "train": False, "dtype": None, "input_range": None} | levels
    integers = ["--dtype", "int16", "--input-range", "-3", "3"]
    for options, told in (
        (["net.h"], header),
        (["net.h", "--name", "f", "--train"], header | {"name": "f", "train": True}),
        (["net.h", *integers], header | {"dtype": "int16", "input_range": [-3.0, 3.0]}),
        (["net.onnx"], {"scaling": "node"} | levels),
        (["net.onnx", "--scaling", "folded"], {"scaling": "folded"} | levels),
        (["net.py"], levels),
    ):
        done = run(capsys, "m", *options, "--json")
        assert json.loads(done.out) == {"output": options[0]} | told
    assert re.fullmatch(r"wrote net\.py \(\d kB\)\n", run(capsys, "m", "net.py").out)
    rows = "\n".join(",".join(map(str, row)) for row in X.tolist())
    python = [sys.executable, "net.py"]
    done = subprocess.run(python, input=rows, capture_output=True, text=True, check=False)
    assert done.stdout.count("True\n") + done.stdout.count("False\n") == len(X), done.stderr


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("m net.py --input-range -1 1", "--input-range is for .h, and net.py is to be a NumPy"),
        ("m net.h --dtype int4", "--dtype: unknown dtype 'int4'; did you mean 'int8'?"),
        ("m net.txt", "must end in .h (C99), .onnx, or .py (NumPy)"),
        ("m net.onnx --name f", "--name is for .h, and net.onnx is to be an ONNX file"),
        ("m net.py --scaling node", "--scaling is for .onnx, and net.py is to be a NumPy file"),
        ("m net.onnx --scaling fold", "--scaling: unknown scaling 'fold'; did you mean 'folded'?"),
    ],
)
def test_options_of_another_kind_of_file_are_wrong_usage(here, capsys, command, message):
    try:
        code = main(["export", *command.split()])
    except SystemExit as stop:  # of argparse
        code = stop.code
    assert code == 2 and message in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")
def test_levels_of_intervals_are_written_and_need_a_calibrated_regression(here, capsys):
    assert "is for regression" in run(capsys, "m", "net.h", "--interval", "0.9", code=1).err
    model = MLP(4, epochs=1).fit(X, X[:, 0])
    model.save("r")
    said = run(capsys, "r", "net.py", "--interval", "0.9", code=1).err
    assert "--interval needs a calibrated model" in said
    model.calibrate(X, X[:, 0]).save("r")
    done = run(capsys, "r", "net.h", "--interval", "0.9", "--interval", "0.5", "--json")
    assert json.loads(done.out)["intervals"] == [0.9, 0.5]
    assert "NET_INTERVAL_50 = 0, NET_INTERVAL_90 = 1" in (here / "net.h").read_text()


@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_written_is_one_line_and_1(here, capsys):
    model = MLP(4, epochs=1).fit(X, X[:, 0])
    Ensemble([model]).save("e")
    run(capsys, "e", "net.h")
    for options, said in (
        (["--train"], "the mean of several networks"),
        (["--dtype=int8"], "--dtype int8 writes one network"),
        (["--train", "--dtype=int8"], "--train learns in the model's dtype alone, without --dtype"),
        (["--input-range", "0", "1"], "--input-range goes with --dtype int8 or int16"),
    ):
        assert said in run(capsys, "e", "net.h", *options, code=1).err
    drop_in = (
        pytest.importorskip("cnn_core.sklearn")
        .MLPRegressor(hidden_layer_sizes=(4,), max_iter=2)
        .fit(X, X[:, 0])
    )
    drop_in.save("d")
    done = run(capsys, "d", "net.h", code=1)
    assert "holds a MLPRegressor, of which a C99 header cannot be written" in done.err
    run(capsys, "d", "net.py")
    curved = MLP(4, epochs=1, scale_inputs="robust_clip").fit(X, X[:, 0])
    curved.save("m")
    said = run(capsys, "m", "net.onnx", "--scaling", "folded", code=1).err
    assert "is bent" in said and "; --scaling node writes every scaling" in said


def test_an_interval_in_percent_says_the_share(here, capsys):
    with pytest.raises(SystemExit, match="2"):
        run(capsys, "m", "net.h", "--interval", "90")
    said = capsys.readouterr().err
    assert "--interval: must be a number above 0 and below 1, got '90'; 90 % is 0.9" in said

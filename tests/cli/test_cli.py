"""The command line: what the commands print, and how they refuse."""

import re
import subprocess
import sys

import pytest
from cnn_core.cli.main import main

PHASES = (
    "shuffle", "gather", "forward", "activation", "loss", "backward", "gradient", "update",
)  # fmt: skip


def test_demo_trains_tests_and_says_where_the_time_went(capsys):
    assert main(["demo", "--epochs", "20"]) == 0
    out = capsys.readouterr().out
    assert "epoch 20/20" in out and "Test accuracy 9" in out
    table = out.split("Where the time went:")[1].split("Other:")[0].strip("\n")
    rows = [re.fullmatch(r"  (\w+) +([\d.]+) ms +(\d+)%(  #*)?", row) for row in table.splitlines()]
    assert [row[1] for row in rows] == [*PHASES, "other"]
    for column in (2, 3):  # numbers end below each other
        assert len({row.end(column) for row in rows}) == 1


def test_demo_runs_as_a_module():
    command = [sys.executable, "-m", "cnn_core", "demo", "--epochs", "1"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "Test accuracy" in done.stdout and done.stderr == ""


@pytest.mark.parametrize("arguments", [[], ["demo", "--epochs", "0"], ["dmeo"]])
def test_wrong_commands_exit_with_2_and_a_hint(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and "usage:" in capsys.readouterr().err


# Profile

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
        "plain Python ",
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
    assert main([*SMALL, "--seconds", "1000", "--plot", str(tmp_path / "a.png")]) == 1
    printed = capsys.readouterr()
    assert (
        printed.err == "cnn-core: the chart needs matplotlib: pip install matplotlib\n"
        and printed.out == ""
    )


def test_the_chart_is_written(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert main([*SMALL, "--plot", str(tmp_path / "a.png")]) == 0
    assert "a.png" in capsys.readouterr().out
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert main([*SMALL, "--plot", str(tmp_path / "none" / "a.png")]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_help_names_the_commands_and_their_arguments(capsys):
    for arguments, words in (
        (["--help"], ("demo", "profile", "--version")),
        (["demo", "--help"], ("--epochs", "--seed")),
        (["profile", "--help"], ("--widths", "--rows", "--batch", "--seconds", "--plot")),
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        out = capsys.readouterr().out
        assert stop.value.code == 0 and all(word in out for word in words)


def test_a_reader_that_leaves_early_is_no_error():
    command = [sys.executable, "-m", "cnn_core", "demo", "--epochs", "40"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b"Handwritten digits")
        process.stdout.close()
        assert process.wait(60) == 0 and process.stderr.read() == b""

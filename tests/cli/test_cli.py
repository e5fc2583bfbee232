"""The command line: what the commands print, and how they refuse."""

import re
import subprocess
import sys

import numpy as np
import pytest
from cnn_core.cli.main import main

PHASES = (
    "shuffle", "gather", "forward", "activation", "loss", "backward", "gradient", "update",
)  # fmt: skip


def test_demo_trains_tests_and_says_where_the_time_went(capsys):
    assert main(["demo", "--epochs", "20"]) == 0
    out = capsys.readouterr().out
    assert "1,437 to train on" in out and "Test accuracy 9" in out
    told = re.findall(r"^epoch +(\d+)/20  loss", out, re.MULTILINE)
    assert [int(epoch) for epoch in told] == list(range(2, 21, 2))
    table = out.split("went:")[1].strip("\n")
    rows = [re.fullmatch(r"  (\w+) +([\d.]+) ms +(\d+)%(  #*)?", row) for row in table.splitlines()]
    assert [row[1] for row in rows] == [*PHASES]
    assert max(map(len, out.splitlines())) <= 80
    for column in (2, 3):  # numbers end below each other
        assert len({row.end(column) for row in rows}) == 1


def test_demo_runs_as_a_module():
    command = [sys.executable, "-m", "cnn_core", "demo", "--epochs", "1"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "Test accuracy" in done.stdout and done.stderr == ""


@pytest.mark.parametrize("epochs, told", [(1, [1]), (7, range(1, 8)), (11, [2, 4, 6, 8, 10, 11])])
def test_the_demo_prints_ten_lines_of_epochs_at_most(epochs, told, capsys):
    assert main(["demo", "--epochs", str(epochs)]) == 0
    lines = re.findall(r"^epoch +(\d+)/", capsys.readouterr().out, re.MULTILINE)
    assert [int(line) for line in lines] == [*told]


def test_without_arguments_the_help_is_printed(capsys):
    assert main([]) == 0
    printed = capsys.readouterr()
    assert "usage: cnn-core" in printed.out and "demo" in printed.out and printed.err == ""


@pytest.mark.parametrize(
    "arguments, usage, message",
    [
        (["demo", "--epochs", "0"], "cnn-core demo", "argument --epochs: must be a whole number"),
        (["dmeo"], "cnn-core", "unknown command 'dmeo'; did you mean 'demo'?"),
        (["xyz"], "cnn-core", "unknown command 'xyz'; the commands are train, predict, evaluate"),
        (["fit", "data.csv"], "cnn-core", "unknown command 'fit'; did you mean 'train'?"),
        (["--verison"], "cnn-core", "unknown option --verison; did you mean --version?"),
        (["demo", "--epoch-s", "3"], "cnn-core demo", "did you mean --epochs?"),
        (["demo", "--quiet"], "cnn-core demo", "unknown option --quiet; cnn-core demo --help"),
        (["demo", "now"], "cnn-core demo", "unknown argument now; cnn-core demo --help lists"),
        (["profile", "--width=8-2"], "cnn-core profile", ""),
        (["profile", "--wdiths", "8-2"], "cnn-core profile", "did you mean --widths?"),
    ],
)
def test_wrong_commands_exit_with_2_and_a_hint(arguments, usage, message, capsys):
    if not message:  # the beginning of an option is enough
        arguments += ["--rows", "0"]
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    printed = capsys.readouterr().err
    assert stop.value.code == 2 and message in printed
    assert printed.startswith(f"usage: {usage} [-h]")


def test_ctrl_c_while_the_package_is_imported_gives_no_traceback():
    code = (
        "import builtins, sys; find = builtins.__import__\n"
        "def stop(name, *rest):\n"
        "    if name == 'numpy': raise KeyboardInterrupt\n"
        "    return find(name, *rest)\n"
        "from _cnn_core_command import main\n"
        "builtins.__import__ = stop\n"
        "sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


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
        (["--batch", "0"], "argument --batch: must be a whole number of at least 1, got '0'"),
        (["--activation", "rleu"], "did you mean 'relu'"),
        (["--activation", "silu"], "--activation: unknown activation 'silu'; it is called 'swish'"),
        (["--activation", "step"], "--activation: unknown activation 'step'; "),
        (["--optimizer", "lbfgs"], "--optimizer: lbfgs has no mini-batches to measure; choose"),
        (["--optimizer", "adm"], "argument --optimizer: unknown optimizer 'adm'; did you mean"),
        (["--threads", "0"], "argument --threads: must be a whole number of at least 1"),
        (["--seconds", "-1"], "argument --seconds: must be a finite number above 0"),
        (["--rows", "0"], "argument --rows: must be a whole number of at least 1"),
        (["--dtype", "float16"], "invalid choice: 'float16'"),
    ],
)
def test_wrong_arguments_exit_with_2_and_a_sentence(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*SMALL, *arguments])
    err = capsys.readouterr().err
    assert stop.value.code == 2 and message in err and "usage:" in err


def test_a_network_beyond_memory_is_refused_before_anything_is_allocated(capsys, monkeypatch):
    monkeypatch.setattr(np.random, "default_rng", None)  # no rows are drawn
    for size in (["--widths", "1000000-1000000-10"], ["--rows", str(10**13)]):
        with pytest.raises(SystemExit):
            main([*SMALL, *size])
        err = capsys.readouterr().err
        assert re.search(r"--widths [\d-]+ has [\d,]+ parameters, .* [\d,]+ GB of memory", err), err


def test_a_rule_for_the_whole_training_set_is_profiled_in_full_batches(capsys):
    assert main([*SMALL, "--optimizer", "rprop"]) == 0
    assert "200 rows in 1 mini-batches of 200" in " ".join(capsys.readouterr().out.split())


def test_the_help_of_each_option_says_its_default_and_its_choices(capsys):
    for command in ("demo", "profile"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        out = capsys.readouterr().out.split("options:")[1]
        options = re.split(r"\n  (?=-)", out)[2:]
        assert len(options) >= 2 and all("(default" in option for option in options), options
    for name in ("relu", "softmax", "rprop", "float64"):
        assert name in out


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


@pytest.mark.slow
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

"""What commands refuse before they read anything, and what they do with little: no rows, few rows
of a class, rows without a target."""

import json
import os
import random
import shlex
import subprocess
import sys

import numpy as np
import pytest
from cnn_core.cli.main import main
from cnn_core.cli.train import default_output, split

from cnn_core import load

FEW = ["--epochs", "3", "--hidden", "8", "--quiet"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in, with a table of rooms."""
    monkeypatch.chdir(tmp_path)
    rng = random.Random(0)
    with open("rooms.csv", "w") as file:
        print("id,size,place,price", file=file)
        for i in range(100):
            place = rng.choice(("sea", "town"))
            print(f"R{i}", rng.randrange(9, 40), place, rng.random(), sep=",", file=file)
    return tmp_path


def run(capsys, *arguments, code=0):
    """Standard output and standard error of a command."""
    capsys.readouterr()
    assert main([*map(str, arguments)]) == code
    return capsys.readouterr()


def test_shards_are_those_of_the_model(here):
    trained("--shards", "4", "-o", "m.safetensors")
    assert load("m.safetensors").shards == 4


def trained(*options):
    assert main(["train", "rooms.csv", "--target", "price", *FEW, *options]) == 0


# The file to write


@pytest.mark.parametrize("output", ["rooms.csv", "./rooms.csv", "link.csv", "hard.csv", "{}/x.csv"])
@pytest.mark.parametrize("command", ["train", "predict", "convert"])
def test_an_output_over_an_input_is_refused(here, capsys, command, output):
    trained("-o", "m.safetensors")
    name = "rooms.npy" if command == "convert" else "rooms.csv"  # a CSV by another name
    os.rename("rooms.csv", name)
    os.symlink(name, "link.csv")
    os.link(name, "hard.csv")
    os.symlink(here, here / "folder")
    output = output.replace("rooms.csv", name).replace("{}/x.csv", f"{here}/folder/{name}")
    if command == "convert" and output.endswith(".csv"):
        os.rename(output, output := output.replace(".csv", ".npy"))
    before = (here / name).read_bytes()
    commands = {
        "train": ["train", name, "--target", "price", "-o", output],
        "predict": ["predict", "m.safetensors", name, "-o", output],
        "convert": ["convert", name, output],
    }
    done = run(capsys, *commands[command], code=2)
    assert done.err.startswith(f"cnn-core: {output} is the file that is read") and not done.out
    assert (here / name).read_bytes() == before and len(done.err.splitlines()) == 1


def test_standard_streams_that_are_one_file_are_refused(here):
    trained("-o", "m.safetensors")
    command = [sys.executable, "-m", "cnn_core", "predict", "m.safetensors"]
    before = (here / "rooms.csv").read_bytes()
    with open("rooms.csv", "rb") as read, open("rooms.csv", "ab") as write:
        for arguments, streams, words in (
            (
                ["-", "-o", "rooms.csv"],
                {"stdin": read},
                "rooms.csv is the file that is read, stand",
            ),
            (["rooms.csv"], {"stdout": write}, "standard output is the file that is read, rooms.c"),
        ):
            done = subprocess.run(
                [*command, *arguments], **streams, stderr=subprocess.PIPE, text=True, check=False
            )
            assert done.returncode == 2 and words in done.stderr
    assert (here / "rooms.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (".", "Is a directory"),
        ("no/m.safetensors", "The folder no does not exist"),
        pytest.param(
            "/proc/m.safetensors",
            "the folder takes no such file",
            marks=pytest.mark.skipif(not os.path.isdir("/proc"), reason="there is no /proc"),
        ),
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_reading(here, capsys, output, words):
    (here / "bad.csv").write_bytes(b"a,b\n1\n")  # which reading would refuse
    done = run(capsys, "train", "bad.csv", "--target", "b", "-o", output, code=1)
    assert f"{output}: {words}" in done.err
    assert sorted(os.listdir()) == ["bad.csv", "rooms.csv"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("data/houses.csv.gz", "houses"),
        ("my.data.csv", "my.data"),
        ("2024.rows.PARQUET", "2024.rows"),
        ("rows", "rows"),
        ("a.b", "a.b"),
        ("-", "model"),
        (".csv", "model"),
    ],
)
def test_a_model_has_the_name_of_its_table(path, name):
    assert default_output(path) == f"{name}.safetensors"


# Options


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            "predict m.safetensors rooms.csv --delimiter ;;",
            "--delimiter must be a single character",
        ),
        ("predict m.safetensors rooms.csv --decimal x", "--decimal must be '.' or ','"),
        ("predict m.safetensors rooms.csv --quote xx", "--quote must be a single character"),
        ("predict m.safetensors rooms.csv --encoding nope", "--encoding must be such as 'utf-8'"),
        ("predict m.safetensors rooms.csv --quote , --delimiter ,", "--delimiter and --quote are"),
        ("predict m.safetensors rooms.csv -o x.json", "x.json: the name must end in .csv"),
        ("predict m.safetensors rooms.csv --proba", "m.safetensors is a regression, which has no"),
        (
            "convert rooms.csv rooms.txt",
            "rooms.txt: the name of the file to write must end in .npy",
        ),
        (
            "train rooms.csv --target price --drop price",
            "'price' is both the --target and left out",
        ),
        (
            "train rooms.csv --target price --columns price=drop",
            "'price' is both the --target and left out",
        ),
        (
            "train rooms.csv --target price --columns size=category --drop size",
            "--columns size=category and --drop size contradict each other",
        ),
        (
            "train rooms.csv --target price --columns size=category --columns size=number",
            "--columns size=category and --columns size=number contradict each other",
        ),
        (
            "train rooms.csv --target price --columns price=category --task regression",
            "--columns price=category and --task regression contradict each other",
        ),
    ],
)
def test_options_that_mean_nothing_are_2(here, capsys, command, words):
    trained("-o", "m.safetensors")
    before = sorted(os.listdir())
    done = run(capsys, *command.split(), code=2)
    assert words in done.err and len(done.err.splitlines()) == 1 and done.out == ""
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"1,2\n3,4\n", "; --header says whether the first line has names"),
        (b"a\n1\n2,3\n", "; --delimiter says what separates entries"),
        (b"a,\xc3\xa9\n1,\xff\n", "or --encoding must say what it is in, such as cp1252"),
    ],
)
def test_errors_name_options_as_the_command_has_them(here, capsys, text, words):
    (here / "bad.csv").write_bytes(text)
    assert words in run(capsys, "train", "bad.csv", "--target", "a", code=1).err


def test_an_encoding_that_is_not_the_files_is_named_as_an_option(here, capsys):
    (here / "bad.csv").write_bytes(b"a,b\n1,\xff\n")
    options = ("train", "bad.csv", "--target", "a", "--encoding", "utf-8")
    assert "; --encoding says which it is" in run(capsys, *options, code=1).err


def test_a_column_that_is_no_column_can_be_dropped_as_the_error_says(here, capsys):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"x": np.arange(50) % 7 / 2, "y": np.arange(50) / 3, "L": [[1]] * 50}
    parquet.write_table(pyarrow.table(columns), "rows.parquet")
    options = ("train", "rows.parquet", "--target", "y", *FEW)
    assert "(--drop L leaves it out)" in run(capsys, *options, code=1).err
    assert "\n5 test rows" in run(capsys, *options, "--drop", "L").out


def test_a_table_of_one_column_is_one_sentence(here, capsys):
    (here / "one.csv").write_text("a\n" + "1\n2\n" * 20)
    done = run(capsys, "train", "one.csv", "--target", "a", code=1)
    assert done.err == (
        "cnn-core: one.csv has one column, the target 'a', and so nothing to predict it from; if "
        "there are more, --delimiter says what separates them\n"
    )


def test_columns_that_are_missing_are_several(here, capsys):
    trained("-o", "m.safetensors")
    (here / "new.csv").write_text("a\n1\n")
    done = run(capsys, "predict", "m.safetensors", "new.csv", code=1)
    assert "new.csv has no columns 'size', 'place', which" in done.err


def test_ctrl_c_while_the_module_is_imported_gives_no_traceback():
    code = (
        "import builtins, runpy, sys; find = builtins.__import__; import cnn_core\n"
        "def stop(name, *rest, **more):\n"
        "    if name == 'cnn_core.cli.main': raise KeyboardInterrupt\n"
        "    return find(name, *rest, **more)\n"
        "builtins.__import__ = stop\n"
        "runpy.run_module('cnn_core', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


# Rows


@pytest.mark.parametrize("counts", [(295, 5), (100, 100, 100), (50, 7, 4, 3, 1), (5, 5), (40, 2)])
def test_rows_set_apart_have_the_shares_of_the_classes(counts):
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    for seed in range(20):
        parts = split(y, seed, True)
        assert sorted(np.concatenate(parts)) == list(range(len(y)))
        for k, count in enumerate(counts):
            train, stop, test = ((y[part] == k).sum() for part in parts)
            assert train
            if count >= 5:
                assert stop == test == max(1, round(count / 10))


def test_classes_of_few_rows_are_set_apart_too():
    y = np.repeat(np.arange(100), 3)
    train, stop, test = split(y, 0, True)
    assert len(test) > 20 and len(stop) > 20 and set(y[train]) == set(y)


def rare(share=60):
    """A table in which one row of so many is of the rarer class."""
    rng = random.Random(1)
    with open("rare.csv", "w") as file:
        print("a,b,y", file=file)
        for i in range(300):
            print(rng.random(), rng.random(), int(i % share == share - 1), sep=",", file=file)


def test_balanced_accuracy_is_told_where_a_class_is_rare(here, capsys):
    rare()
    train = ("train", "rare.csv", "--target", "y", *FEW)
    found = json.loads(run(capsys, *train, "--json").out)
    assert found["rows_to_test"] == 31 and found["baseline"]["balanced_accuracy"] == 0.5
    assert 0 <= found["test"]["balanced_accuracy"] <= 1
    head, _, guess, _ = run(capsys, *train).out.splitlines()
    assert head.split() == ["accuracy", "balanced", "accuracy", "loss"]
    assert guess.split() == ["always", "0", "0.9677", "0.5"]
    found = json.loads(run(capsys, "evaluate", "rare.safetensors", "rare.csv", "--json").out)
    model, table = load("rare.safetensors"), np.loadtxt("rare.csv", delimiter=",", skiprows=1)
    columns = {"a": table[:, 0], "b": table[:, 1]}
    wanted = model.evaluate(columns, table[:, 2].astype(int))["balanced_accuracy"]
    assert found["balanced_accuracy"] == wanted and found["baseline"]["balanced_accuracy"] == 0.5
    rare(2)
    assert "balanced" not in run(capsys, *train).out


def test_the_target_of_training_is_kept_and_is_that_of_evaluate(here, capsys):
    trained("-o", "m.safetensors")
    assert "target      price\n" in run(capsys, "info", "m.safetensors").out
    assert json.loads(run(capsys, "info", "m.safetensors", "--json").out)["target"] == "price"
    done = run(capsys, "evaluate", "m.safetensors", "rooms.csv")
    assert done.err == ""
    named = run(capsys, "evaluate", "m.safetensors", "rooms.csv", "--target", "price")
    assert named.out == done.out and named.err == ""
    other = run(capsys, "evaluate", "m.safetensors", "rooms.csv", "--target", "size")
    assert other.err == "note: m.safetensors was trained to predict 'price'\n"


def test_a_model_of_a_target_without_a_name_must_be_told(here, capsys):
    from cnn_core import MLP

    X = np.random.default_rng(0).normal(size=(50, 1))
    MLP(4, epochs=2, random_state=0).fit(X, X[:, 0]).save("m.safetensors")
    assert "target" not in run(capsys, "info", "m.safetensors").out
    done = run(capsys, "evaluate", "m.safetensors", "rooms.csv", code=2)
    assert "m.safetensors does not say what it predicts: --target NAME" in done.err


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_target_is_learned_as_the_task_says(here, capsys, task):
    rows = "".join(f"{i % 9},{1990 + i % 30}\n" for i in range(300))
    (here / "years.csv").write_text("x,year\n" + rows)
    options = ("train", "years.csv", "--target", "year", *FEW, "--task", task)
    assert run(capsys, *options).out
    classes = getattr(load("years.safetensors"), "classes_", None)
    assert classes is None if task == "regression" else classes.tolist() == [*range(1990, 2020)]


def test_evaluate_leaves_out_rows_without_a_target_and_says_so(here, capsys):
    trained("-o", "m.safetensors")
    with open("rooms.csv") as file:
        rows = file.read().splitlines()
    (here / "whole.csv").write_text("\n".join(rows[:21]))
    gaps = [row.rpartition(",")[0] + "," for row in rows[21:25]]
    (here / "gaps.csv").write_text("\n".join([rows[0], *gaps, *rows[1:21]]))
    done = run(capsys, "evaluate", "m.safetensors", "gaps.csv")
    assert done.err == "4 rows without price left out\n"
    assert done.out == run(capsys, "evaluate", "m.safetensors", "whole.csv").out
    (here / "none.csv").write_text("\n".join([rows[0], *gaps]))
    done = run(capsys, "evaluate", "m.safetensors", "none.csv", code=1)
    assert "no row of none.csv has a 'price' to compare with" in done.err


@pytest.mark.parametrize("output", ["out.csv", "out.tsv", "out.parquet"])
def test_no_rows_give_an_output_of_no_rows(here, capsys, output):
    if output.endswith("parquet"):
        parquet = pytest.importorskip("pyarrow.parquet")
    trained("-o", "m.safetensors", "--target", "place", "--drop", "id")
    options = ("-o", output, "--keep", "id", "--proba")
    (here / "new.csv").write_text("id,size,price\n")
    done = run(capsys, "predict", "m.safetensors", "new.csv", *options)
    assert done.err == "note: new.csv has no rows, and so there are no predictions\n"
    assert done.out == f"wrote 0 predictions to {output}\n"
    names = ["id", "prediction", "proba_sea", "proba_town"]
    if output.endswith("parquet"):
        empty = parquet.read_table(output)
        assert empty.num_rows == 0 and empty.column_names == names
        run(capsys, "predict", "m.safetensors", "rooms.csv", *options)
        assert parquet.read_schema(output) == empty.schema
        parquet.write_table(parquet.read_table(output).slice(0, 0), "none.parquet")
        run(capsys, "predict", "m.safetensors", "rooms.csv", "-o", "no.csv")
    else:
        text = (here / output).read_text()
        assert text == ("\t" if output == "out.tsv" else ",").join(names) + "\n"


def test_no_rows_of_a_model_of_arrays_give_a_header(here, capsys):
    from cnn_core import MLP

    X = np.random.default_rng(0).normal(size=(50, 2))
    MLP(4, epochs=2, random_state=0).fit(X, X).save("m.safetensors")
    (here / "new.csv").write_text("a,b\n")
    done = run(capsys, "predict", "m.safetensors", "new.csv")
    assert done.out == "prediction_1,prediction_2\n" and "no rows" in done.err


# Outputs that take nothing


def command(*arguments, **streams):
    """A command in a process of its own."""
    streams = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE) | streams
    command, environment = [sys.executable, "-m", "cnn_core", *arguments], dict(os.environ)
    environment.pop("PYTHONUNBUFFERED", None)
    return subprocess.run(command, **streams, text=True, check=False, env=environment)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "m.safetensors", "rooms.csv"],
        ["predict", "m.safetensors", "rooms.csv", "-o", "out.csv"],
        ["evaluate", "m.safetensors", "rooms.csv"],
        ["info", "m.safetensors"],
    ],
)
def test_a_full_standard_output_is_named(here, arguments):
    trained("-o", "m.safetensors")
    with open("/dev/full", "w") as full:
        done = command(*arguments, stdout=full)
    assert done.stderr.endswith("cnn-core: standard output: No space left on device\n")
    assert done.returncode == 1


def test_a_reader_that_has_seen_enough_is_no_error(here):
    trained("-o", "m.safetensors")
    reads, writes = os.pipe()
    os.close(reads)
    done = command("info", "m.safetensors", stdout=writes)
    os.close(writes)
    assert done.returncode == 0 and done.stderr == ""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="streams are closed by a shell")
@pytest.mark.parametrize("stream", [1, 2])
def test_a_process_without_a_standard_stream_does_its_work(here, stream):
    trained("-o", "m.safetensors")
    quoted = shlex.join([sys.executable, "-m", "cnn_core"])
    for arguments in ("predict m.safetensors rooms.csv", "train rooms.csv --target price --json"):
        shell = f"exec {quoted} {arguments} {stream}>&-"
        done = subprocess.run(shell, shell=True, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "Error" not in done.stderr
        assert bool(done.stdout) == (stream == 2)
    assert load("rooms.safetensors").n_epochs_


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
@pytest.mark.parametrize("made", ["out.csv", "out.csv.gz", "out.npy"])
def test_a_file_that_cannot_grow_is_named(here, made):
    trained("-o", "m.safetensors")
    with open("many.csv", "w") as file:
        file.write("size,place,price\n" + "20,sea,1\n21,town,2\n" * 20_000)
    arguments = ["convert", "many.csv", made, "--drop", "place"]
    if made != "out.npy":
        arguments = ["predict", "m.safetensors", "many.csv", "-o", made]
    limit = "import resource, signal, sys\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (60, 60))\n"
    limit += "from cnn_core.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", limit, *arguments], capture_output=True, text=True, check=False
    )
    assert done.stderr.endswith(f"cnn-core: {made}: File too large\n") and done.returncode == 1
    assert sorted(os.listdir()) == ["m.safetensors", "many.csv", "rooms.csv"]

"""What commands refuse before they read anything."""

import os
import random
import subprocess
import sys

import pytest
from cnn_core.cli.main import main
from cnn_core.cli.train import default_output

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
        ("predict m.safetensors rooms.csv -o x.json", "x.json: the name must end in .csv"),
        ("predict m.safetensors rooms.csv --proba", "m.safetensors is a regression, which has no"),
        (
            "convert rooms.csv rooms.txt",
            "rooms.txt: the name of the file to write must end in .npy",
        ),
    ],
)
def test_options_that_mean_nothing_are_2(here, capsys, command, words):
    trained("-o", "m.safetensors")
    before = sorted(os.listdir())
    done = run(capsys, *command.split(), code=2)
    assert words in done.err and len(done.err.splitlines()) == 1 and done.out == ""
    assert sorted(os.listdir()) == before


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

"""train, predict, evaluate, info and convert: what they write, print and refuse."""

import csv
import gzip
import io
import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest
from cnn_core.cli.main import main
from cnn_core.cli.train import split
from cnn_core.io import read_csv

from cnn_core import MLP, Embedding, load

FEW = ["--epochs", "3", "--hidden", "8", "--quiet"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in, with a table of houses."""
    monkeypatch.chdir(tmp_path)
    rng = random.Random(0)
    with open("houses.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "rooms", "place", "built", "price"))
        for i in range(300):
            rooms = rng.randrange(1, 9)
            place = rng.choice(("sea", "town", "Köln"))
            price = round(1e5 * rooms * (1 + (place == "sea")) + rng.gauss(0, 1e4), 2)
            built = f"20{rng.randrange(10, 25)}-03-1{rng.randrange(10)}"
            writer.writerow((i + 7, rooms if rng.random() < 0.9 else "", place, built, price))
    return tmp_path


def run(capsys, *arguments, code=0):
    """Standard output and standard error of a command."""
    capsys.readouterr()
    assert main([*map(str, arguments)]) == code
    return capsys.readouterr()


def trained(*arguments, code=0):
    assert main(["train", "houses.csv", "--target", "price", *FEW, *arguments]) == code


def test_train_says_what_it_read_and_how_good_the_model_is(here, capsys):
    done = run(capsys, "train", "houses.csv", "--target", "price", "--epochs", "30")
    for words in (
        "houses.csv: 300 rows, 5 columns: the target and 1 number, 1 category, 1 date,\n  1 left",
        "missing entries: rooms ",
        "categories: place 3",
        "left out: id (it numbers the rows)",
        "price: 300 different numbers -> regression",
        "240 rows to train on, 30 to stop on, 30 to test on (--seed 0)",
        "the weights are those of epoch ",
    ):
        assert words in done.err, words
    head, model, mean, wrote = done.out.splitlines()
    assert head.split() == ["RMSE", "MAE", "R2", "loss"]
    assert model.startswith("30 test rows") and mean.startswith("always the mean, ")
    assert wrote.startswith("wrote houses.safetensors (")
    assert max(map(len, (done.out + done.err).splitlines())) <= 80


def test_the_scores_are_those_of_the_rows_to_test_on(here, capsys):
    done = run(capsys, "train", "houses.csv", "--target", "price", *FEW, "--json")
    found = json.loads(done.out)
    assert done.err == "" and found["task"] == "regression" and found["target"] == "price"
    assert found["columns"]["place"] == "category" and found["columns"]["id"] == "drop"
    table = read_csv("houses.csv")
    y = table["price"].array
    train, stop, test = split(y, 0, False)
    assert sorted([*train, *stop, *test]) == list(range(300))
    predicted = load("houses.safetensors").predict(table.take(test))
    assert found["test"]["RMSE"] == pytest.approx(np.sqrt(np.mean((predicted - y[test]) ** 2)))
    assert found["test"]["MAE"] == pytest.approx(np.mean(np.abs(predicted - y[test])))
    error = y[test] - y[train].mean()
    assert found["baseline"]["MAE"] == pytest.approx(np.mean(np.abs(error)))


def test_the_same_command_writes_the_same_bytes_and_another_seed_others(here):
    files = []
    for options in ([], [], ["--threads", "2"], ["--seed", "1"]):
        trained(*options)
        with open("houses.safetensors", "rb") as file:
            files.append(file.read())
    assert files[0] == files[1] == files[2] != files[3]


def test_rows_are_set_apart_by_the_seed_and_their_number_alone():
    first = split(np.zeros(1000), 3, False)
    again = split(np.arange(1000), 3, False)
    assert all((one == other).all() for one, other in zip(first, again))
    assert (split(np.zeros(1000), 4, False)[2] != first[2]).any()
    assert [len(one) for one in first] == [800, 100, 100]


def test_a_class_is_never_only_among_the_rows_to_test_on():
    y = np.arange(100) % 2
    for seed in range(20):
        y[seed] = 9
        train, _, _ = split(y, seed, True)
        assert set(y[train]) == set(y)
        y[seed] = 0


@pytest.mark.parametrize(
    ("values", "options", "task", "words"),
    [
        (["a", "b"], [], "classification", "y: 2 different texts -> classification (--task says"),
        (["3", "1"], [], "classification", "y: 2 different whole numbers -> classification"),
        (["3.0", "1.5"], [], "regression", "y: 2 different numbers -> regression"),
        (["3", "1"], ["--task", "regression"], "regression", "-> regression (as --task says)"),
        ([str(i) for i in range(25)], [], "regression", "y: 25 different numbers -> regression"),
        (["True", "False"], [], "classification", "y: 2 different texts -> classification"),
    ],
)
def test_words_and_few_whole_numbers_are_classes(here, capsys, values, options, task, words):
    rows = "".join(f"{i % 7}.5,{values[i % len(values)]}\n" for i in range(100))
    (here / "rows.csv").write_text("x,y\n" + rows)
    done = run(capsys, "train", "rows.csv", "--target", "y", "--epochs", 2, *options)
    assert words in done.err
    assert load("rows.safetensors")._model().task.name == task
    assert ("accuracy" in done.out) == (task == "classification")


def test_rows_without_a_target_are_left_out_and_counted(here, capsys):
    rows = "".join(f"{i % 7},{'' if i % 4 else i / 8}\n" for i in range(100))
    (here / "rows.csv").write_text("x,y\n" + rows)
    done = run(capsys, "train", "rows.csv", "--target", "y", "--epochs", 2)
    assert "75 rows without y left out" in done.err and "21 rows to train on" in done.err


def test_columns_and_drop_say_what_columns_are(here):
    trained("--columns", "rooms=category", "--drop", "built", "-o", "m.safetensors")
    kinds = {column.name: column.kind for column in MLP.load("m.safetensors").columns_.columns}
    assert kinds == {"id": "drop", "rooms": "category", "place": "category", "built": "drop"}


def test_a_column_may_be_embedded(here, capsys):
    trained("--columns", "place=embedding", "-o", "m.safetensors")
    assert MLP.load("m.safetensors").embeddings_["place"].ndim == 2
    main(["predict", "m.safetensors", "houses.csv", "-o", "found.csv"])
    assert (here / "found.csv").read_text().count("\n") == 301
    main(["info", "m.safetensors"])
    assert "each embedded as" in capsys.readouterr().out


def test_monotone_promises_a_direction_of_a_column(here, capsys):
    trained("--monotone", "rooms=rise", "--monotone", "built=fall", "-o", "m.safetensors", code=1)
    assert "monotone names 'built', which is" in capsys.readouterr().err
    trained("--monotone", "rooms=rise", "-o", "m.safetensors")
    assert load("m.safetensors").certify().monotone[0] == 1
    with pytest.raises(SystemExit):
        trained("--monotone", "rooms=up")
    assert "must be NAME=rise or NAME=fall, got 'rooms=up'" in capsys.readouterr().err


def test_predict_gives_a_row_for_each_row_and_keeps_columns_as_they_stand(here, capsys):
    trained()
    model, table = load("houses.safetensors"), read_csv("houses.csv")
    out = run(capsys, "predict", "houses.safetensors", "houses.csv", "--keep", "place", "--keep",
              "rooms").out  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == ["place", "rooms", "prediction"]
    with open("houses.csv") as file:
        given = list(csv.DictReader(file))
    assert [row["rooms"] for row in rows] == [row["rooms"] for row in given]
    assert [row["place"] for row in rows] == [row["place"] for row in given]
    predicted = np.array([row["prediction"] for row in rows], "f4")
    assert (predicted == model.predict(table)).all()


def test_predict_finds_columns_by_their_names_and_ignores_others(here, capsys):
    trained()
    with open("houses.csv") as file:
        rows = list(csv.DictReader(file))
    with open("new.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ("more", "built", "place", "rooms"), extrasaction="ignore",
                                delimiter=";")  # fmt: skip
        writer.writeheader()
        writer.writerows(rows)
    old = run(capsys, "predict", "houses.safetensors", "houses.csv").out
    assert run(capsys, "predict", "houses.safetensors", "new.csv").out == old


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.tsv", "out.parquet"])
def test_predictions_are_written_as_the_name_says(here, capsys, name):
    trained("--task", "classification", "--target", "place")
    options = ("--proba", "--keep", "id", "--json")
    done = run(capsys, "predict", "houses.safetensors", "houses.csv", "-o", name, *options)
    assert json.loads(done.out)["rows"] == 300
    if name.endswith("parquet"):
        parquet = pytest.importorskip("pyarrow.parquet")
        columns = parquet.read_table(name).to_pydict()
    else:
        table = read_csv(name)
        columns = {one: table[one].array.tolist() for one in table.names}
    assert list(columns) == ["id", "prediction", "proba_Köln", "proba_sea", "proba_town"]
    model, given = load("houses.safetensors"), read_csv("houses.csv")
    assert columns["prediction"] == model.predict(given).tolist()
    found = np.array(columns["proba_sea"], "f4")
    assert (found == model.predict_proba(given)[:, 1]).all()
    first = (here / name).read_bytes()
    run(capsys, "predict", "houses.safetensors", "houses.csv", "-o", name, *options)
    assert (here / name).read_bytes() == first


def test_predictions_do_not_depend_on_blocks(here, capsys, monkeypatch):
    trained()
    old = run(capsys, "predict", "houses.safetensors", "houses.csv").out
    monkeypatch.setattr("cnn_core.io.tables.BLOCK", 16)
    monkeypatch.setattr("cnn_core.io.rows.PIECE", 100)
    assert run(capsys, "predict", "houses.safetensors", "houses.csv").out == old


def test_parquet_trains_and_predicts_as_the_same_csv(here, capsys):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = read_csv("houses.csv")
    columns = {name: table[name].array for name in table.names}
    rooms = [None if np.isnan(one) else one for one in columns["rooms"]]
    parquet.write_table(pyarrow.table(columns | {"rooms": rooms}), "houses.parquet")
    trained("--drop", "id", "-o", "a.safetensors")
    options = ("--target", "price", *FEW, "--drop", "id", "-o", "b.safetensors")
    assert main(["train", "houses.parquet", *options]) == 0
    assert (here / "a.safetensors").read_bytes() == (here / "b.safetensors").read_bytes()
    old = run(capsys, "predict", "a.safetensors", "houses.csv", "--keep", "place").out
    assert run(capsys, "predict", "b.safetensors", "houses.parquet", "--keep", "place").out == old


def test_categories_that_were_numbers_are_found_however_they_are_written(here, capsys):
    X = {"zip": [2, 3] * 50, "x": [0.5, 1.0, 2.0, 3.0] * 25}
    y = np.array([1.0, 5.0] * 50)
    model = MLP(4, columns={"zip": "category"}, epochs=2, random_state=0, task="regression")
    model.fit(X, y).save("m.safetensors")
    (here / "new.csv").write_text("x,zip\n1,2\n1,2.0\n1,02\n1,3\n")
    out = run(capsys, "predict", "m.safetensors", "new.csv").out.split()
    assert out[1] == out[2] == out[3] != out[4]


def test_models_of_plain_arrays_take_tables_of_numbers(here, capsys):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 2)).round(3), rng.normal(size=50)
    model = MLP(4, epochs=2, random_state=0).fit(X, y)
    model.save("m.safetensors")
    np.savetxt("x.csv", np.c_[X, np.arange(50)], "%.3f", ",", header="a,b,id", comments="")
    out = run(capsys, "predict", "m.safetensors", "x.csv", "--keep", "id").out
    assert [row.split(",")[1] for row in out.split()[1:]] == model.predict(X).astype(str).tolist()
    assert "reads 2 columns without names, and x.csv has 3" in (
        run(capsys, "predict", "m.safetensors", "x.csv", code=1).err
    )


def test_evaluate_gives_the_scores_of_the_rows_and_of_a_guess(here, capsys):
    trained("--target", "place", "--epochs", "20")
    options = ("evaluate", "houses.safetensors", "houses.csv", "--target", "place")
    found = json.loads(run(capsys, *options, "--json").out)
    table = read_csv("houses.csv")
    model, y = load("houses.safetensors"), table["place"].array.astype(str)
    assert found["rows"] == 300 and found["accuracy"] == np.mean(model.predict(table) == y)
    most = max(set(y), key=list(y).count)
    assert found["baseline"] == {"guess": f"always {most}", "accuracy": np.mean(y == most)}
    assert found["loss"] == pytest.approx(model.evaluate(table, y)["loss"])
    assert run(capsys, *options).out.split()[:2] == ["accuracy", "loss"]


def test_info_says_what_a_model_holds(here, capsys):
    trained("--target", "place")
    out = run(capsys, "info", "houses.safetensors").out
    for words in ("classification", "Köln, sea, town", "float32", "built  date: year"):
        assert words in out
    found = json.loads(run(capsys, "info", "houses.safetensors", "--json").out)
    assert found["classes"] == ["Köln", "sea", "town"] and found["epochs"] == 3
    assert found["network"].endswith("-8-3")


@pytest.mark.parametrize("options", [
    dict(columns={2: Embedding(5)}), dict(numeric_embedding="periodic"), dict(bias=False), {},
], ids=str)  # fmt: skip
def test_info_counts_all_parameters(options, here, capsys):
    X = np.random.default_rng(0).integers(9, size=(60, 3)).astype(float)
    model = MLP(4, epochs=1, **options).fit(X, np.sin(X[:, 0]))
    model.save("m.safetensors")
    found = json.loads(run(capsys, "info", "m.safetensors", "--json").out)
    assert found["parameters"] == len(model.parameters_)


def test_convert_writes_a_memory_map_of_the_rows_in_order_or_shuffled(here, capsys):
    options = ("convert", "houses.csv", "rows.npy", "--drop", "place", "--drop", "built")
    done = run(capsys, *options)
    assert "wrote rows.npy: 300 rows of 3 columns in float32" in done.out
    assert "missing entries, NaN in the file: rooms " in done.err
    table = read_csv("houses.csv")
    wanted = np.column_stack([table[name].array for name in ("id", "rooms", "price")])
    matrix = np.load("rows.npy", mmap_mode="r")
    assert np.array_equal(matrix, wanted.astype("f4"), equal_nan=True)
    run(capsys, *options, "--shuffle", "--seed", 3, "--dtype", "float64")
    shuffled = np.load("rows.npy")
    assert np.array_equal(shuffled[shuffled[:, 0].argsort()], wanted, equal_nan=True)
    assert not np.array_equal(shuffled, wanted, equal_nan=True)
    first = (here / "rows.npy").read_bytes()
    run(capsys, *options, "--shuffle", "--seed", 3, "--dtype", "float64")
    assert (here / "rows.npy").read_bytes() == first


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train none.csv --target price", "there is no file none.csv"),
        (
            "train houses.csv --target prize",
            "houses.csv has no column 'prize'; it has 'id', 'rooms",
        ),
        ("train houses.csv --target price --drop x", "houses.csv has no column 'x'"),
        ("train bad.csv --target b", "bad.csv, line 3: 1 entry, where the first line has 2: '3'"),
        ("train few.csv --target b", "few.csv has 2 rows with a 'b'; at least 10 are needed"),
        ("train same.csv --target a", "every row of same.csv has the same 'a'"),
        ("train houses.csv --target id --task classification", "too many to be classes"),
        ("train words.csv --target w", "too many to be classes; --target names another column\n"),
        (
            "train houses.csv --target place --task regression",
            "houses.csv, line 2, column 'place':",
        ),
        (
            "train houses.csv --target price -o no/m.safetensors",
            "no/m.safetensors: The folder no does not exist",
        ),
        ("train houses.csv m.parquet --target price", "there is no file m.parquet"),
        ("predict houses.csv houses.csv", "houses.csv"),
        ("predict m.safetensors none.csv", "there is no file none.csv"),
        ("predict m.safetensors few.csv", "few.csv has no columns 'rooms', 'place', 'built', w"),
        ("predict m.safetensors word.csv", "word.csv, line 3, column 'rooms': 'many' is no number"),
        ("predict m.safetensors date.csv", "date.csv, line 2, column 'built': 'May' is no date"),
        ("predict m.safetensors houses.csv --keep x", "houses.csv has no column 'x' to keep"),
        (
            "evaluate m.safetensors houses.csv --target place",
            "houses.csv, line 2, column 'place': 'town' is no",
        ),
        ("info houses.csv", "houses.csv"),
        ("convert houses.csv out.npy", "line 2: 'place', 'built' hold texts, such as"),
    ],
)
def test_what_is_wrong_with_data_or_model_is_one_line_and_1(here, capsys, command, message):
    trained("-o", "m.safetensors")
    files = {
        "bad.csv": "a,b\n1,2\n3\n",
        "few.csv": "a,b\n1,2\n3,4\n",
        "same.csv": "a,b\n" + "1,2\n" * 20,
        "words.csv": "a,w\n" + "".join(f"{i * i},w{i}\n" for i in range(30)),
        "word.csv": "rooms,place,built\n1,sea,2020-01-01\nmany,sea,2020-01-01\n",
        "date.csv": "rooms,place,built\n1,sea,May\n",
    }
    for name, text in files.items():
        (here / name).write_text(text)
    before = sorted(os.listdir())
    done = run(capsys, *command.split(), code=1)
    assert done.err.startswith("cnn-core: ") and message in done.err
    lines = done.err.splitlines()
    assert len([one for one in lines if one.startswith("cnn-core: ")]) == 1 and done.out == ""
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train houses.csv", "--target"),
        ("train --target price", "FILE"),
        ("train houses.csv --target price --hidden x", "--hidden: must be numbers such as 64-32"),
        ("train houses.csv --target price --columns rooms", "must be NAME=KIND"),
        ("train houses.csv --target price --epochs 0", "--epochs"),
        ("train houses.csv --target price --quuiet", "did you mean --quiet?"),
        ("predict m.safetensors houses.csv --json", "--json and predictions on standard output"),
    ],
)
def test_wrong_usage_is_2(here, capsys, command, message):
    with pytest.raises(SystemExit) as stop:
        main(command.split())
    assert stop.value.code == 2 and message in capsys.readouterr().err


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "cnn_core", *arguments], capture_output=True, check=False, **options
    )


@pytest.mark.slow
def test_pipes_in_and_out(here):
    trained()
    with open("houses.csv", "rb") as file:
        text = file.read()
    done = command("predict", "houses.safetensors", "-", "--quiet", input=text)
    assert done.returncode == 0 and done.stderr == b""
    assert done.stdout == command("predict", "houses.safetensors", "houses.csv").stdout
    options = ("train", "-", "--target", "price", *FEW)
    assert command(*options, input=text).stderr == b""
    assert (here / "model.safetensors").read_bytes() == (here / "houses.safetensors").read_bytes()


def test_globs_and_compressed_files_are_read_as_one_table(here, capsys):
    with open("houses.csv", "rb") as file:
        head, *rows = file.read().splitlines(keepends=True)
    (here / "part1.csv").write_bytes(head + b"".join(rows[:100]))
    (here / "part2.csv").write_bytes(head + b"".join(rows[100:]))
    (here / "all.csv.gz").write_bytes(gzip.compress(head + b"".join(rows)))
    trained("--drop", "id")
    for files in (["part*.csv"], ["part1.csv", "part2.csv"], ["all.csv.gz"]):
        options = ("--target", "price", *FEW, "--drop", "id", "-o", "m.safetensors")
        assert main(["train", *files, *options]) == 0
        assert (here / "m.safetensors").read_bytes() == (here / "houses.safetensors").read_bytes()
    old = run(capsys, "predict", "m.safetensors", "houses.csv").out
    assert run(capsys, "predict", "m.safetensors", "part*.csv").out == old


def test_ctrl_c_is_130_and_leaves_no_file(here, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(MLP, "fit", interrupted)
    done = run(capsys, "train", "houses.csv", "--target", "price", code=130)
    assert done.err.endswith("interrupted\n") and os.listdir() == ["houses.csv"]


def test_an_error_in_a_later_block_leaves_the_old_predictions(here, capsys, monkeypatch):
    trained()
    monkeypatch.setattr("cnn_core.io.tables.BLOCK", 16)
    monkeypatch.setattr("cnn_core.io.rows.PIECE", 100)
    (here / "out.csv").write_text("old")
    with open("houses.csv", "a") as file:
        file.write("1,many,sea,2020-01-01,3\n")
    done = run(capsys, "predict", "houses.safetensors", "houses.csv", "-o", "out.csv", code=1)
    assert "houses.csv, line 302, column 'rooms': 'many' is no number" in done.err
    assert (here / "out.csv").read_text() == "old"
    assert sorted(os.listdir()) == ["houses.csv", "houses.safetensors", "out.csv"]


def test_gaps_that_training_did_not_have_are_told_once(here, capsys, monkeypatch):
    trained()
    monkeypatch.setattr("cnn_core.io.tables.BLOCK", 1)
    monkeypatch.setattr("cnn_core.io.rows.PIECE", 20)
    (here / "new.csv").write_text("rooms,place,built\n" + "1,,\n" * 3)
    done = run(capsys, "predict", "houses.safetensors", "new.csv")
    assert done.err.count("note:") == 1 and "place (3),\n  built (3);" in done.err


def test_train_stops_on_what_is_meant(here, capsys):
    pytest.importorskip("sklearn")
    arguments = ["train", "houses.csv", "--target", "price", "--epochs", "4", "--json"]
    plain = json.loads(run(capsys, *arguments).out)
    assert plain["monitor"] == "val_loss"
    for name in ("val_metric", "neg_mean_absolute_error", "loss"):
        done = run(capsys, *arguments, "--monitor", name)
        assert json.loads(done.out)["monitor"] == name
        model = load("houses.safetensors")
        assert model.monitor == name and name in model.history_
        found = json.loads(run(capsys, "info", "houses.safetensors", "--json").out)
        assert found["last_epoch"][name] == model.history_[name][-1]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--monitor", "val_acc"])
    assert ended.value.code == 2
    assert "unknown monitor 'val_acc'; it is called 'val_metric' here" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*arguments, "--monitor", "neg_mean_absolut_error"])
    assert "near names are 'neg_mean_absolute_error'" in capsys.readouterr().err


def test_what_stands_for_missing_entries_is_part_of_the_model(here, capsys):
    rng = random.Random(0)
    rows = [(rng.choice(("NA", "ZA")), rng.choice((-999, i / 7)), i / 3) for i in range(90)]
    for name, missing in (("rows.csv", "-999"), ("new.csv", "-999"), ("blank.csv", "")):
        lines = [f"{land},{missing if t == -999 else t},{y}" for land, t, y in rows]
        (here / name).write_text("\n".join(("land,t,y", *lines)))
    said = ["--missing", "", "--missing", "-999"]
    run(capsys, "train", "rows.csv", "--target", "y", *FEW, "-o", "m.safetensors", *said)
    wanted, _ = run(capsys, "predict", "m.safetensors", "new.csv", *said)
    found, remarks = run(capsys, "predict", "m.safetensors", "new.csv")
    assert found == wanted
    assert "as in training: '', '-999' (--missing says otherwise)" in remarks
    assert run(capsys, "predict", "m.safetensors", "blank.csv")[0] == wanted
    assert run(capsys, "predict", "m.safetensors", "new.csv", "--missing", "x")[0] != wanted
    shown, _ = run(capsys, "evaluate", "m.safetensors", "new.csv")
    assert shown == run(capsys, "evaluate", "m.safetensors", "new.csv", *said)[0]
    assert "missing     '', '-999'" in run(capsys, "info", "m.safetensors")[0]

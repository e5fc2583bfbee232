"""``cnn-core train``: from a table to a tested model in a file."""

from __future__ import annotations

import argparse
import os
import shlex
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._few import counted
from cnn_core.cli import reading, scoring
from cnn_core.cli.arguments import (
    Commands,
    UsageError,
    hidden_widths,
    monitor,
    not_negative,
    positive,
)
from cnn_core.cli.outputs import check_output
from cnn_core.cli.ranks import command_ranks
from cnn_core.cli.target import Target, target_of
from cnn_core.cli.telling import NO_BREAK, Telling, add_options, filled, size
from cnn_core.columns.choose import choose_columns
from cnn_core.columns.kinds import Category, Omitted
from cnn_core.io.arrow import ENDINGS
from cnn_core.io.places import FileTable
from cnn_core.io.sources import STDIN, expand
from cnn_core.io.tables import read

if TYPE_CHECKING:
    from cnn_core.distributed.ranks import Ranks

#: The stream of random numbers that sets rows apart.
_SPLIT = 0x7E57
#: Endings that the name of a model does not take over from its table's.
PACKED, TABLES = ("gz", "zst"), ("csv", "tsv", "tab", "txt", "dat", "data", *ENDINGS)
SHARE = 10  #: One in so many rows is to test on, and one to stop on.
ENOUGH = 5  #: Rows of a class from which on it is among those to test and to stop on.

EXAMPLES = """examples:
  cnn-core train houses.csv --target price
  cnn-core train 'rows/*.csv' --target kind -o kind.safetensors --hidden 64-32
  cnn-core train rows.csv --target y --columns zip=category --drop name
  cnn-core train homes.csv --target price --monotone size=rise --monotone age=fall
  mpiexec -n 4 cnn-core train 'rows/*.parquet' --target y --shards 8
"""


def add_parser(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "train",
        help="make a model of a table: CSV, Parquet or Feather",
        description=filled(
            "Train a network to predict one column of a table from the others. One row in "
            "ten is set apart to test it, one in ten to stop in time. The same command writes the "
            "same bytes."
        ),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.shared = True
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help=reading.FILES)
    add("--target", required=True, metavar="NAME", help="the column to predict")
    add("-o", "--output", metavar="FILE", help="the model (default the table's name.safetensors)")
    add(
        "--task",
        choices=("classification", "regression"),
        help="default: classes where the target holds words or few whole numbers",
    )
    add(
        "--hidden",
        type=hidden_widths,
        default=(100,),
        metavar="N-N",
        help="widths of the hidden layers, 0 for none (default 100)",
    )
    add(
        "--monitor",
        type=monitor,
        default="val_loss",
        metavar="NAME",
        help="what the rows to stop on are judged by: val_loss (default), val_metric (accuracy or "
        "R2), or a scorer of scikit-learn such as balanced_accuracy",
    )
    add("--epochs", type=positive, default=200, metavar="N", help="at most (default 200)")
    add("--seed", type=not_negative, default=0, metavar="N", help="default 0")
    add(
        "--shards",
        type=positive,
        default=1,
        metavar="N",
        help="runs that the rows are cut into, which processes started by mpiexec share; changes "
        "the result, which does not depend on how many they are (default 1)",
    )
    add("--threads", type=positive, metavar="N", help="at most; changes no result")
    _add_columns(parser)
    add_options(parser)
    reading.add_options(parser)
    parser.set_defaults(run=run)


def _add_columns(parser: argparse.ArgumentParser) -> None:
    """What is said of some columns."""
    add = parser.add_argument
    add(
        "--columns",
        type=reading.column_kind,
        action="append",
        default=[],
        metavar="NAME=KIND",
        help="number, category, embedding, date, drop or auto; may come again",
    )
    add("--drop", action="append", default=[], metavar="NAME", help="a column to leave out")
    add(
        "--monotone",
        type=reading.direction,
        action="append",
        default=[],
        metavar="NAME=WAY",
        help="predictions only rise, or fall, with a column of numbers; may come again",
    )


def run(options: argparse.Namespace) -> None:
    """Read, train, test, save."""
    with command_ranks(options.shards) as ranks:
        if ranks is not None and not ranks.first:
            options.quiet = True
        _run(options, ranks)


def _run(options: argparse.Namespace, ranks: Ranks | None) -> None:
    """The same as one of some ranks; the first one says and writes what there is."""
    telling, began = Telling(options), time.perf_counter()
    paths = expand(options.files)
    if ranks is not None and STDIN in paths:
        raise UsageError(
            "each process reads the rows, and one of them gets standard input; give files"
        )
    output = options.output or default_output(paths[0])
    check_output(output, paths)
    kinds = kinds_of(options)
    texts = {name: _read_as(kind) for name, kind in kinds.items() if kind != "auto"}
    table = read(paths, reading.reading(options), texts)
    for word in table.words:
        telling.remark(word)
    if table.names == (options.target,):
        raise ValueError(
            f"{table.what} has one column, the target {options.target!r}, and so nothing to "
            "predict it from; if there are more, --delimiter says what separates them"
        )
    target = target_of(table, options.target, options.task)
    kinds.pop(options.target, None)
    rows = target.rows(table)
    parts = split(target.y, options.seed, target.classes)
    train = rows.take(parts[0]).without(target.name)
    told = describe(telling, table, target, train, kinds)
    telling.remark(
        f"{counted(len(parts[0]), 'row')} to train on, {len(parts[1]):,} to stop on, "
        f"{len(parts[2]):,} to test on (--seed {options.seed})"
    )
    model, seconds = fit(options, telling, rows, target, kinds or "auto", parts, ranks)
    if ranks is not None and not ranks.first:
        return
    test = parts[2]
    rare = target.classes and scoring.has_rare(target.y)
    with telling.warnings("X has missing"):
        found = scoring.scores(model, rows.take(test), target.y[test], rare)
    guess, guessed = scoring.baseline(target.y[test], target.y[parts[0]], target.classes, rare)
    model.set_params(n_threads=None)
    reading.remember_missing(model, options.missing)
    model.save(output, times=False)
    lines = scoring.table_of({counted(len(test), "test row"): found, guess: guessed})
    telling.result(
        [*lines, f"wrote {output} ({size(output)})"],
        {
            **told,
            "rows_to_train": len(parts[0]),
            "rows_to_stop": len(parts[1]),
            "rows_to_test": len(test),
            "epochs": model.n_epochs_,
            "best_epoch": model.best_epoch_,
            "monitor": options.monitor,
            "test": scoring.finite(found),
            "baseline": {"guess": guess, **scoring.finite(guessed)},
            "training_seconds": round(seconds, 3),
            "seconds": round(time.perf_counter() - began, 3),
            "model": output,
        },
    )


def kinds_of(options: argparse.Namespace) -> dict[str, str]:
    """What --columns and --drop say of columns; a UsageError where they contradict each other."""
    kinds: dict[str, str] = {}
    for name, kind in [*options.columns, *((name, "drop") for name in options.drop)]:
        if kinds.setdefault(name, kind) != kind:
            both = [f"--columns {shlex.quote(f'{name}={one}')}" for one in (kinds[name], kind)]
            if name in options.drop:
                both[1] = f"--drop {shlex.quote(name)}"
            raise UsageError(f"{both[0]} and {both[1]} contradict each other")
    kind = kinds.get(options.target, "")
    if kind == "drop":
        raise UsageError(f"the column {options.target!r} is both the --target and left out")
    if kind == "category" and options.task == "regression":
        shown = shlex.quote(f"{options.target}={kind}")
        raise UsageError(f"--columns {shown} and --task regression contradict each other")
    return kinds


def _read_as(kind: str) -> str:
    return kind if kind in ("number", "drop") else "text"


def default_output(path: str) -> str:
    """'houses.safetensors' for data/houses.csv.gz"""
    stem = "model" if path == STDIN else os.path.basename(path)
    for endings in (PACKED, TABLES):
        start, dot, last = stem.rpartition(".")
        if dot and last.lower() in endings:
            stem = start
    return f"{stem or 'model'}.safetensors"


def split(y: np.ndarray, seed: int, classes: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows to train on, to stop on and to test on, by the seed and the number of each row.

    Of each class one row in ten is to test on, and one in ten to stop on, at least one if it has
    `ENOUGH`; classes with fewer rows share theirs. A class that is in no row to train on gives all
    its rows to them.
    """
    from cnn_core._random import uniform

    order = np.argsort(uniform(seed, _SPLIT, len(y)), kind="stable")
    part = np.zeros(len(y), np.int8)  # 1: to test on, 2: to stop on
    for rows in _strata(y, order) if classes else [order]:
        count = max(1, round(len(rows) / SHARE)) if len(rows) >= ENOUGH else 0
        part[rows[:count]], part[rows[count : 2 * count]] = 1, 2
    if classes:
        part[~np.isin(y, y[part == 0])] = 0
    train, test, stop = (np.flatnonzero(part == i) for i in range(3))
    if not len(test) or not len(stop):
        raise ValueError(
            "nearly every class has one row; rows to test on need others of their kind"
        )
    return train, stop, test


def _strata(y: np.ndarray, order: np.ndarray) -> list[np.ndarray]:
    """The rows of each class, in an order; last those of all classes with few rows."""
    found, labels, counts = np.unique(y[order], return_inverse=True, return_counts=True)
    labels = np.where(counts[labels] < ENOUGH, len(found), labels)
    ends = np.cumsum(np.bincount(labels, minlength=len(found) + 1))
    return np.split(order[np.argsort(labels, kind="stable")], ends[:-1])


def describe(
    telling: Telling, table: FileTable, target: Target, train: Any, kinds: dict[str, str]
) -> dict[str, Any]:
    """Say what was read; the same for JSON."""
    columns = choose_columns(train, kinds)
    counts = Counter(column.kind for column in columns)
    many = {"number": "numbers", "category": "categories", "embedding": "embeddings"}
    many |= {"date": "dates", "drop": "left out"}
    shown = [
        f"{count:,} left out" if kind == "drop" else counted(count, kind, many[kind])
        for kind in many
        if (count := counts[kind])
    ]
    telling.remark(
        f"{table.what}: {counted(table.n_rows, 'row')}, {counted(len(table.names), 'column')}: the "
        f"target and {', '.join(shown).replace(' ', NO_BREAK).replace(',' + NO_BREAK, ', ')}"
    )
    read = [name for name in train.names if kinds.get(name) != "drop"]
    missing = {str(name): count for name in read if (count := int(table[name].missing.sum()))}
    categories = {str(one.name): len(one.values) for one in columns if isinstance(one, Category)}
    omitted = {str(one.name): one.why for one in columns if isinstance(one, Omitted)}
    for what, found in (("missing entries", missing), ("categories", categories)):
        if found:
            listed = ", ".join(f"{name} {count:,}" for name, count in found.items())
            telling.remark(f"  {what}: {listed}", "    ")
    unasked = {name: why for name, why in omitted.items() if why}
    for name, why in unasked.items():
        telling.remark(f"  left out: {name} ({why})", "    ")
    if unasked:
        telling.remark("  --columns NAME=category, or another kind, keeps a column", "    ")
    telling.remark(target.words)
    if target.left_out:
        telling.remark(f"{counted(target.left_out, 'row')} without {target.name} left out")
    return {
        "file": table.what,
        "rows": table.n_rows,
        "columns": {str(one.name): one.kind for one in columns},
        "missing": missing,
        "categories": categories,
        "left_out": omitted,
        "target": target.name,
        "task": target.task,
        "rows_without_target": target.left_out,
    }


def fit(
    options: argparse.Namespace,
    telling: Telling,
    rows: Any,
    target: Target,
    columns: Any,
    parts: tuple[np.ndarray, np.ndarray, np.ndarray],
    ranks: Ranks | None = None,
) -> tuple[Any, float]:
    """The trained model, and how long that took."""
    from cnn_core import MLP

    began = time.perf_counter()
    metric = "val_accuracy" if target.classes else "val_R2"
    words = {options.monitor: options.monitor, "val_metric": metric}  # what matters first
    words |= {"val_loss": "val_loss", "loss": "loss"}

    def tell(model: MLP, epoch: int, logs: dict[str, float]) -> None:
        shown = "  ".join(f"{word} {logs[name]:.4g}" for name, word in words.items())
        telling.progress(
            f"epoch {epoch}/{options.epochs}  {time.perf_counter() - began:.1f} s  {shown}"
        )

    model = MLP(
        options.hidden,
        task=target.task,  # type: ignore[arg-type]
        columns=columns,
        monotone=dict(options.monotone) or None,
        epochs=options.epochs,
        early_stopping=True,
        monitor=options.monitor,
        shards=options.shards,
        n_threads=options.threads,
        random_state=options.seed,
        callbacks=tell,
    )
    given: list[Any] = [rows.take(part) for part in parts[:2]]
    if ranks is not None:
        from cnn_core.distributed import Shared

        given = list(map(Shared, given))  # each rank has read all rows
    with telling.warnings("columns='auto' leaves out"):
        model.fit(
            given[0],
            target.name,
            validation_data=(given[1], target.name),
            ranks=ranks,
        )
    seconds = time.perf_counter() - began
    model.set_params(callbacks=())
    telling.remark(
        f"{counted(model.n_epochs_, 'epoch')} in {seconds:.1f} s; the weights are those of epoch "
        f"{model.best_epoch_}, the best by {options.monitor}"
    )
    return model, seconds

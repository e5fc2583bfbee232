"""``cnn-core predict``: predictions for the rows of a table, block by block."""

from __future__ import annotations

import argparse
import functools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnn_core._few import counted
from cnn_core.cli import predict_files, reading
from cnn_core.cli.arguments import Commands, UsageError, positive
from cnn_core.cli.outputs import check_output
from cnn_core.cli.scoring import is_classifier
from cnn_core.cli.telling import Telling, add_options, filled
from cnn_core.io.output import check_name, writes_types, writing
from cnn_core.io.sources import STDIN, expand
from cnn_core.io.tables import Blocks

EXAMPLES = """examples:
  cnn-core predict houses.safetensors new.csv -o out.csv --keep id
  cnn-core predict kind.safetensors new.parquet -o out.parquet --proba
  zcat new.csv.gz | cnn-core predict houses.safetensors - > out.csv
  cnn-core predict kind.safetensors "in/*.parquet" -o out/ --jobs 4
"""


def add_parser(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "predict",
        help="predict with a model, for each row of a table",
        description=filled(
            "Predict for each row of a table, in order. Columns are found by their names; "
            "the target may be among them or not. Memory does not grow with the rows."
        ),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="a file that train or save has written")
    add("files", nargs="+", metavar="FILE", help=reading.FILES)
    add(
        "-o",
        "--output",
        default=STDIN,
        metavar="FILE",
        help=".csv, .csv.gz, .tsv or .parquet; or a folder/, for a file of predictions for each "
        "file, where those that are done are left as they are",
    )
    add("--jobs", type=positive, default=1, metavar="N", help="files at once, of a folder's")
    add("--proba", action="store_true", help="a column for the probability of each class, too")
    add(
        "--keep",
        action="append",
        default=[],
        metavar="NAME",
        help="a column of the table to write beside the predictions; may come again",
    )
    add("--threads", type=positive, metavar="N", help="at most (1 a job); changes no result")
    add_options(parser)
    reading.add_options(parser)
    parser.set_defaults(run=lambda options: run(options, parser))


def run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Predict and write."""
    if options.json and options.output == STDIN:
        parser.error("--json and predictions on standard output need each their own: give -o FILE")
    paths = expand(options.files)
    if predict_files.is_folder(options.output):
        predict_files.run(options, paths, predict)
        return
    if options.jobs > 1:
        parser.error("--jobs is for several files, each with its own predictions: give -o FOLDER/")
    telling = Telling(options)
    try:
        check_name(options.output)
    except ValueError as error:
        raise UsageError(str(error)) from None
    check_output(options.output, [options.model, *paths])
    done = predict(options, paths, options.output, telling)
    if options.output == STDIN:
        telling.end_progress()
        return
    telling.result(
        [f"wrote {counted(done.rows, 'prediction')} to {options.output}"],
        {"rows": done.rows, "output": options.output, "missing": done.gaps},
    )


def predict(
    options: argparse.Namespace, paths: Sequence[str], output: str, telling: Telling
) -> predict_files.Done:
    """Predict for the rows of some files, and write one.

    Parameters
    ----------
    options : namespace
        Of the command.
    paths : sequence of str
    output : str
    telling : Telling
    """
    path = os.path.abspath(options.model)
    model = _loaded(path, os.stat(options.model).st_mtime_ns, options.threads)
    if options.proba and not is_classifier(model):
        raise UsageError(f"{options.model} is a regression, which has no probabilities (--proba)")
    blocks = Blocks(paths, reading.as_in_training(options, model, paths, telling))
    for word in blocks.words:
        telling.remark(word)
    blocks.check(options.keep, " to keep")
    if writes_types(output):
        blocks.keep_numbers(options.keep)
    inputs = reading.Inputs(model, blocks.names, blocks.what, options.keep)
    n_rows = 0
    with writing(output) as write, telling.warnings("X has missing"):
        for block in blocks.read(inputs.kinds, options.keep):
            predicted = predictions(model, inputs.of(block.table), options.proba)
            write(_without_clash(block.kept, predicted))
            n_rows += block.table.n_rows
            telling.progress(counted(n_rows, "row"))
        if not n_rows:
            telling.remark(f"note: {blocks.what} has no rows, and so there are no predictions")
            one = predictions(model, inputs.nothing(), options.proba)
            nothing = {name: column[:0] for name, column in one.items()}
            write(_without_clash(blocks.nothing(options.keep), nothing))
    for word in blocks.remarks:
        telling.remark(word)
    inputs.tell_gaps(telling)
    return predict_files.Done(output, n_rows, inputs.gaps)


@functools.lru_cache(maxsize=1)
def _loaded(path: str, written: int, threads: int | None) -> Any:
    """The model, which several files of rows may be for."""
    return reading.load(path, threads)


def predictions(model: Any, X: Any, proba: bool) -> dict[str, np.ndarray]:
    """Columns of predictions."""
    found = np.asarray(model.predict(X))
    if found.ndim == 1:
        columns = {"prediction": found}
    else:
        columns = {f"prediction_{i}": column for i, column in enumerate(found.T, 1)}
    if proba:
        probabilities = model.predict_proba(X).T
        columns |= {f"proba_{one}": p for one, p in zip(model.classes_, probabilities)}
    return columns


def _without_clash(kept: dict[str, Any], predicted: dict[str, np.ndarray]) -> dict[str, Any]:
    """Both; a column that is kept has its name, and a prediction another one."""
    columns = dict(kept)
    for name, column in predicted.items():
        while name in columns:
            name += "_"
        columns[name] = column
    return columns

"""``cnn-core evaluate``: how good a model is on the rows of a table."""

from __future__ import annotations

import argparse

from cnn_core.cli import reading, scoring
from cnn_core.cli.arguments import Commands, positive
from cnn_core.cli.telling import Telling, add_options, plural
from cnn_core.data.validation import listed
from cnn_core.io.places import FileTable
from cnn_core.io.sources import STDIN, expand
from cnn_core.io.tables import Blocks, read


def add_parser(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "evaluate",
        help="say how good a model is on the rows of a table",
        description="Compare a model's predictions with a column of a table, and both with always "
        "guessing the mean or the largest class of these rows.",
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="a file that train or save has written")
    add("files", nargs="+", metavar="FILE", help=reading.FILES)
    add("--target", required=True, metavar="NAME", help="the column that holds what is right")
    add("--threads", type=positive, metavar="N", help="at most; changes no result")
    add_options(parser)
    reading.add_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Read, predict, compare."""
    telling = Telling(options)
    model = reading.load(options.model, options.threads)
    classes = scoring.is_classifier(model)
    table = _table(options, telling, model)
    inputs = reading.Inputs(model, list(map(str, table.names)), table.what, [options.target])
    y = reading.labels_of(table[options.target], model, options.target, table)
    with telling.warnings("X has missing"):
        found = scoring.scores(model, inputs.of(table), y)
    inputs.tell_gaps(telling)
    guess, guessed = scoring.baseline(y, y, classes)
    telling.result(
        scoring.table_of({plural(table.n_rows, "row"): found, guess: guessed}),
        {
            "rows": table.n_rows,
            **scoring.finite(found),
            "baseline": {"guess": guess, **scoring.finite(guessed)},
        },
    )


def _table(options: argparse.Namespace, telling: Telling, model: object) -> FileTable:
    """All rows, each column read as the model needs it."""
    paths, how = expand(options.files), reading.reading(options)
    kinds: dict[str, str] = {}
    if STDIN not in paths:
        blocks = Blocks(paths, how)
        blocks.check([options.target], "")
        kinds = reading.Inputs(model, blocks.names, blocks.what, [options.target]).kinds
    kinds.pop(options.target, None)
    if not scoring.is_classifier(model):
        kinds[options.target] = "number"
    table = read(paths, how, kinds)
    if options.target not in table:
        raise ValueError(
            f"{table.what} has no column {options.target!r}; it has {listed(table.names)}"
        )
    for word in table.words:
        telling.remark(word)
    return table

"""``cnn-core evaluate``: how good a model is on the rows of a table."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._few import counted
from cnn_core.cli import reading, scoring
from cnn_core.cli.arguments import Commands, UsageError, positive
from cnn_core.cli.telling import Telling, add_options
from cnn_core.data.validation import listed
from cnn_core.io.places import FileTable
from cnn_core.io.sources import STDIN, expand
from cnn_core.io.tables import Blocks, read

if TYPE_CHECKING:
    from cnn_core.explanations import Importances


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
    add(
        "--target",
        metavar="NAME",
        help="the column that holds what is right (default that of training, if the model has it)",
    )
    add(
        "--importances",
        action="store_true",
        help="also by how much the score falls when a column is shuffled, for each",
    )
    add("--threads", type=positive, metavar="N", help="at most; changes no result")
    add_options(parser)
    reading.add_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Read, predict, compare."""
    telling = Telling(options)
    model = reading.load(options.model, options.threads)
    classes = scoring.is_classifier(model)
    known = reading.target_names(model)
    target = options.target = _target(options, known)
    table = _table(options, telling, model)
    present = np.flatnonzero(~table[target].missing)
    if not len(present):
        raise ValueError(f"no row of {table.what} has a {target!r} to compare with")
    inputs = reading.Inputs(model, list(map(str, table.names)), table.what, [target])
    y = reading.labels_of(model, target, table, present)
    X = inputs.of(table)
    X = X[present] if isinstance(X, np.ndarray) else X.take(present)
    left_out = table.n_rows - len(present)
    if left_out:
        telling.remark(f"{counted(left_out, 'row')} without {target} left out")
    rare = classes and scoring.has_rare(y)
    importances = None
    with telling.warnings("X has missing"):
        found = scoring.scores(model, X, y, rare)
        if options.importances:
            importances = model.importances(X, y)
    if known and target not in known:
        telling.remark(f"note: {options.model} was trained to predict {listed(known)}")
    inputs.tell_gaps(telling)
    guess, guessed = scoring.baseline(y, y, classes, rare)
    lines = scoring.table_of({counted(len(y), "row"): found, guess: guessed})
    telling.result(
        lines if importances is None else [*lines, "", *str(importances).splitlines()],
        {
            "target": target,
            "rows": len(y),
            "rows_without_target": left_out,
            **scoring.finite(found),
            "baseline": {"guess": guess, **scoring.finite(guessed)},
            **({} if importances is None else {"importances": _listed(importances)}),
        },
    )


def _listed(found: Importances) -> list[dict[str, Any]]:
    """Importances for JSON, the largest first."""
    return [
        {
            "column": str(found.names[i]),
            **scoring.finite(
                {
                    "importance": float(found.values[i]),
                    "sd": float(found.sd[i]),
                    "direction": float(found.direction[i]),
                }
            ),
        }
        for i in found.order.tolist()
    ]


def _target(options: argparse.Namespace, known: tuple[str, ...]) -> str:
    """The column to compare with: the one that is named, or that of training."""
    asked = options.target
    if asked is None:
        if len(known) != 1:
            why = f"was trained on {listed(known)}" if known else "does not say what it predicts"
            raise UsageError(f"{options.model} {why}: --target NAME says which column to compare")
        asked = known[0]
    return str(asked)


def _table(options: argparse.Namespace, telling: Telling, model: object) -> FileTable:
    """All rows, each column read as the model needs it."""
    paths = expand(options.files)
    how = reading.as_in_training(options, model, paths, telling)
    kinds: dict[str, str] = {}
    if STDIN not in paths:
        blocks = Blocks(paths, how)
        blocks.check([options.target], "")
        inputs = reading.Inputs(model, blocks.names, blocks.what, [options.target])
        kinds = dict.fromkeys(blocks.names, "drop") | inputs.kinds
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

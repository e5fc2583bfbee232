"""``cnn-core info``: what a model file holds."""

from __future__ import annotations

import argparse
import math
import textwrap
from typing import Any

from cnn_core.cli import reading
from cnn_core.cli.arguments import Commands
from cnn_core.cli.telling import WIDTH, Telling, add_options, size
from cnn_core.training.history import OF_THE_LOOP


def add_parser(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "info",
        help="say what is in a model file",
        description="Say what a model file holds: network, columns, classes, training.",
    )
    parser.add_argument("model", metavar="MODEL", help="a file that train or save has written")
    add_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Read and print."""
    model = reading.load(options.model)
    found = {"file": options.model, **described(model)}
    lines = [f"{options.model} ({size(options.model)})"]
    lines += [_line(name, value) for name, value in found.items() if name != "file"]
    columns = getattr(model, "columns_", None)
    if columns is not None:
        lines = [one for one in lines if not one.startswith("columns")]
        lines += ["columns", *(f"  {one}" for one in str(columns).splitlines())]
    Telling(options).result([one for one in lines if one], found)


def described(model: Any) -> dict[str, Any]:
    """What there is to say of a model."""
    weights = getattr(model, "weights_", None)
    if weights is None:  # as scikit-learn has them
        weights = [matrix.T for matrix in model.coefs_]
    widths = [weights[0].shape[1], *(len(matrix) for matrix in weights)]
    classes = getattr(model, "classes_", None)
    columns = getattr(model, "columns_", None)
    history = getattr(model, "history_", {})
    best = getattr(model, "best_epoch_", None)
    names = getattr(model, "feature_names_in_", None)
    last = {
        name: values[-1]
        for name, values in history.items()
        if name not in OF_THE_LOOP and values and math.isfinite(values[-1])
    }
    return {
        "class": type(model).__name__,
        "task": "regression" if classes is None else "classification",
        "network": "-".join(map(str, widths)),
        "parameters": len(model.parameters_)
        if hasattr(model, "parameters_")
        else sum(matrix.size + len(matrix) for matrix in weights),
        "dtype": str(weights[0].dtype),
        "target": ", ".join(reading.target_names(model)) or None,
        "missing": [repr(one) for one in reading.missing_texts(model)] or None,
        "classes": None if classes is None else [str(one) for one in classes],
        "epochs": getattr(model, "n_epochs_", getattr(model, "n_iter_", None)),
        "best_epoch": best,
        "last_epoch": last,
        "columns": {str(one.name): one.kind for one in columns.columns}
        if columns is not None
        else None
        if names is None
        else [str(one) for one in names],
    }


def _line(name: str, value: Any) -> str:
    """A line of text about one thing."""
    if value is None or value == {}:
        return ""
    if isinstance(value, dict):
        value = ", ".join(
            f"{key} {one:.4g}" if isinstance(one, float) else f"{key} {one}"
            for key, one in value.items()
        )
    elif isinstance(value, list):
        value = ", ".join(value[:20]) + (", ..." if len(value) > 20 else "")
    elif isinstance(value, int):
        value = f"{value:,}"
    label = f"{name.replace('_', ' '):<12}"
    return textwrap.fill(f"{label}{value}", WIDTH, subsequent_indent=" " * 12)

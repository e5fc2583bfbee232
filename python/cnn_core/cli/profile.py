"""``cnn-core profile``: where the time of training a network goes."""

import argparse
from typing import Any

import numpy as np

import cnn_core
from cnn_core.cli.arguments import Commands, widths


def add_parser(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "profile",
        help="say where the time of training a network goes",
        description="Train a network on synthetic rows and say where the time goes, layer by layer "
        "and phase by phase, against what this machine can do and against NumPy and plain Python.",
    )
    add = parser.add_argument
    add(
        "--widths",
        type=widths,
        default=(784, 128, 10),
        metavar="N-N-N",
        help="inputs, hidden layers, outputs (default 784-128-10)",
    )
    add("--rows", type=int, default=10000, metavar="N", help="to train on (default 10000)")
    add("--batch", type=int, default=128, metavar="N", help="rows of a mini-batch (default 128)")
    add("--activation", default="relu", metavar="NAME", help="of the hidden layers (default relu)")
    add("--optimizer", default="adam", metavar="NAME", help="(default adam)")
    add("--dtype", default="float32", choices=("float32", "float64"), help="(default float32)")
    add(
        "--threads",
        type=int,
        metavar="N",
        help="to compare one with (default as many as there are)",
    )
    add(
        "--seconds",
        type=float,
        default=1.0,
        metavar="S",
        help="about how long to measure; plain Python takes as much again (default 1)",
    )
    add("--plot", metavar="FILE.png", help="draw a bar chart too; needs matplotlib")
    parser.set_defaults(run=lambda options: run(options, parser))


def run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Profile a network on synthetic data and print the result."""
    try:
        found = measure(options)
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    print(found, flush=True)
    if options.plot is not None:
        found.plot(options.plot)
        print(f"Chart: {options.plot}")


def measure(options: argparse.Namespace) -> Any:
    """The profile of the network that the options describe."""
    from cnn_core.profile import check  # not needed by those who only ask for --help

    widths, rows = options.widths, options.rows
    lbfgs = options.optimizer == "lbfgs"  # needs full batches, and `check` refuses it
    model = cnn_core.MLP(
        widths[1:-1],
        options.activation,
        output="auto" if widths[-1] == 1 else "softmax",
        task="classification",
        optimizer=options.optimizer,
        batch_size="full" if lbfgs else options.batch,
        dtype=options.dtype,
        n_threads=options.threads,
        random_state=0,
    )
    classes = max(2, widths[-1])
    if rows < classes:
        raise ValueError(f"--rows must be at least the number of classes, {classes}, got {rows}")
    check(model, options.seconds, options.plot)  # before the rows are made
    X, y = synthetic_data(widths[0], classes, rows, options.dtype)
    return model.profile(X, y, seconds=options.seconds)


def synthetic_data(
    features: int, classes: int, rows: int, dtype: str
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Random inputs, and every class about as often as the others."""
    rng = np.random.default_rng(0)
    X = rng.random((rows, features), np.dtype(dtype).type)
    return X, rng.permutation(np.arange(rows) % classes)

"""``cnn-core profile``: where the time of training a network goes."""

import argparse
from typing import Any

import numpy as np

import cnn_core
from cnn_core._activations import names as activation_names
from cnn_core._memory_size import available, gigabytes
from cnn_core.cli.arguments import Commands, one_of, positive, seconds, widths
from cnn_core.cli.memory import needed, parameters_of
from cnn_core.optimizers import OPTIMIZERS, get_optimizer
from cnn_core.task import HARD_THRESHOLD

#: L-BFGS has no mini-batches, and hidden layers of a hard threshold cannot learn.
OPTIMIZER_NAMES = tuple(name for name in OPTIMIZERS if name != "lbfgs")
ACTIVATION_NAMES = tuple(name for name in activation_names() if name not in HARD_THRESHOLD)


def optimizer(text: str) -> str:
    """The name of an optimizer that takes a step for each mini-batch."""
    if text == "lbfgs":
        raise argparse.ArgumentTypeError(
            f"lbfgs has no mini-batches to measure; choose from {', '.join(OPTIMIZER_NAMES)}"
        )
    return one_of("optimizer", OPTIMIZER_NAMES)(text)


#: Option: what argparse is told of it.
OPTIONS: dict[str, dict[str, Any]] = {
    "--widths": dict(
        type=widths,
        default=(784, 128, 10),
        metavar="N-N-N",
        help="inputs, neurons of each hidden layer, outputs (default 784-128-10)",
    ),
    "--rows": dict(
        type=positive,
        default=10000,
        metavar="N",
        help="rows that an epoch trains on, at least one for each output (default 10000)",
    ),
    "--batch": dict(
        type=positive,
        default=128,
        metavar="N",
        help="rows of a mini-batch; rprop takes all rows (default 128)",
    ),
    "--activation": dict(
        type=one_of("activation", ACTIVATION_NAMES),
        default="relu",
        metavar="NAME",
        help=f"of the hidden layers: {', '.join(ACTIVATION_NAMES)} (default relu)",
    ),
    "--optimizer": dict(
        type=optimizer,
        default="adam",
        metavar="NAME",
        help=f"rule of the steps: {', '.join(OPTIMIZER_NAMES)} (default adam)",
    ),
    "--dtype": dict(
        default="float32",
        choices=("float32", "float64"),
        help="precision of all numbers (default float32)",
    ),
    "--threads": dict(
        type=positive,
        metavar="N",
        help="the most threads of the line that is compared with one thread; 1 leaves it out "
        "(default as many as there are processors)",
    ),
    "--seconds": dict(
        type=seconds,
        default=1.0,
        metavar="S",
        help="about how long to measure; plain Python takes as much again (default 1)",
    ),
    "--plot": dict(
        metavar="FILE.png",
        help="draw a bar chart into this file too; needs matplotlib (default none)",
    ),
}


def add_parser(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "profile",
        help="say where the time of training a network goes",
        description="Train a network on synthetic rows and say where the time goes, layer by layer "
        "and phase by phase, against what this machine can do and against NumPy and plain Python.",
    )
    for name, options in OPTIONS.items():
        parser.add_argument(name, **options)
    parser.set_defaults(run=lambda options: run(options, parser))


def run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Profile a network on synthetic data and print the result."""
    try:
        found = measure(options)
    except (TypeError, ValueError, MemoryError) as error:
        parser.error(str(error))
    print(found, flush=True)
    if options.plot is not None:
        found.plot(options.plot)
        print(f"Chart: {options.plot}")


def measure(options: argparse.Namespace) -> Any:
    """The profile of the network that the options describe."""
    from cnn_core.profile import check  # not needed by those who only ask for --help

    widths, rows = options.widths, options.rows
    check_size(options)
    model = cnn_core.MLP(
        widths[1:-1],
        options.activation,
        output="auto" if widths[-1] == 1 else "softmax",
        task="classification",
        optimizer=options.optimizer,
        batch_size="full" if get_optimizer(options.optimizer).full_batch else options.batch,
        dtype=options.dtype,
        n_threads=options.threads,
        random_state=0,
    )
    check(model, options.seconds, options.plot)  # before the rows are made
    X, y = synthetic_data(widths[0], max(2, widths[-1]), rows, options.dtype)
    return model.profile(X, y, seconds=options.seconds)


def check_size(options: argparse.Namespace) -> None:
    """Raise for fewer rows than classes, and for a network that does not fit into memory."""
    widths, rows = options.widths, options.rows
    if rows < max(2, widths[-1]):
        raise ValueError(
            f"--rows must be at least the number of classes, {max(2, widths[-1])}, got {rows}"
        )
    size, there = needed(widths, rows, np.dtype(options.dtype).itemsize), available()
    if there is not None and size > there:
        raise ValueError(
            f"--widths {'-'.join(map(str, widths))} has {parameters_of(widths):,} parameters, and "
            f"with {rows:,} rows a profile takes at least {gigabytes(size)} of memory; there are "
            f"{gigabytes(there)}"
        )


def synthetic_data(
    features: int, classes: int, rows: int, dtype: str
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Random inputs, and every class about as often as the others."""
    rng = np.random.default_rng(0)
    X = rng.random((rows, features), np.dtype(dtype).type)
    return X, rng.permutation(np.arange(rows) % classes)

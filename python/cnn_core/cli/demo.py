"""``cnn-core demo``: from data to a tested model, and where the time went."""

import textwrap
import time

import numpy as np

from cnn_core import MLP, instruction_set, instruction_sets
from cnn_core.callbacks import PhaseTimer
from cnn_core.cli.arguments import Commands, not_negative, positive
from cnn_core.datasets import load_digits

LINES = 10  #: epochs that are told of


def add_parser(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "demo",
        help="train on 1,437 handwritten digits and test on 360 others",
        description="Train on 1,437 of the bundled handwritten digits, test on the other 360, "
        "and say where the time went.",
    )
    parser.add_argument(
        "--epochs",
        type=positive,
        default=50,
        metavar="N",
        help="passes over the training rows, at least 1 (default 50)",
    )
    parser.add_argument(
        "--seed",
        type=not_negative,
        default=0,
        metavar="N",
        help="a whole number that determines initial weights and shuffling (default 0)",
    )
    parser.set_defaults(run=lambda options: run(options.epochs, options.seed))


def run(epochs: int, seed: int) -> float:
    """Train on four fifths of the digits, test on the others, print what happens.

    Parameters
    ----------
    epochs, seed : int

    Returns
    -------
    float
        Accuracy on the test rows.
    """
    X, y = load_digits()
    X /= 16
    test = np.arange(len(X)) % 5 == 0

    def tell(model: MLP, epoch: int, logs: dict[str, float]) -> None:
        if epoch == epochs or epoch % -(-epochs // LINES) == 0:
            print(
                f"epoch {epoch:{len(str(epochs))}}/{epochs}  loss {logs['loss']:.3f}  "
                f"accuracy {logs['metric']:.3f}  val_loss {logs['val_loss']:.3f}  "
                f"val_accuracy {logs['val_metric']:.3f}",
                flush=True,
            )

    timer = PhaseTimer()
    model = MLP(hidden=(128,), epochs=epochs, random_state=seed, callbacks=(tell, timer))
    print(
        f"Handwritten digits, 8 x 8 pixels: {np.sum(~test):,} to train on, {np.sum(test)} to test "
        f"on.\nA 64-128-10 network, {128 * 65 + 10 * 129:,} parameters, Adam, batches of 32, in "
        f"float32 with\n{instruction_set()} (this machine has {', '.join(instruction_sets())}).\n",
        flush=True,
    )
    start = time.perf_counter()
    model.fit(X[~test], y[~test], validation_data=(X[test], y[test]))
    seconds = time.perf_counter() - start

    accuracy = model.score(X[test], y[test])
    phases = timer.seconds
    steps = sum(phases.values())
    told = (
        f"Test accuracy {accuracy:.1%} after {epochs} epoch{'s' * (epochs > 1)}. Training took "
        f"{steps * 1e3:.0f} ms; checks, validation after every epoch and printing took "
        f"{(seconds - steps) * 1e3:.0f} ms. Where the time of training went:"
    )
    print(f"\n{textwrap.fill(told, 78)}\n")
    print(phase_table(phases, steps))
    return accuracy


def phase_table(phases: dict[str, float], seconds: float) -> str:
    """A line a phase, with a bar of at most 30 columns; the columns stand below each other."""
    widest, longest = max(map(len, phases)), max(phases.values())
    lines = (
        f"  {name:<{widest}} {spent * 1e3:8.1f} ms {spent / seconds:5.0%}  "
        f"{'#' * round(30 * spent / longest)}"
        for name, spent in phases.items()
    )
    return "\n".join(line.rstrip() for line in lines)

"""The command line: ``cnn-core demo`` and ``cnn-core profile``, also ``python -m cnn_core
demo``."""

import argparse
import sys

import cnn_core


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Default ``sys.argv[1:]``.

    Returns
    -------
    int
        Exit status.
    """
    parser = argparse.ArgumentParser(prog="cnn-core", description="Multilayer perceptrons on CPUs.")
    parser.add_argument("--version", action="version", version=f"cnn-core {cnn_core.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    demo = commands.add_parser(
        "demo",
        help="train on 1,437 handwritten digits and test on 360 others",
        description="Train on 1,437 of the bundled handwritten digits, test on the other 360, "
        "and say where the time went.",
    )
    demo.add_argument(
        "--epochs",
        type=int,
        default=50,
        metavar="N",
        help="passes over the training rows (default 50)",
    )
    demo.add_argument(
        "--seed", type=int, default=0, metavar="N", help="for weights and shuffling (default 0)"
    )
    profile = commands.add_parser(
        "profile",
        help="say where the time of training a network goes",
        description="Train a network on made-up rows and say where the time goes, layer by "
        "layer and phase by phase, against what this machine can do and against "
        "NumPy and plain Python.",
    )
    profile.add_argument(
        "--widths",
        type=widths,
        default=(784, 128, 10),
        metavar="N-N-N",
        help="inputs, hidden layers, outputs (default 784-128-10)",
    )
    profile.add_argument(
        "--rows", type=int, default=10000, metavar="N", help="to train on (default 10000)"
    )
    profile.add_argument(
        "--batch", type=int, default=128, metavar="N", help="rows of a mini-batch (default 128)"
    )
    profile.add_argument(
        "--activation", default="relu", metavar="NAME", help="of the hidden layers (default relu)"
    )
    profile.add_argument("--optimizer", default="adam", metavar="NAME", help="default adam")
    profile.add_argument(
        "--dtype", default="float32", choices=("float32", "float64"), help="default float32"
    )
    profile.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="to compare one with (default as many as there are)",
    )
    profile.add_argument(
        "--seconds",
        type=float,
        default=1.0,
        metavar="S",
        help="about how long to measure; plain Python takes as much again (default 1)",
    )
    profile.add_argument(
        "--plot", metavar="FILE.png", help="draw a bar chart too; needs matplotlib"
    )
    options = parser.parse_args(arguments)
    if options.command == "demo" and (options.epochs < 1 or options.seed < 0):
        demo.error("--epochs must be at least 1 and --seed at least 0")

    try:
        if options.command == "demo":
            from cnn_core.demo import run

            run(options.epochs, options.seed)
        else:
            from cnn_core._profile import command

            chosen = vars(options)
            del chosen["command"]
            try:
                command(**chosen)
            except (TypeError, ValueError) as error:
                profile.error(str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
    except (ImportError, OSError) as error:
        print(f"cnn-core: {error}", file=sys.stderr)
        return 1
    return 0


def widths(text: str) -> tuple[int, ...]:
    """'784-128-10' as numbers."""
    parts = text.split("-")
    if len(parts) < 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(
            f"must be two numbers or more such as 784-128-10, got {text!r}"
        )
    return tuple(map(int, parts))


if __name__ == "__main__":
    sys.exit(main())

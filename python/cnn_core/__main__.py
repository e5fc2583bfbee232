"""The command line: ``cnn-core demo``, also ``python -m cnn_core demo``."""

import argparse
import sys

import cnn_core


def main(arguments=None):
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
    demo = commands.add_parser("demo", help="train on 1,437 handwritten digits and test on 360 others",
                               description="Train on 1,437 of the bundled handwritten digits, test on the other 360, "
                                           "and say where the time went.")
    demo.add_argument("--epochs", type=int, default=50, metavar="N", help="passes over the training rows (default 50)")
    demo.add_argument("--seed", type=int, default=0, metavar="N", help="for weights and shuffling (default 0)")
    options = parser.parse_args(arguments)
    if options.epochs < 1 or options.seed < 0:
        demo.error("--epochs must be at least 1 and --seed at least 0")

    from cnn_core.demo import run

    try:
        run(options.epochs, options.seed)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
    except OSError as error:
        print(f"cnn-core: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

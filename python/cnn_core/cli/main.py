"""``cnn-core``: the commands, and what becomes of their errors."""

import argparse
import sys
from collections.abc import Sequence

import cnn_core
from cnn_core.cli import demo, profile


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default ``sys.argv[1:]``.

    Returns
    -------
    int
        Exit status.
    """
    parser = argparse.ArgumentParser(prog="cnn-core", description="Multilayer perceptrons on CPUs.")
    parser.add_argument("--version", action="version", version=f"cnn-core {cnn_core.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for command in (demo, profile):
        command.add_parser(commands)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
    except (ImportError, OSError) as error:
        print(f"cnn-core: {error}", file=sys.stderr)
        return 1
    return 0

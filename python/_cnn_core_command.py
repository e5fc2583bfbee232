"""The program ``cnn-core``. It stands outside of the package, so that Ctrl-C while the package is
being imported is heard as it is later."""

import sys


def main() -> int:
    """Import the command line and run it; see `cnn_core.cli`."""
    try:
        from cnn_core.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130

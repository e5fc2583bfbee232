"""The program ``cnn-core``. It stands outside of the package, so that Ctrl-C while the package is
being imported is heard as it is later."""

import os
import sys


def main() -> int:
    """Import the command line and run it; see `cnn_core.cli`."""
    try:
        from cnn_core.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        _leave_output()


def _leave_output() -> None:
    """Give up what standard output does not take: Python would try again, and complain."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)

"""``cnn-core``: the commands, and what becomes of their errors."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout

import cnn_core
from cnn_core._names import nearest
from cnn_core._spoken import on_the_command_line
from cnn_core.cli import convert, demo, evaluate, export, info, predict, profile, train
from cnn_core.cli.arguments import Parser, UsageError
from cnn_core.cli.telling import sentence

#: What other programs call a command.
MEANT = {"fit": "train", "run": "train", "test": "evaluate", "score": "evaluate", "show": "info"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; without arguments, print the help.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default ``sys.argv[1:]``.

    Returns
    -------
    int
        Exit status.
    """
    with _standard_streams():
        return _run(sys.argv[1:] if arguments is None else arguments)


@contextmanager
def _standard_streams() -> Iterator[None]:
    """Streams that lead nowhere, for those that the process was started without."""
    with ExitStack() as stack:
        for stream, redirect in ((sys.stdout, redirect_stdout), (sys.stderr, redirect_stderr)):
            if stream is None:
                stack.enter_context(redirect(stack.enter_context(open(os.devnull, "w"))))
        yield


def _run(arguments: Sequence[str]) -> int:
    """`main`, with arguments."""
    parser = Parser(
        prog="cnn-core",
        description="Multilayer perceptrons on CPUs. 'cnn-core COMMAND --help' says more about a "
        "command.",
    )
    parser.add_argument("--version", action="version", version=f"cnn-core {cnn_core.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for command in (train, predict, evaluate, info, convert, export, demo, profile):
        command.add_parser(commands)
    if not arguments:
        parser.print_help()
        return 0
    word = arguments[0]
    if not word.startswith("-") and word not in commands.choices:
        parser.error(f"unknown command {word!r}; {_hint(word, tuple(commands.choices))}")
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    try:
        with on_the_command_line():
            options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        return 0
    except (ImportError, OSError, ValueError, TypeError, MemoryError) as error:
        print(f"cnn-core: {sentence(error)}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return 0


def _hint(word: str, commands: tuple[str, ...]) -> str:
    """What may be meant by a command that there is not."""
    close = MEANT.get(word) or nearest(word, commands)
    if close:
        return f"did you mean {close!r}?"
    return f"the commands are {', '.join(commands[:-1])} and {commands[-1]}"

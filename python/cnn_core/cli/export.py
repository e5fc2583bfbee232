"""``cnn-core export``: a model as a C99 header."""

from __future__ import annotations

import argparse

from cnn_core.cli import reading
from cnn_core.cli.arguments import Commands, UsageError
from cnn_core.cli.outputs import check_output
from cnn_core.cli.telling import Telling, add_options, size

EXAMPLES = """examples:
  cnn-core export model.safetensors net.h
  cc -DNET_TEST -x c net.h -lm -o net_test && ./net_test
"""


def add_parser(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "export",
        help="write a model as a C99 header",
        description="Write a model as one C99 header, which gives the bits of predict.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="a file that train or save has written")
    parser.add_argument("output", metavar="OUT.h", help="the header to write")
    parser.add_argument("--name", default="net", help="what its names begin with (default net)")
    add_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Read and write."""
    if not options.output.endswith(".h"):
        raise UsageError(f"{options.output}: the name of the header to write must end in .h")
    check_output(options.output, [options.model])
    model = reading.load(options.model)
    if not hasattr(model, "export_c"):
        raise ValueError(f"{options.model} holds a {type(model).__name__}; export writes an MLP")
    try:
        model.export_c(options.output, name=options.name)
    except NotImplementedError as error:
        raise ValueError(str(error)) from None
    telling = Telling(options)
    words = f"wrote {options.output} ({size(options.output)})"
    telling.result([words], {"output": options.output, "name": options.name})

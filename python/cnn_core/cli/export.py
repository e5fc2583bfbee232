"""``cnn-core export``: a model as a C99 header, an ONNX file or a NumPy file."""

from __future__ import annotations

import argparse
import os
from typing import Any

from cnn_core.cli import reading
from cnn_core.cli.arguments import Commands, UsageError, one_of, share
from cnn_core.cli.outputs import check_output
from cnn_core.cli.telling import Telling, add_options, size

EXAMPLES = """examples:
  cnn-core export model.safetensors net.h
  cc -DNET_TEST -x c net.h -lm -o net_test && ./net_test
  cnn-core export model.safetensors net.onnx
  cnn-core export model.safetensors net.py
  python net.py < rows.csv
  cnn-core export model.safetensors net.h --interval 0.8 --interval 0.95
"""

#: By the end of the name: what is written, the method that does so, and the options that it takes
#: with their defaults.
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    ".h": (
        "a C99 header",
        "export_c",
        {"name": "net", "train": False, "dtype": None, "input_range": None, "intervals": []},
    ),
    ".onnx": ("an ONNX file", "export_onnx", {"scaling": "node", "intervals": []}),
    ".py": ("a NumPy file", "export_numpy", {"intervals": []}),
}
SCALINGS = ("node", "folded")
DTYPES = ("int8", "int16")


def add_parser(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "export",
        help="write a model as a C99 header, an ONNX file or a NumPy file",
        description="Write a model for another language or runtime, by the end of OUT's name:\n"
        ".h     a C99 header, which gives the bits of predict\n"
        ".onnx  an ONNX file with scaling, labels and columns inside\n"
        ".py    a Python file that needs NumPy alone",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="a file that train or save has written")
    parser.add_argument("output", metavar="OUT", help="the .h, .onnx or .py to write")
    parser.add_argument("--name", help="of .h: what its names begin with (default net)")
    parser.add_argument(
        "--train", action="store_const", const=True, help="of .h: it goes on learning on the device"
    )
    parser.add_argument(
        "--dtype",
        type=one_of("dtype", DTYPES),
        metavar="|".join(DTYPES),
        help="of .h: it computes in integers alone, and says how far off outputs are at most",
    )
    parser.add_argument(
        "--input-range",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="of .h with --dtype: the least and the largest input (default: from the scaling)",
    )
    parser.add_argument(
        "--scaling",
        type=one_of("scaling", SCALINGS),
        metavar="|".join(SCALINGS),
        help="of .onnx: the scaling of inputs in nodes of its own (default node), or in the "
        "weights of the first layer",
    )
    parser.add_argument(
        "--interval",
        type=share,
        action="append",
        dest="intervals",
        metavar="LEVEL",
        help="calibrated intervals of this level, such as 0.9, too; may be given several times",
    )
    add_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Read and write."""
    ending = os.path.splitext(options.output)[1]
    if ending not in KINDS:
        raise UsageError(
            f"{options.output}: the name of the file to write must end in .h (C99), .onnx, or .py "
            "(NumPy)"
        )
    what, method, takes = KINDS[ending]
    given = {
        name: getattr(options, name)
        for _, _, known in KINDS.values()
        for name in known
        if getattr(options, name) is not None
    }
    for name in given:
        if name not in takes:
            of = next(end for end, (*_, known) in KINDS.items() if name in known)
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is for {of}, and {options.output} is to be {what}")
    check_output(options.output, [options.model])
    model = reading.load(options.model)
    if not hasattr(model, method):
        kind = type(model).__name__
        raise ValueError(f"{options.model} holds a {kind}, of which {what} cannot be written")
    telling = Telling(options)
    try:
        with telling.warnings():
            getattr(model, method)(options.output, **given)
    except NotImplementedError as error:
        raise ValueError(str(error)) from None
    words = f"wrote {options.output} ({size(options.output)})"
    telling.result([words], {"output": options.output} | takes | given)

"""Build of the native core; everything else about the package stands in pyproject.toml."""

import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

core = Path("cnn_core")
kernels = sorted(str(path) for path in (core / "kernels").glob("*.c"))
# Without all of these an edited header leaves a stale binary, and the source distribution lacks what it builds from.
headers = sorted(str(path) for pattern in ("kernels/*.h", "*.pxd", "*.pyx") for path in core.glob(pattern))

if sys.platform == "win32":
    arguments = {"extra_compile_args": ["/O2", "/fp:precise", "/GL-", "/std:c11"]}
else:
    # The bits are part of the contract: no contraction, no fast-math even where CFLAGS ask for it.
    # -g0: debug information would be four fifths of the wheel.
    flags = "-O3 -std=c11 -fno-fast-math -ffp-contract=off -fno-math-errno -fno-trapping-math -fno-lto -g0"
    arguments = {"extra_compile_args": flags.split(), "extra_link_args": ["-fno-lto"], "libraries": ["m"]}


def extension(name, sources=()):
    return Extension(
        f"cnn_core.{name}",
        [f"cnn_core/{name}.pyx", *sources],
        include_dirs=["cnn_core/kernels"],
        depends=headers,
        **arguments,
    )


# The memoryview code that all modules need, once instead of once a module.
shared = Extension("cnn_core._cyutility", ["cnn_core/_cyutility.c"], **arguments)

setup(
    ext_modules=cythonize(
        [
            shared,
            extension("_cpu", kernels),
            extension("_linalg"),
            extension("_activations"),
            extension("_losses"),
            extension("_random"),
            extension("_backprop"),
            extension("_training"),
        ],
        shared_utility_qualified_name="cnn_core._cyutility",
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "initializedcheck": False,
            "cdivision": True,
            "embedsignature": True,
            "embedsignature.format": "python",
        },
    )
)

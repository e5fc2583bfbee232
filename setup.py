"""Build of the native core; everything else about the package stands in pyproject.toml."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

core = Path("cnn_core")
kernels = sorted(str(path) for path in (core / "kernels").glob("*.c"))
headers = sorted(str(path) for path in (core / "kernels").glob("*.h"))

if sys.platform == "win32":
    arguments = {"extra_compile_args": ["/O2", "/fp:precise", "/GL-", "/std:c11"]}
else:
    # The bits are part of the contract: no contraction, no fast-math even where CFLAGS ask for it.
    # -g0: debug information would be four fifths of the wheel. -MMD: see `is_stale`.
    flags = (
        "-O3 -std=c11 -fno-fast-math -ffp-contract=off -fno-math-errno -fno-trapping-math"
        " -fno-lto -g0 -MMD"
    )
    arguments = {
        "extra_compile_args": flags.split(),
        "extra_link_args": ["-fno-lto"],
        "libraries": ["m"],
    }


def is_stale(object_file):
    """Whether an object file is older than a file it was compiled from, as -MMD lists them."""
    listing = Path(object_file).with_suffix(".d")
    if not (listing.exists() and Path(object_file).exists()):
        return True
    inputs = listing.read_text().split(":", 1)[1].replace("\\\n", " ").split()
    built = os.path.getmtime(object_file)
    return any(
        not os.path.exists(name) or os.path.getmtime(name) > built for name in [*inputs, __file__]
    )


class build_native(build_ext):
    """`build_ext` that compiles stale objects only, in parallel: an edit costs seconds."""

    def build_extensions(self):
        if self.compiler.compiler_type == "unix":
            self.compiler.compile = self.compile_stale
        self.parallel = self.parallel or os.cpu_count()
        super().build_extensions()

    def compile_stale(
        self,
        sources,
        output_dir=None,
        macros=None,
        include_dirs=None,
        debug=0,
        extra_preargs=None,
        extra_postargs=None,
        depends=None,
    ):
        """Stand in for `distutils.ccompiler.CCompiler.compile`."""
        compiler = self.compiler
        macros, objects, postargs, pp_opts, build = compiler._setup_compile(
            output_dir, macros, include_dirs, sources, depends, extra_postargs
        )
        cc_args = compiler._get_cc_args(pp_opts, debug, extra_preargs)

        def compile_one(item):
            name, (source, suffix) = item
            compiler._compile(name, source, suffix, cc_args, postargs, pp_opts)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(compile_one, (item for item in build.items() if is_stale(item[0]))))
        return objects


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
    cmdclass={"build_ext": build_native},
    ext_modules=cythonize(
        [
            shared,
            extension("_cpu", kernels),
            extension("_memory"),
            extension("_linalg"),
            extension("_activations"),
            extension("_losses"),
            extension("_random"),
            extension("_network"),
            extension("_predict"),
            extension("_dropout"),
            extension("_workspace"),
            extension("_partition"),
            extension("_backprop"),
            extension("_dataset"),
            extension("_optimizer"),
            extension("_batches"),
            extension("_trainer"),
        ],
        shared_utility_qualified_name="cnn_core._cyutility",
        compiler_directives={
            "language_level": 3,
            "initializedcheck": False,
            "cdivision": True,
            "embedsignature": True,
            "embedsignature.format": "python",
        },
    ),
)

"""Build of the native core; everything else about the package stands in pyproject.toml."""

import hashlib
import importlib.util
import itertools
import multiprocessing
import os
import shlex
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

core = Path("cnn_core")
kernels = sorted(str(path) for path in (core / "kernels").glob("*.c"))
headers = sorted(str(path) for path in (core / "kernels").glob("*.h"))

if sys.platform == "win32":
    # The pool needs C11's atomics, which Visual Studio 2022 has from 17.5 on.
    flags = ["/O2", "/fp:precise", "/GL-", "/std:c11", "/experimental:c11atomics"]
    kernel_flags = flags
    arguments = {"extra_compile_args": flags}
else:
    # The bits are part of the contract: no contraction, no fast-math even where CFLAGS ask for it.
    # -g0, no unwind tables: debug information would be four fifths of the wheel, tables that only
    # debuggers and C++ read a twentieth. -MMD: see `is_stale`.
    bits = "-std=c11 -fno-fast-math -ffp-contract=off -fno-math-errno -fno-trapping-math -fno-lto"
    flags = [*bits.split(), "-g0", "-fno-asynchronous-unwind-tables", "-MMD"]
    # What the stable ABI lacks is an error here and not where the wheel is imported.
    flags.append("-Werror=implicit-function-declaration")
    # The kernels are written in vectors: by -O3 they are a quarter larger and no faster.
    kernel_flags = [*flags, "-O2", "-DNDEBUG", "-fPIC", "-fwrapv"]
    # Calls through the table of addresses alone, no pages between code and data, no functions that
    # nothing calls: a thirtieth of a module.
    linux = sys.platform == "linux"
    small = ["-fno-plt", "-ffunction-sections"] if linux else []
    linker = ["-s", "-z,noseparate-code", "--gc-sections", "-O1", "--build-id=none"]
    strip = [f"-Wl,{option}" for option in linker] if linux else []
    arguments = {"extra_link_args": ["-fno-lto", *strip], "libraries": ["m"]}


# CNN_CORE_ABI3=1: modules of the stable ABI, which serve every CPython from 3.11 on.
abi3 = os.environ.get("CNN_CORE_ABI3", "") not in ("", "0")
if abi3 and sysconfig.get_config_var("Py_GIL_DISABLED"):
    sys.exit("CNN_CORE_ABI3 is set, but free-threaded Python has no stable ABI: unset it")
# Methods of built-in types are called as other functions, which spares each module their cache. The
# zip file of a wheel compresses strings better than Cython does.
macros = [("CYTHON_UNPACK_METHODS", "0"), ("CYTHON_COMPRESS_STRINGS", "0")]
if abi3:
    macros.append(("Py_LIMITED_API", "0x030B0000"))
    # Apart from those of the exact version, which would come into the wheel, too.
    options = {"bdist_wheel": {"py_limited_api": "cp311"}, "build": {"build_base": "build/abi3"}}
else:
    options = {}


def extract_for_export():
    """Write what exported nets may need of the kernels into the package."""
    folder = Path("python", "cnn_core", "export")
    spec = importlib.util.spec_from_file_location("_export_source", folder / "source.py")
    source = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(source)
    text, target = source.extract(core / "kernels"), folder / "kernels.inc.h"
    if not target.exists() or target.read_text("utf-8") != text:
        target.write_text(text, "utf-8")


extract_for_export()


def is_stale(object_file, *others):
    """Whether an object file is older than a file it was compiled from, as -MMD lists them, or than
    one of `others`."""
    listing = Path(object_file).with_suffix(".d")
    if not (listing.exists() and Path(object_file).exists()):
        return True
    inputs = listing.read_text().split(":", 1)[1].replace("\\\n", " ").split()
    built = os.path.getmtime(object_file)
    return any(
        not os.path.exists(name) or os.path.getmtime(name) > built for name in [*inputs, *others]
    )


def kernel_command(command):
    """The compiler, and of the flags that Python was built with those that say for which processor
    and system; then those of the user."""
    words = list(itertools.takewhile(lambda word: not word.startswith("-"), command))
    for flag, value in itertools.pairwise([*command[len(words) :], ""]):
        if flag in ("-arch", "-isysroot", "-target"):
            words += [flag, value]
        elif flag.startswith(("-m", "--sysroot=", "--target=")):
            words.append(flag)
    return [*words, *shlex.split(os.environ.get("CFLAGS", ""))]


class build_native(build_ext):
    """`build_ext` that compiles stale objects only, in parallel: an edit costs seconds."""

    def build_extensions(self):
        if self.compiler.compiler_type == "unix":
            self.compiler.compile = self.compile_stale
            objects = self.compile_kernels()
        else:
            objects = self.compiler.compile(
                kernels, output_dir=self.build_temp, extra_postargs=kernel_flags
            )
        for module in self.extensions:
            if module.name == "cnn_core._cpu":
                module.extra_objects = objects
        self.parallel = self.parallel or os.cpu_count()
        super().build_extensions()

    def compile_kernels(self):
        """The kernels' objects, which depend on no Python: every Python's build shares them."""
        command = [*kernel_command(self.compiler.compiler_so), *kernel_flags]
        # The path of machines without vector instructions: 60 % smaller than by -O3, 40 % slower.
        of_generic = ["-Os"]
        name = hashlib.sha256(" ".join([*command, *of_generic]).encode()).hexdigest()[:12]
        folder = Path("build", f"kernels-{name}")
        folder.mkdir(parents=True, exist_ok=True)
        objects = {str(folder / Path(source).with_suffix(".o").name): source for source in kernels}

        def compile_one(item):
            target, source = item
            last = of_generic if "generic" in source else []
            self.spawn([*command, *last, "-c", source, "-o", target])

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(compile_one, (item for item in objects.items() if is_stale(item[0]))))
        return list(objects)

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
            stale = (item for item in build.items() if is_stale(item[0], __file__))
            list(pool.map(compile_one, stale))
        return objects


def extension(name, optimize="-O2"):
    """A compiled module; `optimize` is -Os where it is on no fast path, for a fourth less than -O2,
    and -O3 where its loops copy rows."""
    settings = arguments
    if sys.platform != "win32":
        quiet = "-Wno-unused-function"  # such as Cython's, which would unpack strings
        settings = {**arguments, "extra_compile_args": [*flags, quiet, *small, optimize]}
    return Extension(
        f"cnn_core.{name}",
        [f"cnn_core/{name}.pyx"],
        include_dirs=["cnn_core/kernels"],
        depends=[*headers, *kernels, "setup.py"],
        define_macros=macros,
        py_limited_api=abi3,
        **settings,
    )


# What all modules need of Cython's own code, once instead of once a module; no module has
# memoryviews, whose code would be half of it.
shared = extension("_cyutility", "-Os")
shared.sources = ["cnn_core/_cyutility.c"]

# Translated by processes, which must not run this file again: those of a fork do not.
translators = 0
if sys.platform == "linux":
    multiprocessing.set_start_method("fork", force=True)
    translators = os.cpu_count()

setup(
    cmdclass={"build_ext": build_native},
    options=options,
    ext_modules=cythonize(
        [
            shared,
            extension("_control", "-Os"),
            extension("_cpu", "-Os"),
            extension("_memory", "-Os"),
            extension("_linalg", "-Os"),
            extension("_activations", "-Os"),
            extension("_losses", "-Os"),
            extension("_random"),
            extension("_embedding", "-Os"),
            extension("_network", "-Os"),
            extension("_predict"),
            extension("_ensemble", "-Os"),
            extension("_jacobian", "-Os"),
            extension("_dropout", "-Os"),
            extension("_workspace", "-O3"),
            extension("_partition", "-Os"),
            extension("_hessian", "-Os"),
            extension("_backprop"),
            extension("_row_gradients", "-Os"),
            extension("_dataset", "-O3"),
            extension("_optimizer", "-Os"),
            extension("_shard_sums", "-O3"),
            extension("_batches", "-Os"),
            extension("_progress", "-Os"),
            extension("_trainer", "-Os"),
            extension("_shard_steps", "-Os"),
            extension("_lanes", "-Os"),
        ],
        nthreads=translators,
        shared_utility_qualified_name="cnn_core._cyutility",
        shared_utility_features_disabled=["MemoryView"],
        compiler_directives={
            "language_level": 3,
            "initializedcheck": False,
            "cdivision": True,
            "freethreading_compatible": True,
            "embedsignature": True,
            "embedsignature.format": "python",
        },
    ),
)

"""Builds of the package with other compiler flags, each in a folder of its own below build/checks.

The checkout is copied there; a wrapper of the compiler adds the flags after all others and leaves
out those that would undo them. A second build compiles what has changed.
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent

#: What is compiled away from a checked build: defined overflow, no debug information, stripping.
DROPPED = ("-fwrapv", "-fno-strict-overflow", "-g0", "-O1", "-O2", "-O3", "-Os", "-Wl,-s")

#: Of each kind of build: flags for compiler and linker.
FLAGS = {
    # Optimizing the unrolled tiles with all checks in them takes longer than running them plain.
    "memory": "-O0 -g -fno-omit-frame-pointer -fsanitize=address,undefined "
    "-fno-sanitize-recover=undefined -fno-wrapv -fstrict-overflow",
    "threads": "-O0 -g -fno-omit-frame-pointer -fsanitize=thread",
    "valgrind": "-O1 -g -fno-omit-frame-pointer",
    # At -O1 what a constant argument excludes is no branch, as in the library.
    "coverage": "-O1 -g --coverage -fprofile-update=atomic",
}

WRAPPER = """#!/bin/bash
# Written by private_build.py. The compiler, with flags of a checked build.
kept=()
for word in "$@"; do
    case " {dropped} " in *" $word "*) ;; *) kept+=("$word") ;; esac
done
case "$*" in *{idle}*) exec {compiler} "${{kept[@]}}" -O0 ;; esac
exec {compiler} "${{kept[@]}}" {flags}
"""


def compiler():
    """The words of the C compiler that Python was built with, or else `cc`."""
    words = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    return words if shutil.which(words[0]) else ["cc"]


def runtime(name):
    """The path of a sanitizer's library, which must be loaded before any other."""
    done = subprocess.run(
        [*compiler(), f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    return str(Path(done.stdout.strip()).resolve())


def folder(kind):
    """Where the build of a kind is."""
    return ROOT / "build" / "checks" / kind


def idle_sources(kind):
    """The start of the names of kernels that this machine cannot run and whose checks nobody needs;
    they take a third of the time."""
    cpu = Path("/proc/cpuinfo")
    known = cpu.exists() and "avx2" in (flags := cpu.read_text()) and "avx512" not in flags
    return "kernels/avx512_" if known and kind != "coverage" else "no-such-kernel"


def wrapped_compiler(kind):
    """The path of a compiler that adds the flags of a kind of build; with others than the last time
    everything is compiled anew."""
    folder(kind).mkdir(parents=True, exist_ok=True)
    path = folder(kind) / "cc"
    text = WRAPPER.format(
        compiler=shlex.join(compiler()),
        flags=FLAGS[kind],
        dropped=" ".join(DROPPED),
        idle=idle_sources(kind),
    )
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
        path.chmod(0o755)
        shutil.rmtree(folder(kind) / "checkout", ignore_errors=True)
    return str(path)


def copy_checkout(target):
    """Copy what version control knows, and what Cython has generated; a copy keeps its time."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode().split("\0")  # fmt: skip
    generated = [str(path.relative_to(ROOT)) for path in ROOT.glob("cnn_core/_*.c")]
    wanted = {name for name in [*listed, *generated] if name and (ROOT / name).is_file()}
    for name in wanted:
        source, copy = ROOT / name, target / name
        if copy.exists() and copy.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, copy)
    for old in list(target.rglob("*.py")):
        if str(old.relative_to(target)) not in wanted and "build" not in old.parts:
            old.unlink()


def build(kind):
    """Build the extensions of a kind.

    Returns
    -------
    Path
        The copy of the checkout with the extensions in place.
    """
    checkout, wrapper = folder(kind) / "checkout", wrapped_compiler(kind)
    checkout.mkdir(parents=True, exist_ok=True)
    copy_checkout(checkout)
    environment = {**os.environ, "CC": wrapper, "LDSHARED": f"{wrapper} -shared"}
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "egg_info", "build_ext", "--inplace"],
        cwd=checkout, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(
            f"the build with {FLAGS[kind]} failed:\n{done.stdout[-3000:]}{done.stderr[-6000:]}"
        )
    return checkout


def compile_program(kind, target, *sources, options=()):
    """Compile C sources with the flags of a kind, and those that Python compiles with before them,
    of which some hide defects.

    Returns
    -------
    Path
        `target`, in the folder of the kind.
    """
    path = folder(kind) / target
    of_python = shlex.split(sysconfig.get_config_var("CFLAGS") or "")
    subprocess.run(
        [wrapped_compiler(kind), "-fwrapv", *of_python, *map(str, sources), "-o", str(path),
         f"-I{ROOT / 'cnn_core' / 'kernels'}", "-pthread", "-lm", *options],
        check=True,
    )  # fmt: skip
    return path

"""The kernels by themselves: native/compare*.c, built and run by every compiler and for every
processor at hand.

Each build must come without a warning, find every instruction set equal to the scalar path bit by
bit, and print the same hash of all results as the others. What is not installed is skipped.
"""

import contextlib
import functools
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform == "win32", reason="needs a C compiler that takes the flags of GCC"
    ),
]

root = Path(__file__).resolve().parent.parent
kernels = root / "cnn_core" / "kernels"
program = sorted((root / "tests" / "native").glob("*.c"))
# The flags of the library itself: they decide about the bits.
flags = ["-O2", *re.search(r'bits = "(.+)"', (root / "setup.py").read_text()).group(1).split()]
strict = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
sanitizers = [
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-O1",
    "-g",
    "-DSANITIZED",
]


class Outcome(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


class Build(NamedTuple):
    compiler: list
    flags: list = []
    emulator: list = []
    needs: list = []
    kernel_flags: list = []


def run(*command):
    # Looking for leaks needs rights that containers do not give; the kernels own no memory.
    environment = {
        **os.environ,
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


host = shlex.split(sysconfig.get_config_var("CC") or "cc")
if not shutil.which(host[0]):
    host = ["cc"]
cross = "aarch64-linux-gnu-gcc"
# clang brings no C library for another processor; the cross compiler's is borrowed.
library = (
    Path(run(cross, "-print-file-name=libc.a").stdout.strip()).resolve()
    if shutil.which(cross)
    else Path()
)
clang_cross = [
    "--target=aarch64-linux-gnu",
    "-static",
    "-isystem",
    library.parent.parent / "include",
]
builds = {
    "host": Build(host),
    "clang": Build(["clang"]),
    "arm64": Build([cross], ["-static"], ["qemu-aarch64"]),
    "arm64-clang": Build(["clang"], clang_cross, ["qemu-aarch64"], [cross]),
    # Its fma() rounds twice, so the plain path takes the instruction; wine runs the program.
    "windows": Build(["x86_64-w64-mingw32-gcc"], ["-static", "-mfma"], ["wine"]),
    # The kernels without optimization: three times as long to run, a third of the time to compile.
    "host-sanitized": Build(host, sanitizers, kernel_flags=["-O0"]),
    "clang-sanitized": Build(["clang"], sanitizers, kernel_flags=["-O0"]),
}


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")


def need_working(build, directory):
    """Skip unless the compiler, its libraries for these flags and the emulator make a program
    run."""
    need(build.compiler[0], *build.emulator, *build.needs)
    source, probe = directory / "probe.c", directory / "probe.exe"
    source.write_text('#include <stdio.h>\n\nint main(void) { return puts("works") < 0; }\n')
    compiled = run(*build.compiler, *build.flags, source, "-o", probe)
    if compiled.returncode or run(*build.emulator, probe).returncode:
        pytest.skip(
            f"{build.compiler[0]} builds nothing that runs here with "
            f"{' '.join(map(str, build.flags))}"
        )


@contextlib.contextmanager
def alone(path):
    """While it lasts, no other process is past this line with the same path."""
    import fcntl  # not on Windows

    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """Function of a name and what to do in a directory of that name; it returns the directory, and
    the workers of a run do it once for all of them."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base

    def do_once(name, work):
        directory = shared / f"native-{name}"
        directory.mkdir(exist_ok=True)
        with alone(directory / "lock"):
            if not (directory / "done").exists():
                work(directory)
                (directory / "done").touch()
        return directory

    return do_once


@pytest.fixture(scope="module")
def objects(once):
    """Name of a build to the directory that holds its objects; each is compiled once."""

    @functools.cache
    def compiled(name):
        return once(name, functools.partial(compile_all, builds[name]))

    def compile_all(build, directory):
        need_working(build, directory)

        def compile_one(source):
            target = directory / f"{source.stem}.o"
            last = build.kernel_flags if source.parent == kernels else []
            result = run(
                *build.compiler,
                *flags,
                *strict,
                *build.flags,
                *last,
                f"-I{kernels}",
                "-c",
                source,
                "-o",
                target,
            )
            assert result.returncode == 0, result.stderr

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(compile_one, [*program, *sorted(kernels.glob("*.c"))]))

    return compiled


@pytest.fixture(scope="module")
def outcome(objects, once):
    """Name of a build to what its program printed and its exit status; each is run once."""

    @functools.cache
    def ran(name):
        def run_program(directory):
            build, compiled = builds[name], objects(name)
            executable = directory / "compare_paths.exe"
            linked = run(
                *build.compiler, *build.flags, *compiled.glob("*.o"), "-lm", "-o", executable
            )
            assert linked.returncode == 0, linked.stderr
            result = run(*build.emulator, executable)
            outcome = result.returncode, result.stdout, result.stderr
            (directory / "outcome.json").write_text(json.dumps(outcome))

        written = once(f"{name}-outcome", run_program) / "outcome.json"
        return Outcome(*json.loads(written.read_text()))

    return ran


def hash_of(result):
    return re.search(r"^hash ([0-9a-f]{16})$", result.stdout, re.MULTILINE).group(1)


@pytest.mark.parametrize("name", builds)
def test_every_instruction_set_gives_the_bits_of_the_scalar_path(outcome, name):
    result = outcome(name)
    assert result.returncode == 0, result.stdout + result.stderr
    compared = re.findall(
        r"^(\w+) (float\d\d): (\d+) comparisons, 0 failures$", result.stdout, re.MULTILINE
    )
    assert [(isa, dtype) for isa, dtype, _ in compared[-2:]] == [
        ("generic", "float32"),
        ("generic", "float64"),
    ]
    assert len({count for _, dtype, count in compared if dtype == "float32"}) == 1
    assert all(int(count) > 1_000_000 for *_, count in compared)
    if name.startswith("arm64"):
        assert compared[0][0] == "neon"


@pytest.mark.parametrize("name", [name for name in builds if name != "host"])
def test_compilers_and_processors_agree_on_the_bits(outcome, name):
    assert hash_of(outcome(name)) == hash_of(outcome("host"))


def test_avx_stays_in_its_own_objects(objects):
    if platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip(f"AVX is of x86-64, this is {platform.machine()}")
    need("objdump")

    def avx(stem):
        """The registers and VEX instructions that only a processor with AVX has."""
        listing = run("objdump", "-d", "--no-show-raw-insn", objects("host") / f"{stem}.o")
        assert listing.returncode == 0, listing.stderr
        return set(re.findall(r"[yz]mm\d+|\tv[a-z]\w+", listing.stdout))

    assert "ymm0" in avx("avx2_f32") and "zmm0" in avx(
        "avx512_f32"
    )  # the search finds what there is
    for stem in ("generic_f32", "generic_f64", "dispatch"):
        assert not avx(stem)

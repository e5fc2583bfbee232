"""The native core under checkers: AddressSanitizer with UndefinedBehaviorSanitizer,
ThreadSanitizer, valgrind, and gcov.

    python tests/sanitizers/run.py memory threads --short    # what .ci/run does
    python tests/sanitizers/run.py all                       # everything: about half an hour
    python tests/sanitizers/run.py coverage                  # lines and branches of the kernels

Each check builds the package with flags of its own below build/checks, never in place, with the
Python that runs this: it needs Cython, setuptools, NumPy and pytest. Planted defects show first
that the checker reports them. Any report, a test that fails or a defect that goes unseen is an exit
status of 1.

To check more code, add its tests to `MEMORY_TESTS` or `THREAD_TESTS`, or an action to
soak_threads.py.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import gcov_report
from private_build import HERE, ROOT, build, compile_program, folder, runtime

#: Tests that reach the core, under AddressSanitizer and UndefinedBehaviorSanitizer.
MEMORY_TESTS = [
    "tests/test_a[cl]*.py", "tests/test_backprop.py", "tests/test_bias.py", "tests/test_c[op]*.py",
    "tests/test_dropout.py", "tests/test_embeddings.py", "tests/test_functional.py",
    "tests/test_gradients.py", "tests/test_lbfgs.py", "tests/test_linalg.py",
    "tests/test_losses.py", "tests/test_misuse.py", "tests/test_p*.py", "tests/test_random.py",
    "tests/test_second_derivatives.py", "tests/test_shards.py", "tests/test_sk*.py",
    "tests/test_st*.py", "tests/test_subnormals.py", "tests/test_t[hr]*.py",
    "tests/test_weighted_training.py", "tests/cluster/test_rounds.py",
    "tests/distributed/test_ranks.py", "tests/explanations", "tests/inspection",
    "tests/mlp/test_fitting.py", "tests/mlp/test_refusals.py", "tests/reliability",
]  # fmt: skip
SHORT_MEMORY_TESTS = [
    "tests/test_alignment.py", "tests/test_misuse.py", "tests/test_steps.py",
    "tests/test_lbfgs.py", "tests/test_subnormals.py", "tests/mlp/test_fitting.py",
]  # fmt: skip
#: A test of a long epoch takes minutes here.
FAST_ENOUGH = ["-m", "not slow", "-k", "not in_use"]

THREAD_TESTS = ["tests/test_threads.py"]
#: ThreadSanitizer starts no threads in a child of a process with several.
WITHOUT_FORKS = "not fork"

PLANTED = HERE / "native" / "planted.c"
POOL = [HERE / "native" / "pool.c", ROOT / "cnn_core" / "kernels" / "thread_pool.c"]

#: Calls a planted defect on the memory of a NumPy array.
CALL_PLANTED = """
import ctypes, sys
import numpy as np
library = ctypes.CDLL(sys.argv[1])
name, numbers = sys.argv[2], np.arange(1000.0)
function = getattr(library, name)
function.restype = ctypes.c_double if name == "read_beyond" else ctypes.c_long
if name == "read_beyond":
    function(numbers.ctypes.data_as(ctypes.POINTER(ctypes.c_double)), ctypes.c_long(1000))
elif name == "overflow":
    function(ctypes.c_int(2**31 - 1))
else:
    function(ctypes.c_long(1_000_000))
"""

#: Of each check: planted defect to what the report of it says.
EXPECTED = {
    "memory": {"read_beyond": "heap-buffer-overflow", "overflow": "signed integer overflow"},
    "threads": {"race": "data race"},
    "valgrind": {"read_beyond": "Invalid read", "branch_on_unset": "uninitialised"},
}


def say(text):
    print(f"[{time.monotonic() - START:5.0f} s] {text}", flush=True)


START = time.monotonic()


class Check:
    """A checker, with its build, its environment and where it reports.

    Parameters
    ----------
    kind : {"memory", "threads", "valgrind", "coverage"}
    """

    def __init__(self, kind):
        self.kind, self.failures = kind, []
        self.reports = folder(kind) / "reports"
        self.checkout = None
        shutil.rmtree(self.reports, ignore_errors=True)
        self.reports.mkdir(parents=True)

    def build(self):
        say(f"{self.kind}: build")
        self.checkout = build(self.kind)

    def environment(self):
        """That of the processes under the checker; reports go to files, from children too."""
        at = self.reports / "report"
        checked = {**os.environ, "PYTHONPATH": f"{self.checkout}/python", "PYTHONMALLOC": "malloc"}
        checked["PYTHONDONTWRITEBYTECODE"] = "1"
        if self.kind == "memory":
            checked["LD_PRELOAD"] = f"{runtime('libasan.so')} {runtime('libubsan.so')}"
            # CPython itself leaks at exit; arrays of NumPy may be refused for their size. What
            # UndefinedBehaviorSanitizer finds goes to stderr and ends the process.
            checked["ASAN_OPTIONS"] = (
                f"detect_leaks=0:allocator_may_return_null=1:log_path={at}.address"
            )
            checked["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"
        elif self.kind == "threads":
            checked["LD_PRELOAD"] = runtime("libtsan.so")
            checked["TSAN_OPTIONS"] = f"exitcode=66:halt_on_error=0:log_path={at}.threads"
        return checked

    def command(self, words):
        """A command under the checker."""
        if self.kind == "threads":
            # The sanitizer needs addresses that are not random.
            return ["setarch", "-R", *words]
        if self.kind == "valgrind":
            return ["valgrind", "-q", f"--log-file={self.reports}/report.%p", *words]
        return words

    def run(self, *words, seconds=900, quiet=True):
        """Run a command under the checker, in the build; returns its exit status and output."""
        try:
            done = subprocess.run(
                self.command([str(word) for word in words]),
                cwd=self.checkout or ROOT, env=self.environment(), timeout=seconds,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            return "no end", (error.stdout or b"").decode(errors="replace")
        return done.returncode, done.stdout

    def taken_reports(self):
        """The texts of the reports so far, which are removed."""
        texts = []
        for path in sorted(self.reports.glob("report*")):
            texts.append(path.read_text(errors="replace"))
            path.unlink()
        if self.kind == "valgrind":
            texts = [part for text in texts for part in own_errors(text)]
        elif self.kind != "coverage":  # a refused allocation is a warning of AddressSanitizer alone
            signs = ("ERROR: ", "runtime error: ", "WARNING: ThreadSanitizer")
            texts = [text for text in texts if any(sign in text for sign in signs)]
        return [text for text in texts if text.strip()]

    def must_be_silent(self, name, *words, **options):
        """Run a command that must succeed without a report."""
        code, output = self.run(*words, **options)
        reports = self.taken_reports() + (["runtime error"] if "runtime error: " in output else [])
        last = output.strip().splitlines()[-1:] or [""]
        say(f"{self.kind}: {name}: {last[0]}; {len(reports)} reports")
        if reports or code:
            self.failures.append(name)
            print(
                f"exit status {code}", output[-3000:], *(text[:4000] for text in reports), sep="\n"
            )

    def canaries(self):
        """Show that planted defects are reported, and that what has none is not."""
        # valgrind takes long to start a Python.
        alone = self.kind == "valgrind"
        library = compile_program(
            self.kind,
            "planted.so",
            PLANTED,
            options=["-w", *([] if alone else ["-shared", "-fPIC"])],
        )
        for name, expected in {"nothing": None, **EXPECTED[self.kind]}.items():
            python = [] if alone else [sys.executable, "-c", CALL_PLANTED]
            _, output = self.run(*python, library, name, seconds=120)
            reports = "\n".join([*self.taken_reports(), output]).strip()
            seen = expected in reports if expected else not reports
            say(f"{self.kind}: planted {name}: {'reported' if expected else 'silent'}: {seen}")
            if not seen:
                self.failures.append(f"planted {name}")
                print(reports[:3000])

    def pool(self, rounds):
        program = compile_program(self.kind, "pool", *POOL)
        self.must_be_silent("pool.c", program, rounds)

    def pytest(self, paths, *options, seconds):
        files = [
            str(found.relative_to(self.checkout))
            for path in paths
            for found in sorted(self.checkout.glob(path))
        ]
        self.must_be_silent(
            f"tests ({len(files)} files)", sys.executable, "-m", "pytest", "-q", "-p",
            "no:cacheprovider", *options, *files, seconds=seconds,
        )  # fmt: skip


def own_errors(text):
    """Of valgrind's errors those with a frame of the core or of a planted defect."""
    ours = re.compile(r"cnn_core|kernels/|planted|pool\.c|\b_[a-z]+\.c:")
    errors = re.split(r"\n==\d+== \n", text)
    return [error for error in errors if ours.search(error) and "at 0x" in error]


def parallel():
    """Options of pytest for as many workers as there are processors, if it can."""
    import importlib.util

    if importlib.util.find_spec("xdist") is None:
        return []
    return ["-n", str(os.cpu_count()), "--dist", "worksteal"]


def cannot_run(kind, *libraries):
    """Whether the compiler lacks a sanitizer's library, or this is no Linux; says so."""
    missing = [name for name in libraries if not Path(runtime(name)).exists()]
    if sys.platform == "linux" and not missing:
        return False
    say(f"{kind}: not run: {', '.join(missing) or 'Linux'} is needed")
    return True


def memory(short):
    if cannot_run("memory", "libasan.so", "libubsan.so"):
        return []
    check = Check("memory")
    check.canaries()
    check.pool(200 if short else 5000)
    check.build()
    tests = SHORT_MEMORY_TESTS if short else MEMORY_TESTS
    check.pytest(tests, *FAST_ENOUGH, *parallel(), seconds=1200)
    return check.failures


def threads(short):
    if cannot_run("threads", "libtsan.so") or not shutil.which("setarch"):
        return []
    check = Check("threads")
    check.canaries()
    check.pool(500 if short else 20_000)
    check.build()
    counts = ["2", "5"] if short else [str(n) for n in range(2, 9)]
    check.must_be_silent(
        "soak_threads.py", sys.executable, "tests/sanitizers/soak_threads.py",
        "--seconds", 2 if short else 10, "--threads", *counts,
    )  # fmt: skip
    if not short:
        check.pytest(THREAD_TESTS, "-k", WITHOUT_FORKS, seconds=1200)
    return check.failures


def valgrind(short):
    if not shutil.which("valgrind"):
        say("valgrind: not run, valgrind is not installed")
        return []
    check = Check("valgrind")
    check.canaries()
    check.pool(20)
    check.build()
    check.must_be_silent(
        "soak_threads.py", sys.executable, "tests/sanitizers/soak_threads.py",
        "--seconds", 1, "--threads", 2, *([] if short else [4]), seconds=1800,
    )  # fmt: skip
    return check.failures


def coverage(short):
    check = Check("coverage")
    check.build()
    return gcov_report.run(check, short)


CHECKS = {"memory": memory, "threads": threads, "valgrind": valgrind, "coverage": coverage}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checks", nargs="+", choices=[*CHECKS, "all"])
    parser.add_argument("--short", action="store_true", help="fewer tests and rounds")
    arguments = parser.parse_args()
    chosen = list(CHECKS) if "all" in arguments.checks else arguments.checks
    failures = {name: CHECKS[name](arguments.short) for name in chosen}
    for name, failed in failures.items():
        say(f"{name}: {'FAILED: ' + ', '.join(failed) if failed else 'nothing found'}")
    return int(any(failures.values()))


if __name__ == "__main__":
    sys.exit(main())

"""Line and branch coverage of the kernels, and of their headers that Cython's modules include.

A header is part of many objects, and a macro of many functions. A line counts once for each object
and function that it is compiled into, and is covered only where that one has run. A branch counts
once for its place in the source, as lcov and `gcov` without ``--json-format`` merge them: it is
covered where any of the functions takes it, since a constant argument excludes it in others. Both
counts of branches are printed.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from private_build import compile_program

#: Tests of what tests/native, which runs every kernel of every instruction set, does not reach.
TESTS = [
    "tests/test_cpu.py", "tests/test_threads.py", "tests/test_linalg.py", "tests/test_misuse.py",
    "tests/test_subnormals.py", "tests/test_random.py", "tests/test_steps.py",
]  # fmt: skip
SHORT_TESTS = ["tests/test_cpu.py"]

#: Blocks of a function without statements.
EMPTY_BLOCKS = 4

#: What is wanted of what can run on this machine, in percent.
WANTED_LINES, WANTED_BRANCHES = 100.0, 90.0


def objects(checkout):
    """The notes that the compiler left, one file an object."""
    return sorted((checkout / "build").rglob("*.gcno"))


def symbols(notes):
    """The functions that an object has; headers tell of others, which it does not use."""
    listed = subprocess.run(
        ["nm", "--defined-only", str(notes.with_suffix(".o"))],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return {line.split()[-1] for line in listed.splitlines()}


def is_empty_tile(function):
    """Whether a function stands for a tile of the micro-kernel that does not fit the registers: the
    macro leaves its body out, and no table names it."""
    return re.search(r"_\d+x\d+$", function["name"]) and function["blocks"] <= EMPTY_BLOCKS


def add_lines(measured, stem, source, known):
    """Add the lines of one source in one object; those of a function that is inlined several times
    are one line."""
    name = Path(source["file"]).name
    left_out = {one["name"] for one in source["functions"] if is_empty_tile(one)}
    for line in source["lines"]:
        function = line.get("function_name", "")
        if function in left_out or (function and function not in known):
            continue
        key = stem, name, function, line["line_number"]
        branches = [branch["count"] for branch in line["branches"]]
        count, before = measured.get(key, (0, []))
        if len(before) == len(branches):
            branches = [one + two for one, two in zip(before, branches)]
        elif len(before) > len(branches):
            branches = before
        measured[key] = count + line["count"], branches


def measure(checkout):
    """What has run.

    Returns
    -------
    dict
        (object, source, function, line) to (count, [count of each branch]).
    """
    measured = {}
    for notes in objects(checkout):
        known = symbols(notes)
        done = subprocess.run(
            ["gcov", "--json-format", "--stdout", "--branch-probabilities", str(notes)],
            cwd=checkout, capture_output=True, text=True, check=True,
        )  # fmt: skip
        for text in filter(str.strip, done.stdout.splitlines()):
            for source in json.loads(text)["files"]:
                if "cnn_core/kernels/" in source["file"]:
                    add_lines(measured, notes.stem, source, known)
    return measured


def of_each_source(measured, run):
    """Source to numbers of lines, lines that have run, branches of all functions, those taken,
    branches of the source, those taken; and what has not run: lines, and branches of the source."""
    table = defaultdict(lambda: [0] * 6)
    missing, merged = defaultdict(set), defaultdict(int)
    for (object_, source, function, line), (count, branches) in measured.items():
        if object_ not in run:
            continue
        row = table[source]
        row[0] += 1
        row[1] += count > 0
        row[2] += len(branches)
        row[3] += sum(taken > 0 for taken in branches)
        if not count:
            missing[source, line].add(f"{object_}:{function}")
        for place, taken in enumerate(branches):
            merged[source, line, len(branches), place] += taken
    never = defaultdict(list)
    for (source, line, of, place), taken in merged.items():
        table[source][4] += 1
        table[source][5] += taken > 0
        if not taken:
            never[source, line].append(f"{place + 1} of {of}")
    return table, missing, never


def percent(part, whole):
    return 100 * part / whole if whole else 100.0


def report(checkout):
    """Print the coverage; returns what falls short."""
    measured = measure(checkout)
    ran = {key[0] for key, (count, _) in measured.items() if count}
    table, missing, never = of_each_source(measured, ran)
    print(f"{'':<24}{'lines':>8}{'run':>9}{'branches of':>13}{'taken':>9}{'of the':>9}{'taken':>9}")
    print(f"{'source':<24}{'':>17}{'all functions':>15}{'':>7}{'source':>9}")
    totals = [sum(column) for column in zip(*table.values())]
    for source, row in [*sorted(table.items()), ("all", totals)]:
        counts = zip(row[::2], row[1::2], (8, 13, 9))
        parts = [f"{whole:>{wide}}{percent(part, whole):>8.1f}%" for whole, part, wide in counts]
        print(f"{source:<24}{''.join(parts)}")
    for (source, line), where in sorted(missing.items()):
        print(f"not run: {source}:{line} in {', '.join(sorted(where)[:4])} ({len(where)})")
    for (source, line), places in sorted(never.items()):
        print(f"never taken: {source}:{line}, branch {', '.join(places)}")
    lines, branches = percent(totals[1], totals[0]), percent(totals[5], totals[4])
    idle = sorted({key[0] for key in measured} - ran)
    print(f"not measured, for this machine cannot run them: {', '.join(idle) or 'none'}")
    failures = [] if lines >= WANTED_LINES else [f"lines {lines:.2f} %"]
    return failures + ([] if branches >= WANTED_BRANCHES else [f"branches {branches:.2f} %"])


def run(check, short):
    """Run the native tests in an instrumented build and report."""
    checkout = check.checkout
    for old in (checkout / "build").rglob("*.gcda"):
        old.unlink()
    sources = sorted((checkout / "tests" / "native").glob("*.c"))
    kernels = sorted((checkout / "build").glob("kernels-*/*.o"))
    program = compile_program("coverage", "compare_paths", *sources, *kernels)
    check.must_be_silent("tests/native", program)
    reach = [sys.executable, "tests/sanitizers/reach.py"]
    check.must_be_silent("reach.py", *reach)
    library = compile_program(
        "valgrind", "no_threads.so", checkout / "tests" / "reliability" / "native" / "no_threads.c",
        options=["-shared", "-fPIC", "-ldl"],
    )  # fmt: skip
    refused = ["env", f"LD_PRELOAD={library}", "THREADS_ALLOWED=1"]
    check.must_be_silent("reach.py without threads", *refused, *reach, "threads")
    check.pytest(
        SHORT_TESTS if short else TESTS, "-m", "not slow", "-k", "not in_use", seconds=1800
    )
    return check.failures + report(checkout)


if __name__ == "__main__":
    sys.exit(bool(report(Path(sys.argv[1]))))

"""Record the hashes of the golden runs: ``python tests/golden/record.py [--only NAME]``.

What differs between two instruction sets of the machine, or two of the numbers of threads that a
run lists, is never written. Neither is what differs from `hashes.json`, unless it is asked for.

Where bits change by accident, the change is wrong. Where they change on purpose:

1. Run the recorder. It writes runs that are new and lists those that have changed, with the parts
   that differ.
2. Explain every one of them by the change. A run that differs and should not is a bug.
3. Raise `cnn_core.bits` by one, run the recorder with ``--overwrite`` and commit `hashes.json`
   together with the change, the reason in the commit's body. The number stands in `hashes.json`,
   too: bits are comparable between two releases that have the same.
4. Say in CHANGELOG.md which results differ from the release before.
"""

import argparse
import fnmatch
import json
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

import cnn_core  # noqa: E402
from cnn_core import _cpu  # noqa: E402
from golden.results import PARTS, hashes_of  # noqa: E402
from golden.runs import RUNS  # noqa: E402

FILE = Path(__file__).with_name("hashes.json")


def read():
    """The recorded hashes: a dict of dicts, by run and part."""
    return json.loads(FILE.read_text())["runs"] if FILE.exists() else {}


def write(runs):
    """Put hashes into the file, a line a run."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(runs[name])}" for name in sorted(runs))
    FILE.write_text(f'{{"version": {cnn_core.bits}, "runs": {{\n{lines}\n}}}}\n')


def compute(run):
    """The hashes of a run on each instruction set and for each number of threads."""
    found = {}
    for isa in _cpu.instruction_sets():
        before = _cpu.use_instruction_set(isa)
        for n_threads in run.threads:
            found[f"{isa}, n_threads {n_threads}"] = hashes_of(run, n_threads)
        _cpu.use_instruction_set(before)
    return found


def differing(wanted, got):
    """The names of the parts in which hashes differ, as a text."""
    return ", ".join(name for name in PARTS if wanted.get(name) != got.get(name))


def record(name, runs, overwrite):
    """Compute a run, put its hashes into `runs` and say what they are.

    Returns
    -------
    bool
        Whether they were left out: they differ within this machine, or from what stands there and
        is not to be overwritten.
    """
    (first, hashes), *others = compute(RUNS[name]).items()
    for where, got in others:
        if got != hashes:
            print(f"differs   {name}: {differing(hashes, got)}, between {first} and {where}")
            return True
    if name not in runs:
        print(f"new       {name}")
    elif runs[name] != hashes:
        print(f"changed   {name}: {differing(runs[name], hashes)}")
        if not overwrite:
            return True
    runs[name] = hashes
    return False


def main(arguments=None):
    """Record; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="NAME", help="a run, or those that match 'NAME*'")
    parser.add_argument("--overwrite", action="store_true", help="write what has changed, too")
    options = parser.parse_args(arguments)
    names = [name for name in RUNS if fnmatch.fnmatchcase(name, options.only or "*")]
    if not names:
        parser.error(f"no golden run is called {options.only!r}")
    runs = read()
    left_out = sum([record(name, runs, options.overwrite) for name in names])
    for name in set() if options.only else sorted(set(runs) - set(RUNS)):
        print(f"gone      {name}")
        if options.overwrite:
            del runs[name]
        else:
            left_out += 1
    write(runs)
    print(f"{len(names)} runs computed, {left_out} not written")
    return int(left_out > 0)


if __name__ == "__main__":
    sys.exit(main())

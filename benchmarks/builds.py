"""Two builds of cnn_core in turn: is one as fast as the other?

    python benchmarks/compare.py builds BEFORE AFTER
    python benchmarks/compare.py builds BEFORE AFTER --threads 1,2 --rounds 21
    python benchmarks/compare.py builds BEFORE AFTER --cases tiny predict_one

BEFORE and AFTER are each the interpreter of a virtual environment with cnn_core in it, or a folder
for PYTHONPATH of this interpreter, such as python/ of a checkout that is built in place. A process
for each, on the same cores, measures the training shapes, one row, 10,000 rows and the import.

Both processes are new in each round, so that what one has for its whole life, such as where its
arrays lie, is not taken for the build. In a round a figure has nine short turns of both builds
(three at least, where one repetition is long), in changing order; the median of their ratios is the
ratio of the round. The table has the median of these with an interval that holds it with 95 %, and
the ratio of the two fastest turns. A figure is within its limit, 2 % (3 % for small nets and the
import), if its median is, and uncertain if the interval crosses the limit: then it has more rounds,
up to `--most`. A build may be faster by any amount.

A turn is not timed by `history_["seconds"]`: that is the stopwatch of the code that is compared,
each build may start and stop it elsewhere, and today copying the weights after an epoch is
outside. Nor between callbacks: with one of them `fit` publishes a model after each epoch, which it
does not do without. It is a whole `fit` of as many epochs as take 0.05 s, so its fixed costs are in
it, and they are a figure of their own. Seconds in which other programs had the core do not count:
one thread is timed by the processor time of its process, several by the clock without the time for
which the caller was ready and had no core (Linux counts it), and a turn in which another thread had
none is repeated. `n_threads` is given, so that `fit` does not try out how many are
faster.

The noise, one build with itself (`builds A A`) on one thread while eight to twelve processes wanted
the two cores, six rounds of ten figures: ratios 0.8 % from 1 in the median, 9.9 % at most (the
import, which has had more turns since), intervals of 4.1 % to each side. The interval shrinks with
the root of the number of rounds: 2 % takes about 25 rounds there and fewer on a quiet machine.
"""

import argparse
import contextlib
import json
import math
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from cases import BATCH_NETS, ROW_NETS, TRAININGS
from peers import environment
from report import Plain, number
from workers import thread_counts

SMALL = 10_000  # parameters of a small net, at most
ENOUGH = 6  # rounds from which an interval of 95 % exists
LIMIT, SMALL_LIMIT = 0.02, 0.03
EPOCH_WORK = 5e8  # multiplications forward in an epoch, about: the largest nets see fewer rows


@dataclass(frozen=True)
class Figure:
    """Something that is measured. `kind` and `way` are build_worker.py's words; without `limit` it
    is for information alone."""

    title: str
    kind: str
    workload: object
    way: str
    unit: tuple[str, float]
    limit: float | None


def parameters(net):
    return sum((n_in + 1) * n_out for n_in, n_out in zip(net.widths, net.widths[1:]))


def limit_of(net):
    return SMALL_LIMIT if parameters(net) <= SMALL else LIMIT


def shortened(case):
    """The case with whole mini-batches of so few rows that an epoch is no long measurement."""
    batches = max(2, int(EPOCH_WORK / parameters(case.net) / case.batch_size))
    rows = batches * case.batch_size
    return replace(case, rows=rows, whole=case.rows) if rows < case.rows else case


def figures():
    """All of them."""
    found = []
    for case in map(shortened, TRAININGS):
        title = f"training, {case}"
        found.append(Figure(title, "training", case, "epochs", ("ms", 1e3), limit_of(case.net)))
    case = next(case for case in TRAININGS if case.name == "one step")
    title = f"training, a whole fit of one epoch: {case.net}, {case.rows} rows"
    found.append(Figure(title, "training", case, "fits", ("ms", 1e3), None))
    for net in ROW_NETS:
        for way in ("predict_one, out", "predict", "forward"):
            title = f"one row, {way}: {net}"
            found.append(Figure(title, "rows", net, way, ("us", 1e6), limit_of(net)))
    for net in BATCH_NETS:
        title = f"10,000 rows, predict: {net}"
        found.append(Figure(title, "batches", net, "predict", ("ms", 1e3), limit_of(net)))
    found.append(Figure("import, beyond NumPy", "imports", None, "", ("ms", 1e3), SMALL_LIMIT))
    return found


class Build:
    """Where a build is found: an interpreter, and a folder for its PYTHONPATH or None."""

    def __init__(self, text):
        path = os.path.abspath(text)  # a virtual environment's interpreter is a link: not resolved
        if os.path.isdir(path):
            if not os.path.isfile(os.path.join(path, "cnn_core", "__init__.py")):
                raise argparse.ArgumentTypeError(f"there is no package cnn_core in {text}")
            self.interpreter, self.folder = sys.executable, path
        elif os.path.isfile(path) and os.access(path, os.X_OK):
            self.interpreter, self.folder = path, None
        else:
            raise argparse.ArgumentTypeError(f"{text} is no interpreter and no folder")


class Process:
    """A new process of a build, held to some cores; see build_worker.py."""

    def __init__(self, build, threads, cores, bytecode):
        # Compiled bytecode of both is in one folder: a wheel comes with it, a checkout may not.
        variables = os.environ | environment(threads) | {"PYTHONPYCACHEPREFIX": bytecode}
        for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
            variables.pop(name, None)
        if build.folder:
            variables["PYTHONPATH"] = build.folder
        script = Path(__file__).with_name("build_worker.py")
        self._process = subprocess.Popen(
            [build.interpreter, str(script), str(threads), *map(str, cores)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=variables,
        )

    def call(self, function, *arguments):
        try:
            pickle.dump((function, arguments), self._process.stdin)
            self._process.stdin.flush()
            error, answer = pickle.load(self._process.stdout)
        except (EOFError, BrokenPipeError):
            raise SystemExit(f"{self._process.args[0]}: the process has ended") from None
        if error:
            raise SystemExit(f"{self._process.args[0]}: {error}")
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def cores_for(threads, r):
    """The cores of round r: they change, so that no busy neighbour of one has all rounds."""
    if not hasattr(os, "sched_setaffinity"):
        return []
    available = sorted(os.sched_getaffinity(0))
    if threads >= len(available):
        return available
    return [available[(r + i) % len(available)] for i in range(threads)]


def play(r, pair, figure, counts):
    """[(seconds before, seconds after)] of the turns of a figure in a round."""
    name = figure.title
    for process in pair:
        process.call("open", name, figure.kind, figure.workload, figure.way)
    if name not in counts:
        counts[name] = pair[0].call("calibrate", name, figure.kind)
    count, number_of_turns = counts[name]
    for process in pair:
        process.call("measure", name, count)  # the first is slow
    turns = []
    for turn in range(number_of_turns):
        order = (0, 1) if (turn + r) % 2 == 0 else (1, 0)
        seconds = [0.0, 0.0]
        for which in order:
            seconds[which] = pair[which].call("measure", name, count)
        turns.append(tuple(seconds))
    for process in pair:
        process.call("close", name)
    return turns


def interval(values):
    """(low, high) that hold the median with at least 95 %, by the order of the values; of fewer
    than six all."""
    ordered, n, k, outside = sorted(values), len(values), 0, 0.0
    while (outside := outside + 2 * math.comb(n, k) / 2**n) <= 0.05:
        k += 1
    k = max(k, 1)
    return ordered[k - 1], ordered[n - k]


class Outcome:
    """What the rounds of a figure have shown: `rounds` holds the turns of each."""

    def __init__(self, figure, rounds):
        self.figure, self.rounds = figure, rounds
        before, after = zip(*(turn for turns in rounds for turn in turns))
        self.before, self.after = statistics.median(before), statistics.median(after)
        ratios = [statistics.median(b / a for a, b in turns) for turns in rounds]
        self.ratio, self.low, self.high = statistics.median(ratios), *interval(ratios)
        self.of_minima = min(after) / min(before)

    @property
    def uncertain(self):
        """Whether more rounds may change the verdict."""
        limit = self.figure.limit
        return limit is not None and (
            len(self.rounds) < ENOUGH or self.low <= 1 + limit < self.high
        )

    @property
    def verdict(self):
        limit = self.figure.limit
        if limit is None:
            return "for information"
        if self.ratio > 1 + limit:
            found = "SLOWER"
        else:
            found = "faster" if self.high < 1 - limit else f"within {limit * 100:.0f} %"
        return found + (", uncertain" if self.uncertain else "")

    def row(self):
        unit, scale = self.figure.unit
        return [
            self.figure.title,
            str(len(self.rounds)),
            f"{number(self.before * scale)} {unit}",
            f"{number(self.after * scale)} {unit}",
            f"{self.ratio:.3f}",
            f"{self.low:.3f} to {self.high:.3f}",
            f"{self.of_minima:.3f}",
            self.verdict,
        ]

    def data(self):
        return dict(zip(HEAD, self.row())) | {"turns": self.rounds}


HEAD = ["", "rounds", "before", "after", "ratio", "95 % of it", "of minima", "verdict"]


def compete(options, threads, chosen, bytecode, remarks):
    """The outcomes of the figures on some threads. What is uncertain after the rounds goes on;
    Ctrl-C ends them."""
    rounds, counts, left = {figure: [] for figure in chosen}, {}, chosen
    try:
        for r in range(options.most):
            if r >= options.rounds:
                left = [figure for figure in left if Outcome(figure, rounds[figure]).uncertain]
            if not left:
                break
            print(f"round {r + 1}: {len(left)} figures", file=sys.stderr, flush=True)
            cores = cores_for(threads, r)
            with (
                Process(options.before, threads, cores, bytecode) as before,
                Process(options.after, threads, cores, bytecode) as after,
            ):
                abouts = [process.call("about") for process in (before, after)]
                if r == 0:
                    remarks += check_builds(abouts, threads)
                first = r % len(left)
                for figure in left[first:] + left[:first]:
                    rounds[figure].append(play(r, (before, after), figure, counts))
    except KeyboardInterrupt:
        remarks.append("interrupted")
    return [Outcome(figure, rounds[figure]) for figure in chosen if rounds[figure]]


def check_builds(abouts, threads):
    """Lines on the two builds, and on what makes them unequal besides their code."""
    lines = [f"{name}: {about['folder']}" for name, about in zip(("before", "after"), abouts)]
    for what in ("Python", "NumPy", "instruction set"):
        values = [about[what] for about in abouts]
        unequal = "" if values[0] == values[1] else f" and {values[1]}: UNEQUAL"
        lines.append(f"{what} {values[0]}{unequal}")
    if abouts[0]["folder"] == abouts[1]["folder"]:
        lines.append("one build with itself: the ratios are the noise")
    if threads > (os.cpu_count() or 1):
        lines.append("more threads than processors")
    return lines


def table(outcomes, threads):
    """The outcomes and, in its last row, how far the ratios are from 1."""
    if not outcomes:
        return Plain("Nothing was measured", [HEAD])
    away = sorted(abs(outcome.ratio - 1) for outcome in outcomes)
    wide = statistics.median((outcome.high - outcome.low) / 2 for outcome in outcomes)
    last = f"ratios away from 1: median {statistics.median(away):.1%}, at most {away[-1]:.1%}"
    last += f"; half the interval: median {wide:.1%}"
    return Plain(
        f"Two builds in turn, {threads} thread{'s' * (threads > 1)}",
        [HEAD, *(outcome.row() for outcome in outcomes), [last] + [""] * (len(HEAD) - 1)],
    )


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="compare.py builds", description="Time two builds of cnn_core in turn."
    )
    for name in ("before", "after"):
        parser.add_argument(
            name, type=Build, help="an interpreter with cnn_core, or a folder for PYTHONPATH"
        )
    parser.add_argument("--threads", type=thread_counts, default=[1], metavar="N[,N]")
    parser.add_argument(
        "--rounds", type=int, default=15, help="each with new processes (default 15)"
    )
    parser.add_argument(
        "--most", type=int, help="rounds of what is uncertain after them (default twice as many)"
    )
    parser.add_argument(
        "--cases", nargs="+", metavar="WORD", help="figures with one of these in their names"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all turns to FILE")
    parser.add_argument("--markdown", action="store_true", help="print tables for RESULTS.md")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    options.most = max(options.rounds, options.most or 2 * options.rounds)
    names = [figure.title for figure in figures()]
    for word in options.cases or ():
        if not any(word.lower() in name.lower() for name in names):
            parser.error(f"no figure has {word!r} in its name: {'; '.join(names)}")
    return options


def main(arguments):
    options = parse(arguments)
    words = [word.lower() for word in options.cases or [""]]
    chosen = [figure for figure in figures() if any(word in figure.title.lower() for word in words)]
    found = {}
    for threads in options.threads:
        remarks = []
        with tempfile.TemporaryDirectory() as bytecode:
            outcomes = compete(options, threads, chosen, bytecode, remarks)
        shown = table(outcomes, threads)
        if hasattr(os, "getloadavg"):
            remarks.append(f"load average at the end {os.getloadavg()[0]:.1f}, of that 1 is ours")
        print("\n".join(remarks), end="\n\n")
        print(shown.markdown() if options.markdown else shown.text(), flush=True)
        found[threads] = {"remarks": remarks, "figures": [one.data() for one in outcomes]}
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))

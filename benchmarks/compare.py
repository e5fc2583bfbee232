"""cnn_core beside scikit-learn, PyTorch, JAX, ONNX Runtime and NumPy by hand.

    python -m pip install scikit-learn torch jax onnxruntime onnx threadpoolctl packaging
    python benchmarks/compare.py                         # everything, one thread; ten minutes
    python benchmarks/compare.py epochs rows --rounds 3  # some sections
    python benchmarks/compare.py --threads 1,2           # sections that time work with one and two
    python benchmarks/compare.py --quick                 # does it run? The numbers mean nothing
    python benchmarks/compare.py builds BEFORE AFTER     # two builds of cnn_core: see builds.py

Each of the installed packages is optional.

Each peer works in a process of its own, held to the same number of threads, and all take turns: one
measurement of each a round, in an order that rotates. Tables give the median of each and the median
over the rounds of its ratio to cnn_core, the fastest of its ways where there are several. All
trainers start from the same weights, and their training losses are compared after an epoch, closely
with the rows in order and roughly as they are timed; all predictions are compared with NumPy's in
float64. What is not equal is said below the table, as is a process that used more processors than
it should.

cases.py has the workloads, peers/ the peers, tasks.py what is done in their processes.
"""

import argparse
import contextlib
import functools
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import builds
import tasks
from cases import (
    BATCH_NETS,
    BATCH_ROWS,
    MEMORY,
    QUICK_ROWS,
    ROW_NETS,
    TRAININGS,
    initial_layers,
    training_data,
    training_loss,
)
from peers import OURS, PEERS
from report import Block, Line, Plain, Section, number
from workers import Absent, Failed, Worker, interleave, thread_counts

IN_ORDER, SHUFFLED = (
    0.01,
    0.2,
)  # of the usual fall of the training loss: differences above which something is wrong
MEGABYTE = 1e6


class Field:
    """The peers that are there, with a worker each, at one number of threads."""

    def __init__(self, threads, stack):
        self.threads, self.remarks, self.workers = threads, [], []
        for peer in PEERS:
            try:
                worker = stack.enter_context(Worker(peer, threads))
            except Absent as error:
                self.remarks.append(f"{peer.name} is absent: {error}")
                continue
            self.workers.append(worker)
            if peer.remark:
                self.remarks.append(f"{peer.name} {peer.remark}.")

    def compete(self, title, rounds, scale, task, *arguments):
        """(block, {name: what `task` found}): open a contest in all workers and let everyone take
        turns."""
        contestants, peers, found, failures = {}, {}, {}, []
        for worker in self.workers:
            try:
                opened = worker.call(task, *arguments)
            except Failed as error:
                failures.append(f"{worker.peer.name} failed: {last_line(error)}")
                continue
            for label, value in opened.items():
                name = f"{worker.peer.name}, {label}"
                peers[name], found[name] = worker.peer.name, value
                contestants[name] = functools.partial(worker.call, tasks.measure, label)
        lines = []
        for name, results in interleave(contestants, rounds).items():
            seconds, processors = zip(*results)
            lines.append(Line(name, peers[name], [value * scale for value in seconds]))
            if statistics.median(processors) > self.threads + 0.25:
                failures.append(f"{name} used {statistics.median(processors):.1f} processors.")
        return Block(title, lines, failures), found


def last_line(error):
    return str(error).strip().splitlines()[-1]


def epochs(options, field):
    """Training."""
    blocks = []
    for case in TRAININGS:
        case = case.quick() if options.quick else case
        start = training_loss(case.net, initial_layers(case.net), *training_data(case))
        block, losses = field.compete(str(case), options.rounds, 1e3, tasks.open_training, case)
        block.remarks += check_losses(start, losses, case, field)
        blocks.append(block)
    return Section(
        f"Training, milliseconds an epoch (Adam, float32, {threads_of(field)})",
        blocks,
        field.remarks,
    )


def check_losses(start, losses, case, field):
    """Remarks on how far each has come from the same start after the same number of steps."""
    after = "one epoch" if case.check_epochs == 1 else f"{case.check_epochs} epochs"
    remarks = [f"training loss {start:.4f}"]
    for order, values, allowed in zip(
        ("in order", "shuffled"), zip(*losses.values()), (IN_ORDER, SHUFFLED)
    ):
        if order == "shuffled" and not case.shuffle:
            break
        remarks[0] += f"; after {after} {order} {min(values):.4f} to {max(values):.4f}"
        usual = statistics.median(start - loss for loss in values)
        if usual < 0.01 * start:
            remarks.append("THE LOSS HARDLY FALLS: this shows nothing about equal work")
        for name, loss in zip(losses, values):
            if not abs(start - loss - usual) <= allowed * usual:
                known = any(
                    worker.peer.remark and name.startswith(worker.peer.name)
                    for worker in field.workers
                )
                remarks.append(
                    f"UNEQUAL WORK? {name} came to {loss:.4f} {order}"
                    + (", see below" if known else "")
                )
    return remarks


def rows(options, field):
    """Predictions, one row at a time."""
    blocks = []
    for net in ROW_NETS:
        block, wrong = field.compete(str(net), options.rounds, 1e6, tasks.open_rows, net)
        block.remarks += check_answers(wrong)
        blocks.append(block)
    return Section(
        "One row, microseconds from a NumPy row to a class or number "
        f"(float32, {threads_of(field)})",
        blocks,
        field.remarks,
    )


def batches(options, field):
    """Predictions, many rows at once."""
    count = QUICK_ROWS if options.quick else BATCH_ROWS
    blocks = []
    for net in BATCH_NETS:
        block, wrong = field.compete(str(net), options.rounds, 1e3, tasks.open_batches, net, count)
        block.remarks += check_answers(wrong)
        blocks.append(block)
    return Section(
        f"{count:,} rows, milliseconds from a NumPy array to classes or numbers "
        f"(float32, {threads_of(field)})",
        blocks,
        field.remarks,
    )


def check_answers(wrong):
    return [f"WRONG ANSWERS: {name}, {share:.1%}" for name, share in wrong.items() if share > 0.001]


def threads_of(field):
    return "one thread each" if field.threads == 1 else f"{field.threads} threads each"


def imports(options):
    """Import."""
    # -I: the command's own folder must not shadow a package.
    commands = {"the interpreter alone": (None, [sys.executable, "-I", "-c", "pass"])}
    remarks = ["cnn_core imports NumPy too, so NumPy does not compete."]
    for peer in PEERS:
        command = [sys.executable, "-I", "-c", peer.statement]
        if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode:
            remarks.append(f"{peer.name} is absent or cannot be imported.")
        else:
            commands[peer.statement] = competitor(peer), command

    def milliseconds(command):
        start = time.perf_counter()
        subprocess.run(command, check=True)
        return (time.perf_counter() - start) * 1e3

    values = interleave(
        {name: functools.partial(milliseconds, command) for name, (_, command) in commands.items()},
        options.rounds,
    )
    lines = [Line(name, commands[name][0], values[name]) for name in commands]
    beyond = statistics.median(
        a - b for a, b in zip(values[OURS.statement], values["import numpy"])
    )
    remarks.append(f"cnn_core needs {number(beyond)} ms beyond NumPy.")
    return Section(
        "Import, milliseconds",
        [Block("a new interpreter, from its start to its end", lines, remarks)],
    )


def sizes(options):
    """Installed size."""
    title = "Installed size, megabytes without compiled bytecode"
    try:
        from sizes import size
    except ImportError as error:
        return Section(title, [], [f"left out: {error}"])
    lines, remarks = [], ["cnn_core requires NumPy too, so NumPy does not compete."]
    for peer in PEERS:
        try:
            alone, total, count = size(peer.distribution)
        except importlib.metadata.PackageNotFoundError as error:
            remarks.append(f"{peer.name} is absent: {error}")
            continue
        lines.append(Line(peer.distribution, competitor(peer), [total / MEGABYTE]))
        remarks.append(
            f"{peer.distribution} alone: {number(alone / MEGABYTE)}; {count} distributions in all"
        )
    return Section(title, [Block("a package with all its dependencies", lines, remarks)])


def competitor(peer):
    """Its name, or None for the one that cnn_core cannot do without."""
    return None if peer.distribution == "numpy" else peer.name


def memory(options):
    """Memory of a training."""
    title = "Peak memory of one epoch, megabytes (one thread each)"
    if not Path("/proc/self/clear_refs").exists():
        return Section(title, [], ["left out: it is read from Linux's /proc"])
    blocks, remarks = [], []
    for case in MEMORY:
        case = case.quick() if options.quick else case
        fits, processes = [], []
        for peer in PEERS:
            try:
                with Worker(peer, 1) as worker:
                    labels = worker.call(tasks.trainer_labels, case)
                for label in labels:
                    with Worker(peer, 1) as worker:
                        beyond, whole = worker.call(tasks.memory, case, label)
                    fits.append(Line(f"{peer.name}, {label}", peer.name, [beyond / MEGABYTE]))
                    processes.append(Line(f"{peer.name}, {label}", peer.name, [whole / MEGABYTE]))
            except Absent as error:
                remarks.append(f"{peer.name} is absent: {error}")
            except Failed as error:
                remarks.append(f"{peer.name} failed: {last_line(error)}")
        blocks += [
            Block(f"{case}: beyond X and y", fits),
            Block(f"{case}: the whole process", processes),
        ]
    return Section(title, blocks, list(dict.fromkeys(remarks)))


def products(options):
    """The share of the FMA peak."""
    with Worker(OURS, 1) as worker:
        found = worker.call(tasks.products, options.rounds)
    return Plain(
        "Forward product 256 x 512 x 512 on one thread, "
        "share of the FMA peak measured in turn with it",
        [
            ["instruction set", "dtype", "peak, GFLOP/s", "share of it"],
            *(
                [isa, dtype, f"{peak / 1e9:.1f}", f"{share:.0%}"]
                for isa, dtype, peak, share in found
            ),
        ],
    )


#: Sections with a worker for each peer, once for each number of threads, and those that do without.
TIMED = {"epochs": epochs, "rows": rows, "batches": batches}
OTHERS = {"imports": imports, "sizes": sizes, "memory": memory, "products": products}


def caches():
    """Such as 'L1d 48K, L2 2048K, L3 260M'."""
    found = []
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, amount = (
            (folder / name).read_text().strip() for name in ("level", "type", "size")
        )
        if kind != "Instruction":
            found.append(f"L{level}{'d' if kind == 'Data' else ''} {amount}")
    return ", ".join(found) or "caches unknown"


def machine():
    """Lines on processor, versions and date."""
    import cnn_core  # here, so that the peers' processes, which import this file, do not

    model = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            about = dict(map(str.strip, line.split(":", 1)) for line in file if ":" in line)
        model = about.get("model name", model)
        if "cpu family" in about:
            model += f" (family {about['cpu family']}, model {about['model']})"
    versions = [f"Python {platform.python_version()}"]
    for distribution in (*dict.fromkeys(peer.distribution for peer in PEERS), "onnx"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{distribution} {importlib.metadata.version(distribution)}")
    with Worker(PEERS[-1], 1) as worker:
        libraries = worker.call(tasks.blas)
    return [
        f"{model}, {os.cpu_count()} processors, {caches()}; "
        f"{platform.system()} {platform.machine()}",
        f"cnn_core's instruction set: {cnn_core.instruction_set()}",
        f"BLAS of NumPy: {', '.join(libraries) or 'unknown'}",
        ", ".join(versions),
        time.strftime("%Y-%m-%d %H:%M"),
    ]


def parse():
    parser = argparse.ArgumentParser(
        description="Time cnn_core beside its peers.",
        epilog="'builds BEFORE AFTER' times two builds of cnn_core instead: 'builds --help'.",
    )
    sections = [*TIMED, *OTHERS]
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help=f"of {', '.join(sections)}; default all"
    )
    parser.add_argument(
        "--rounds", type=int, default=7, help="turns of each contestant (default 7)"
    )
    parser.add_argument(
        "--threads",
        type=thread_counts,
        default=[1],
        metavar="N[,N]",
        help="numbers of threads, or 'all' processors (default 1)",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write everything that was measured to FILE"
    )
    parser.add_argument("--markdown", action="store_true", help="print tables for RESULTS.md")
    parser.add_argument(
        "--quick", action="store_true", help=f"one round, at most {QUICK_ROWS:,} rows"
    )
    options = parser.parse_args()
    if unknown := set(options.sections) - set(sections):
        parser.error(
            f"unknown section {', '.join(sorted(unknown))}; there are {', '.join(sections)}"
        )
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    options.rounds = 1 if options.quick else options.rounds
    options.sections = options.sections or sections
    return options


def main():
    if sys.argv[1:2] == ["builds"]:
        builds.main(sys.argv[2:])
        return
    options = parse()
    chosen = options.sections
    about = machine()
    about.append(
        "QUICK, one round: nothing but a test of the benchmark"
        if options.quick
        else f"medians of {options.rounds} rounds"
    )
    if hasattr(os, "getloadavg"):
        about.append(
            f"load average before the first {os.getloadavg()[0]:.1f}, on a quiet machine 0"
        )
    print(
        "\n".join(f"{line}  " for line in about) if options.markdown else "\n".join(about),
        end="\n\n",
        flush=True,
    )
    tables = []

    def show(table):
        tables.append(table)
        print(table.markdown() if options.markdown else table.text(), flush=True)

    for threads in options.threads:
        with contextlib.ExitStack() as stack:
            if timed := [TIMED[name] for name in chosen if name in TIMED]:
                field = Field(threads, stack)
                for section in timed:
                    show(section(options, field))
    for name in chosen:
        if name in OTHERS:
            show(OTHERS[name](options))
    if options.json:
        options.json.write_text(
            json.dumps({"machine": about, "tables": [table.data() for table in tables]}, indent=1)
        )


if __name__ == "__main__":
    main()

"""`MLP.profile` and ``cnn-core profile``: where the time of an epoch goes, and how near to the
machine's limits.

The native core marks the time of each phase itself (``Trainer(timing=True)``, on one thread). All
that is compared takes turns, round after round, and of each the fastest counts, because other
programs only ever slow it down. The peak is the best of many short stretches in each round already;
of these the median counts, not a moment at a higher clock.
"""

import contextlib
import math
import platform
import statistics
import textwrap
import time

import numpy as np

import cnn_core
from cnn_core import _cpu, _losses
from cnn_core._checks import check_number
from cnn_core._dataset import RowSource
from cnn_core._numpy_by_hand import Trainer, why_not
from cnn_core._run import Data
from cnn_core.inspection import layer_names
from cnn_core.optimizers import get_optimizer
from cnn_core.threads import threads_of

PEAK_SECONDS = 0.005  # of one measurement of the peak
TURN_SECONDS = 0.01  # that a contestant takes in a round, at least, where an epoch is shorter
COPY_BYTES = 64 << 20
TWIN_PRODUCT = 40e-9  # seconds that plain Python takes for a multiplication and addition, about

LINE = 100  # columns of what is printed

MULTIPLIES = ("forward", "backward", "gradient")


class Profile(dict):
    """What `MLP.profile` returns: a dict that prints as a table.

    The keys, with times in seconds and None where a number makes no sense:

    ``machine``
        system, instruction_set, peak_gflop_per_s (of one thread, in the dtype of the network),
        copy_gb_per_s, copy_bytes.
    ``training``
        widths, activations, loss, optimizer, dtype, parameters, rows, batch_size.
    ``phases``
        A list of dicts: layer, phase, seconds, share (of the sum), gflop_per_s, peak_share,
        gb_per_s, copy_share.
    ``totals``
        phase_seconds (the sum of the phases, reading the clock included), epoch_seconds (without),
        rows_per_s, gflop_per_s, peak_share; threads, threads_epoch_seconds, threads_speedup; numpy
        and twin: dicts of rows, batch_size, threads (None: unknown), epoch_seconds, rows_per_s,
        speedup (how much faster one thread of the core is), and why_not, a sentence where they were
        not measured.
    ``rounds``
        Of which the fastest counts.
    """

    def __str__(self):
        head, totals = (
            [
                part
                for line in lines
                for part in textwrap.wrap(
                    line,
                    LINE,
                    subsequent_indent="  ",
                    replace_whitespace=False,
                    drop_whitespace=True,
                )
            ]
            for lines in (self._head(), self._totals())
        )
        return "\n".join([*head, "", *self._table(), "", *totals])

    __repr__ = __str__

    def plot(self, file):
        """Draw the phases and their share of the peak as a bar chart.

        Parameters
        ----------
        file : path-like
            Where to write it; the ending, such as .png or .svg, says in which format.

        Raises
        ------
        ImportError
            Without matplotlib, which ``pip install 'cnn-core[plot]'`` brings.
        ValueError
            For an ending that matplotlib does not know.
        """
        from cnn_core._profile_plot import draw

        draw(self, file)

    def _head(self):
        machine, training = self["machine"], self["training"]
        steps = -(-training["rows"] // training["batch_size"])
        return [
            f"Machine: {machine['system']}, {machine['instruction_set']}; "
            f"{machine['peak_gflop_per_s']:.1f} GFLOP/s at most on one thread in {training['dtype']}; "
            f"copying {machine['copy_bytes'] >> 20} MiB moves {machine['copy_gb_per_s']:.1f} GB/s, read and written.",
            f"Training: {title(training)}, {training['parameters']:,} parameters, {training['loss']}, "
            f"{training['optimizer']}; {training['rows']:,} rows in {steps:,} mini-batches of "
            f"{training['batch_size']:,}.",
        ]

    def _table(self):
        lines = [
            f"{'':21}{'ms an epoch':>12}{'share':>9}{'GFLOP/s':>11}{'of the peak':>13}{'GB/s':>9}"
            f"{'of the copy':>13}"
        ]
        before = None
        for row in self["phases"]:
            layer = row["layer"] if row["layer"] != before else ""
            before = row["layer"]
            lines.append(
                f"{layer:<10} {row['phase']:<10}{1e3 * row['seconds']:12,.3f}{percent(row['share']):>9}"
                f"{number(row['gflop_per_s']):>11}{percent(row['peak_share']):>13}"
                f"{number(row['gb_per_s']):>9}{percent(row['copy_share']):>13}".rstrip()
            )
        totals = self["totals"]
        lines.append(
            f"{'sum':<21}{1e3 * totals['phase_seconds']:12,.3f}{percent(1.0):>9}   reading the clock included"
        )
        return lines

    def _totals(self):
        totals = self["totals"]
        rows = self["training"]["rows"]
        lines = [
            total("1 thread", totals["epoch_seconds"], rows)
            + f"  {number(totals['gflop_per_s'])} GFLOP/s, {percent(totals['peak_share'])} of the peak"
        ]
        if totals["threads"] > 1:
            lines.append(
                total(f"{totals['threads']} threads", totals["threads_epoch_seconds"], rows)
                + f"  {times(totals['threads_speedup'])} as fast as 1 thread"
            )
        for name, key in (("NumPy by hand", "numpy"), ("Python twin", "twin")):
            one = totals[key]
            if one["why_not"]:
                lines.append(f"{name:<14}  not measured: {one['why_not']}.")
                continue
            lines.append(
                total(name, one["epoch_seconds"], rows)
                + f"  1 thread is {times(one['speedup'])} as fast"
            )
            part = f"{one['rows']:,} of the {rows:,}" if one["rows"] < rows else f"all {rows:,}"
            notes = [f"measured on {part} rows"]
            if one["batch_size"] < self["training"]["batch_size"]:
                notes.append(f"both in mini-batches of {one['batch_size']:,}")
            notes.append("1 thread" if one["threads"] else "as many threads as its BLAS takes")
            lines.append(f"{'':14}  ({', '.join(notes)})")
        rounds = f"{self['rounds']} round{'s' * (self['rounds'] > 1)}"
        lines.append(f"The fastest of {rounds} in which all took turns; the twin came after them.")
        return lines


def number(value):
    """Three digits that count, or nothing for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def percent(share):
    return "" if share is None else f"{100 * share:.1f} %"


def times(ratio):
    return f"{number(ratio)} times"


def title(training):
    """'784-128-10, relu and softmax, float32'"""
    words = " and ".join(dict.fromkeys(training["activations"]))
    return f"{'-'.join(map(str, training['widths']))}, {words}, {training['dtype']}"


def total(name, seconds, rows):
    return f"{name:<14}{1e3 * seconds:14,.3f} ms an epoch{number(rows / seconds):>12} rows/s"


def check(model, seconds, plot):
    """Raise for what `MLP.profile` cannot do."""
    check_number("seconds", seconds, 0, None, above=True)
    optimizer = get_optimizer(model.optimizer).name
    for name, wrong in (
        ("backend", model.backend == "python"),
        ("optimizer", optimizer == "lbfgs"),
    ):
        if wrong:
            raise ValueError(
                f"profile measures the native core's steps, one a mini-batch; this model has "
                f"{name}={getattr(model, name)!r}"
            )
    if plot is not None:
        from cnn_core._profile_plot import check as check_plot

        check_plot(plot)  # not after all has been measured


def measure(model, fitted, data, seconds):
    """Profile a training.

    Parameters
    ----------
    model : MLP
        Its parameters count.
    fitted : Fitted
        What training begins with.
    data : Data
    seconds : float
        For all rounds together; for the twin as much again.

    Returns
    -------
    Profile
    """
    network, rows, shuffle = fitted.network, data.X.count, bool(model.shuffle)
    batch = model._capacity(rows)

    def make_run(backend, batch, timing=False, n_threads=1):
        return model._make_run(fitted, network.copy(), batch, backend, timing, n_threads)

    turns = {
        "phases": Native(make_run("native", batch, True), data, shuffle),
        "epoch": Native(make_run("native", batch), data, shuffle),
    }
    run = turns["phases"].run
    most = threads_of(model.n_threads)
    if most > 1:
        turns["threads"] = Native(make_run("native", batch, False, model.n_threads), data, shuffle)
    unknown = why_not(
        network.activations,
        run.backprop.loss,
        run.optimizer,
        {
            "l1": model.l1,
            "l2": model.l2,
            "dropout": any(model._dropout_rates()),
            "max_norm": model.max_norm,
            "clip_norm": model.clip_norm,
            "class_weight": data.weights is not None,
        },
    )
    by_hand = (
        None if unknown else ByHand(trainer_like(run, model), data, batch, shuffle, seconds / 20)
    )
    copy = Copy()
    peaks, copies, hands, spent = [], [], [], {name: [] for name in turns}
    layers = []
    for turn in turns.values():  # wakes up threads, fills caches, and says how long an epoch takes
        turn.repeats = max(1, round(TURN_SECONDS / turn.seconds()))
    end = time.perf_counter() + seconds
    while not peaks or time.perf_counter() < end:
        peaks.append(_cpu.fma_peak(network.dtype.name, PEAK_SECONDS))
        for name, turn in turns.items():
            spent[name].append(turn.seconds())
        layers.append(turns["phases"].layer_seconds)
        copies.append(copy.bytes_per_second())
        if by_hand is not None:
            hands.append(by_hand.seconds())
    epoch = min(spent["epoch"])
    peak, bandwidth = statistics.median(peaks), max(copies)
    flop = sum(
        work_of(network, rows, l, phase) for l in range(network.n_layers) for phase in MULTIPLIES
    )
    phases = phase_table(run, data, layers, peak, bandwidth)
    totals = {
        "phase_seconds": sum(row["seconds"] for row in phases),
        "epoch_seconds": epoch,
        "rows_per_s": rows / epoch,
        "gflop_per_s": flop / epoch / 1e9,
        "peak_share": flop / epoch / peak,
        "threads": most,
        "threads_epoch_seconds": epoch,
        "threads_speedup": 1.0,
    }
    if most > 1:
        totals["threads_epoch_seconds"] = min(spent["threads"])
        totals["threads_speedup"] = epoch / totals["threads_epoch_seconds"]
    nothing = dict.fromkeys(
        ("rows", "batch_size", "threads", "epoch_seconds", "rows_per_s", "speedup")
    )
    totals["numpy"] = (
        nothing | {"why_not": unknown}
        if by_hand is None
        else other(min(hands), by_hand.rows, batch, by_hand.threads, rows, epoch)
    )
    totals["twin"] = twin(make_run, data, batch, shuffle, seconds, epoch, network)
    return Profile(
        machine={
            "system": f"{platform.system()} {platform.machine()}",
            "instruction_set": _cpu.instruction_set(),
            "peak_gflop_per_s": peak / 1e9,
            "copy_gb_per_s": bandwidth / 1e9,
            "copy_bytes": COPY_BYTES,
        },
        training={
            "widths": list(network.widths),
            "activations": list(network.activations),
            "loss": run.backprop.loss,
            "optimizer": run.optimizer,
            "dtype": network.dtype.name,
            "parameters": network.flat().size,
            "rows": rows,
            "batch_size": batch,
        },
        phases=phases,
        totals=totals,
        rounds=len(peaks),
    )


def trainer_like(run, model):
    """A function that makes a `Trainer` which trains what a native run trains, from the same
    parameters."""
    backprop, network = run.backprop, run.backprop.network
    settings = get_optimizer(model.optimizer).settings(model._schedule().initial)
    parameters = network.flat()
    return lambda: Trainer(
        parameters,
        network.widths,
        network.activations,
        network.alphas,
        backprop.loss,
        backprop.from_logits,
        run.optimizer,
        settings,
        backprop.max_batch_size,
    )


class Native:
    """A native run that takes turns."""

    def __init__(self, run, data, shuffle):
        self.run, self.data, self.shuffle, self.repeats = run, data, shuffle, 1
        self.layer_seconds = None  # of the last turn, an epoch

    def seconds(self):
        """Of an epoch, the mean of a few."""
        data, before = self.data, self.run.layer_seconds
        start = time.perf_counter()
        for _ in range(self.repeats):
            self.run.epoch(data.X, data.y, data.labels, self.shuffle, weights=data.weights)
        spent = (time.perf_counter() - start) / self.repeats
        self.layer_seconds = [
            {phase: (layer[phase] - old[phase]) / self.repeats for phase in layer}
            for layer, old in zip(self.run.layer_seconds, before)
        ]
        return spent


class ByHand:
    """NumPy by hand takes turns, each with new parameters: what training leaves behind, such as
    subnormal moments of neurons that are dead, would slow it down by and by."""

    def __init__(self, make_trainer, data, batch, shuffle, seconds):
        self.make_trainer, self.shuffle, self.rng = make_trainer, shuffle, np.random.default_rng(0)
        self.X = data.X.array
        self.y = data.labels.array[:, 0] if data.y is None else data.y.array
        try:  # scikit-learn brings it
            from threadpoolctl import threadpool_limits

            self.limit, self.threads = threadpool_limits, 1
        except ImportError:
            self.limit, self.threads = contextlib.nullcontext, None
        self.rows = min(batch, len(self.X))
        self.seconds()  # the first call is slow
        self.rows = affordable(self.seconds(), self.rows, len(self.X), seconds)

    def seconds(self):
        """Of an epoch over `rows` rows."""
        trainer, X, y = self.make_trainer(), self.X[: self.rows], self.y[: self.rows]
        with np.errstate(all="ignore"), self.limit(1):
            start = time.perf_counter()
            # Over part of the rows it draws an order as an epoch over all of them does.
            trainer.epoch(X, y, self.rng.permutation(len(X)) if self.shuffle else None)
            return time.perf_counter() - start


class Copy:
    """A large array that is copied."""

    def __init__(self):
        self.source = np.ones(COPY_BYTES // 8)
        self.target = self.source.copy()  # np.zeros would have no memory before it is written to

    def bytes_per_second(self):
        """Read and written."""
        start = time.perf_counter()
        np.copyto(self.target, self.source)
        return 2 * COPY_BYTES / (time.perf_counter() - start)


def affordable(seconds, batch, rows, budget):
    """Whole mini-batches that fit into a budget, in rows, if one takes `seconds`."""
    return min(rows, batch * max(1, int(budget / seconds)))


def twin(make_run, data, batch, shuffle, seconds, epoch, network):
    """The twin on as many whole mini-batches as fit into `seconds`; on a smaller one, with the core
    on such ones too, where one would take twice as long."""
    rows = data.X.count
    weights = sum(n_in * n_out for n_in, n_out in zip(network.widths, network.widths[1:]))
    size = max(1, min(batch, int(2 * seconds / (len(MULTIPLIES) * weights * TWIN_PRODUCT))))
    if size < batch:
        native = Native(make_run("native", size), data, shuffle)
        epoch = min(native.seconds() for _ in range(4))
    count = size

    def spent():
        part = first(data, count)
        run = make_run("python", size)
        run._as_lists(
            part.X, part.y, part.labels, part.weights
        )  # keeps them: made once a fit, not once an epoch
        start, busy = time.perf_counter(), time.thread_time()
        run.epoch(part.X, part.y, part.labels, shuffle, weights=part.weights)
        busy, took = time.thread_time() - busy, time.perf_counter() - start
        # It runs but once, so waiting for other programs must not count; the clock of processor
        # time may be coarse.
        return busy if busy > 0.1 else took

    took = spent()
    more = affordable(took, size, rows, seconds - took)
    if more > count:
        count = more
        took = spent()
    return other(took, count, size, 1, rows, epoch)


def first(data, count):
    """The first rows."""
    return Data(
        *(
            None if part is None else RowSource(part.array[:count])
            for part in (data.X, data.y, data.labels, data.weights)
        )
    )


def other(seconds, measured, batch, threads, rows, epoch):
    """What is told of a trainer that took `seconds` for some of the rows, where the core takes
    `epoch` for all."""
    whole = seconds * rows / measured
    return {
        "rows": measured,
        "batch_size": batch,
        "threads": threads,
        "epoch_seconds": whole,
        "rows_per_s": rows / whole,
        "speedup": whole / epoch,
        "why_not": None,
    }


def work_of(network, rows, l, phase):
    """Floating-point operations of a phase in an epoch: 2 a weight and row; the first layer sends
    nothing back."""
    if phase not in MULTIPLIES or (phase == "backward" and l == 0):
        return 0
    return 2 * rows * network.widths[l] * network.widths[l + 1]


def traffic_of(run, data, l, phase):
    """Bytes that a phase reads and writes in an epoch, padding left out; 0 where moving memory is
    not its work."""
    network, rows = run.backprop.network, data.X.count
    if phase == "gather":
        parts = (None if run.in_place else data.X, data.y, data.labels, data.weights)
        return 2 * sum(part.count * part.array[:1].nbytes for part in parts if part is not None)
    if phase == "update":
        n_in, n_out = network.widths[l], network.widths[l + 1]
        # Parameters and slots are read and written, the gradient is read; above the first layer W^T
        # is made anew.
        numbers = (2 + 2 * len(run.slots) + 1) * n_out * (n_in + 1) + (2 * n_out * n_in if l else 0)
        return -(-rows // run.backprop.max_batch_size) * numbers * network.itemsize
    return 0


def phase_table(run, data, rounds, peak, bandwidth):
    """A dict for each phase of each layer.

    Parameters
    ----------
    run : Training
    data : Data
    rounds : list
        `Training.layer_seconds` of an epoch, for each round.
    peak, bandwidth : float
        Operations and bytes a second.

    Returns
    -------
    list of dict
    """
    network = run.backprop.network
    last = network.n_layers - 1
    own = _losses.table()[run.backprop.loss].outputs  # activations that the loss takes in
    wanted = [("rows", 0, "shuffle"), ("rows", 0, "gather")]
    for l, name in enumerate(layer_names(network)):
        wanted += [
            (name, l, phase)
            for phase in ("forward", "activation", "loss", "backward", "gradient", "update")
            if not (
                (phase == "activation" and l == last and own)
                or (phase == "loss" and l < last)
                or (phase == "backward" and l == 0)
            )
        ]
    table = []
    for name, l, phase in wanted:
        seconds = min(layers[l][phase] for layers in rounds)
        work, traffic = (
            amount / seconds if seconds > 0 and amount else None
            for amount in (
                work_of(network, data.X.count, l, phase),
                traffic_of(run, data, l, phase),
            )
        )
        table.append(
            {
                "layer": name,
                "phase": phase,
                "seconds": seconds,
                "share": 0.0,
                "gflop_per_s": work and work / 1e9,
                "peak_share": work and work / peak,
                "gb_per_s": traffic and traffic / 1e9,
                "copy_share": traffic and traffic / bandwidth,
            }
        )
    whole = math.fsum(row["seconds"] for row in table)
    for row in table:
        row["share"] = row["seconds"] / whole
    return table


def made_up(widths, rows, dtype):
    """Rows to measure with: random inputs, and every class about as often as the others."""
    rng = np.random.default_rng(0)
    return rng.random((rows, widths[0]), dtype), rng.permutation(
        np.arange(rows) % max(2, widths[-1])
    )


def command(widths, rows, batch, activation, optimizer, dtype, threads, seconds, plot):
    """``cnn-core profile``: profile a network on made-up data and print the result.

    Parameters
    ----------
    widths : tuple of int
    rows, batch : int
    activation, optimizer, dtype : str
    threads : int or None
    seconds : float
    plot : str or None
        A file for the chart.
    """
    output = "auto" if widths[-1] == 1 else "softmax"
    model = cnn_core.MLP(
        widths[1:-1],
        activation,
        output=output,
        task="classification",
        optimizer=optimizer,
        batch_size="full" if optimizer == "lbfgs" else batch,  # for `check`, which refuses it
        dtype=dtype,
        n_threads=threads,
        random_state=0,
    )
    if rows < max(2, widths[-1]):
        raise ValueError(
            f"--rows must be at least the number of classes, {max(2, widths[-1])}, got {rows}"
        )
    check(model, seconds, plot)  # before the rows are made
    found = model.profile(*made_up(widths, rows, dtype), seconds=seconds)
    print(found, flush=True)
    if plot is not None:
        found.plot(plot)
        print(f"Chart: {plot}")

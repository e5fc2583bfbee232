"""What the workers are asked to do. Each function gets the peer's module and the worker's
contestants, a dict of label to `Contestant`, which the functions `open_...` fill."""

import contextlib
import ctypes
import gc
import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from cases import Net, initial_layers, inputs, training_data, training_loss, wrong_answers

PAUSE = 0.05  # seconds before each measurement, in which threads of the one before stop spinning
LONG_ENOUGH = 0.03  # seconds of a measurement of predictions
ROWS = 256  # different ones that take turns where one row is asked for at a time


@dataclass
class Contestant:
    """`repeat(n)` does the work n times; `count` is the n of one measurement."""

    repeat: Callable[[int], object]
    count: int

    def measure(self):
        """(seconds for one repetition, processors in use)."""
        time.sleep(PAUSE)
        if warm_up := self.count // 5:
            self.repeat(warm_up)
        start, cpu = time.perf_counter(), time.process_time()
        self.repeat(self.count)
        seconds = time.perf_counter() - start
        return seconds / self.count, (time.process_time() - cpu) / seconds


def measure(peer, contestants, label):
    return contestants[label].measure()


def open_training(peer, contestants, case):
    """{label: training losses after case.check_epochs with the rows in order, and as it will be
    timed}.

    The second of these trainings also compiles what has to be compiled.
    """
    X, y = training_data(case)
    layers = initial_layers(case.net)
    losses = {}
    contestants.clear()
    in_order = peer.trainers(replace(case, in_order=True), X, y, layers)
    for label, trainer in peer.trainers(case, X, y, layers).items():
        losses[label] = []
        for train, trained in (in_order[label], trainer):
            train(case.check_epochs)
            losses[label].append(training_loss(case.net, trained(), X, y))
        contestants[label] = Contestant(trainer[0], case.epochs)
    return losses


def open_rows(peer, contestants, net):
    """{label: share of wrong answers} of predictions row by row."""
    layers, X = initial_layers(net), inputs(net, ROWS)
    rows = list(X)
    wrong = {}
    contestants.clear()
    for label, predict in peer.row_predictors(net, layers).items():
        wrong[label] = wrong_answers(net, layers, X, [float(predict(x).item()) for x in rows])

        def repeat(count, predict=predict):
            for x in itertools.islice(itertools.cycle(rows), count):
                predict(x)

        contestants[label] = calibrated(repeat)
    return wrong


def open_batches(peer, contestants, net, count):
    """{label: share of wrong answers} of predictions of many rows at once."""
    layers, X = initial_layers(net), inputs(net, count)
    wrong = {}
    contestants.clear()
    for label, predict in peer.batch_predictors(net, layers).items():
        wrong[label] = wrong_answers(net, layers, X, predict(X))

        def repeat(count, predict=predict):
            for _ in range(count):
                predict(X)

        contestants[label] = calibrated(repeat)
    return wrong


def calibrated(repeat):
    """A contestant whose measurements are long enough."""
    count = 1
    while True:
        start = time.perf_counter()
        repeat(count)
        if (seconds := time.perf_counter() - start) > LONG_ENOUGH / 4:
            return Contestant(repeat, max(1, round(count * LONG_ENOUGH / seconds)))
        count *= 4


def trainer_labels(peer, contestants, case):
    case = replace(case, rows=2 * case.batch_size)
    return list(peer.trainers(case, *training_data(case), initial_layers(case.net)))


def status(field):
    """A line of /proc/self/status, in bytes."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field + ":"))


def memory(peer, contestants, case, label):
    """(bytes that one training needs at its peak beyond X and y, bytes of the process then).

    Before it a tiny net is trained: what a package loads at its first use is in the second number
    alone.
    """
    tiny = replace(case, net=Net((2, 2, 2)), rows=8, batch=4)
    train, _ = peer.trainers(tiny, *training_data(tiny), initial_layers(tiny.net))[label]
    train(1)
    X, y = training_data(case)
    layers = initial_layers(case.net)
    gc.collect()
    with contextlib.suppress(AttributeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(
            0
        )  # so that no memory freed before is used again without being counted
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # VmHWM starts anew from what is resident now
    before = status("VmRSS")
    train, _ = peer.trainers(case, X, y, layers)[label]
    train(1)
    peak = status("VmHWM")
    return peak - before, peak


def products(peer, contestants, rounds):
    """[(instruction set, dtype, FLOP/s of the peak, share of it that a forward product 256 x 512 x
    512 reaches)]."""
    import numpy as np
    from cnn_core._linalg import affine, pack

    import cnn_core
    from cnn_core import _cpu

    rows = []
    for isa in cnn_core.instruction_sets():
        if isa == "generic":
            continue
        _cpu.use_instruction_set(isa)
        for dtype in ("float32", "float64"):
            rng = np.random.default_rng(0)
            X, panels = (
                rng.random((256, 512)).astype(dtype),
                pack(rng.random((512, 512)).astype(dtype)),
            )
            out = np.empty((256, 512), dtype)
            peaks, shares = [], []
            for _ in range(5 * rounds):
                peaks.append(_cpu.fma_peak(dtype, 0.005))
                start = time.perf_counter()
                for _ in range(5):
                    affine(X, panels, None, out)
                shares.append(2 * 5 * 256 * 512 * 512 / (time.perf_counter() - start) / peaks[-1])
            rows.append((isa, dtype, statistics.median(peaks), statistics.median(shares)))
    return rows


def blas(peer, contestants):
    """Names of the BLAS libraries that are loaded; empty without threadpoolctl."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return []
    return sorted(
        {
            f"{info['internal_api']} {info['version']} {info.get('architecture', '')}".strip()
            for info in threadpool_info()
            if info["user_api"] == "blas"
        }
    )

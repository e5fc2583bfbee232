"""`MLP.profile` and ``cnn-core profile``: where the time of an epoch goes, and how near to the
machine's limits.

The native core marks the time of each phase itself (``timing=True``, on one thread). All that is
compared is measured interleaved, round after round, and of each the fastest counts, because other
programs only ever slow it down. The peak is the best of many short measurements in each round
already; of these the median counts, not a moment at a higher clock.
"""

import os
import platform
import statistics
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from cnn_core._checks import check_number
from cnn_core.functional import fma_peak, instruction_set
from cnn_core.optimizers import get_optimizer
from cnn_core.profile.baselines import (
    ENTRY,
    NumpyTimer,
    affordable,
    baseline_entry,
    reference_seconds,
    unsupported_reason,
)
from cnn_core.profile.phases import MULTIPLIES, phase_table, work_of
from cnn_core.profile.plot import check as check_plot
from cnn_core.profile.report import Profile
from cnn_core.profile.workload import Workload
from cnn_core.threads import threads_of

PEAK_SECONDS = 0.005  # of one measurement of the peak
SAMPLE_SECONDS = 0.01  # of a measurement in a round, at least, where an epoch is shorter
COPY_BYTES = 64 << 20
REFERENCE_PRODUCT = 40e-9  # seconds that plain Python takes for a multiply-add, about


def check(model: Any, seconds: float, plot: str | os.PathLike[str] | None) -> None:
    """Raise for what `MLP.profile` cannot do; `model` has MLP's parameters."""
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
        check_plot(plot)  # not after all has been measured


@dataclass
class Samples:
    """What the rounds have measured."""

    peaks: list[float] = field(default_factory=list)  # operations a second
    copies: list[float] = field(default_factory=list)  # bytes a second
    seconds: dict[str, list[float]] = field(default_factory=dict)  # of an epoch, by timer
    layer_seconds: list[list[dict[str, float]]] = field(default_factory=list)

    @property
    def peak(self) -> float:
        """The median: not a moment at a higher clock."""
        return statistics.median(self.peaks)

    @property
    def bandwidth(self) -> float:
        """The fastest copy."""
        return max(self.copies)

    def fastest(self, name: str) -> float:
        """Seconds of a timer's fastest epoch."""
        return min(self.seconds[name])


class NativeTimer:
    """Measures a native trainer."""

    def __init__(self, workload: Workload, batch_size: int | None = None, **options: Any) -> None:
        self.workload = workload
        self.trainer = workload.trainer("native", batch_size, **options)
        self.repeats = 1
        self.layer_seconds: list[dict[str, float]] = []  # of the last measurement, an epoch

    def seconds(self) -> float:
        """Of an epoch, the mean of a few."""
        data, trainer, before = self.workload.data, self.trainer, self.trainer.layer_seconds
        start = time.perf_counter()
        for _ in range(self.repeats):
            trainer.epoch(data.X, data.y, data.labels, self.workload.shuffle, weights=data.weights)
        spent = (time.perf_counter() - start) / self.repeats
        self.layer_seconds = [
            {phase: (layer[phase] - old[phase]) / self.repeats for phase in layer}
            for layer, old in zip(trainer.layer_seconds, before)
        ]
        return spent


class Copy:
    """A large array that is copied."""

    def __init__(self) -> None:
        self.source = np.ones(COPY_BYTES // 8)
        self.target = self.source.copy()  # np.zeros would have no memory before it is written to

    def bytes_per_second(self) -> float:
        """Read and written."""
        start = time.perf_counter()
        np.copyto(self.target, self.source)
        return 2 * COPY_BYTES / (time.perf_counter() - start)


def interleave(timers: dict[str, Any], dtype: str, seconds: float) -> Samples:
    """Measure all, round after round, for some seconds and at least once; one timer is "phases"."""
    copy, samples = Copy(), Samples(seconds={name: [] for name in timers})
    end = time.perf_counter() + seconds
    while not samples.peaks or time.perf_counter() < end:
        samples.peaks.append(fma_peak(dtype, PEAK_SECONDS))  # type: ignore[arg-type]
        for name, timer in timers.items():
            samples.seconds[name].append(timer.seconds())
        samples.layer_seconds.append(timers["phases"].layer_seconds)
        samples.copies.append(copy.bytes_per_second())
    return samples


def measure(workload: Workload, seconds: float) -> Profile:
    """Profile a training.

    Parameters
    ----------
    workload : Workload
    seconds : float
        For all rounds together; for the reference implementation as much again.

    Returns
    -------
    Profile
    """
    threads = threads_of(workload.n_threads)
    timers: dict[str, Any] = {
        "phases": NativeTimer(workload, timing=True),
        "epoch": NativeTimer(workload),
    }
    if threads > 1:
        adaptive = workload.n_threads is None
        timers["threads"] = NativeTimer(workload, threads=threads, adaptive=adaptive)
    for timer in timers.values():  # wakes up threads, fills caches, tells an epoch's time
        timer.repeats = max(1, round(SAMPLE_SECONDS / timer.seconds()))
    reason = unsupported_reason(workload)
    if reason is None:
        timers["numpy"] = NumpyTimer(workload, seconds / 20)
    samples = interleave(timers, workload.network.dtype.name, seconds)
    phases = phase_table(
        timers["phases"].trainer,
        workload.data,
        samples.layer_seconds,
        samples.peak,
        samples.bandwidth,
    )
    epoch = samples.fastest("epoch")
    totals = {"phase_seconds": sum(row["seconds"] for row in phases)}
    totals |= native_totals(workload, samples, threads)
    totals["numpy"] = (
        dict.fromkeys(ENTRY) | {"unsupported_reason": reason}
        if reason
        else timers["numpy"].entry(samples.fastest("numpy"), epoch)
    )
    totals["reference"] = measure_reference(workload, seconds, epoch)
    return Profile(
        machine=machine_entry(samples),
        training=training_entry(workload),
        phases=phases,
        totals=totals,
        rounds=len(samples.peaks),
    )


def native_totals(workload: Workload, samples: Samples, threads: int) -> dict[str, Any]:
    """The part of a profile about whole epochs of the native core."""
    network, rows, epoch = workload.network, workload.data.X.count, samples.fastest("epoch")
    threads_epoch = samples.fastest("threads") if threads > 1 else epoch
    flop = sum(
        work_of(network, rows, l, phase) for l in range(network.n_layers) for phase in MULTIPLIES
    )
    return {
        "epoch_seconds": epoch,
        "rows_per_s": rows / epoch,
        "gflop_per_s": flop / epoch / 1e9,
        "peak_share": flop / epoch / samples.peak,
        "threads": threads,
        "threads_epoch_seconds": threads_epoch,
        "threads_speedup": epoch / threads_epoch,
    }


def machine_entry(samples: Samples) -> dict[str, Any]:
    """The part of a profile about the machine."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "instruction_set": instruction_set(),
        "peak_gflop_per_s": samples.peak / 1e9,
        "copy_gb_per_s": samples.bandwidth / 1e9,
        "copy_bytes": COPY_BYTES,
    }


def training_entry(workload: Workload) -> dict[str, Any]:
    """The part of a profile about what is trained."""
    network = workload.network
    return {
        "widths": list(network.widths),
        "activations": list(network.activations),
        "loss": workload.spec.loss,
        "optimizer": workload.spec.optimizer,
        "dtype": network.dtype.name,
        "parameters": network.flat().size,
        "rows": workload.data.X.count,
        "batch_size": workload.spec.batch_size,
    }


def measure_reference(workload: Workload, seconds: float, epoch: float) -> dict[str, Any]:
    """The reference implementation on as many whole mini-batches as fit into `seconds`; on a
    smaller one, with the core on such ones too, where one would take twice as long."""
    rows = workload.data.X.count
    weights = sum(n_in * n_out for n_in, n_out in pairwise(workload.network.widths))
    affordable_rows = int(2 * seconds / (len(MULTIPLIES) * weights * REFERENCE_PRODUCT))
    size = max(1, min(workload.spec.batch_size, affordable_rows))
    if size < workload.spec.batch_size:
        native = NativeTimer(workload, size)
        epoch = min(native.seconds() for _ in range(4))
    count, took = size, reference_seconds(workload, size, size)
    more = affordable(took, size, rows, seconds - took)
    if more > count:
        count, took = more, reference_seconds(workload, size, more)
    return baseline_entry(took, count, size, 1, rows, epoch)

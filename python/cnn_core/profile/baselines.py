"""What the native core is compared with: NumPy, and the reference implementation."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from cnn_core.profile.numpy_baseline import DERIVATIVES, OUTPUTS, Trainer
from cnn_core.profile.workload import Workload

ENTRY = ("rows", "batch_size", "threads", "epoch_seconds", "rows_per_s", "speedup")


def baseline_entry(
    seconds: float, measured: int, batch_size: int, threads: int | None, rows: int, epoch: float
) -> dict[str, Any]:
    """The entry of a trainer that took `seconds` for some of the rows, where the core takes
    `epoch` for all."""
    whole = seconds * rows / measured
    values = (measured, batch_size, threads, whole, rows / whole, whole / epoch)
    return dict(zip(ENTRY, values)) | {"unsupported_reason": None}


def unsupported_reason(workload: Workload) -> str | None:
    """What of a training `numpy_baseline` does not know, as the end of a sentence; None where it
    knows all."""
    spec = workload.spec
    *hidden, output = workload.network.activations
    unknown = [
        f"the activation {name!r}" for name in dict.fromkeys(hidden) if name not in DERIVATIVES
    ]
    if spec.loss not in OUTPUTS:
        unknown.append(f"the loss {spec.loss!r}")
    elif output != OUTPUTS[spec.loss]:
        unknown.append(f"the loss {spec.loss!r} of outputs that are {output!r}")
    if spec.optimizer not in ("sgd", "adam"):
        unknown.append(f"the optimizer {spec.optimizer!r}")
    for name in ("l1", "l2", "dropout", "max_norm", "clip_norm", "rate_factors"):
        unknown += [name] * bool(np.any(getattr(spec, name)))
    unknown += ["embeddings"] * workload.network.embeds
    unknown += ["bias=False"] * (not workload.network.has_bias)
    unknown += ["class_weight"] * (workload.data.weights is not None)
    return f"it does not know {', '.join(unknown)}" if unknown else None


def numpy_trainer(workload: Workload) -> Trainer:
    """NumPy's training of the same network from the same parameters."""
    network, spec = workload.network, workload.spec
    assert spec.optimizer is not None
    return Trainer(
        [(network.weights(l), network.bias(l)) for l in range(network.n_layers)],
        network.activations,
        spec.optimizer,
        spec.settings,
        spec.batch_size,
    )


class NumpyTimer:
    """Measures NumPy, each time with new parameters: what training leaves behind, such as subnormal
    moments of dead neurons, would slow it down by and by.

    Parameters
    ----------
    workload : Workload
    seconds : float
        For a measurement: of as many whole mini-batches as fit, at least one.
    """

    def __init__(self, workload: Workload, seconds: float) -> None:
        self.workload, self.rng = workload, np.random.default_rng(0)
        data = workload.data
        self.X = data.X.rows()
        targets = data.labels if data.y is None else data.y
        assert targets is not None
        self.y = targets.rows()[:, 0] if data.y is None else targets.rows()
        self.limit: Callable[[int], Any]
        self.threads: int | None
        try:  # scikit-learn brings it
            from threadpoolctl import threadpool_limits

            self.limit, self.threads = threadpool_limits, 1
        except ImportError:
            self.limit, self.threads = contextlib.nullcontext, None
        self.rows = min(workload.spec.batch_size, len(self.X))
        self.seconds()  # the first call is slow
        self.rows = affordable(self.seconds(), self.rows, len(self.X), seconds)

    def seconds(self) -> float:
        """Of an epoch over `rows` rows."""
        trainer, X, y = numpy_trainer(self.workload), self.X[: self.rows], self.y[: self.rows]
        with np.errstate(all="ignore"), self.limit(1):
            start = time.perf_counter()
            # Over part of the rows it draws an order as an epoch over all of them does.
            trainer.epoch(X, y, self.rng.permutation(len(X)) if self.workload.shuffle else None)
            return time.perf_counter() - start

    def entry(self, seconds: float, epoch: float) -> dict[str, Any]:
        """See `baseline_entry`."""
        batch_size = self.workload.spec.batch_size
        return baseline_entry(seconds, self.rows, batch_size, self.threads, len(self.X), epoch)


def affordable(seconds: float, batch_size: int, rows: int, budget: float) -> int:
    """Whole mini-batches that fit into a budget, in rows, if one takes `seconds`."""
    return min(rows, batch_size * max(1, int(budget / seconds)))


def reference_seconds(workload: Workload, batch_size: int, rows: int) -> float:
    """Seconds of the reference implementation for an epoch over the first rows."""
    part = workload.data.take(np.arange(workload.data.X.count) < rows)
    trainer = workload.trainer("python", batch_size)
    trainer.as_lists(part.X, part.y, part.labels, part.weights)  # once a fit, not once an epoch
    start, busy = time.perf_counter(), time.thread_time()
    trainer.epoch(part.X, part.y, part.labels, workload.shuffle, weights=part.weights)
    busy, took = time.thread_time() - busy, time.perf_counter() - start
    # It runs but once, so waiting for other programs must not count; the clock of processor time
    # may be coarse.
    return busy if busy > 0.1 else took

"""`WindowRows`: the rows of blocks, some of them in memory at a time.

An epoch is a sequence of windows, each of some blocks of a fixed number of rows. Where blocks can
be read in any order, Philox numbers of (seed, epoch) say in which; those of (seed, epoch, window)
shuffle the rows of a window. A thread reads the next window while this one is trained on. Rows that
are left over from a window, as they fill no mini-batch, begin the next one, so that mini-batches do
not depend on where windows end.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._dataset import RowSource
from cnn_core._random import block_order, window_order

if TYPE_CHECKING:
    from cnn_core._control import EndRequest
    from cnn_core.blocks.learn import BlockData
    from cnn_core.data.prepare import Dataset
    from cnn_core.spec import TrainingSpec

_POLL = 0.05  # seconds between two looks at whether the training is to end, while it waits


class _Window(NamedTuple):
    """Rows in memory, those left over from the window before in front."""

    X: np.ndarray
    numbers: np.ndarray  #: of these rows among those that are trained on
    order: np.ndarray  #: in which they are visited
    first: int  #: mini-batches before it
    rows: int  #: that are visited now; the others are left over


class WindowRows:
    """The rows of blocks, for the training loop.

    Parameters
    ----------
    data : BlockData
    train : Dataset
        Their targets, labels and weights.
    spec : TrainingSpec
    shuffle : bool

    Attributes
    ----------
    error : BaseException or None
        What reading a block has raised.
    """

    def __init__(self, data: BlockData, train: Dataset, spec: TrainingSpec, shuffle: bool) -> None:
        self.data, self.train, self.shuffle = data, train, shuffle
        self.batch, self.seed, self.count = spec.batch_size, spec.seed, train.X.count
        gathered = data.gathered
        self.block_rows, self.window = gathered.block_rows, gathered.source.window
        self.n_blocks = -(-len(gathered) // self.block_rows)
        self.error: BaseException | None = None
        #: Rows that are trained on before each block.
        self.before = np.arange(self.n_blocks + 1) * self.block_rows
        self.before[-1] = len(gathered)
        if data.apart is not None:
            kept = np.concatenate(([0], np.cumsum(~data.apart)))
            self.before = kept[self.before]
        self._ahead: _Ahead | None = None
        self._window: _Window | None = None
        self._left: tuple[np.ndarray, np.ndarray] | None = None  # over, and their numbers

    def epoch(self, trainer: Any, rates: np.ndarray | None) -> tuple[float, Any] | None:
        """Have every row visited once; the loss and what the metric is made of, or None where the
        epoch pauses."""
        begins = self._ahead is None
        ahead = self._ahead = self._ahead or _Ahead(self._windows(trainer.epochs))
        try:
            if begins:
                ahead.start()
            found = None
            while found is None:
                if self._window is None:
                    self._next(trainer.end)
                found = self._visit(trainer, rates)
                if found is None and self._window is not None:
                    return None
        except BaseException:
            self.close()
            raise
        self.close()
        return found

    def close(self) -> None:
        """End the epoch that is being read."""
        ahead, self._ahead, self._window, self._left = self._ahead, None, None, None
        if ahead is not None:
            ahead.close()

    def _visit(self, trainer: Any, rates: np.ndarray | None) -> tuple[float, Any] | None:
        """Train on the window, as far as it has not been; gives it up when it is done."""
        window, train = self._window, self.train
        assert window is not None
        end = window.first + -(-window.rows // self.batch)
        last = window.first * self.batch + window.rows == self.count
        found = None
        if window.rows and (trainer.batches_done < end or last):
            parts = train.y, train.labels, train.weights
            y, labels, weights = (
                None if part is None else RowSource(part.array[window.numbers]) for part in parts
            )
            trainer.part = window.first, self.count
            found = trainer.epoch(
                RowSource(window.X),
                y,
                labels,
                False,
                order=window.order[: window.rows],
                weights=weights,
                rates=rates,
                total_weight=train.total_weight,
            )
        if found is None and trainer.batches_done >= end and not last:
            left = window.order[window.rows :]
            self._left = window.X[left], window.numbers[left]
            self._window = None
        return found

    def _next(self, end: EndRequest | None) -> None:
        """Wait for the next window."""
        assert self._ahead is not None
        try:
            window = self._ahead.next(end)
        except _Failed as failed:
            self.error = failed.error
            raise failed.error from None
        if self._left is not None:
            count = len(self._left[0])
            window.X[:count], window.numbers[:count] = self._left
            self._left = None
        self._window = window

    def _windows(self, epoch: int) -> Iterator[_Window]:
        """The windows of an epoch; run by the thread that reads ahead."""
        gathered = self.data.gathered
        in_order = not (self.shuffle and gathered.source.visits_any)
        blocks = np.arange(self.n_blocks)
        if not in_order:
            blocks = block_order(self.seed, epoch, self.n_blocks)
        reader, done = gathered.reader(in_order), 0
        for number, first in enumerate(range(0, self.n_blocks, self.window)):
            chosen = np.sort(blocks[first : first + self.window])
            left = done % self.batch
            numbers = np.concatenate(
                [np.zeros(left, np.intp)]
                + [np.arange(self.before[i], self.before[i + 1]) for i in chosen]
            )
            X = np.empty((len(numbers), self.data.width), self.data.dtype)
            at = left
            for i in chosen:
                at = self._read(reader, i, X, at)
            count = len(numbers) - left
            order = np.arange(len(numbers))
            if self.shuffle:
                order[left:] = left + window_order(self.seed, epoch, number, count)
            done += count
            rows = len(numbers) if done == self.count else len(numbers) // self.batch * self.batch
            yield _Window(X, numbers, order, (done - len(numbers)) // self.batch, rows)

    def _read(self, reader: Any, block: int, X: np.ndarray, at: int) -> int:
        """The rows of a block that are trained on, into X from row `at` on; where they end."""
        n_rows, apart = len(self.data.gathered), self.data.apart
        row = block * self.block_rows
        stop = min(row + self.block_rows, n_rows)
        for piece, start, end in reader.pieces(row, stop):
            rows, row = self.data.read(piece.rows(start, end)), row + end - start
            if apart is not None:
                rows = rows[~apart[row - len(rows) : row]]
            X[at : at + len(rows)] = rows
            at += len(rows)
        return at


class _Failed(Exception):
    """Reading has raised an error."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


class _Ahead:
    """Reads one window ahead, in a thread of its own.

    Parameters
    ----------
    windows : iterator
    """

    def __init__(self, windows: Iterator[_Window]) -> None:
        self._windows, self._closed = windows, False
        self._found: queue.SimpleQueue[_Window | _Failed] = queue.SimpleQueue()
        self._wanted = threading.Semaphore(1)
        self._thread = threading.Thread(target=self._run, name="cnn_core reader", daemon=True)

    def start(self) -> None:
        """Begin to read. Ctrl-C may strike as soon as the thread runs, so `close` must be due."""
        self._thread.start()

    def _run(self) -> None:
        try:
            while True:
                self._wanted.acquire()
                if self._closed:
                    return
                window = next(self._windows, None)
                if window is None:
                    return
                self._found.put(window)
                del window
        except BaseException as error:
            self._found.put(_Failed(error))

    def next(self, end: EndRequest | None) -> _Window:
        """The next window; the one after it is then read."""
        while True:
            try:
                found = self._found.get(timeout=_POLL)
                break
            except queue.Empty:
                if end is not None:
                    end.check()
        if isinstance(found, _Failed):
            raise found
        self._wanted.release()
        return found

    def close(self) -> None:
        """Read no more; the thread ends when it has read what it is reading."""
        self._closed = True
        self._wanted.release()
        if self._thread.is_alive():
            self._thread.join(_POLL)

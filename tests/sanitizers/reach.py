"""What the coverage of the core needs beside its tests, whose children end without a word to gcov:
a fork after a fit, a file that is mapped, and every optimizer on every instruction set."""

import os
import sys
import tempfile
import warnings

import cnn_core._cpu as _cpu
import numpy as np
from cnn_core._dropout import drop
from cnn_core.optimizers import OPTIMIZERS

from cnn_core import MLP

X = np.random.default_rng(0).normal(size=(300, 70))
Y = np.arange(300) % 3


def train_everything():
    """A short fit with each optimizer, instruction set and dtype."""
    for isa in _cpu.instruction_sets():
        _cpu.use_instruction_set(isa)
        for optimizer in OPTIMIZERS:
            for dtype in ("float32", "float64"):
                MLP(4, optimizer=optimizer, epochs=2, dtype=dtype, random_state=0).fit(X, Y)
    _cpu.use_instruction_set(_cpu.instruction_sets()[0])


def train_from_a_file():
    """A fit whose rows are read ahead."""
    with tempfile.TemporaryDirectory() as folder:
        rows = np.lib.format.open_memmap(f"{folder}/X.npy", "w+", np.float32, (3000, 700))
        rows[:] = 1
        rows.flush()
        del rows
        with open(f"{folder}/X.npy", "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # so that it is read
        rows = np.load(f"{folder}/X.npy", mmap_mode="r")
        MLP(4, epochs=2, batch_size=20, random_state=0).fit(rows, np.arange(3000) % 3)


def train_from_blocks():
    """A fit whose rows are shuffled window by window."""
    MLP(4, epochs=2, random_state=0).fit([(X[:99], Y[:99]), (X[99:], Y[99:])], None)


def use_pieces():
    """Functions that no training uses."""
    _cpu.fma_peak(seconds=0.001)
    drop(X, 0.5, 0, 0, 0)


def train_with_threads():
    """A fit that asks the pool for threads; the number of them matters to no result."""
    MLP((200, 90), epochs=3, batch_size=100, n_threads=4, random_state=0).fit(X, Y)


def main():
    warnings.simplefilter("ignore")
    train_with_threads()
    if "threads" in sys.argv:
        return
    child = os.fork()
    train_with_threads()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        train_everything()
        train_from_a_file()
        use_pieces()


if __name__ == "__main__":
    main()

"""Random numbers as pure functions of (seed, purpose, counter)."""

import numpy as np

from libc.stdint cimport uint32_t, uint64_t

from cnn_core._cpu cimport kernels_for
from cnn_core._memory cimport address
from cnn_core._shards cimport MOST_SHARDS, rows_before
from cnn_core._checks import SEED, WHOLE, WORD, takes


cdef void shuffle(uint64_t seed, uint32_t purpose, uint32_t epoch, Py_ssize_t *order,
                  Py_ssize_t n) noexcept nogil:
    # Fisher & Yates, from the end; each swap takes two words of random bits.
    cdef uint32_t bits[32]
    cdef Py_ssize_t i, j, drawn = 0
    for i in range(n):
        order[i] = i
    for i in range(n - 1, 0, -1):
        if drawn % 16 == 0:
            kernels_for(4).draw(seed, purpose, epoch, drawn // 2, bits)
        j = below(bits[2 * (drawn % 16)], bits[2 * (drawn % 16) + 1], i + 1)
        order[i], order[j] = order[j], order[i]
        drawn += 1


cdef shuffled(uint64_t seed, uint32_t purpose, uint32_t epoch, Py_ssize_t n):
    """0 to n - 1 in an order that these numbers determine."""
    order = np.empty(n, np.intp)
    cdef Py_ssize_t *numbers = <Py_ssize_t *>address(order)
    with nogil:
        shuffle(seed, purpose, epoch, numbers, n)
    return order


@takes(seed=SEED, epoch=WORD, n=WHOLE)
def permutation(uint64_t seed, uint32_t epoch, Py_ssize_t n, *, bint split=False):
    """The order in which an epoch visits the rows.

    Parameters
    ----------
    seed : int
        0 to 2**64 - 1.
    epoch : int
        Counted from 0.
    n : int
        Number of rows.
    split : bool
        Whether the order serves to set rows apart for validation instead; it shares nothing with
        those of the epochs.

    Returns
    -------
    ndarray of intp, shape (n,)
        A permutation of 0 to n - 1: a pure function of the arguments, the same on every machine.
    """
    return shuffled(seed, FOR_SPLIT if split else FOR_SHUFFLE, epoch, n)


@takes(seed=SEED, epoch=WORD, n=WHOLE)
def block_order(uint64_t seed, uint32_t epoch, Py_ssize_t n):
    """The order in which an epoch visits n blocks of rows.

    Parameters
    ----------
    seed, epoch, n
        As for `permutation`; the two share nothing.

    Returns
    -------
    ndarray of intp, shape (n,)
    """
    return shuffled(seed, FOR_BLOCKS, epoch, n)


@takes(seed=SEED, epoch=WORD, window=WORD, n=WHOLE)
def window_order(uint64_t seed, uint32_t epoch, uint32_t window, Py_ssize_t n):
    """The order in which an epoch visits the rows of one of its windows.

    Parameters
    ----------
    seed, epoch, n
        As for `permutation`; the two share nothing.
    window : int
        Its number in the epoch, below 2**24.

    Returns
    -------
    ndarray of intp, shape (n,)
    """
    return shuffled(seed, window_purpose(window), epoch, n)


cdef void order_shards(uint64_t seed, uint32_t epoch, bint shuffled, Py_ssize_t n,
                       Py_ssize_t batch_size, Py_ssize_t count,
                       Py_ssize_t *order) noexcept nogil:
    cdef ShardRun all
    if count == 1:
        shuffle(seed, FOR_SHUFFLE, epoch, order, n)
        return
    all.count, all.begin, all.until = count, 0, count
    order_some_shards(seed, epoch, shuffled, n, batch_size, &all, order)


cdef void order_some_shards(uint64_t seed, uint32_t epoch, bint shuffled, Py_ssize_t n,
                            Py_ssize_t batch_size, const ShardRun *shards,
                            Py_ssize_t *order) noexcept nogil:
    cdef Py_ssize_t count = shards.count, before = rows_before(count, shards.begin, n)
    cdef Py_ssize_t *rows = order + rows_before(count, shards.until, n) - before
    cdef Py_ssize_t first, end, shard, i, taken, rest, all_taken, all_rest, next = 0
    for shard in range(shards.begin, shards.until):
        first = rows_before(count, shard, n) - before
        end = rows_before(count, shard + 1, n) - before
        if shuffled:
            shuffle(seed, shard_purpose(shard), epoch, rows + first, end - first)
        for i in range(first, end):
            rows[i] = first + (rows[i] if shuffled else i - first)
    end = taken = rest = 0
    while end < n:
        end = min(n, end + batch_size)
        all_taken, all_rest, first = end // count, end % count, 0
        for shard in range(shards.begin, shards.until):
            for i in range(taken + (shard < rest), all_taken + (shard < all_rest)):
                order[next] = rows[first + i]
                next += 1
            first += n // count + (shard < n % count)
        taken, rest = all_taken, all_rest


@takes(seed=SEED, epoch=WORD, n=WHOLE, batch_size=WHOLE, shards=WHOLE)
def shard_order(uint64_t seed, uint32_t epoch, Py_ssize_t n, Py_ssize_t batch_size,
                Py_ssize_t shards, *, bint shuffled=True):
    """The order in which an epoch visits rows that are cut into shards.

    Parameters
    ----------
    seed, epoch, n
        As for `permutation`; the two share nothing.
    batch_size : int
        Rows of a mini-batch, at least 1.
    shards : int
        1 to 4096. Shard s has the rows from s (n // shards) + min(s, n % shards) on, up to those of
        the next.
    shuffled : bool
        Whether the rows of each shard are visited in an order that seed, epoch and shard determine,
        instead of as they stand.

    Returns
    -------
    ndarray of intp, shape (n,)
        A mini-batch has the next rows of the shards in turn, and holds them shard after shard.
    """
    if batch_size < 1 or not 1 <= shards <= MOST_SHARDS:
        raise ValueError(f"batch_size must be at least 1 and shards from 1 to {MOST_SHARDS}, got "
                         f"{batch_size} and {shards}")
    order = np.empty(2 * n, np.intp)
    cdef Py_ssize_t *numbers = <Py_ssize_t *>address(order)
    with nogil:
        order_shards(seed, epoch, shuffled, n, batch_size, shards, numbers)
    return order[:n].copy()


@takes(seed=SEED, stream=WORD, n=WHOLE, first=WHOLE)
def uniform(uint64_t seed, uint32_t stream, Py_ssize_t n, *, Py_ssize_t first=0):
    """Numbers from the uniform distribution on [0, 1), for initial weights.

    Parameters
    ----------
    seed : int
        0 to 2**64 - 1.
    stream : int
        Which sequence; each layer takes its own.
    n : int
    first : int
        The number of the sequence that the result begins with.

    Returns
    -------
    ndarray of float64, shape (n,)
        Multiples of 2**-53. Philox4x32-10 (Salmon et al. 2011); number i depends on (seed, stream,
        i) alone.
    """
    if first < 0:
        raise ValueError(f"first must be at least 0, got {first}")
    out = np.empty(n)
    cdef double *numbers = <double *>address(out)
    cdef uint32_t bits[4]
    cdef uint64_t word
    cdef Py_ssize_t i
    with nogil:
        for i in range(first, first + n):
            if i % 2 == 0 or i == first:
                philox(seed, FOR_WEIGHTS, stream, i // 2, bits)
            word = (<uint64_t>bits[2 * (i % 2)] << 21) ^ (bits[2 * (i % 2) + 1] >> 11)
            numbers[i - first] = word * (1.0 / 9007199254740992.0)
    return out

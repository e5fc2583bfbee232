"""Random numbers as pure functions of (seed, purpose, counter)."""

from libc.stdint cimport uint32_t, uint64_t

cdef extern from "philox.h" nogil:
    enum: FOR_WEIGHTS
    enum: FOR_SHUFFLE
    enum: FOR_SPLIT
    enum: FOR_BLOCKS
    uint32_t window_purpose(uint32_t window)
    uint32_t shard_purpose(uint32_t shard)
    uint32_t dropout_purpose(uint32_t layer, uint64_t step)
    void philox(uint64_t key, uint32_t purpose, uint32_t a, uint64_t index, uint32_t *out)
    uint64_t below(uint32_t hi, uint32_t lo, uint64_t bound)

# order becomes a permutation of 0 .. n - 1 that depends on seed, purpose and epoch alone.
cdef void shuffle(uint64_t seed, uint32_t purpose, uint32_t epoch, Py_ssize_t *order,
                  Py_ssize_t n) noexcept nogil

# Shards begin .. until - 1 of `count`.
cdef struct ShardRun:
    Py_ssize_t count, begin, until

# order becomes that of an epoch's n rows in shards, see `shard_order`, with room for twice as many;
# of a single shard that of `permutation`.
cdef void order_shards(uint64_t seed, uint32_t epoch, bint shuffled, Py_ssize_t n,
                       Py_ssize_t batch_size, Py_ssize_t count,
                       Py_ssize_t *order) noexcept nogil

# The same of the rows of some shards alone, counted from the first of theirs.
cdef void order_some_shards(uint64_t seed, uint32_t epoch, bint shuffled, Py_ssize_t n,
                            Py_ssize_t batch_size, const ShardRun *shards,
                            Py_ssize_t *order) noexcept nogil

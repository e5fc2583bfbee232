"""Rows in fixed shards, and the order in which the sums over shards are added.

The order of an epoch takes a row from each shard in turn: row p is of shard p % count. So
mini-batch by mini-batch each shard has its share of the rows. Within a mini-batch they stand shard
after shard.

Sums over the shards are added along the binary tree whose nodes are the shards i 2^k to
(i + 1) 2^k - 1: of 6 shards ((0 + 1) + (2 + 3)) + (4 + 5). A share without rows counts as zeros.
The tree is walked from shard 0 on: a shard's own sum is put at `depth_of` it, and then the deepest
sum is added to the one before it as often as `additions_after` says, which leaves the sum of all at
depth 0.
"""

cdef enum:
    MOST_SHARDS = 4096
    MOST_SUMS = 13              # that the tree has at hand

# Rows in shards: those of shard s begin at begins[s], and those of all end at begins[count].
cdef struct Shards:
    Py_ssize_t count
    Py_ssize_t *begins


cdef inline Py_ssize_t rows_before(Py_ssize_t count, Py_ssize_t shard,
                                   Py_ssize_t rows) noexcept nogil:
    """How many of the first rows of an epoch's order are of the shards before this one; of all
    rows: where the shard begins."""
    return rows // count * shard + min(shard, rows % count)


cdef inline void set_begins(Shards *shards, Py_ssize_t position, Py_ssize_t rows) noexcept nogil:
    """Find where the shares of the mini-batch begin that has the rows position, position + 1, ...
    of an epoch's order."""
    cdef Py_ssize_t s, count = shards.count, end = position + rows
    cdef Py_ssize_t whole = end // count - position // count
    cdef Py_ssize_t more = end % count, less = position % count
    for s in range(count + 1):
        shards.begins[s] = whole * s + min(s, more) - min(s, less)


cdef inline int depth_of(Py_ssize_t shard) noexcept nogil:
    """How many sums of shards before this one wait for it."""
    cdef int depth = 0
    while shard:
        shard &= shard - 1
        depth += 1
    return depth


cdef inline int additions_after(Py_ssize_t shard, Py_ssize_t count) noexcept nogil:
    """How many sums are complete with this shard, and added to the one before them."""
    cdef int additions = 0
    if shard == count - 1:
        return depth_of(shard)
    while shard & 1:
        shard >>= 1
        additions += 1
    return additions


cdef inline void add_sum(double *sums, double value, Py_ssize_t shard,
                         Py_ssize_t count) noexcept nogil:
    """One more shard's sum; after the last, the sum of all is sums[0]."""
    cdef int depth = depth_of(shard), _i
    sums[depth] = value
    for _i in range(additions_after(shard, count)):
        depth -= 1
        sums[depth] += sums[depth + 1]

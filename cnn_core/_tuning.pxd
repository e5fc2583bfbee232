"""Every threshold of the native core: what it means, what was measured, on which chip, when.
Without a measurement it is a choice that no figure is recorded for.

No result depends on one of them: they decide who computes what, and in which order memory is
passed through, never the order of an addition.
"""

# Rows that pass through all layers together: enough to use a tile well, few enough to stay in the
# cache with their activations. All are multiples of the lanes, so that blocks share no panel of
# row losses.
cdef enum:
    BLOCK_ROWS = 48
    # Where the weights are larger than LARGE_WEIGHTS bytes they come from afar for each block: 5 %
    # of 512-1024-1024-10 (Xeon with 2 MB L2, 2026-11-25).
    BLOCK_ROWS_LARGE = 256
    LARGE_WEIGHTS = 1048576
    # Transposed layers, whose rows fill the lanes.
    BLOCK_ROWS_TRANSPOSED = 128
    # The strategy BLOCKWISE: a quarter of the time of 10,000 rows in one mini-batch through
    # 4-32-16-4 (Xeon with 2 MB L2, 2026-11-25).
    BLOCK_ROWS_BLOCKWISE = 64

# Rows whose outputs are computed together to count those that are NaN.
cdef enum:
    ROWS_COUNTED_TOGETHER = 65536

# Multiplications that are worth a further thread, its hand-over and its waking up (Xeon with 2 MB
# L2, 2026-11-25).
cdef enum:
    WORK_PER_THREAD = 400000

# BLOCKWISE keeps one block and a gradient of up to so many parameters in the cache; above, the step
# goes tile by tile while the gradient of the tile is in the cache (Xeon with 2 MB L2, 2026-11-24).
cdef enum:
    BLOCKWISE_PARAMETERS = 16384

# Threads that stream through a workspace larger than this many bytes each are about half as fast as
# one thread that works blockwise in its cache: two of them gain 7 % at most on 10,000 rows through
# 4-32-16-4 (Xeon with 2 MB L2, 2026-11-25). So more than STREAMING_THREADS are wanted there, or
# one. The bytes are those of the 1,024 rows of that network from which on this was measured; other
# networks and caches were not.
cdef enum:
    CACHE_PER_THREAD = 393216
    STREAMING_THREADS = 2

# A weight tile: 4 panels use the micro-kernel well, 96 inputs of them stay in the L1 cache with
# their gradient and the optimizer's slots (Xeon with 2 MB L2, 2026-11-24). TILE_INPUTS is a
# multiple of the lanes, so that a tile is whole panels of W^T too.
cdef enum:
    TILE_PANELS = 4
    TILE_INPUTS = 96

# Bytes of a row of X from which it is read in place, into layers of at least TILE_PANELS panels:
# gathering costs 12 % of 784-128-10 (Xeon with 2 MB L2, 2026-11-25).
cdef enum:
    LONG_ROW = 1024

# Rows between the one that is copied and the one that is fetched into the cache.
cdef enum:
    PREFETCH_ROWS = 8

# Mini-batches for which rows of a mapped file are asked for in advance, once one had to be waited
# for.
cdef enum:
    READ_AHEAD_BATCHES = 64

# Whether further threads pay is measured anew in each PERIOD of steps: the first SAMPLES run on
# one thread, the next SAMPLES on all, the others as was faster. Other programs may need the
# processors too.
cdef enum:
    PERIOD = 128
    SAMPLES = 4

# Multiplications, about a millisecond, between two looks at the clock, and seconds between two
# looks for a waiting signal: taking the GIL can cost milliseconds when another Python thread is
# busy.
cdef enum:
    WORK_PER_LOOK = 10000000
cdef inline double seconds_per_signal_check() noexcept nogil:
    return 0.1

# One row: bytes of each of its two buffers on the stack, for layers of up to 2048 float32; and
# bytes of parameters that take about 20 us, from where on other Python threads may run meanwhile.
cdef enum:
    STACK_BYTES = 8192
    LONG_PREDICTION = 1048576

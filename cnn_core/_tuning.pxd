"""tuning.h for Cython; the meaning and the measurement of each threshold stand there."""

cdef extern from "tuning.h" nogil:
    enum:
        BLOCK_ROWS
        BLOCK_ROWS_LARGE
        LARGE_WEIGHTS
        BLOCK_ROWS_TRANSPOSED
        BLOCK_ROWS_BLOCKWISE
        BLOCK_ROWS_LANES
        BLOCKWISE_BYTES
        ROWS_OF_ENSEMBLE
        ROWS_COUNTED_TOGETHER
        TILE_PANELS
        TILE_INPUTS
        WORK_PER_THREAD
        CACHE_PER_THREAD
        STREAMING_COST
        STREAMING_WORK
        PERIOD
        SAMPLES
        ALONE_ROW
        LANES_ROW
        LANES_ROW_OF_NET
        STEP_COST
        TRANSPOSE_WORK
        OUTPUT_WORK
        SET_BYTES
        LONG_ROW
        PREFETCH_ROWS
        READ_AHEAD_BATCHES
        WORK_PER_LOOK
        WORK_PER_CALL
        ROWS_PER_PASS
        MICRO_PANELS
        STACK_BYTES
        LONG_PREDICTION
    double LOOK_SHARE
    double SHORTEST_UNTIL_LOOK
    double LONGEST_UNTIL_LOOK
    double LANES_PRODUCT
    double LANES_PARAMETER
    double LANES_MARGIN
    double TRANSPOSED_SHARE

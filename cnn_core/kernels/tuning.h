/* Every threshold of the native core: what it means, and what was measured, on which chip, when.
 * Xeon is one with AVX-512 and 2 MB L2, EPYC one with AVX2 and 512 KB L2. _tuning.pxd has the names
 * for Cython.
 *
 * No result depends on one of them: they decide who computes what, and in which order memory is
 * passed through, never the order of an addition. What an instruction set's registers hold is not
 * here but in simd_*.h (TILE_VECTORS). */
#ifndef CNN_CORE_TUNING_H
#define CNN_CORE_TUNING_H

/* Blocks of rows */

enum {
    /* Rows that pass through all layers together: enough to use a tile well, few enough to stay in
     * the cache with their activations. All are multiples of the lanes, so that blocks share no
     * panel of row losses. 32 rows are 7 % slower for predictions of 784-128-10, 64 and 96 rows 4
     * %, 192 rows 9 %; training is equal within 5 % (EPYC, 2026-11-26). */
    BLOCK_ROWS = 48,
    /* Where the weights are larger than LARGE_WEIGHTS bytes they come from afar for each block:
     * blocks of 48 rows cost 16 % of 512-1024-1024-10, and blocks of 256 rows 12 % of the smaller
     * 256-256-256-10 (EPYC, 2026-11-26); 5 % of the first (Xeon, 2026-11-25). */
    BLOCK_ROWS_LARGE = 256,
    LARGE_WEIGHTS = 1 << 20,
    /* Transposed layers, whose rows fill the lanes: 32 rows are 9 to 14 % slower for predictions of
     * 24-8-2 and 8-16-2, 512 rows up to 18 %, 64 and 256 equal (EPYC, 2026-11-26). */
    BLOCK_ROWS_TRANSPOSED = 128,
    /* The strategy BLOCKWISE: a quarter of the time of 10,000 rows in one mini-batch through
     * 4-32-16-4 (Xeon, 2026-11-25). */
    BLOCK_ROWS_BLOCKWISE = 64,
    /* Rows of nets side by side that pass through all layers together: 8 to 32 rows are equal
     * within 5 % for 8-16-2, and 8 rows 15 % slower for 4-8-1 (EPYC, 2026-11-26). */
    BLOCK_ROWS_LANES = 32,
    /* BLOCKWISE keeps one block and a gradient of up to this many bytes in the cache; above, the
     * step goes tile by tile while the gradient of the tile is in the cache. From 17 to 260 KB
     * BLOCKWISE takes 1 to 7 % less time, in float32 and float64 (EPYC, 2026-11-26); beyond 64 KB
     * the tiles were better (Xeon, float32, 2026-11-24). */
    BLOCKWISE_BYTES = 128 << 10,
    /* Rows that pass through all networks of an ensemble while they are in the cache: with four,
     * 48 rows are 1 to 17 % slower, 96 to 1536 rows within 7 %, of 20-128-128-128-1, 8-16-1,
     * 784-128-1 and 100-512-512-1 (EPYC, 2026-11-27). */
    ROWS_OF_ENSEMBLE = 384,
    /* Rows whose outputs are computed together to count those that are NaN: a choice, about a
     * megabyte of 4 outputs. */
    ROWS_COUNTED_TOGETHER = 65536,
};

/* Weight tiles */

enum {
    /* 4 panels use the micro-kernel well, 96 inputs of them stay in the L1 cache with their
     * gradient and the optimizer's slots (Xeon, 2026-11-24). TILE_INPUTS is a multiple of the
     * lanes, so that a tile is whole panels of W^T too. */
    TILE_PANELS = 4,
    TILE_INPUTS = 96,
};

/* Threads */

enum {
    /* Multiplications that are worth a further thread, its hand-over and its waking up (Xeon,
     * 2026-11-25). */
    WORK_PER_THREAD = 400000,
    /* A thread whose part of the workspace is larger than CACHE_PER_THREAD bytes streams it through
     * its cache, which takes about STREAMING_COST times as long as to work BLOCKWISE: two threads
     * gain 7 % at most on 10,000 rows through 4-32-16-4, which has 1.7 multiplications for each
     * byte of a row (Xeon, 2026-11-25). From STREAMING_WORK multiplications on, the memory is fast
     * enough: between that network and 64-128-64-4, with 9. */
    CACHE_PER_THREAD = 384 << 10,
    STREAMING_COST = 2,
    STREAMING_WORK = 6,
    /* Whether further threads pay is measured anew in each PERIOD of steps: the first SAMPLES run
     * on one thread, the next SAMPLES on all, the others as was faster. Other programs may need the
     * processors too. 4 of 128 go the slower way, which costs 3 % where that takes twice as long.
     */
    PERIOD = 128,
    SAMPLES = 4,
    /* Of the pool: pauses between two looks at the clock, which takes as long as one of them, 28 ns
     * (EPYC, 2026-11-26); and those of a caller that waits for the last worker before it yields its
     * processor, 44 us: more than a run of a step takes. */
    PAUSES = 16,
    PAUSES_BEFORE_YIELD = 100 * PAUSES,
};

/* How long a worker looks out for the next run before it sleeps: a step's runs follow each other
 * within some 10 us (Xeon, 2026-11-25). A pause is between 20 and 140 cycles, so the clock decides.
 */
#define SPIN_SECONDS 20e-6

/* Layouts: the work of a layer is counted in multiplications for each row */

enum {
    /* What transposing a number costs, and an output beside its products: chosen so that the
     * decision is the faster one. Never transposed, predictions take 23 to 80 % longer (8-8-8-1,
     * 16-12-2, 30-14-2) and training 15 % (30-64-32-2); always transposed, predictions take up to
     * 5 % longer and training of a last layer of 12 or 14 outputs is equal (EPYC, 2026-11-26). */
    TRANSPOSE_WORK = 8,
    OUTPUT_WORK = 16,
    /* Rows of so many bytes, or a multiple, begin in a few sets of the cache: one more line spreads
     * them, 5 % of the training of 64-256-256-4 (EPYC, 2026-11-26). */
    SET_BYTES = 1024,
};

/* The transposed layout is taken where it has less than this share of the other's work. */
#define TRANSPOSED_SHARE 0.9

/* Nets side by side */

enum {
    /* Nanoseconds of a row of a net alone beside its products; of a row of a vector of nets, and
     * for each of these. A step costs STEP_COST beside its rows and parameters. With LANES_PRODUCT
     * for each product of a vector and LANES_PARAMETER for each of its parameters, the costs are
     * those of 4-8-1, 8-16-2, 8-32-32-3 and 30-64-32-2 with mini-batches of 8 to 200 rows within
     * 20 % (EPYC, 2026-11-27). */
    ALONE_ROW = 20,
    LANES_ROW = 60,
    LANES_ROW_OF_NET = 9,
    STEP_COST = 800,
};
#define LANES_PRODUCT 0.235
#define LANES_PARAMETER 3.5
/* What is side by side is to take less than 1 / LANES_MARGIN of the time of the nets alone. */
#define LANES_MARGIN 1.1

/* Rows of X */

enum {
    /* Bytes of a row from which it is read in place, into layers of at least TILE_PANELS panels:
     * gathering costs 12 % of 784-128-10 (Xeon, 2026-11-25); rows of 512 bytes in place cost 8 % of
     * 128-128-10 (EPYC, 2026-11-26). */
    LONG_ROW = 1024,
    /* Rows between the one that is copied and the one that is fetched into the cache: none cost
     * 32 % of epochs over 400,000 rows of 8-4-2, 2 rows 16 %, 32 rows 3 % (EPYC, 2026-11-26). */
    PREFETCH_ROWS = 8,
    /* Mini-batches for which rows of a mapped file are asked for in advance, once one had to be
     * waited for. To ask costs 0.9 us a row (EPYC, 2026-11-26), to wait for a disk 100 times that:
     * it pays while one row in 100 is not in memory. */
    READ_AHEAD_BATCHES = 64,
};

/* Looks for a waiting signal, or the end of a run's time */

enum {
    /* Multiplications between two looks at the clock: 1.0 ms of 30-64-32-2 (EPYC, 2026-11-26). */
    WORK_PER_LOOK = 10000000,
    /* Multiplications of one call of the micro-kernel, after which the flag is read that ends a
     * run: 12 ms of float32 on one core (EPYC, 2026-11-26). No layer of 1024-1024 is divided. */
    WORK_PER_CALL = 1 << 29,
    /* A step is whole or not taken. Its gradients are computed in the same pass over the weight
     * tiles, which nothing ends, where that is short: of fewer rows than these, or no more
     * multiplications than WORK_PER_CALL. */
    ROWS_PER_PASS = 512,
};

/* A look for signals needs the GIL, for which it waits 5 ms where another Python thread is busy
 * (sys.getswitchinterval). The next look comes when this one's time is LOOK_SHARE of the time
 * since, but not before the shortest and not after the longest of these, in seconds. */
#define LOOK_SHARE 0.05
#define SHORTEST_UNTIL_LOOK 0.01
#define LONGEST_UNTIL_LOOK 0.1

/* One row */

enum {
    /* Bytes of each of its two buffers on the stack, for layers of up to 2048 float32: to allocate
     * them takes 10 us, 16-32-32-1 less than 1 (EPYC, 2026-11-26). */
    STACK_BYTES = 8192,
    /* Bytes of parameters from which on other Python threads may run meanwhile: 18 us of
     * 512-512-10. To let go of the GIL costs 0.1 us, 9 % of 16-32-32-1 (EPYC, 2026-11-26). */
    LONG_PREDICTION = 1 << 20,
};

/* The micro-kernel */

enum {
    /* The tallest and the widest tile of C. 12 rows by 2 panels instead of 6 by 4 are equal forward
     * and 4 to 11 % slower for gradients (Xeon, 2026-11-25). */
    MICRO_ROWS = 12,
    MICRO_PANELS = 8,
    /* Vectors of a row of C: the chains that two units for FMA with a latency of 4 need. */
    MICRO_VECTORS = 8,
    /* Rows of a tile whose rows of A are looked up: as many addresses as x86-64 has registers for
     * beside those of the product. */
    INDEXED_ROWS = 6,
    /* Rows of a tile that are enough to read a wide group of panels once for all of them: with 3
     * 784-128-10 trains 11 % slower, with 4 and 12 as fast within 5 % (EPYC, 2026-11-26). */
    ENOUGH_ROWS = 6,
};

#endif

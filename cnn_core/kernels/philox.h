/* Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror & Shaw 2011, "Parallel random
 * numbers: as easy as 1, 2, 3" (section 3.3; constants of table 2): random numbers as a pure
 * function of a key and a counter. A shuffle or an initial weight depends on what it is for, never
 * on how many numbers were drawn before. */
#ifndef CNN_CORE_PHILOX_H
#define CNN_CORE_PHILOX_H

#include <stdint.h>

/* What a stream of numbers is for; it stands in the counter, so no two purposes share a number. */
enum {
    FOR_WEIGHTS = 1,
    FOR_SHUFFLE = 2,
    FOR_SPLIT = 3,
    FOR_DROPOUT = 4,
    FOR_BLOCKS = 5,
    FOR_WINDOW = 6,
    FOR_SHARD = 7
};

/* Dropout draws for each layer (below 2^12) and step (below 2^44) apart: both stand in its purpose,
 * but for the low half of the step. */
static inline uint32_t dropout_purpose(uint32_t layer, uint64_t step)
{
    return FOR_DROPOUT | layer << 8 | (uint32_t)(step >> 32) << 20;
}

/* The rows of each window (below 2^24) of an epoch are shuffled by numbers of their own. */
static inline uint32_t window_purpose(uint32_t window) { return FOR_WINDOW | window << 8; }

/* So are those of each shard (below 2^24). */
static inline uint32_t shard_purpose(uint32_t shard) { return FOR_SHARD | shard << 8; }

enum { PHILOX_ROUNDS = 10 };
#define PHILOX_M0 UINT64_C(0xD2511F53)
#define PHILOX_M1 UINT64_C(0xCD9E8D57)
#define PHILOX_W0 UINT32_C(0x9E3779B9)
#define PHILOX_W1 UINT32_C(0xBB67AE85)

/* Block `index` of the stream (key; purpose, a): 4 x 32 random bits. purpose < 2^32, a < 2^32. */
static inline void philox(uint64_t key, uint32_t purpose, uint32_t a, uint64_t index,
                          uint32_t out[4])
{
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = a, c3 = purpose;
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        const uint64_t p = PHILOX_M0 * c0, q = PHILOX_M1 * c2;
        c0 = (uint32_t)(q >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)q;
        c2 = (uint32_t)(p >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

/* A whole number in [0, bound) from the 64 random bits hi:lo, as floor(hi:lo * bound / 2^64): exact
 * for a bound up to 2^32, and biased by less than bound / 2^64. A larger bound takes the remainder,
 * with the same bias. */
static inline uint64_t below(uint32_t hi, uint32_t lo, uint64_t bound)
{
    if (bound >> 32) return (((uint64_t)hi << 32) | lo) % bound;
    return (hi * bound + ((lo * bound) >> 32)) >> 32;
}

#endif

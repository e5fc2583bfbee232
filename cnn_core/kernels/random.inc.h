/* Philox (philox.h) in vectors of 64-bit words whose low halves are the generator's 32-bit words:
 * the multiplication ignores what the other operations leave in the high halves. */

enum { BLOCKS_DRAWN = 8, WORDS_DRAWN = 4 * BLOCKS_DRAWN };

/* The words of blocks index .. index + BLOCKS_DRAWN - 1; index is a multiple of BLOCKS_DRAWN, so
 * its upper half stays. */
static ALWAYS_INLINE void draw(uint64_t key, uint32_t purpose, uint32_t a, uint64_t index,
                               uint32_t *out)
{
    static const uint64_t counting[BLOCKS_DRAWN] = {0, 1, 2, 3, 4, 5, 6, 7};
    const W m0 = WSET1(PHILOX_M0), m1 = WSET1(PHILOX_M1), low = WSET1(index & UINT32_C(0xFFFFFFFF));
    for (int b = 0; b < BLOCKS_DRAWN; b += WORDS) {
        W c0 = WADD(low, WLOAD(counting + b)), c1 = WSET1(index >> 32), c2 = WSET1(a),
          c3 = WSET1(purpose);
        uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
        uint64_t word[4][WORDS];
        for (int round = 0; round < PHILOX_ROUNDS; round++) {
            const W p = WMUL(m0, c0), q = WMUL(m1, c2);
            c0 = WXOR(WXOR(WHIGH(q), c1), WSET1(k0));
            c1 = q;
            c2 = WXOR(WXOR(WHIGH(p), c3), WSET1(k1));
            c3 = p;
            k0 += PHILOX_W0;
            k1 += PHILOX_W1;
        }
        WSTORE(word[0], c0);
        WSTORE(word[1], c1);
        WSTORE(word[2], c2);
        WSTORE(word[3], c3);
        for (int i = 0; i < WORDS; i++)
            for (int w = 0; w < 4; w++) out[4 * (b + i) + w] = (uint32_t)word[w][i];
    }
}

static void draw_kernel(uint64_t key, uint32_t purpose, uint32_t a, uint64_t index, uint32_t *out)
{
    draw(key, purpose, a, index, out);
}

/* Dropout: Srivastava et al. 2014, section 4, scaled in training ("inverted"), so that prediction needs no change; alpha
 * dropout: Klambauer et al. 2017, section "new dropout technique". Which elements go follows from their place in the run
 * alone, by Philox (philox.h), here in vectors of 64-bit words whose low halves are the generator's 32-bit words: the
 * multiplication ignores what the other operations leave in the high halves. */

enum { DRAWN_BLOCKS = 8, DRAWN = 4 * DRAWN_BLOCKS };

/* Words of the Philox blocks of row r that hold outputs first .. first + DRAWN - 1. */
static ALWAYS_INLINE void draw(const dropout *d, uint32_t r, ptrdiff_t first, uint32_t *out)
{
    static const uint64_t index[DRAWN_BLOCKS] = {0, 1, 2, 3, 4, 5, 6, 7};
    const W m0 = WSET1(PHILOX_M0), m1 = WSET1(PHILOX_M1), block = WSET1((uint64_t)first / 4);
    for (int b = 0; b < DRAWN_BLOCKS; b += WORDS) {
        W c0 = WADD(block, WLOAD(index + b)), c1 = WSET1(r), c2 = WSET1(d->step), c3 = WSET1(d->purpose);
        uint32_t k0 = (uint32_t)d->key, k1 = (uint32_t)(d->key >> 32);
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

static void drop_run(ptrdiff_t first, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const dropout *d, const void *a,
                     void *out, void *slope)
{
    const V factor = SET1(d->factor), shift = SET1(d->shift), gone = SET1(d->gone);
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t i = 0; i < width; i += DRAWN) {
            uint32_t bits[DRAWN];
            real stays[DRAWN];
            draw(d, (uint32_t)(first + r), i, bits);
            for (int j = 0; j < DRAWN; j++) stays[j] = bits[j] >= d->threshold ? 1 : 0;
            for (ptrdiff_t j = 0; j < DRAWN && i + j < ld; j += LANES) {
                const ptrdiff_t at = r * ld + i + j;
                const M stay = LT(ZERO, LOAD(stays + j));
                STORE((real *)out + at, SELECT(stay, FMA(factor, LOAD((const real *)a + at), shift), gone));
                if (slope) STORE((real *)slope + at, SELECT(stay, factor, ZERO));
            }
        }
}

static void multiply_run(ptrdiff_t n, const void *x, void *y)
{
    for (ptrdiff_t i = 0; i < n; i += LANES)
        STORE((real *)y + i, MUL(LOAD((const real *)y + i), LOAD((const real *)x + i)));
}

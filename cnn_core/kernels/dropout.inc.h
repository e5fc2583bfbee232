/* Dropout: Srivastava et al. 2014, section 4, scaled in training ("inverted"), so that prediction
 * needs no change; alpha dropout: Klambauer et al. 2017, section "new dropout technique". */

static void drop_run(ptrdiff_t first, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld,
                     const dropout *d, const void *a, void *out, void *slope)
{
    const V factor = SET1(d->factor), shift = SET1(d->shift), gone = SET1(d->gone);
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t i = 0; i < width; i += DRAWN) {
            uint32_t bits[DRAWN];
            real stays[DRAWN];
            draw(d->key, d->purpose, d->step, (uint64_t)(first + r) << 32 | (uint64_t)i / 4, bits);
            for (int j = 0; j < DRAWN; j++) stays[j] = bits[j] >= d->threshold ? 1 : 0;
            for (ptrdiff_t j = 0; j < DRAWN && i + j < ld; j += LANES) {
                const ptrdiff_t at = r * ld + i + j;
                const M stay = LT(ZERO, LOAD(stays + j));
                STORE((real *)out + at,
                      SELECT(stay, FMA(factor, LOAD((const real *)a + at), shift), gone));
                if (slope) STORE((real *)slope + at, SELECT(stay, factor, ZERO));
            }
        }
}

static void multiply_run(ptrdiff_t n, const void *x, void *y)
{
    for (ptrdiff_t i = 0; i < n; i += LANES)
        STORE((real *)y + i, MUL(LOAD((const real *)y + i), LOAD((const real *)x + i)));
}

/* Dropout: Srivastava et al. 2014, section 4, scaled in training ("inverted"), so that prediction
 * needs no change; alpha dropout: Klambauer et al. 2017, section "new dropout technique". */

static void drop_kernel(ptrdiff_t first, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld,
                        const dropout *d, const void *a, void *out, void *mask)
{
    const V factor = SET1(d->factor), shift = SET1(d->shift), fill_value = SET1(d->fill_value);
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t i = 0; i < width; i += WORDS_DRAWN) {
            uint32_t bits[WORDS_DRAWN];
            real stays[WORDS_DRAWN];
            draw(d->key, d->purpose, d->step, (uint64_t)(first + r) << 32 | (uint64_t)i / 4, bits);
            for (int j = 0; j < WORDS_DRAWN; j++) stays[j] = bits[j] >= d->threshold ? 1 : 0;
            for (ptrdiff_t j = 0; j < WORDS_DRAWN && i + j < ld; j += LANES) {
                const ptrdiff_t at = r * ld + i + j;
                const M stay = LT(ZERO, LOAD(stays + j));
                STORE((real *)out + at,
                      SELECT(stay, FMA(factor, LOAD((const real *)a + at), shift), fill_value));
                if (mask) STORE((real *)mask + at, SELECT(stay, factor, ZERO));
            }
        }
}

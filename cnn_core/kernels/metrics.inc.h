/* What training reports beside the loss, and which class a row is of. Scalar, because the comparisons are few. */

/* NaN is never larger, and nothing is larger than a NaN that comes first. */
static ALWAYS_INLINE ptrdiff_t winner(ptrdiff_t width, const real *out, ptrdiff_t step, real threshold)
{
    if (width == 1) return out[0] > threshold;
    ptrdiff_t best = 0;
    for (ptrdiff_t j = 1; j < width; j++) best = out[j * step] > out[best * step] ? j : best;
    return best;
}

static void winners_find(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row, ptrdiff_t column, const void *out, double threshold,
                         ptrdiff_t *index)
{
    for (ptrdiff_t r = 0; r < rows; r++) index[r] = winner(width, (const real *)out + r * row, column, (real)threshold);
}

static ptrdiff_t hits_count(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *out, double threshold,
                            const int32_t *label)
{
    ptrdiff_t hits = 0;
    for (ptrdiff_t r = 0; r < rows; r++) hits += winner(width, (const real *)out + r * ld, 1, (real)threshold) == label[r];
    return hits;
}

static ptrdiff_t matches_count(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *out, double threshold,
                               const void *y, double y_threshold)
{
    ptrdiff_t matches = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        int same = 1;
        for (ptrdiff_t j = 0; j < width; j++)
            same &= (((const real *)out)[r * ld + j] > (real)threshold) == (((const real *)y)[r * ld + j] > (real)y_threshold);
        matches += same;
    }
    return matches;
}

static void squared_residuals_add(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *out, const void *y,
                                  double *sums)
{
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t j = 0; j < width; j++) {
            const double e = (double)((const real *)out)[r * ld + j] - (double)((const real *)y)[r * ld + j];
            sums[j] += e * e;
        }
}

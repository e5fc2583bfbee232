/* What training reports beside the loss. Scalar, because the comparisons are few. */

static ptrdiff_t hits_count(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *out, double threshold,
                            const int32_t *label)
{
    ptrdiff_t hits = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        const real *o = (const real *)out + r * ld;
        ptrdiff_t best = 0;
        if (width == 1)
            best = o[0] > (real)threshold;
        else
            for (ptrdiff_t j = 1; j < width; j++)
                if (o[j] > o[best]) best = j;
        hits += best == label[r];
    }
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

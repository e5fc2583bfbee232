/* What training reports beside the loss, and which class a row is of. Scalar, because the
 * comparisons are few. */

/* The first NaN wins, as in NumPy. */
static ALWAYS_INLINE ptrdiff_t winner(ptrdiff_t width, const real *out, ptrdiff_t step,
                                      real threshold)
{
    if (width == 1) return out[0] > threshold;
    ptrdiff_t best = 0;
    for (ptrdiff_t j = 1; j < width; j++) {
        const real top = out[best * step];
        best = top == top && !(out[j * step] <= top) ? j : best;
    }
    return best;
}

static ptrdiff_t winners_find(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row, ptrdiff_t column,
                              const void *out_, double threshold, ptrdiff_t *index)
{
    const real *out = out_;
    ptrdiff_t unknown = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        index[r] = winner(width, out + r * row, column, (real)threshold);
        const real top = out[r * row + (width == 1 ? 0 : index[r] * column)];
        unknown += !(top == top);
    }
    return unknown;
}

static ptrdiff_t hits_count(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row, ptrdiff_t column,
                            const void *out_, double threshold, const int32_t *label)
{
    const real *out = out_;
    ptrdiff_t hits = 0, r = 0;
    if (row == 1 && width > 1)
        for (; r + LANES <= rows; r += LANES) { /* `winner` of as many rows as there are lanes */
            V best = ZERO, top = LOAD(out + r);
            real class[LANES];
            for (ptrdiff_t j = 1; j < width; j++) {
                const V x = LOAD(out + j * column + r);
                const M stays = LE(x, top), known = EQ(top, top);
                best = SELECT(known, SELECT(stays, best, SET1(j)), best);
                top = SELECT(known, SELECT(stays, top, x), top);
            }
            STORE(class, best);
            for (ptrdiff_t i = 0; i < LANES; i++) hits += (int32_t)class[i] == label[r + i];
        }
    for (; r < rows; r++) hits += winner(width, out + r * row, column, (real)threshold) == label[r];
    return hits;
}

static ptrdiff_t matches_count(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row, ptrdiff_t column,
                               const void *out, double threshold, const void *y, double y_threshold)
{
    ptrdiff_t matches = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        int same = 1;
        for (ptrdiff_t j = 0; j < width; j++) {
            const ptrdiff_t at = r * row + j * column;
            same &= (((const real *)out)[at] > (real)threshold) ==
                    (((const real *)y)[at] > (real)y_threshold);
        }
        matches += same;
    }
    return matches;
}

static void squared_residuals_add(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row, ptrdiff_t column,
                                  const void *out, const void *y, double *sums)
{
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t j = 0; j < width; j++) {
            const ptrdiff_t at = r * row + j * column;
            const double e = (double)((const real *)out)[at] - (double)((const real *)y)[at];
            sums[j] += e * e;
        }
}

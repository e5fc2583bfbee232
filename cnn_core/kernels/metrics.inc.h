/* What is reported beside the loss, and which class a row is of; row-major and transposed alike, by
 * strides. Scalar where the comparisons are few. */

/* The first NaN is the largest, as in NumPy. */
static ALWAYS_INLINE ptrdiff_t argmax(ptrdiff_t width, const real *out, ptrdiff_t stride,
                                      real threshold)
{
    if (width == 1) return out[0] > threshold;
    ptrdiff_t best = 0;
    for (ptrdiff_t j = 1; j < width; j++) {
        const real top = out[best * stride];
        best = top == top && !(out[j * stride] <= top) ? j : best;
    }
    return best;
}

static ptrdiff_t argmax_kernel(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row_stride,
                               ptrdiff_t col_stride, const void *out_, double threshold,
                               ptrdiff_t *index)
{
    const real *out = out_;
    ptrdiff_t nans = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        index[r] = argmax(width, out + r * row_stride, col_stride, (real)threshold);
        const real top = out[r * row_stride + (width == 1 ? 0 : index[r] * col_stride)];
        nans += !(top == top);
    }
    return nans;
}

/* Transposed layout: the argmax of as many rows as there are lanes at once, `stride` apart. */
static ALWAYS_INLINE V argmax_in_lanes(ptrdiff_t width, const real *out, ptrdiff_t stride,
                                       real threshold)
{
    V best = ZERO, top = LOAD(out);
    if (width == 1) return SELECT(LT(SET1(threshold), top), ONE, ZERO);
    for (ptrdiff_t j = 1; j < width; j++) {
        const V x = LOAD(out + j * stride);
        const M stays = LE(x, top), is_number = EQ(top, top);
        best = SELECT(is_number, SELECT(stays, best, SET1(j)), best);
        top = SELECT(is_number, SELECT(stays, top, x), top);
    }
    return best;
}

static ptrdiff_t count_correct_kernel(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row_stride,
                                      ptrdiff_t col_stride, const void *out_, double threshold,
                                      const int32_t *label)
{
    const real *out = out_;
    ptrdiff_t correct = 0, r = 0;
    if (is_transposed(row_stride) && width > 1)
        for (; r + LANES <= rows; r += LANES) {
            real class[LANES];
            STORE(class, argmax_in_lanes(width, out + r, col_stride, (real)threshold));
            for (ptrdiff_t i = 0; i < LANES; i++) correct += (int32_t)class[i] == label[r + i];
        }
    for (; r < rows; r++)
        correct += argmax(width, out + r * row_stride, col_stride, (real)threshold) == label[r];
    return correct;
}

static ptrdiff_t count_exact_match_kernel(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row_stride,
                                          ptrdiff_t col_stride, const void *out, double threshold,
                                          const void *y, double y_threshold)
{
    ptrdiff_t matches = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        int same = 1;
        for (ptrdiff_t j = 0; j < width; j++) {
            const ptrdiff_t at = r * row_stride + j * col_stride;
            same &= (((const real *)out)[at] > (real)threshold) ==
                    (((const real *)y)[at] > (real)y_threshold);
        }
        matches += same;
    }
    return matches;
}

static void squared_residuals_kernel(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row_stride,
                                     ptrdiff_t col_stride, const void *out, const void *y,
                                     double *sums)
{
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t j = 0; j < width; j++) {
            const ptrdiff_t at = r * row_stride + j * col_stride;
            const double e = (double)((const real *)out)[at] - (double)((const real *)y)[at];
            sums[j] += e * e;
        }
}

/* Operations on vectors of numbers; n is a multiple of the panel's lanes unless said otherwise. */

/* For any n. 0 x is 0, or NaN where x is not finite, and a NaN stays in its sum. */
static int is_finite_kernel(ptrdiff_t n, const void *x_)
{
    enum { CHAINS = 4 };
    const real *x = x_;
    const ptrdiff_t whole = n - n % (CHAINS * LANES);
    V sum[CHAINS];
    real lanes[LANES], total = 0;
    UNROLL
    for (int j = 0; j < CHAINS; j++) sum[j] = ZERO;
    for (ptrdiff_t i = 0; i < whole; i += CHAINS * LANES) {
        UNROLL
        for (int j = 0; j < CHAINS; j++) sum[j] = FMA(LOAD(x + i + j * LANES), ZERO, sum[j]);
    }
    STORE(lanes, ADD(ADD(sum[0], sum[1]), ADD(sum[2], sum[3])));
    for (ptrdiff_t i = whole; i < n; i++) total += 0 * x[i];
    for (int j = 0; j < LANES; j++) total += lanes[j];
    return total == 0;
}

/* x . y */
static double dot_kernel(ptrdiff_t n, const void *x, const void *y)
{
    V sum[PANEL_VECTORS];
    FOR_PANEL_VECTORS(j) sum[j] = ZERO;
    for (ptrdiff_t i = 0; i < n; i += PANEL_LANES) {
        FOR_PANEL_VECTORS(j) {
            const ptrdiff_t at = i + j * LANES;
            sum[j] = FMA(LOAD((const real *)x + at), LOAD((const real *)y + at), sum[j]);
        }
    }
    return panel_sum(sum);
}

/* x <- factor x */
static void scale_kernel(ptrdiff_t n, double factor, void *x)
{
    const V f = SET1(factor);
    for (ptrdiff_t i = 0; i < n; i += LANES)
        STORE((real *)x + i, MUL(LOAD((const real *)x + i), f));
}

/* y <- factor x + y */
static void axpy_kernel(ptrdiff_t n, double factor, const void *x, void *y)
{
    const V f = SET1(factor);
    for (ptrdiff_t i = 0; i < n; i += LANES)
        STORE((real *)y + i, FMA(f, LOAD((const real *)x + i), LOAD((const real *)y + i)));
}

/* y <- x y, element by element */
static void multiply_kernel(ptrdiff_t n, const void *x, void *y)
{
    for (ptrdiff_t i = 0; i < n; i += LANES)
        STORE((real *)y + i, MUL(LOAD((const real *)y + i), LOAD((const real *)x + i)));
}

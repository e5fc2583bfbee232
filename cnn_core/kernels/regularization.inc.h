/* What keeps weights and gradients small. Sums run through one accumulator for each lane of a
 * panel, then a fixed tree. */

static double penalize_run(ptrdiff_t n, double l1, double l2, const void *w_, void *g_)
{
    const real *w = w_;
    real *g = g_;
    const V first = SET1(l1), second = SET1(l2), half = SET1(l2 / 2);
    V sum[PANEL_VECTORS];
    FOR_PANEL_VECTORS sum[j] = ZERO;
    for (ptrdiff_t i = 0; i < n; i += PANEL_LANES) FOR_PANEL_VECTORS
        {
            const ptrdiff_t at = i + j * LANES;
            const V x = LOAD(w + at), direction = SELECT(EQ(x, ZERO), ZERO, copy_sign(first, x));
            sum[j] = FMA(MUL(half, x), x, FMA(first, absolute(x), sum[j]));
            STORE(g + at, FMA(second, x, ADD(LOAD(g + at), direction)));
        }
    return panel_sum(sum);
}

/* 0 x is 0, or NaN where x is not finite, and a NaN stays in its sum. */
static int finite_run(ptrdiff_t n, const void *x_)
{
    enum { CHAINS = 4 };
    const real *x = x_;
    const ptrdiff_t whole = n - n % (CHAINS * LANES);
    V sum[CHAINS];
    real lanes[LANES], total = 0;
    UNROLL
    for (int j = 0; j < CHAINS; j++) sum[j] = ZERO;
    for (ptrdiff_t i = 0; i < whole; i += CHAINS * LANES) UNROLL
    for (int j = 0; j < CHAINS; j++) sum[j] = FMA(LOAD(x + i + j * LANES), ZERO, sum[j]);
    STORE(lanes, ADD(ADD(sum[0], sum[1]), ADD(sum[2], sum[3])));
    for (ptrdiff_t i = whole; i < n; i++) total += 0 * x[i];
    for (int j = 0; j < LANES; j++) total += lanes[j];
    return total == 0;
}

static double dot_run(ptrdiff_t n, const void *x, const void *y)
{
    V sum[PANEL_VECTORS];
    FOR_PANEL_VECTORS sum[j] = ZERO;
    for (ptrdiff_t i = 0; i < n; i += PANEL_LANES) FOR_PANEL_VECTORS
        {
            const ptrdiff_t at = i + j * LANES;
            sum[j] = FMA(LOAD((const real *)x + at), LOAD((const real *)y + at), sum[j]);
        }
    return panel_sum(sum);
}

static void scale_run(ptrdiff_t n, double factor, void *x)
{
    const V f = SET1(factor);
    for (ptrdiff_t i = 0; i < n; i += LANES)
        STORE((real *)x + i, MUL(LOAD((const real *)x + i), f));
}

static void add_scaled_run(ptrdiff_t n, double factor, const void *x, void *y)
{
    const V f = SET1(factor);
    for (ptrdiff_t i = 0; i < n; i += LANES)
        STORE((real *)y + i, FMA(f, LOAD((const real *)x + i), LOAD((const real *)y + i)));
}

/* Srebro & Shraibman 2005; Srivastava et al. 2014, section 5.1. Each lane of a panel is one neuron.
 */
static void limit_rows_run(ptrdiff_t n_in, ptrdiff_t panels, double longest, void *w_)
{
    const V limit = SET1(longest);
    for (ptrdiff_t column = 0; column < panels * PANEL_LANES; column += LANES) {
        real *w = (real *)w_ + column / PANEL_LANES * n_in * PANEL_LANES + column % PANEL_LANES;
        V squares = ZERO;
        for (ptrdiff_t i = 0; i < n_in; i++) {
            const V x = LOAD(w + i * PANEL_LANES);
            squares = FMA(x, x, squares);
        }
        const V length = SQRT(squares), factor = SELECT(LT(limit, length), DIV(limit, length), ONE);
        for (ptrdiff_t i = 0; i < n_in; i++)
            STORE(w + i * PANEL_LANES, MUL(LOAD(w + i * PANEL_LANES), factor));
    }
}

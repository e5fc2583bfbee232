/* Regularisation of the weights: penalties in the cost, a limit on the norm of each neuron's
 * weights, and bounds of each weight. */

/* What a weight adds to the penalty, l1 |w| + l2/2 w^2, on top of `sum`. */
static ALWAYS_INLINE V penalty_sum(V sum, V w, V l1, V half_l2)
{
    return FMA(MUL(half_l2, w), w, FMA(l1, absolute(w), sum));
}

/* g + l1 sign(w) + l2 w, with sign(0) = 0. */
static ALWAYS_INLINE V penalized(V g, V w, V l1, V l2)
{
    const V direction = SELECT(EQ(w, ZERO), ZERO, copy_sign(l1, w));
    return FMA(l2, w, ADD(g, direction));
}

/* g <- g + l1 sign(w) + l2 w; returns l1 |w|_1 + l2/2 |w|^2. */
static double add_penalty_kernel(ptrdiff_t n, double l1, double l2, const void *w_, void *g_)
{
    const real *w = w_;
    real *g = g_;
    const V first = SET1(l1), second = SET1(l2), half = SET1(l2 / 2);
    V sum[PANEL_VECTORS];
    FOR_PANEL_VECTORS(j) sum[j] = ZERO;
    for (ptrdiff_t i = 0; i < n; i += PANEL_LANES) {
        FOR_PANEL_VECTORS(j) {
            const ptrdiff_t at = i + j * LANES;
            const V x = LOAD(w + at);
            sum[j] = penalty_sum(sum[j], x, first, half);
            STORE(g + at, penalized(LOAD(g + at), x, first, second));
        }
    }
    return panel_sum(sum);
}

/* min(1, limit / |w|) of each lane, with |w| computed from `scale` w. */
static ALWAYS_INLINE V norm_factor(ptrdiff_t n_in, ptrdiff_t stride, const real *w, V limit,
                                   real scale)
{
    V squares = ZERO;
    for (ptrdiff_t i = 0; i < n_in; i++) {
        const V x = MUL(LOAD(w + i * stride), SET1(scale));
        squares = FMA(x, x, squares);
    }
    const V norm = SQRT(squares), bound = MUL(limit, SET1(scale));
    return SELECT(LT(bound, norm), DIV(bound, norm), ONE);
}

static ALWAYS_INLINE int all_above_zero(V x)
{
    real lanes[LANES];
    STORE(lanes, x);
    int all = 1;
    for (int i = 0; i < LANES; i++) all &= lanes[i] > 0;
    return all;
}

/* Srebro & Shraibman 2005; Srivastava et al. 2014, section 5.1. Each lane is one neuron, whose
 * weights are scaled to `max_norm` where their Euclidean norm is larger. */
static void clip_row_norms_kernel(ptrdiff_t n_in, ptrdiff_t stride, ptrdiff_t blocks,
                                  ptrdiff_t block_stride, double max_norm, void *w_)
{
    const V limit = SET1(max_norm);
    for (ptrdiff_t column = 0; column < blocks * stride; column += LANES) {
        real *w = (real *)w_ + column / stride * block_stride + column % stride;
        V factor = norm_factor(n_in, stride, w, limit, (real)1);
        if (!all_above_zero(factor)) { /* squares overflow: a power of two makes room for them */
            const real scale = sizeof(real) == 4 ? (real)0x1p-80 : (real)0x1p-600;
            factor = SELECT(LT(ZERO, factor), factor, norm_factor(n_in, stride, w, limit, scale));
        }
        for (ptrdiff_t i = 0; i < n_in; i++)
            STORE(w + i * stride, MUL(LOAD(w + i * stride), factor));
    }
}

/* w <- min(max(w, lower), upper), the nearest point of the box that the bounds span; NaN stays. */
static void keep_within_kernel(ptrdiff_t n, const void *lower_, const void *upper_, void *w_)
{
    const real *lower = lower_, *upper = upper_;
    real *w = w_;
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const V low = LOAD(lower + i), high = LOAD(upper + i);
        V x = LOAD(w + i);
        x = SELECT(LT(x, low), low, x);
        STORE(w + i, SELECT(LT(high, x), high, x));
    }
}

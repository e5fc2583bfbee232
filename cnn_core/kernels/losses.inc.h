/* Losses: the cost of each row and the error delta it sends back, and the table that names them. To
 * add one: a function and a row. delta is scaled per row and zero in the padding; delta == NULL
 * asks for the cost alone. */

#define LOSS_ARGUMENTS                                                                             \
    ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, double alpha, const void *out, const void *y,   \
        const int32_t *label, const void *scale, void *delta, void *row_loss

/* Rows of one panel of outputs at most by way of `across`, a panel of rows at a time: a row by
 * itself leaves most lanes empty and waits for each of its reductions. */
typedef void across_fn(LOSS_ARGUMENTS);
static ALWAYS_INLINE void turned(across_fn *across, LOSS_ARGUMENTS)
{
    for (ptrdiff_t block = 0; block < rows; block += PANEL_LANES) {
        const ptrdiff_t count = rows - block < PANEL_LANES ? rows - block : PANEL_LANES;
        real o[PANEL_LANES * PANEL_LANES] = {0}, t[PANEL_LANES * PANEL_LANES] = {0},
                             d[PANEL_LANES * PANEL_LANES] = {0};
        real weight[PANEL_LANES] = {0};
        int32_t class[PANEL_LANES] = {0};
        turn(count, width, ld, (const real *)out + block * ld, o);
        if (y) turn(count, width, ld, (const real *)y + block * ld, t);
        for (ptrdiff_t r = 0; r < count; r++) {
            if (delta) weight[r] = ((const real *)scale)[block + r];
            if (label) class[r] = label[block + r];
        }
        across(PANEL_LANES, width, PANEL_LANES, alpha, o, y ? t : 0, class, weight, delta ? d : 0,
               (real *)row_loss + block);
        if (delta) turn_back(count, ld, d, (real *)delta + block * ld);
    }
}

/* A loss that is a sum over the outputs, from name_cost(out, y, alpha) and name_slope(out, y,
 * alpha) = dcost/dout on one vector. */
#define SUM_OVER_OUTPUTS(name)                                                                     \
    static ALWAYS_INLINE void name##_across(LOSS_ARGUMENTS)                                        \
    {                                                                                              \
        (void)label;                                                                               \
        const V parameter = SET1(alpha);                                                           \
        for (ptrdiff_t r = 0; r < rows; r += LANES) {                                              \
            V cost[PANEL_LANES];                                                                   \
            cost[0] = ZERO;                                                                        \
            for (ptrdiff_t j = 0; j < width; j++) {                                                \
                const V oj = LOAD((const real *)out + j * ld + r),                                 \
                        tj = LOAD((const real *)y + j * ld + r);                                   \
                cost[j] = ADD(ZERO, name##_cost(oj, tj, parameter));                               \
                if (delta)                                                                         \
                    STORE((real *)delta + j * ld + r,                                              \
                          MUL(name##_slope(oj, tj, parameter), LOAD((const real *)scale + r)));    \
            }                                                                                      \
            STORE((real *)row_loss + r, tree_sum(width, cost));                                    \
        }                                                                                          \
    }                                                                                              \
    static void name##_evaluate(LOSS_ARGUMENTS)                                                    \
    {                                                                                              \
        (void)label;                                                                               \
        const V parameter = SET1(alpha);                                                           \
        if (width == 1) {                                                                          \
            turned(name##_across, rows, width, ld, alpha, out, y, 0, scale, delta, row_loss);      \
            return;                                                                                \
        }                                                                                          \
        for (ptrdiff_t r = 0; r < rows; r++) {                                                     \
            const real *o = (const real *)out + r * ld, *t = (const real *)y + r * ld;             \
            V sum[PANEL_VECTORS];                                                                  \
            FOR_PANEL_VECTORS sum[j] = ZERO;                                                       \
            for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) FOR_PANEL_VECTORS                   \
                {                                                                                  \
                    const ptrdiff_t first = i + j * LANES;                                         \
                    const V oj = LOAD(o + first), tj = LOAD(t + first);                            \
                    sum[j] =                                                                       \
                        ADD(sum[j], inside(first, width, name##_cost(oj, tj, parameter), ZERO));   \
                    if (delta) {                                                                   \
                        const V d =                                                                \
                            MUL(name##_slope(oj, tj, parameter), SET1(((const real *)scale)[r]));  \
                        STORE((real *)delta + r * ld + first, inside(first, width, d, ZERO));      \
                    }                                                                              \
                }                                                                                  \
            ((real *)row_loss)[r] = panel_sum(sum);                                                \
        }                                                                                          \
    }

#define COST(name) static ALWAYS_INLINE V name##_cost(V out, V y, V alpha)
#define SLOPE(name) static ALWAYS_INLINE V name##_slope(V out, V y, V alpha)

/* C = 1/2 |a - y|^2: the half makes dC/da = a - y. */
COST(mse)
{
    const V e = SUB(out, y);
    return UNUSED(alpha), MUL(MUL(e, e), SET1((real)0.5));
}
SLOPE(mse) { return UNUSED(alpha), SUB(out, y); }
SUM_OVER_OUTPUTS(mse)

/* C = |a - y|, with slope 0 where they meet. */
COST(mae) { return UNUSED(alpha), absolute(SUB(out, y)); }
SLOPE(mae) { return UNUSED(alpha), sign_of(SUB(out, y)); }
SUM_OVER_OUTPUTS(mae)

/* Huber 1964: e^2/2 for |e| up to alpha, alpha (|e| - alpha/2) beyond. */
COST(huber)
{
    const V e = absolute(SUB(out, y)), half = SET1((real)0.5);
    return SELECT(LT(alpha, e), MUL(alpha, SUB(e, MUL(half, alpha))), MUL(MUL(e, e), half));
}
SLOPE(huber) { return MAX(negative(alpha), MIN(alpha, SUB(out, y))); }
SUM_OVER_OUTPUTS(huber)

/* C = -y log s - (1 - y) log(1 - s) with s = sigmoid(z), from z: |z| times the share of y on the
 * other side of 0, plus log(1 + e^-|z|). No logarithm of 0, nothing cancels, and an infinite z on
 * the right side costs nothing. */
COST(binary_crossentropy)
{
    const V size = absolute(out), wrong = SELECT(LT(ZERO, out), SUB(ONE, y), y);
    const V misplaced = SELECT(EQ(wrong, ZERO), ZERO, MUL(size, wrong));
    return UNUSED(alpha), ADD(misplaced, log1p_v(exp_v(negative(size))));
}
SLOPE(binary_crossentropy) { return UNUSED(alpha), SUB(sigmoid_v(out), y); }
SUM_OVER_OUTPUTS(binary_crossentropy)

/* The negative log-likelihood of counts y under the mean e^z, without its constant: C = e^z - y z.
 */
COST(poisson) { return UNUSED(alpha), SUB(exp_v(out), SELECT(EQ(y, ZERO), ZERO, MUL(y, out))); }
SLOPE(poisson) { return UNUSED(alpha), SUB(exp_v(out), y); }
SUM_OVER_OUTPUTS(poisson)

/* C = max(0, 1 - y a) for y = -1 or 1 (Cortes & Vapnik 1995). */
COST(hinge)
{
    const V gap = SUB(ONE, MUL(y, out));
    return UNUSED(alpha), SELECT(LE(gap, ZERO), ZERO, gap);
}
SLOPE(hinge)
{
    const V margin = MUL(y, out);
    return UNUSED(alpha),
           SELECT(LE(ONE, margin), ZERO, SELECT(LT(margin, ONE), negative(y), margin));
}
SUM_OVER_OUTPUTS(hinge)

/* Rosenblatt 1958: delta = step(z) - y for y = 0 or 1. It is the slope of C = max(0, z) - y z, the
 * distance by which a sample lies on the wrong side. */
COST(perceptron)
{
    return UNUSED(alpha),
           SUB(SELECT(LE(out, ZERO), ZERO, out), SELECT(EQ(y, ZERO), ZERO, MUL(y, out)));
}
SLOPE(perceptron) { return SUB(step(out, alpha), y); }
SUM_OVER_OUTPUTS(perceptron)

/* C = -sum_j y_j log p_j with p = softmax(z), from z: log p_j = (z_j - max z) - log sum_k exp(z_k -
 * max z). dC/dz_j = p_j sum_k y_k - y_j. Here for rows on their side. */
static ALWAYS_INLINE void crossentropy_across(LOSS_ARGUMENTS)
{
    UNUSED(alpha);
    const real *z = out, *target = y;
    for (ptrdiff_t r = 0; r < rows; r += LANES) {
        V x[PANEL_LANES], t[PANEL_LANES], p[PANEL_LANES], top = LOAD(z + r), won = top, share = ONE;
        V label_r = ZERO;
        x[0] = t[0] = ZERO; /* no row is without outputs, but compilers do not know */
        for (ptrdiff_t j = 1; j < width; j++) top = MAX(top, LOAD(z + j * ld + r));
        if (y) {
            for (ptrdiff_t j = 0; j < width; j++) {
                t[j] = LOAD(target + j * ld + r);
                x[j] = SELECT(EQ(t[j], ZERO), ZERO, MUL(t[j], SUB(LOAD(z + j * ld + r), top)));
            }
            won = tree_sum(width, x);
            share = tree_sum(width, t);
        } else {
            real class[LANES];
            for (ptrdiff_t i = 0; i < LANES; i++) class[i] = (real)label[r + i];
            label_r = LOAD(class);
            for (ptrdiff_t j = 1; j < width; j++)
                won = SELECT(EQ(label_r, SET1(j)), LOAD(z + j * ld + r), won);
            won = SUB(won, top);
        }
        for (ptrdiff_t j = 0; j < width; j++) x[j] = p[j] = exp_v(SUB(LOAD(z + j * ld + r), top));
        const V total = tree_sum(width, x), logarithm = log_v(total);
        STORE((real *)row_loss + r, SUB(y ? MUL(share, logarithm) : logarithm, won));
        for (ptrdiff_t j = 0; delta && j < width; j++) {
            const V pj = DIV(p[j], total);
            const V error = y ? SUB(MUL(pj, share), LOAD(target + j * ld + r))
                              : SUB(pj, SELECT(EQ(label_r, SET1(j)), ONE, ZERO));
            STORE((real *)delta + j * ld + r, MUL(error, LOAD((const real *)scale + r)));
        }
    }
}

/* The same for rows of any width as they stand. The logarithms of a panel of rows are taken
 * together. */
static ALWAYS_INLINE void crossentropy_wide(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld,
                                            const real *z, const real *y, const int32_t *label,
                                            const real *scale, real *delta, real *row_loss)
{
    for (ptrdiff_t block = 0; block < rows; block += PANEL_LANES) {
        const ptrdiff_t end = rows - block < PANEL_LANES ? rows : block + PANEL_LANES;
        real sum_exp[PANEL_LANES], gain[PANEL_LANES], weight[PANEL_LANES];
        for (int i = 0; i < PANEL_LANES; i++) sum_exp[i] = 1, gain[i] = 0, weight[i] = 1;
        for (ptrdiff_t r = block; r < end; r++) {
            const real *zr = z + r * ld, *yr = y ? y + r * ld : 0;
            const real top = row_max(width, zr);
            V exps[PANEL_VECTORS], gains[PANEL_VECTORS], weights[PANEL_VECTORS];
            FOR_PANEL_VECTORS exps[j] = gains[j] = weights[j] = ZERO;
            for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) FOR_PANEL_VECTORS
                {
                    const ptrdiff_t first = i + j * LANES;
                    const V shifted = SUB(LOAD(zr + first), SET1(top));
                    const V e = inside(first, width, exp_v(shifted), ZERO);
                    exps[j] = ADD(exps[j], e);
                    if (delta) STORE(delta + r * ld + first, e);
                    if (yr) {
                        const V t = inside(first, width, LOAD(yr + first), ZERO);
                        gains[j] = ADD(gains[j], SELECT(EQ(t, ZERO), ZERO, MUL(t, shifted)));
                        weights[j] = ADD(weights[j], t);
                    }
                }
            sum_exp[r - block] = panel_sum(exps);
            gain[r - block] = yr ? panel_sum(gains) : zr[label[r]] - top;
            if (yr) weight[r - block] = panel_sum(weights);
            if (!delta) continue;
            const V s = SET1(sum_exp[r - block]), w = SET1(weight[r - block]),
                    factor = SET1(scale[r]);
            for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) FOR_PANEL_VECTORS
                {
                    const ptrdiff_t first = i + j * LANES;
                    real *d = delta + r * ld + first;
                    const V p = DIV(LOAD(d), s);
                    const V t =
                        yr ? LOAD(yr + first)
                           : SELECT(EQ(LOAD(LANE_INDEX), SET1(label[r] - first)), ONE, ZERO);
                    const V error = MUL(SUB(yr ? MUL(p, w) : p, t), factor);
                    STORE(d, inside(first, width, error, ZERO));
                }
        }
        for (int i = 0; i < PANEL_LANES; i += LANES)
            STORE(row_loss + block + i,
                  SUB(MUL(LOAD(weight + i), log_v(LOAD(sum_exp + i))), LOAD(gain + i)));
    }
}

static ALWAYS_INLINE void crossentropy(LOSS_ARGUMENTS)
{
    if (width <= PANEL_LANES)
        turned(crossentropy_across, rows, width, ld, alpha, out, y, label, scale, delta, row_loss);
    else
        crossentropy_wide(rows, width, ld, out, y, label, scale, delta, row_loss);
}

static void categorical_crossentropy_evaluate(LOSS_ARGUMENTS)
{
    UNUSED(label), crossentropy(rows, width, ld, alpha, out, y, 0, scale, delta, row_loss);
}
static void categorical_crossentropy_across(LOSS_ARGUMENTS)
{
    UNUSED(label), crossentropy_across(rows, width, ld, alpha, out, y, 0, scale, delta, row_loss);
}
static void sparse_categorical_crossentropy_evaluate(LOSS_ARGUMENTS)
{
    UNUSED(y), crossentropy(rows, width, ld, alpha, out, 0, label, scale, delta, row_loss);
}
static void sparse_categorical_crossentropy_across(LOSS_ARGUMENTS)
{
    UNUSED(y), crossentropy_across(rows, width, ld, alpha, out, 0, label, scale, delta, row_loss);
}

#define LOSS(name, outputs, sparse, ...)                                                           \
    {#name, outputs, sparse, name##_evaluate, name##_across, __VA_ARGS__}
static const loss LOSSES[] = {
    LOSS(mse, 0, 0, -INFINITY, INFINITY, 0, 0),
    LOSS(mae, 0, 0, -INFINITY, INFINITY, 0, 0),
    LOSS(huber, 0, 0, -INFINITY, INFINITY, "delta", 1),
    LOSS(binary_crossentropy, "sigmoid", 0, 0, 1, 0, 0),
    LOSS(categorical_crossentropy, "softmax", 0, 0, 1, 0, 0),
    LOSS(sparse_categorical_crossentropy, "softmax", 1, 0, INFINITY, 0, 0),
    LOSS(poisson, "exp", 0, 0, INFINITY, 0, 0),
    LOSS(hinge, 0, 0, -1, 1, 0, 0),
    LOSS(perceptron, "step sign", 0, 0, 1, 0, 0),
    {0},
};

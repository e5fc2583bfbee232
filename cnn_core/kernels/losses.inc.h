/* Losses: the cost of each row and the error delta it sends back, and the table that names them. To add one: a
 * function and a row. delta is scaled per row and zero in the padding; delta == NULL asks for the cost alone. */

#define LOSS_ARGUMENTS                                                                                            \
    ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, double alpha, const void *out, const void *y,                  \
        const int32_t *label, const void *scale, void *delta, void *row_loss

/* A loss that is a sum over the outputs, from name_cost(out, y, alpha) and name_slope(out, y, alpha) = dcost/dout on one
 * vector. Of a single output, a panel of rows at a time: a row by itself would leave all lanes but one empty. */
#define SUM_OVER_OUTPUTS(name)                                                                                    \
    static void name##_single(ptrdiff_t rows, ptrdiff_t ld, V parameter, const real *out, const real *y,          \
                              const real *scale, real *delta, real *row_loss)                                     \
    {                                                                                                             \
        for (ptrdiff_t block = 0; block < rows; block += PANEL_LANES) {                                           \
            const ptrdiff_t count = rows - block < PANEL_LANES ? rows - block : PANEL_LANES;                      \
            real o[PANEL_LANES] = {0}, t[PANEL_LANES] = {0}, d[PANEL_LANES] = {0};                                \
            for (ptrdiff_t r = 0; r < count; r++) {                                                               \
                o[r] = out[(block + r) * ld];                                                                     \
                t[r] = y[(block + r) * ld];                                                                       \
                d[r] = delta ? scale[block + r] : 0;                                                              \
            }                                                                                                     \
            for (ptrdiff_t r = 0; r < PANEL_LANES; r += LANES) {                                                  \
                const V oj = LOAD(o + r), tj = LOAD(t + r);                                                       \
                STORE(row_loss + block + r, ADD(ZERO, name##_cost(oj, tj, parameter)));                           \
                STORE(d + r, MUL(name##_slope(oj, tj, parameter), LOAD(d + r)));                                  \
            }                                                                                                     \
            for (ptrdiff_t r = 0; delta && r < count; r++) {                                                      \
                real *row = delta + (block + r) * ld;                                                             \
                FOR_PANEL_VECTORS STORE(row + j * LANES, ZERO);                                                   \
                row[0] = d[r];                                                                                    \
            }                                                                                                     \
        }                                                                                                         \
    }                                                                                                             \
    static void name##_evaluate(LOSS_ARGUMENTS)                                                                   \
    {                                                                                                             \
        (void)label;                                                                                              \
        const V parameter = SET1(alpha);                                                                          \
        if (width == 1) {                                                                                         \
            name##_single(rows, ld, parameter, out, y, scale, delta, row_loss);                                   \
            return;                                                                                               \
        }                                                                                                         \
        for (ptrdiff_t r = 0; r < rows; r++) {                                                                    \
            const real *o = (const real *)out + r * ld, *t = (const real *)y + r * ld;                            \
            V sum[PANEL_VECTORS];                                                                                 \
            FOR_PANEL_VECTORS sum[j] = ZERO;                                                                      \
            for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) FOR_PANEL_VECTORS                                  \
            {                                                                                                     \
                const ptrdiff_t first = i + j * LANES;                                                            \
                const V oj = LOAD(o + first), tj = LOAD(t + first);                                               \
                sum[j] = ADD(sum[j], inside(first, width, name##_cost(oj, tj, parameter), ZERO));                 \
                if (delta) {                                                                                      \
                    const V d = MUL(name##_slope(oj, tj, parameter), SET1(((const real *)scale)[r]));             \
                    STORE((real *)delta + r * ld + first, inside(first, width, d, ZERO));                         \
                }                                                                                                 \
            }                                                                                                     \
            ((real *)row_loss)[r] = panel_sum(sum);                                                               \
        }                                                                                                         \
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
SLOPE(mae)
{
    const V e = SUB(out, y);
    return UNUSED(alpha), SELECT(EQ(e, ZERO), ZERO, SELECT(LT(e, ZERO), SET1(-1), SELECT(LT(ZERO, e), ONE, e)));
}
SUM_OVER_OUTPUTS(mae)

/* Huber 1964: e^2/2 for |e| up to alpha, alpha (|e| - alpha/2) beyond. */
COST(huber)
{
    const V e = absolute(SUB(out, y)), half = SET1((real)0.5);
    return SELECT(LT(alpha, e), MUL(alpha, SUB(e, MUL(half, alpha))), MUL(MUL(e, e), half));
}
SLOPE(huber) { return MAX(negative(alpha), MIN(alpha, SUB(out, y))); }
SUM_OVER_OUTPUTS(huber)

/* C = -y log s - (1 - y) log(1 - s) with s = sigmoid(z), from z: |z| times the share of y on the other side of 0, plus
 * log(1 + e^-|z|). No logarithm of 0, nothing cancels, and an infinite z on the right side costs nothing. */
COST(binary_crossentropy)
{
    const V size = absolute(out), wrong = SELECT(LT(ZERO, out), SUB(ONE, y), y);
    const V misplaced = SELECT(EQ(wrong, ZERO), ZERO, MUL(size, wrong));
    return UNUSED(alpha), ADD(misplaced, log1p_v(exp_v(negative(size))));
}
SLOPE(binary_crossentropy) { return UNUSED(alpha), SUB(sigmoid_v(out), y); }
SUM_OVER_OUTPUTS(binary_crossentropy)

/* The negative log-likelihood of counts y under the mean e^z, without its constant: C = e^z - y z. */
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
    return UNUSED(alpha), SELECT(LE(ONE, margin), ZERO, SELECT(LT(margin, ONE), negative(y), margin));
}
SUM_OVER_OUTPUTS(hinge)

/* Rosenblatt 1958: delta = step(z) - y for y = 0 or 1. It is the slope of C = max(0, z) - y z, the distance by which a
 * sample lies on the wrong side. */
COST(perceptron) { return UNUSED(alpha), SUB(SELECT(LE(out, ZERO), ZERO, out), SELECT(EQ(y, ZERO), ZERO, MUL(y, out))); }
SLOPE(perceptron) { return SUB(step(out, alpha), y); }
SUM_OVER_OUTPUTS(perceptron)

/* C = -sum_j y_j log p_j with p = softmax(z), from z: log p_j = (z_j - max z) - log sum_k exp(z_k - max z).
 * dC/dz_j = p_j sum_k y_k - y_j.
 *
 * Here for rows of one panel at most, a panel of rows at a time with one output of many rows in a vector: a row by itself
 * would leave most lanes empty and wait for each of its reductions. */
static ALWAYS_INLINE void crossentropy_narrow(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const real *z, const real *y,
                                              const int32_t *label, const real *scale, real *delta, real *row_loss)
{
    for (ptrdiff_t block = 0; block < rows; block += PANEL_LANES) {
        const ptrdiff_t count = rows - block < PANEL_LANES ? rows - block : PANEL_LANES;
        real columns[PANEL_LANES * PANEL_LANES] = {0}, targets[PANEL_LANES * PANEL_LANES] = {0};
        real labels[PANEL_LANES] = {0}, weight[PANEL_LANES] = {0}, gain[PANEL_LANES] = {0};
        turn(count, width, ld, z + block * ld, columns);
        if (y) turn(count, width, ld, y + block * ld, targets);
        for (ptrdiff_t r = 0; r < count; r++) {
            if (delta) weight[r] = scale[block + r];
            if (y) continue;
            labels[r] = (real)label[block + r];
            gain[r] = columns[label[block + r] * PANEL_LANES + r];
        }
        for (ptrdiff_t r = 0; r < PANEL_LANES; r += LANES) {
            V x[PANEL_LANES], t[PANEL_LANES], top = LOAD(columns + r);
            x[0] = t[0] = ZERO; /* no row is without outputs, but compilers do not know */
            for (ptrdiff_t j = 1; j < width; j++) top = MAX(top, LOAD(columns + j * PANEL_LANES + r));
            V won = SUB(LOAD(gain + r), top), share = ONE;
            if (y) {
                for (ptrdiff_t j = 0; j < width; j++) {
                    t[j] = LOAD(targets + j * PANEL_LANES + r);
                    const V shifted = SUB(LOAD(columns + j * PANEL_LANES + r), top);
                    x[j] = SELECT(EQ(t[j], ZERO), ZERO, MUL(t[j], shifted));
                }
                won = tree_sum(width, x);
                share = tree_sum(width, t);
            }
            for (ptrdiff_t j = 0; j < width; j++) {
                x[j] = exp_v(SUB(LOAD(columns + j * PANEL_LANES + r), top));
                STORE(columns + j * PANEL_LANES + r, x[j]);
            }
            const V total = tree_sum(width, x), logarithm = log_v(total), factor = LOAD(weight + r);
            STORE(row_loss + block + r, SUB(y ? MUL(share, logarithm) : logarithm, won));
            if (!delta) continue;
            for (ptrdiff_t j = 0; j < PANEL_LANES; j++) {
                real *at = columns + j * PANEL_LANES + r;
                if (j >= width) {
                    STORE(at, ZERO);
                    continue;
                }
                const V p = DIV(LOAD(at), total);
                const V error = y ? SUB(MUL(p, share), LOAD(targets + j * PANEL_LANES + r))
                                  : SUB(p, SELECT(EQ(LOAD(labels + r), SET1(j)), ONE, ZERO));
                STORE(at, MUL(error, factor));
            }
        }
        if (delta) turn_back(count, ld, columns, delta + block * ld);
    }
}

/* The same for rows of any width. The logarithms of a panel of rows are taken together. */
static ALWAYS_INLINE void crossentropy_wide(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const real *z, const real *y,
                                            const int32_t *label, const real *scale, real *delta, real *row_loss)
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
            const V s = SET1(sum_exp[r - block]), w = SET1(weight[r - block]), factor = SET1(scale[r]);
            for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) FOR_PANEL_VECTORS
            {
                const ptrdiff_t first = i + j * LANES;
                real *d = delta + r * ld + first;
                const V p = DIV(LOAD(d), s);
                const V t = yr ? LOAD(yr + first)
                               : SELECT(EQ(LOAD(LANE_INDEX), SET1(label[r] - first)), ONE, ZERO);
                const V error = MUL(SUB(yr ? MUL(p, w) : p, t), factor);
                STORE(d, inside(first, width, error, ZERO));
            }
        }
        for (int i = 0; i < PANEL_LANES; i += LANES)
            STORE(row_loss + block + i, SUB(MUL(LOAD(weight + i), log_v(LOAD(sum_exp + i))), LOAD(gain + i)));
    }
}

static ALWAYS_INLINE void crossentropy(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const real *z, const real *y,
                                       const int32_t *label, const real *scale, real *delta, real *row_loss)
{
    if (width <= PANEL_LANES)
        crossentropy_narrow(rows, width, ld, z, y, label, scale, delta, row_loss);
    else
        crossentropy_wide(rows, width, ld, z, y, label, scale, delta, row_loss);
}

static void categorical_crossentropy_evaluate(LOSS_ARGUMENTS)
{
    UNUSED(alpha), UNUSED(label);
    crossentropy(rows, width, ld, out, y, 0, scale, delta, row_loss);
}

static void sparse_categorical_crossentropy_evaluate(LOSS_ARGUMENTS)
{
    UNUSED(alpha), UNUSED(y);
    crossentropy(rows, width, ld, out, 0, label, scale, delta, row_loss);
}

static const loss LOSSES[] = {
    {"mse", 0, 0, mse_evaluate, -INFINITY, INFINITY, 0, 0},
    {"mae", 0, 0, mae_evaluate, -INFINITY, INFINITY, 0, 0},
    {"huber", 0, 0, huber_evaluate, -INFINITY, INFINITY, "delta", 1},
    {"binary_crossentropy", "sigmoid", 0, binary_crossentropy_evaluate, 0, 1, 0, 0},
    {"categorical_crossentropy", "softmax", 0, categorical_crossentropy_evaluate, 0, 1, 0, 0},
    {"sparse_categorical_crossentropy", "softmax", 1, sparse_categorical_crossentropy_evaluate, 0, INFINITY, 0, 0},
    {"poisson", "exp", 0, poisson_evaluate, 0, INFINITY, 0, 0},
    {"hinge", 0, 0, hinge_evaluate, -1, 1, 0, 0},
    {"perceptron", "step sign", 0, perceptron_evaluate, 0, 1, 0, 0},
    {0},
};

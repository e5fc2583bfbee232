/* Losses: the cost of each row and the error delta it sends back, and the table that names them. To add one: a
 * function and a row. delta is scaled per row and zero in the padding; delta == NULL asks for the cost alone. */

#define LOSS_ARGUMENTS                                                                                            \
    ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *out, const void *y, const int32_t *label,          \
        const void *scale, void *delta, void *row_loss

/* A loss that is a sum over the outputs. cost(out, y) and slope(out, y) = dcost/dout work on one vector. */
#define SUM_OVER_OUTPUTS(name)                                                                                    \
    static void name##_evaluate(LOSS_ARGUMENTS)                                                                   \
    {                                                                                                             \
        (void)label;                                                                                              \
        for (ptrdiff_t r = 0; r < rows; r++) {                                                                    \
            const real *o = (const real *)out + r * ld, *t = (const real *)y + r * ld;                            \
            V sum[PANEL_VECTORS];                                                                                 \
            FOR_PANEL_VECTORS sum[j] = ZERO;                                                                      \
            for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) FOR_PANEL_VECTORS                                  \
            {                                                                                                     \
                const ptrdiff_t first = i + j * LANES;                                                            \
                const V oj = LOAD(o + first), tj = LOAD(t + first);                                               \
                sum[j] = ADD(sum[j], inside(first, width, name##_cost(oj, tj), ZERO));                            \
                if (delta) {                                                                                      \
                    const V d = MUL(name##_slope(oj, tj), SET1(((const real *)scale)[r]));                        \
                    STORE((real *)delta + r * ld + first, inside(first, width, d, ZERO));                         \
                }                                                                                                 \
            }                                                                                                     \
            ((real *)row_loss)[r] = panel_sum(sum);                                                               \
        }                                                                                                         \
    }

/* C = 1/2 |a - y|^2: the half makes dC/da = a - y. */
static ALWAYS_INLINE V mse_cost(V a, V y)
{
    const V e = SUB(a, y);
    return MUL(MUL(e, e), SET1((real)0.5));
}
static ALWAYS_INLINE V mse_slope(V a, V y) { return SUB(a, y); }
SUM_OVER_OUTPUTS(mse)

/* C = -y log s - (1 - y) log(1 - s) with s = sigmoid(z), from z: |z| times the share of y on the other side of 0, plus
 * log(1 + e^-|z|). No logarithm of 0, nothing cancels, and an infinite z on the right side costs nothing. */
static ALWAYS_INLINE V binary_crossentropy_cost(V z, V y)
{
    const V size = absolute(z), wrong = SELECT(LT(ZERO, z), SUB(ONE, y), y);
    return ADD(SELECT(EQ(wrong, ZERO), ZERO, MUL(size, wrong)), log1p_v(exp_v(negative(size))));
}
static ALWAYS_INLINE V binary_crossentropy_slope(V z, V y) { return SUB(sigmoid_v(z), y); }
SUM_OVER_OUTPUTS(binary_crossentropy)

/* C = -sum_j y_j log p_j with p = softmax(z), from z: log p_j = (z_j - max z) - log sum_k exp(z_k - max z).
 * dC/dz_j = p_j sum_k y_k - y_j. The logarithms of a panel of rows are taken together. */
static ALWAYS_INLINE void crossentropy(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const real *z, const real *y,
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

static void categorical_crossentropy_evaluate(LOSS_ARGUMENTS)
{
    (void)label;
    crossentropy(rows, width, ld, out, y, 0, scale, delta, row_loss);
}

static void sparse_categorical_crossentropy_evaluate(LOSS_ARGUMENTS)
{
    (void)y;
    crossentropy(rows, width, ld, out, 0, label, scale, delta, row_loss);
}

static const loss LOSSES[] = {
    {"mse", 0, 0, mse_evaluate},
    {"binary_crossentropy", "sigmoid", 0, binary_crossentropy_evaluate},
    {"categorical_crossentropy", "softmax", 0, categorical_crossentropy_evaluate},
    {"sparse_categorical_crossentropy", "softmax", 1, sparse_categorical_crossentropy_evaluate},
    {0},
};

/* Losses: the cost of each row and the error delta it sends back, how that changes along a
 * direction, and the table that names them.
 *
 * To add one that is a sum over the outputs: COST(name), SLOPE(name), CURVATURE(name),
 * SUM_OVER_OUTPUTS(name), and a row of LOSSES at the end, which says which activations it takes in
 * (fused_activations), whether its targets are class indices, their bounds, and which number it
 * takes, if any. Then what tests/test_tables.py asks for.
 *
 * delta is scaled per row and zero in the padding of rows; delta == NULL asks for the cost alone.
 */

/* A loss in the transposed layout, one output of many rows in a vector. */
typedef void transposed_loss(const loss_args *p);

/* Rows of one panel of outputs at most, transposed a panel of rows at a time: a row by itself
 * leaves most lanes empty and waits for each of its reductions. */
static NOINLINE void evaluate_in_blocks(transposed_loss *evaluate, const loss_args *p)
{
    const ptrdiff_t ld = p->row_stride;
    for (ptrdiff_t first = 0; first < p->rows; first += PANEL_LANES) {
        const ptrdiff_t count = p->rows - first < PANEL_LANES ? p->rows - first : PANEL_LANES;
        real out[PANEL_LANES * PANEL_LANES] = {0}, y[PANEL_LANES * PANEL_LANES] = {0},
                               delta[PANEL_LANES * PANEL_LANES] = {0};
        real row_scale[PANEL_LANES] = {0};
        int32_t label[PANEL_LANES] = {0};
        transpose_in(count, p->width, ld, (const real *)p->out + first * ld, out);
        if (p->y) transpose_in(count, p->width, ld, (const real *)p->y + first * ld, y);
        for (ptrdiff_t r = 0; r < count; r++) {
            if (p->delta) row_scale[r] = ((const real *)p->row_scale)[first + r];
            if (p->label) label[r] = p->label[first + r];
        }
        const loss_args block = {
            .rows = PANEL_LANES,
            .width = p->width,
            .row_stride = 1,
            .col_stride = PANEL_LANES,
            .loss_param = p->loss_param,
            .out = out,
            .y = p->y ? y : 0,
            .label = label,
            .row_scale = row_scale,
            .delta = p->delta ? delta : 0,
            .row_losses = (real *)p->row_losses + first,
        };
        evaluate(&block);
        if (p->delta) transpose_out(count, ld, delta, (real *)p->delta + first * ld);
    }
}

/* name_evaluate from name_transposed and name_wide, which takes rows of any width; those of at most
 * `in_blocks` are transposed. Each is compiled by itself, which spares the transposed one a tenth
 * of its time, and works on a copy of its arguments, which no store can change. */
#define EVALUATE(name, in_blocks)                                                                  \
    static NOINLINE void name##_evaluate_transposed(const loss_args *p)                            \
    {                                                                                              \
        const loss_args copy = *p;                                                                 \
        name##_transposed(&copy);                                                                  \
    }                                                                                              \
    static NOINLINE void name##_evaluate_wide(const loss_args *p)                                  \
    {                                                                                              \
        const loss_args copy = *p;                                                                 \
        name##_wide(&copy);                                                                        \
    }                                                                                              \
    static void name##_evaluate(const loss_args *p)                                                \
    {                                                                                              \
        if (is_transposed(p->row_stride))                                                          \
            name##_evaluate_transposed(p);                                                         \
        else if (p->width <= in_blocks)                                                            \
            evaluate_in_blocks(name##_evaluate_transposed, p);                                     \
        else                                                                                       \
            name##_evaluate_wide(p);                                                               \
    }

/* A loss that is a sum over the outputs, from name_cost(out, y, param) and name_slope(out, y,
 * param) = dcost/dout on one vector. */
#define SUM_OVER_OUTPUTS(name)                                                                     \
    static ALWAYS_INLINE void name##_transposed(const loss_args *p)                                \
    {                                                                                              \
        const V param = SET1(p->loss_param);                                                       \
        const ptrdiff_t width = p->width, ld = p->col_stride;                                      \
        const real *out = p->out, *y = p->y, *row_scale = p->row_scale;                            \
        real *delta = p->delta, *row_losses = p->row_losses;                                       \
        for (ptrdiff_t r = 0; r < p->rows; r += LANES) {                                           \
            V cost[PANEL_LANES];                                                                   \
            cost[0] = ZERO;                                                                        \
            for (ptrdiff_t j = 0; j < width; j++) {                                                \
                const ptrdiff_t at = j * ld + r;                                                   \
                const V oj = LOAD(out + at), tj = LOAD(y + at);                                    \
                cost[j] = ADD(ZERO, name##_cost(oj, tj, param));                                   \
                if (delta)                                                                         \
                    STORE(delta + at, MUL(name##_slope(oj, tj, param), LOAD(row_scale + r)));      \
            }                                                                                      \
            STORE(row_losses + r, tree_sum(width, cost));                                          \
        }                                                                                          \
    }                                                                                              \
    static ALWAYS_INLINE void name##_wide(const loss_args *p)                                      \
    {                                                                                              \
        const V param = SET1(p->loss_param);                                                       \
        const ptrdiff_t width = p->width, ld = p->row_stride;                                      \
        for (ptrdiff_t r = 0; r < p->rows; r++) {                                                  \
            const real *o = (const real *)p->out + r * ld, *t = (const real *)p->y + r * ld;       \
            V sum[PANEL_VECTORS];                                                                  \
            FOR_PANEL_VECTORS(j) sum[j] = ZERO;                                                    \
            for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) {                                   \
                FOR_PANEL_VECTORS(j) {                                                             \
                    const ptrdiff_t first = i + j * LANES;                                         \
                    const V oj = LOAD(o + first), tj = LOAD(t + first);                            \
                    sum[j] = ADD(sum[j], inside(first, width, name##_cost(oj, tj, param), ZERO));  \
                    if (p->delta) {                                                                \
                        const V d = MUL(name##_slope(oj, tj, param),                               \
                                        SET1(((const real *)p->row_scale)[r]));                    \
                        STORE((real *)p->delta + r * ld + first, inside(first, width, d, ZERO));   \
                    }                                                                              \
                }                                                                                  \
            }                                                                                      \
            ((real *)p->row_losses)[r] = panel_sum(sum);                                           \
        }                                                                                          \
    }                                                                                              \
    static void name##_along(const loss_args *p)                                                   \
    {                                                                                              \
        const V param = SET1(p->loss_param);                                                       \
        const ptrdiff_t width = p->width, ld = p->row_stride;                                      \
        for (ptrdiff_t r = 0; r < p->rows; r++) {                                                  \
            const real *o = (const real *)p->out + r * ld, *t = (const real *)p->y + r * ld;       \
            const V scale = SET1(((const real *)p->row_scale)[r]);                                 \
            for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) {                                   \
                FOR_PANEL_VECTORS(j) {                                                             \
                    const ptrdiff_t at = i + j * LANES;                                            \
                    real *d = (real *)p->delta + r * ld + at;                                      \
                    const V second = name##_curvature(LOAD(o + at), LOAD(t + at), param);          \
                    STORE(d, inside(at, width, MUL(MUL(second, LOAD(d)), scale), ZERO));           \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    EVALUATE(name, 1)

#define COST(name) static ALWAYS_INLINE V name##_cost(V out, V y, V param)
#define SLOPE(name) static ALWAYS_INLINE V name##_slope(V out, V y, V param)
#define CURVATURE(name) static ALWAYS_INLINE V name##_curvature(V out, V y, V param)

/* C = 1/2 |a - y|^2: the half makes dC/da = a - y. */
COST(mse)
{
    const V e = SUB(out, y);
    return UNUSED(param), MUL(MUL(e, e), SET1((real)0.5));
}
SLOPE(mse) { return UNUSED(param), SUB(out, y); }
CURVATURE(mse) { return UNUSED(out), UNUSED(y), UNUSED(param), ONE; }
SUM_OVER_OUTPUTS(mse)

/* C = |a - y|, with slope 0 where they meet. */
COST(mae) { return UNUSED(param), absolute(SUB(out, y)); }
SLOPE(mae) { return UNUSED(param), signum(SUB(out, y)); }
CURVATURE(mae) { return UNUSED(out), UNUSED(y), UNUSED(param), ZERO; }
SUM_OVER_OUTPUTS(mae)

/* Huber 1964: e^2/2 for |e| up to delta, delta (|e| - delta/2) beyond; delta is the param. */
COST(huber)
{
    const V e = absolute(SUB(out, y)), half = SET1((real)0.5);
    return SELECT(LT(param, e), MUL(param, SUB(e, MUL(half, param))), MUL(MUL(e, e), half));
}
SLOPE(huber) { return MAX(negative(param), MIN(param, SUB(out, y))); }
CURVATURE(huber) { return SELECT(LT(param, absolute(SUB(out, y))), ZERO, ONE); }
SUM_OVER_OUTPUTS(huber)

/* C = -y log s - (1 - y) log(1 - s) with s = sigmoid(z), from z: |z| times the share of y on the
 * other side of 0, plus log(1 + e^-|z|). No logarithm of 0, nothing cancels, and an infinite z on
 * the right side costs nothing. */
COST(binary_crossentropy)
{
    const V size = absolute(out), wrong = SELECT(LT(ZERO, out), SUB(ONE, y), y);
    const V misplaced = SELECT(EQ(wrong, ZERO), ZERO, MUL(size, wrong));
    return UNUSED(param), ADD(misplaced, log1p_v(exp_v(negative(size))));
}
SLOPE(binary_crossentropy) { return UNUSED(param), SUB(sigmoid_v(out), y); }
CURVATURE(binary_crossentropy)
{
    V s_prime;
    return UNUSED(y), UNUSED(param), UNUSED(sigmoid_and_derivative(out, &s_prime)), s_prime;
}
SUM_OVER_OUTPUTS(binary_crossentropy)

/* The negative log-likelihood of counts y under the mean e^z, without its constant: C = e^z - y z.
 */
COST(poisson) { return UNUSED(param), SUB(exp_v(out), SELECT(EQ(y, ZERO), ZERO, MUL(y, out))); }
SLOPE(poisson) { return UNUSED(param), SUB(exp_v(out), y); }
CURVATURE(poisson) { return UNUSED(y), UNUSED(param), exp_v(out); }
SUM_OVER_OUTPUTS(poisson)

/* C = max(0, 1 - y a) for y = -1 or 1 (Cortes & Vapnik 1995). */
COST(hinge)
{
    const V gap = SUB(ONE, MUL(y, out));
    return UNUSED(param), SELECT(LE(gap, ZERO), ZERO, gap);
}
SLOPE(hinge)
{
    const V margin = MUL(y, out);
    return UNUSED(param),
           SELECT(LE(ONE, margin), ZERO, SELECT(LT(margin, ONE), negative(y), margin));
}
CURVATURE(hinge) { return UNUSED(out), UNUSED(y), UNUSED(param), ZERO; }
SUM_OVER_OUTPUTS(hinge)

/* Rosenblatt 1958: delta = step(z) - y for y = 0 or 1. It is the slope of C = max(0, z) - y z, the
 * distance by which a sample lies on the wrong side. */
COST(perceptron)
{
    return UNUSED(param),
           SUB(SELECT(LE(out, ZERO), ZERO, out), SELECT(EQ(y, ZERO), ZERO, MUL(y, out)));
}
SLOPE(perceptron) { return SUB(heaviside(out, param), y); }
CURVATURE(perceptron) { return UNUSED(out), UNUSED(y), UNUSED(param), ZERO; }
SUM_OVER_OUTPUTS(perceptron)

/* C = -sum_j y_j log p_j with p = softmax(z), from z: log p_j = (z_j - max z) - log sum_k exp(z_k -
 * max z). dC/dz_j = p_j sum_k y_k - y_j. Transposed layout; y == NULL: class indices in `label`. */
static ALWAYS_INLINE void crossentropy_transposed(const loss_args *p)
{
    const ptrdiff_t width = p->width, ld = p->col_stride;
    const real *z = p->out, *y = p->y;
    for (ptrdiff_t r = 0; r < p->rows; r += LANES) {
        V x[PANEL_LANES], t[PANEL_LANES], e[PANEL_LANES], top = LOAD(z + r), target_logit = top,
                                                          sum_y = ONE;
        V label_r = ZERO;
        x[0] = t[0] = ZERO; /* no row is without outputs, but compilers do not know */
        for (ptrdiff_t j = 1; j < width; j++) top = MAX(top, LOAD(z + j * ld + r));
        if (y) {
            for (ptrdiff_t j = 0; j < width; j++) {
                t[j] = LOAD(y + j * ld + r);
                x[j] = SELECT(EQ(t[j], ZERO), ZERO, MUL(t[j], SUB(LOAD(z + j * ld + r), top)));
            }
            target_logit = tree_sum(width, x);
            sum_y = tree_sum(width, t);
        } else {
            real class[LANES];
            for (ptrdiff_t i = 0; i < LANES; i++) class[i] = (real)p->label[r + i];
            label_r = LOAD(class);
            for (ptrdiff_t j = 1; j < width; j++)
                target_logit = SELECT(EQ(label_r, SET1(j)), LOAD(z + j * ld + r), target_logit);
            target_logit = SUB(target_logit, top);
        }
        for (ptrdiff_t j = 0; j < width; j++) x[j] = e[j] = exp_v(SUB(LOAD(z + j * ld + r), top));
        const V total = tree_sum(width, x), logarithm = log_v(total);
        STORE((real *)p->row_losses + r, SUB(y ? MUL(sum_y, logarithm) : logarithm, target_logit));
        for (ptrdiff_t j = 0; p->delta && j < width; j++) {
            const V pj = DIV(e[j], total);
            const V error = y ? SUB(MUL(pj, sum_y), LOAD(y + j * ld + r))
                              : SUB(pj, SELECT(EQ(label_r, SET1(j)), ONE, ZERO));
            STORE((real *)p->delta + j * ld + r, MUL(error, LOAD((const real *)p->row_scale + r)));
        }
    }
}

/* The sums over the outputs of one row of z (y may be NULL), and exp(z_j - max z) in delta;
 * target_logit is sum_j y_j (z_j - max z). */
typedef struct {
    real top, sum_exp, target_logit, sum_y;
} row_sums;

static ALWAYS_INLINE row_sums crossentropy_row_sums(ptrdiff_t width, const real *z, const real *y,
                                                    real *delta)
{
    const real top = row_max(width, z);
    V exps[PANEL_VECTORS], target_logits[PANEL_VECTORS], sums_y[PANEL_VECTORS];
    FOR_PANEL_VECTORS(j) exps[j] = target_logits[j] = sums_y[j] = ZERO;
    for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) {
        FOR_PANEL_VECTORS(j) {
            const ptrdiff_t first = i + j * LANES;
            const V shifted = SUB(LOAD(z + first), SET1(top));
            const V e = inside(first, width, exp_v(shifted), ZERO);
            exps[j] = ADD(exps[j], e);
            if (delta) STORE(delta + first, e);
            if (y) {
                const V t = inside(first, width, LOAD(y + first), ZERO);
                target_logits[j] =
                    ADD(target_logits[j], SELECT(EQ(t, ZERO), ZERO, MUL(t, shifted)));
                sums_y[j] = ADD(sums_y[j], t);
            }
        }
    }
    row_sums sums = {top, panel_sum(exps), 0, 1};
    if (y) {
        sums.target_logit = panel_sum(target_logits);
        sums.sum_y = panel_sum(sums_y);
    }
    return sums;
}

/* Row-major, for rows of any width. The logarithms of a panel of rows are taken together. */
static ALWAYS_INLINE void crossentropy_wide(const loss_args *p)
{
    const ptrdiff_t width = p->width, ld = p->row_stride;
    for (ptrdiff_t block = 0; block < p->rows; block += PANEL_LANES) {
        const ptrdiff_t end = p->rows - block < PANEL_LANES ? p->rows : block + PANEL_LANES;
        real sum_exp[PANEL_LANES], target_logit[PANEL_LANES], sum_y[PANEL_LANES];
        for (int i = 0; i < PANEL_LANES; i++) sum_exp[i] = 1, target_logit[i] = 0, sum_y[i] = 1;
        for (ptrdiff_t r = block; r < end; r++) {
            const real *z = (const real *)p->out + r * ld;
            const real *y = p->y ? (const real *)p->y + r * ld : 0;
            real *delta = p->delta ? (real *)p->delta + r * ld : 0;
            const row_sums sums = crossentropy_row_sums(width, z, y, delta);
            sum_exp[r - block] = sums.sum_exp;
            target_logit[r - block] = y ? sums.target_logit : z[p->label[r]] - sums.top;
            sum_y[r - block] = sums.sum_y;
            if (!delta) continue;
            const V s = SET1(sums.sum_exp), w = SET1(sums.sum_y),
                    factor = SET1(((const real *)p->row_scale)[r]);
            for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) {
                FOR_PANEL_VECTORS(j) {
                    const ptrdiff_t first = i + j * LANES;
                    const V pj = DIV(LOAD(delta + first), s);
                    const V t =
                        y ? LOAD(y + first)
                          : SELECT(EQ(LOAD(LANE_INDEX), SET1(p->label[r] - first)), ONE, ZERO);
                    const V error = MUL(SUB(y ? MUL(pj, w) : pj, t), factor);
                    STORE(delta + first, inside(first, width, error, ZERO));
                }
            }
        }
        for (int i = 0; i < PANEL_LANES; i += LANES)
            STORE((real *)p->row_losses + block + i,
                  SUB(MUL(LOAD(sum_y + i), log_v(LOAD(sum_exp + i))), LOAD(target_logit + i)));
    }
}

/* r_delta_j = p_j (r_z_j - sum_k p_k r_z_k) sum_k y_k. Of r_z, that of the largest z is taken away
 * first, which changes nothing but the rounding: where one p is near 1, no two large numbers
 * cancel. */
static ALWAYS_INLINE void crossentropy_along(const loss_args *p)
{
    const ptrdiff_t width = p->width, ld = p->row_stride;
    for (ptrdiff_t r = 0; r < p->rows; r++) {
        const real *z = (const real *)p->out + r * ld, *y = p->y ? (const real *)p->y + r * ld : 0;
        real *d = (real *)p->delta + r * ld;
        const row_sums sums = crossentropy_row_sums(width, z, y, 0);
        const V top = SET1(sums.top), total = SET1(sums.sum_exp),
                scale = SET1(((const real *)p->row_scale)[r]), weight = SET1(sums.sum_y);
        ptrdiff_t best = 0;
        while (best < width - 1 && z[best] != sums.top) best++;
        const V r_top = SET1(d[best]);
        V sum[PANEL_VECTORS];
        FOR_PANEL_VECTORS(j) sum[j] = ZERO;
        for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) {
            FOR_PANEL_VECTORS(j) {
                const ptrdiff_t at = i + j * LANES;
                const V pj = DIV(exp_v(SUB(LOAD(z + at), top)), total);
                const V term = MUL(pj, SUB(LOAD(d + at), r_top));
                sum[j] = ADD(sum[j], inside(at, width, term, ZERO));
            }
        }
        const V mean = SET1(panel_sum(sum));
        for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) {
            FOR_PANEL_VECTORS(j) {
                const ptrdiff_t at = i + j * LANES;
                const V pj = DIV(exp_v(SUB(LOAD(z + at), top)), total);
                const V change = MUL(MUL(pj, SUB(SUB(LOAD(d + at), r_top), mean)), weight);
                STORE(d + at, inside(at, width, MUL(change, scale), ZERO));
            }
        }
    }
}

/* The two that differ in their targets alone: rows of y, or class indices in `label`. */
#define CROSSENTROPY(name, unused_targets)                                                         \
    static ALWAYS_INLINE void name##_transposed(const loss_args *p)                                \
    {                                                                                              \
        loss_args args = *p;                                                                       \
        args.unused_targets = 0;                                                                   \
        crossentropy_transposed(&args);                                                            \
    }                                                                                              \
    static ALWAYS_INLINE void name##_wide(const loss_args *p)                                      \
    {                                                                                              \
        loss_args args = *p;                                                                       \
        args.unused_targets = 0;                                                                   \
        crossentropy_wide(&args);                                                                  \
    }                                                                                              \
    static void name##_along(const loss_args *p)                                                   \
    {                                                                                              \
        loss_args args = *p;                                                                       \
        args.unused_targets = 0;                                                                   \
        crossentropy_along(&args);                                                                 \
    }                                                                                              \
    EVALUATE(name, PANEL_LANES)
CROSSENTROPY(categorical_crossentropy, label)
CROSSENTROPY(sparse_categorical_crossentropy, y)

#define LOSS(name, fused_activations, sparse, ...)                                                 \
    {#name, fused_activations, sparse, name##_evaluate, name##_along, __VA_ARGS__}
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

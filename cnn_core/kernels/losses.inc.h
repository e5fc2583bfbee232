/* Losses: the cost of each row and the error delta it sends back, how that changes along a
 * direction, and the table that names them.
 *
 * To add one that is a sum over the outputs: COST(name), SLOPE(name), CURVATURE(name),
 * SUM_OVER_OUTPUTS(name) - or, of several outputs a target, name_of_target and
 * SUM_OVER_TARGETS(name)
 * - and a row of LOSSES at the end, which says which activations it takes in
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
            .targets = p->targets,
            .quantiles = p->quantiles,
            .n_quantiles = p->n_quantiles,
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

/* Losses of several outputs a target, its heads: output h of target t is column h * targets + t.
 * All work on z, and each row is a chain of its own, in the same order in both layouts. */

/* LANES rows of one column; in the row-major layout row by row. */
static ALWAYS_INLINE V rows_of_column(const loss_args *p, const void *from, ptrdiff_t r,
                                      ptrdiff_t j)
{
    const real *at = (const real *)from + r * p->row_stride + j * p->col_stride;
    if (is_transposed(p->row_stride)) return LOAD(at);
    real x[LANES];
    for (ptrdiff_t i = 0; i < LANES; i++) x[i] = r + i < p->rows ? at[i * p->row_stride] : 0;
    return LOAD(x);
}

static ALWAYS_INLINE V scale_of_rows(const loss_args *p, ptrdiff_t r)
{
    const real *row_scale = p->row_scale;
    if (is_transposed(p->row_stride)) return LOAD(row_scale + r);
    real x[LANES];
    for (ptrdiff_t i = 0; i < LANES; i++) x[i] = r + i < p->rows ? row_scale[r + i] : 0;
    return LOAD(x);
}

static ALWAYS_INLINE void store_delta(const loss_args *p, ptrdiff_t r, ptrdiff_t j, V delta)
{
    real *at = (real *)p->delta + r * p->row_stride + j * p->col_stride;
    if (is_transposed(p->row_stride)) {
        STORE(at, delta);
        return;
    }
    real x[LANES];
    STORE(x, delta);
    for (ptrdiff_t i = 0; i < LANES && r + i < p->rows; i++) at[i * p->row_stride] = x[i];
}

/* delta is 0 in the padding of rows. */
static void clear_padding(const loss_args *p)
{
    const ptrdiff_t padded = (p->width + PANEL_LANES - 1) / PANEL_LANES * PANEL_LANES;
    for (ptrdiff_t r = 0; r < p->rows; r++)
        for (ptrdiff_t j = p->width; j < padded; j++) ((real *)p->delta)[r * p->row_stride + j] = 0;
}

/* name_of_target(p, r, t, scale, along) is the cost of target t in LANES rows, and stores its
 * deltas; or, `along` a direction, puts theirs in the place of those of `out`. */
#define SUM_OVER_TARGETS(name)                                                                     \
    static ALWAYS_INLINE void name##_of_rows(const loss_args *p)                                   \
    {                                                                                              \
        for (ptrdiff_t r = 0; r < p->rows; r += LANES) {                                           \
            const V scale = p->delta ? scale_of_rows(p, r) : ZERO;                                 \
            V sum = ZERO;                                                                          \
            for (ptrdiff_t t = 0; t < p->targets; t++)                                             \
                sum = ADD(sum, name##_of_target(p, r, t, scale, 0));                               \
            STORE((real *)p->row_losses + r, sum);                                                 \
        }                                                                                          \
    }                                                                                              \
    static ALWAYS_INLINE void name##_transposed(const loss_args *p) { name##_of_rows(p); }         \
    static ALWAYS_INLINE void name##_wide(const loss_args *p)                                      \
    {                                                                                              \
        name##_of_rows(p);                                                                         \
        if (p->delta) clear_padding(p);                                                            \
    }                                                                                              \
    static void name##_along(const loss_args *p)                                                   \
    {                                                                                              \
        for (ptrdiff_t r = 0; r < p->rows; r += LANES)                                             \
            for (ptrdiff_t t = 0; t < p->targets; t++)                                             \
                UNUSED(name##_of_target(p, r, t, scale_of_rows(p, r), 1));                         \
        clear_padding(p);                                                                          \
    }                                                                                              \
    EVALUATE(name, PANEL_LANES)

/* Koenker & Bassett 1978: C = tau e for e = y - q above 0, (tau - 1) e below; with slope 0 where
 * they meet. */
static ALWAYS_INLINE V pinball_cost(V q, V y, double tau)
{
    const V e = SUB(y, q);
    return MUL(SELECT(LT(ZERO, e), SET1((real)tau), SET1((real)(tau - 1))), e);
}
static ALWAYS_INLINE V pinball_slope(V q, V y, double tau)
{
    const V e = SUB(y, q);
    return SELECT(LT(ZERO, e), SET1((real)-tau), SELECT(LT(e, ZERO), SET1((real)(1 - tau)), e));
}

/* delta of the z of a step, softplus(z), which moves the quantiles whose slopes sum up to `beyond`.
 */
static ALWAYS_INLINE void pinball_step(const loss_args *p, ptrdiff_t r, ptrdiff_t j, V beyond, V z,
                                       V scale, int along)
{
    V slope = sigmoid_v(z);
    if (along) {
        UNUSED(sigmoid_and_derivative(z, &slope));
        slope = MUL(slope, rows_of_column(p, p->delta, r, j));
    }
    store_delta(p, r, j, MUL(MUL(beyond, slope), scale));
}

/* The sum of it over several quantiles, of which the first head is the middle one, and the next
 * are the steps, softplus(z), from each of the others to its neighbour that is nearer to it. */
static ALWAYS_INLINE V pinball_of_target(const loss_args *p, ptrdiff_t r, ptrdiff_t t, V scale,
                                         int along)
{
    const double *tau = p->quantiles;
    const ptrdiff_t n = p->n_quantiles, targets = p->targets;
    ptrdiff_t middle = 0;
    while (middle < n - 1 && tau[middle] < 0.5) middle++;
    const V y = rows_of_column(p, p->y, r, t), centre = rows_of_column(p, p->out, r, t);
    V cost = pinball_cost(centre, y, tau[middle]), all = pinball_slope(centre, y, tau[middle]);
    V slope[MOST_QUANTILES], z[MOST_QUANTILES], q = centre;
    for (ptrdiff_t k = middle + 1; k < n; k++) {
        z[k] = rows_of_column(p, p->out, r, k * targets + t);
        q = ADD(q, softplus_v(z[k]));
        cost = ADD(cost, pinball_cost(q, y, tau[k]));
        slope[k] = pinball_slope(q, y, tau[k]);
    }
    q = centre;
    for (ptrdiff_t k = middle - 1; k >= 0; k--) {
        z[k] = rows_of_column(p, p->out, r, (k + 1) * targets + t);
        q = SUB(q, softplus_v(z[k]));
        cost = ADD(cost, pinball_cost(q, y, tau[k]));
        slope[k] = pinball_slope(q, y, tau[k]);
    }
    if (!p->delta) return cost;
    V beyond = ZERO; /* the slopes of the quantiles that a step moves */
    for (ptrdiff_t k = n - 1; k > middle; k--) {
        beyond = ADD(beyond, slope[k]);
        pinball_step(p, r, k * targets + t, beyond, z[k], scale, along);
    }
    all = ADD(all, beyond);
    beyond = ZERO;
    for (ptrdiff_t k = 0; k < middle; k++) {
        beyond = ADD(beyond, slope[k]);
        pinball_step(p, r, (k + 1) * targets + t, negative(beyond), z[k], scale, along);
    }
    store_delta(p, r, t, along ? ZERO : MUL(ADD(all, beyond), scale));
    return cost;
}
SUM_OVER_TARGETS(pinball)

/* Nix & Weigend 1994: the negative log-likelihood of y under the mean m, the first head, and the
 * variance v = softplus(z) + SMALLEST_VARIANCE, without its constant: C = (log v + (y - m)^2 / v) /
 * 2. The slopes are multiplied by v^beta (Seitzer et al. 2022, equation 5). */
static ALWAYS_INLINE V gaussian_nll_of_target(const loss_args *p, ptrdiff_t r, ptrdiff_t t, V scale,
                                              int along)
{
    const ptrdiff_t of_v = p->targets + t;
    const V z = rows_of_column(p, p->out, r, of_v), half = SET1((real)0.5);
    const V e = SUB(rows_of_column(p, p->out, r, t), rows_of_column(p, p->y, r, t));
    const V v = ADD(softplus_v(z), SET1((real)SMALLEST_VARIANCE));
    const V log_of_v = log_v(v), share = DIV(e, v);
    if (p->delta && along) { /* with beta = 0 */
        V s_prime;
        const V s = sigmoid_and_derivative(z, &s_prime), by_v = SUB(DIV(ONE, v), MUL(share, share));
        const V r_e = rows_of_column(p, p->delta, r, t), r_z = rows_of_column(p, p->delta, r, of_v);
        const V r_v = MUL(s, r_z), r_share = DIV(SUB(r_e, MUL(share, r_v)), v);
        const V r_by_v = SUB(negative(DIV(r_v, MUL(v, v))), MUL(MUL(SET1(2), share), r_share));
        store_delta(p, r, t, MUL(r_share, scale));
        store_delta(p, r, of_v,
                    MUL(MUL(half, ADD(MUL(r_by_v, s), MUL(MUL(by_v, s_prime), r_z))), scale));
    } else if (p->delta) {
        const V weight = exp_v(MUL(SET1((real)p->loss_param), log_of_v));
        const V by_v = MUL(half, SUB(DIV(ONE, v), MUL(share, share)));
        store_delta(p, r, t, MUL(MUL(share, weight), scale));
        store_delta(p, r, of_v, MUL(MUL(MUL(by_v, sigmoid_v(z)), weight), scale));
    }
    return MUL(half, ADD(log_of_v, MUL(e, share)));
}
SUM_OVER_TARGETS(gaussian_nll)

#define LOSS(name, fused_activations, sparse, ...)                                                 \
    {#name, fused_activations, sparse, name##_evaluate, name##_along, __VA_ARGS__}
static const loss LOSSES[] = {
    LOSS(mse, 0, 0, -INFINITY, INFINITY, 0, 0, 1),
    LOSS(mae, 0, 0, -INFINITY, INFINITY, 0, 0, 1),
    LOSS(huber, 0, 0, -INFINITY, INFINITY, "delta", 1, 1),
    LOSS(binary_crossentropy, "sigmoid", 0, 0, 1, 0, 0, 1),
    LOSS(categorical_crossentropy, "softmax", 0, 0, 1, 0, 0, 1),
    LOSS(sparse_categorical_crossentropy, "softmax", 1, 0, INFINITY, 0, 0, 1),
    LOSS(poisson, "exp", 0, 0, INFINITY, 0, 0, 1),
    LOSS(hinge, 0, 0, -1, 1, 0, 0, 1),
    LOSS(perceptron, "step sign", 0, 0, 1, 0, 0, 1),
    LOSS(pinball, "identity", 0, -INFINITY, INFINITY, 0, 0, 0),
    LOSS(gaussian_nll, "identity", 0, -INFINITY, INFINITY, "beta", 0, 2),
    {0},
};

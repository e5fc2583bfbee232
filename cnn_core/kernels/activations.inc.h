/* Activations: f and f' side by side, and the table that names them. To add one: its two functions
 * and a row. */

#define ACTIVATION_FORWARD                                                                         \
    ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, double alpha, const void *z, void *a
#define ACTIVATION_BACKWARD                                                                        \
    ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, double alpha, const void *z, const void *a,     \
        void *delta

/* From name(z, alpha) and name_prime(z, a, alpha) on one vector. What prime does not use is not
 * loaded. Rows without a gap are one long row. */
#define ELEMENTWISE(name)                                                                          \
    static void name##_forward(ACTIVATION_FORWARD)                                                 \
    {                                                                                              \
        const V parameter = SET1(alpha);                                                           \
        JOIN_ROWS                                                                                  \
        for (ptrdiff_t r = 0; r < rows; r++)                                                       \
            for (ptrdiff_t i = r * ld; i < r * ld + width; i += LANES)                             \
                STORE((real *)a + i, name(LOAD((const real *)z + i), parameter));                  \
    }                                                                                              \
    static void name##_backward(ACTIVATION_BACKWARD)                                               \
    {                                                                                              \
        const V parameter = SET1(alpha);                                                           \
        JOIN_ROWS                                                                                  \
        for (ptrdiff_t r = 0; r < rows; r++)                                                       \
            for (ptrdiff_t i = r * ld; i < r * ld + width; i += LANES) {                           \
                real *d = (real *)delta + i;                                                       \
                STORE(d, MUL(LOAD(d), name##_prime(LOAD((const real *)z + i),                      \
                                                   LOAD((const real *)a + i), parameter)));        \
            }                                                                                      \
    }
#define JOIN_ROWS                                                                                  \
    if (width + LANES > ld) {                                                                      \
        width = rows * ld;                                                                         \
        rows = 1;                                                                                  \
    }
#define F(name) static ALWAYS_INLINE V name(V z, V alpha)
#define F_PRIME(name) static ALWAYS_INLINE V name##_prime(V z, V a, V alpha)
#define UNUSED(...) ((void)(__VA_ARGS__))

F(identity) { return UNUSED(alpha), z; }
F_PRIME(identity) { return UNUSED(z), UNUSED(a), UNUSED(alpha), ONE; }
ELEMENTWISE(identity)

/* Rosenblatt 1958: 1 if z > 0 else 0, and its sister with -1. NaN stays NaN. */
F(step) { return UNUSED(alpha), SELECT(LE(z, ZERO), ZERO, SELECT(LT(ZERO, z), ONE, z)); }
F_PRIME(step) { return UNUSED(z), UNUSED(a), UNUSED(alpha), ZERO; }
ELEMENTWISE(step)

F(sign) { return UNUSED(alpha), SELECT(LE(z, ZERO), SET1(-1), SELECT(LT(ZERO, z), ONE, z)); }
F_PRIME(sign) { return UNUSED(z), UNUSED(a), UNUSED(alpha), ZERO; }
ELEMENTWISE(sign)

F(sigmoid) { return UNUSED(alpha), sigmoid_v(z); }
F_PRIME(sigmoid) { return UNUSED(z), UNUSED(alpha), MUL(a, SUB(ONE, a)); }
ELEMENTWISE(sigmoid)

F(tanh_activation) { return UNUSED(alpha), tanh_v(z); }
F_PRIME(tanh_activation) { return UNUSED(z), UNUSED(alpha), SUB(ONE, MUL(a, a)); }
ELEMENTWISE(tanh_activation)

/* A NaN is not <= 0 and passes, so that a diverged net is seen; -0 becomes 0; the derivative at 0
 * is 0. Not MAX(0, z): clang makes AArch64's fmax of that, which orders the zeros and x86 does not
 * (llvm-project issue 93414). */
F(relu) { return UNUSED(alpha), SELECT(LE(z, ZERO), ZERO, z); }
F_PRIME(relu) { return UNUSED(z), UNUSED(alpha), SELECT(LE(a, ZERO), ZERO, ONE); }
ELEMENTWISE(relu)

/* Maas et al. 2013: alpha z below 0. alpha >= 0, so a has the sign of z; with alpha = 0, -inf gives
 * 0 as in relu. */
F(leaky_relu) { return SELECT(LE(z, ZERO), SELECT(EQ(alpha, ZERO), ZERO, MUL(alpha, z)), z); }
F_PRIME(leaky_relu) { return UNUSED(z), SELECT(LE(a, ZERO), alpha, ONE); }
ELEMENTWISE(leaky_relu)

/* Clevert et al. 2016, eq. 15: alpha (e^z - 1) below 0, whose derivative is a + alpha. */
F(elu) { return SELECT(LE(z, ZERO), MUL(alpha, expm1_negative(z)), z); }
F_PRIME(elu) { return UNUSED(z), SELECT(LE(a, ZERO), ADD(a, alpha), ONE); }
ELEMENTWISE(elu)

/* Klambauer et al. 2017, eq. 2 and 14: lambda times elu, with the constants that keep mean 0 and
 * variance 1. */
#define SELU_LAMBDA ((real)1.0507009873554804934193349852946)
#define SELU_SCALE ((real)(1.0507009873554804934193349852946 * 1.6732632423543772848170429916717))
F(selu)
{
    return UNUSED(alpha),
           SELECT(LE(z, ZERO), MUL(SET1(SELU_SCALE), expm1_negative(z)), MUL(SET1(SELU_LAMBDA), z));
}
F_PRIME(selu)
{
    return UNUSED(z), UNUSED(alpha),
           SELECT(LE(a, ZERO), ADD(a, SET1(SELU_SCALE)), SET1(SELU_LAMBDA));
}
ELEMENTWISE(selu)

/* sigmoid(u) and its derivative s (1 - s) = e / (1 + e)^2 with e = e^-|u|: unlike 1 - s, that loses
 * nothing. */
static ALWAYS_INLINE V sigmoid_and_bend(V u, V *bend)
{
    const V e = exp_v(negative(absolute(u))), d = ADD(ONE, e);
    *bend = DIV(DIV(e, d), d);
    return DIV(SELECT(LT(u, ZERO), e, ONE), d);
}

/* Hendrycks & Gimpel 2016: z Phi(z), with the normal distribution itself; derivative Phi(z) + z
 * phi(z). -inf gives 0. */
F(gelu)
{
    const V phi = normal_cdf_v(z);
    return UNUSED(alpha), SELECT(EQ(phi, ZERO), ZERO, MUL(z, phi));
}
F_PRIME(gelu)
{
    const V bell = exp_half_square(z),
            density = MUL(bell, SET1((real)0.3989422804014327)); /* 1 / sqrt(2 pi) */
    return UNUSED(a), UNUSED(alpha),
           ADD(normal_cdf_from(z, bell), SELECT(EQ(bell, ZERO), ZERO, MUL(z, density)));
}
ELEMENTWISE(gelu)

/* The same paper's approximation z/2 (1 + tanh u) with u = sqrt(2/pi) (z + 0.044715 z^3). As 1 +
 * tanh u = 2 sigmoid(2u), nothing cancels: z s, with s = sigmoid(2u), and derivative s + z s (1 -
 * s) 2u'. */
#define GELU_C ((real)1.5957691216057308) /* 2 sqrt(2/pi) */
static ALWAYS_INLINE V gelu_argument(V z)
{
    return MUL(MUL(SET1(GELU_C), z), FMA(MUL(z, z), SET1((real)0.044715), ONE));
}
F(gelu_tanh)
{
    const V s = sigmoid_v(gelu_argument(z));
    return UNUSED(alpha), SELECT(EQ(s, ZERO), ZERO, MUL(z, s));
}
F_PRIME(gelu_tanh)
{
    const V slope = MUL(SET1(GELU_C), FMA(MUL(z, z), SET1((real)(3 * 0.044715)), ONE));
    V bend;
    const V s = sigmoid_and_bend(gelu_argument(z), &bend);
    return UNUSED(a), UNUSED(alpha), ADD(s, SELECT(EQ(bend, ZERO), ZERO, MUL(MUL(z, bend), slope)));
}
ELEMENTWISE(gelu_tanh)

/* log(1 + e^z), whose derivative sigmoid(z) is 1 - e^-a. */
static ALWAYS_INLINE V softplus_v(V z)
{
    return ADD(MAX(ZERO, z), log1p_v(exp_v(negative(absolute(z)))));
}
F(softplus) { return UNUSED(alpha), softplus_v(z); }
F_PRIME(softplus) { return UNUSED(z), UNUSED(alpha), negative(expm1_negative(negative(a))); }
ELEMENTWISE(softplus)

/* Elfwing et al. 2018 (SiLU), Ramachandran et al. 2017: z sigmoid(z); derivative s + z s (1 - s).
 */
F(swish)
{
    const V s = sigmoid_v(z);
    return UNUSED(alpha), SELECT(EQ(s, ZERO), ZERO, MUL(z, s));
}
F_PRIME(swish)
{
    V bend;
    const V s = sigmoid_and_bend(z, &bend);
    return UNUSED(a), UNUSED(alpha), ADD(s, SELECT(EQ(bend, ZERO), ZERO, MUL(z, bend)));
}
ELEMENTWISE(swish)

/* Misra 2020: z tanh(softplus(z)). With e = e^z and n = e (e + 2): tanh(log(1 + e)) = n / (n + 2),
 * and its derivative 4 e (1 + e) / (n + 2)^2. Beyond MISH_HIGH the quotient is 1. */
#define MISH_HIGH (F64 ? 40 : 20)
F(mish)
{
    const V e = exp_v(MIN(SET1(MISH_HIGH), z)), n = MUL(e, ADD(e, SET1(2))),
            t = DIV(n, ADD(n, SET1(2)));
    return UNUSED(alpha), SELECT(EQ(t, ZERO), ZERO, MUL(z, t));
}
F_PRIME(mish)
{
    const V e = exp_v(MIN(SET1(MISH_HIGH), z)), n = MUL(e, ADD(e, SET1(2))), m = ADD(n, SET1(2));
    const V inside = DIV(DIV(MUL(MUL(SET1(4), e), ADD(ONE, e)), m), m);
    const V bend = SELECT(LT(SET1(MISH_HIGH), z), ZERO, inside);
    return UNUSED(a), UNUSED(alpha), ADD(DIV(n, m), SELECT(EQ(bend, ZERO), ZERO, MUL(z, bend)));
}
ELEMENTWISE(mish)

/* Howard et al. 2019: min(max(z + 3, 0), 6) / 6, and z times it. */
static ALWAYS_INLINE V hard_gate(V z)
{
    return DIV(MIN(SET1(6), MAX(ZERO, ADD(z, SET1(3)))), SET1(6));
}
F(hard_sigmoid) { return UNUSED(alpha), hard_gate(z); }
F_PRIME(hard_sigmoid)
{
    const V slope = SELECT(LE(a, ZERO), ZERO, SET1((real)(1.0 / 6)));
    return UNUSED(z), UNUSED(alpha), SELECT(LE(ONE, a), ZERO, slope);
}
ELEMENTWISE(hard_sigmoid)

F(hard_swish)
{
    const V gate = hard_gate(z);
    return UNUSED(alpha), SELECT(EQ(gate, ZERO), ZERO, MUL(z, gate));
}
F_PRIME(hard_swish)
{
    const V slope = SELECT(LE(SET1(3), z), ONE, FMA(z, SET1((real)(1.0 / 3)), SET1((real)0.5)));
    return UNUSED(a), UNUSED(alpha), SELECT(LE(z, SET1(-3)), ZERO, slope);
}
ELEMENTWISE(hard_swish)

/* The inverse of the logarithmic link: the mean of a Poisson distribution. */
F(exponential) { return UNUSED(alpha), exp_v(z); }
F_PRIME(exponential) { return UNUSED(z), UNUSED(alpha), a; }
ELEMENTWISE(exponential)

/* The lanes of x that lie inside a row of `width`, when x begins at column `first`; `fill` in the
 * others. */
static const real LANE_INDEX[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static ALWAYS_INLINE V inside(ptrdiff_t first, ptrdiff_t width, V x, V fill)
{
    if (first + LANES <= width) return x;
    return SELECT(LT(LOAD(LANE_INDEX), SET1(width - first)), x, fill);
}

/* One number from the accumulators of a panel: PANEL_LANES partial results, halved until one is
 * left. */
static ALWAYS_INLINE real panel_sum(V *v)
{
    UNROLL
    for (int h = PANEL_VECTORS / 2; h > 0; h /= 2)
        for (int j = 0; j < h; j++) v[j] = ADD(v[j], v[j + h]);
    FOLD(ADD, v[0]);
    return LANE0(v[0]);
}

static ALWAYS_INLINE real panel_max(V *v)
{
    UNROLL
    for (int h = PANEL_VECTORS / 2; h > 0; h /= 2)
        for (int j = 0; j < h; j++) v[j] = MAX(v[j], v[j + h]);
    FOLD(MAX, v[0]);
    return LANE0(v[0]);
}

#define FOR_PANEL_VECTORS                                                                          \
    UNROLL                                                                                         \
    for (int j = 0; j < PANEL_VECTORS; j++)

static ALWAYS_INLINE real row_max(ptrdiff_t width, const real *z)
{
    V top[PANEL_VECTORS];
    FOR_PANEL_VECTORS top[j] = SET1(-(real)INFINITY);
    for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) FOR_PANEL_VECTORS
        {
            const ptrdiff_t first = i + j * LANES;
            top[j] = MAX(top[j], inside(first, width, LOAD(z + first), SET1(-(real)INFINITY)));
        }
    return panel_max(top);
}

/* e_j = exp(z_j - shift), zero in the padding; returns their sum. */
static ALWAYS_INLINE real row_exp(ptrdiff_t width, const real *z, real shift, real *e)
{
    V sum[PANEL_VECTORS];
    FOR_PANEL_VECTORS sum[j] = ZERO;
    for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) FOR_PANEL_VECTORS
        {
            const ptrdiff_t first = i + j * LANES;
            const V x = inside(first, width, exp_v(SUB(LOAD(z + first), SET1(shift))), ZERO);
            STORE(e + first, x);
            sum[j] = ADD(sum[j], x);
        }
    return panel_sum(sum);
}

/* Up to PANEL_LANES rows of one panel turned on their side: output j of row r goes to columns[j
 * PANEL_LANES + r]. Rows that are missing become 0. */
static ALWAYS_INLINE void turn(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const real *source,
                               real *columns)
{
    real whole[PANEL_LANES * PANEL_LANES];
    if (rows < PANEL_LANES) {
        for (ptrdiff_t r = 0; r < PANEL_LANES; r++)
            for (ptrdiff_t j = 0; j < PANEL_LANES; j += LANES)
                STORE(whole + r * PANEL_LANES + j, r < rows ? LOAD(source + r * ld + j) : ZERO);
        source = whole;
        ld = PANEL_LANES;
    }
    for (ptrdiff_t across = 0; across < width; across += LANES)
        for (ptrdiff_t down = 0; down < PANEL_LANES; down += LANES)
            TRANSPOSE(source + down * ld + across, ld, columns + across * PANEL_LANES + down,
                      PANEL_LANES);
}

/* Columns back to rows. */
static ALWAYS_INLINE void turn_back(ptrdiff_t rows, ptrdiff_t ld, const real *columns, real *target)
{
    real whole[PANEL_LANES * PANEL_LANES];
    real *out = rows < PANEL_LANES ? whole : target;
    const ptrdiff_t out_ld = rows < PANEL_LANES ? PANEL_LANES : ld;
    for (ptrdiff_t across = 0; across < PANEL_LANES; across += LANES)
        for (ptrdiff_t down = 0; down < PANEL_LANES; down += LANES)
            TRANSPOSE(columns + across * PANEL_LANES + down, PANEL_LANES,
                      out + down * out_ld + across, out_ld);
    if (rows < PANEL_LANES)
        for (ptrdiff_t r = 0; r < rows; r++)
            for (ptrdiff_t j = 0; j < PANEL_LANES; j += LANES)
                STORE(target + r * ld + j, LOAD(whole + r * PANEL_LANES + j));
}

/* The sum of x[0 .. width) in the order of panel_sum, for width up to PANEL_LANES; x is used up. */
static ALWAYS_INLINE V tree_sum(ptrdiff_t width, V *x)
{
    for (ptrdiff_t h = PANEL_LANES / 2; h > 0; h /= 2)
        for (ptrdiff_t j = 0; j < h && j + h < width && j + h < 2 * h; j++)
            x[j] = ADD(x[j], x[j + h]);
    return x[0];
}

/* Of each column of z[width][ld], for one panel of outputs at most; rows is a multiple of the
 * lanes. */
static void softmax_across(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, void *z)
{
    for (real *column = z; column < (real *)z + rows; column += LANES) {
        V x[PANEL_LANES], top = LOAD(column);
        x[0] = ZERO; /* no row is without outputs, but compilers do not know */
        for (ptrdiff_t j = 1; j < width; j++) top = MAX(top, LOAD(column + j * ld));
        for (ptrdiff_t j = 0; j < width; j++) {
            x[j] = exp_v(SUB(LOAD(column + j * ld), top));
            STORE(column + j * ld, x[j]);
        }
        const V sum = tree_sum(width, x);
        for (ptrdiff_t j = 0; j < width; j++)
            STORE(column + j * ld, DIV(LOAD(column + j * ld), sum));
    }
}

/* Rows of one panel at most, a panel of rows at a time with one output of many rows in a vector: a
 * row by itself would leave most lanes empty and wait for each of its reductions. */
static ALWAYS_INLINE void softmax_narrow(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld,
                                         const real *z, real *a)
{
    for (ptrdiff_t block = 0; block < rows; block += PANEL_LANES) {
        const ptrdiff_t count = rows - block < PANEL_LANES ? rows - block : PANEL_LANES;
        real columns[PANEL_LANES * PANEL_LANES] = {0};
        turn(count, width, ld, z + block * ld, columns);
        softmax_across(PANEL_LANES, width, PANEL_LANES, columns);
        turn_back(count, ld, columns, a + block * ld);
    }
}

/* Shifted by the largest z of the row; a row of -inf alone gives NaN, as 0/0 does. */
static void softmax_forward(ACTIVATION_FORWARD)
{
    UNUSED(alpha);
    if (width <= PANEL_LANES && rows > 1) {
        softmax_narrow(rows, width, ld, z, a);
        return;
    }
    for (ptrdiff_t r = 0; r < rows; r++) {
        const real *row = (const real *)z + r * ld;
        real *s = (real *)a + r * ld;
        const V sum = SET1(row_exp(width, row, row_max(width, row), s));
        for (ptrdiff_t i = 0; i < width; i += LANES) STORE(s + i, DIV(LOAD(s + i), sum));
    }
}

/* The full Jacobian ds_i/dz_j = s_i ([i = j] - s_j): delta_i = s_i (g_i - sum_j g_j s_j). */
static void softmax_backward(ACTIVATION_BACKWARD)
{
    UNUSED(alpha), UNUSED(z);
    for (ptrdiff_t r = 0; r < rows; r++) {
        const real *s = (const real *)a + r * ld;
        real *g = (real *)delta + r * ld;
        V sum[PANEL_VECTORS];
        FOR_PANEL_VECTORS sum[j] = ZERO;
        for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) FOR_PANEL_VECTORS
            {
                const ptrdiff_t first = i + j * LANES;
                const V gs = MUL(LOAD(g + first), LOAD(s + first));
                sum[j] = ADD(sum[j], inside(first, width, gs, ZERO));
            }
        const V mean = SET1(panel_sum(sum));
        for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) FOR_PANEL_VECTORS
            {
                const ptrdiff_t first = i + j * LANES;
                const V d = MUL(LOAD(s + first), SUB(LOAD(g + first), mean));
                STORE(g + first, inside(first, width, d, ZERO));
            }
    }
}

#define ROW(name, f, needs_z, ...) {name, 0, needs_z, f##_forward, f##_backward, __VA_ARGS__}
static const activation ACTIVATIONS[] = {
    ROW("identity", identity, 0, 0, 0),
    ROW("step", step, 0, 0, 0),
    ROW("sign", sign, 0, 0, 0),
    ROW("sigmoid", sigmoid, 0, 0, 0),
    ROW("tanh", tanh_activation, 0, 0, 0),
    ROW("relu", relu, 0, 0, 0),
    ROW("leaky_relu", leaky_relu, 0, "negative_slope", 0.01),
    ROW("elu", elu, 0, "alpha", 1),
    ROW("selu", selu, 0, 0, 0),
    ROW("gelu", gelu, 1, 0, 0),
    ROW("gelu_tanh", gelu_tanh, 1, 0, 0),
    ROW("softplus", softplus, 0, 0, 0),
    ROW("swish", swish, 1, 0, 0),
    ROW("mish", mish, 1, 0, 0),
    ROW("hard_sigmoid", hard_sigmoid, 0, 0, 0),
    ROW("hard_swish", hard_swish, 1, 0, 0),
    ROW("exp", exponential, 0, 0, 0),
    {"softmax", 1, 0, softmax_forward, softmax_backward, 0, 0},
    {0},
};

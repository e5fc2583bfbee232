/* Activations: f, f' and f'' side by side, and the table that names them.
 *
 * To add one: F(name), F_PRIME(name), F_SECOND(name), ELEMENTWISE(name), and a row of ACTIVATIONS
 * at the end, which says whether f' needs z (needs_preactivation) and which number f takes, if any.
 * Then what tests/test_tables.py asks for. */

#define ACTIVATION_FORWARD                                                                         \
    ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row_stride, ptrdiff_t col_stride,                   \
        double activation_param, const void *z, void *a
#define ACTIVATION_BACKWARD                                                                        \
    ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row_stride, ptrdiff_t col_stride,                   \
        double activation_param, const void *z, const void *a, void *delta
#define ACTIVATION_SECOND                                                                          \
    ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, double activation_param, const void *z,         \
        const void *a, const void *r_z, const void *g, void *r_delta

/* A matrix as `count` runs of `length` neighbouring numbers, `stride` apart: its rows, or, in the
 * transposed layout, its columns. Runs without a gap of whole vectors are one long run. */
typedef struct {
    ptrdiff_t count, length, stride;
} runs;

static ALWAYS_INLINE runs runs_of(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row_stride,
                                  ptrdiff_t col_stride)
{
    runs x = {rows, width, row_stride};
    if (is_transposed(row_stride)) x = (runs){width, rows, col_stride};
    if (x.length + LANES > x.stride) x = (runs){1, x.count * x.stride, x.count * x.stride};
    return x;
}

/* From name(z, param), name_prime(z, a, param) and name_second(z, a, param) on one vector. What the
 * last two do not use is not loaded. */
#define ELEMENTWISE(name)                                                                          \
    static void name##_forward(ACTIVATION_FORWARD)                                                 \
    {                                                                                              \
        const V param = SET1(activation_param);                                                    \
        const runs x = runs_of(rows, width, row_stride, col_stride);                               \
        for (ptrdiff_t r = 0; r < x.count; r++)                                                    \
            for (ptrdiff_t i = r * x.stride; i < r * x.stride + x.length; i += LANES)              \
                STORE((real *)a + i, name(LOAD((const real *)z + i), param));                      \
    }                                                                                              \
    static void name##_backward(ACTIVATION_BACKWARD)                                               \
    {                                                                                              \
        const V param = SET1(activation_param);                                                    \
        const runs x = runs_of(rows, width, row_stride, col_stride);                               \
        for (ptrdiff_t r = 0; r < x.count; r++)                                                    \
            for (ptrdiff_t i = r * x.stride; i < r * x.stride + x.length; i += LANES) {            \
                real *d = (real *)delta + i;                                                       \
                STORE(d, MUL(LOAD(d), name##_prime(LOAD((const real *)z + i),                      \
                                                   LOAD((const real *)a + i), param)));            \
            }                                                                                      \
    }                                                                                              \
    static void name##_along(ACTIVATION_SECOND)                                                    \
    {                                                                                              \
        const V param = SET1(activation_param);                                                    \
        const runs x = runs_of(rows, width, ld, 1);                                                \
        for (ptrdiff_t r = 0; r < x.count; r++)                                                    \
            for (ptrdiff_t i = r * x.stride; i < r * x.stride + x.length; i += LANES) {            \
                real *d = (real *)r_delta + i;                                                     \
                const V second =                                                                   \
                    name##_second(LOAD((const real *)z + i), LOAD((const real *)a + i), param);    \
                STORE(d, FMA(MUL(LOAD((const real *)g + i), second), LOAD((const real *)r_z + i),  \
                             LOAD(d)));                                                            \
            }                                                                                      \
    }
#define F(name) static ALWAYS_INLINE V name(V z, V param)
#define F_PRIME(name) static ALWAYS_INLINE V name##_prime(V z, V a, V param)
#define F_SECOND(name) static ALWAYS_INLINE V name##_second(V z, V a, V param)
#define UNUSED(...) ((void)(__VA_ARGS__))

F(identity) { return UNUSED(param), z; }
F_PRIME(identity) { return UNUSED(z), UNUSED(a), UNUSED(param), ONE; }
F_SECOND(identity) { return UNUSED(z), UNUSED(a), UNUSED(param), ZERO; }
ELEMENTWISE(identity)

/* Rosenblatt 1958: 1 if z > 0 else 0, and `sign`, with -1 for 0. NaN stays NaN. */
F(heaviside) { return UNUSED(param), SELECT(LE(z, ZERO), ZERO, SELECT(LT(ZERO, z), ONE, z)); }
F_PRIME(heaviside) { return UNUSED(z), UNUSED(a), UNUSED(param), ZERO; }
F_SECOND(heaviside) { return UNUSED(z), UNUSED(a), UNUSED(param), ZERO; }
ELEMENTWISE(heaviside)

F(sign) { return UNUSED(param), SELECT(LE(z, ZERO), SET1(-1), SELECT(LT(ZERO, z), ONE, z)); }
F_PRIME(sign) { return UNUSED(z), UNUSED(a), UNUSED(param), ZERO; }
F_SECOND(sign) { return UNUSED(z), UNUSED(a), UNUSED(param), ZERO; }
ELEMENTWISE(sign)

F(sigmoid) { return UNUSED(param), sigmoid_v(z); }
F_PRIME(sigmoid) { return UNUSED(z), UNUSED(param), MUL(a, SUB(ONE, a)); }
F_SECOND(sigmoid)
{
    const V b = SUB(ONE, a);
    return UNUSED(z), UNUSED(param), MUL(MUL(a, b), SUB(b, a));
}
ELEMENTWISE(sigmoid)

F(tanh_activation) { return UNUSED(param), tanh_v(z); }
F_PRIME(tanh_activation) { return UNUSED(z), UNUSED(param), SUB(ONE, MUL(a, a)); }
F_SECOND(tanh_activation)
{
    return UNUSED(z), UNUSED(param), MUL(MUL(SET1(-2), a), SUB(ONE, MUL(a, a)));
}
ELEMENTWISE(tanh_activation)

/* A NaN is not <= 0 and passes, so that a diverged net is seen; -0 becomes 0; the derivative at 0
 * is 0. Not MAX(0, z): clang makes AArch64's fmax of that, which orders the zeros and x86 does not
 * (llvm-project issue 93414). */
F(relu) { return UNUSED(param), SELECT(LE(z, ZERO), ZERO, z); }
F_PRIME(relu) { return UNUSED(z), UNUSED(param), SELECT(LE(a, ZERO), ZERO, ONE); }
F_SECOND(relu) { return UNUSED(z), UNUSED(a), UNUSED(param), ZERO; }
ELEMENTWISE(relu)

/* Maas et al. 2013: param z below 0. param >= 0, so a has the sign of z; with param = 0, -inf gives
 * 0 as in relu. */
F(leaky_relu) { return SELECT(LE(z, ZERO), SELECT(EQ(param, ZERO), ZERO, MUL(param, z)), z); }
F_PRIME(leaky_relu) { return UNUSED(z), SELECT(LE(a, ZERO), param, ONE); }
F_SECOND(leaky_relu) { return UNUSED(z), UNUSED(a), UNUSED(param), ZERO; }
ELEMENTWISE(leaky_relu)

/* Clevert et al. 2016, eq. 15: param (e^z - 1) below 0, whose derivative is a + param. */
F(elu) { return SELECT(LE(z, ZERO), MUL(param, expm1_negative(z)), z); }
F_PRIME(elu) { return UNUSED(z), SELECT(LE(a, ZERO), ADD(a, param), ONE); }
F_SECOND(elu) { return UNUSED(z), SELECT(LE(a, ZERO), ADD(a, param), ZERO); }
ELEMENTWISE(elu)

/* Klambauer et al. 2017, eq. 2 and 14: lambda times elu, with the constants that keep mean 0 and
 * variance 1. */
#define SELU_LAMBDA ((real)1.0507009873554804934193349852946)
#define SELU_SCALE ((real)(1.0507009873554804934193349852946 * 1.6732632423543772848170429916717))
F(selu)
{
    return UNUSED(param),
           SELECT(LE(z, ZERO), MUL(SET1(SELU_SCALE), expm1_negative(z)), MUL(SET1(SELU_LAMBDA), z));
}
F_PRIME(selu)
{
    return UNUSED(z), UNUSED(param),
           SELECT(LE(a, ZERO), ADD(a, SET1(SELU_SCALE)), SET1(SELU_LAMBDA));
}
F_SECOND(selu)
{
    return UNUSED(z), UNUSED(param), SELECT(LE(a, ZERO), ADD(a, SET1(SELU_SCALE)), ZERO);
}
ELEMENTWISE(selu)

/* sigmoid(u) and its derivative s (1 - s) = e / (1 + e)^2 with e = e^-|u|: unlike 1 - s, that loses
 * nothing. */
static ALWAYS_INLINE V sigmoid_and_derivative(V u, V *s_prime)
{
    const V e = exp_v(negative(absolute(u))), d = ADD(ONE, e);
    *s_prime = DIV(DIV(e, d), d);
    return DIV(SELECT(LT(u, ZERO), e, ONE), d);
}

/* Hendrycks & Gimpel 2016: z Phi(z), with the normal distribution itself; derivative Phi(z) + z
 * phi(z). -inf gives 0. */
F(gelu)
{
    const V phi = normal_cdf_v(z);
    return UNUSED(param), SELECT(EQ(phi, ZERO), ZERO, MUL(z, phi));
}
F_PRIME(gelu)
{
    const V bell = exp_half_square(z),
            density = MUL(bell, SET1((real)0.3989422804014327)); /* 1 / sqrt(2 pi) */
    return UNUSED(a), UNUSED(param),
           ADD(normal_cdf_from(z, bell), SELECT(EQ(bell, ZERO), ZERO, MUL(z, density)));
}
/* phi(z) (2 - z^2), as phi' = -z phi. */
F_SECOND(gelu)
{
    const V bell = exp_half_square(z), density = MUL(bell, SET1((real)0.3989422804014327));
    return UNUSED(a), UNUSED(param),
           SELECT(EQ(bell, ZERO), ZERO, MUL(density, SUB(SET1(2), MUL(z, z))));
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
    return UNUSED(param), SELECT(EQ(s, ZERO), ZERO, MUL(z, s));
}
F_PRIME(gelu_tanh)
{
    const V slope = MUL(SET1(GELU_C), FMA(MUL(z, z), SET1((real)(3 * 0.044715)), ONE));
    V s_prime;
    const V s = sigmoid_and_derivative(gelu_argument(z), &s_prime);
    return UNUSED(a), UNUSED(param),
           ADD(s, SELECT(EQ(s_prime, ZERO), ZERO, MUL(MUL(z, s_prime), slope)));
}
/* With v = 2u, s' = s (1 - s) and s'' = s' (1 - 2s): s' (2v' + z (v'' + (1 - 2s) v'^2)). */
F_SECOND(gelu_tanh)
{
    const V slope = MUL(SET1(GELU_C), FMA(MUL(z, z), SET1((real)(3 * 0.044715)), ONE)),
            bend = MUL(SET1((real)(GELU_C * (6 * 0.044715))), z);
    V s_prime;
    const V s = sigmoid_and_derivative(gelu_argument(z), &s_prime);
    const V fall = SUB(SUB(ONE, s), s);
    const V inside = FMA(z, FMA(MUL(fall, slope), slope, bend), ADD(slope, slope));
    return UNUSED(a), UNUSED(param), SELECT(EQ(s_prime, ZERO), ZERO, MUL(s_prime, inside));
}
ELEMENTWISE(gelu_tanh)

/* log(1 + e^z), whose derivative sigmoid(z) is 1 - e^-a. */
static ALWAYS_INLINE V softplus_v(V z)
{
    return ADD(MAX(ZERO, z), log1p_v(exp_v(negative(absolute(z)))));
}
F(softplus) { return UNUSED(param), softplus_v(z); }
F_PRIME(softplus) { return UNUSED(z), UNUSED(param), negative(expm1_negative(negative(a))); }
/* sigmoid(z) (1 - sigmoid(z)), with e^-a for the second. */
F_SECOND(softplus)
{
    const V b = negative(a);
    return UNUSED(z), UNUSED(param), MUL(exp_v(b), negative(expm1_negative(b)));
}
ELEMENTWISE(softplus)

/* Elfwing et al. 2018 (SiLU), Ramachandran et al. 2017: z sigmoid(z); derivative s + z s (1 - s).
 */
F(swish)
{
    const V s = sigmoid_v(z);
    return UNUSED(param), SELECT(EQ(s, ZERO), ZERO, MUL(z, s));
}
F_PRIME(swish)
{
    V s_prime;
    const V s = sigmoid_and_derivative(z, &s_prime);
    return UNUSED(a), UNUSED(param), ADD(s, SELECT(EQ(s_prime, ZERO), ZERO, MUL(z, s_prime)));
}
/* s' (2 + z (1 - 2s)) with s' = s (1 - s). */
F_SECOND(swish)
{
    V s_prime;
    const V s = sigmoid_and_derivative(z, &s_prime);
    const V inside = FMA(z, SUB(SUB(ONE, s), s), SET1(2));
    return UNUSED(a), UNUSED(param), SELECT(EQ(s_prime, ZERO), ZERO, MUL(s_prime, inside));
}
ELEMENTWISE(swish)

/* Misra 2020: z tanh(softplus(z)). With e = e^z and n = e (e + 2): tanh(log(1 + e)) = n / (n + 2),
 * and its derivative 4 e (1 + e) / (n + 2)^2. Beyond MISH_HIGH the quotient is 1. */
#define MISH_HIGH (F64 ? 40 : 20)
F(mish)
{
    const V e = exp_v(MIN(SET1(MISH_HIGH), z)), n = MUL(e, ADD(e, SET1(2))),
            t = DIV(n, ADD(n, SET1(2)));
    return UNUSED(param), SELECT(EQ(t, ZERO), ZERO, MUL(z, t));
}
F_PRIME(mish)
{
    const V e = exp_v(MIN(SET1(MISH_HIGH), z)), n = MUL(e, ADD(e, SET1(2))), m = ADD(n, SET1(2));
    const V inside = DIV(DIV(MUL(MUL(SET1(4), e), ADD(ONE, e)), m), m);
    const V t_prime = SELECT(LT(SET1(MISH_HIGH), z), ZERO, inside);
    return UNUSED(a), UNUSED(param),
           ADD(DIV(n, m), SELECT(EQ(t_prime, ZERO), ZERO, MUL(z, t_prime)));
}
/* 2t' + z t'' with t'' = 4 e (2 + 2e - 3e^2 - 2e^3) / m^3, divided step by step, as m^3 may
 * overflow. */
F_SECOND(mish)
{
    const V e = exp_v(MIN(SET1(MISH_HIGH), z)), m = ADD(MUL(e, ADD(e, SET1(2))), SET1(2));
    const V share = DIV(MUL(SET1(4), e), m), t_prime = DIV(MUL(share, ADD(ONE, e)), m);
    const V cubic = FMA(e, FMA(e, FMA(e, SET1(-2), SET1(-3)), SET1(2)), SET1(2));
    const V t_second = MUL(share, DIV(DIV(cubic, m), m));
    const V second = FMA(z, t_second, ADD(t_prime, t_prime));
    return UNUSED(a), UNUSED(param),
           SELECT(LT(SET1(MISH_HIGH), z), ZERO, SELECT(EQ(share, ZERO), ZERO, second));
}
ELEMENTWISE(mish)

/* Howard et al. 2019: min(max(z + 3, 0), 6) / 6, and z times it. */
static ALWAYS_INLINE V hard_gate(V z)
{
    return DIV(MIN(SET1(6), MAX(ZERO, ADD(z, SET1(3)))), SET1(6));
}
F(hard_sigmoid) { return UNUSED(param), hard_gate(z); }
F_PRIME(hard_sigmoid)
{
    const V slope = SELECT(LE(a, ZERO), ZERO, SET1((real)(1.0 / 6)));
    return UNUSED(z), UNUSED(param), SELECT(LE(ONE, a), ZERO, slope);
}
F_SECOND(hard_sigmoid) { return UNUSED(z), UNUSED(a), UNUSED(param), ZERO; }
ELEMENTWISE(hard_sigmoid)

F(hard_swish)
{
    const V gate = hard_gate(z);
    return UNUSED(param), SELECT(EQ(gate, ZERO), ZERO, MUL(z, gate));
}
F_PRIME(hard_swish)
{
    const V slope = SELECT(LE(SET1(3), z), ONE, FMA(z, SET1((real)(1.0 / 3)), SET1((real)0.5)));
    return UNUSED(a), UNUSED(param), SELECT(LE(z, SET1(-3)), ZERO, slope);
}
F_SECOND(hard_swish)
{
    const V second = SELECT(LE(SET1(3), z), ZERO, SET1((real)(1.0 / 3)));
    return UNUSED(a), UNUSED(param), SELECT(LE(z, SET1(-3)), ZERO, second);
}
ELEMENTWISE(hard_swish)

/* The inverse of the logarithmic link: the mean of a Poisson distribution. */
F(exponential) { return UNUSED(param), exp_v(z); }
F_PRIME(exponential) { return UNUSED(z), UNUSED(param), a; }
F_SECOND(exponential) { return UNUSED(z), UNUSED(param), a; }
ELEMENTWISE(exponential)

static ALWAYS_INLINE real row_max(ptrdiff_t width, const real *z)
{
    V top[PANEL_VECTORS];
    FOR_PANEL_VECTORS(j) top[j] = SET1(-(real)INFINITY);
    for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) {
        FOR_PANEL_VECTORS(j) {
            const ptrdiff_t first = i + j * LANES;
            top[j] = MAX(top[j], inside(first, width, LOAD(z + first), SET1(-(real)INFINITY)));
        }
    }
    return panel_max(top);
}

/* e_j = exp(z_j - shift), zero in the padding; returns their sum. */
static ALWAYS_INLINE real row_exp(ptrdiff_t width, const real *z, real shift, real *e)
{
    V sum[PANEL_VECTORS];
    FOR_PANEL_VECTORS(j) sum[j] = ZERO;
    for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) {
        FOR_PANEL_VECTORS(j) {
            const ptrdiff_t first = i + j * LANES;
            const V x = inside(first, width, exp_v(SUB(LOAD(z + first), SET1(shift))), ZERO);
            STORE(e + first, x);
            sum[j] = ADD(sum[j], x);
        }
    }
    return panel_sum(sum);
}

/* Transposed layout: for one panel of outputs at most, rows rounded up to whole vectors. */
static NOINLINE void softmax_transposed(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld,
                                        const void *z_, void *a_)
{
    const real *z = (const real *)z_;
    real *a = (real *)a_;
    for (ptrdiff_t r = 0; r < rows; r += LANES) {
        V x[PANEL_LANES], top = LOAD(z + r);
        x[0] = ZERO; /* no row is without outputs, but compilers do not know */
        for (ptrdiff_t j = 1; j < width; j++) top = MAX(top, LOAD(z + j * ld + r));
        for (ptrdiff_t j = 0; j < width; j++) {
            x[j] = exp_v(SUB(LOAD(z + j * ld + r), top));
            STORE(a + j * ld + r, x[j]);
        }
        const V sum = tree_sum(width, x);
        for (ptrdiff_t j = 0; j < width; j++) STORE(a + j * ld + r, DIV(LOAD(a + j * ld + r), sum));
    }
}

/* Rows of one panel at most, transposed a panel of rows at a time: a row by itself would leave most
 * lanes empty and wait for each of its reductions. */
static ALWAYS_INLINE void softmax_narrow(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld,
                                         const real *z, real *a)
{
    for (ptrdiff_t block = 0; block < rows; block += PANEL_LANES) {
        const ptrdiff_t count = rows - block < PANEL_LANES ? rows - block : PANEL_LANES;
        real columns[PANEL_LANES * PANEL_LANES] = {0};
        transpose_in(count, width, ld, z + block * ld, columns);
        softmax_transposed(PANEL_LANES, width, PANEL_LANES, columns, columns);
        transpose_out(count, ld, columns, a + block * ld);
    }
}

/* Shifted by the largest z of the row; a row of -inf alone gives NaN, as 0/0 does. z and s have
 * room for whole panels. */
static ALWAYS_INLINE void softmax_row(ptrdiff_t width, const real *z, real *s)
{
    const V sum = SET1(row_exp(width, z, row_max(width, z), s));
    for (ptrdiff_t i = 0; i < width; i += LANES) STORE(s + i, DIV(LOAD(s + i), sum));
}

static void softmax_forward(ACTIVATION_FORWARD)
{
    UNUSED(activation_param);
    if (is_transposed(row_stride)) {
        softmax_transposed(rows, width, col_stride, z, a);
        return;
    }
    if (width <= PANEL_LANES && rows > 1) {
        softmax_narrow(rows, width, row_stride, z, a);
        return;
    }
    for (ptrdiff_t r = 0; r < rows; r++)
        softmax_row(width, (const real *)z + r * row_stride, (real *)a + r * row_stride);
}

/* Transposed layout: for one panel of outputs at most, rows rounded up to whole vectors. */
static void softmax_backward_transposed(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld,
                                        const real *s, real *g)
{
    for (ptrdiff_t r = 0; r < rows; r += LANES) {
        V gs[PANEL_LANES];
        gs[0] = ZERO; /* as in softmax_transposed */
        for (ptrdiff_t j = 0; j < width; j++)
            gs[j] = ADD(ZERO, MUL(LOAD(g + j * ld + r), LOAD(s + j * ld + r)));
        const V mean = tree_sum(width, gs);
        for (ptrdiff_t j = 0; j < width; j++) {
            const ptrdiff_t at = j * ld + r;
            STORE(g + at, MUL(LOAD(s + at), SUB(LOAD(g + at), mean)));
        }
    }
}

/* The full Jacobian ds_i/dz_j = s_i ([i = j] - s_j): delta_i = s_i (g_i - sum_j g_j s_j). */
static void softmax_backward(ACTIVATION_BACKWARD)
{
    UNUSED(activation_param), UNUSED(z);
    if (is_transposed(row_stride)) {
        softmax_backward_transposed(rows, width, col_stride, a, delta);
        return;
    }
    for (ptrdiff_t r = 0; r < rows; r++) {
        const real *s = (const real *)a + r * row_stride;
        real *g = (real *)delta + r * row_stride;
        V sum[PANEL_VECTORS];
        FOR_PANEL_VECTORS(j) sum[j] = ZERO;
        for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) {
            FOR_PANEL_VECTORS(j) {
                const ptrdiff_t first = i + j * LANES;
                const V gs = MUL(LOAD(g + first), LOAD(s + first));
                sum[j] = ADD(sum[j], inside(first, width, gs, ZERO));
            }
        }
        const V mean = SET1(panel_sum(sum));
        for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) {
            FOR_PANEL_VECTORS(j) {
                const ptrdiff_t first = i + j * LANES;
                const V d = MUL(LOAD(s + first), SUB(LOAD(g + first), mean));
                STORE(g + first, inside(first, width, d, ZERO));
            }
        }
    }
}

/* The sum over a row of x y, in the order of softmax_backward. */
static ALWAYS_INLINE real row_dot(ptrdiff_t width, const real *x, const real *y)
{
    V sum[PANEL_VECTORS];
    FOR_PANEL_VECTORS(j) sum[j] = ZERO;
    for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) {
        FOR_PANEL_VECTORS(j) {
            const ptrdiff_t first = i + j * LANES;
            const V xy = MUL(LOAD(x + first), LOAD(y + first));
            sum[j] = ADD(sum[j], inside(first, width, xy, ZERO));
        }
    }
    return panel_sum(sum);
}

/* How the Jacobian changes: with m = sum_j g_j s_j and r_s_i = s_i (r_z_i - sum_j s_j r_z_j), it is
 * r_s_i (g_i - m) - s_i sum_j g_j r_s_j. */
static void softmax_along(ACTIVATION_SECOND)
{
    UNUSED(activation_param), UNUSED(z);
    for (ptrdiff_t r = 0; r < rows; r++) {
        const real *s = (const real *)a + r * ld, *gr = (const real *)g + r * ld,
                   *zr = (const real *)r_z + r * ld;
        real *d = (real *)r_delta + r * ld;
        const V m = SET1(row_dot(width, gr, s)), mean = SET1(row_dot(width, zr, s));
        V sum[PANEL_VECTORS];
        FOR_PANEL_VECTORS(j) sum[j] = ZERO;
        for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) {
            FOR_PANEL_VECTORS(j) {
                const ptrdiff_t at = i + j * LANES;
                const V r_s = MUL(LOAD(s + at), SUB(LOAD(zr + at), mean));
                sum[j] = ADD(sum[j], inside(at, width, MUL(LOAD(gr + at), r_s), ZERO));
            }
        }
        const V total = SET1(panel_sum(sum));
        for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) {
            FOR_PANEL_VECTORS(j) {
                const ptrdiff_t at = i + j * LANES;
                const V si = LOAD(s + at), r_s = MUL(si, SUB(LOAD(zr + at), mean));
                const V second = SUB(MUL(r_s, SUB(LOAD(gr + at), m)), MUL(si, total));
                STORE(d + at, inside(at, width, ADD(LOAD(d + at), second), ZERO));
            }
        }
    }
}

#define ROW(name, f, needs_preactivation, ...)                                                     \
    {name, 0, needs_preactivation, f##_forward, f##_backward, f##_along, __VA_ARGS__}
static const activation ACTIVATIONS[] = {
    ROW("identity", identity, 0, 0, 0),
    ROW("step", heaviside, 0, 0, 0),
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
    {"softmax", 1, 0, softmax_forward, softmax_backward, softmax_along, 0, 0},
    {0},
};

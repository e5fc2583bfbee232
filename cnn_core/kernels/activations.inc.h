/* Activations: f and f' side by side, and the table that names them. To add one: its two functions and a row. */

#define ELEMENTWISE(name)                                                                                         \
    static void name##_forward(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *z, void *a)             \
    {                                                                                                             \
        (void)width;                                                                                              \
        for (ptrdiff_t i = 0; i < rows * ld; i += LANES) STORE((real *)a + i, name(LOAD((const real *)z + i)));   \
    }                                                                                                             \
    static void name##_backward(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *z, const void *a,      \
                                void *delta)                                                                      \
    {                                                                                                             \
        (void)width, (void)z;                                                                                     \
        for (ptrdiff_t i = 0; i < rows * ld; i += LANES) {                                                        \
            real *d = (real *)delta + i;                                                                          \
            STORE(d, MUL(LOAD(d), name##_prime(LOAD((const real *)a + i))));                                      \
        }                                                                                                         \
    }

static ALWAYS_INLINE V identity(V z) { return z; }
static ALWAYS_INLINE V identity_prime(V a) { return (void)a, ONE; }
ELEMENTWISE(identity)

static ALWAYS_INLINE V sigmoid(V z) { return sigmoid_v(z); }
static ALWAYS_INLINE V sigmoid_prime(V a) { return MUL(a, SUB(ONE, a)); }
ELEMENTWISE(sigmoid)

static ALWAYS_INLINE V tanh_activation(V z) { return tanh_v(z); }
static ALWAYS_INLINE V tanh_activation_prime(V a) { return SUB(ONE, MUL(a, a)); }
ELEMENTWISE(tanh_activation)

/* A NaN is not <= 0 and passes, so that a diverged net is seen; -0 becomes 0; the derivative at 0 is 0. Not
 * MAX(0, z): clang makes AArch64's fmax of that, which orders the zeros and x86 does not (llvm-project issue 93414). */
static ALWAYS_INLINE V relu(V z) { return SELECT(LE(z, ZERO), ZERO, z); }
static ALWAYS_INLINE V relu_prime(V a) { return SELECT(LE(a, ZERO), ZERO, ONE); }
ELEMENTWISE(relu)

/* The lanes of x that lie inside a row of `width`, when x begins at column `first`; `fill` in the others. */
static const real LANE_INDEX[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static ALWAYS_INLINE V inside(ptrdiff_t first, ptrdiff_t width, V x, V fill)
{
    if (first + LANES <= width) return x;
    return SELECT(LT(LOAD(LANE_INDEX), SET1(width - first)), x, fill);
}

/* One number from the accumulators of a panel: PANEL_LANES partial results, halved until one is left. */
static ALWAYS_INLINE real panel_sum(V *v)
{
    UNROLL for (int h = PANEL_VECTORS / 2; h > 0; h /= 2) for (int j = 0; j < h; j++) v[j] = ADD(v[j], v[j + h]);
    FOLD(ADD, v[0]);
    return LANE0(v[0]);
}

static ALWAYS_INLINE real panel_max(V *v)
{
    UNROLL for (int h = PANEL_VECTORS / 2; h > 0; h /= 2) for (int j = 0; j < h; j++) v[j] = MAX(v[j], v[j + h]);
    FOLD(MAX, v[0]);
    return LANE0(v[0]);
}

#define FOR_PANEL_VECTORS UNROLL for (int j = 0; j < PANEL_VECTORS; j++)

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

/* Shifted by the largest z of the row; a row of -inf alone gives NaN, as 0/0 does. */
static void softmax_forward(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *z, void *a)
{
    for (ptrdiff_t r = 0; r < rows; r++) {
        const real *row = (const real *)z + r * ld;
        real *s = (real *)a + r * ld;
        const V sum = SET1(row_exp(width, row, row_max(width, row), s));
        for (ptrdiff_t i = 0; i < width; i += LANES) STORE(s + i, DIV(LOAD(s + i), sum));
    }
}

/* The full Jacobian ds_i/dz_j = s_i ([i = j] - s_j): delta_i = s_i (g_i - sum_j g_j s_j). */
static void softmax_backward(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *z, const void *a, void *delta)
{
    (void)z;
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

static const activation ACTIVATIONS[] = {
    {"identity", 0, 0, identity_forward, identity_backward},
    {"sigmoid", 0, 0, sigmoid_forward, sigmoid_backward},
    {"tanh", 0, 0, tanh_activation_forward, tanh_activation_backward},
    {"relu", 0, 0, relu_forward, relu_backward},
    {"softmax", 1, 0, softmax_forward, softmax_backward},
    {0},
};

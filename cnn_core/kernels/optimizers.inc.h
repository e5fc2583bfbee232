/* Optimizers: one step on a stretch of the flat parameter vector, and the table that names them. To add one: a
 * function and a row. What depends on the step number alone is computed once a call, in double. */

/* b^t by repeated squaring: only multiplications, so the same bits on every platform. */
static double power(double b, int64_t t)
{
    double result = 1;
    for (; t; t >>= 1, b *= b)
        if (t & 1) result *= b;
    return result;
}

/* Momentum (Polyak 1964) and Nesterov's form (Sutskever et al. 2013, eq. 3-4, in the shifted variables of
 * Bengio et al. 2013):
 *     v <- momentum v - learning_rate g
 *     w <- w + v                                    or, with nesterov, w <- w + momentum v - learning_rate g */
static void sgd_step(ptrdiff_t n, int64_t t, const double *h, void *w_, const void *g_, void *const *slots)
{
    (void)t;
    real *w = w_, *v = slots[0];
    const real *g = g_;
    const V rate = SET1(-h[0]), momentum = SET1(h[1]);
    const int nesterov = h[2] != 0;
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const V step = MUL(rate, LOAD(g + i));
        const V velocity = FMA(momentum, LOAD(v + i), step);
        STORE(v + i, velocity);
        STORE(w + i, ADD(LOAD(w + i), nesterov ? FMA(momentum, velocity, step) : velocity));
    }
}

/* Adam (Kingma & Ba 2015, Algorithm 1):
 *     m <- beta1 m + (1 - beta1) g,    v <- beta2 v + (1 - beta2) g^2
 *     w <- w - learning_rate m^ / (sqrt v^ + epsilon)    with m^ = m / (1 - beta1^t), v^ = v / (1 - beta2^t) */
static void adam_step(ptrdiff_t n, int64_t t, const double *h, void *w_, const void *g_, void *const *slots)
{
    real *w = w_, *m = slots[0], *v = slots[1];
    const real *g = g_;
    const double beta1 = h[1], beta2 = h[2];
    const V b1 = SET1(1 - beta1), b2 = SET1(1 - beta2), epsilon = SET1(h[3]);
    const V rate = SET1(-h[0] / (1 - power(beta1, t))), unbias = SET1(1 / sqrt(1 - power(beta2, t)));
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const V gi = LOAD(g + i), m_old = LOAD(m + i), v_old = LOAD(v + i);
        const V mi = FMA(b1, SUB(gi, m_old), m_old), vi = FMA(b2, SUB(MUL(gi, gi), v_old), v_old);
        STORE(m + i, mi);
        STORE(v + i, vi);
        const V step = DIV(mi, FMA(SQRT(vi), unbias, epsilon));
        STORE(w + i, FMA(rate, step, LOAD(w + i)));
    }
}

static const optimizer OPTIMIZERS[] = {
    {"sgd", "learning_rate momentum nesterov", 1, sgd_step},
    {"adam", "learning_rate beta1 beta2 epsilon", 2, adam_step},
    {0},
};

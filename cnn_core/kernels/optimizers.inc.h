/* Optimizers: one step on a slice of the flat parameter vector, and the table that names them.
 *
 * To add one: OPTIMIZER_STEP(name) and a row of OPTIMIZERS at the end, which names its settings in
 * the order of h and says how many slots it keeps; a function that works out what depends on t
 * alone goes into the row as `prepare`. Then what tests/test_tables.py asks for. */

/* A running product over the steps, at step t. Multiplications alone: the same bits everywhere. */
static double next_product(int64_t t, double *product, double factor)
{
    return *product = (t == 1 ? 1 : *product) * factor;
}

#define OPTIMIZER_STEP(name)                                                                       \
    static void name##_step(ptrdiff_t n, int64_t t, const double *h, void *w_, const void *g_,     \
                            void *const *slots)

/* Momentum (Polyak 1964) and Nesterov's form (Sutskever et al. 2013, eq. 3-4, in the shifted
 * variables of Bengio et al. 2013):
 *     v <- momentum v - learning_rate g
 *     w <- w + v    or, with nesterov,    w <- w + momentum v - learning_rate g */
OPTIMIZER_STEP(sgd)
{
    UNUSED(t);
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

/* Duchi et al. 2011, "Adaptive subgradient methods", diagonal form:
 *     v <- v + g^2,    w <- w - learning_rate g / (sqrt v + epsilon) */
OPTIMIZER_STEP(adagrad)
{
    UNUSED(t);
    real *w = w_, *v = slots[0];
    const real *g = g_;
    const V rate = SET1(-h[0]), epsilon = SET1(h[1]);
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const V gi = LOAD(g + i), vi = FMA(gi, gi, LOAD(v + i));
        STORE(v + i, vi);
        STORE(w + i, FMA(rate, quotient(gi, ADD(SQRT(vi), epsilon)), LOAD(w + i)));
    }
}

/* Zeiler 2012, Algorithm 1, with a factor learning_rate (1 in the paper) on the step:
 *     v <- rho v + (1 - rho) g^2,    step = g sqrt(u + epsilon) / sqrt(v + epsilon)
 *     u <- rho u + (1 - rho) step^2,    w <- w - learning_rate step */
OPTIMIZER_STEP(adadelta)
{
    UNUSED(t);
    real *w = w_, *v = slots[0], *u = slots[1];
    const real *g = g_;
    const V rate = SET1(-h[0]), fresh = SET1(1 - h[1]), epsilon = SET1(h[2]);
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const V gi = LOAD(g + i), v_old = LOAD(v + i), u_old = LOAD(u + i);
        const V vi = FMA(fresh, SUB(MUL(gi, gi), v_old), v_old);
        const V step = MUL(gi, DIV(SQRT(ADD(u_old, epsilon)), SQRT(ADD(vi, epsilon))));
        STORE(v + i, vi);
        STORE(u + i, FMA(fresh, SUB(MUL(step, step), u_old), u_old));
        STORE(w + i, FMA(rate, step, LOAD(w + i)));
    }
}

/* Tieleman & Hinton 2012, lecture 6e, with momentum on the scaled gradient (Graves 2013):
 *     v <- rho v + (1 - rho) g^2,    m <- momentum m + g / (sqrt v + epsilon)
 *     w <- w - learning_rate m */
OPTIMIZER_STEP(rmsprop)
{
    UNUSED(t);
    real *w = w_, *v = slots[0], *m = slots[1];
    const real *g = g_;
    const V rate = SET1(-h[0]), fresh = SET1(1 - h[1]), momentum = SET1(h[2]), epsilon = SET1(h[3]);
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const V gi = LOAD(g + i), v_old = LOAD(v + i);
        const V vi = FMA(fresh, SUB(MUL(gi, gi), v_old), v_old);
        const V mi = FMA(momentum, LOAD(m + i), quotient(gi, ADD(SQRT(vi), epsilon)));
        STORE(v + i, vi);
        STORE(m + i, mi);
        STORE(w + i, FMA(rate, mi, LOAD(w + i)));
    }
}

/* Adam (Kingma & Ba 2015, Algorithm 1):
 *     m <- beta1 m + (1 - beta1) g,    v <- beta2 v + (1 - beta2) g^2
 *     w <- w - learning_rate m^ / (sqrt v^ + epsilon)
 *     with m^ = m / (1 - beta1^t), v^ = v / (1 - beta2^t)
 * and its relatives, which differ in one place each:
 *     amsgrad (Reddi et al. 2018, Algorithm 2): sqrt of the largest v so far
 *     adamw (Loshchilov & Hutter 2019, Algorithm 2): w <- w - learning_rate weight_decay w before
 *     nadam (Dozat 2016, Algorithm 2): with mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2),
 *         m^ = mu_(t+1) m / (1 - mu_1 ... mu_(t+1)) + (1 - mu_t) g / (1 - mu_1 ... mu_t)
 *     adam_hat (Kingma & Ba 2015, end of section 2): sqrt v + epsilon is corrected as a whole; its
 *         epsilon is theirs with a hat, and counts for more in the first steps */
enum {
    LEARNING_RATE,
    BETA1,
    BETA2,
    EPSILON,
    EXTRA, /* weight_decay or momentum_decay */
    MOMENT_RATE = 8,
    GRADIENT_RATE,
    UNBIAS,
    MU_PRODUCT,
    BETA1_POWER,
    BETA2_POWER,
    FLOOR
};

static void adam_prepare(int64_t t, double *h)
{
    h[MOMENT_RATE] = h[LEARNING_RATE] / (1 - next_product(t, &h[BETA1_POWER], h[BETA1]));
    h[UNBIAS] = 1 / sqrt(1 - next_product(t, &h[BETA2_POWER], h[BETA2]));
    h[FLOOR] = h[EPSILON];
}

static void adam_hat_prepare(int64_t t, double *h)
{
    adam_prepare(t, h);
    h[FLOOR] = h[EPSILON] * h[UNBIAS];
}

/* 0.96^x for x = t momentum_decay, which need not be whole: e^(x ln 0.96) in the table's own exp,
 * in float64 where the table has it. The last bits of mu do not matter; that they are the same
 * everywhere does. */
static double nadam_mu(double beta1, double x)
{
    real in[PANEL_LANES], out[PANEL_LANES];
    for (int i = 0; i < PANEL_LANES; i++) in[i] = (real)(x * -0.040821994520255166);
    exp_map(PANEL_LANES, in, out);
    return beta1 * (1 - 0.5 * (double)out[0]);
}

static void nadam_prepare(int64_t t, double *h)
{
    const double mu = nadam_mu(h[BETA1], (double)t * h[EXTRA]),
                 next = nadam_mu(h[BETA1], (double)(t + 1) * h[EXTRA]);
    next_product(t, &h[MU_PRODUCT], mu);
    h[MOMENT_RATE] = h[LEARNING_RATE] * next / (1 - h[MU_PRODUCT] * next);
    h[GRADIENT_RATE] = h[LEARNING_RATE] * (1 - mu) / (1 - h[MU_PRODUCT]);
    h[UNBIAS] = 1 / sqrt(1 - next_product(t, &h[BETA2_POWER], h[BETA2]));
    h[FLOOR] = h[EPSILON];
}

static ALWAYS_INLINE void adam_family(ptrdiff_t n, const double *h, real *w, const real *g,
                                      void *const *slots, const int amsgrad, const int decay,
                                      const int nesterov)
{
    real *m = slots[0], *v = slots[1], *top = amsgrad ? slots[2] : 0;
    const V b1 = SET1(1 - h[BETA1]), b2 = SET1(1 - h[BETA2]), epsilon = SET1(h[FLOOR]),
            unbias = SET1(h[UNBIAS]);
    const V rate = SET1(-h[MOMENT_RATE]), gradient_rate = SET1(-h[GRADIENT_RATE]);
    const V keep = SET1(1 - h[LEARNING_RATE] * h[EXTRA]);
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const V gi = LOAD(g + i), m_old = LOAD(m + i), v_old = LOAD(v + i);
        const V mi = FMA(b1, SUB(gi, m_old), m_old), vi = FMA(b2, SUB(MUL(gi, gi), v_old), v_old);
        STORE(m + i, mi);
        STORE(v + i, vi);
        V largest = vi, wi = LOAD(w + i);
        if (amsgrad) {
            largest = MAX(LOAD(top + i), vi);
            STORE(top + i, largest);
        }
        if (decay) wi = MUL(wi, keep);
        const V scale = FMA(SQRT(largest), unbias, epsilon);
        if (nesterov)
            wi = ADD(wi, quotient(FMA(rate, mi, MUL(gradient_rate, gi)), scale));
        else
            wi = FMA(rate, quotient(mi, scale), wi);
        STORE(w + i, wi);
    }
}

OPTIMIZER_STEP(adam) { UNUSED(t), adam_family(n, h, w_, g_, slots, 0, 0, 0); }
OPTIMIZER_STEP(amsgrad) { UNUSED(t), adam_family(n, h, w_, g_, slots, 1, 0, 0); }
OPTIMIZER_STEP(adamw) { UNUSED(t), adam_family(n, h, w_, g_, slots, 0, 1, 0); }
OPTIMIZER_STEP(nadam) { UNUSED(t), adam_family(n, h, w_, g_, slots, 0, 0, 1); }

/* Rprop (Riedmiller & Braun 1993) in the form without backtracking (Igel & Huesken 2000, iRprop-):
 * a step size for each parameter, times eta_plus while its gradient keeps its sign, times eta_minus
 * and no step when it changes. A gradient that is NaN makes w NaN, as in the other optimizers. */
OPTIMIZER_STEP(rprop)
{
    real *w = w_, *before = slots[0], *size = slots[1];
    const real *g = g_;
    const V minus = SET1(h[1]), plus = SET1(h[2]), smallest = SET1(h[3]), largest = SET1(h[4]);
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const V old = LOAD(before + i);
        V gi = LOAD(g + i), si = t == 1 ? SET1(h[0]) : LOAD(size + i);
        const V agreement = MUL(signum(gi), old); /* g g_before underflows below about 1e-19 */
        const M opposite = LT(agreement, ZERO), equal = LT(ZERO, agreement);
        si = SELECT(equal, MIN(largest, MUL(si, plus)),
                    SELECT(opposite, MAX(smallest, MUL(si, minus)), si));
        gi = SELECT(opposite, ZERO, gi);
        STORE(before + i, gi);
        STORE(size + i, si);
        STORE(w + i, SUB(LOAD(w + i), SELECT(EQ(gi, ZERO), ZERO, MUL(signum(gi), si))));
    }
}

static const optimizer OPTIMIZERS[] = {
    {"sgd", "learning_rate momentum nesterov", 1, 0, sgd_step},
    {"adagrad", "learning_rate epsilon", 1, 0, adagrad_step},
    {"adadelta", "learning_rate rho epsilon", 2, 0, adadelta_step},
    {"rmsprop", "learning_rate rho momentum epsilon", 2, 0, rmsprop_step},
    {"adam", "learning_rate beta1 beta2 epsilon", 2, adam_prepare, adam_step},
    {"adam_hat", "learning_rate beta1 beta2 epsilon", 2, adam_hat_prepare, adam_step},
    {"amsgrad", "learning_rate beta1 beta2 epsilon", 3, adam_prepare, amsgrad_step},
    {"adamw", "learning_rate beta1 beta2 epsilon weight_decay", 2, adam_prepare, adamw_step},
    {"nadam", "learning_rate beta1 beta2 epsilon momentum_decay", 2, nadam_prepare, nadam_step},
    {"rprop", "learning_rate eta_minus eta_plus step_min step_max", 2, 0, rprop_step},
    {0},
};

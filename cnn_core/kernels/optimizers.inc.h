/* Optimizers: one step on a slice of the flat parameter vector, and the table that names them.
 *
 * To add one: CONSTANTS(name), UPDATE(name), OPTIMIZER_STEP(name) and a row of OPTIMIZERS at the
 * end, which names its settings in the order of h and says how many slots it keeps; a function that
 * works out what depends on t alone goes into the row as `prepare`. Then what tests/test_tables.py
 * asks for. */

/* A running product over the steps, at step t. Multiplications alone: the same bits everywhere. */
static double next_product(int64_t t, double *product, double factor)
{
    return *product = (t == 1 ? 1 : *product) * factor;
}

/* The numbers of an update, from h, at step t, each rounded to the dtype once. What is returned
 * chooses between two forms of the update; it is the same for all nets. */
enum { MOST_CONSTANTS = 7, MOST_SLOTS = 3 };
typedef int constants_fn(int64_t t, const double *h, real *c);
#define CONSTANTS(name) static int name##_constants(int64_t t, const double *h, real *c)

/* The constants of the nets in the lanes, or of one net in all lanes. */
static ONE_COPY int constants_in_lanes(constants_fn *constants, int in_lanes, int64_t t,
                                       const double *h, real each[MOST_CONSTANTS][LANES])
{
    real one[MOST_CONSTANTS] = {0};
    int form = constants(t, h, one);
    for (int k = 0; k < MOST_CONSTANTS; k++) STORE(each[k], SET1(one[k]));
    for (int lane = 1; in_lanes && lane < LANES; lane++) {
        form = constants(t, h + lane * OPTIMIZER_NUMBERS, one);
        for (int k = 0; k < MOST_CONSTANTS; k++) each[k][lane] = one[k];
    }
    return form;
}

/* The update of one vector of parameters w, from its gradient g and its slots. */
#define UPDATE(name)                                                                               \
    static ALWAYS_INLINE void name##_update(const int form, const V *c, real *w, const real *g,    \
                                            real *const *slot, ptrdiff_t i)

/* name_step from both. */
#define OPTIMIZER_STEP(name, slots_kept)                                                           \
    static void name##_step(ptrdiff_t n, int in_lanes, int64_t t, const double *h, void *w,        \
                            const void *g, void *const *slots)                                     \
    {                                                                                              \
        real *slot[MOST_SLOTS], each[MOST_CONSTANTS][LANES];                                       \
        V c[MOST_CONSTANTS];                                                                       \
        const int form = constants_in_lanes(name##_constants, in_lanes, t, h, each);               \
        for (int s = 0; s < slots_kept; s++) slot[s] = slots[s];                                   \
        for (int k = 0; k < MOST_CONSTANTS; k++) c[k] = LOAD(each[k]);                             \
        for (ptrdiff_t i = 0; i < n; i += LANES) name##_update(form, c, w, g, slot, i);            \
    }

/* Momentum (Polyak 1964) and Nesterov's form (Sutskever et al. 2013, eq. 3-4, in the shifted
 * variables of Bengio et al. 2013):
 *     v <- momentum v - learning_rate g
 *     w <- w + v    or, with nesterov,    w <- w + momentum v - learning_rate g */
CONSTANTS(sgd)
{
    UNUSED(t);
    c[0] = (real)-h[0];
    c[1] = (real)h[1];
    return h[2] != 0;
}
UPDATE(sgd)
{
    const int nesterov = form;
    const V rate = c[0], momentum = c[1];
    real *v = slot[0];
    const V step = MUL(rate, LOAD(g + i));
    const V velocity = FMA(momentum, LOAD(v + i), step);
    STORE(v + i, velocity);
    STORE(w + i, ADD(LOAD(w + i), nesterov ? FMA(momentum, velocity, step) : velocity));
}
OPTIMIZER_STEP(sgd, 1)

/* Duchi et al. 2011, "Adaptive subgradient methods", diagonal form:
 *     v <- v + g^2,    w <- w - learning_rate g / (sqrt v + epsilon) */
CONSTANTS(adagrad)
{
    UNUSED(t);
    c[0] = (real)-h[0];
    c[1] = (real)h[1];
    return 0;
}
UPDATE(adagrad)
{
    UNUSED(form);
    const V rate = c[0], epsilon = c[1];
    real *v = slot[0];
    const V gi = LOAD(g + i), vi = FMA(gi, gi, LOAD(v + i));
    STORE(v + i, vi);
    STORE(w + i, FMA(rate, quotient(gi, ADD(SQRT(vi), epsilon)), LOAD(w + i)));
}
OPTIMIZER_STEP(adagrad, 1)

/* Zeiler 2012, Algorithm 1, with a factor learning_rate (1 in the paper) on the step:
 *     v <- rho v + (1 - rho) g^2,    step = g sqrt(u + epsilon) / sqrt(v + epsilon)
 *     u <- rho u + (1 - rho) step^2,    w <- w - learning_rate step */
CONSTANTS(adadelta)
{
    UNUSED(t);
    c[0] = (real)-h[0];
    c[1] = (real)(1 - h[1]);
    c[2] = (real)h[2];
    return 0;
}
UPDATE(adadelta)
{
    UNUSED(form);
    const V rate = c[0], fresh = c[1], epsilon = c[2];
    real *v = slot[0], *u = slot[1];
    const V gi = LOAD(g + i), v_old = LOAD(v + i), u_old = LOAD(u + i);
    const V vi = FMA(fresh, SUB(MUL(gi, gi), v_old), v_old);
    const V step = MUL(gi, DIV(SQRT(ADD(u_old, epsilon)), SQRT(ADD(vi, epsilon))));
    STORE(v + i, vi);
    STORE(u + i, FMA(fresh, SUB(MUL(step, step), u_old), u_old));
    STORE(w + i, FMA(rate, step, LOAD(w + i)));
}
OPTIMIZER_STEP(adadelta, 2)

/* Tieleman & Hinton 2012, lecture 6e, with momentum on the scaled gradient (Graves 2013):
 *     v <- rho v + (1 - rho) g^2,    m <- momentum m + g / (sqrt v + epsilon)
 *     w <- w - learning_rate m */
CONSTANTS(rmsprop)
{
    UNUSED(t);
    c[0] = (real)-h[0];
    c[1] = (real)(1 - h[1]);
    c[2] = (real)h[2];
    c[3] = (real)h[3];
    return 0;
}
UPDATE(rmsprop)
{
    UNUSED(form);
    const V rate = c[0], fresh = c[1], momentum = c[2], epsilon = c[3];
    real *v = slot[0], *m = slot[1];
    const V gi = LOAD(g + i), v_old = LOAD(v + i);
    const V vi = FMA(fresh, SUB(MUL(gi, gi), v_old), v_old);
    const V mi = FMA(momentum, LOAD(m + i), quotient(gi, ADD(SQRT(vi), epsilon)));
    STORE(v + i, vi);
    STORE(m + i, mi);
    STORE(w + i, FMA(rate, mi, LOAD(w + i)));
}
OPTIMIZER_STEP(rmsprop, 2)

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

static int adam_family_constants(int64_t t, const double *h, real *c)
{
    UNUSED(t);
    c[0] = (real)(1 - h[BETA1]);
    c[1] = (real)(1 - h[BETA2]);
    c[2] = (real)h[FLOOR];
    c[3] = (real)h[UNBIAS];
    c[4] = (real)-h[MOMENT_RATE];
    c[5] = (real)-h[GRADIENT_RATE];
    c[6] = (real)(1 - h[LEARNING_RATE] * h[EXTRA]);
    return 0;
}

static ALWAYS_INLINE void adam_family(const V *c, real *w, const real *g, real *const *slot,
                                      ptrdiff_t i, const int amsgrad, const int decay,
                                      const int nesterov)
{
    const V b1 = c[0], b2 = c[1], epsilon = c[2], unbias = c[3], rate = c[4], gradient_rate = c[5],
            keep = c[6];
    real *m = slot[0], *v = slot[1];
    const V gi = LOAD(g + i), m_old = LOAD(m + i), v_old = LOAD(v + i);
    const V mi = FMA(b1, SUB(gi, m_old), m_old), vi = FMA(b2, SUB(MUL(gi, gi), v_old), v_old);
    STORE(m + i, mi);
    STORE(v + i, vi);
    V largest = vi, wi = LOAD(w + i);
    if (amsgrad) {
        largest = MAX(LOAD(slot[2] + i), vi);
        STORE(slot[2] + i, largest);
    }
    if (decay) wi = MUL(wi, keep);
    const V scale = FMA(SQRT(largest), unbias, epsilon);
    if (nesterov)
        wi = ADD(wi, quotient(FMA(rate, mi, MUL(gradient_rate, gi)), scale));
    else
        wi = FMA(rate, quotient(mi, scale), wi);
    STORE(w + i, wi);
}

#define adam_constants adam_family_constants
#define amsgrad_constants adam_family_constants
#define adamw_constants adam_family_constants
#define nadam_constants adam_family_constants
UPDATE(adam) { UNUSED(form), adam_family(c, w, g, slot, i, 0, 0, 0); }
UPDATE(amsgrad) { UNUSED(form), adam_family(c, w, g, slot, i, 1, 0, 0); }
UPDATE(adamw) { UNUSED(form), adam_family(c, w, g, slot, i, 0, 1, 0); }
UPDATE(nadam) { UNUSED(form), adam_family(c, w, g, slot, i, 0, 0, 1); }
OPTIMIZER_STEP(adam, 2)
OPTIMIZER_STEP(amsgrad, 3)
OPTIMIZER_STEP(adamw, 2)
OPTIMIZER_STEP(nadam, 2)

/* Rprop (Riedmiller & Braun 1993) in the form without backtracking (Igel & Huesken 2000, iRprop-):
 * a step size for each parameter, times eta_plus while its gradient keeps its sign, times eta_minus
 * and no step when it changes. A gradient that is NaN makes w NaN, as in the other optimizers. */
CONSTANTS(rprop)
{
    for (int k = 0; k < 5; k++) c[k] = (real)h[k];
    return t == 1;
}
UPDATE(rprop)
{
    const int is_first = form;
    const V minus = c[1], plus = c[2], smallest = c[3], largest = c[4];
    real *before = slot[0], *size = slot[1];
    const V old = LOAD(before + i);
    V gi = LOAD(g + i), si = is_first ? c[0] : LOAD(size + i);
    const V agreement = MUL(signum(gi), old); /* g g_before underflows below about 1e-19 */
    const M opposite = LT(agreement, ZERO), equal = LT(ZERO, agreement);
    si = SELECT(equal, MIN(largest, MUL(si, plus)),
                SELECT(opposite, MAX(smallest, MUL(si, minus)), si));
    gi = SELECT(opposite, ZERO, gi);
    STORE(before + i, gi);
    STORE(size + i, si);
    STORE(w + i, SUB(LOAD(w + i), SELECT(EQ(gi, ZERO), ZERO, MUL(signum(gi), si))));
}
OPTIMIZER_STEP(rprop, 2)

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

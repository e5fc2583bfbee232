/* exp, tanh, sigmoid, log, log1p, asinh, the normal distribution, sine and cosine: own polynomials,
 * the same bits on every instruction set. The coefficients come from tests/data/fit_polynomials.py;
 * tests/test_math.py checks the limits in the table. */

#if F64
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define SIGN_BIT UINT64_C(0x8000000000000000)
#define MANTISSA_MASK UINT64_C(0x000FFFFFFFFFFFFF)
#define TWO_TO_MANTISSA 0x1p52
#define LN2_HI 0x1.62e42feep-1 /* 32 bits: k LN2_HI is exact for every exponent k */
#define LN2_LO 0x1.a39ef35793c76p-33
#define EXP_LOW -746.0
#define EXP_HIGH 710.0
#define TANH_HIGH 20.0
#define SMALLEST_NORMAL 0x1p-1022
#define RECIPROCAL_GUESS UINT64_C(0x7FDE623822FC16E6)
#else
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define SIGN_BIT UINT32_C(0x80000000)
#define MANTISSA_MASK UINT32_C(0x007FFFFF)
#define TWO_TO_MANTISSA 0x1p23f
#define LN2_HI 0x1.62e4p-1f /* 15 bits */
#define LN2_LO 0x1.7f7d1cp-20f
#define EXP_LOW -104.0f
#define EXP_HIGH 89.0f
#define TANH_HIGH 10.0f
#define SMALLEST_NORMAL 0x1p-126f
#define RECIPROCAL_GUESS UINT32_C(0x7EF311C7)
#endif
/* Adding 1.5 * 2^mantissa rounds to an integer, which then stands in the low bits of the sum. */
#define ROUNDER ((real)1.5 * TWO_TO_MANTISSA)
#define ZERO SET1(0)
#define ONE SET1(1)

static ALWAYS_INLINE V absolute(V x) { return REAL(AND(BITS(x), ISET1(~SIGN_BIT))); }
static ALWAYS_INLINE V negative(V x) { return MUL(x, SET1(-1)); }

static ALWAYS_INLINE V copy_sign(V magnitude, V sign)
{
    return REAL(OR(AND(BITS(magnitude), ISET1(~SIGN_BIT)), AND(BITS(sign), ISET1(SIGN_BIT))));
}

/* 1, 0 or -1, as x is above, at or below 0. NaN stays NaN. */
static ALWAYS_INLINE V signum(V x)
{
    return SELECT(EQ(x, ZERO), ZERO, SELECT(LT(x, ZERO), SET1(-1), SELECT(LT(ZERO, x), ONE, x)));
}

/* 2^k for a whole number k with a normal result. */
static ALWAYS_INLINE V two_to(V k)
{
    return REAL(SHL(BITS(ADD(k, SET1(ROUNDER + EXPONENT_BIAS))), MANTISSA_BITS));
}

/* a / b for normal b > 0 up to 2^126 (2^1022 in float64), to 2 ulp, without the divider, which
 * would be most of an optimizer's step: a guess at 1/b within 11 %, the bits of b taken from a
 * constant, and some times r <- r (1 + e + e^2) with e = 1 - b r, which leaves e^3 of the error. An
 * infinite b gives NaN. */
static ALWAYS_INLINE V quotient(V a, V b)
{
    V r = REAL(ISUB(ISET1(RECIPROCAL_GUESS), BITS(b)));
    UNROLL
    for (int i = 0; i < (F64 ? 3 : 2); i++) {
        const V e = FMA(negative(b), r, ONE);
        r = FMA(r, FMA(e, e, e), r);
    }
    return MUL(a, r);
}

/* x = k ln 2 + t with |t| <= ln 2 / 2; returns e^t - 1. Cody & Waite's two-part reduction. */
static ALWAYS_INLINE V expm1_reduced(V x, V *k)
{
    *k = SUB(FMA(x, SET1((real)1.4426950408889634), SET1(ROUNDER)), SET1(ROUNDER));
    const V t = FMA(*k, SET1(-LN2_LO), FMA(*k, SET1(-LN2_HI), x));
#if F64
    static const real q[] = {0x1.1e143e94386afp-29,
                             0x1.af70172e7d67ap-26,
                             0x1.27e5d2e5d59bdp-22,
                             0x1.71ddedc0b0679p-19,
                             0x1.a01a0125bbc21p-16,
                             0x1.a01a01b46e9e7p-13,
                             0x1.6c16c16c34685p-10,
                             0x1.111111110e9f9p-7,
                             0x1.55555555554f5p-5,
                             0x1.555555555555cp-3,
                             0x1p-1};
#else
    /* Moved a little from the fit, by trial: the largest error over all floats is 0.990 ulp,
     * not 1.009. */
    static const real q[] = {0x1.69c288p-10f, 0x1.123d62p-7f, 0x1.5558fcp-5f, 0x1.55549ep-3f,
                             0x1p-1f};
#endif
    V p = SET1(q[0]);
    UNROLL
    for (int i = 1; i < (int)(sizeof q / sizeof *q); i++) p = FMA(p, t, SET1(q[i]));
    return FMA(p, MUL(t, t), t);
}

/* The factor 2^k is applied in two steps, so that results near overflow and below the normal range
 * come out right. */
static ALWAYS_INLINE V exp_v(V x)
{
    V k;
    const V p = expm1_reduced(MIN(SET1(EXP_HIGH), MAX(SET1(EXP_LOW), x)), &k);
    const V k1 = SUB(FMA(k, SET1((real)0.5), SET1(ROUNDER)), SET1(ROUNDER));
    const V scale = two_to(k1);
    return MUL(FMA(p, scale, scale), two_to(SUB(k, k1)));
}

/* tanh |x| = e / (e + 2) with e = e^(2|x|) - 1, which loses nothing near 0. */
static ALWAYS_INLINE V tanh_v(V x)
{
    V k;
    const V y = MIN(SET1(TANH_HIGH), absolute(x));
    const V p = expm1_reduced(ADD(y, y), &k);
    const V scale = two_to(k);
    const V e = FMA(scale, p, SUB(scale, ONE));
    return copy_sign(DIV(e, ADD(e, SET1(2))), x);
}

/* 1 / (1 + e^-x): zero where e^-x overflows (x < -88.7 in float32, x < -709.7 in float64). */
static ALWAYS_INLINE V sigmoid_v(V x) { return DIV(ONE, ADD(ONE, exp_v(negative(x)))); }

/* x = 2^k m with m in [sqrt 1/2, sqrt 2); with f = m - 1 and s = f / (2 + f): log m = 2 atanh s,
 * summed as f - (f^2/2 - s (f^2/2 + s^2 P(s^2))), which keeps f exact. The form is that of
 * FreeBSD's msun e_log.c. */
static ALWAYS_INLINE V log_v(V x)
{
    const M tiny = LT(x, SET1(SMALLEST_NORMAL));
    const I bits = BITS(SELECT(tiny, MUL(x, SET1(TWO_TO_MANTISSA)), x));
    V k = SUB(REAL(OR(SHR(bits, MANTISSA_BITS), BITS(SET1(TWO_TO_MANTISSA)))),
              SET1(TWO_TO_MANTISSA + EXPONENT_BIAS));
    k = SELECT(tiny, SUB(k, SET1(MANTISSA_BITS)), k);
    V m = REAL(OR(AND(bits, ISET1(MANTISSA_MASK)), BITS(ONE)));
    const M upper = LT(SET1((real)1.4142135623730951), m);
    m = SELECT(upper, MUL(m, SET1((real)0.5)), m);
    k = SELECT(upper, ADD(k, ONE), k);
#if F64
    static const real c[] = {0x1.2f15b8bceb602p-3, 0x1.39a02f2cb1086p-3, 0x1.74664d73f54dcp-3,
                             0x1.c71c51c6788b7p-3, 0x1.249249423e470p-2, 0x1.999999997f8a8p-2,
                             0x1.5555555555593p-1};
#else
    static const real c[] = {0x1.e3053ep-3f, 0x1.24387ap-2f, 0x1.999a7cp-2f, 0x1.555554p-1f};
#endif
    const V f = SUB(m, ONE), s = DIV(f, ADD(SET1(2), f)), z = MUL(s, s),
            half = MUL(MUL(f, f), SET1((real)0.5));
    V p = SET1(c[0]);
    UNROLL
    for (int i = 1; i < (int)(sizeof c / sizeof *c); i++) p = FMA(p, z, SET1(c[i]));
    const V correction = FMA(s, FMA(z, p, half), MUL(k, SET1(LN2_LO)));
    const V finite = FMA(k, SET1(LN2_HI), SUB(f, SUB(half, correction)));
    V y = SELECT(LT(x, SET1((real)INFINITY)), finite, x); /* +inf and NaN pass through */
    y = SELECT(EQ(x, ZERO), SET1(-(real)INFINITY), y);
    return SELECT(LT(x, ZERO), SET1((real)NAN), y);
}

/* log(1 + x) = log w + (1 + x - w) / w with w = 1 + x as rounded; the difference is exact. */
static ALWAYS_INLINE V log1p_v(V x)
{
    const V w = ADD(ONE, x);
    const V lost = SELECT(LT(x, ONE), SUB(x, SUB(w, ONE)), SUB(ONE, SUB(w, x)));
    V y = ADD(log_v(w), DIV(lost, w));
    y = SELECT(EQ(w, ZERO), SET1(-(real)INFINITY), y);     /* lost / 0 is NaN */
    y = SELECT(LT(w, SET1((real)INFINITY)), y, ADD(w, w)); /* so is inf - inf; NaN passes through */
    return SELECT(EQ(x, ZERO), x, SELECT(LT(w, ZERO), SET1((real)NAN), y)); /* log1p(-0) is -0 */
}

/* asinh |x| = log1p(|x| + x^2 / (1 + sqrt(1 + x^2))), which loses nothing near 0; from 2^28 on,
 * where sqrt(1 + x^2) is |x|, log |x| + log 2. */
static ALWAYS_INLINE V asinh_v(V x)
{
    const V size = absolute(x), square = MUL(size, size);
    const V inner = log1p_v(ADD(size, DIV(square, ADD(ONE, SQRT(ADD(ONE, square))))));
    const V outer = ADD(log_v(size), SET1((real)0.6931471805599453));
    return copy_sign(SELECT(LT(size, SET1((real)0x1p28)), inner, outer), x);
}

/* e^x - 1 for x <= 0, where it loses nothing near 0; x is cut off where the result is -1. */
static ALWAYS_INLINE V expm1_negative(V x)
{
    V k;
    const V p = expm1_reduced(MAX(SET1(-2 * TANH_HIGH), x), &k);
    const V scale = two_to(k);
    return FMA(scale, p, SUB(scale, ONE));
}

/* e^(-x^2/2), with the square in two parts so that its rounding is not magnified. */
static ALWAYS_INLINE V exp_half_square(V x)
{
    const V square = MUL(x, x);
    const V lost = FMA(x, x, negative(square));
    const V e = exp_v(MUL(square, SET1((real)-0.5)));
    return SELECT(EQ(e, ZERO), ZERO, FMA(MUL(e, lost), SET1((real)-0.5), e));
}

/* Phi(x), the standard normal distribution: Phi(-|x|) = e^(-x^2/2) Q(s) / (1 + 3/4 |x|) with s =
 * (|x| - k) / (|x| + k), after Shepherd & Laframboise 1981; Phi(|x|) = 1 - Phi(-|x|). `bell` is
 * e^(-x^2/2). With 3/4, near sqrt(2/pi), Q is nearly flat at 0 and does not magnify the rounding of
 * s. */
static ALWAYS_INLINE V normal_cdf_from(V x, V bell)
{
#if F64
    static const real q[] = {-0x1.a2160f7fe9b82p-31, -0x1.8ccb0fd91fc6cp-29, 0x1.0b408652ef9a5p-28,
                             0x1.b060c17f99d3dp-26,  -0x1.ceb49f55b40fcp-26, -0x1.558585c190275p-23,
                             0x1.3e7d564aa2031p-22,  0x1.b74ebb6a4f945p-21,  -0x1.b22a113dcea72p-19,
                             -0x1.0f1dbab317696p-20, 0x1.d3f2b5f29c84ep-16,  -0x1.ee441970c3f98p-15,
                             -0x1.38eb931c63490p-14, 0x1.adba3c331c979p-11,  -0x1.714612db35b72p-9,
                             0x1.9e7f3ca4db04bp-8,   -0x1.4cbc41448712ap-7,  0x1.615dffaeefb49p-7,
                             -0x1.6a9e32e763633p-9,  -0x1.34e4e7292b109p-6,  0x1.c19df64641944p-5,
                             -0x1.973150e3fa682p-4,  0x1.712890b82f355p-2};
    const V centre = SET1(5.5);
#else
    static const real q[] = {-0x1.b68726p-15f, -0x1.f900d4p-15f, 0x1.f32466p-12f, -0x1.10fd5cp-14f,
                             -0x1.db619ap-9f,  0x1.734dccp-7f,   -0x1.0d37c8p-6f, 0x1.cdcba0p-9f,
                             0x1.54be04p-5f,   -0x1.d78f72p-4f,  0x1.82b4bcp-2f};
    const V centre = SET1(4);
#endif
    /* Beyond 40 the bell is 0; without the cut-off inf / inf would be NaN. */
    const V size = MIN(SET1(40), absolute(x)), s = DIV(SUB(size, centre), ADD(size, centre));
    V p = SET1(q[0]);
    UNROLL
    for (int i = 1; i < (int)(sizeof q / sizeof *q); i++) p = FMA(p, s, SET1(q[i]));
    const V tail = DIV(MUL(bell, p), FMA(SET1((real)0.75), size, ONE));
    return SELECT(LT(x, ZERO), tail, SUB(ONE, tail));
}

static ALWAYS_INLINE V normal_cdf_v(V x) { return normal_cdf_from(x, exp_half_square(x)); }

/* sin(2 pi r) for |r| <= 1/4. */
static ALWAYS_INLINE V sin_quarter(V r)
{
#if F64
    static const real c[] = {0x1.9d3315b04459ap-4,  -0x1.6f7a44e3868fep-1, 0x1.e8f36467726b0p+1,
                             -0x1.e3074df33fbebp+3, 0x1.5078348549455p+5,  -0x1.32d2cce627cb6p+6,
                             0x1.466bc6775aa81p+6,  -0x1.4abbce625be52p+5, 0x1.1a62633145c07p-52};
#else
    static const real c[] = {-0x1.cc9442p+3f, 0x1.501430p+5f,  -0x1.32d134p+6f,
                             0x1.466bc0p+6f,  -0x1.4abbcep+5f, -0x1.777a5cp-23f};
#endif
    const V z = MUL(r, r);
    V p = SET1(c[0]); /* the last of c is what the rounded 2 pi lacks */
    UNROLL
    for (int i = 1; i < (int)(sizeof c / sizeof *c); i++) p = FMA(p, z, SET1(c[i]));
    return FMA(r, SET1((real)6.283185307179586), MUL(r, p));
}

/* x minus the nearest whole number: exact, in [-1/2, 1/2], for x of any size. NaN for infinity. */
static ALWAYS_INLINE V turn_of(V x)
{
    const V size = absolute(x), big = SET1(TWO_TO_MANTISSA);
    return SUB(x, copy_sign(SELECT(LT(size, big), SUB(ADD(size, big), big), size), x));
}

/* cos(2 pi r) and sin(2 pi r) for |r| <= 1/2. */
static ALWAYS_INLINE V cos_of_turn(V r) { return sin_quarter(SUB(SET1((real)0.25), absolute(r))); }
static ALWAYS_INLINE V sin_of_turn(V r)
{
    const V y = absolute(r);
    return copy_sign(sin_quarter(SELECT(LT(SET1((real)0.25), y), SUB(SET1((real)0.5), y), y)), r);
}

static ALWAYS_INLINE V cos_turns_v(V x) { return cos_of_turn(turn_of(x)); }
static ALWAYS_INLINE V sin_turns_v(V x)
{
    const V r = turn_of(x);
    return SELECT(EQ(r, ZERO), copy_sign(ZERO, x), sin_of_turn(r)); /* odd at whole turns too */
}

#define MAP(name)                                                                                  \
    static void name##_map(ptrdiff_t n, const void *x, void *y)                                    \
    {                                                                                              \
        for (ptrdiff_t i = 0; i < n; i += LANES)                                                   \
            STORE((real *)y + i, name##_v(LOAD((const real *)x + i)));                             \
    }
MAP(exp)
MAP(tanh)
MAP(sigmoid)
MAP(log)
MAP(log1p)
MAP(asinh)
MAP(normal_cdf)
MAP(cos_turns)
MAP(sin_turns)
#undef MAP

static const function FUNCTIONS[] = {
    {"exp", 1, exp_map},
    {"tanh", 3, tanh_map},
    {"sigmoid", 3, sigmoid_map},
    {"log", 1, log_map},
    {"log1p", 2, log1p_map},
    {"asinh", 3, asinh_map},
    {"normal_cdf", 5, normal_cdf_map},
    {"cos_turns", 3, cos_turns_map},
    {"sin_turns", 3, sin_turns_map},
    {0},
};

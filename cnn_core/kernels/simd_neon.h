/* The vector vocabulary (simd_generic.h lists the words) in NEON, the baseline of 64-bit ARM: a
 * quarter of a panel a vector. MAX and MIN are spelled as comparisons, because vmax and vmin treat
 * NaN differently from x86. */
#include <arm_neon.h>

#include "kernels.h"
#include "philox.h"
#include "target.h"

#define BEGIN_TARGET
#define END_TARGET
#define TILE_VECTORS 24

#if F64
typedef double real;
#define V float64x2_t
#define I uint64x2_t
#define LANES 2
#define OP(name) v##name##q_f64
#define INT(name) v##name##q_u64
#define BITS(x) vreinterpretq_u64_f64(x)
#define REAL(i) vreinterpretq_f64_u64(i)
#define FOLD(F, x) (x = F(x, vextq_f64(x, x, 1)))
#define TRANSPOSE(src, src_ld, dst, dst_ld)                                                        \
    do {                                                                                           \
        const V r0 = LOAD(src), r1 = LOAD((src) + (src_ld));                                       \
        STORE((dst), vzip1q_f64(r0, r1));                                                          \
        STORE((dst) + (dst_ld), vzip2q_f64(r0, r1));                                               \
    } while (0)
#else
typedef float real;
#define V float32x4_t
#define I uint32x4_t
#define LANES 4
#define OP(name) v##name##q_f32
#define INT(name) v##name##q_u32
#define BITS(x) vreinterpretq_u32_f32(x)
#define REAL(i) vreinterpretq_f32_u32(i)
#define FOLD(F, x) (x = F(x, vextq_f32(x, x, 2)), x = F(x, vrev64q_f32(x)))
#define TRANSPOSE(src, src_ld, dst, dst_ld)                                                        \
    do {                                                                                           \
        const V r0 = LOAD(src), r1 = LOAD((src) + (src_ld)), r2 = LOAD((src) + 2 * (src_ld)),      \
                r3 = LOAD((src) + 3 * (src_ld));                                                   \
        const float32x4x2_t t = vzipq_f32(r0, r2), u = vzipq_f32(r1, r3);                          \
        const float32x4x2_t lo = vzipq_f32(t.val[0], u.val[0]),                                    \
                            hi = vzipq_f32(t.val[1], u.val[1]);                                    \
        STORE((dst), lo.val[0]);                                                                   \
        STORE((dst) + (dst_ld), lo.val[1]);                                                        \
        STORE((dst) + 2 * (dst_ld), hi.val[0]);                                                    \
        STORE((dst) + 3 * (dst_ld), hi.val[1]);                                                    \
    } while (0)
#endif
#define M I

#define LOAD(p) OP(ld1)(p)
#define STORE(p, x) OP(st1)(p, x)
#define SET1(s) OP(dup_n)((real)(s))
#define LANE0(x) OP(getfirst)(x)
#define vgetfirstq_f32(x) vgetq_lane_f32(x, 0)
#define vgetfirstq_f64(x) vgetq_lane_f64(x, 0)
#define ADD(a, b) OP(add)(a, b)
#define SUB(a, b) OP(sub)(a, b)
#define MUL(a, b) OP(mul)(a, b)
#define DIV(a, b) OP(div)(a, b)
#define SQRT(x) OP(sqrt)(x)
#define FMA(a, b, c) OP(fma)(c, a, b)
#define LT(a, b) OP(clt)(a, b)
#define LE(a, b) OP(cle)(a, b)
#define EQ(a, b) OP(ceq)(a, b)
#define SELECT(m, a, b) OP(bsl)(m, a, b)
static inline V MAX(V a, V b) { return SELECT(LT(b, a), a, b); }
static inline V MIN(V a, V b) { return SELECT(LT(a, b), a, b); }
#define ISET1(i) INT(dup_n)(i)
#define vdup_nq_f32 vdupq_n_f32
#define vdup_nq_f64 vdupq_n_f64
#define vdup_nq_u32(i) vdupq_n_u32((uint32_t)(i))
#define vdup_nq_u64(i) vdupq_n_u64((uint64_t)(i))
#define ISUB(a, b) INT(sub)(a, b)
#define AND(a, b) INT (and)(a, b)
#define OR(a, b) INT(orr)(a, b)
#define SHL(a, n) INT(shl_n)(a, n)
#define SHR(a, n) INT(shr_n)(a, n)
#define vshl_nq_u32 vshlq_n_u32
#define vshl_nq_u64 vshlq_n_u64
#define vshr_nq_u32 vshrq_n_u32
#define vshr_nq_u64 vshrq_n_u64

#define W uint64x2_t
#define WORDS 2
#define WLOAD(p) vld1q_u64(p)
#define WSTORE(p, x) vst1q_u64(p, x)
#define WSET1(i) vdupq_n_u64((uint64_t)(i))
#define WADD(a, b) vaddq_u64(a, b)
#define WXOR(a, b) veorq_u64(a, b)
#define WHIGH(a) vshrq_n_u64(a, 32)
#define WMUL(a, b) vmull_u32(vmovn_u64(a), vmovn_u64(b))

/* The vector vocabulary (simd_generic.h lists the words) in AVX2 and FMA: half a panel a vector. */
#include <immintrin.h>

#include "kernels.h"
#include "philox.h"
#include "target.h"

#define BEGIN_TARGET TARGET_BEGIN("avx2,fma")
#define END_TARGET TARGET_END
#define TILE_VECTORS 12

#if F64
typedef double real;
#define V __m256d
#define LANES 4
#define OP(name) _mm256_##name##_pd
#define INT(name) _mm256_##name##_epi64
#define ISET1(i) _mm256_set1_epi64x((long long)(i))
#define BITS(x) _mm256_castpd_si256(x)
#define REAL(i) _mm256_castsi256_pd(i)
#define LANE0(x) _mm256_cvtsd_f64(x)
#define FOLD(F, x) (x = F(x, _mm256_permute2f128_pd(x, x, 1)), x = F(x, _mm256_permute_pd(x, 5)))
#define TRANSPOSE(src, src_ld, dst, dst_ld)                                                        \
    do {                                                                                           \
        const V r0 = LOAD(src), r1 = LOAD((src) + (src_ld)), r2 = LOAD((src) + 2 * (src_ld)),      \
                r3 = LOAD((src) + 3 * (src_ld));                                                   \
        const V t0 = OP(unpacklo)(r0, r1), t1 = OP(unpackhi)(r0, r1);                              \
        const V t2 = OP(unpacklo)(r2, r3), t3 = OP(unpackhi)(r2, r3);                              \
        STORE((dst), _mm256_permute2f128_pd(t0, t2, 0x20));                                        \
        STORE((dst) + (dst_ld), _mm256_permute2f128_pd(t1, t3, 0x20));                             \
        STORE((dst) + 2 * (dst_ld), _mm256_permute2f128_pd(t0, t2, 0x31));                         \
        STORE((dst) + 3 * (dst_ld), _mm256_permute2f128_pd(t1, t3, 0x31));                         \
    } while (0)
#else
typedef float real;
#define V __m256
#define LANES 8
#define OP(name) _mm256_##name##_ps
#define INT(name) _mm256_##name##_epi32
#define ISET1(i) _mm256_set1_epi32((int)(i))
#define BITS(x) _mm256_castps_si256(x)
#define REAL(i) _mm256_castsi256_ps(i)
#define LANE0(x) _mm256_cvtss_f32(x)
#define FOLD(F, x)                                                                                 \
    (x = F(x, _mm256_permute2f128_ps(x, x, 1)), x = F(x, _mm256_permute_ps(x, 0x4E)),              \
     x = F(x, _mm256_permute_ps(x, 0xB1)))
#define TRANSPOSE(src, src_ld, dst, dst_ld)                                                        \
    do {                                                                                           \
        V r[8], t[8];                                                                              \
        UNROLL                                                                                     \
        for (int i = 0; i < 8; i++) r[i] = LOAD((src) + i * (src_ld));                             \
        UNROLL                                                                                     \
        for (int i = 0; i < 8; i += 2) {                                                           \
            t[i] = OP(unpacklo)(r[i], r[i + 1]);                                                   \
            t[i + 1] = OP(unpackhi)(r[i], r[i + 1]);                                               \
        }                                                                                          \
        UNROLL                                                                                     \
        for (int i = 0; i < 8; i += 4) {                                                           \
            r[i] = OP(shuffle)(t[i], t[i + 2], 0x44);                                              \
            r[i + 1] = OP(shuffle)(t[i], t[i + 2], 0xEE);                                          \
            r[i + 2] = OP(shuffle)(t[i + 1], t[i + 3], 0x44);                                      \
            r[i + 3] = OP(shuffle)(t[i + 1], t[i + 3], 0xEE);                                      \
        }                                                                                          \
        UNROLL                                                                                     \
        for (int i = 0; i < 4; i++) {                                                              \
            STORE((dst) + i * (dst_ld), _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));             \
            STORE((dst) + (i + 4) * (dst_ld), _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));       \
        }                                                                                          \
    } while (0)
#endif
#define I __m256i
#define M V

#define LOAD(p) OP(loadu)(p)
#define STORE(p, x) OP(storeu)(p, x)
#define SET1(s) OP(set1)((real)(s))
#define ADD(a, b) OP(add)(a, b)
#define SUB(a, b) OP(sub)(a, b)
#define MUL(a, b) OP(mul)(a, b)
#define DIV(a, b) OP(div)(a, b)
#define SQRT(x) OP(sqrt)(x)
#define FMA(a, b, c) OP(fmadd)(a, b, c)
#define MAX(a, b) OP(max)(a, b)
#define MIN(a, b) OP(min)(a, b)
#define LT(a, b) OP(cmp)(a, b, _CMP_LT_OQ)
#define LE(a, b) OP(cmp)(a, b, _CMP_LE_OQ)
#define EQ(a, b) OP(cmp)(a, b, _CMP_EQ_OQ)
#define SELECT(m, a, b) OP(blendv)(b, a, m)
#define ISUB(a, b) INT(sub)(a, b)
#define AND(a, b) _mm256_and_si256(a, b)
#define OR(a, b) _mm256_or_si256(a, b)
#define SHL(a, n) INT(slli)(a, n)
#define SHR(a, n) INT(srli)(a, n)

#define W __m256i
#define WORDS 4
#define WLOAD(p) _mm256_loadu_si256((const W *)(p))
#define WSTORE(p, x) _mm256_storeu_si256((W *)(p), x)
#define WSET1(i) _mm256_set1_epi64x((long long)(i))
#define WADD(a, b) _mm256_add_epi64(a, b)
#define WXOR(a, b) _mm256_xor_si256(a, b)
#define WHIGH(a) _mm256_srli_epi64(a, 32)
#define WMUL(a, b) _mm256_mul_epu32(a, b)

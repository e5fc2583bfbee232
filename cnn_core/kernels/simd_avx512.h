/* The vector vocabulary (simd_generic.h lists the words) in AVX-512 F, DQ, BW and VL: one panel a
 * vector. */
#include <immintrin.h>

#include "kernels.h"
#include "philox.h"
#include "target.h"

#define BEGIN_TARGET TARGET_BEGIN("avx512f,avx512dq,avx512bw,avx512vl,fma")
#define END_TARGET TARGET_END
#define TILE_VECTORS 24

#if F64
typedef double real;
#define V __m512d
#define M __mmask8
#define LANES 8
#define OP(name) _mm512_##name##_pd
#define MASK(name) _mm512_##name##_pd_mask
#define INT(name) _mm512_##name##_epi64
#define ISET1(i) _mm512_set1_epi64((long long)(i))
#define BITS(x) _mm512_castpd_si512(x)
#define REAL(i) _mm512_castsi512_pd(i)
#define LANE0(x) _mm512_cvtsd_f64(x)
#define FOLD(F, x)                                                                                 \
    (x = F(x, _mm512_shuffle_f64x2(x, x, 0x4E)), x = F(x, _mm512_shuffle_f64x2(x, x, 0xB1)),       \
     x = F(x, _mm512_permute_pd(x, 0x55)))
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
            UNROLL                                                                                 \
            for (int j = 0; j < 2; j++) {                                                          \
                r[i + j] = _mm512_shuffle_f64x2(t[i + j], t[i + j + 2], 0x88);                     \
                r[i + j + 2] = _mm512_shuffle_f64x2(t[i + j], t[i + j + 2], 0xDD);                 \
            }                                                                                      \
        }                                                                                          \
        UNROLL                                                                                     \
        for (int i = 0; i < 4; i++) {                                                              \
            STORE((dst) + i * (dst_ld), _mm512_shuffle_f64x2(r[i], r[i + 4], 0x88));               \
            STORE((dst) + (i + 4) * (dst_ld), _mm512_shuffle_f64x2(r[i], r[i + 4], 0xDD));         \
        }                                                                                          \
    } while (0)
#else
typedef float real;
#define V __m512
#define M __mmask16
#define LANES 16
#define OP(name) _mm512_##name##_ps
#define MASK(name) _mm512_##name##_ps_mask
#define INT(name) _mm512_##name##_epi32
#define ISET1(i) _mm512_set1_epi32((int)(i))
#define BITS(x) _mm512_castps_si512(x)
#define REAL(i) _mm512_castsi512_ps(i)
#define LANE0(x) _mm512_cvtss_f32(x)
#define FOLD(F, x)                                                                                 \
    (x = F(x, _mm512_shuffle_f32x4(x, x, 0x4E)), x = F(x, _mm512_shuffle_f32x4(x, x, 0xB1)),       \
     x = F(x, _mm512_permute_ps(x, 0x4E)), x = F(x, _mm512_permute_ps(x, 0xB1)))
#define TRANSPOSE(src, src_ld, dst, dst_ld)                                                        \
    do {                                                                                           \
        V r[16], t[16];                                                                            \
        UNROLL                                                                                     \
        for (int i = 0; i < 16; i++) r[i] = LOAD((src) + i * (src_ld));                            \
        UNROLL                                                                                     \
        for (int i = 0; i < 16; i += 2) {                                                          \
            t[i] = OP(unpacklo)(r[i], r[i + 1]);                                                   \
            t[i + 1] = OP(unpackhi)(r[i], r[i + 1]);                                               \
        }                                                                                          \
        UNROLL                                                                                     \
        for (int i = 0; i < 16; i += 4) {                                                          \
            r[i] = OP(shuffle)(t[i], t[i + 2], 0x44);                                              \
            r[i + 1] = OP(shuffle)(t[i], t[i + 2], 0xEE);                                          \
            r[i + 2] = OP(shuffle)(t[i + 1], t[i + 3], 0x44);                                      \
            r[i + 3] = OP(shuffle)(t[i + 1], t[i + 3], 0xEE);                                      \
        }                                                                                          \
        UNROLL                                                                                     \
        for (int i = 0; i < 16; i += 8) {                                                          \
            UNROLL                                                                                 \
            for (int j = 0; j < 4; j++) {                                                          \
                t[i + j] = _mm512_shuffle_f32x4(r[i + j], r[i + j + 4], 0x88);                     \
                t[i + j + 4] = _mm512_shuffle_f32x4(r[i + j], r[i + j + 4], 0xDD);                 \
            }                                                                                      \
        }                                                                                          \
        UNROLL                                                                                     \
        for (int i = 0; i < 8; i++) {                                                              \
            STORE((dst) + i * (dst_ld), _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88));               \
            STORE((dst) + (i + 8) * (dst_ld), _mm512_shuffle_f32x4(t[i], t[i + 8], 0xDD));         \
        }                                                                                          \
    } while (0)
#endif
#define I __m512i

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
#define LT(a, b) MASK(cmp)(a, b, _CMP_LT_OQ)
#define LE(a, b) MASK(cmp)(a, b, _CMP_LE_OQ)
#define EQ(a, b) MASK(cmp)(a, b, _CMP_EQ_OQ)
#define SELECT(m, a, b) OP(mask_blend)(m, b, a)
#define ISUB(a, b) INT(sub)(a, b)
#define AND(a, b) _mm512_and_si512(a, b)
#define OR(a, b) _mm512_or_si512(a, b)
#define SHL(a, n) INT(slli)(a, n)
#define SHR(a, n) INT(srli)(a, n)

#define W __m512i
#define WORDS 8
#define WLOAD(p) _mm512_loadu_si512((const W *)(p))
#define WSTORE(p, x) _mm512_storeu_si512((W *)(p), x)
#define WSET1(i) _mm512_set1_epi64((long long)(i))
#define WADD(a, b) _mm512_add_epi64(a, b)
#define WXOR(a, b) _mm512_xor_si512(a, b)
#define WHIGH(a) _mm512_srli_epi64(a, 32)
#define WMUL(a, b) _mm512_mul_epu32(a, b)

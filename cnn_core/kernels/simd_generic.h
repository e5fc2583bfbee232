/* The vector vocabulary, one lane wide: plain C. The oracle, and the path of last resort.
 *
 * Every instruction set spells these words for float32 and float64 (F64 says which):
 *   V M I LANES             a vector, a mask, the same bits as unsigned integers; lanes of a vector
 *   LOAD STORE              memory of any alignment
 *   SET1 LANE0              one value in all lanes; the first lane
 *   ADD SUB MUL DIV SQRT    correctly rounded
 *   FMA(a, b, c)            a b + c with one rounding
 *   MAX MIN                 a > b ? a : b and a < b ? a : b: a NaN in either gives b, and of +0 and
 *                           -0 either may come
 *   LT LE EQ SELECT         ordered comparisons; SELECT(m, a, b) = m ? a : b
 *   BITS REAL               reinterpret
 *   ISET1 ISUB AND OR SHL SHR    integer work on the bits
 *   FOLD(OP, x)             lane 0 becomes OP over all lanes: halves, then quarters, ... (x is an
 *                           lvalue)
 *   TRANSPOSE(src, src_ld, dst, dst_ld)    one block of LANES x LANES
 *   W WORDS                 a vector of 64-bit words, whatever F64 says, and how many they are
 *   WLOAD WSTORE WSET1 WADD WXOR    the same for words
 *   WHIGH WMUL              a >> 32; the product of the low halves
 *   TILE_VECTORS            accumulators of the matmul tile, in vectors, that fit the registers
 *   BEGIN_TARGET END_TARGET the region in which the instruction set may be used  */
#include <string.h>

#include "kernels.h"
#include "philox.h"
#include "target.h"

#undef UNROLL
#define UNROLL /* one lane at a time is slow enough to keep its loops */
#define BEGIN_TARGET
#define END_TARGET
#define LANES 1
#define TILE_VECTORS (PANEL_BYTES / (ptrdiff_t)sizeof(real))

#if F64
typedef double real;
typedef uint64_t I;
#define SQRT(x) sqrt(x)
#define FMA(a, b, c) fma(a, b, c)
#else
typedef float real;
typedef uint32_t I;
#define SQRT(x) sqrtf(x)
#define FMA(a, b, c) fmaf(a, b, c)
#endif
typedef real V;
typedef int M;

static inline I BITS(V x)
{
    I i;
    memcpy(&i, &x, sizeof i);
    return i;
}
static inline V REAL(I i)
{
    V x;
    memcpy(&x, &i, sizeof x);
    return x;
}

#define LOAD(p) (*(p))
#define STORE(p, x) (*(p) = (x))
#define SET1(s) ((V)(s))
#define LANE0(x) (x)
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define DIV(a, b) ((a) / (b))
static inline V MAX(V a, V b) { return a > b ? a : b; }
static inline V MIN(V a, V b) { return a < b ? a : b; }
#define LT(a, b) ((a) < (b))
#define LE(a, b) ((a) <= (b))
#define EQ(a, b) ((a) == (b))
#define SELECT(m, a, b) ((m) ? (a) : (b))
#define ISET1(i) ((I)(i))
#define ISUB(a, b) ((a) - (b))
#define AND(a, b) ((a) & (b))
#define OR(a, b) ((a) | (b))
#define SHL(a, n) ((a) << (n))
#define SHR(a, n) ((a) >> (n))
#define FOLD(OP, x)
#define TRANSPOSE(src, src_ld, dst, dst_ld) (*(dst) = *(src))

typedef uint64_t W;
#define WORDS 1
#define WLOAD(p) (*(p))
#define WSTORE(p, x) (*(p) = (x))
#define WSET1(i) ((W)(i))
#define WADD(a, b) ((a) + (b))
#define WXOR(a, b) ((a) ^ (b))
#define WHIGH(a) ((a) >> 32)
#define WMUL(a, b) ((W)(uint32_t)(a) * (uint32_t)(b))

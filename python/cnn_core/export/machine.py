"""What headers say to compilers and processors before any function."""

from __future__ import annotations

from string import Template

_START = Template("""\
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || \\
    defined(__NO_SIGNED_ZEROS__)
#error "$name gives its numbers to the bit: compile it without -ffast-math and what is part of it"
#endif
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "$name takes NaN for what is missing: compile it without -ffinite-math-only"
#endif
#if FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 2 || FLT_EVAL_METHOD < 0
#error "$name gives its numbers to the bit: on 32-bit x86 compile it with -msse2 -mfpmath=sse"
#endif
#if !defined(${NAME}_KEEP_SUBNORMALS)
#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#define ${NAME}_FLUSHES 1
#elif defined(__GNUC__) && (defined(__aarch64__) || (defined(__arm__) && defined(__ARM_FP)))
#define ${NAME}_FLUSHES 1
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* No sum may take in the product before it unless a function below says so. */
#if defined(__clang__)
#pragma float_control(push)
#pragma float_control(precise, on)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif
""")

_END = Template("""\
#if defined(__clang__)
#pragma float_control(pop)
#pragma STDC FP_CONTRACT DEFAULT
#elif defined(__GNUC__)
#pragma GCC pop_options
#elif defined(_MSC_VER)
#pragma fp_contract(on)
#endif

#ifdef __cplusplus
}
#endif
""")

_MODE = Template("""\
/* Has the processor take subnormal numbers for 0 ($flush = 1, in the layers) or count them (0, in
 * scaling), and round to nearest; returns what ${name}_restore brings back. */
static inline uint64_t ${name}_mode(int flush)
{
#if !defined(${NAME}_FLUSHES)
    (void)flush;
    return 0;
#elif defined(__SSE2__) || defined(_M_X64)
    const unsigned before = _mm_getcsr();
    _mm_setcsr(flush ? 0x9FC0u : 0x1F80u);
    return before;
#elif defined(__aarch64__)
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before) : : "memory");
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)(flush != 0) << 24) : "memory");
    return before;
#else
    uint32_t before;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(before) : : "memory");
    const uint32_t after = (before & ~UINT32_C(0x03C00000)) | (uint32_t)(flush != 0) << 24;
    __asm__ volatile("vmsr fpscr, %0" : : "r"(after) : "memory");
    return before;
#endif
}

static inline void ${name}_restore(uint64_t before)
{
#if !defined(${NAME}_FLUSHES)
    (void)before;
#elif defined(__SSE2__) || defined(_M_X64)
    _mm_setcsr((unsigned)before);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(before) : "memory");
#else
    __asm__ volatile("vmsr fpscr, %0" : : "r"((uint32_t)before) : "memory");
#endif
}

/* No compiler moves the work of such a function to before or after a change of the mode. */
#if defined(__clang__)
#define ${NAME}_APART static __attribute__((noinline, unused))
#elif defined(__GNUC__) && __GNUC__ >= 8
#define ${NAME}_APART static __attribute__((noipa, unused))
#elif defined(__GNUC__)
#define ${NAME}_APART static __attribute__((noinline, noclone, unused))
#elif defined(_MSC_VER)
#define ${NAME}_APART static __declspec(noinline)
#else
#define ${NAME}_APART static
#endif
/* x86-64 for which no instruction set is named: layers are compiled once more, with fused
 * multiply-add, for processors that have it; elsewhere a function of the C library computes it.
 * Linkers other than GCC's do not have its table of features filled before main. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__FMA__) && !defined(${NAME}_NO_FMA)
#define ${NAME}_WITH_FMA __attribute__((target("avx2,fma")))
#define ${NAME}_HAS_FMA                                                                         \\
    (__builtin_cpu_init(), __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#define ${NAME}_INLINE static inline __attribute__((always_inline))
#else
#define ${NAME}_INLINE static inline
#endif
#if defined(__GNUC__) || defined(_MSC_VER)
#define ${NAME}_RESTRICT __restrict
#else
#define ${NAME}_RESTRICT
#endif
""")

_FMA = Template("""\
/* a b + c, rounded once; with ${NAME}_NO_FMA twice. */
${NAME}_INLINE $real ${prefix}fma($real a, $real b, $real c)
{
#if defined(${NAME}_NO_FMA)
    return a * b + c;
#else
    return $fma(a, b, c);
#endif
}
""")


def start(name: str) -> str:
    """From the first include on."""
    return _START.substitute(name=name, NAME=name.upper())


def end(name: str) -> str:
    """What `start` has begun is over."""
    return _END.substitute(name=name)


def mode(name: str) -> str:
    """How subnormal numbers are treated."""
    return _MODE.substitute(name=name, NAME=name.upper(), flush="flush")


def fused(name: str, prefix: str, f64: bool) -> str:
    """The fused multiply-add."""
    real, fma = ("double", "fma") if f64 else ("float", "fmaf")
    return _FMA.substitute(NAME=name.upper(), prefix=prefix, real=real, fma=fma)


def apart(prefix: str, function: str, parameters: str, given: str, body: str) -> str:
    """A function whose work no compiler moves past a change of the mode, with a copy for x86-64
    that has fused multiply-add; `prefix` is the header's in capitals."""
    return f"""\
{prefix}_INLINE void {function}_of({parameters})
{{
{body}
}}

#if defined({prefix}_WITH_FMA)
{prefix}_APART {prefix}_WITH_FMA void {function}_with_fma({parameters})
{{
    {function}_of({given});
}}
#endif

{prefix}_APART void {function}({parameters})
{{
#if defined({prefix}_WITH_FMA)
    if ({prefix}_HAS_FMA) {{
        {function}_with_fma({given});
        return;
    }}
#endif
    {function}_of({given});
}}
"""

/* Which instruction sets this library was built with, and which of them this processor and its
 * operating system run. */
#include "kernels.h"
#include "target.h"

#ifdef CNN_CORE_X86
/* Asked for by the instruction: what compilers offer for it is empty where another linker than
 * their own has left out the table. */
#if defined(_MSC_VER) && !defined(__clang__)
#include <immintrin.h>
#include <intrin.h>
static void ask(int leaf, int part, unsigned registers[4])
{
    __cpuidex((int *)registers, leaf, part);
}
static unsigned saved_registers(void) { return (unsigned)_xgetbv(0); }
#else
#include <cpuid.h>
static void ask(int leaf, int part, unsigned registers[4])
{
    __cpuid_count(leaf, part, registers[0], registers[1], registers[2], registers[3]);
}
static unsigned saved_registers(void)
{
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (void)high, low;
}
#endif
/* CPUID leaves 1 and 7, and XGETBV for the registers the operating system saves. */
static int has(unsigned leaf1_ecx, unsigned leaf7_ebx, unsigned saved)
{
    const unsigned osxsave = 1u << 27;
    unsigned info[4];
    ask(0, 0, info);
    if (info[0] < 7) return 0;
    ask(1, 0, info);
    if ((info[2] & (leaf1_ecx | osxsave)) != (leaf1_ecx | osxsave)) return 0;
    if ((saved_registers() & saved) != saved) return 0;
    ask(7, 0, info);
    return (info[1] & leaf7_ebx) == leaf7_ebx;
}
static int has_avx2(void) { return has(1u << 12, 1u << 5, 0x06); }
static int has_avx512(void)
{
    return has(1u << 12, (1u << 5) | (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31), 0xE6);
}
extern const kernels cnn_core_avx2_f32, cnn_core_avx2_f64, cnn_core_avx512_f32, cnn_core_avx512_f64;
#endif
#ifdef CNN_CORE_ARM64
extern const kernels cnn_core_neon_f32, cnn_core_neon_f64;
#endif
extern const kernels cnn_core_generic_f32, cnn_core_generic_f64;

static int always(void) { return 1; }

static const instruction_set SETS[] = {
#ifdef CNN_CORE_X86
    {"avx512", has_avx512, &cnn_core_avx512_f32, &cnn_core_avx512_f64},
    {"avx2", has_avx2, &cnn_core_avx2_f32, &cnn_core_avx2_f64},
#endif
#ifdef CNN_CORE_ARM64
    {"neon", always, &cnn_core_neon_f32, &cnn_core_neon_f64},
#endif
    {"generic", always, &cnn_core_generic_f32, &cnn_core_generic_f64},
};

const instruction_set *cnn_core_instruction_sets(int *count)
{
    *count = sizeof SETS / sizeof *SETS;
    return SETS;
}

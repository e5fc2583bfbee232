/* Which instruction sets this library was built with, and which of them this processor and its
 * operating system run. */
#include "kernels.h"
#include "target.h"

#ifdef CNN_CORE_X86
#ifdef _MSC_VER
#include <immintrin.h>
#include <intrin.h>
/* CPUID leaves 1 and 7, and XGETBV for the registers the operating system saves. */
static int has(int leaf1_ecx, int leaf7_ebx, unsigned long long saved)
{
    int info[4];
    __cpuid(info, 0);
    if (info[0] < 7) return 0;
    __cpuid(info, 1);
    const int osxsave = 1 << 27;
    if ((info[2] & (leaf1_ecx | osxsave)) != (leaf1_ecx | osxsave) || (_xgetbv(0) & saved) != saved)
        return 0;
    __cpuidex(info, 7, 0);
    return (info[1] & leaf7_ebx) == leaf7_ebx;
}
static int has_avx2(void) { return has(1 << 12, 1 << 5, 0x06); }
static int has_avx512(void)
{
    return has(1 << 12, (1 << 5) | (1 << 16) | (1 << 17) | (1 << 30) | (1 << 31), 0xE6);
}
#else
static int has_avx2(void)
{
    __builtin_cpu_init(); /* by a constructor only where the library of GCC is linked */
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
static int has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif
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

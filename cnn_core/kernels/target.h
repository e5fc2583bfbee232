/* Instruction sets per region of a file instead of per-file compiler flags: everything between
 * TARGET_BEGIN and TARGET_END may use the named extensions, the rest of the library keeps the
 * platform's baseline. Include system headers before TARGET_BEGIN. */
#ifndef CNN_CORE_TARGET_H
#define CNN_CORE_TARGET_H

#include <math.h> /* INFINITY and NAN; sqrt, which is one instruction */

#define PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define TARGET_BEGIN(names)                                                                        \
    PRAGMA(clang attribute push(__attribute__((target(names))), apply_to = function))
#define TARGET_END PRAGMA(clang attribute pop)
#elif defined(__GNUC__)
#define TARGET_BEGIN(names) PRAGMA(GCC push_options) PRAGMA(GCC target(names))
#define TARGET_END PRAGMA(GCC pop_options)
#else
#define TARGET_BEGIN(names)
#define TARGET_END
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#define ALWAYS_INLINE __forceinline
#define NOINLINE __declspec(noinline)
#define ONE_COPY NOINLINE
#define UNROLL
#define OPAQUE(x)
#else
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
/* As NOINLINE, and not specialised for constant arguments either. */
#if defined(__clang__)
#define ONE_COPY NOINLINE
#else
#define ONE_COPY __attribute__((noinline, noclone))
#endif
/* The compiler knows of x only that it is there. */
#define OPAQUE(x) __asm__("" : "+r"(x))
#if defined(__clang__)
#define UNROLL PRAGMA(clang loop unroll(full))
#else
#define UNROLL PRAGMA(GCC unroll 16)
#endif
#endif

#if defined(__x86_64__) || defined(_M_X64)
#define CNN_CORE_X86 1
#elif defined(__aarch64__) || defined(_M_ARM64)
#define CNN_CORE_ARM64 1
#endif

#endif

/* What a training run needs of the processor and the system: a clock, a hint to the cache, the
 * floating-point mode, and advice on how a mapped file is read. */
#ifndef CNN_CORE_PLATFORM_H
#define CNN_CORE_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

#include "target.h"

#ifdef _WIN32
#include "system_threads.h" /* windows.h */
static inline double clock_seconds(void)
{
    LARGE_INTEGER ticks, frequency;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&frequency);
    return (double)ticks.QuadPart / (double)frequency.QuadPart;
}
#else
#include <time.h>
static inline double clock_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
#endif

/* A hint that the cache line at this address will be read soon. */
#if defined(__GNUC__)
static inline void prefetch(const void *at) { __builtin_prefetch(at); }
#else
static inline void prefetch(const void *at) { (void)at; }
#endif

/* Rows in a mapped file: the number of major page faults so far, which had to wait for the disk;
 * advice that pages are read in random order (or in the usual one again), so that none comes with
 * its neighbours; advice that some bytes are needed soon. Advice may do nothing. */
#if defined(_WIN32)
static inline long major_faults(void) { return 0; }
static inline void advise_access(const void *at, size_t bytes, int random)
{
    (void)at, (void)bytes, (void)random;
}
static inline void advise_will_need(const void *at, size_t bytes) { (void)at, (void)bytes; }
#else
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
static inline long major_faults(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) ? 0 : usage.ru_majflt;
}
static inline void advise(const void *at, size_t bytes, int advice)
{
    const size_t into_page = (uintptr_t)at % (size_t)sysconf(_SC_PAGESIZE);
    posix_madvise((char *)(uintptr_t)at - into_page, bytes + into_page, advice);
}
static inline void advise_access(const void *at, size_t bytes, int random)
{
    advise(at, bytes, random ? POSIX_MADV_RANDOM : POSIX_MADV_NORMAL);
}
static inline void advise_will_need(const void *at, size_t bytes)
{
    advise(at, bytes, POSIX_MADV_WILLNEED);
}
#endif

/* The floating-point mode of this thread: round to nearest, no traps, and subnormal numbers either
 * treated as zero or kept. All computing of a network flushes them, so that its bits depend neither
 * on the thread nor on the caller's own mode; arithmetic on them is up to 82 times slower (Sapphire
 * Rapids), and the moments of weights that get no gradient decay into them. Both functions return
 * what restore_subnormals needs to bring the caller's mode back. */
#ifdef CNN_CORE_X86
#include <immintrin.h>
enum { SSE_DEFAULT = 0x1F80, SSE_FLUSH = 0x8040, SSE_RAISED = 0x3F };
static inline uint64_t set_mode(unsigned mode)
{
    const unsigned before = _mm_getcsr();
    if ((before & ~(unsigned)SSE_RAISED) != mode) _mm_setcsr(mode);
    return before;
}
static inline uint64_t flush_subnormals(void) { return set_mode(SSE_DEFAULT | SSE_FLUSH); }
static inline uint64_t keep_subnormals(void) { return set_mode(SSE_DEFAULT); }
static inline void restore_subnormals(uint64_t before) { _mm_setcsr((unsigned)before); }
#elif defined(CNN_CORE_ARM64) && !defined(_MSC_VER)
static inline uint64_t set_mode(uint64_t mode)
{
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    if (before != mode) __asm__ volatile("msr fpcr, %0" : : "r"(mode) : "memory");
    return before;
}
static inline uint64_t flush_subnormals(void) { return set_mode(UINT64_C(1) << 24); }
static inline uint64_t keep_subnormals(void) { return set_mode(0); }
static inline void restore_subnormals(uint64_t before)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(before) : "memory");
}
#else
static inline uint64_t flush_subnormals(void) { return 0; }
static inline uint64_t keep_subnormals(void) { return 0; }
static inline void restore_subnormals(uint64_t before) { (void)before; }
#endif

#endif

/* How a run is ended before its work is done. The thread that has called it looks from time to time
 * whether it must, and sets a flag; it and all others leave where they next read that. What the
 * look consists of is the caller's affair. */
#ifndef CNN_CORE_STOP_H
#define CNN_CORE_STOP_H

#include <stddef.h>
#include <stdint.h>

#include "system_threads.h"
#include "tuning.h"

#if defined(_MSC_VER) && !defined(__clang__)
static inline int flag_of(const int *flag) { return *(const volatile int *)flag; }
static inline void raise_flag(int *flag, int value) { *(volatile int *)flag = value; }
#else
static inline int flag_of(const int *flag) { return __atomic_load_n(flag, __ATOMIC_RELAXED); }
static inline void raise_flag(int *flag, int value)
{
    __atomic_store_n(flag, value, __ATOMIC_RELAXED);
}
#endif

/* What may end many runs, from any thread: a request, or a time of `clock_seconds`. */
typedef struct {
    int requested;
    double deadline;
} end_t;

typedef struct stop_t stop_t;
struct stop_t {
    int stopped;      /* not 0: leave; the look says why */
    int shared;       /* whether the pool's threads work on the run beside the caller */
    uintptr_t caller; /* the thread that looks, if it is shared */
    char apart[64];   /* the caller writes what follows while the others read `stopped` */
    ptrdiff_t work;   /* multiplications since it has looked at the clock */
    double next_look; /* when signals are looked for again */
    int has_signals;  /* whether the caller is the thread that gets them */
    uint64_t mode;    /* the caller's floating-point mode */
    const end_t *end; /* or NULL */
    void *error;      /* what a look has met, to be raised at the end */
    void (*look)(stop_t *stop);
};

/* Whether the run is to be left; `work` is that of the piece to come. The caller looks at the clock
 * once in WORK_PER_LOOK. */
static inline int stops(stop_t *stop, ptrdiff_t work)
{
    if (!stop->shared || stop->caller == this_thread()) {
        stop->work += work;
        if (stop->work >= WORK_PER_LOOK) {
            stop->work = 0;
            stop->look(stop);
        }
    }
    return flag_of(&stop->stopped);
}

#endif

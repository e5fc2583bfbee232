/* The thread pool: a few workers that sleep when there is nothing to do. */
#ifndef CNN_CORE_THREAD_POOL_H
#define CNN_CORE_THREAD_POOL_H

#include <stddef.h>

#include "stop.h"

/* One of several independent pieces of work; `worker` is below the number of threads of the run,
 * and no two pieces that run at the same time have the same. */
typedef void (*pool_task)(void *context, ptrdiff_t task, int worker);

/* Calls task(context, 0 .. tasks - 1, worker), in any order, on up to `threads` threads, of which
 * the caller is one, and returns when all are done. Each thread begins with a chunk of them, the
 * same one in each run of this kind: as many as the others, or, where `cost` is not NULL, as much
 * of what they cost: cost[i] is that of the tasks before i, for i up to `tasks`. Where the pool is
 * busy - another thread's run, or a task that calls this - the caller does all of them itself:
 * nothing ever waits for another run. All tasks run with subnormal numbers flushed to zero
 * (platform.h), whatever mode the caller has, who finds it unchanged. */
void cnn_core_pool_run(pool_task task, void *context, ptrdiff_t tasks, const ptrdiff_t *cost,
                       int threads);

/* The same for tasks that return early where `stop` says so; the caller looks at it, too, while it
 * waits for the others. */
void cnn_core_pool_run_until(pool_task task, void *context, ptrdiff_t tasks, const ptrdiff_t *cost,
                             int threads, stop_t *stop);

/* The most threads that a run can have. */
enum { POOL_MOST_THREADS = 64 };

#endif

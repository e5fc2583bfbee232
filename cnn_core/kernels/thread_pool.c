/* Workers are created by the first run that wants them and spin briefly before they sleep. A run is
 * open to them as long as its caller works on it: one that wakes up too late misses it, so nobody
 * waits for a thread that the system has not scheduled. Each thread has a chunk of the tasks, the
 * same one in each run with as many, and so finds in its cache what it left there; it claims them
 * one by one, and when its own are done, those of the others. */
#if !defined(_WIN32)
#define _GNU_SOURCE
#endif
#include "thread_pool.h"

#include "platform.h"
#include "system_threads.h"
#include "target.h"
#include "tuning.h"

#include <stdatomic.h>
#include <stdint.h>

#if defined(CNN_CORE_X86)
#define PAUSE() _mm_pause()
#elif defined(CNN_CORE_ARM64) && defined(_MSC_VER)
#define PAUSE() __yield()
#elif defined(CNN_CORE_ARM64)
#define PAUSE() __asm__ volatile("yield")
#else
#define PAUSE() ((void)0)
#endif

/* `state` is the run's number above 16 bits, then how many workers take part, then whether others
 * still may. */
enum { OPEN = 1, ONE = 2, TAKING_PART = 0xFFFE, RUN = 0x10000 };

static struct {
    lock_t run; /* held by the caller of a run */
    lock_t sleep;
    condition_t wake;
    int workers, handlers_set;
    pool_task task;
    void *context;
    int threads;
    _Atomic uint64_t state;
    _Atomic int sleepers;
    struct {
        _Alignas(64) _Atomic ptrdiff_t next;
        ptrdiff_t end;
    } chunk[POOL_MOST_THREADS];
} pool = {.run = LOCK_INIT, .sleep = LOCK_INIT, .wake = CONDITION_INIT};

static void work(int worker)
{
    for (int offset = 0; offset < pool.threads; offset++) {
        const int owner = (worker + offset) % pool.threads;
        ptrdiff_t i;
        while ((i = atomic_fetch_add_explicit(&pool.chunk[owner].next, 1, memory_order_relaxed)) <
               pool.chunk[owner].end)
            pool.task(pool.context, i, worker);
    }
}

static int is_new_run(uint64_t state, uint64_t seen) { return state / RUN != seen; }

static thread_result THREAD_CALL serve(void *argument)
{
    const int worker = (int)(intptr_t)argument;
    uint64_t seen = 0;
    flush_subnormals(); /* for good: a worker computes nothing else */
    for (;;) {
        uint64_t state = atomic_load(&pool.state);
        const double began = clock_seconds();
        do
            for (int i = 0; i < PAUSES && !is_new_run(state, seen); i++) {
                PAUSE();
                state = atomic_load_explicit(&pool.state, memory_order_relaxed);
            }
        while (!is_new_run(state, seen) && clock_seconds() - began < SPIN_SECONDS);
        if (!is_new_run(state, seen)) {
            lock(&pool.sleep);
            atomic_fetch_add(&pool.sleepers, 1);
            while (!is_new_run(state = atomic_load(&pool.state), seen))
                wait_for(&pool.wake, &pool.sleep);
            atomic_fetch_sub(&pool.sleepers, 1);
            unlock(&pool.sleep);
        }
        /* Join while the run is open; what it consists of was written before it was opened. */
        int joined = 0;
        while (state & OPEN &&
               !(joined = atomic_compare_exchange_weak(&pool.state, &state, state + ONE)));
        seen = state / RUN;
        if (!joined) continue;
        if (worker < pool.threads) work(worker);
        atomic_fetch_sub(&pool.state, ONE);
    }
    return 0;
}

#if !defined(_WIN32)
/* A child has none of its parent's threads; it starts its own when it first wants some. A fork does
 * not wait for a run that is going on: whoever forks may hold Python's lock, which the caller of
 * the run may want before it ends. Nothing of the run is of use to the child. */
static void after_fork_in_child(void)
{
    pthread_mutex_init(&pool.run, NULL);
    pthread_mutex_init(&pool.sleep, NULL);
    pthread_cond_init(&pool.wake, NULL);
    pool.workers = 0;
    atomic_store(&pool.state, 0);
    atomic_store(&pool.sleepers, 0);
}

static void handle_forks(void) { pthread_atfork(NULL, NULL, after_fork_in_child); }
#else
static void handle_forks(void) {}
#endif

static void start_workers(int wanted)
{
    if (!pool.handlers_set) {
        handle_forks();
        pool.handlers_set = 1;
    }
    while (pool.workers < wanted && start_thread(serve, (void *)(intptr_t)(pool.workers + 1)))
        pool.workers++;
}

/* Where the chunk of thread t, which begins at a task, ends: before the task up to which the
 * costs are nearest to t + 1 of `threads` shares; the last one ends with the tasks, whose last ones
 * may cost nothing. */
static ptrdiff_t chunk_end(ptrdiff_t begin, int t, ptrdiff_t tasks, const ptrdiff_t *cost,
                           int threads)
{
    if (t + 1 == threads) return tasks;
    if (!cost) return (t + 1) * tasks / threads;
    const ptrdiff_t share = cost[tasks] * (t + 1) / threads;
    ptrdiff_t end = begin;
    while (end < tasks && cost[end] < share) end++;
    return end > begin && share - cost[end - 1] < cost[end] - share ? end - 1 : end;
}

/* A run on the pool, which the caller has locked. */
static void run_together(pool_task task, void *context, ptrdiff_t tasks, const ptrdiff_t *cost,
                         int threads, stop_t *stop)
{
    if (pool.workers < threads - 1) start_workers(threads - 1);
    pool.task = task;
    pool.context = context;
    pool.threads = threads;
    ptrdiff_t begin = 0;
    for (int t = 0; t < threads; t++) {
        atomic_store_explicit(&pool.chunk[t].next, begin, memory_order_relaxed);
        pool.chunk[t].end = begin = chunk_end(begin, t, tasks, cost, threads);
    }
    atomic_store(&pool.state, (atomic_load(&pool.state) / RUN + 1) * RUN | OPEN);
    if (atomic_load(&pool.sleepers)) {
        lock(&pool.sleep);
        wake_all(&pool.wake);
        unlock(&pool.sleep);
    }
    work(0);
    atomic_fetch_and(&pool.state, ~(uint64_t)OPEN);
    for (int i = 0; atomic_load(&pool.state) & TAKING_PART; i++)
        if (i < PAUSES_BEFORE_YIELD)
            PAUSE();
        else {
            yield_thread();
            if (stop) stops(stop, WORK_PER_LOOK);
        }
}

void cnn_core_pool_run_until(pool_task task, void *context, ptrdiff_t tasks, const ptrdiff_t *cost,
                             int threads, stop_t *stop)
{
    const uint64_t mode = flush_subnormals();
    if (threads > POOL_MOST_THREADS) threads = POOL_MOST_THREADS;
    if (tasks < threads) threads = (int)tasks;
    if (threads < 2 || !try_lock(&pool.run)) {
        for (ptrdiff_t i = 0; i < tasks; i++) task(context, i, 0);
    } else {
        if (stop) stop->shared = 1;
        run_together(task, context, tasks, cost, threads, stop);
        if (stop) stop->shared = 0;
        unlock(&pool.run);
    }
    restore_subnormals(mode);
}

void cnn_core_pool_run(pool_task task, void *context, ptrdiff_t tasks, const ptrdiff_t *cost,
                       int threads)
{
    cnn_core_pool_run_until(task, context, tasks, cost, threads, NULL);
}

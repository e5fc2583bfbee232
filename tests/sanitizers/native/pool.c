/* The thread pool by itself: callers on several threads, runs of 2 to 8 threads, with and without
 * costs, and tasks that start runs of their own. Each task must be called exactly once, and what it
 * wrote be there when its run returns. Prints how many runs there were; exits with 1 at a fault. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "thread_pool.h"

enum { TASKS = 100, CALLERS = 6, MOST_THREADS = 8 };

/* The numbers that tasks leave: plain memory, so that a run that returns too early is a race. */
typedef struct {
    long calls[TASKS], of_worker[MOST_THREADS];
    int threads, nested;
} result;

static void count_call(void *context, ptrdiff_t task, int worker)
{
    result *r = context;
    r->calls[task]++;
    r->of_worker[worker]++;
    if (r->nested && task % 10 == 0) {
        result inner = {.threads = r->threads};
        cnn_core_pool_run(count_call, &inner, task % 7, NULL, r->threads);
        for (int i = 0; i < task % 7; i++)
            if (inner.calls[i] != 1) r->calls[task] += 1000;
    }
}

static int run_once(int round)
{
    ptrdiff_t cost[TASKS + 1] = {0};
    const int tasks = round * 37 % TASKS + 1;
    for (int i = 0; i < tasks; i++) cost[i + 1] = cost[i] + i % 3;
    result r = {.threads = 2 + round % (MOST_THREADS - 1), .nested = round % 5 == 0};
    cnn_core_pool_run(count_call, &r, tasks, round % 2 ? cost : NULL, r.threads);
    long calls = 0;
    for (int i = 0; i < tasks; i++)
        if (r.calls[i] != 1) return 1;
    for (int worker = 0; worker < MOST_THREADS; worker++) calls += r.of_worker[worker];
    return calls != tasks;
}

static void *call(void *rounds)
{
    for (int round = 0; round < *(int *)rounds; round++)
        if (run_once(round)) return (void *)(intptr_t)1;
    return NULL;
}

int main(int arguments, char **argument)
{
    int rounds = arguments > 1 ? atoi(argument[1]) : 2000;
    pthread_t caller[CALLERS];
    int faults = 0;
    for (int i = 0; i < CALLERS; i++)
        if (pthread_create(&caller[i], NULL, call, &rounds)) return 2;
    for (int i = 0; i < CALLERS; i++) {
        void *fault;
        pthread_join(caller[i], &fault);
        faults += fault != NULL;
    }
    printf("%d runs, %d faults\n", CALLERS * rounds, faults);
    return faults != 0;
}

/* Threads of the system: a lock, a condition to wait for, and threads that nobody joins; those of
 * POSIX or of Windows. */
#ifndef CNN_CORE_SYSTEM_THREADS_H
#define CNN_CORE_SYSTEM_THREADS_H

#include <stddef.h>
#include <stdint.h>

/* Of a thread: musl's default is 128 KiB. */
enum { THREAD_STACK_BYTES = 1 << 20 };

#if defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#define NOGDI /* which has macros of our names */
#include <windows.h>

#include <process.h>

typedef SRWLOCK lock_t;
typedef CONDITION_VARIABLE condition_t;
#define LOCK_INIT SRWLOCK_INIT
#define CONDITION_INIT CONDITION_VARIABLE_INIT

static inline uintptr_t this_thread(void) { return GetCurrentThreadId(); }
static inline void yield_thread(void) { SwitchToThread(); }
static inline void lock(lock_t *l) { AcquireSRWLockExclusive(l); }
static inline void unlock(lock_t *l) { ReleaseSRWLockExclusive(l); }
static inline int try_lock(lock_t *l) { return TryAcquireSRWLockExclusive(l); }
static inline void wait_for(condition_t *c, lock_t *held)
{
    SleepConditionVariableSRW(c, held, INFINITE, 0);
}
static inline void wake_all(condition_t *c) { WakeAllConditionVariable(c); }

typedef unsigned thread_result;
#define THREAD_CALL __stdcall
static inline int start_thread(thread_result(THREAD_CALL *begin)(void *), void *argument)
{
    const uintptr_t thread = _beginthreadex(NULL, THREAD_STACK_BYTES, begin, argument,
                                            STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    return thread && CloseHandle((HANDLE)thread);
}

#else

#include <pthread.h>
#include <sched.h>
#include <signal.h>

typedef pthread_mutex_t lock_t;
typedef pthread_cond_t condition_t;
#define LOCK_INIT PTHREAD_MUTEX_INITIALIZER
#define CONDITION_INIT PTHREAD_COND_INITIALIZER

static inline uintptr_t this_thread(void) { return (uintptr_t)pthread_self(); }
static inline void yield_thread(void) { sched_yield(); }
static inline void lock(lock_t *l) { pthread_mutex_lock(l); }
static inline void unlock(lock_t *l) { pthread_mutex_unlock(l); }
static inline int try_lock(lock_t *l) { return !pthread_mutex_trylock(l); }
static inline void wait_for(condition_t *c, lock_t *held) { pthread_cond_wait(c, held); }
static inline void wake_all(condition_t *c) { pthread_cond_broadcast(c); }

typedef void *thread_result;
#define THREAD_CALL
#if defined(_GNU_SOURCE) /* without which C11 hides signals */
/* Whether a thread was started. Signals are for the threads that have handlers. */
static inline int start_thread(thread_result (*begin)(void *), void *argument)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    const int started = !pthread_create(&thread, &attributes, begin, argument);
#if defined(__linux__)
    if (started) pthread_setname_np(thread, "cnn_core");
#endif
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}
#endif

#endif

#endif

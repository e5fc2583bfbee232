/* To be loaded before the C library: pthread_create fails after as many calls for workers of the
 * pool as THREADS_ALLOWED says. A worker has a stack of 1 MiB. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument)
{
    static int started;
    int (*usual)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
        (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(
            RTLD_NEXT, "pthread_create");
    size_t stack = 0;
    if (attributes) pthread_attr_getstacksize(attributes, &stack);
    if (stack == 1 << 20 && started++ >= atoi(getenv("THREADS_ALLOWED"))) return EAGAIN;
    return usual(thread, attributes, start, argument);
}

/* A memory handler of NumPy whose n-th allocation fails, and all after it where `lasting` is set.
 * test_memory.py loads it; PyDataMem_SetHandler of NumPy's C interface puts it to use. */
#include <stdint.h>
#include <stdlib.h>

static long countdown, lasting;

/* From now on the n-th allocation fails; 0: none does. */
void fail_at(long n, long all_after)
{
    countdown = n;
    lasting = all_after;
}

/* Allocations up to the one that fails; 0: it has failed, or none was to. */
long left(void) { return countdown; }

static int fails(void) { return countdown > 0 ? --countdown == 0 : lasting != 0; }

static void *allocate(void *context, size_t size)
{
    (void)context;
    return fails() ? NULL : malloc(size);
}

static void *allocate_zeros(void *context, size_t count, size_t size)
{
    (void)context;
    return fails() ? NULL : calloc(count, size);
}

static void *reallocate(void *context, void *memory, size_t size)
{
    (void)context;
    return fails() ? NULL : realloc(memory, size);
}

static void release(void *context, void *memory, size_t size)
{
    (void)context, (void)size;
    free(memory);
}

/* PyDataMem_Handler, version 1. */
struct {
    char name[127];
    uint8_t version;
    void *context;
    void *(*malloc)(void *, size_t);
    void *(*calloc)(void *, size_t, size_t);
    void *(*realloc)(void *, void *, size_t);
    void (*free)(void *, void *, size_t);
} handler = {"fails", 1, NULL, allocate, allocate_zeros, reallocate, release};

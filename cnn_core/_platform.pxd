"""environment.h for Cython: the clock, the floating-point mode, hints to cache and files."""

from libc.stdint cimport uint64_t

cdef extern from "environment.h" nogil:
    double clock_seconds()

    # The idiom of everything that computes outside of `pool_run`, which does the same:
    #     mode = flush_subnormals()
    #     ...
    #     restore_subnormals(mode)
    uint64_t flush_subnormals()
    uint64_t keep_subnormals()
    void restore_subnormals(uint64_t before)

    void prefetch(const void *at)
    long pages_read()
    void read_anywhere(const void *at, size_t size, bint anywhere)
    void read_soon(const void *at, size_t size)

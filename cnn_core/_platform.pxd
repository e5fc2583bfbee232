"""platform.h for Cython: clock, floating-point mode, prefetching, advice on mapped files."""

from libc.stdint cimport uint64_t

cdef extern from "platform.h" nogil:
    double clock_seconds()

    # The idiom of everything that computes outside of `pool_run`, which does the same:
    #     mode = flush_subnormals()
    #     ...
    #     restore_subnormals(mode)
    uint64_t flush_subnormals()
    uint64_t keep_subnormals()
    void restore_subnormals(uint64_t before)

    void prefetch(const void *at)
    long major_faults()
    void advise_access(const void *at, size_t size, bint random)
    void advise_will_need(const void *at, size_t size)

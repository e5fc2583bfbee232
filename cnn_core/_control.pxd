"""stop.h for Cython: how what runs without the GIL is ended before its work is done.

    begin_stop(&stop, end)          with the GIL
    with nogil:
        ...                         where `stops(&stop, work)`, leave
    leave(&stop)                    raises what has ended it
"""

from libc.stdint cimport uint64_t, uintptr_t

cdef extern from "stop.h" nogil:
    ctypedef struct end_t:
        int requested
        double deadline
    ctypedef struct stop_t:
        int stopped
        int shared
        uintptr_t caller
        Py_ssize_t work
        double next_look
        int has_signals
        uint64_t mode
        const end_t *end
        void *error
        void (*look)(stop_t *) noexcept nogil
    uintptr_t this_thread()
    int flag_of(const int *flag)
    void raise_flag(int *flag, int value)
    bint stops(stop_t *stop, Py_ssize_t work)


# Why a run is left.
cdef enum:
    INTERRUPTED = 1             # a signal handler has raised `error`
    ENDED = 2                   # by its EndRequest


cdef class EndRequest:
    cdef end_t end

cdef bint is_due(const end_t *end) noexcept nogil
cdef int begin_stop(stop_t *stop, EndRequest end) except -1
cdef int leave(stop_t *stop) except -1

"""Ctrl-C and other ends of what runs without the GIL, and one fit of an object at a time.

The thread that has called looks at the clock after about a millisecond's work, and now and then,
with the GIL, for signals. Only Python's main thread gets those: others never wait for the GIL.
"""

import math
import os
import sys

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.ref cimport Py_DECREF, Py_INCREF

from cnn_core._platform cimport clock_seconds, flush_subnormals, restore_subnormals
from cnn_core._tuning cimport LOOK_SHARE, LONGEST_UNTIL_LOOK, SHORTEST_UNTIL_LOOK

cdef extern from "Python.h":
    unsigned long PyThread_get_thread_ident() nogil

cdef unsigned long main_thread


def _this_is_main():
    """Note which thread gets signals: in a forked child the one that has forked."""
    global main_thread
    main_thread = PyThread_get_thread_ident()


if "threading" in sys.modules:
    main_thread = sys.modules["threading"].main_thread().ident or 0
else:  # nobody has started a thread yet; its import takes a millisecond
    _this_is_main()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_this_is_main)


class Ended(Exception):
    """What is in progress is given up, as an `EndRequest` has it; the training loop catches it."""


@cython.final
cdef class EndRequest:
    """Asks a training to end in an orderly way: without an exception, with the weights of the last
    whole epoch. An epoch in progress is given up within about 0.1 s, however long it takes.

    Any thread may ask, and a signal handler may: ``signal.signal(signal.SIGTERM, lambda *_:
    loop.end.request())``.

    Attributes
    ----------
    requested : bool
        Whether somebody has asked.
    """

    def __cinit__(self):
        self.end.deadline = math.inf

    def request(self):
        """Ask for the end, as soon as may be."""
        raise_flag(&self.end.requested, 1)

    @property
    def requested(self):
        return bool(flag_of(&self.end.requested))

    def after(self, double seconds):
        """Ask for the end of what is in progress then; a later call takes the place of this one.

        Parameters
        ----------
        seconds : float
            From now on; infinity for never.
        """
        self.end.deadline = clock_seconds() + seconds

    def check(self):
        """Raise `Ended` where the end is due: for what runs in Python."""
        if is_due(&self.end):
            raise Ended


cdef bint is_due(const end_t *end) noexcept nogil:
    return flag_of(&end.requested) or clock_seconds() > end.deadline


cdef int begin_stop(stop_t *stop, EndRequest end) except -1:
    """Make ready for a run of this thread; whoever calls keeps `end`, which may be None. Raises
    `Ended` where the end is asked for already."""
    if end is not None and flag_of(&end.end.requested):
        raise Ended
    stop.mode = flush_subnormals()
    restore_subnormals(stop.mode)
    stop.stopped, stop.shared, stop.work, stop.look = 0, 0, 0, look
    stop.next_look = clock_seconds() + SHORTEST_UNTIL_LOOK
    stop.end, stop.error = NULL if end is None else &end.end, NULL
    stop.caller = this_thread()
    stop.has_signals = PyThread_get_thread_ident() == main_thread
    return 0


cdef void look(stop_t *stop) noexcept nogil:
    """Whether the run must end; signal handlers run with the caller's floating-point mode."""
    cdef double now = clock_seconds(), taken
    cdef uint64_t mode
    if stop.stopped:
        return
    if stop.end != NULL and is_due(stop.end):
        raise_flag(&stop.stopped, ENDED)
    elif stop.has_signals and now >= stop.next_look:
        mode = flush_subnormals()
        restore_subnormals(stop.mode)
        with gil:
            try:
                PyErr_CheckSignals()
            except BaseException as error:
                Py_INCREF(error)
                stop.error = <void *>error
                raise_flag(&stop.stopped, INTERRUPTED)
        restore_subnormals(mode)
        taken = clock_seconds() - now
        stop.next_look = now + taken + min(LONGEST_UNTIL_LOOK,
                                           max(SHORTEST_UNTIL_LOOK, taken / LOOK_SHARE))


cdef int leave(stop_t *stop) except -1:
    """Raise what a signal handler has raised, or `Ended`; nothing where the run has gone through.
    Whatever computes before the next run begins is not ended."""
    stop.end, stop.has_signals = NULL, 0
    if stop.stopped == INTERRUPTED:
        error = <object>stop.error
        stop.error = NULL
        Py_DECREF(error)
        raise error
    if stop.stopped == ENDED:
        raise Ended
    return 0


# The `Exclusive` that has an object, by the object's id: nothing of it is in the object, its
# pickles and its clones. Compiled, as a signal handler may raise between any two lines of Python:
# what has been taken would stay taken.
cdef dict taken = {}

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=taken.clear)  # a child has no other thread of its parent


@cython.final
cdef class Exclusive:
    """A context in which nobody else fits an object or sets its weights.

    Parameters
    ----------
    estimator : object
    sets : bool
        Whether this sets weights; else it fits.

    Attributes
    ----------
    over : bool
        To be set once a fit has published its last model: then its own thread, which calls
        `after_fit`, may set weights.

    Raises
    ------
    RuntimeError
        Where it is entered while the object is taken.
    """

    cdef object estimator, key
    cdef unsigned long thread
    cdef bint sets
    cdef public bint over

    def __init__(self, estimator, bint sets=False):
        self.estimator, self.key, self.sets = estimator, id(estimator), sets
        self.thread = PyThread_get_thread_ident()

    def __enter__(self):
        cdef Exclusive other = taken.setdefault(self.key, self)
        if other is not self:
            if not (self.sets and other.over and other.thread == self.thread):
                raise RuntimeError(self.refusal(other))
            self.key = None
        return self

    def __exit__(self, *error):
        taken.pop(self.key, None)

    cdef str refusal(self, Exclusive other):
        cdef str name = type(self.estimator).__name__
        wanted = "set its weights" if self.sets else "fit it"
        if other.sets:
            return (f"another thread is setting the weights of this {name}; {wanted} when that is "
                    "done")
        if other.thread == self.thread:
            return (f"this {name} is being fitted, and a callback is no place to {wanted}: fit "
                    "another one, such as sklearn.base.clone gives")
        return (f"this {name} is being fitted by another thread; {wanted} when that is done, or "
                "fit another one, such as sklearn.base.clone gives")

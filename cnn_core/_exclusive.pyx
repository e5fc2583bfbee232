"""One fit of an object at a time.

Compiled, as a signal handler may raise between any two lines of Python: what has been taken would
stay taken.
"""

import os

cimport cython

cdef extern from "Python.h":
    unsigned long PyThread_get_thread_ident() nogil

# The `Exclusive` that has an object, by the object's id: nothing of it is in the object, its
# pickles and its clones.
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

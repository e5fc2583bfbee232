"""Which instruction set computes: the one place that holds the tables of native routines."""

import os

from libc.stdint cimport uint64_t

from cnn_core._cpu cimport (cnn_core_instruction_sets, function_t, instruction_set_t, kernels_t)

from cnn_core._checks import NUMBER, VECTOR, takes
from cnn_core._names import choose
from cnn_core._memory cimport data_of
from cnn_core._platform cimport clock_seconds, keep_subnormals, restore_subnormals

cdef int count
cdef const instruction_set_t *sets = cnn_core_instruction_sets(&count)
cdef const instruction_set_t *active


def instruction_sets():
    """Names of the instruction sets that this machine can run, the fastest first.

    The last is always ``'generic'``, plain C without vectors: slow, and the oracle for the others,
    which give the same bits.

    Returns
    -------
    tuple of str
    """
    return tuple([sets[i].name.decode() for i in range(count) if sets[i].supported()])


def instruction_set():
    """Name of the instruction set in use.

    It is chosen at import, the fastest that the processor and the operating system support. The
    environment variable ``CNN_CORE_ISA`` forces another one.

    Returns
    -------
    str
    """
    return active.name.decode()


def use_instruction_set(str name not None):
    """Switch all later calls to another instruction set.

    Results stay the same to the bit; only speed changes. Meant for tests and measurements.

    Parameters
    ----------
    name : str
        One of `instruction_sets`.

    Returns
    -------
    str
        The name that was in use before.

    Raises
    ------
    ValueError
        If this machine does not have it.
    """
    global active
    before = active.name.decode()
    for i in range(count):
        if sets[i].name.decode() == name and sets[i].supported():
            active = &sets[i]
            return before
    raise ValueError(f"instruction set {name!r} is not available here; "
                     f"this machine has {', '.join(instruction_sets())}")


cdef const kernels_t *kernels_for(Py_ssize_t itemsize) noexcept nogil:
    return active.f64 if itemsize == 8 else active.f32


cdef const kernels_t *kernels_for_lanes(Py_ssize_t itemsize, Py_ssize_t numbers) noexcept nogil:
    cdef const kernels_t *found = kernels_for(itemsize)
    cdef const kernels_t *narrower
    cdef const instruction_set_t *one = active + 1
    while one < sets + count:
        narrower = one.f64 if itemsize == 8 else one.f32
        if numbers <= narrower.vector < found.vector and one.supported():
            found = narrower
        one += 1
    return found


cdef extern from "thread_pool.h" nogil:
    enum: POOL_MOST_THREADS
    void cnn_core_pool_run(pool_task task, void *context, Py_ssize_t tasks, const Py_ssize_t *cost,
                           int threads)
    void cnn_core_pool_run_until(pool_task task, void *context, Py_ssize_t tasks,
                                 const Py_ssize_t *cost, int threads, stop_t *stop)

most_threads = POOL_MOST_THREADS


cdef void pool_run(pool_task task, void *context, Py_ssize_t tasks, const Py_ssize_t *cost,
                   int threads) noexcept nogil:
    cnn_core_pool_run(task, context, tasks, cost, threads)


cdef void pool_run_until(pool_task task, void *context, Py_ssize_t tasks, const Py_ssize_t *cost,
                         int threads, stop_t *stop) noexcept nogil:
    cnn_core_pool_run_until(task, context, tasks, cost, threads, stop)


def functions():
    """The core's own mathematical functions and their error limits.

    Returns
    -------
    dict of str to float
        Name to the largest error allowed, in units in the last place.
    """
    cdef const function_t *f = active.f32.functions
    limits = {}
    while f.name:
        limits[f.name.decode()] = f.ulp
        f += 1
    return limits


@takes(x=VECTOR, out=VECTOR.as_output())
def apply(name, x, out):
    """Compute one of `functions` for every element of `x`.

    Parameters
    ----------
    name : str
    x, out : ndarray of float32 or float64, shape (n,)
        C-contiguous, of the same dtype; n a multiple of 16. They may be the same array.
    """
    cdef Py_ssize_t row = choose("function", name, tuple(functions()))
    cdef char *source = data_of("x", x, VECTOR)
    cdef char *target = data_of("out", out, VECTOR.as_output(), x.dtype, "x")
    cdef const function_t *f = &kernels_for(x.itemsize).functions[row]
    cdef Py_ssize_t n = len(x)
    cdef uint64_t mode
    if n != len(out) or n % 16:
        raise ValueError(f"x and out must have the same length, a multiple of 16; "
                         f"got {n} and {len(out)}")
    if n:
        with nogil:
            mode = keep_subnormals()  # the error limits hold for them too
            f.map(n, source, target)
            restore_subnormals(mode)


def with_subnormals(function, tuple arguments):
    """``function(*arguments)``, in which subnormal numbers count on this thread, whatever mode the
    caller has set: for conversions by NumPy, whose result is not to depend on it."""
    cdef uint64_t mode = keep_subnormals()
    try:
        return function(*arguments)
    finally:
        restore_subnormals(mode)


@takes(seconds=NUMBER)
def fma_peak(dtype="float32", double seconds=0.05):
    """The most floating-point operations a second that one thread reaches with the active
    instruction set.

    Measured on registers alone, without memory: the yardstick for the share of the peak that a
    kernel uses.

    Parameters
    ----------
    dtype : {'float32', 'float64'}
    seconds : float
        How long to measure; the best of about ten measurements counts.

    Returns
    -------
    float
        In operations a second; a fused multiply-add counts two.
    """
    cdef Py_ssize_t itemsize = (4, 8)[choose("dtype", dtype, ("float32", "float64"))]
    cdef const kernels_t *k = kernels_for(itemsize)
    cdef Py_ssize_t rounds = 1000
    cdef double start, spent, operations, best = 0, end = clock_seconds() + seconds, sink
    with nogil:
        while True:
            start = clock_seconds()
            operations = k.peak(rounds, &sink)
            spent = clock_seconds() - start
            if spent < seconds / 20:
                rounds *= 2
            else:
                best = max(best, operations / spent)
                if start > end:
                    break
    return best


active = &sets[count - 1]
forced = os.environ.get("CNN_CORE_ISA", "").strip().lower()
if forced:
    try:
        use_instruction_set(forced)
    except ValueError as error:
        raise ImportError(f"CNN_CORE_ISA: {error}") from None
else:
    use_instruction_set(instruction_sets()[0])

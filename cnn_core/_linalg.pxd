"""Scaling of rows, for those that scale one at a time."""

from cnn_core._cpu cimport kernels_for

ctypedef fused real:
    float
    double

ctypedef fused scaled_real:
    float
    double

# What becomes of t = (x - shift) * factor.
cdef enum Curve:
    LINEAR = 0
    SMOOTH_CLIP = 1
    ASINH = 2

cdef Curve curve_named(name) except *

cdef extern from "scaling.h" nogil:
    double smooth_clip(double t) noexcept
    double to_unit(double y, double factor, double shift, double low, double high) noexcept


cdef inline void scale_row(Py_ssize_t n, const double *shift, const double *factor, Curve curve,
                           const real *x, scaled_real *scaled) noexcept nogil:
    """The curve of t = (x - shift) * factor, in float64 and rounded once."""
    cdef Py_ssize_t i, first
    cdef double[16] t
    if curve == SMOOTH_CLIP:
        for i in range(n):
            scaled[i] = <scaled_real>smooth_clip((x[i] - shift[i]) * factor[i])
    elif curve == ASINH:
        for first in range(0, n, 16):
            for i in range(16):
                t[i] = (x[first + i] - shift[first + i]) * factor[first + i] if first + i < n else 0
            kernels_for(8).asinh(16, t, t)
            for i in range(min(16, n - first)):
                scaled[first + i] = <scaled_real>t[i]
    else:
        for i in range(n):
            scaled[i] = <scaled_real>((x[i] - shift[i]) * factor[i])


cdef inline void read_features(Py_ssize_t n, Py_ssize_t n_scaled, const double *shift,
                               const double *factor, Curve curve, const real *x,
                               scaled_real *out) noexcept nogil:
    """A row in another dtype, its first features scaled."""
    cdef Py_ssize_t j
    if n_scaled:
        scale_row(n_scaled, shift, factor, curve, x, out)
    for j in range(n_scaled, n):
        out[j] = <scaled_real>x[j]


# What outputs become in the units of the targets; each has an entry for every output.
cdef struct Units:
    const double *factor
    const double *shift
    const double *low
    const double *high


cdef inline void to_units(Py_ssize_t n, const Units *units, real *y) noexcept nogil:
    """y * factor + shift, kept between low and high, in float64 and rounded once; NaN stays."""
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = <real>to_unit(y[i], units.factor[i], units.shift[i], units.low[i], units.high[i])

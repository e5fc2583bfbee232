"""Scaling of rows, for those that scale one at a time."""

ctypedef fused real:
    float
    double


cdef inline void scale_row(Py_ssize_t n, const double *shift, const double *factor, const real *x,
                           real *scaled) noexcept nogil:
    """(x - shift) * factor in float64, rounded once."""
    cdef Py_ssize_t i
    for i in range(n):
        scaled[i] = <real>((x[i] - shift[i]) * factor[i])

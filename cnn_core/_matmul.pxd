"""The one way to a product: C = bias + A B, with all strides from matrices (kernels.h)."""

from cnn_core._cpu cimport matmul_args_t
from cnn_core._memory cimport PANEL_BYTES, Matrix, elements
from cnn_core._tuning cimport MICRO_PANELS, WORK_PER_CALL

# Rows of whole panels: row r of panel p is at data + r * row + p * panel, in bytes.
cdef struct Panels:
    char *data
    Py_ssize_t row, panel


cdef inline Panels panels_of(char *data, Py_ssize_t row, Py_ssize_t panel) noexcept nogil:
    cdef Panels p
    p.data, p.row, p.panel = data, row, panel
    return p


cdef inline Panels row_panels(const Matrix *m, Py_ssize_t panel) noexcept nogil:
    """The panels of a matrix's rows from number `panel` on."""
    return panels_of(m.data + panel * PANEL_BYTES, m.row, PANEL_BYTES)


cdef inline void matmul_args(matmul_args_t *p, Py_ssize_t rows, Py_ssize_t panels, Py_ssize_t depth,
                             Matrix a, Panels b, Panels c, Py_ssize_t itemsize) noexcept nogil:
    """C = A B for `rows` rows of A and `panels` panels of B. The caller sets what else the product
    has: a bias, rows that are looked up, `accumulate`, `bias_grad`."""
    # Field by field: GCC's memset and copies of a struct of this size cost 20 ns each.
    p.rows, p.panels, p.depth = rows, panels, depth
    p.a, p.b, p.c = a.data, b.data, c.data
    p.a_row_stride, p.a_depth_stride = elements(a.row, itemsize), elements(a.column, itemsize)
    p.b_depth_stride, p.b_panel_stride = elements(b.row, itemsize), elements(b.panel, itemsize)
    p.c_row_stride, p.c_panel_stride = elements(c.row, itemsize), elements(c.panel, itemsize)
    p.row_index = p.depth_index = NULL
    p.bias = p.row_bias = p.bias_grad = NULL
    p.accumulate = 0


cdef inline Py_ssize_t panels_per_call(Py_ssize_t panels, Py_ssize_t work) noexcept nogil:
    """Of some panels those that one call of the micro-kernel computes, at `work` multiplications
    each, so that a run can be ended between two calls."""
    if panels * work <= WORK_PER_CALL:
        return panels
    return max(1, WORK_PER_CALL // (work * MICRO_PANELS)) * MICRO_PANELS

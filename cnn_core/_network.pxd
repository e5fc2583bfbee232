"""The network: its layers and its packed parameters."""

from cnn_core._embedding cimport NONE, Embedding
from cnn_core._memory cimport PANEL_BYTES, Arena, Matrix

cdef struct Layer:
    Py_ssize_t n_in, n_out
    Py_ssize_t panels           # of W: ceil(n_out / lanes)
    Py_ssize_t ld               # leading dimension of z, a, delta
    Py_ssize_t W, b             # where they begin in the parameters, in bytes; b: NONE without
    int activation              # row in the table
    double activation_param     # the number it takes


cdef class Network:
    cdef readonly bint has_bias
    cdef readonly object dtype, parameters
    cdef readonly tuple widths, activations, activation_params
    cdef readonly Py_ssize_t n_layers, n_features, itemsize, lanes, block
    cdef readonly bint prefers_transposed, embeds
    cdef Py_ssize_t n_weights   # numbers of the parameters of layers, padding included
    cdef Py_ssize_t size        # and of all
    cdef Embedding embedding
    cdef Arena arena
    cdef Layer *layers
    cdef char *w
    cdef Layer *layer(self, Py_ssize_t l) except NULL
    cdef vector(self, vector)
    cdef set_activation(self, Py_ssize_t l, numbers)
    cdef list flat_periodic(self, vector)
    cdef set_flat_periodic(self, values)
    cdef bint is_faster_transposed(self)
    cdef void forward(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t rows,
                      const Matrix *x, const Py_ssize_t *row_indices,
                      const Matrix *z) noexcept nogil
    cdef void activate(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t rows,
                       const Matrix *z, const Matrix *a) noexcept nogil
    cdef void activate_backward(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels,
                                Py_ssize_t rows, const Matrix *z, const Matrix *a,
                                const Matrix *delta) noexcept nogil


cdef inline char *bias_at(char *parameters, const Layer *layer, Py_ssize_t panel) noexcept nogil:
    """The biases from a panel on in a vector of parameters; NULL where there are none."""
    return parameters + layer.b + panel * PANEL_BYTES if layer.b != NONE else NULL


# Multiplications of a row in layers that are row-major or transposed.
cdef struct LayoutWork:
    double row_major, transposed


cdef void add_work(LayoutWork *work, const Layer *layer, Py_ssize_t lanes, int products) noexcept
cdef bint is_less_transposed(const LayoutWork *work) noexcept


cdef inline Py_ssize_t weight_offset(const Layer *layer, Py_ssize_t panel,
                                     Py_ssize_t input) noexcept nogil:
    """Where a panel of W begins in a vector of parameters, at one of its inputs; in bytes."""
    return layer.W + (panel * layer.n_in + input) * PANEL_BYTES

"""The network: its layers and its packed parameters."""

from cnn_core._memory cimport PANEL_BYTES, Arena, Matrix

cdef struct Layer:
    Py_ssize_t n_in, n_out
    Py_ssize_t panels           # of W: ceil(n_out / lanes)
    Py_ssize_t ld               # leading dimension of z, a, delta
    Py_ssize_t W, b             # where they begin in the parameters, in bytes; b: or NONE
    int activation              # row in the table
    double activation_param     # the number it takes


# Layer.b of a network without biases.
cdef enum:
    NONE = -1


# The vectors of an embedded column, a row for each category.
cdef struct Table:
    Py_ssize_t categories, width
    Py_ssize_t input            # of the first layer, the one that a vector begins at
    Py_ssize_t E                # where it begins in the parameters, in bytes
    Py_ssize_t size             # its numbers, with the padding at its end


cdef class Network:
    cdef readonly bint has_bias
    cdef readonly object dtype, parameters
    cdef readonly tuple widths, activations, activation_params, embeddings
    cdef readonly Py_ssize_t n_layers, n_tables, n_features, itemsize, lanes, block
    cdef readonly bint prefers_transposed
    cdef Py_ssize_t n_numbers   # features that are no categories, which come first
    cdef Py_ssize_t n_weights   # numbers of the parameters before the tables, padding included
    cdef Py_ssize_t n_vectors   # and of the tables
    cdef Arena arena
    cdef Layer *layers
    cdef Table *tables
    cdef char *w
    cdef Layer *layer(self, Py_ssize_t l) except NULL
    cdef vector(self, vector)
    cdef set_activation(self, Py_ssize_t l, numbers)
    cdef alloc_tables(self, Py_ssize_t size)
    cdef Table *table(self, Py_ssize_t i) except NULL
    cdef void read_row(self, const char *row, char *x, Py_ssize_t *categories,
                       Py_ssize_t step) noexcept nogil
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

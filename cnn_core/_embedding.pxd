"""What columns become before the first layer reads them: vectors of categories, and periodic
embeddings of numbers."""

from cnn_core._cpu cimport periodic_t
from cnn_core._memory cimport Arena, Matrix

# No such number.
cdef enum:
    NONE = -1


# The vectors of an embedded column, a row for each category.
cdef struct Table:
    Py_ssize_t categories, width
    Py_ssize_t input            # of the first layer, the one that a vector begins at
    Py_ssize_t E                # where it begins in the parameters, in bytes
    Py_ssize_t size             # its numbers, with the padding at its end


# The periodic embeddings of a panel of columns.
cdef struct PeriodicPanel:
    periodic_t kernel           # as the kernels take it
    Py_ssize_t input            # of the first layer, the one that they begin at
    Py_ssize_t offset           # where their parameters begin in all, in bytes
    Py_ssize_t step             # numbers of one frequency
    Py_ssize_t size             # and of all


# Some categories of a table, or some frequencies of a panel, whose gradient and step are computed
# together: `size` numbers, padding included, from byte `offset` of the parameters on.
cdef struct EmbeddingTile:
    Py_ssize_t table, panel     # one of the two is NONE
    Py_ssize_t first, end       # of the categories, or the frequencies
    Py_ssize_t offset, size
    double penalty


# The rows that a gradient is summed over.
cdef struct EmbeddedRows:
    Py_ssize_t count
    Matrix x                    # what the first layer reads
    Matrix delta                # dC/dx
    const Py_ssize_t *categories
    Py_ssize_t categories_step  # from those of a table to those of the next


cdef class Embedding:
    cdef readonly tuple tables, periodic
    cdef readonly Py_ssize_t n_tables, n_features
    cdef readonly bint exists
    cdef Py_ssize_t n_numbers   # features that are no categories, which come first
    cdef Py_ssize_t n_vectors   # numbers of the tables, padding included
    cdef Py_ssize_t n_periodic  # and of the periodic embeddings, which come last
    cdef Py_ssize_t n_panels, n_tiles
    cdef Py_ssize_t itemsize, lanes
    cdef Table *table
    cdef PeriodicPanel *panel
    cdef char *w                # all parameters of the network
    cdef Arena arena
    cdef alloc_tables(self)
    cdef alloc_panels(self)
    cdef place(self, char *w, Py_ssize_t offset)
    cdef list parts_of(self, vector)
    cdef void read_row(self, const char *row, char *x, Py_ssize_t *categories,
                       Py_ssize_t step) noexcept nogil
    cdef void read_along(self, Embedding v, const char *x, const Py_ssize_t *categories,
                         Py_ssize_t step, char *r_x) noexcept nogil
    cdef void send_back(self, Py_ssize_t rows, const Matrix *x, const Matrix *dx) noexcept nogil
    cdef void fill_tiles(self, EmbeddingTile *tile)
    cdef double height(self, const EmbeddingTile *tile)
    cdef Py_ssize_t cost(self, const EmbeddingTile *tile)
    cdef void gradient(self, const EmbeddingTile *tile, const EmbeddedRows *rows, char *g,
                       bint accumulate) noexcept nogil
    cdef void gradient_along(self, Embedding v, const EmbeddingTile *tile, const EmbeddedRows *rows,
                             const Matrix *r_delta, char *g, bint accumulate) noexcept nogil

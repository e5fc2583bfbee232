"""The network and its backpropagation, for the modules that train it."""

from libc.stdint cimport int32_t, uint64_t

from cnn_core._cpu cimport dropout_t, kernels_t

# Rows that pass through all layers together: enough to use a tile well, few enough to stay in the
# cache; more of them where the weights are too large for it and come from afar for each block (5 %
# of 512-1024-1024-10 on a Xeon with 2 MB L2). Multiples of the lanes, so that blocks share no panel
# of row costs.
cdef enum:
    BLOCK = 48
    BLOCK_OF_LARGE = 256
    BLOCK_TURNED = 128
    LARGE = 1048576             # bytes of parameters

# A further thread is worth its hand-over, and its waking up, from about this many multiplications
# on.
cdef enum:
    WORK_A_THREAD = 400000

# Pieces of at most `size` rows that `rows` rows are cut into.
cdef inline Py_ssize_t blocks(Py_ssize_t rows, Py_ssize_t size) noexcept nogil:
    return (rows + size - 1) // size

# Where the time of a training run goes; `phases` in _backprop.pyx names them.
cdef enum:
    SHUFFLE, GATHER, FORWARD, ACTIVATION, LOSS, BACKWARD, GRADIENT, UPDATE, PHASES

cdef struct Layer:
    Py_ssize_t n_in, n_out
    Py_ssize_t panels           # of W: ceil(n_out / lanes)
    Py_ssize_t ld               # leading dimension of z, a, delta
    Py_ssize_t W, b             # where they begin in the parameters, in elements
    int f                       # the activation's row in the table
    double alpha                # and its number

# The buffers of one layer for a mini-batch, and W transposed.
cdef struct Flow:
    char *z
    char *a
    char *delta
    char *Wt

# Of a piece: 4 panels use a tile well, 96 inputs of them stay in the cache with their gradient and
# the optimizer's slots. PIECE_INPUTS is a multiple of the lanes, so that a piece is whole panels of
# W^T too.
cdef enum:
    PIECE_PANELS = 4
    PIECE_INPUTS = 96

# A rectangle of a layer's weights, whose gradient and step are computed together: `inputs` inputs
# of `panels` panels of outputs, and the biases of these outputs where it begins at input 0. How a
# layer is cut depends on its shape alone.
cdef struct Piece:
    Py_ssize_t layer, panel, panels, input, inputs
    double penalty

# Where the gradient of a piece goes: panels of weights `step` elements apart, and biases.
cdef struct Place:
    char *W
    Py_ssize_t step
    char *b

# What a layer reads: x or the a of the layer below, or, in training with dropout, a copy in which
# some are left out.
cdef struct Inlet:
    char *a
    Py_ssize_t width, ld
    const Py_ssize_t *rows      # which rows of `a` the mini-batch consists of; NULL: the first
    bint drops
    dropout_t drop
    char *kept                  # the copy
    char *slope                 # d kept / d a; NULL for x, to which nothing is sent back


cdef class Network:
    cdef readonly object dtype, parameters
    cdef readonly tuple widths, activations, alphas
    cdef readonly Py_ssize_t n_layers, itemsize, lanes, block
    cdef readonly bint turned
    cdef object layer_memory
    cdef Layer *layers
    cdef char *w
    cdef Layer *layer(self, Py_ssize_t l) except NULL
    cdef bint worth_turning(self)
    cdef bint softmax_across(self, Py_ssize_t l) noexcept
    cdef check_rows(self, X)
    cdef void layer_forward(self, const kernels_t *k, Py_ssize_t l, Py_ssize_t rows, const char *x, Py_ssize_t ld_x,
                            const Py_ssize_t *listed, char *z) noexcept nogil
    cdef void layer_turned(self, const kernels_t *k, Py_ssize_t l, Py_ssize_t across, const char *x, Py_ssize_t ld_x, char *z,
                           Py_ssize_t ld_z) noexcept nogil
    cdef void activation_turned(self, const kernels_t *k, Py_ssize_t l, Py_ssize_t across, Py_ssize_t ld, char *z,
                                char *a) noexcept nogil
    cdef void panels_forward(self, const kernels_t *k, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t rows,
                             const char *x, Py_ssize_t ld_x, const Py_ssize_t *listed, char *z) noexcept nogil


cdef class Backprop:
    cdef readonly Network network
    cdef readonly object gradient
    cdef readonly Py_ssize_t capacity, n_parameters
    cdef object weight_memory
    cdef readonly str loss
    cdef readonly bint sparse, from_z
    cdef int loss_row
    cdef double alpha
    cdef list memory
    cdef Flow *flows
    cdef Inlet *inlets
    cdef readonly tuple dropout
    cdef Piece *pieces
    cdef Py_ssize_t n_pieces
    cdef Py_ssize_t *schedule   # the order in which threads share them out
    cdef Py_ssize_t *costs      # in that order, the weights of the pieces before each, and of all
    cdef Py_ssize_t ld_x
    cdef char *x
    cdef char *y
    cdef int32_t *label
    cdef char *scale            # of each row's delta
    cdef char *weight           # of each row's cost; NULL: all 1
    cdef char *row_loss
    cdef char *g
    cdef Py_ssize_t scaled_for
    cdef double threshold, y_threshold
    cdef bint busy              # whether some thread works with the buffers
    cdef bint activates_output  # whether a^L is wanted although the loss works on z^L
    cdef double l1, l2
    cdef bint penalty_per_row
    cdef double penalty_share   # factor of the penalty on the present mini-batch
    cdef readonly bint turned   # the last layer works with the rows on their side
    cdef Py_ssize_t ld_turned   # leading dimension of its z, a, delta and of y then
    cdef char *y_turned
    cdef char *side             # what it reads, on its side
    cdef char *side_gradient    # its gradient, transposed, and that of its biases, each in all lanes
    cdef char *ones             # a panel of them
    cdef bint timing
    cdef Py_ssize_t by_outputs  # layers, the lowest, that threads share by outputs instead of by rows
    cdef Py_ssize_t origin      # the row of the mini-batch that stands first in the buffers
    cdef double last
    cdef double *seconds        # PHASES of them for each layer
    cdef use_weights(self, bint wanted)
    cdef set_inlet(self, Py_ssize_t l, Inlet *inlet)
    cdef cut(self)
    cdef char *room(self, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t itemsize) except NULL
    cdef acquire(self)
    cdef loss_of(self, X, y)
    cdef bint worth_turning(self)
    cdef char *output(self) noexcept nogil
    cdef Py_ssize_t offset(self, Py_ssize_t l, Py_ssize_t row) noexcept nogil
    cdef void targets(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil
    cdef void gradients_turned(self, Piece *piece, Py_ssize_t rows, const char *a, Place place, bint first, bint last) noexcept nogil
    cdef void mark(self, int phase, Py_ssize_t layer) noexcept nogil
    cdef double average_over(self, Py_ssize_t rows) noexcept nogil
    cdef double row_weight(self, Py_ssize_t r) noexcept nogil
    cdef Place in_gradient(self, Piece *piece) noexcept nogil
    cdef void penalize(self, Piece *piece, Place place) noexcept nogil
    cdef double penalties(self) noexcept nogil
    cdef void transpose_weights(self) noexcept nogil
    cdef void draw_with(self, uint64_t seed, uint64_t step) noexcept nogil
    cdef const char *inputs(self, Py_ssize_t l, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil
    cdef void hidden_forward(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t first, Py_ssize_t rows,
                             bint dropping) noexcept nogil
    cdef void hidden_activation(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t first, Py_ssize_t rows) noexcept nogil
    cdef void last_forward(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil
    cdef void hidden_backward(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t first, Py_ssize_t rows,
                              bint dropping) noexcept nogil
    cdef void forward(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil
    cdef void last_activation(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil
    cdef void cost(self, Py_ssize_t first, Py_ssize_t rows, bint with_delta) noexcept nogil
    cdef void backward(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil
    cdef void learn_block(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil
    cdef void gradients(self, Piece *piece, Py_ssize_t rows, bint dropping, Place place, bint first, bint last) noexcept nogil
    cdef double learn(self, Py_ssize_t rows, bint dropping) noexcept nogil
    cdef void judge_block(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil
    cdef double total_cost(self, Py_ssize_t rows, double total) noexcept nogil

"""What trains nets side by side: of each net, and of each thread."""

from libc.stdint cimport int32_t, int64_t, uintptr_t

from cnn_core._batches cimport Totals
from cnn_core._control cimport end_t
from cnn_core._cpu cimport OPTIMIZER_NUMBERS, kernels_t
from cnn_core._lane_layers cimport LaneLayer
from cnn_core._lane_rows cimport Rows
from cnn_core._lane_step cimport LaneStep
from cnn_core._memory cimport PANEL_BYTES, blocks
from cnn_core._network cimport Network
from cnn_core._tuning cimport BLOCK_ROWS_LANES

# What a net has rows of.
cdef enum:
    X_ROWS, Y_ROWS, LABELS, WEIGHTS, PARTS

# One of the nets.
cdef struct Net:
    void *trainer                       # which the run keeps alive, as its optimizer
    void *rule
    Rows[PARTS] rows
    Py_ssize_t *order                   # or NULL: as the rows stand
    const end_t *end                    # or NULL
    double total_weight                 # negative: not given
    Totals totals
    int64_t steps                       # before the epoch, as h
    double[OPTIMIZER_NUMBERS] h
    double *first                       # sets of h at its very first step

# What a thread works with: a block of rows, and numbers of each row of a mini-batch.
cdef struct Buffers:
    LaneLayer *layers
    char *y
    char *row_scale
    char *row_weight
    char *row_losses
    char *squares                       # as what follows, of LaneStep
    double *factors
    LaneStep step
    int32_t *label
    const char **rows
    Net **net                           # of each lane of the group; the first in those left over
    Py_ssize_t used                     # lanes that have a net
    Py_ssize_t *correct
    double *residuals
    double *h                           # OPTIMIZER_NUMBERS of each net, for each set
    double *sums                        # one of each net, as those below
    double *weight
    double *penalty
    double *l1
    double *l2
    Py_ssize_t scaled_rows              # for which row_scale is set
    Py_ssize_t work                     # multiplications since `end` was looked at


cdef inline char *aligned(char *at) noexcept nogil:
    return at + (PANEL_BYTES - <uintptr_t>at % PANEL_BYTES) % PANEL_BYTES


cdef inline char *carve(char **base, Py_ssize_t bytes) noexcept nogil:
    """The next bytes of some memory, aligned."""
    cdef char *at = aligned(base[0])
    base[0] = at + bytes
    return at


# Of the buffers: nets, rows of a mini-batch and of a block, and from one column to the next.
cdef struct Sizes:
    const kernels_t *k                  # whose vectors hold a number of each net
    Py_ssize_t nets, batch, block, ld
    Py_ssize_t n_sets                   # of an optimizer's numbers, for groups of parameters


cdef inline Sizes sizes_of(Network network, const kernels_t *k, Py_ssize_t batch,
                           Py_ssize_t count) noexcept:
    """For mini-batches of an epoch over `count` rows."""
    cdef Sizes sizes
    cdef Py_ssize_t nets = k.vector
    sizes.k, sizes.nets, sizes.batch = k, nets, min(batch, count)
    sizes.block = min(sizes.batch, BLOCK_ROWS_LANES)
    # One panel more, so that columns do not begin in the same few sets of the cache.
    sizes.ld = (blocks(sizes.block * nets, network.lanes) + 1) * network.lanes
    return sizes


cdef inline char *lay_out(Buffers *b, char *base, Network network, const Sizes *sizes) noexcept:
    """What a thread needs, from `base` on; returns its end."""
    cdef Py_ssize_t l, W = 0, itemsize = network.itemsize, nets = sizes.nets
    cdef Py_ssize_t rows = sizes.batch * nets, column = sizes.ld * itemsize
    cdef Py_ssize_t n_out = network.layers[network.n_layers - 1].n_out
    cdef LaneLayer *layer
    cdef LaneLayer unused
    cdef char *x
    cdef bint needs_z
    b.layers = <LaneLayer *>carve(&base, network.n_layers * sizeof(LaneLayer))
    x = carve(&base, (network.layers[0].n_in + 1) * column)
    for l in range(network.n_layers):
        layer = &b.layers[l] if b.layers else &unused
        layer.k, layer.itemsize, layer.nets, layer.ld = sizes.k, itemsize, nets, sizes.ld
        layer.n_in, layer.n_out = network.layers[l].n_in, network.layers[l].n_out
        layer.activation = network.layers[l].activation
        layer.activation_param = network.layers[l].activation_param
        layer.inputs, layer.W, layer.x = layer.n_in + network.has_bias, W, x
        W += layer.n_out * layer.inputs * nets * itemsize
        x = layer.a = layer.z = carve(&base, (layer.n_out + 1) * column)
        needs_z = sizes.k.activations[layer.activation].needs_preactivation
        if needs_z:
            layer.z = carve(&base, layer.n_out * column)
        layer.delta = carve(&base, layer.n_out * column)
    b.y = carve(&base, n_out * column)
    b.row_scale = carve(&base, rows * itemsize)
    b.row_weight = carve(&base, rows * itemsize)
    b.row_losses = carve(&base, rows * itemsize)
    b.label = <int32_t *>carve(&base, sizes.block * nets * sizeof(int32_t))
    b.rows = <const char **>carve(&base, rows * sizeof(char *))
    b.net = <Net **>carve(&base, nets * sizeof(Net *))
    b.correct = <Py_ssize_t *>carve(&base, nets * sizeof(Py_ssize_t))
    b.residuals = <double *>carve(&base, nets * n_out * sizeof(double))
    b.h = <double *>carve(&base, sizes.n_sets * nets * OPTIMIZER_NUMBERS * sizeof(double))
    b.sums = <double *>carve(&base, 6 * nets * sizeof(double))
    b.weight, b.penalty = b.sums + nets, b.sums + 2 * nets
    b.l1, b.l2, b.factors = b.sums + 3 * nets, b.sums + 4 * nets, b.sums + 5 * nets
    b.squares = carve(&base, nets * PANEL_BYTES)
    b.step.layers, b.step.n_layers = b.layers, network.n_layers
    b.step.n = W // (nets * itemsize)
    b.step.squares, b.step.sums, b.step.factors = b.squares, b.sums, b.factors
    return base


cdef inline void fill_with_ones(Py_ssize_t itemsize, char *x, Py_ssize_t n) noexcept:
    cdef Py_ssize_t i
    for i in range(n):
        if itemsize == 8:
            (<double *>x)[i] = 1
        else:
            (<float *>x)[i] = 1


cdef inline void set_ones(Buffers *b, Network network) noexcept:
    """The input that is always 1 of each layer."""
    cdef Py_ssize_t l
    cdef LaneLayer *layer
    for l in range(network.n_layers if network.has_bias else 0):
        layer = &b.layers[l]
        fill_with_ones(layer.itemsize, layer.x + layer.n_in * layer.ld * layer.itemsize, layer.ld)

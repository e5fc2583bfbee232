"""The steps of nets side by side: penalties, limits, and the optimizer's update."""

from libc.math cimport isinf, sqrt
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from cnn_core._cpu cimport (OPTIMIZER_NUMBERS, kernels_for, kernels_t, lanes_penalty_args_t,
                            optimizer_t)
from cnn_core._lane_layers cimport LaneLayer
from cnn_core._memory cimport PANEL_BYTES
from cnn_core._optimizer cimport Optimizer, clip_factor, clip_scale
from cnn_core._partition cimport Partition, WeightTile

# Vectors of parameters of a group of nets, and sums of each net.
cdef struct LaneStep:
    LaneLayer *layers
    Py_ssize_t n_layers, n              # n: parameters of a net
    char *w
    char *g
    (char *)[8] slots
    char *squares                       # a panel's lanes for each net
    double *sums
    double *factors


cdef inline void add_penalties(LaneStep *step, Partition partition, lanes_penalty_args_t *p,
                               double *penalty) noexcept nogil:
    """To gradients and penalties, tile by tile as `Backprop.add_penalty` does; p has l1 and l2."""
    cdef WeightTile *tile
    cdef LaneLayer *layer
    cdef Py_ssize_t t, panel, output, offset, lanes, i
    p.penalty = step.sums
    for t in range(partition.count):
        tile = &partition.tiles[t]
        layer = &step.layers[tile.layer]
        lanes = PANEL_BYTES // layer.itemsize
        memset(step.sums, 0, layer.nets * sizeof(double))
        for panel in range(tile.panel, tile.panel + tile.panels):
            output = panel * lanes
            p.inputs, p.outputs = tile.inputs, min(lanes, layer.n_out - output)
            p.output_stride = layer.inputs * layer.nets
            offset = layer.W + ((output * layer.inputs + tile.input) * layer.nets
                                * layer.itemsize)
            p.w, p.g = step.w + offset, step.g + offset
            layer.k.lanes_penalty(p)
        for i in range(layer.nets):
            penalty[i] += step.sums[i]


cdef inline void add_squares(LaneStep *step) noexcept nogil:
    """The sum of each net's squared gradient, in the order of `Optimizer.clip`: of each layer the
    weights, then the biases."""
    cdef const kernels_t *k = step.layers.k
    cdef LaneLayer *layer
    cdef char *g
    cdef Py_ssize_t l, stride
    memset(step.squares, 0, step.layers.nets * PANEL_BYTES)
    for l in range(step.n_layers):
        layer = &step.layers[l]
        g, stride = step.g + layer.W, layer.inputs * layer.nets
        k.lanes_squares(layer.n_out, layer.n_in, stride, g, step.squares)
        k.lanes_squares(layer.n_out, layer.inputs - layer.n_in, stride,
                        g + layer.n_in * layer.nets * layer.itemsize, step.squares)
    k.lanes_sum(step.squares, step.sums)


cdef inline void clip(LaneStep *step, double limit) noexcept nogil:
    """As `Optimizer.clip`, for each net."""
    cdef const kernels_t *k = step.layers.k
    cdef double scale = clip_scale(step.layers.itemsize)
    cdef bint overflows = False
    cdef Py_ssize_t i, nets = step.layers.nets
    add_squares(step)
    for i in range(nets):
        step.factors[i] = 1 / scale if isinf(sqrt(step.sums[i])) else 1
        overflows |= step.factors[i] < 1
    if overflows:
        k.lanes_scale(step.n, step.factors, step.g)
        add_squares(step)
    for i in range(nets):
        scale = clip_scale(step.layers.itemsize) if step.factors[i] < 1 else 1
        step.factors[i] = clip_factor(scale * sqrt(step.sums[i]), limit, scale)
    k.lanes_scale(step.n, step.factors, step.g)


cdef inline void clip_row_norms(LaneStep *step, double max_norm) noexcept nogil:
    """As `Optimizer.clip_row_norms`."""
    cdef LaneLayer *layer
    cdef Py_ssize_t l
    for l in range(step.n_layers):
        layer = &step.layers[l]
        layer.k.clip_row_norms(layer.n_in, layer.nets, layer.n_out,
                                                   layer.inputs * layer.nets, max_norm,
                                                   step.w + layer.W)


cdef inline void update(LaneStep *step, const optimizer_t *f, int64_t t, const double *h,
                        Py_ssize_t first, Py_ssize_t n) noexcept nogil:
    """The optimizer's step on n parameters of each net from number `first` on."""
    cdef Py_ssize_t nets = step.layers.nets, offset = first * nets * step.layers.itemsize
    cdef (void *)[8] slot
    cdef int s
    for s in range(f.slots):
        slot[s] = step.slots[s] + offset
    f.step(n * nets, True, t, h, step.w + offset, step.g + offset, slot)


cdef inline void update_groups(LaneStep *step, const optimizer_t *f, int64_t t,
                               const double *h) noexcept nogil:
    """The same on all parameters, where W and b of each layer have numbers of their own."""
    cdef LaneLayer *layer
    cdef Py_ssize_t l, _, first = 0, set = step.layers.nets * OPTIMIZER_NUMBERS
    for l in range(step.n_layers):
        layer = &step.layers[l]
        for _ in range(layer.n_out):
            update(step, f, t, h + 2 * l * set, first, layer.n_in)
            update(step, f, t, h + (2 * l + 1) * set, first + layer.n_in,
                   layer.inputs - layer.n_in)
            first += layer.inputs


cdef inline void copy_numbers(Optimizer rule, Py_ssize_t n_sets, Py_ssize_t stride,
                              double *h) noexcept nogil:
    """The numbers of each group of parameters, or those of all, `stride` sets apart."""
    cdef Py_ssize_t i
    cdef const double *numbers
    for i in range(n_sets):
        numbers = rule.h
        if rule.n_groups:
            numbers = rule.groups[i].h
        memcpy(h + i * stride * OPTIMIZER_NUMBERS, numbers, OPTIMIZER_NUMBERS * sizeof(double))


cdef inline void pad(Optimizer rule, Py_ssize_t n_sets, const double *first,
                     char *g) noexcept nogil:
    """The first step without a gradient, which may set the padding of slots; g becomes 0."""
    cdef const optimizer_t *f = &kernels_for(rule.network.itemsize).optimizers[rule.row]
    cdef Py_ssize_t i, s, offset = 0, n = rule.network.size
    cdef (void *)[8] slot
    memset(g, 0, n * rule.network.itemsize)
    for i in range(n_sets):
        if rule.n_groups:
            offset, n = rule.groups[i].offset, rule.groups[i].size
        for s in range(f.slots):
            slot[s] = <char *>rule.slot[s] + offset
        f.step(n, False, 1, first + i * OPTIMIZER_NUMBERS, rule.network.w + offset, g + offset,
               slot)

"""The layers of nets side by side: their products, and their parameters as the nets have them."""

from cnn_core._cpu cimport kernels_t, lanes_product_args_t
from cnn_core._linalg cimport real
from cnn_core._memory cimport PANEL_BYTES
from cnn_core._network cimport Layer, Network

# A layer. Its parameters W and b are W[output][input][net] with b as the last input. Its matrices
# have columns `ld` apart, and in a column the rows, each of `nets` numbers.
cdef struct LaneLayer:
    const kernels_t *k
    Py_ssize_t itemsize, nets, ld
    Py_ssize_t n_in, n_out
    Py_ssize_t inputs                   # n_in, or one more with b
    Py_ssize_t W                        # where it begins in the parameters, in bytes
    int activation                      # row in the table
    double activation_param
    char *x
    char *z
    char *a                             # x of the layer above
    char *delta


cdef inline void forward(const LaneLayer *layer, const char *w, Py_ssize_t rows) noexcept nogil:
    """z = W x + b."""
    cdef lanes_product_args_t p
    p.rows, p.columns, p.depth = rows, layer.n_out, layer.n_in
    p.a, p.a_row_stride, p.a_depth_stride = layer.x, layer.nets, layer.ld
    p.b, p.b_depth_stride = w + layer.W, layer.nets
    p.b_column_stride = layer.inputs * layer.nets
    p.bias, p.accumulate = NULL, False
    if layer.inputs > layer.n_in:
        p.bias = w + layer.W + layer.n_in * layer.nets * layer.itemsize
    p.c, p.c_column_stride = layer.z, layer.ld
    layer.k.lanes_product(&p)


cdef inline void activate(const LaneLayer *layer, Py_ssize_t rows) noexcept nogil:
    """a = f(z)."""
    layer.k.activations[layer.activation].forward(
        rows * layer.nets, layer.n_out, 1, layer.ld, layer.activation_param, layer.z, layer.a)


cdef inline void activate_backward(const LaneLayer *layer, Py_ssize_t rows) noexcept nogil:
    """delta *= f'(z)."""
    layer.k.activations[layer.activation].backward(
        rows * layer.nets, layer.n_out, 1, layer.ld, layer.activation_param, layer.z, layer.a,
        layer.delta)


cdef inline void send_back(const LaneLayer *layer, const char *w, char *delta,
                           Py_ssize_t rows) noexcept nogil:
    """W^T delta into the `delta` of the layer below."""
    cdef lanes_product_args_t p
    p.rows, p.columns, p.depth = rows, layer.n_in, layer.n_out
    p.a, p.a_row_stride, p.a_depth_stride = layer.delta, layer.nets, layer.ld
    p.b, p.b_depth_stride = w + layer.W, layer.inputs * layer.nets
    p.b_column_stride = layer.nets
    p.bias, p.accumulate = NULL, False
    p.c, p.c_column_stride = delta, layer.ld
    layer.k.lanes_product(&p)


cdef inline void weight_gradient(const LaneLayer *layer, char *g, Py_ssize_t rows,
                                 bint accumulate) noexcept nogil:
    """x delta^T = (dW)^T, with b as the weight of an input that is always 1."""
    cdef lanes_product_args_t p
    p.rows, p.columns, p.depth = layer.inputs, layer.n_out, rows
    p.a, p.a_row_stride, p.a_depth_stride = layer.x, layer.ld, layer.nets
    p.b, p.b_depth_stride, p.b_column_stride = layer.delta, layer.nets, layer.ld
    p.bias, p.accumulate = NULL, accumulate
    p.c, p.c_column_stride = g + layer.W, layer.inputs * layer.nets
    layer.k.lanes_product(&p)


cdef inline void copy_layer(const Layer *layer, bint has_bias, real *packed, real *lanes,
                            Py_ssize_t nets, bint back) noexcept nogil:
    """A layer of a vector of parameters into every nets-th of `lanes`, or back."""
    cdef Py_ssize_t o, i, panel_lanes = PANEL_BYTES // sizeof(real)
    cdef real *W
    cdef real *b = NULL
    if has_bias:
        b = packed + layer.b // <Py_ssize_t>sizeof(real)
    for o in range(layer.n_out):
        W = (packed + layer.W // <Py_ssize_t>sizeof(real)
             + o // panel_lanes * panel_lanes * layer.n_in + o % panel_lanes)
        for i in range(layer.n_in):
            if back:
                W[i * panel_lanes] = lanes[0]
            else:
                lanes[0] = W[i * panel_lanes]
            lanes += nets
        if has_bias:
            if back:
                b[o] = lanes[0]
            else:
                lanes[0] = b[o]
            lanes += nets


cdef inline void copy_vector(Network network, Py_ssize_t nets, char *packed, char *lanes,
                             Py_ssize_t i, bint back) noexcept nogil:
    """A vector of parameters in panels into lane i, or back."""
    cdef Py_ssize_t l, offset = i
    cdef Layer *layer
    for l in range(network.n_layers):
        layer = &network.layers[l]
        if network.itemsize == 8:
            copy_layer(layer, network.has_bias, <double *>packed, <double *>lanes + offset, nets,
                       back)
        else:
            copy_layer(layer, network.has_bias, <float *>packed, <float *>lanes + offset, nets,
                       back)
        offset += layer.n_out * (layer.n_in + network.has_bias) * nets

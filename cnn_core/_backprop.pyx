"""The network: its parameters, the forward pass, the delta recursion, the gradients.

For layers l = 1 .. L with a^0 = x:

    z^l = W^l a^(l-1) + b^l                       a^l = f(z^l)
    delta^L = dC/da^L * f'(z^L)                   delta^l = ((W^(l+1))^T delta^(l+1)) * f'(z^l)
    dC/dW^l = delta^l (a^(l-1))^T                 dC/db^l = delta^l

A mini-batch holds one row per sample; its gradients are averages, because the loss scales each
row's delta by 1/rows.
"""

import warnings

import numpy as np

from cpython.buffer cimport PyBUF_ND, PyBUF_WRITABLE, PyBuffer_Release
from libc.math cimport sqrt
from libc.stdint cimport int32_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset

from cnn_core._random cimport dropout_purpose
from cnn_core._cpu cimport (activation_t, address, kernels_for, kernels_t, leading_dimension, loss_args_t, loss_t,
                            matmul_args_t, pool_run)
from cnn_core import _activations, _losses
from cnn_core._checks import check_number, takes_reals
from cnn_core._names import choose
from cnn_core._linalg import matmul, pack, unpack
from cnn_core._memory import aligned_zeros

ctypedef fused real:
    float
    double

cdef extern from "Python.h":
    # Declared without its exception, which is cleared: an array that cannot be lent goes the long
    # way.
    int get_buffer "PyObject_GetBuffer"(object array, Py_buffer *view, int flags) noexcept
    void PyErr_Clear()

phases = ("shuffle", "gather", "forward", "activation", "loss", "backward", "gradient", "update")


# Words of 4 bytes in a panel, the neighbouring outputs that stand together in the weights
# (kernels.h).
cdef enum:
    PANEL_WORDS = 16


cdef inline uint32_t difference(Py_ssize_t n, const uint32_t *x, const uint32_t *y) noexcept nogil:
    """0 if n words are the same."""
    cdef Py_ssize_t i
    cdef uint32_t bits = 0
    for i in range(n):
        bits |= x[i] ^ y[i]
    return bits


cdef class Network:
    """A multilayer perceptron: its shape and its parameters.

    Parameters
    ----------
    widths : sequence of int
        Neurons of every layer, the inputs first: ``(64, 32, 10)`` has two layers of weights.
    activations : sequence of str
        One name for each layer of weights.
    dtype : {'float32', 'float64'}
    alphas : sequence of float or None, optional
        For each layer the number its activation takes (`_activations.parameters`), at least 0; None
        for that of the literature. An activation that takes none has None or 0.

    Attributes
    ----------
    parameters : ndarray
        All weights and biases in one flat buffer, as the kernels read them: for each layer the
        panels of W (`cnn_core._linalg.pack`), then b, each padded with zeros to whole panels.
    """

    # Here and below not __init__, which can be left out or called again: no object exists without
    # its buffers.
    def __cinit__(self, widths, activations, dtype="float32", alphas=None):
        cdef Py_ssize_t size = 0, l
        cdef Layer *layer
        self.widths, self.activations = tuple(int(n) for n in widths), tuple(activations)
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {self.dtype}")
        if len(self.widths) < 2 or min(self.widths) < 1:
            raise ValueError(f"a network needs at least two layers of one neuron or more, got widths {self.widths}")
        if len(self.activations) != len(self.widths) - 1:
            raise ValueError(f"{len(self.widths) - 1} layers need as many activations, got {len(self.activations)}")
        self.n_layers = len(self.activations)
        numbers = _activations.parameters()
        standard = tuple(numbers.get(name, ("", 0.0))[1] for name in self.activations)
        alphas = (None,) * self.n_layers if alphas is None else tuple(alphas)
        if len(alphas) != self.n_layers:
            raise ValueError(f"{self.n_layers} layers need as many alphas, got {len(alphas)}")
        self.alphas = tuple(default if alpha is None else float(alpha) for alpha, default in zip(alphas, standard))
        self.itemsize, self.lanes = self.dtype.itemsize, 64 // self.dtype.itemsize
        self.layer_memory = aligned_zeros(self.n_layers * sizeof(Layer), np.uint8)
        self.layers = <Layer *>address(self.layer_memory)
        total = sum(-(-n_out // self.lanes) * self.lanes * (n_in + 1)
                    for n_in, n_out in zip(self.widths, self.widths[1:]))
        self.parameters = aligned_zeros(total, self.dtype)
        self.w = address(self.parameters)
        self.block = BLOCK_OF_LARGE if self.parameters.nbytes > LARGE else BLOCK
        for l in range(self.n_layers):
            layer = &self.layers[l]
            layer.n_in, layer.n_out = self.widths[l], self.widths[l + 1]
            layer.panels = (layer.n_out + self.lanes - 1) // self.lanes
            layer.ld = leading_dimension(layer.n_out, self.itemsize)
            layer.f = choose("activation", self.activations[l], _activations.names())
            if self.activations[l] in numbers:
                check_number(f"alphas[{l}]", self.alphas[l], 0)
            elif self.alphas[l] != 0:
                raise ValueError(f"alphas[{l}] must be None: {self.activations[l]} takes no number, got "
                                 f"{self.alphas[l]}")
            layer.alpha = self.alphas[l]
            layer.W = size
            layer.b = size + layer.panels * self.lanes * layer.n_in
            size = layer.b + layer.panels * self.lanes
        self.turned = self.worth_turning()

    cdef Layer *layer(self, Py_ssize_t l) except NULL:
        if not 0 <= l < self.n_layers:
            raise IndexError(f"layer {l} does not exist; this network has {self.n_layers}")
        return &self.layers[l]

    def panels(self, Py_ssize_t l, vector=None):
        """Layer l's weights as a view of the flat buffer.

        Parameters
        ----------
        l : int
            0 is the first layer of weights.
        vector : ndarray, optional
            A buffer laid out as `parameters`, such as a gradient; default `parameters` itself.

        Returns
        -------
        ndarray, shape (panels, n_in, lanes)
        """
        cdef Layer *layer = self.layer(l)
        vector = self.parameters if vector is None else vector
        return vector[layer.W:layer.b].reshape(layer.panels, layer.n_in, self.lanes)

    def bias(self, Py_ssize_t l, vector=None):
        """Layer l's biases b as a view of the flat buffer.

        Parameters
        ----------
        l : int
        vector : ndarray, optional
            As in `panels`.

        Returns
        -------
        ndarray, shape (n_out,)
        """
        cdef Layer *layer = self.layer(l)
        vector = self.parameters if vector is None else vector
        return vector[layer.b:layer.b + layer.n_out]

    def weights(self, Py_ssize_t l, vector=None):
        """A copy of layer l's weights W.

        Parameters
        ----------
        l : int
        vector : ndarray, optional
            As in `panels`.

        Returns
        -------
        ndarray, shape (n_out, n_in)
        """
        return unpack(self.panels(l, vector), self.widths[l + 1])

    def set_layer(self, Py_ssize_t l, W, b):
        """Give layer l new weights and biases.

        Parameters
        ----------
        l : int
        W : array-like, shape (n_out, n_in)
        b : array-like, shape (n_out,)
        """
        cdef Layer *layer = self.layer(l)
        W, b = np.ascontiguousarray(W, self.dtype), np.ascontiguousarray(b, self.dtype)
        if W.shape != (layer.n_out, layer.n_in) or b.shape != (layer.n_out,):
            raise ValueError(f"layer {l} has weights of shape {(layer.n_out, layer.n_in)} and biases of shape "
                             f"{(layer.n_out,)}, got {W.shape} and {b.shape}")
        pack(W, self.panels(l))
        self.bias(l)[:] = b

    def holds(self, Py_ssize_t l, Wt, b):
        """Whether layer l's weights and biases are these, to the bit.

        Parameters
        ----------
        l : int
        Wt : ndarray, shape (n_in, n_out)
            Transposed weights; anything that is no C-contiguous array of the network's dtype is not
            held.
        b : ndarray, shape (n_out,)

        Returns
        -------
        bool
        """
        cdef Layer *layer = self.layer(l)
        cdef Py_ssize_t i, at, words = layer.n_out * self.itemsize // 4
        cdef const uint32_t *w = <const uint32_t *>(self.w + layer.W * self.itemsize)
        cdef const uint32_t *given
        cdef uint32_t other
        for array, shape in ((Wt, (layer.n_in, layer.n_out)), (b, (layer.n_out,))):
            if not (isinstance(array, ndarray) and array.dtype == self.dtype and array.shape == shape
                    and array.flags.c_contiguous):
                return False
        given = <const uint32_t *>address(b)
        other = difference(words, <const uint32_t *>(self.w + layer.b * self.itemsize), given)
        given = <const uint32_t *>address(Wt)
        for at in range(0, words, PANEL_WORDS):
            if at + PANEL_WORDS <= words:
                for i in range(layer.n_in):  # with a number that the compiler knows it does not need a loop
                    other |= difference(PANEL_WORDS, w + at * layer.n_in + i * PANEL_WORDS, given + i * words + at)
            else:
                for i in range(layer.n_in):
                    other |= difference(words - at, w + at * layer.n_in + i * PANEL_WORDS, given + i * words + at)
        return other == 0

    def flat(self, vector=None):
        """All parameters in the textbook's order: W^1 row by row, b^1, W^2, b^2, ...

        Parameters
        ----------
        vector : ndarray, optional
            As in `panels`.

        Returns
        -------
        ndarray, shape (n_parameters,)
            A copy without padding.
        """
        return np.concatenate([part.ravel() for l in range(self.n_layers)
                               for part in (self.weights(l, vector), self.bias(l, vector))])

    def set_flat(self, values):
        """Set all parameters from a vector in the order of `flat`.

        Parameters
        ----------
        values : array-like, shape (n_parameters,)
        """
        values = np.ascontiguousarray(values, self.dtype)
        sizes = [n_out * (n_in + 1) for n_in, n_out in zip(self.widths, self.widths[1:])]
        if values.shape != (sum(sizes),):
            raise ValueError(f"this network has {sum(sizes)} parameters, got an array of shape {values.shape}")
        for l, part in enumerate(np.split(values, np.cumsum(sizes)[:-1])):
            n_in, n_out = self.widths[l], self.widths[l + 1]
            self.set_layer(l, part[:n_in * n_out].reshape(n_out, n_in), part[n_in * n_out:])

    def is_finite(self):
        """Whether no parameter is NaN or infinite.

        Returns
        -------
        bool
        """
        cdef Py_ssize_t n = self.parameters.size
        cdef bint finite
        with nogil:
            finite = kernels_for(self.itemsize).is_finite(n, self.w)
        return bool(finite)

    def copy(self):
        """A network of the same shape with its own copy of the parameters."""
        other = Network(self.widths, self.activations, self.dtype, self.alphas)
        self.copy_to(other)
        return other

    def copy_to(self, Network other not None):
        """Give another network of the same shape these parameters."""
        if other.widths != self.widths or other.dtype != self.dtype:
            raise ValueError(f"a network of widths {other.widths} and {other.dtype} cannot take the parameters of one of "
                             f"{self.widths} and {self.dtype}")
        memcpy(other.w, self.w, self.parameters.nbytes)

    def __reduce__(self):
        return _restore, (self.widths, self.activations, self.dtype.name, self.alphas, self.flat())

    cdef void layer_forward(self, const kernels_t *k, Py_ssize_t l, Py_ssize_t rows, const char *x, Py_ssize_t ld_x,
                            const Py_ssize_t *listed, char *z) noexcept nogil:
        self.panels_forward(k, l, 0, self.layers[l].panels, rows, x, ld_x, listed, z)

    cdef void panels_forward(self, const kernels_t *k, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t rows,
                             const char *x, Py_ssize_t ld_x, const Py_ssize_t *listed, char *z) noexcept nogil:
        # Some panels of z = x W^T + b, for the first rows of x or the listed ones.
        cdef Layer *layer = &self.layers[l]
        cdef Py_ssize_t lanes = self.lanes, itemsize = self.itemsize
        cdef matmul_args_t p
        p.rows, p.panels, p.depth = rows, panels, layer.n_in
        p.a, p.a_row_stride, p.a_depth_stride, p.row_index, p.depth_index = x, ld_x, 1, listed, NULL
        p.b, p.b_depth_stride, p.b_panel_stride = self.w + (layer.W + panel * layer.n_in * lanes) * itemsize, lanes, layer.n_in * lanes
        p.bias, p.row_bias = self.w + (layer.b + panel * lanes) * itemsize, NULL
        p.accumulate, p.bias_grad = 0, NULL
        p.c, p.c_row_stride, p.c_panel_stride = z + panel * lanes * itemsize, layer.ld, lanes
        k.matmul(&p)

    cdef void layer_turned(self, const kernels_t *k, Py_ssize_t l, Py_ssize_t across, const char *x, Py_ssize_t ld_x, char *z,
                           Py_ssize_t ld_z) noexcept nogil:
        # z^T = W x^T + b for a multiple of the lanes of rows, a panel of W after the other.
        cdef Layer *layer = &self.layers[l]
        cdef Py_ssize_t lanes = self.lanes, itemsize = self.itemsize, panel
        cdef matmul_args_t p
        p.panels, p.depth, p.a_row_stride, p.a_depth_stride, p.row_index, p.depth_index = across // lanes, layer.n_in, 1, lanes, NULL, NULL
        p.b, p.b_depth_stride, p.b_panel_stride, p.c_row_stride, p.c_panel_stride = x, ld_x, lanes, ld_z, lanes
        p.bias, p.accumulate, p.bias_grad = NULL, 0, NULL
        for panel in range(layer.panels):
            p.rows = min(lanes, layer.n_out - panel * lanes)
            p.a = self.w + (layer.W + panel * layer.n_in * lanes) * itemsize
            p.row_bias = self.w + (layer.b + panel * lanes) * itemsize
            p.c = z + panel * lanes * ld_z * itemsize
            k.matmul(&p)

    cdef void activation_turned(self, const kernels_t *k, Py_ssize_t l, Py_ssize_t across, Py_ssize_t ld, char *z,
                                char *a) noexcept nogil:
        # a^T = f(z^T) of the same.
        cdef Layer *layer = &self.layers[l]
        k.activations[layer.f].forward(across, layer.n_out, 1, ld, layer.alpha, z, a)

    cdef bint worth_turning(self):
        """Whether many rows pass through the layers faster on their side: each output of 16 rows
        (float32) in a vector, so that narrow layers leave no lanes empty. Counted in
        multiplications; turning a number costs about as much as 8."""
        cdef Layer *last = &self.layers[self.n_layers - 1]
        cdef Py_ssize_t l, as_they_stand = 0, turned = 8 * (self.layers[0].n_in + last.n_out)
        for l in range(self.n_layers):
            as_they_stand += (self.layers[l].n_in + 16) * self.layers[l].panels * self.lanes
            turned += (self.layers[l].n_in + 16) * self.layers[l].n_out
            if kernels_for(self.itemsize).activations[self.layers[l].f].per_row and not self.softmax_across(l):
                return False
        return turned < 0.9 * as_they_stand

    cdef bint softmax_across(self, Py_ssize_t l) noexcept:
        return self.activations[l] == "softmax" and self.layers[l].panels == 1

    def forward(self, X, int threads=1, bint only_finite=False):
        """The output a^L for every row of X.

        Parameters
        ----------
        X : ndarray, shape (rows, n_in)
            C-contiguous and of the network's dtype; may be read-only.
        threads : int
            The most to use.
        only_finite : bool
            Whether rows with an entry that is NaN or infinite are refused. They are looked at while
            they are in the cache: a look of its own would fetch them from memory once more.

        Returns
        -------
        ndarray, shape (rows, n_out), or None
            Each row's bits depend on that row alone. None where rows are refused.
        """
        self.check_rows(X)
        out = np.empty((X.shape[0], self.widths[-1]), self.dtype)
        return out if X.shape[0] == 0 or _forward(self, X, out, None, 0, threads, only_finite) else None

    def winners(self, X, double threshold=0.5, int threads=1, bint only_finite=False):
        """The index of the largest output for every row of X, the first among equals, or of the
        first NaN, with a warning.

        Parameters
        ----------
        X, threads, only_finite
            As in `forward`.
        threshold : float
            Of a single output the index is 1 where it is larger than this, else 0.

        Returns
        -------
        ndarray of intp, shape (rows,), or None
        """
        self.check_rows(X)
        index = np.empty(X.shape[0], np.intp)
        return index if X.shape[0] == 0 or _forward(self, X, None, index, threshold, threads, only_finite) else None

    cdef check_rows(self, X):
        if X.dtype != self.dtype or X.ndim != 2 or X.shape[1] != self.widths[0]:
            raise ValueError(f"X must have shape (rows, {self.widths[0]}) and dtype {self.dtype}, "
                             f"got {X.shape} and {X.dtype}")


# What the threads of a prediction share.
cdef struct Forward:
    void *network
    const char *X
    char *out                   # one of the two is NULL
    Py_ssize_t *index
    double threshold
    char *scratch
    Py_ssize_t count, block, room
    bint only_finite, refused, unknown


cdef bint refuses(Forward *shared, const kernels_t *k, Py_ssize_t n, const char *x) noexcept nogil:
    """Whether n numbers of X are not all finite, but have to be. To be asked after the first use of
    x, which fetches it from memory while it computes."""
    if shared.only_finite and not k.is_finite(n, x):
        shared.refused = True
    return shared.refused


def _forward(Network network not None, const real[:, ::1] X not None, real[:, ::1] out, Py_ssize_t[::1] index,
             double threshold, int threads, bint only_finite):
    cdef Forward shared
    cdef Py_ssize_t l, count = X.shape[0], widest = 0, n_blocks
    shared.block = BLOCK_TURNED if network.turned else min(network.block, count)
    n_blocks = blocks(count, shared.block)
    threads = <int>max(1, min(threads, count * network.parameters.size // WORK_A_THREAD, n_blocks))
    for l in range(network.n_layers):
        widest = max(widest, network.layers[l].ld)
    if network.turned:
        widest = max(widest, (network.layers[0].n_in + network.lanes - 1) // network.lanes * network.lanes)
    shared.room = shared.block * widest * sizeof(real)
    scratch = aligned_zeros(threads * 2 * shared.room, np.uint8)
    shared.network, shared.count, shared.threshold = <void *>network, count, threshold
    shared.only_finite, shared.refused, shared.unknown = only_finite, False, False
    shared.X, shared.scratch = <const char *>&X[0, 0], address(scratch)
    shared.out = <char *>&out[0, 0] if out is not None else NULL
    shared.index = &index[0] if index is not None else NULL
    with nogil:
        pool_run(turned_task if network.turned else forward_task, &shared, n_blocks, NULL, threads)
    if shared.unknown:
        warn_of_nan(network.dtype, 4)  # in MLP.predict's caller
    return not shared.refused


def warn_of_nan(dtype, level):
    """Say that classes were predicted from outputs that are NaN."""
    warnings.warn(f"some rows have outputs that are NaN, as numbers on the way overflow {dtype}; the classes predicted for them "
                  "mean nothing", RuntimeWarning, stacklevel=level)


cdef void forward_task(void *shared, Py_ssize_t block, int worker) noexcept nogil:
    forward_block(<Forward *>shared, <Network>(<Forward *>shared).network, block, worker)


cdef void turned_task(void *shared, Py_ssize_t block, int worker) noexcept nogil:
    forward_turned(<Forward *>shared, <Network>(<Forward *>shared).network, block, worker)


cdef void forward_block(Forward *shared, Network network, Py_ssize_t block, int worker) noexcept nogil:
    """A block of rows through all layers, on two buffers in turn."""
    cdef Py_ssize_t itemsize = network.itemsize, first = block * shared.block
    cdef Py_ssize_t rows = min(shared.block, shared.count - first), ld = network.layers[0].n_in
    cdef Py_ssize_t l, r, bytes_a_row = network.layers[network.n_layers - 1].n_out * itemsize
    cdef const kernels_t *k = kernels_for(itemsize)
    cdef const char *x = shared.X + first * ld * itemsize
    cdef char *here = shared.scratch + 2 * worker * shared.room
    cdef char *there = here + shared.room
    cdef Layer *layer
    for l in range(network.n_layers):
        layer = &network.layers[l]
        network.layer_forward(k, l, rows, x, ld, NULL, here)
        if l == 0 and refuses(shared, k, rows * ld, x):
            return
        k.activations[layer.f].forward(rows, layer.n_out, layer.ld, 1, layer.alpha, here, here)
        x, ld = here, layer.ld
        here, there = there, here
    if shared.index:
        if k.argmax(rows, layer.n_out, ld, 1, x, shared.threshold, shared.index + first):
            shared.unknown = True
        return
    for r in range(rows):
        memcpy(shared.out + (first + r) * bytes_a_row, x + r * ld * itemsize, bytes_a_row)


cdef void forward_turned(Forward *shared, Network network, Py_ssize_t block, int worker) noexcept nogil:
    """The same with the rows on their side."""
    cdef Py_ssize_t itemsize = network.itemsize, lanes = network.lanes, first = block * BLOCK_TURNED
    cdef Py_ssize_t rows = min(BLOCK_TURNED, shared.count - first), n_in = network.layers[0].n_in, l
    cdef Py_ssize_t across = blocks(rows, lanes) * lanes
    cdef const kernels_t *k = kernels_for(itemsize)
    cdef char *here = shared.scratch + 2 * worker * shared.room
    cdef char *there = here + shared.room
    cdef Layer *last = &network.layers[network.n_layers - 1]
    cdef const char *x = shared.X + first * n_in * itemsize
    k.transpose(rows, n_in, n_in, x, blocks(n_in, lanes) * lanes, BLOCK_TURNED, there)
    if refuses(shared, k, rows * n_in, x):
        return
    for l in range(network.n_layers):
        network.layer_turned(k, l, across, there, BLOCK_TURNED, here, BLOCK_TURNED)
        network.activation_turned(k, l, across, BLOCK_TURNED, here, here)
        here, there = there, here
    if shared.index:
        if k.argmax(rows, last.n_out, 1, BLOCK_TURNED, there, shared.threshold, shared.index + first):
            shared.unknown = True
    else:
        k.transpose(last.n_out, rows, BLOCK_TURNED, there, rows, last.n_out, shared.out + first * last.n_out * itemsize)


# One row, where the call costs more than the arithmetic: no memoryviews, no GIL given away and
# taken back, no allocation but the result.

cdef enum:
    ON_STACK = 8192             # bytes of each of the two buffers that take turns, for layers of up to 2048 float32
    LONG_WORK = 1 << 20         # bytes of parameters that take about 20 us; from there on other threads may run

cdef object ndarray = np.ndarray
cdef object empty = np.empty


cdef bint borrow(object array, object dtype, int ndim, Py_ssize_t columns, int flags, Py_buffer *view) noexcept:
    """Whether `array` is an ndarray (no subclass) of `dtype` that holds one C-contiguous row;
    `view` then lends it."""
    # One look at the dtype takes half the time that the buffer's format would add.
    if type(array) is not ndarray or array.dtype is not dtype:
        return False
    if get_buffer(array, view, PyBUF_ND | flags):
        PyErr_Clear()
        return False
    if view.ndim == ndim and view.shape[ndim - 1] == columns and (ndim == 1 or view.shape[0] == 1):
        return True
    PyBuffer_Release(view)
    return False


cdef void scale(Py_ssize_t n, const double *shift, const double *factor, const real *x, real *scaled) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        scaled[i] = <real>((x[i] - shift[i]) * factor[i])


cdef class OneRow:
    """The forward pass of single rows, with the bits of `Network.forward`. Any threads may use one
    object at once.

    Parameters
    ----------
    network : Network
    shift, factor : ndarray of float64, shape (n_in,), optional
        The network reads (x - shift) * factor, computed in float64 and rounded once; default x
        itself.
    """

    cdef Network network
    cdef object dtype, shift_array, factor_array
    cdef tuple shape, shape_of_matrix
    cdef const double *shift
    cdef const double *factor
    cdef Py_ssize_t n_in, n_out
    cdef Py_ssize_t room        # bytes of each buffer
    cdef bint takes_long

    def __cinit__(self, Network network not None, shift=None, factor=None):
        cdef Py_ssize_t l
        self.network, self.dtype = network, network.dtype
        self.n_in, self.n_out = network.widths[0], network.widths[-1]
        self.shape, self.shape_of_matrix = (self.n_out,), (1, self.n_out)
        self.takes_long = network.parameters.nbytes >= LONG_WORK
        for l in range(network.n_layers):
            self.room = max(self.room, 64 * network.layers[l].panels)
        if shift is None and factor is None:
            return
        for array in (shift, factor):
            if not (isinstance(array, np.ndarray) and array.dtype == np.float64 and array.shape == (self.n_in,)
                    and array.flags.c_contiguous):
                raise ValueError(f"shift and factor must be C-contiguous ndarrays of float64, shape ({self.n_in},)")
        self.room = max(self.room, (self.n_in * network.itemsize + 63) // 64 * 64)
        self.shift_array, self.factor_array = shift, factor
        self.shift, self.factor = <double *>address(shift), <double *>address(factor)

    def __reduce__(self):
        return OneRow, (self.network, self.shift_array, self.factor_array)

    def forward(self, x, out=None):
        """The output a^L for one row; its entries are not looked at, and NaN goes its way.

        Parameters
        ----------
        x : ndarray, shape (n_in,)
        out : ndarray, shape (n_out,), optional
            Where the result goes; it may overlap x.

        Returns
        -------
        ndarray, shape (n_out,), or None
            `out` or a new array; None if x or `out` is no C-contiguous ndarray of its shape and the
            network's dtype, or `out` is read-only.
        """
        return self.run(x, 1, empty(self.shape, self.dtype) if out is None else out)

    def forward_checked(self, X):
        """As `forward`, for a row of a matrix, and None for entries that are not finite or do not
        stay so when scaled.

        Parameters
        ----------
        X : ndarray, shape (1, n_in)

        Returns
        -------
        ndarray, shape (1, n_out), or None
        """
        return self.run(X, 2, empty(self.shape_of_matrix, self.dtype))

    cdef run(self, x, int ndim, out):
        cdef Py_buffer source, target
        cdef bint good
        cdef char *memory = NULL
        if self.room > ON_STACK:  # before the buffers are lent, as it may raise
            room = aligned_zeros(2 * self.room, np.uint8)
            memory = address(room)
        if not borrow(x, self.dtype, ndim, self.n_in, 0, &source):
            return None
        if not borrow(out, self.dtype, ndim, self.n_out, PyBUF_WRITABLE, &target):
            PyBuffer_Release(&source)
            return None
        good = self.compute(<const char *>source.buf, <char *>target.buf, memory, ndim == 2)
        PyBuffer_Release(&target)
        PyBuffer_Release(&source)
        return out if good else None

    cdef bint compute(self, const char *x, char *a, char *memory, bint check) noexcept:
        cdef char[2 * ON_STACK + 64] stack
        if memory == NULL:
            memory = <char *>((<uintptr_t>stack + 63) // 64 * 64)
        if not self.takes_long:
            return self.all_layers(x, a, memory, check)
        with nogil:
            check = self.all_layers(x, a, memory, check)
        return check

    cdef bint all_layers(self, const char *x, char *a, char *here, bint check) noexcept nogil:
        """False, and nothing done, where what the network reads is to be checked and not finite."""
        cdef const kernels_t *k = kernels_for(self.network.itemsize)
        cdef Py_ssize_t l, lanes = self.network.lanes
        cdef char *there = here + self.room
        cdef Layer *layer
        if self.shift != NULL:
            if self.network.itemsize == 8:
                scale(self.n_in, self.shift, self.factor, <const double *>x, <double *>there)
            else:
                scale(self.n_in, self.shift, self.factor, <const float *>x, <float *>there)
            x = there
        if check and not k.is_finite(self.n_in, x):
            return False
        for l in range(self.network.n_layers):
            layer = &self.network.layers[l]
            self.network.layer_forward(k, l, 1, x, 0, NULL, here)
            k.activations[layer.f].forward(1, layer.n_out, layer.panels * lanes, 1, layer.alpha, here, here)
            x = here
            here, there = there, here
        memcpy(a, x, self.n_out * self.network.itemsize)
        return True


def _restore(widths, activations, dtype, alphas, values):
    network = Network(widths, activations, dtype, alphas)
    network.set_flat(values)
    return network


cdef dropout_t dropout_at(double rate, bint alpha) noexcept nogil:
    """Dropout scaled so that the mean stays (Srivastava et al. 2014), or, with `alpha`, so that
    mean 0 and variance 1 of selu's outputs stay: what goes takes selu's lower limit -lambda alpha
    (Klambauer et al. 2017)."""
    cdef dropout_t d
    cdef double keep = 1 - rate, gone = -1.7580993408473768 if alpha else 0
    memset(&d, 0, sizeof(d))
    d.threshold = <uint32_t>(rate * 4294967296.0)
    d.factor = 1 / sqrt(keep + gone * gone * keep * rate) if alpha else 1 / keep
    d.shift = -d.factor * rate * gone
    d.fill_value = d.factor * gone + d.shift
    return d


cdef class Backprop:
    """Forward pass, loss, delta recursion and gradients of one network on mini-batches.

    Parameters
    ----------
    network : Network
        Its parameters are read, never written.
    loss : str
    capacity : int
        Rows of the largest mini-batch.
    alpha : float, optional
        The loss's number (`_losses.table`); default that of the literature.
    l1, l2 : float
        The cost of each mini-batch is increased by l1 |W|_1 + l2/2 |W|^2 over all weights W, biases
        left out.
    dropout : sequence of float, optional
        For each layer the share of its inputs that a training step leaves out, in [0, 1). Inputs
        that come from selu are left out as alpha dropout does.
    penalty_per_row : bool
        Whether that penalty is divided by the number of rows of the mini-batch (by their weight,
        where they have one), as scikit-learn does: it then counts less in larger mini-batches.

    Attributes
    ----------
    gradient : ndarray
        The averaged gradient of the last mini-batch, laid out as ``network.parameters``.
    n_parameters : int
        Length of the flat vectors, padding included.
    from_z : bool
        Whether the loss takes in the last activation and works on z^L (softmax or sigmoid with its
        cross-entropy).
    turned : bool
        Whether the last layer works with the rows on their side.
    """

    def __cinit__(self, Network network not None, str loss not None, Py_ssize_t capacity, alpha=None, double l1=0,
                  double l2=0, dropout=None, bint penalty_per_row=False):
        cdef Py_ssize_t l, size, inputs, itemsize = network.itemsize, lanes = network.lanes
        cdef Layer *layer
        cdef const activation_t *f
        self.loss_row = choose("loss", loss, _losses.names())
        row = _losses.table()[loss]
        if row.outputs and network.activations[-1] not in row.outputs:
            raise ValueError(f"the loss {loss!r} needs the output activation {' or '.join(map(repr, row.outputs))}, "
                             f"got {network.activations[-1]!r}")
        if capacity < 1:
            raise ValueError(f"capacity must be at least one row, got {capacity}")
        self.network, self.loss, self.capacity = network, loss, capacity
        self.sparse, self.from_z = row.sparse, bool(row.outputs)
        self.alpha = row.standard if alpha is None else alpha
        self.y_threshold = (row.low + row.high) / 2 if np.isfinite(row.high) and not row.sparse else 0.5
        self.threshold = 0 if self.from_z else self.y_threshold
        self.l1, self.l2, self.penalty_per_row, self.penalty_share = l1, l2, penalty_per_row, 1
        self.dropout = (0.0,) * network.n_layers if dropout is None else tuple(float(rate) for rate in dropout)
        if len(self.dropout) != network.n_layers or not all(0 <= rate < 1 for rate in self.dropout):
            raise ValueError(f"dropout must give each of the {network.n_layers} layers a rate of at least 0 and below 1, "
                             f"got {self.dropout}")
        self.memory = []
        self.n_parameters = network.parameters.size
        self.gradient = aligned_zeros(network.parameters.size, network.dtype)
        self.g = address(self.gradient)
        self.flows = <Flow *>self.room(network.n_layers * sizeof(Flow), 1)
        self.ld_x = leading_dimension(network.widths[0], itemsize)
        self.turned = self.worth_turning()
        self.scale = self.room(capacity + lanes, itemsize)  # a capacity beyond all memory fails here, before any product overflows
        self.x = self.room(capacity * self.ld_x, itemsize)
        self.row_loss = self.room(capacity + lanes, itemsize)
        self.label = <int32_t *>self.room(capacity + lanes, sizeof(int32_t))
        for l in range(network.n_layers):
            layer = &network.layers[l]
            f = &kernels_for(itemsize).activations[layer.f]
            size = capacity * layer.ld
            if self.turned and l == network.n_layers - 1:
                self.ld_turned = leading_dimension(capacity, itemsize)
                size = layer.n_out * self.ld_turned
            self.flows[l].a = self.room(size, itemsize)
            self.flows[l].z = self.room(size, itemsize) if f.needs_preactivation else self.flows[l].a
            self.flows[l].delta = self.room(size, itemsize)
            if l > 0:
                self.flows[l].Wt = self.room((layer.n_in + lanes - 1) // lanes * lanes * layer.n_out, itemsize)
        self.y = NULL if self.sparse else self.room(capacity * layer.ld, itemsize)
        if self.turned:
            inputs = blocks(layer.n_in, lanes) * lanes
            self.side = self.room((capacity + lanes) * inputs, itemsize)
            self.side_gradient = self.room((inputs + lanes) * layer.n_out, itemsize)
            ones = np.ones(lanes, network.dtype)
            self.ones = address(ones)
            self.memory.append(ones)
            self.y_turned = NULL if self.sparse else self.room(size, itemsize)
        self.seconds = <double *>self.room(network.n_layers * PHASES, sizeof(double))
        self.inlets = <Inlet *>self.room(network.n_layers * sizeof(Inlet), 1)
        for l in range(network.n_layers):
            self.set_inlet(l, &self.inlets[l])
        self.cut()

    cdef bint worth_turning(self):
        """Whether the last of several layers is so narrow that it works faster with its rows on
        their side. Counted as in `Network.worth_turning`; the loss turns rows of one panel anyway,
        there and back."""
        network = self.network
        cdef Layer *last = &network.layers[network.n_layers - 1]
        cdef Py_ssize_t lanes = network.lanes
        if network.n_layers == 1 or last.panels > 1 or not self.from_z and kernels_for(network.itemsize).activations[last.f].per_row:
            return False
        return 8 * last.n_in + (2 * last.n_in + 16) * last.n_out < 0.9 * (2 * last.n_in + 16 + 16) * lanes

    cdef cut(self):
        """Cut the layers into pieces."""
        network = self.network
        cdef Layer *layer
        cdef Piece *piece
        cdef Py_ssize_t l, panel, input, i, at
        self.n_pieces = sum(blocks(-(-n_out // network.lanes), PIECE_PANELS) * blocks(n_in, PIECE_INPUTS)
                            for n_in, n_out in zip(network.widths, network.widths[1:]))
        self.pieces = piece = <Piece *>self.room(self.n_pieces * sizeof(Piece), 1)
        self.schedule = <Py_ssize_t *>self.room(self.n_pieces, sizeof(Py_ssize_t))
        self.costs = <Py_ssize_t *>self.room(self.n_pieces + 1, sizeof(Py_ssize_t))
        for l in range(network.n_layers):
            layer = &network.layers[l]
            for panel in range(0, layer.panels, PIECE_PANELS):
                for input in range(0, layer.n_in, PIECE_INPUTS):
                    piece.layer, piece.panel, piece.input = l, panel, input
                    piece.panels = min(PIECE_PANELS, layer.panels - panel)
                    piece.inputs = min(PIECE_INPUTS, layer.n_in - input)
                    piece += 1
        # A thread has the same share of the outputs of every layer: those whose z it computes in
        # the forward pass, so that the weights stay in its cache.
        places = [self.pieces[i].panel / network.layers[self.pieces[i].layer].panels for i in range(self.n_pieces)]
        for i, at in enumerate(sorted(range(self.n_pieces), key=places.__getitem__)):
            self.schedule[i] = at
            self.costs[i + 1] = self.costs[i] + self.pieces[at].panels * self.pieces[at].inputs

    cdef set_inlet(self, Py_ssize_t l, Inlet *inlet):
        """What layer l reads."""
        network = self.network
        inlet.width = network.widths[l]
        inlet.a = self.flows[l - 1].a if l > 0 else self.x
        inlet.ld = network.layers[l - 1].ld if l > 0 else self.ld_x
        inlet.drop = dropout_at(self.dropout[l], l > 0 and network.activations[l - 1] == "selu")
        inlet.drops = inlet.drop.threshold > 0
        if inlet.drops:
            inlet.kept = self.room(self.capacity * inlet.ld, network.itemsize)
            if l > 0:
                inlet.slope = self.room(self.capacity * inlet.ld, network.itemsize)

    cdef void draw_with(self, uint64_t seed, uint64_t step) noexcept nogil:
        """Which inputs the coming training step leaves out."""
        cdef Py_ssize_t l
        cdef dropout_t *drop
        for l in range(self.network.n_layers):
            drop = &self.inlets[l].drop
            drop.key, drop.purpose, drop.step = seed, dropout_purpose(<uint32_t>l, step), <uint32_t>step

    cdef use_weights(self, bint wanted):
        """Have room for a weight of each row, or weigh them all alike."""
        if wanted and self.weight_memory is None:
            self.weight_memory = aligned_zeros(self.capacity, self.network.dtype)
        self.weight = address(self.weight_memory) if wanted else NULL

    cdef char *room(self, Py_ssize_t count, Py_ssize_t itemsize) except NULL:
        memory = aligned_zeros((count, itemsize), np.uint8)
        self.memory.append(memory)
        return address(memory)

    cdef char *output(self) noexcept nogil:
        """Where the last layer left what the loss works on."""
        cdef Flow *last = &self.flows[self.network.n_layers - 1]
        return last.z if self.from_z else last.a

    cdef Py_ssize_t offset(self, Py_ssize_t l, Py_ssize_t row) noexcept nogil:
        """Where a row begins in layer l's z, a and delta, in bytes."""
        if self.turned and l == self.network.n_layers - 1:
            return row * self.network.itemsize
        return row * self.network.layers[l].ld * self.network.itemsize

    cdef void targets(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        """Bring the targets of some rows, which stand in y, into the form that the loss wants."""
        cdef Layer *last = &self.network.layers[self.network.n_layers - 1]
        if self.turned and self.y != NULL:
            kernels_for(self.network.itemsize).transpose(rows, last.n_out, last.ld, self.y + first * last.ld * self.network.itemsize,
                                                    last.n_out, self.ld_turned, self.y_turned + first * self.network.itemsize)

    cdef void mark(self, int phase, Py_ssize_t layer) noexcept nogil:
        """Everything since the last mark was `phase` of a layer."""
        cdef double now
        if self.timing:
            now = clock_seconds()
            self.seconds[layer * PHASES + phase] += now - self.last
            self.last = now

    cdef double average_over(self, Py_ssize_t rows) noexcept nogil:
        """Weigh each row's delta by its share of the mini-batch's weight, and return that
        weight."""
        cdef Py_ssize_t r
        cdef double total = rows
        if self.weight != NULL:
            total = 0
            for r in range(rows):
                total += self.row_weight(r)
        if self.penalty_per_row:
            self.penalty_share = 1 / total if total > 0 else 0
        if self.weight == NULL:
            if self.scaled_for == rows:
                return total
            self.scaled_for = rows
        else:
            self.scaled_for = 0
        for r in range(rows):
            # Where all weights are 0 there is nothing to learn.
            share = self.row_weight(r) / total if total > 0 else 0
            if self.network.itemsize == 8:
                (<double *>self.scale)[r] = share
            else:
                (<float *>self.scale)[r] = <float>share
        return total

    cdef double row_weight(self, Py_ssize_t r) noexcept nogil:
        if self.weight == NULL:
            return 1
        return (<double *>self.weight)[r] if self.network.itemsize == 8 else (<float *>self.weight)[r]

    cdef Place in_gradient(self, Piece *piece) noexcept nogil:
        """A piece's place in `gradient`."""
        cdef Layer *layer = &self.network.layers[piece.layer]
        cdef Py_ssize_t lanes = self.network.lanes, itemsize = self.network.itemsize
        cdef Place place
        place.W = self.g + (layer.W + (piece.panel * layer.n_in + piece.input) * lanes) * itemsize
        place.step = layer.n_in * lanes
        place.b = self.g + (layer.b + piece.panel * lanes) * itemsize
        return place

    cdef void penalize(self, Piece *piece, Place place) noexcept nogil:
        """l1 |W|_1 + l2/2 |W|^2 over the weights of a piece, and its gradient added to that of the
        cost."""
        cdef const kernels_t *k = kernels_for(self.network.itemsize)
        cdef Layer *layer = &self.network.layers[piece.layer]
        cdef Py_ssize_t panel, at, itemsize = self.network.itemsize, lanes = self.network.lanes
        cdef double l1 = self.l1 * self.penalty_share, l2 = self.l2 * self.penalty_share
        piece.penalty = 0
        if l1 == 0 and l2 == 0:
            return
        for panel in range(piece.panels):
            at = (layer.W + ((piece.panel + panel) * layer.n_in + piece.input) * lanes) * itemsize
            piece.penalty += k.add_penalty(piece.inputs * lanes, l1, l2, self.network.w + at,
                                        place.W + panel * place.step * itemsize)

    cdef double penalties(self) noexcept nogil:
        """Their sum over the pieces, one after the other."""
        cdef Py_ssize_t i
        cdef double total = 0
        for i in range(self.n_pieces):
            total += self.pieces[i].penalty
        return total

    cdef void transpose_weights(self) noexcept nogil:
        """Refresh W^T of every layer but the first; due whenever the weights have changed."""
        cdef const kernels_t *k = kernels_for(self.network.itemsize)
        cdef Layer *layer
        cdef Py_ssize_t l
        for l in range(1, self.network.n_layers):
            layer = &self.network.layers[l]
            k.transpose_panels(layer.n_in, layer.n_out, 0, layer.n_in, 0, layer.n_out,
                        self.network.w + layer.W * self.network.itemsize, self.flows[l].Wt)

    cdef const char *inputs(self, Py_ssize_t l, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil:
        """What layer l reads: where it begins for some rows of the mini-batch, unless these are
        listed."""
        cdef Inlet *inlet = &self.inlets[l]
        cdef Py_ssize_t offset = first * inlet.ld * self.network.itemsize
        cdef const char *x = inlet.a if inlet.rows else inlet.a + offset
        if dropping and inlet.drops:
            kernels_for(self.network.itemsize).drop(self.origin + first, rows, inlet.width, inlet.ld, &inlet.drop, x,
                                                    inlet.kept + offset, inlet.slope + offset if inlet.slope else NULL)
            x = inlet.kept + offset
        return x

    cdef void hidden_forward(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t first, Py_ssize_t rows,
                             bint dropping) noexcept nogil:
        """z^l = W^l a^(l-1) + b^l of a hidden layer, for some panels of its outputs and some
        rows."""
        cdef Inlet *inlet = &self.inlets[l]
        cdef const char *x = self.inputs(l, first, rows, dropping)
        self.network.panels_forward(kernels_for(self.network.itemsize), l, panel, panels, rows, x, inlet.ld,
                                    inlet.rows + first if inlet.rows else NULL, self.flows[l].z + self.offset(l, first))
        self.mark(FORWARD, l)

    cdef void hidden_activation(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t first,
                                Py_ssize_t rows) noexcept nogil:
        """a^l = f(z^l) of the same."""
        cdef Layer *layer = &self.network.layers[l]
        cdef Py_ssize_t lanes = self.network.lanes, width = min(panels * lanes, layer.n_out - panel * lanes)
        cdef Py_ssize_t at = self.offset(l, first) + panel * lanes * self.network.itemsize
        kernels_for(self.network.itemsize).activations[layer.f].forward(rows, width, layer.ld, 1, layer.alpha,
                                                                        self.flows[l].z + at, self.flows[l].a + at)
        self.mark(ACTIVATION, l)

    cdef void last_forward(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil:
        """The same of the last layer, for all its outputs; a^L only where the loss asks for it."""
        cdef const kernels_t *k = kernels_for(self.network.itemsize)
        cdef Py_ssize_t l = self.network.n_layers - 1, lanes = self.network.lanes, across, width
        cdef Layer *layer = &self.network.layers[l]
        cdef Inlet *inlet = &self.inlets[l]
        cdef const char *x = self.inputs(l, first, rows, dropping)
        cdef char *z = self.flows[l].z + self.offset(l, first)
        cdef char *side
        if self.turned:
            across, width = blocks(rows, lanes) * lanes, blocks(layer.n_in, lanes) * lanes
            side = self.side + first * width * self.network.itemsize
            k.transpose(rows, layer.n_in, inlet.ld, x, width, across, side)
            self.network.layer_turned(k, l, across, side, across, z, self.ld_turned)
        else:
            self.network.layer_forward(k, l, rows, x, inlet.ld, inlet.rows + first if inlet.rows else NULL, z)
        self.mark(FORWARD, l)
        if not self.from_z:
            self.last_activation(first, rows)
            self.mark(ACTIVATION, l)

    cdef void forward(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil:
        """z^l and a^l of all layers, but those that are shared by outputs, for some rows of the
        mini-batch. The highest of these leaves its activation, which its readers share out as they
        do."""
        cdef Py_ssize_t l
        for l in range(self.network.n_layers - 1):
            if l >= self.by_outputs:
                self.hidden_forward(l, 0, self.network.layers[l].panels, first, rows, dropping)
            if l >= self.by_outputs - 1:
                self.hidden_activation(l, 0, self.network.layers[l].panels, first, rows)
        self.last_forward(first, rows, dropping)

    cdef void last_activation(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        """a^L = f(z^L) for some rows."""
        cdef const kernels_t *k = kernels_for(self.network.itemsize)
        cdef Py_ssize_t l = self.network.n_layers - 1, lanes = self.network.lanes, offset = self.offset(l, first)
        cdef char *z = self.flows[l].z + offset
        cdef char *a = self.flows[l].a + offset
        cdef Layer *layer = &self.network.layers[l]
        if self.turned:
            self.network.activation_turned(k, l, blocks(rows, lanes) * lanes, self.ld_turned, z, a)
        else:
            k.activations[layer.f].forward(rows, layer.n_out, layer.ld, 1, layer.alpha, z, a)

    cdef void cost(self, Py_ssize_t first, Py_ssize_t rows, bint with_delta) noexcept nogil:
        """C of some rows, and delta^L = dC/da^L * f'(z^L)."""
        cdef const kernels_t *k = kernels_for(self.network.itemsize)
        cdef Py_ssize_t itemsize = self.network.itemsize, l = self.network.n_layers - 1
        cdef Layer *layer = &self.network.layers[l]
        cdef Flow *flow = &self.flows[l]
        cdef Py_ssize_t offset = self.offset(l, first)
        cdef loss_args_t p
        p.rows, p.width = rows, layer.n_out
        p.row_stride, p.col_stride = 1 if self.turned else layer.ld, self.ld_turned if self.turned else 1
        p.loss_param, p.out = self.alpha, self.output() + offset
        p.y, p.label = NULL if self.sparse else (self.y_turned if self.turned else self.y) + offset, self.label + first
        p.row_scale = self.scale + (self.origin + first) * itemsize
        p.row_losses = self.row_loss + (self.origin + first) * itemsize
        p.delta = flow.delta + offset if with_delta else NULL
        k.losses[self.loss_row].evaluate(&p)
        if with_delta and not self.from_z:
            k.activations[layer.f].backward(rows, layer.n_out, p.row_stride, p.col_stride, layer.alpha, flow.z + offset,
                                            flow.a + offset, p.delta)

    cdef void hidden_backward(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t first, Py_ssize_t rows,
                              bint dropping) noexcept nogil:
        """delta^l = ((W^(l+1))^T delta^(l+1)) * f'(z^l) of a hidden layer, for some panels of its
        outputs and some rows."""
        cdef const kernels_t *k = kernels_for(self.network.itemsize)
        cdef Py_ssize_t r, at, itemsize = self.network.itemsize, lanes = self.network.lanes
        cdef Layer *layer = &self.network.layers[l]
        cdef Py_ssize_t width = min(panels * lanes, layer.n_out - panel * lanes)
        cdef Layer *above = &self.network.layers[l + 1]
        cdef Flow *flow = &self.flows[l]
        cdef const char *slope = self.inlets[l + 1].slope if dropping and self.inlets[l + 1].drops else NULL
        cdef matmul_args_t p
        p.rows, p.panels, p.depth = rows, panels, above.n_out
        p.a, p.a_row_stride, p.a_depth_stride = self.flows[l + 1].delta + self.offset(l + 1, first), above.ld, 1
        if self.turned and l == self.network.n_layers - 2:
            p.a_row_stride, p.a_depth_stride = 1, self.ld_turned
        p.row_index = p.depth_index = NULL
        p.b, p.b_depth_stride, p.b_panel_stride = self.flows[l + 1].Wt + panel * above.n_out * lanes * itemsize, lanes, above.n_out * lanes
        p.bias = p.row_bias = p.bias_grad = NULL
        p.accumulate = 0
        p.c, p.c_row_stride, p.c_panel_stride = flow.delta + self.offset(l, first) + panel * lanes * itemsize, layer.ld, lanes
        k.matmul(&p)
        self.mark(BACKWARD, l + 1)
        at = self.offset(l, first) + panel * lanes * itemsize
        if slope != NULL and panels == layer.panels:
            k.multiply(rows * layer.ld, slope + at, flow.delta + at)
        elif slope != NULL:
            for r in range(rows):
                k.multiply(panels * lanes, slope + at + r * layer.ld * itemsize, flow.delta + at + r * layer.ld * itemsize)
        k.activations[layer.f].backward(rows, width, layer.ld, 1, layer.alpha, flow.z + at, flow.a + at, flow.delta + at)
        self.mark(ACTIVATION, l)

    cdef void backward(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil:
        """delta^l from the last hidden layer down to the highest that is shared by outputs, for
        some rows."""
        cdef Py_ssize_t l
        for l in range(self.network.n_layers - 2, max(0, self.by_outputs - 1) - 1, -1):
            self.hidden_backward(l, 0, self.network.layers[l].panels, first, rows, dropping)

    cdef void gradients(self, Piece *piece, Py_ssize_t rows, bint dropping, Place place, bint first, bint last) noexcept nogil:
        """dW^l = delta^l (a^(l-1))^T and db^l = delta^l of a piece, summed over `rows` rows, which
        may be the first, the last or both of the mini-batch: they are added to those before them,
        and the last ones bring the gradient of the penalty."""
        cdef const kernels_t *k = kernels_for(self.network.itemsize)
        cdef Layer *layer = &self.network.layers[piece.layer]
        cdef Inlet *inlet = &self.inlets[piece.layer]
        cdef Py_ssize_t itemsize = self.network.itemsize, lanes = self.network.lanes
        cdef const char *a = inlet.kept if dropping and inlet.drops else inlet.a
        cdef matmul_args_t p
        if self.turned and piece.layer == self.network.n_layers - 1:
            self.gradients_turned(piece, rows, a, place, first, last)
        else:
            p.rows, p.panels, p.depth = piece.inputs, piece.panels, rows
            p.a, p.a_row_stride, p.a_depth_stride, p.row_index, p.depth_index = a + piece.input * itemsize, 1, inlet.ld, NULL, inlet.rows
            p.b, p.b_depth_stride, p.b_panel_stride = self.flows[piece.layer].delta + piece.panel * lanes * itemsize, layer.ld, lanes
            p.bias = p.row_bias = NULL
            p.accumulate = not first
            p.c, p.c_row_stride, p.c_panel_stride = place.W, lanes, place.step
            p.bias_grad = place.b if piece.input == 0 else NULL  # the bias is the weight of a unit that is always 1
            k.matmul(&p)
        if last:
            self.penalize(piece, place)
        self.mark(GRADIENT, piece.layer)

    cdef void gradients_turned(self, Piece *piece, Py_ssize_t rows, const char *a, Place place, bint first,
                               bint last) noexcept nogil:
        """Those of the cost for a last layer on its side: (dW)^T = a delta^T has the inputs in the
        lanes, all of them full. The last rows bring it to its place."""
        cdef const kernels_t *k = kernels_for(self.network.itemsize)
        cdef Layer *layer = &self.network.layers[piece.layer]
        cdef Py_ssize_t itemsize = self.network.itemsize, lanes = self.network.lanes, n_out = layer.n_out
        cdef char *biases = self.side_gradient + blocks(layer.n_in, lanes) * lanes * n_out * itemsize
        cdef matmul_args_t p
        p.rows, p.panels, p.depth = n_out, blocks(piece.inputs, lanes), rows
        p.a, p.a_row_stride, p.a_depth_stride, p.row_index, p.depth_index = self.flows[piece.layer].delta, self.ld_turned, 1, NULL, NULL
        p.b, p.b_depth_stride, p.b_panel_stride = a + piece.input * itemsize, self.inlets[piece.layer].ld, lanes
        p.bias = p.row_bias = p.bias_grad = NULL
        p.accumulate = not first
        p.c, p.c_row_stride, p.c_panel_stride = self.side_gradient + piece.input * n_out * itemsize, lanes, n_out * lanes
        k.matmul(&p)
        if last:
            k.transpose_panels(n_out, piece.inputs, 0, n_out, 0, piece.inputs, p.c, place.W)
        if piece.input == 0:
            p.panels, p.b, p.b_depth_stride, p.c = 1, self.ones, 0, biases
            k.matmul(&p)
            if last:
                k.transpose_panels(n_out, 1, 0, n_out, 0, 1, biases, place.b)

    cdef void learn_block(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil:
        """Outputs, costs and deltas of some rows of the mini-batch."""
        self.forward(first, rows, dropping)
        self.cost(first, rows, True)
        self.mark(LOSS, self.network.n_layers - 1)
        self.backward(first, rows, dropping)

    cdef double learn(self, Py_ssize_t rows, bint dropping) noexcept nogil:
        """Costs and the averaged gradient of the `rows` rows that stand in x and in y or label;
        returns their weight."""
        cdef Py_ssize_t i, block = self.network.block
        cdef double weight = self.average_over(rows)
        for i in range(blocks(rows, block)):
            self.learn_block(i * block, min(block, rows - i * block), dropping)
        for i in range(self.n_pieces):
            self.gradients(&self.pieces[i], rows, dropping, self.in_gradient(&self.pieces[i]), True, True)
        return weight

    cdef void judge_block(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        """Costs and the outputs a^L of some rows, without deltas."""
        self.forward(first, rows, False)
        self.cost(first, rows, False)
        if self.from_z:  # the loss has worked on z; what is judged is a, as a prediction gives it
            self.last_activation(first, rows)

    cdef double total_cost(self, Py_ssize_t rows, double total) noexcept nogil:
        """`total` plus the rows' weighted costs, one after the other in double."""
        cdef Py_ssize_t r
        cdef double cost
        for r in range(rows):
            cost = (<double *>self.row_loss)[r] if self.network.itemsize == 8 else (<float *>self.row_loss)[r]
            total += cost if self.weight == NULL else self.row_weight(r) * cost
        return total

    def loss_and_gradient(self, X, y):
        """The mean cost of some rows and its gradient, without dropout.

        Parameters
        ----------
        X : array-like, shape (rows, n_in)
            At most `capacity` rows.
        y : array-like
            Class indices of shape (rows,) for a sparse loss, else targets of shape (rows, n_out).

        Returns
        -------
        loss : float
        gradient : ndarray, shape (n_parameters,)
            In the order of `Network.flat`.
        """
        cdef Network network = self.network
        cdef Layer *last = &network.layers[network.n_layers - 1]
        cdef Py_ssize_t rows = len(X)
        X = np.asarray(X, network.dtype)
        if not 0 < rows <= self.capacity or X.shape != (rows, network.widths[0]):
            raise ValueError(f"X must have 1 to {self.capacity} rows of {network.widths[0]} features, got {X.shape}")
        self.use_weights(False)
        y = _losses.class_indices(self.loss, y, rows, last.n_out) if self.sparse else np.asarray(y, network.dtype)
        if not self.sparse and y.shape != (rows, last.n_out):
            raise ValueError(f"y must have shape {(rows, last.n_out)} for the loss {self.loss!r}, got {y.shape}")
        self.inlets[0].a, self.inlets[0].ld, self.inlets[0].rows = self.x, self.ld_x, NULL
        _fill(self.x, self.ld_x, X)
        if self.sparse:
            _fill(<char *>self.label, 1, y[:, None])
        else:
            _fill(self.y, last.ld, y)
            self.targets(0, rows)
        with nogil:
            self.transpose_weights()
            self.learn(rows, False)
        return self.total_cost(rows, 0) / rows + self.penalties(), network.flat(self.gradient)


cdef _fill(char *target, Py_ssize_t ld, values):
    """Copy rows into a buffer with leading dimension ld."""
    values = np.ascontiguousarray(values)
    cdef Py_ssize_t r, bytes_a_row = values.shape[1] * values.itemsize, step = ld * values.itemsize
    cdef char *source = address(values)
    for r in range(values.shape[0]):
        memcpy(target + r * step, source + r * bytes_a_row, bytes_a_row)


@takes_reals(W=2, delta=2, z=2)
def backward_delta(W, delta, z, activation, alpha=None):
    """One step of the delta recursion: delta^l = ((W^(l+1))^T delta^(l+1)) * f'(z^l).

    Parameters
    ----------
    W : ndarray of float32 or float64, shape (n_above, n)
        Weights of the layer above.
    delta : ndarray, shape (rows, n_above)
        Its error.
    z : ndarray, shape (rows, n)
        Input of this layer's activation.
    activation : str
    alpha : float, optional
        The activation's number; default that of the literature.

    Returns
    -------
    ndarray, shape (rows, n)
    """
    return _activations.activation_backward(activation, z, matmul(delta, W), alpha)


@takes_reals(delta=2, a=2)
def gradients(delta, a):
    """dW = delta^T a and db = sum of delta, summed over the rows: the gradient of one layer.

    Parameters
    ----------
    delta : ndarray of float32 or float64, shape (rows, n_out)
        The layer's error; scaled by 1/rows where the mean is wanted.
    a : ndarray, shape (rows, n_in)
        The activations of the layer below.

    Returns
    -------
    dW : ndarray, shape (n_out, n_in)
    db : ndarray, shape (n_out,)
    """
    ones = np.ones((1, delta.shape[0]), delta.dtype)
    return matmul(np.ascontiguousarray(delta.T), a), matmul(ones, delta)[0]


@takes_reals(a=2)
def drop(const real[:, ::1] a not None, double rate, uint64_t seed, uint64_t step, uint32_t layer, bint alpha=False):
    """What dropout makes of the inputs of a layer in a training step.

    Parameters
    ----------
    a : ndarray of float32 or float64, shape (rows, n)
        The rows of a mini-batch.
    rate : float
        Share that is left out, in [0, 1).
    seed : int
        Of the run, 0 to 2**64 - 1.
    step, layer : int
        Counted from 0; layer 0 reads the inputs x.
    alpha : bool
        Whether to drop as suits selu.

    Returns
    -------
    kept : ndarray, shape (rows, n)
        What the layer reads instead of a.
    slope : ndarray, shape (rows, n)
        d kept / d a: the factor of those that stay, 0 for those that go.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"rate must be at least 0 and below 1, got {rate}")
    cdef dropout_t d = dropout_at(rate, alpha)
    cdef Py_ssize_t rows = a.shape[0], n = a.shape[1], ld = leading_dimension(n, sizeof(real))
    cdef real[:, ::1] x, kept, slope
    dtype = np.asarray(a).dtype
    x, kept, slope = (aligned_zeros((rows, ld), dtype) for _ in range(3))
    np.asarray(x)[:, :n] = a
    d.key, d.purpose, d.step = seed, dropout_purpose(layer, step), <uint32_t>step
    if rows and n:
        with nogil:
            kernels_for(sizeof(real)).drop(0, rows, n, ld, &d, &x[0, 0], &kept[0, 0], &slope[0, 0])
    return np.ascontiguousarray(np.asarray(kept)[:, :n]), np.ascontiguousarray(np.asarray(slope)[:, :n])

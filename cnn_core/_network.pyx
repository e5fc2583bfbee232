"""The network: its shape, and its parameters as the kernels read them."""

import numpy as np

cimport cython
from libc.stdint cimport uint32_t
from libc.string cimport memcpy

from cnn_core._cpu cimport kernels_for, kernels_t, matmul_args_t
from cnn_core._matmul cimport matmul_args, panels_of, row_panels
from cnn_core._memory cimport (PANEL_BYTES, Arena, Matrix, address, blocks, elements, is_transposed,
                               leading_dimension, matrix)
from cnn_core._tuning cimport (BLOCK_ROWS, BLOCK_ROWS_LARGE, LARGE_WEIGHTS, OUTPUT_WORK,
                               TRANSPOSED_SHARE, TRANSPOSE_WORK)
from cnn_core import _activations
from cnn_core._checks import Array, as_array, check_number
from cnn_core._names import choose
from cnn_core._linalg import pack, unpack
from cnn_core._memory import aligned_zeros

# Words of 4 bytes in a panel.
cdef enum:
    PANEL_WORDS = 16


cdef inline uint32_t bits_differ(Py_ssize_t n, const uint32_t *x, const uint32_t *y) noexcept nogil:
    """0 if n words are the same."""
    cdef Py_ssize_t i
    cdef uint32_t bits = 0
    for i in range(n):
        bits |= x[i] ^ y[i]
    return bits


@cython.final
cdef class Network:
    """A multilayer perceptron: its shape and its parameters.

    Parameters
    ----------
    widths : sequence of int
        Neurons of every layer, the inputs first: ``(64, 32, 10)`` has two layers of weights.
    activations : sequence of str
        One name for each layer of weights.
    dtype : {'float32', 'float64'}
    activation_params : sequence of float or None, optional
        For each layer the number its activation takes (`_activations.parameters`), at least 0; None
        for that of the literature. An activation that takes none has None or 0.
    bias : bool
        Whether the layers have biases: z = W a + b, or else z = W a.
    embeddings : sequence of (int, int), optional
        For each of the last columns of X, which hold numbers of categories, how many categories it
        has and how many numbers each of them becomes. The first layer reads the other columns, then
        these vectors; what is no number of a category becomes zeros. ``widths[0]`` counts what the
        first layer reads.
    periodic : (sequence of int, int, int), optional
        Which of the other columns have a periodic embedding too, in ascending order, its number of
        frequencies, and how many numbers each of them becomes, which the first layer reads between
        the numbers and the vectors (`cnn_core._embedding`).

    Attributes
    ----------
    parameters : ndarray
        All weights and biases in one flat buffer, as the kernels read them: for each layer the
        panels of W (`cnn_core._linalg.pack`), then b, if there is one; then the tables of vectors,
        row by row, and the parameters of the periodic embeddings. Each part is padded with zeros to
        whole panels.
    has_bias, embeds : bool
        Whether there are biases; whether there are embeddings of any kind.
    n_features : int
        Columns of X.
    """

    # Here and below not __init__, which can be left out or called again: no object exists without
    # its buffers.
    def __cinit__(self, widths, activations, dtype="float32", activation_params=None,
                  bint bias=True, embeddings=(), periodic=()):
        cdef Py_ssize_t size = 0, l
        cdef Layer *layer
        self.widths, self.activations = tuple([int(n) for n in widths]), tuple(activations)
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {self.dtype}")
        if len(self.widths) < 2 or min(self.widths) < 1:
            raise ValueError(f"a network needs at least two layers of one neuron or more, "
                             f"got widths {self.widths}")
        if len(self.activations) != len(self.widths) - 1:
            raise ValueError(f"{len(self.widths) - 1} layers need as many activations, "
                             f"got {len(self.activations)}")
        self.n_layers = len(self.activations)
        numbers = _activations.parameters()
        default = [numbers.get(name, ("", 0.0))[1] for name in self.activations]
        params = (None,) * self.n_layers if activation_params is None else tuple(activation_params)
        if len(params) != self.n_layers:
            raise ValueError(f"{self.n_layers} layers need as many activation_params, "
                             f"got {len(params)}")
        self.activation_params = tuple([usual if param is None else float(param)
                                        for param, usual in zip(params, default)])
        self.has_bias = bias
        self.itemsize, self.lanes = self.dtype.itemsize, PANEL_BYTES // self.dtype.itemsize
        self.embedding = Embedding(self.widths[0], self.itemsize, embeddings, periodic)
        self.embeds, self.n_features = self.embedding.exists, self.embedding.n_features
        self.arena = Arena()
        self.layers = <Layer *>self.arena.alloc(self.n_layers, 1, sizeof(Layer))
        total = sum(-(-n_out // self.lanes) * self.lanes * (n_in + self.has_bias)
                    for n_in, n_out in zip(self.widths, self.widths[1:]))
        total += self.embedding.n_parameters()
        try:
            self.parameters = aligned_zeros(total, self.dtype)
        except MemoryError as error:
            raise MemoryError(f"layers of {self.widths} neurons: {error}") from None
        self.w = address(self.parameters)
        for l in range(self.n_layers):
            layer = &self.layers[l]
            layer.n_in, layer.n_out = self.widths[l], self.widths[l + 1]
            layer.panels = blocks(layer.n_out, self.lanes)
            layer.ld = leading_dimension(layer.n_out, self.itemsize)
            self.set_activation(l, numbers)
            layer.W, layer.b = size, NONE
            size += layer.panels * layer.n_in * PANEL_BYTES
            if self.has_bias:
                layer.b = size
                size += layer.panels * PANEL_BYTES
        self.block = BLOCK_ROWS_LARGE if size > LARGE_WEIGHTS else BLOCK_ROWS
        self.n_weights = elements(size, self.itemsize)
        self.size = self.parameters.size
        self.embedding.place(self.w, size)
        self.prefers_transposed = self.is_faster_transposed()

    @property
    def embeddings(self):
        """Categories and width of the vectors of each embedded column."""
        return self.embedding.tables

    @property
    def n_tables(self):
        """How many columns are embedded."""
        return self.embedding.n_tables

    @property
    def periodic(self):
        """(columns, frequencies, width) of the periodic embeddings, or ()."""
        return self.embedding.periodic

    cdef set_activation(self, Py_ssize_t l, numbers):
        cdef Layer *layer = &self.layers[l]
        layer.activation = choose("activation", self.activations[l], _activations.names())
        if self.activations[l] in numbers:
            check_number(f"activation_params[{l}]", self.activation_params[l], 0)
        elif self.activation_params[l] != 0:
            raise ValueError(f"activation_params[{l}] must be None: {self.activations[l]} takes "
                             f"no number, got {self.activation_params[l]}")
        layer.activation_param = self.activation_params[l]

    cdef Layer *layer(self, Py_ssize_t l) except NULL:
        if not 0 <= l < self.n_layers:
            raise IndexError(f"layer {l} does not exist; this network has {self.n_layers}")
        return &self.layers[l]

    cdef vector(self, vector):
        """`parameters`, or another buffer laid out as they are."""
        if vector is None:
            return self.parameters
        Array(1, (self.dtype.name,)).check("vector", vector)
        if vector.shape != self.parameters.shape:
            raise ValueError(f"vector must have shape {self.parameters.shape}, as parameters has, "
                             f"got {vector.shape}")
        return vector

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
        vector = self.vector(vector)
        W, size = layer.W // self.itemsize, layer.panels * layer.n_in * self.lanes
        return vector[W:W + size].reshape(layer.panels, layer.n_in, self.lanes)

    def bias(self, Py_ssize_t l, vector=None):
        """Layer l's biases b as a view of the flat buffer, or zeros, that are read-only and no
        parameters, where there are no biases.

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
        if not self.has_bias:
            zeros = np.zeros(layer.n_out, self.dtype)
            zeros.flags.writeable = False
            return zeros
        vector = self.vector(vector)
        b = layer.b // self.itemsize
        return vector[b:b + layer.n_out]

    def vectors(self, Py_ssize_t i, vector=None):
        """The vectors E of an embedded column as a view of the flat buffer.

        Parameters
        ----------
        i : int
            0 is the first of the columns that are embedded.
        vector : ndarray, optional
            As in `panels`.

        Returns
        -------
        ndarray, shape (categories, width)
        """
        return self.embedding.vectors(i, self.vector(vector))

    def periodic_parameters(self, vector=None):
        """Those of the periodic embeddings of n columns (cnn_core/kernels/periodic.inc.h).

        Parameters
        ----------
        vector : ndarray, optional
            As in `panels`.

        Returns
        -------
        w, c : ndarray, shape (n, frequencies)
        V : ndarray, shape (n, width, frequencies)
        d : ndarray, shape (n, width)
            Copies.
        """
        if not self.embedding.periodic:
            raise ValueError("this network has no periodic embeddings")
        return self.embedding.periodic_parameters(self.vector(vector))

    def set_periodic(self, w, c, V, d):
        """Set them; shapes as in `periodic_parameters`."""
        given = []
        for name, values, now in zip(("w", "c", "V", "d"), (w, c, V, d),
                                     self.periodic_parameters()):
            values = as_array(name, values, self.dtype)
            if values.shape != now.shape:
                raise ValueError(f"{name} must have shape {now.shape}, got {values.shape}")
            given.append(values)
        self.embedding.set_periodic(self.parameters, given)

    def read(self, X):
        """What the first layer reads of some rows.

        Parameters
        ----------
        X : array-like, shape (rows, n_features)

        Returns
        -------
        ndarray, shape (rows, widths[0])
            X itself where there are no embeddings.
        """
        cdef Py_ssize_t r, row, out_row
        cdef const char *rows
        cdef char *out
        X = as_array("X", X, self.dtype)
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise ValueError(f"X must have shape (rows, {self.n_features}), got {X.shape}")
        if not self.embeds:
            return X
        X = np.ascontiguousarray(X)
        x = np.zeros((X.shape[0], self.widths[0]), self.dtype)
        row, out_row = self.n_features * self.itemsize, self.widths[0] * self.itemsize
        rows, out = address(X), address(x)
        for r in range(X.shape[0]):
            self.embedding.read_row(rows + r * row, out + r * out_row, NULL, 0)
        return x

    def add_input_errors(self, x, dx):
        """Add what periodic embeddings send back to their numbers: to dC/dx of these numbers, from
        that of the embeddings (cnn_core/kernels/periodic.inc.h).

        Parameters
        ----------
        x : ndarray of the network's dtype, shape (rows, widths[0])
            What the first layer reads.
        dx : ndarray of that dtype and shape
            The derivatives by it, which are changed.
        """
        cdef Py_ssize_t row = self.widths[0] * self.itemsize
        cdef Matrix rows, errors
        for name, array, rule in (("x", x, Array(2, (self.dtype.name,))),
                                  ("dx", dx, Array(2, (self.dtype.name,), writable=True))):
            rule.check(name, array)
            if array.shape != (len(x), self.widths[0]):
                raise ValueError(f"{name} must have shape ({len(x)}, {self.widths[0]}), got "
                                 f"{array.shape}")
        rows = matrix(address(x), row, self.itemsize)
        errors = matrix(address(dx), row, self.itemsize)
        self.embedding.send_back(len(x), &rows, &errors)

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
        b : array-like, shape (n_out,), or None
            None, or zeros, where there are no biases.
        """
        cdef Layer *layer = self.layer(l)
        if b is None and not self.has_bias:
            b = self.bias(l)
        W, b = as_array("W", W, self.dtype), as_array("b", b, self.dtype)
        if W.shape != (layer.n_out, layer.n_in) or b.shape != (layer.n_out,):
            raise ValueError(f"layer {l} has weights of shape {(layer.n_out, layer.n_in)} and "
                             f"biases of shape {(layer.n_out,)}, got {W.shape} and {b.shape}")
        if not self.has_bias and b.any():
            raise ValueError(f"this network has no biases; those of layer {l} must be None or 0, "
                             f"got {b[np.flatnonzero(b)[0]]}")
        pack(W, self.panels(l))
        if self.has_bias:
            self.bias(l)[:] = b

    def equals(self, Py_ssize_t l, Wt, b):
        """Whether layer l's weights and biases are these, to the bit.

        Parameters
        ----------
        l : int
        Wt : ndarray, shape (n_in, n_out)
            Transposed weights; anything that is no C-contiguous, aligned array of the network's
            dtype is not equal.
        b : ndarray, shape (n_out,)

        Returns
        -------
        bool
        """
        cdef Layer *layer = self.layer(l)
        cdef Py_ssize_t i, at, words = layer.n_out * self.itemsize // 4
        cdef const uint32_t *w = <const uint32_t *>(self.w + layer.W)
        cdef const uint32_t *given
        cdef uint32_t other
        for array, shape in ((Wt, (layer.n_in, layer.n_out)), (b, (layer.n_out,))):
            if not (isinstance(array, np.ndarray) and array.dtype == self.dtype
                    and array.shape == shape and array.flags.c_contiguous
                    and array.flags.aligned):
                return False
        if not self.has_bias:
            other = b.any()
        else:
            given = <const uint32_t *>address(b)
            other = bits_differ(words, <const uint32_t *>(self.w + layer.b), given)
        given = <const uint32_t *>address(Wt)
        for at in range(0, words, PANEL_WORDS):
            if at + PANEL_WORDS <= words:
                for i in range(layer.n_in):  # a number that the compiler knows saves it a loop
                    other |= bits_differ(PANEL_WORDS, w + at * layer.n_in + i * PANEL_WORDS,
                                         given + i * words + at)
            else:
                for i in range(layer.n_in):
                    other |= bits_differ(words - at, w + at * layer.n_in + i * PANEL_WORDS,
                                         given + i * words + at)
        return other == 0

    def flat(self, vector=None):
        """All parameters in the textbook's order: W^1 row by row, b^1, W^2, b^2, ..., without b
        where there are no biases; then the vectors of each embedded column, row by row; then for
        each column with a periodic embedding w, c, V row by row, and d.

        Parameters
        ----------
        vector : ndarray, optional
            As in `panels`.

        Returns
        -------
        ndarray, shape (n_parameters,)
            A copy without padding.
        """
        parts = (self.weights, self.bias) if self.has_bias else (self.weights,)
        layers = [part(l, vector).ravel() for l in range(self.n_layers) for part in parts]
        tables = [self.vectors(i, vector).ravel() for i in range(self.n_tables)]
        return np.concatenate(layers + tables + self.flat_periodic(vector))

    cdef list flat_periodic(self, vector):
        if not self.embedding.periodic:
            return []
        columns = [part.reshape(len(part), -1) for part in self.periodic_parameters(vector)]
        return [np.concatenate(columns, axis=1).ravel()]

    cdef set_flat_periodic(self, values):
        """Set those of the periodic embeddings from the rest of such a vector."""
        if self.embedding.periodic:
            columns, frequencies, width = self.embedding.periodic
            ends = np.cumsum([frequencies, frequencies, width * frequencies])
            w, c, V, d = np.split(values.reshape(len(columns), -1), ends, axis=1)
            self.set_periodic(w, c, V.reshape(len(columns), width, frequencies), d)

    def set_flat(self, values):
        """Set all parameters from a vector in the order of `flat`.

        Parameters
        ----------
        values : array-like, shape (n_parameters,)
        """
        values = as_array("values", values, self.dtype)
        sizes = [n_out * (n_in + self.has_bias)
                 for n_in, n_out in zip(self.widths, self.widths[1:])]
        sizes += [n * width for n, width in self.embeddings]
        total = sum(sizes)
        if self.periodic:
            columns, frequencies, width = self.periodic
            total += len(columns) * (2 * frequencies + width * (frequencies + 1))
        if values.shape != (total,):
            raise ValueError(f"this network has {total} parameters, "
                             f"got an array of shape {values.shape}")
        parts = np.split(values, np.cumsum(sizes))
        self.set_flat_periodic(parts.pop())
        for i, part in enumerate(parts[self.n_layers:]):
            self.vectors(i)[:] = part.reshape(self.embeddings[i])
        for l, part in enumerate(parts[:self.n_layers]):
            n_in, n_out = self.widths[l], self.widths[l + 1]
            b = part[n_in * n_out:] if self.has_bias else None
            self.set_layer(l, part[:n_in * n_out].reshape(n_out, n_in), b)

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

    def copy(self, dtype=None):
        """A network of the same shape with its own copy of the parameters.

        Parameters
        ----------
        dtype : {'float32', 'float64'}, optional
            Of the copy; default the network's own.

        Returns
        -------
        Network
        """
        other = Network(self.widths, self.activations, self.dtype if dtype is None else dtype,
                        self.activation_params, self.has_bias, self.embeddings, self.periodic)
        if other.dtype == self.dtype:
            self.copy_to(other)
        else:
            other.set_flat(self.flat())
        return other

    def copy_to(self, Network other not None):
        """Give another network of the same shape these parameters."""
        if (other.widths != self.widths or other.dtype != self.dtype
                or other.has_bias != self.has_bias or other.embeddings != self.embeddings
                or other.periodic != self.periodic):
            raise ValueError(f"a network of widths {other.widths} and {other.dtype} cannot take "
                             f"the parameters of one of {self.widths} and {self.dtype}")
        memcpy(other.w, self.w, self.parameters.nbytes)

    def __reduce__(self):
        arguments = (self.widths, self.activations, self.dtype.name, self.activation_params,
                     self.flat(), bool(self.has_bias))
        if self.embeds:
            arguments += (self.embeddings, self.periodic)
        return _restore, arguments

    cdef void forward(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t rows,
                      const Matrix *x, const Py_ssize_t *row_indices,
                      const Matrix *z) noexcept nogil:
        """Some panels of z = x W^T + b, for the first rows of x or those of the indices. Where z is
        transposed, x is too: z^T = W x^T + b, a panel of W after the other, with the rows in the
        lanes."""
        cdef Layer *layer = &self.layers[l]
        cdef const kernels_t *k = kernels_for(self.itemsize)
        cdef char *W = self.w + layer.W + panel * layer.n_in * PANEL_BYTES
        cdef char *b = bias_at(self.w, layer, panel)
        cdef Py_ssize_t lanes = self.lanes, output
        cdef matmul_args_t p
        if not is_transposed(z, self.itemsize):
            matmul_args(&p, rows, panels, layer.n_in, x[0],
                        panels_of(W, PANEL_BYTES, layer.n_in * PANEL_BYTES),
                        row_panels(z, panel), self.itemsize)
            p.row_index, p.bias = row_indices, b
            k.matmul(&p)
            return
        for panel in range(panel, panel + panels):
            output = panel * lanes
            matmul_args(&p, min(lanes, layer.n_out - output), blocks(rows, lanes), layer.n_in,
                        matrix(W, self.itemsize, PANEL_BYTES),
                        panels_of(x.data, x.column, PANEL_BYTES),
                        panels_of(z.data + output * z.column, z.column, PANEL_BYTES), self.itemsize)
            p.row_bias = b
            k.matmul(&p)
            W += layer.n_in * PANEL_BYTES
            if b:
                b += PANEL_BYTES

    cdef void activate(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t rows,
                       const Matrix *z, const Matrix *a) noexcept nogil:
        """a = f(z) of some panels, in place where a is z; all of them where z is transposed."""
        cdef Layer *layer = &self.layers[l]
        cdef Py_ssize_t width = min(panels * self.lanes, layer.n_out - panel * self.lanes)
        cdef Py_ssize_t first = panel * self.lanes * z.column
        kernels_for(self.itemsize).activations[layer.activation].forward(
            rows, width, elements(z.row, self.itemsize), elements(z.column, self.itemsize),
            layer.activation_param, z.data + first, a.data + first)

    cdef void activate_backward(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels,
                                Py_ssize_t rows, const Matrix *z, const Matrix *a,
                                const Matrix *delta) noexcept nogil:
        """delta *= f'(z) of the same."""
        cdef Layer *layer = &self.layers[l]
        cdef Py_ssize_t width = min(panels * self.lanes, layer.n_out - panel * self.lanes)
        cdef Py_ssize_t first = panel * self.lanes * z.column
        kernels_for(self.itemsize).activations[layer.activation].backward(
            rows, width, elements(z.row, self.itemsize), elements(z.column, self.itemsize),
            layer.activation_param, z.data + first, a.data + first, delta.data + first)

    cdef bint is_faster_transposed(self):
        """Whether many rows pass through the layers faster transposed: each output of 16 rows
        (float32) in a vector, so that narrow layers leave no lanes empty."""
        cdef Layer *last = &self.layers[self.n_layers - 1]
        cdef Layer *layer
        cdef LayoutWork work
        cdef Py_ssize_t l
        work.row_major = 0
        work.transposed = TRANSPOSE_WORK * (self.layers[0].n_in + last.n_out)
        for l in range(self.n_layers):
            layer = &self.layers[l]
            add_work(&work, layer, self.lanes, 1)
            if kernels_for(self.itemsize).activations[layer.activation].per_row and not (
                    self.activations[l] == "softmax" and layer.panels == 1):
                return False
        return is_less_transposed(&work)


cdef void add_work(LayoutWork *work, const Layer *layer, Py_ssize_t lanes, int products) noexcept:
    """Add the work of a layer: its outputs, and `products` products with its weights. Row-major,
    the lanes that pad the outputs compute too."""
    cdef Py_ssize_t per_output = products * layer.n_in + OUTPUT_WORK
    work.row_major += per_output * layer.panels * lanes
    work.transposed += per_output * layer.n_out


cdef bint is_less_transposed(const LayoutWork *work) noexcept:
    return work.transposed < TRANSPOSED_SHARE * work.row_major


def _restore(widths, activations, dtype, activation_params, values, bias=True, embeddings=(),
             periodic=()):
    network = Network(widths, activations, dtype, activation_params, bias, embeddings, periodic)
    network.set_flat(values)
    return network

"""The gradient of each row by itself: what `Backprop` computes of mini-batches of one row."""

import numpy as np

from libc.stdint cimport int32_t, uint64_t
from libc.string cimport memcpy

from cnn_core._backprop cimport Backprop
from cnn_core._control cimport begin_stop, leave, stops
from cnn_core._linalg cimport real
from cnn_core._memory cimport address
from cnn_core._network cimport Network
from cnn_core._partition cimport TileView, WeightTile
from cnn_core._platform cimport flush_subnormals, restore_subnormals
from cnn_core._workspace cimport Workspace
from cnn_core._checks import as_array


def row_gradients(Backprop backprop not None, X, y):
    """The gradient of each row's cost with the penalties, without dropout, as
    `Backprop.loss_and_gradient` of the row alone gives it, to the bit.

    Parameters
    ----------
    backprop : Backprop
        Of any batch size.
    X : array-like, shape (rows, n_features)
    y : array-like
        Class indices of shape (rows,) for a sparse loss, else targets of shape (rows, targets).

    Returns
    -------
    ndarray, shape (rows, n_parameters)
        In the order of `Network.flat`.
    """
    cdef Network network = backprop.network
    cdef Py_ssize_t rows
    X = as_array("X", X, network.dtype)
    rows = X.shape[0] if X.ndim else 0
    if X.shape != (rows, network.n_features):
        raise ValueError(f"X must have rows of {network.n_features} features, got {X.shape}")
    y = backprop.loss.read_targets(y, rows, network.dtype)
    # Where in the packed gradient each number of the flat one stands: moving numbers about keeps
    # their bits, so positions can take their place.
    positions = np.arange(network.parameters.size, dtype=f"u{network.itemsize}")
    order = network.flat(positions.view(network.dtype)).view(positions.dtype).astype(np.intp)
    out = np.empty((rows, len(order)), network.dtype)
    if out.size == 0:
        return out
    backprop.workspace.acquire()
    try:
        fill(backprop, rows, address(X), address(y), order, out)
    finally:
        backprop.workspace.release()
    return out


cdef fill(Backprop backprop, Py_ssize_t rows, const char *X, const char *y, order, out):
    cdef Network network = backprop.network
    cdef Workspace ws = backprop.workspace
    cdef Py_ssize_t r, n = order.shape[0], itemsize = network.itemsize
    cdef Py_ssize_t x_bytes = network.n_features * itemsize
    cdef Py_ssize_t y_bytes = 4 if backprop.loss.sparse else backprop.loss.targets * itemsize
    cdef const Py_ssize_t *positions = <const Py_ssize_t *>address(order)
    cdef char *gradients = address(out)
    cdef uint64_t mode
    begin_stop(&backprop.stop, None)
    ws.use_weights(False)
    backprop.activates_output = backprop.has_gradient = False
    ws.inputs[0].a, ws.inputs[0].row_indices = ws.x, NULL
    with nogil:
        mode = flush_subnormals()
        ws.transpose_weights()
        backprop.set_weight(1, -1)
        for r in range(rows):
            if stops(&backprop.stop, 3 * network.n_weights):
                break
            memcpy(ws.x.data, X + r * x_bytes, x_bytes)
            if network.embeds:
                network.embedding.read_row(ws.x.data, ws.x.data, ws.categories, ws.max_batch_size)
            if backprop.loss.sparse:
                ws.label[0] = (<const int32_t *>y)[r]
            else:
                memcpy(ws.y.data, y + r * y_bytes, y_bytes)
                ws.layout_targets(0, 1)
            one_row(backprop)
            if itemsize == 8:
                gather(n, positions, <const double *>backprop.g, <double *>gradients + r * n)
            else:
                gather(n, positions, <const float *>backprop.g, <float *>gradients + r * n)
        restore_subnormals(mode)
    leave(&backprop.stop)


cdef void one_row(Backprop backprop) noexcept nogil:
    """The gradient of the row that stands in the workspace."""
    cdef Py_ssize_t i
    cdef WeightTile *tile
    cdef TileView view
    backprop.forward_backward(0, 1, False)
    for i in range(backprop.partition.count):
        tile = &backprop.partition.tiles[i]
        view = backprop.gradient_view(tile, backprop.g)
        backprop.weight_gradient(tile, 0, 1, False, &view, False)
        backprop.store_gradient(tile, &view)
        backprop.add_penalty(tile, &view)
    for i in range(backprop.partition.n_embedding_tiles):
        backprop.embedding_gradient(&backprop.partition.embedding_tiles[i], 0, 1, backprop.g,
                                    False)
        backprop.add_embedding_penalty(&backprop.partition.embedding_tiles[i])


cdef inline void gather(Py_ssize_t n, const Py_ssize_t *positions, const real *packed,
                        real *flat) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        flat[i] = packed[positions[i]]

"""Predictions: many rows on several threads, or one row at the least cost.

Every row's bits depend on that row alone.
"""

import numpy as np

cimport cython
from cpython.object cimport PyObject
from cpython.buffer cimport PyBUF_ND, PyBUF_WRITABLE, PyBuffer_Release
from libc.stdint cimport uint64_t, uintptr_t
from libc.string cimport memcpy

from cnn_core._control cimport begin_stop, leave, stops
from cnn_core._cpu cimport kernels_for, kernels_t, pool_run_until, matmul_args_t
from cnn_core._linalg cimport (SMOOTH_CLIP, Curve, Units, curve_named, read_features, real,
                               scaled_real, to_units)
from cnn_core._matmul cimport matmul_args, panels_of, panels_per_call, row_panels
from cnn_core._memory cimport (PANEL_BYTES, Matrix, address, at, blocks, elements, is_transposed,
                               matrix)
from cnn_core._network cimport Layer, Network, bias_at
from cnn_core._platform cimport flush_subnormals, keep_subnormals, restore_subnormals
from cnn_core._tuning cimport (BLOCK_ROWS_TRANSPOSED, LONG_PREDICTION, ROWS_COUNTED_TOGETHER,
                               STACK_BYTES, WORK_PER_THREAD)
from cnn_core._checks import DOUBLES, Array
from cnn_core._cpu import most_threads, with_subnormals
from cnn_core._memory import aligned_zeros
from cnn_core._overflow import warn_of_overflow

cdef extern from "Python.h":
    # Declared without its exception, which is cleared: an array without a buffer is left to the
    # checks in Python.
    int get_buffer "PyObject_GetBuffer"(object array, Py_buffer *view, int flags) noexcept
    void PyErr_Clear()

cdef extern from *:
    """
    #ifdef Py_LIMITED_API /* which has no macros that look into lists */
    #define SEQUENCE_SIZE(x) PySequence_Size(x)
    #define SEQUENCE_ITEM(x, i) (PyList_Check(x) ? PyList_GetItem(x, i) : PyTuple_GetItem(x, i))
    #else
    #define SEQUENCE_SIZE PySequence_Fast_GET_SIZE
    #define SEQUENCE_ITEM PySequence_Fast_GET_ITEM
    #endif
    """
    # Of a list or a tuple, whichever it is; `i` is below its size.
    Py_ssize_t SEQUENCE_SIZE(object sequence)
    PyObject *SEQUENCE_ITEM(object sequence, Py_ssize_t i)


cdef const double *vector(array, str name, Py_ssize_t n) except NULL:
    """The numbers of an array that scales inputs or outputs; the caller keeps it alive."""
    DOUBLES.check(name, array)
    if array.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), got {array.shape}")
    return <const double *>address(array)


cdef int read_units(Units *units, outputs, Py_ssize_t n) except -1:
    """(factor, shift, low, high) as the threads read them."""
    factor, shift, low, high = outputs
    units.factor, units.shift = vector(factor, "factor", n), vector(shift, "shift", n)
    units.low, units.high = vector(low, "low", n), vector(high, "high", n)
    return 0


@cython.final
cdef class BatchPredictor:
    """The forward pass of many rows, a block at a time through all layers.

    Parameters
    ----------
    network : Network
    outputs : (factor, shift, low, high), optional
        Arrays of float64, shape (n_out,): predictions are a^L * factor + shift, kept between low
        and high, computed in float64 and rounded once; default a^L itself.
    """

    cdef readonly Network network
    cdef readonly tuple outputs
    cdef Units units

    def __cinit__(self, Network network not None, tuple outputs=None):
        self.network, self.outputs = network, outputs
        if outputs is not None:
            read_units(&self.units, outputs, network.widths[-1])

    def __reduce__(self):
        return BatchPredictor, (self.network, self.outputs)

    def forward(self, X, int threads=1, bint check_finite=False, bint warns=False):
        """The output a^L for every row of X.

        Parameters
        ----------
        X : ndarray, shape (rows, n_features)
            C-contiguous and of the network's dtype; may be read-only.
        threads : int
            The most to use.
        check_finite : bool
            Whether rows with an entry that is NaN or infinite are refused. They are looked at while
            they are in the cache: a look of its own would fetch them from memory once more.
        warns : bool
            Whether rows with an output that is NaN or infinite are warned of.

        Returns
        -------
        ndarray, shape (rows, n_out), or None
            Each row's bits depend on that row alone. None where rows are refused.
        """
        X = self.checked_rows(X)
        out = np.empty((X.shape[0], self.network.widths[-1]), self.network.dtype)
        return out if X.shape[0] == 0 or self.run(X, out, None, 0, threads,
                                                  check_finite, warns) else None

    def argmax(self, X, double threshold=0.5, int threads=1, bint check_finite=False):
        """The index of the largest output for every row of X, the first among equals, or of the
        first NaN, with a warning.

        Parameters
        ----------
        X, threads, check_finite
            As in `forward`.
        threshold : float
            Of a single output the index is 1 where it is larger than this, else 0.

        Returns
        -------
        ndarray of intp, shape (rows,), or None
        """
        X = self.checked_rows(X)
        index = np.empty(X.shape[0], np.intp)
        return index if X.shape[0] == 0 or self.run(X, None, index, threshold, threads,
                                                    check_finite, True) else None

    cdef checked_rows(self, X):
        network = self.network
        if not isinstance(X, np.ndarray):
            raise TypeError(f"X must be an ndarray of {network.dtype}, got {type(X).__name__}")
        if X.dtype != network.dtype or X.ndim != 2 or X.shape[1] != network.n_features:
            raise ValueError(f"X must have shape (rows, {network.n_features}) "
                             f"and dtype {network.dtype}, got {X.shape} and {X.dtype}")
        Array().check("X", X)
        return X if X.flags.aligned else X.copy()

    cdef bint run(self, X, out, index, double threshold, int threads,
                  bint check_finite, bint warns) except -1:
        """Outputs or indices of at least one row; whether the rows are not refused."""
        cdef Network network = self.network
        cdef Prediction p
        cdef Py_ssize_t count = X.shape[0], n_blocks
        p.block = block_rows(network, count)
        n_blocks = blocks(count, p.block)
        threads = <int>max(1, min(threads, count * network.n_weights // WORK_PER_THREAD,
                                  n_blocks, most_threads))
        p.buffer_bytes = p.block * widest_layer(network) * network.itemsize
        scratch = aligned_zeros((threads, 2, p.buffer_bytes), np.uint8)
        p.network, p.count, p.threshold = <void *>network, count, threshold
        p.check_finite, p.check_outputs = check_finite, warns
        p.refused = p.has_nan = False
        p.X, p.scratch = address(X), address(scratch)
        p.out = address(out) if out is not None else NULL
        p.index = <Py_ssize_t *>address(index) if index is not None else NULL
        p.units = &self.units if self.outputs is not None else NULL
        begin_stop(&p.stop, None)
        with nogil:
            pool_run_until(predict_task, &p, n_blocks, NULL, threads, &p.stop)
        leave(&p.stop)
        if p.has_nan and not p.refused:
            bad = (count_nan(network, X, threads) if out is None
                   else np.count_nonzero(~np.isfinite(out).all(axis=1)))
            warn_of_overflow(network, X, bad, out is None)
        return not p.refused


cdef Py_ssize_t count_nan(Network network, X, int threads) except -1:
    """How many rows have an output that is NaN, computed again."""
    cdef Py_ssize_t first, count = 0
    for first in range(0, len(X), ROWS_COUNTED_TOGETHER):
        a = BatchPredictor(network).forward(X[first:first + ROWS_COUNTED_TOGETHER], threads)
        count += np.count_nonzero(np.isnan(a).any(axis=1))
    return count


cdef void predict_task(void *context, Py_ssize_t block, int worker) noexcept nogil:
    predict_block(<Prediction *>context, <Network>(<Prediction *>context).network, block, worker)


cdef Matrix layer_output(Network network, Py_ssize_t l, char *data) noexcept nogil:
    """A buffer as the z and a of a layer: row-major, or transposed with a whole block a feature."""
    if network.prefers_transposed:
        return matrix(data, network.itemsize, BLOCK_ROWS_TRANSPOSED * network.itemsize)
    return matrix(data, network.layers[l].ld * network.itemsize, network.itemsize)


cdef void predict_block(Prediction *p, Network network, Py_ssize_t block,
                        int worker) noexcept nogil:
    """A block of rows through all layers, and to where the prediction wants the outputs."""
    cdef Py_ssize_t first = block * p.block, rows = min(p.block, p.count - first)
    cdef Matrix a
    if forward_block(p, network, p.X + first * network.n_features * network.itemsize, rows, worker,
                     &a):
        store_outputs(p, network, &a, first, rows)


cdef bint forward_block(Prediction *p, Network network, const char *given, Py_ssize_t rows,
                        int worker, Matrix *outputs) noexcept nogil:
    """A block of rows through all layers, on two buffers in turn; False where the run is to end,
    or rows are refused."""
    cdef Py_ssize_t itemsize = network.itemsize
    cdef Py_ssize_t n_in = network.layers[0].n_in, l, r, panel, panels, step, work
    cdef Py_ssize_t row_bytes = network.n_features * itemsize
    cdef const kernels_t *k = kernels_for(itemsize)
    cdef char *spare = p.scratch + 2 * worker * p.buffer_bytes
    cdef char *filled = spare + p.buffer_bytes
    cdef char *source = <char *>given
    cdef Matrix x, a
    if network.embeds:
        source = spare if network.prefers_transposed else filled
        for r in range(rows):
            network.embedding.read_row(given + r * row_bytes, source + r * n_in * itemsize, NULL, 0)
    x = matrix(source, n_in * itemsize, itemsize)
    if network.prefers_transposed:
        x = matrix(filled, itemsize, BLOCK_ROWS_TRANSPOSED * itemsize)
        k.transpose(rows, n_in, n_in, source, blocks(n_in, network.lanes) * network.lanes,
                    BLOCK_ROWS_TRANSPOSED, filled)
    for l in range(network.n_layers):
        a = layer_output(network, l, spare)
        work = rows * network.layers[l].n_in * network.lanes
        panel, panels = 0, network.layers[l].panels
        step = panels_per_call(panels, work)
        while panel < panels:
            if stops(&p.stop, step * work):
                return False
            network.forward(l, panel, min(step, panels - panel), rows, &x, NULL, &a)
            panel += step
        # Looked at here, the rows are in the cache: before, they would be fetched once more.
        if l == 0 and p.check_finite and not k.is_finite(rows * network.n_features, given):
            p.refused = True
        if p.refused:
            return False
        network.activate(l, 0, network.layers[l].panels, rows, &a, &a)
        x, spare, filled = a, filled, spare
    outputs[0] = x
    return True


cdef void store_outputs(Prediction *p, Network network, const Matrix *a, Py_ssize_t first,
                        Py_ssize_t rows) noexcept nogil:
    """The outputs of a block to where the prediction wants them, or the index of the largest."""
    cdef Py_ssize_t r, itemsize = network.itemsize
    cdef Py_ssize_t n_out = network.layers[network.n_layers - 1].n_out
    cdef char *out = p.out + first * n_out * itemsize
    cdef const kernels_t *k = kernels_for(itemsize)
    if p.index:
        if k.argmax(rows, n_out, elements(a.row, itemsize), elements(a.column, itemsize), a.data,
                    p.threshold, p.index + first):
            p.has_nan = True
        return
    if is_transposed(a, itemsize):
        k.transpose(n_out, rows, elements(a.column, itemsize), a.data, rows, n_out, out)
    else:
        for r in range(rows):
            memcpy(out + r * n_out * itemsize, at(a, r, 0), n_out * itemsize)
    if p.units:
        convert(p.units, rows, n_out, itemsize, out)
    # Written just now, they are in the cache.
    if p.check_outputs and not k.is_finite(rows * n_out, out):
        p.has_nan = True


cdef void convert(const Units *units, Py_ssize_t rows, Py_ssize_t n_out, Py_ssize_t itemsize,
                  char *out) noexcept nogil:
    """Outputs to the units of the targets, in place; subnormal numbers count, as in all scaling."""
    cdef uint64_t mode = keep_subnormals()
    cdef Py_ssize_t r
    for r in range(rows):
        if itemsize == 8:
            to_units(n_out, units, <double *>(out + r * n_out * itemsize))
        else:
            to_units(n_out, units, <float *>(out + r * n_out * itemsize))
    restore_subnormals(mode)


# One row, where the call costs more than the arithmetic: the GIL is kept, and nothing is
# allocated but the result.

cdef object ndarray = np.ndarray
cdef object empty = np.empty
cdef object float32 = np.dtype(np.float32)
cdef object float64 = np.dtype(np.float64)
cdef double EXACT = 2.0 ** 53  # up to which whole numbers are exact in float64


cdef bint acquire_buffer(object array, object dtype, int ndim, Py_ssize_t columns, int flags,
                         Py_buffer *view) noexcept:
    """Whether `array` is an ndarray (no subclass) of `dtype` that holds one C-contiguous row of
    aligned numbers; `view` then lends it."""
    # One look at the dtype takes half the time that the buffer's format would add.
    if type(array) is not ndarray or array.dtype is not dtype:
        return False
    if get_buffer(array, view, PyBUF_ND | flags):
        PyErr_Clear()
        return False
    if (view.ndim == ndim and view.shape[ndim - 1] == columns
            and (ndim == 1 or view.shape[0] == 1)
            and <uintptr_t>view.buf % view.itemsize == 0):
        return True
    PyBuffer_Release(view)
    return False


cdef object floats_of(object x, int ndim, Py_ssize_t columns):
    """A row in another form than `acquire_buffer` takes as an ndarray of float32 or float64 that
    holds the same numbers; None for what has to be looked at closer."""
    cdef Py_ssize_t i, rows = columns if ndim == 1 else 1
    cdef const double *doubles
    if type(x) is list or type(x) is tuple:
        if len(x) != rows:
            return None
        try:
            x = np.asarray(x)
        except Exception:  # which the checks in Python meet again
            return None
    if type(x) is not ndarray or x.ndim != ndim or len(x) != rows or x.size != columns:
        return None
    dtype = x.dtype
    if (dtype is float32 or dtype is float64) and x.flags.c_contiguous and x.flags.aligned:
        return x
    kind, itemsize = dtype.kind, dtype.itemsize
    if kind not in "fiub" or itemsize > 8:
        return None
    x = with_subnormals(x.astype, (float64, "C"))
    if itemsize == 8 and kind != "f":
        doubles = <const double *>address(x)
        for i in range(columns):
            if not -EXACT < doubles[i] < EXACT:
                return None
    return x


cdef bint doubles_of(object x, int ndim, Py_ssize_t n, double *doubles) noexcept:
    """Whether a row is a list or a tuple of n floats and nothing else; `doubles` then has them."""
    if ndim == 1:
        return floats_in(x, n, doubles)
    with cython.critical_section(x):  # as in `floats_in`
        if (type(x) is not list and type(x) is not tuple) or SEQUENCE_SIZE(x) != 1:
            return False
        row = <object>SEQUENCE_ITEM(x, 0)
    return floats_in(row, n, doubles)


cdef bint floats_in(object row, Py_ssize_t n, double *doubles) noexcept:
    cdef Py_ssize_t i
    cdef PyObject *entry
    # Without a GIL other threads might change a list meanwhile.
    with cython.critical_section(row):
        if (type(row) is not list and type(row) is not tuple) or SEQUENCE_SIZE(row) != n:
            return False
        for i in range(n):
            entry = SEQUENCE_ITEM(row, i)
            if type(<object>entry) is not float:
                return False
            doubles[i] = <double><object>entry
    return True


cdef bint convert_row(Py_ssize_t n, Py_ssize_t n_scaled, const double *shift, const double *factor,
                      Curve curve, const real *x, scaled_real *row, bint check) noexcept nogil:
    """A row in another dtype, its first numbers scaled if there is a shift; False where a finite
    number becomes none, and with `check` where one is not finite."""
    cdef Py_ssize_t i
    read_features(n, 0 if shift == NULL else n_scaled, shift, factor, curve, x, row)
    for i in range(n):
        if x[i] - x[i] != 0:
            if check:
                return False
        elif row[i] - row[i] != 0:
            return False
    return True


cdef inline bint few_are_finite(Py_ssize_t n, Py_ssize_t itemsize, const char *x) noexcept nogil:
    """Whether n numbers are finite: where they are few, without a call."""
    cdef Py_ssize_t i
    cdef bint bad = False  # no sum, whose every term would wait for the one before
    if n > 4:
        return kernels_for(itemsize).is_finite(n, x)
    if itemsize == 8:
        for i in range(n):
            bad |= (<const double *>x)[i] - (<const double *>x)[i] != 0
    else:
        for i in range(n):
            bad |= (<const float *>x)[i] - (<const float *>x)[i] != 0
    return not bad


@cython.final
cdef class RowPredictor:
    """The forward pass of single rows, with the bits of `BatchPredictor.forward`. Any threads may
    use one object at once.

    Parameters
    ----------
    network : Network
    inputs : (shift, factor, curve), optional
        As `_linalg.scale_rows` takes them, for the features that are no categories; default: the
        network reads x itself.
    outputs : (factor, shift, low, high), optional
        As `BatchPredictor` takes them.
    """

    def __cinit__(self, Network network not None, tuple inputs=None, tuple outputs=None):
        cdef Py_ssize_t l
        self.network, self.dtype = network, network.dtype
        self.n_in, self.n_out = network.n_features, network.widths[-1]
        self.n_scaled = network.embedding.n_numbers
        self.shape, self.shape_of_matrix = (self.n_out,), (1, self.n_out)
        self.takes_long = network.n_weights * network.itemsize >= LONG_PREDICTION
        for l in range(network.n_layers):
            self.buffer_bytes = max(self.buffer_bytes, 64 * network.layers[l].panels)
        self.inputs, self.outputs = inputs, outputs
        if outputs is not None:
            read_units(&self.units, outputs, self.n_out)
        if inputs is not None:
            shift, factor, curve = inputs
            self.curve = curve_named(curve)
            self.shift = vector(shift, "shift", self.n_scaled)
            self.factor = vector(factor, "factor", self.n_scaled)
        if inputs is not None or network.embeds:
            needed = (max(self.n_in, network.widths[0]) * network.itemsize + 63) // 64 * 64
            self.buffer_bytes = max(self.buffer_bytes, needed)

    def __reduce__(self):
        return RowPredictor, (self.network, self.inputs, self.outputs)

    def forward(self, x, out=None, bint check=False):
        """The output a^L for one row.

        Parameters
        ----------
        x : ndarray, shape (n_features,)
        out : ndarray, shape (n_out,), optional
            Where the result goes; it may overlap x.
        check : bool
            Whether entries, scaled or not, and outputs must be finite; else NaN passes through.

        Returns
        -------
        ndarray, shape (n_out,), or None
            `out` or a new array; None, and nothing written, if x is no ndarray, list or tuple of so
            many real numbers within the network's dtype, `out` no C-contiguous, writable ndarray of
            its shape and that dtype, or with `check` a number is not finite.
        """
        return self.run(x, 1, empty(self.shape, self.dtype) if out is None else out, check)

    def forward_checked(self, X):
        """As `forward` with `check`, for a matrix of one row, shape (1, n_features): shape
        (1, n_out)."""
        return self.run(X, 2, empty(self.shape_of_matrix, self.dtype), True)

    cdef run(self, x, int ndim, out, bint check):
        cdef Py_buffer source
        cdef bint good
        cdef char *memory = NULL
        if self.buffer_bytes > STACK_BYTES:  # before the buffers are lent, as it may raise
            buffers = aligned_zeros(2 * self.buffer_bytes, np.uint8)
            memory = address(buffers)
        if not acquire_buffer(x, self.dtype, ndim, self.n_in, 0, &source):
            return self.run_converted(x, ndim, out, memory, check)
        good = self.write(<const char *>source.buf, ndim, out, memory, check, False)
        PyBuffer_Release(&source)
        return out if good else None

    cdef bint write(self, const char *x, int ndim, out, char *memory, bint check, bint scaled):
        """Compute, and write to `out` where that can be and numbers are as they should be."""
        cdef Py_buffer target
        cdef bint good
        if not acquire_buffer(out, self.dtype, ndim, self.n_out, PyBUF_WRITABLE, &target):
            return False
        good = self.compute(x, <char *>target.buf, memory, check, scaled)
        PyBuffer_Release(&target)
        return good

    cdef run_converted(self, x, int ndim, out, char *memory, bint check):
        """`run` for a row in another form, which is copied, and scaled meanwhile."""
        cdef char[2 * STACK_BYTES + 64] stack
        cdef char *row = <char *>((<uintptr_t>stack + 63) // 64 * 64)
        cdef const char *given = row + STACK_BYTES
        cdef Py_ssize_t itemsize = 8
        cdef Py_buffer source
        cdef uint64_t mode
        cdef bint good, lent = False
        if 8 * self.n_in > STACK_BYTES or not doubles_of(x, ndim, self.n_in, <double *>given):
            x = floats_of(x, ndim, self.n_in)
            if x is None:
                return None
            copied = empty(x.shape, self.dtype)
            if not acquire_buffer(x, x.dtype, ndim, self.n_in, 0, &source):
                return None
            lent, given, itemsize = True, <const char *>source.buf, source.itemsize
            row = address(copied)
        mode = keep_subnormals()
        if itemsize == 8:
            good = self.convert(<const double *>given, row, check)
        else:
            good = self.convert(<const float *>given, row, check)
        restore_subnormals(mode)
        if lent:
            PyBuffer_Release(&source)
        return out if good and self.write(row, ndim, out, memory, check, True) else None

    cdef bint convert(self, const real *x, char *row, bint check) noexcept nogil:
        if self.network.itemsize == 8:
            return convert_row(self.n_in, self.n_scaled, self.shift, self.factor, self.curve, x,
                               <double *>row, check)
        return convert_row(self.n_in, self.n_scaled, self.shift, self.factor, self.curve, x,
                           <float *>row, check)

    cdef bint compute(self, const char *x, char *a, char *memory, bint check,
                      bint scaled) noexcept:
        """False, and nothing written, where a number is to be checked and not finite."""
        cdef char[2 * STACK_BYTES + 64] stack
        cdef uint64_t mode
        cdef char *found
        if memory == NULL:
            memory = <char *>((<uintptr_t>stack + 63) // 64 * 64)
        if (check and not scaled and self.curve == SMOOTH_CLIP
                and not few_are_finite(self.n_in, self.network.itemsize, x)):
            return False  # scaled, infinity is 3
        mode = keep_subnormals()  # scaling, as in `_linalg.scale_rows`, has them
        if self.shift != NULL and not scaled:
            x = self.scaled(x, memory + self.buffer_bytes)
        flush_subnormals()
        if self.takes_long:
            with nogil:
                found = self.all_layers(x, memory, check)
        else:
            found = self.all_layers(x, memory, check)
        restore_subnormals(mode)
        if found == NULL:
            return False
        if self.outputs is not None:
            convert(&self.units, 1, self.n_out, self.network.itemsize, found)
        if check and not few_are_finite(self.n_out, self.network.itemsize, found):
            return False
        memcpy(a, found, self.n_out * self.network.itemsize)
        return True

    cdef const char *scaled(self, const char *x, char *out) noexcept nogil:
        if self.network.itemsize == 8:
            read_features(self.n_in, self.n_scaled, self.shift, self.factor, self.curve,
                          <const double *>x, <double *>out)
        else:
            read_features(self.n_in, self.n_scaled, self.shift, self.factor, self.curve,
                          <const float *>x, <float *>out)
        return out

    cdef char *all_layers(self, const char *x, char *here, bint check) noexcept nogil:
        """Where a^L stands; NULL where what the network reads is to be checked and not finite."""
        cdef const kernels_t *k = kernels_for(self.network.itemsize)
        cdef Py_ssize_t l, itemsize = self.network.itemsize
        cdef Matrix source, z
        cdef Layer *layer
        cdef matmul_args_t p
        if check and not few_are_finite(self.n_in, itemsize, x):
            return NULL
        if self.network.embeds:  # x, if it has been scaled, is where they come
            self.network.embedding.read_row(x, here + self.buffer_bytes, NULL, 0)
            x = here + self.buffer_bytes
        source = matrix(<char *>x, 0, itemsize)
        z = matrix(here, self.buffer_bytes, itemsize)
        for l in range(self.network.n_layers):
            # As `Network.forward` and `Network.activate`, without a call across modules.
            layer = &self.network.layers[l]
            matmul_args(&p, 1, layer.panels, layer.n_in, source,
                        panels_of(self.network.w + layer.W, PANEL_BYTES, layer.n_in * PANEL_BYTES),
                        row_panels(&z, 0), itemsize)
            p.bias = bias_at(self.network.w, layer, 0)
            k.matmul(&p)
            k.activations[layer.activation].forward(1, layer.n_out, layer.ld, 1,
                                                    layer.activation_param, z.data, z.data)
            source = z
            z.data = here + self.buffer_bytes if z.data == here else here
        return source.data

"""A training run: epochs of shuffled mini-batches, each forward, backward and one optimizer step,
without the GIL."""

import mmap

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport sqrt
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from cnn_core._backprop cimport (GATHER, LOSS, PHASES, PIECE_INPUTS, PIECE_PANELS, SHUFFLE, UPDATE, WORK_A_THREAD, Backprop,
                                 Inlet, Layer, Piece, Place, blocks, clock_seconds)
from cnn_core._cpu cimport OPTIMIZER_NUMBERS, address, kernels_for, kernels_t, optimizer_t, pool_run, pool_task
from cnn_core._random cimport FOR_SHUFFLE, shuffle
from cnn_core._backprop import phases
from cnn_core._names import choose
from cnn_core._memory import aligned_zeros

cdef extern from "environment.h" nogil:
    uint64_t flush_subnormals()
    void restore_subnormals(uint64_t before)
    void prefetch(const void *at)
    long pages_read()
    void read_anywhere(const void *at, size_t size, bint anywhere)
    void read_soon(const void *at, size_t size)

# A waiting Ctrl-C is looked for this often, and no more often: taking the GIL can cost milliseconds
# when another Python thread is busy.
cdef double LOOK_SECONDS = 0.1

# Rows between the one that is copied and the one that is fetched into the cache.
cdef enum:
    EARLY = 8

# Where rows in a file had to be read from the disk, those of so many mini-batches to come are asked
# for in time.
cdef enum:
    ASKED_FOR = 64

# Whether they are worth it at this moment is tried out, now and then: of so many steps the first
# few run on one thread, the next few on all, the others as was faster. Other programs may need the
# processors too.
cdef enum:
    ROUND = 128
    TRIALS = 4

# Above so many parameters a step goes piece by piece while the gradient is in the cache, else once
# over all of them.
cdef Py_ssize_t FUSE_FROM = 16384

# Bytes of a row of X that is read where it stands, into layers of at least 4 panels: gathering
# costs 12 % of 784-128-10.
cdef enum:
    LONG_ROW = 1024

# Rows that are worked off with their part of the gradient, where that is done: a quarter of the
# time of 10,000 rows in one mini-batch through 4-32-16-4.
cdef enum:
    BLOCK_AT_ONCE = 64

# Of more rows than these two threads would need a workspace beyond their caches, to be at most 7 %
# faster than one of them that works so (10,000 rows through 4-32-16-4).
cdef enum:
    MANY_ROWS = 1024

# What is to be done with a piece.
cdef enum:
    COMPUTE = 1
    STEP = 2


def optimizer_names():
    """Names of all optimizers.

    Returns
    -------
    tuple of str
    """
    cdef const optimizer_t *f = kernels_for(4).optimizers
    found = []
    while f.name:
        found.append(f.name.decode())
        f += 1
    return tuple(found)


def optimizer_settings(name):
    """Names of the numbers that an optimizer works with, in the order in which its kernel takes
    them.

    Parameters
    ----------
    name : str

    Returns
    -------
    tuple of str
        The first is ``'learning_rate'``.
    """
    cdef const optimizer_t *f = &kernels_for(4).optimizers[choose("optimizer", name, optimizer_names())]
    return tuple(f.settings.decode().split())


cdef bint all_below(Py_ssize_t bound, const Py_ssize_t[::1] order) noexcept nogil:
    """Whether all row numbers lie in 0 .. bound - 1."""
    cdef Py_ssize_t i
    cdef bint outside = False
    for i in range(order.shape[0]):
        outside |= <size_t>order[i] >= <size_t>bound
    return not outside


cdef inline Py_ssize_t placed(const Py_ssize_t *places, Py_ssize_t row) noexcept nogil:
    """Which row of its array a row of a source is."""
    return places[row] if places else row


cdef bint in_a_file(array):
    """Whether an array is a view of a memory map."""
    while array is not None:
        if isinstance(array, mmap.mmap):
            return True
        array = getattr(array, "base", None)
    return False


cdef class Rows:
    """Where rows come from: the training loop asks a source for the rows of a mini-batch and knows
    no more of it.

    This one hands out the rows of a C-contiguous array, which it keeps alive and never copies as a
    whole.

    Parameters
    ----------
    array : ndarray, shape (rows, width)
        May be read-only, and a memory map. Its items are 4 or 8 bytes wide.
    chosen : ndarray of intp, optional
        The rows of the array that the source hands out; default all.

    Attributes
    ----------
    count : int
        Rows that it hands out.
    """

    cdef readonly object array
    cdef readonly object chosen
    cdef readonly Py_ssize_t count
    cdef const char *data
    cdef const Py_ssize_t *places
    cdef Py_ssize_t row_bytes, total    # a row's, and rows of the array
    cdef bint in_file

    def __cinit__(self, array, chosen=None):
        if array.ndim != 2 or not array.flags.c_contiguous or array.itemsize % 4:
            raise ValueError("a row source needs a C-contiguous array of two dimensions and items of 4 or 8 bytes")
        self.array, self.count = array, array.shape[0]
        self.total = self.count
        self.row_bytes = array.shape[1] * array.itemsize
        self.data = address(array)
        self.in_file = in_a_file(array)
        if chosen is not None:
            self.chosen = np.array(chosen, np.intp)
            if self.chosen.ndim != 1 or (len(chosen) and not 0 <= self.chosen.min() <= self.chosen.max() < len(array)):
                raise ValueError(f"chosen must hold row numbers from 0 to {len(array) - 1}")
            self.count = len(chosen)
            self.places = <const Py_ssize_t *>address(self.chosen)

    def rows(self):
        """The rows that it hands out, as one array; a copy where they are chosen ones.

        Returns
        -------
        ndarray, shape (count, width)
        """
        return self.array if self.chosen is None else self.array[self.chosen]

    cdef bint within(self, int32_t bound) noexcept nogil:
        """Whether all of them, taken as int32, lie in 0 .. bound - 1."""
        cdef Py_ssize_t i
        cdef uint32_t outside = 0
        for i in range(self.count):
            outside |= (<const uint32_t *>self.data)[i] >= <uint32_t>bound
        return not outside

    cdef void ask_for(self, const Py_ssize_t *order, Py_ssize_t rows) noexcept nogil:
        """Have rows order[0 .. rows) read from their file, without waiting for them."""
        cdef Py_ssize_t r
        for r in range(rows):
            read_soon(self.data + placed(self.places, order[r]) * self.row_bytes, self.row_bytes)

    cdef void any_order(self, bint any) noexcept nogil:
        """Whether the rows in the file are going to be read in any order."""
        read_anywhere(self.data, self.total * self.row_bytes, any)

    cdef void gather(self, const Py_ssize_t *order, Py_ssize_t first, Py_ssize_t rows, char *out,
                     Py_ssize_t step) noexcept nogil:
        """Rows order[0 .. rows) (NULL: first, first + 1, ...) into `out`, `step` bytes apart."""
        cdef Py_ssize_t r, at
        cdef const char *row
        for r in range(rows):
            # Rows in any order are far from each other: the way to memory is shortened by starting
            # early.
            if order and r + EARLY < rows:
                row = self.data + placed(self.places, order[r + EARLY]) * self.row_bytes
                prefetch(row)
                if self.row_bytes > 32:  # shorter ones rarely reach into a second line
                    prefetch(row + 64)
                    prefetch(row + self.row_bytes - 1)
            row = self.data + placed(self.places, order[r] if order else first + r) * self.row_bytes
            if self.row_bytes > 128:
                memcpy(out, row, self.row_bytes)
            else:
                at = 0
                while at + 16 <= self.row_bytes:
                    memcpy(out + at, row + at, 16)
                    at += 16
                while at < self.row_bytes:
                    memcpy(out + at, row + at, 4)
                    at += 4
            out += step


cdef class Training:
    """The state of a run: parameters, optimizer slots, seed, and how many epochs and steps are
    done.

    Parameters
    ----------
    backprop : Backprop
        Its network's parameters are what is trained; its capacity is the batch size.
    optimizer : str or None
        None: a run without steps, that computes costs and gradients only.
    settings : dict of str to float
        A value for each of `optimizer_settings`.
    seed : int
        0 to 2**64 - 1; with the epoch it determines the order of the rows.
    timing : bool
        Whether to measure the phases, see `seconds`.
    clip_norm : float
        Shorten the gradient of a mini-batch, as one vector, to this Euclidean length where it is
        longer (Pascanu et al. 2013, Algorithm 1); 0: never.
    max_norm : float
        After each step shorten the weights to each neuron to this Euclidean length where they are
        longer (Srivastava et al. 2014, section 5.1); 0: never.
    multilabel : bool
        Whether the metric without labels is the share of rows whose outputs are all right, instead
        of residuals.
    threads : int
        The most to use; for small mini-batches fewer are. Results do not depend on it.
    adaptive : bool
        Whether to use them only while that is faster than one.
    by_rows : bool
        Whether the loss of an epoch counts each mini-batch's mean cost by its number of rows, as
        scikit-learn does, instead of by their weight. Without weights there is no difference.
    cost_scale : float
        Factor of the rows' costs in the losses of `cost_and_gradient` and, with `by_rows`, of
        `epoch`; gradients and penalties are without it.

    Attributes
    ----------
    steps, epochs : int
        Done so far.
    slots : tuple of ndarray
        The optimizer's memory, laid out as the parameters.
    in_place : bool
        Whether the rows of the last mini-batch were read where they stand in X, instead of gathered
        first.
    """

    cdef readonly Backprop backprop
    cdef readonly int64_t steps
    cdef readonly int64_t epochs
    cdef readonly tuple slots
    cdef readonly str optimizer
    cdef int optimizer_row
    cdef uint64_t seed
    cdef double[OPTIMIZER_NUMBERS] h
    cdef (void *)[8] slot
    cdef double clip_norm, max_norm
    cdef bint multilabel
    cdef double[::1] sums
    cdef Py_ssize_t[::1] order
    cdef readonly int threads
    # The mini-batch that is being worked on.
    cdef Rows X, y, labels, weights
    cdef const Py_ssize_t *visit
    cdef Py_ssize_t first, rows, block
    cdef int jobs
    cdef bint dropping, fetched
    cdef long pages             # that the process has had to wait for
    cdef int ahead              # mini-batches for which rows are asked for
    cdef Py_ssize_t layer, shares   # the one that threads share by outputs, and into how many shares
    cdef readonly bint in_place # its rows of X are read where they stand
    cdef Py_ssize_t *listed     # its rows in X
    cdef char *gradient_room    # of each thread, for the gradient of a piece
    cdef list memory
    cdef bint adaptive, by_rows
    cdef double cost_scale
    cdef double[2] trial        # seconds that TRIALS steps took on one thread and on all, at last
    cdef double trial_began

    # Not __init__, which can be left out or called again: no object exists without its buffers.
    def __cinit__(self, Backprop backprop not None, str optimizer, dict settings not None, uint64_t seed=0,
                  bint timing=False, double clip_norm=0, double max_norm=0, bint multilabel=False,
                  int threads=1, bint adaptive=False, bint by_rows=False, double cost_scale=1):
        cdef const optimizer_t *f
        self.backprop, self.optimizer, self.seed = backprop, optimizer, seed
        self.slots = ()
        if optimizer is not None:
            self.optimizer_row = choose("optimizer", optimizer, optimizer_names())
            names = optimizer_settings(optimizer)
            if set(settings) != set(names):
                raise ValueError(f"{optimizer} works with {', '.join(names)}; got {', '.join(settings)}")
            for i, name in enumerate(names):
                self.h[i] = settings[name]
            f = &kernels_for(backprop.network.itemsize).optimizers[self.optimizer_row]
            self.slots = tuple(aligned_zeros(backprop.network.parameters.size, backprop.network.dtype)
                               for _ in range(f.slots))
            for i in range(f.slots):
                self.slot[i] = address(self.slots[i])
        self.sums = np.zeros(backprop.network.widths[-1])
        backprop.timing = timing
        self.clip_norm, self.max_norm, self.multilabel = clip_norm, max_norm, multilabel
        if threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        self.threads = 1 if timing else threads  # phases of several threads overlap
        listed = aligned_zeros(backprop.capacity, np.intp)
        gradient_room = aligned_zeros(self.threads * (PIECE_INPUTS + 1) * PIECE_PANELS * backprop.network.lanes,
                                      backprop.network.dtype)
        self.memory = [listed, gradient_room]
        self.listed, self.gradient_room = <Py_ssize_t *>address(listed), address(gradient_room)
        self.adaptive, self.by_rows, self.cost_scale = adaptive, by_rows, cost_scale

    @property
    def learning_rate(self):
        """Step size of the coming steps."""
        return self.h[0]

    @learning_rate.setter
    def learning_rate(self, double value):
        self.h[0] = value

    @property
    def parameters(self):
        """The network's parameters, as `Network.parameters` has them."""
        return self.backprop.network.parameters

    @property
    def gradient(self):
        """The gradient of the last mini-batch, laid out as the parameters."""
        return self.backprop.gradient

    def set_flat(self, values):
        """Set all parameters from a vector in the order of `Network.flat`."""
        self.backprop.network.set_flat(values)

    def flat_gradient(self):
        """The gradient of the last mini-batch in that order."""
        return self.backprop.network.flat(self.backprop.gradient)

    @property
    def seconds(self):
        """Time spent in each phase so far, in seconds; zeros unless `timing` was asked for.

        Returns
        -------
        dict of str to float
        """
        return {phase: sum(layer[phase] for layer in self.layer_seconds) for phase in phases}

    @property
    def layer_seconds(self):
        """The same for each layer; shuffling and gathering count for the first, the loss for the
        last.

        Returns
        -------
        list of dict of str to float
        """
        return [{phase: self.backprop.seconds[l * PHASES + i] for i, phase in enumerate(phases)}
                for l in range(self.backprop.network.n_layers)]

    def state(self, copy=True):
        """What a later run needs to go on from here, beside the parameters.

        Parameters
        ----------
        copy : bool
            Whether the slots are copied; without, this run must not go on.

        Returns
        -------
        dict
            The numbers of epochs and steps, the optimizer's slots and its numbers.
        """
        return {"optimizer": self.optimizer, "epochs": self.epochs, "steps": self.steps,
                "numbers": [h for h in self.h[:OPTIMIZER_NUMBERS]], "slots": [slot.copy() if copy else slot for slot in self.slots]}

    def restore(self, state):
        """Go on from where another run was when it gave `state`.

        Parameters
        ----------
        state : dict
            From the `state` of a run with the same optimizer and the same shape of network. The
            settings stay those of this run.
        """
        if state["optimizer"] != self.optimizer or [slot.shape for slot in state["slots"]] != [
                slot.shape for slot in self.slots]:
            raise ValueError(f"this state is of a run with {state['optimizer']}, not of one like this with "
                             f"{self.optimizer}")
        self.epochs, self.steps = state["epochs"], state["steps"]
        for i in range(len(optimizer_settings(self.optimizer)), OPTIMIZER_NUMBERS):
            self.h[i] = state["numbers"][i]
        for slot, values in zip(self.slots, state["slots"]):
            slot[:] = values

    cdef check(self, Rows X, Rows y, Rows labels, Rows weights):
        network = self.backprop.network
        itemsize, n_out = network.itemsize, network.widths[-1]
        if X.array.dtype != network.dtype or X.array.shape[1] != network.widths[0]:
            raise ValueError(f"X must have {network.widths[0]} columns of {network.dtype}, got {X.array.shape[1]} of "
                             f"{X.array.dtype}")
        if (labels if self.backprop.sparse else y) is None:
            raise ValueError(f"the loss {self.backprop.loss!r} needs {'labels' if self.backprop.sparse else 'y'}")
        if y is not None and (y.array.dtype != network.dtype or y.array.shape != (X.count, n_out)):
            raise ValueError(f"y must have shape {(X.count, n_out)} and dtype {network.dtype}, got {y.array.shape} and "
                             f"{y.array.dtype}")
        if weights is not None and (weights.array.dtype != network.dtype or weights.array.shape != (X.count, 1)):
            raise ValueError(f"weights must have shape {(X.count, 1)} and dtype {network.dtype}, got "
                             f"{weights.array.shape} and {weights.array.dtype}")
        if labels is not None:
            if labels.array.dtype != np.int32 or labels.array.shape != (X.count, 1):
                raise ValueError(f"labels must have shape {(X.count, 1)} and dtype int32, got {labels.array.shape} and "
                                 f"{labels.array.dtype}")
            if not labels.within(max(2, n_out)):
                raise ValueError(f"labels must lie in 0 to {max(2, n_out) - 1}, got {labels.array.min()} to "
                                 f"{labels.array.max()}")

    cdef use(self, Rows X, Rows y, Rows labels, Rows weights):
        """Check where the rows of the coming mini-batches are from, unless it is where they were
        from before, and remember it."""
        if not (X is self.X and y is self.y and labels is self.labels and weights is self.weights):
            self.check(X, y, labels, weights)
        self.backprop.use_weights(weights is not None)
        self.X, self.y, self.labels, self.weights = X, y, labels, weights
        self.visit = NULL
        self.sums[:] = 0

    cdef void take(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil:
        """Begin the mini-batch of rows first, first + 1, ... of the order."""
        cdef Py_ssize_t itemsize = self.backprop.network.itemsize
        self.first, self.rows, self.dropping = first, rows, dropping
        # Rows that stand one after the other, or are long enough for looking them up, are read
        # where they are: as scalars, so padding is not needed. Dropout reads vectors.
        cdef bint one_after_the_other = self.visit == NULL and self.X.places == NULL
        cdef Inlet *inlet = &self.backprop.inlets[0]
        cdef Py_ssize_t r
        inlet.rows = NULL
        self.in_place = ((one_after_the_other or self.X.row_bytes >= LONG_ROW and self.backprop.network.layers[0].panels >= 4)
                         and not (dropping and inlet.drops))
        if not self.in_place:
            inlet.a, inlet.ld = self.backprop.x, self.backprop.ld_x
        else:
            inlet.a, inlet.ld = <char *>self.X.data, self.X.row_bytes // itemsize
            if one_after_the_other:
                inlet.a += first * self.X.row_bytes
            else:
                for r in range(rows):
                    self.listed[r] = placed(self.X.places, self.visit[first + r] if self.visit else first + r)
                inlet.rows = self.listed
        if self.weights is not None:
            self.weights.gather(self.visit + first if self.visit else NULL, first, rows, self.backprop.weight,
                                self.backprop.network.itemsize)

    cdef void look_ahead(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        """Once a file's rows had to be waited for, ask for those of the next mini-batch, the given
        ones of the order."""
        cdef long pages = pages_read()
        if pages != self.pages:
            self.ahead = ASKED_FOR
        self.pages = pages
        if self.ahead > 0:
            self.ahead -= 1
            self.X.ask_for(self.visit + first, rows)

    cdef void fetch(self, Py_ssize_t at, Py_ssize_t rows, Py_ssize_t to) noexcept nogil:
        """Rows at .. at + rows - 1 of the mini-batch into the workspace, from its row `to` on;
        weights are there already."""
        cdef Py_ssize_t first = self.first + at, itemsize = self.backprop.network.itemsize
        cdef Py_ssize_t ld = self.backprop.network.layers[self.backprop.network.n_layers - 1].ld
        cdef const Py_ssize_t *order = self.visit + first if self.visit else NULL
        if not self.in_place:
            self.X.gather(order, first, rows, self.backprop.x + to * self.backprop.ld_x * itemsize,
                          self.backprop.ld_x * itemsize)
        if self.backprop.y != NULL:
            self.y.gather(order, first, rows, self.backprop.y + to * ld * itemsize, ld * itemsize)
            self.backprop.targets(to, rows)
        if self.labels is not None:
            self.labels.gather(order, first, rows, <char *>(self.backprop.label + to), sizeof(int32_t))

    cdef void fetch_rows(self, Py_ssize_t i) noexcept nogil:
        """The i-th block of the mini-batch into the workspace."""
        cdef Py_ssize_t first = i * self.block
        self.fetch(first, min(self.block, self.rows - first), first)

    cdef void learn_rows(self, Py_ssize_t i) noexcept nogil:
        """Outputs, costs and deltas of the i-th block of the mini-batch."""
        cdef Py_ssize_t first = i * self.block, end = min(self.rows, first + self.block), at = first
        cdef uint64_t floating_point_mode = flush_subnormals()
        if not self.fetched:
            self.fetch_rows(i)
        self.backprop.mark(GATHER, 0)
        while at < end:
            self.backprop.learn_block(at, min(self.backprop.network.block, end - at), self.dropping)
            at += self.backprop.network.block
        restore_subnormals(floating_point_mode)

    cdef bint all_at_once(self, int threads) noexcept nogil:
        """Whether each block of rows is worked off with its part of the gradient, while it is in
        the cache: on one thread, and with a gradient that stays there too. The workspace is then
        that of one block."""
        return threads == 1 and self.backprop.n_parameters <= FUSE_FROM

    cdef Py_ssize_t learn_at_once(self, Backprop b, bint classes, double threshold) noexcept nogil:
        """Outputs, costs, deltas and the gradient of the mini-batch; returns what `measure`
        does."""
        cdef Py_ssize_t i, piece, first, rows, hits = 0
        cdef Inlet *inlet = &b.inlets[0]
        cdef const char *x = inlet.a
        for i in range(blocks(self.rows, BLOCK_AT_ONCE)):
            first = i * BLOCK_AT_ONCE
            rows = min(BLOCK_AT_ONCE, self.rows - first)
            b.origin = first
            if inlet.rows:
                inlet.rows = self.listed + first
            elif self.in_place:
                inlet.a = <char *>x + first * self.X.row_bytes
            self.fetch(first, rows, 0)
            b.mark(GATHER, 0)
            b.learn_block(0, rows, self.dropping)
            for piece in range(b.n_pieces):
                b.gradients(&b.pieces[piece], rows, self.dropping, b.in_gradient(&b.pieces[piece]), first == 0,
                            first + rows == self.rows)
            hits += self.measure(b, classes, rows, b.output(), threshold)
            b.mark(LOSS, b.network.n_layers - 1)
        b.origin = 0
        return hits

    cdef Py_ssize_t layers_by_outputs(self, int threads) noexcept nogil:
        """How many layers, from the lowest on, threads share by outputs: those wide enough. By rows
        each thread would fetch all weights from the cache of whoever has improved them, and then
        the others' deltas for the gradient."""
        cdef Py_ssize_t l
        cdef Layer *layer
        for l in range(self.backprop.network.n_layers - 1):
            layer = &self.backprop.network.layers[l]
            if (layer.panels < PIECE_PANELS * threads or self.dropping and self.backprop.inlets[l].drops
                    or kernels_for(self.backprop.network.itemsize).activations[layer.f].per_row):
                return l
        return self.backprop.network.n_layers - 1

    cdef void learn_together(self, int threads) noexcept nogil:
        """Outputs, costs and deltas of the mini-batch on several threads."""
        cdef Py_ssize_t l, count = blocks(self.rows, self.block), shared = self.layers_by_outputs(threads) if threads > 1 else 0
        self.fetched = shared > 0 and not self.in_place
        if self.fetched:
            pool_run(fetch_task, <void *>self, count, NULL, threads)
        self.backprop.by_outputs = shared
        for l in range(shared):
            self.share_layer(l, threads, forward_share_task)
        pool_run(learn_task, <void *>self, count, NULL, threads)
        for l in range(shared - 2, -1, -1):
            self.share_layer(l, threads, backward_share_task)
        self.backprop.by_outputs, self.fetched = 0, False

    cdef void share_layer(self, Py_ssize_t l, int threads, pool_task task) noexcept nogil:
        """Have all shares of a layer's outputs worked on: as many of at least a piece's panels as
        all threads have alike."""
        self.layer = l
        self.shares = threads * (self.backprop.network.layers[l].panels // (PIECE_PANELS * threads))
        pool_run(task, <void *>self, self.shares, NULL, threads)

    cdef void work_on_share(self, Py_ssize_t i, bint back) noexcept nogil:
        """A layer forward or backward for a share of its outputs and all rows."""
        cdef uint64_t floating_point_mode = flush_subnormals()
        cdef Py_ssize_t at, rows, block = self.backprop.network.block, panels = self.backprop.network.layers[self.layer].panels
        cdef Py_ssize_t panel = i * panels // self.shares
        panels = (i + 1) * panels // self.shares - panel
        for i in range(blocks(self.rows, block)):
            at = i * block
            rows = min(block, self.rows - at)
            if back:
                self.backprop.hidden_backward(self.layer, panel, panels, at, rows, self.dropping)
            else:
                self.backprop.hidden_forward(self.layer, panel, panels, at, rows, self.dropping)
                if self.layer < self.backprop.by_outputs - 1:
                    self.backprop.hidden_activation(self.layer, panel, panels, at, rows)
        restore_subnormals(floating_point_mode)

    cdef void judge_rows(self, Py_ssize_t i) noexcept nogil:
        cdef Py_ssize_t first = i * self.block, end = min(self.rows, first + self.block), at = first
        self.fetch_rows(i)
        while at < end:
            self.backprop.judge_block(at, min(self.backprop.network.block, end - at))
            at += self.backprop.network.block

    cdef int share(self, bint trying) noexcept nogil:
        """Cut the mini-batch into blocks, as evenly for the threads as lanes allow; returns how
        many threads to use."""
        cdef Py_ssize_t work = self.rows * self.backprop.n_parameters, count
        cdef int threads = <int>max(1, min(self.threads, work // WORK_A_THREAD))
        if threads == 2 and self.rows > MANY_ROWS and self.all_at_once(1):
            threads = 1
        if threads > 1 and self.adaptive and not self.wanted(trying):
            threads = 1
        self.block = self.backprop.network.block
        if threads > 1:
            count = threads * blocks(self.rows, threads * self.backprop.network.block)
            self.block = blocks(blocks(self.rows, count), 16) * 16
        return threads

    cdef bint wanted(self, bint trying) noexcept nogil:
        """Whether further threads are worth it; steps that belong to a trial are timed."""
        cdef int64_t place = self.steps % ROUND
        cdef double now
        if trying and place <= 2 * TRIALS and place % TRIALS == 0:
            now = clock_seconds()
            if place > 0:
                self.trial[place // TRIALS - 1] = now - self.trial_began
            self.trial_began = now
        if trying and place < 2 * TRIALS:
            return place >= TRIALS
        return self.trial[1] <= self.trial[0]

    cdef void work_on(self, Piece *piece, int worker) noexcept nogil:
        """The gradient of a piece, a step along it, or one after the other; then the gradient goes
        no farther than the worker's own memory, which stays in its cache."""
        cdef const kernels_t *k = kernels_for(self.backprop.network.itemsize)
        cdef Layer *layer = &self.backprop.network.layers[piece.layer]
        cdef Py_ssize_t panel, lanes = self.backprop.network.lanes, itemsize = self.backprop.network.itemsize, outputs
        cdef uint64_t floating_point_mode = flush_subnormals()
        cdef Place place = self.backprop.in_gradient(piece)
        if self.jobs == COMPUTE | STEP:
            place.b = self.gradient_room + worker * (PIECE_INPUTS + 1) * PIECE_PANELS * lanes * itemsize
            place.W, place.step = place.b + PIECE_PANELS * lanes * itemsize, piece.inputs * lanes
        if self.jobs & COMPUTE:
            self.backprop.gradients(piece, self.rows, True, place, True, True)
        if self.jobs & STEP:
            for panel in range(piece.panels):
                self.move(k, layer.W + ((piece.panel + panel) * layer.n_in + piece.input) * lanes, piece.inputs * lanes,
                          place.W + panel * place.step * itemsize)
            if piece.input == 0:
                self.move(k, layer.b + piece.panel * lanes, piece.panels * lanes, place.b)
            if piece.layer > 0:
                outputs = min(piece.panels * lanes, layer.n_out - piece.panel * lanes)
                k.transpose_panels(layer.n_in, layer.n_out, piece.input, piece.inputs, piece.panel * lanes, outputs,
                            self.backprop.network.w + layer.W * self.backprop.network.itemsize,
                            self.backprop.flows[piece.layer].Wt)
            self.backprop.mark(UPDATE, piece.layer)
        restore_subnormals(floating_point_mode)

    cdef void move(self, const kernels_t *k, Py_ssize_t at, Py_ssize_t n, const char *g) noexcept nogil:
        """One step of the optimizer on n parameters from `at` on, whose gradient is g."""
        cdef const optimizer_t *f = &k.optimizers[self.optimizer_row]
        cdef (void *)[8] slot
        cdef int i
        cdef Py_ssize_t offset = at * self.backprop.network.itemsize
        for i in range(f.slots):
            slot[i] = <char *>self.slot[i] + offset
        f.step(n, self.steps, self.h, self.backprop.network.w + offset, g, slot)

    cdef Py_ssize_t measure(self, Backprop b, bint classes, Py_ssize_t rows, const char *out,
                            double threshold) noexcept nogil:
        """How many of the rows are right, or their squared residuals into sums."""
        cdef const kernels_t *k = kernels_for(b.network.itemsize)
        cdef Layer *last = &b.network.layers[b.network.n_layers - 1]
        cdef Py_ssize_t row = last.ld, column = 1
        cdef const char *y = b.y
        if b.turned:
            row, column, y = 1, b.ld_turned, b.y_turned
        if classes:
            return k.count_correct(rows, last.n_out, row, column, out, threshold, b.label)
        if self.multilabel:
            return k.count_exact_match(rows, last.n_out, row, column, out, threshold, y, b.y_threshold)
        k.squared_residuals(rows, last.n_out, row, column, out, y, &self.sums[0])
        return 0

    cdef result(self, Py_ssize_t count, double weight, double total, bint classes, Py_ssize_t hits):
        return total / weight, <double>hits / count if classes or self.multilabel else np.array(self.sums)

    cdef double improve(self, int threads, bint gradient_stands) noexcept nogil:
        """The gradient, where it does not stand yet, and one step on all parameters, which begins
        once all deltas stand; returns the penalties."""
        cdef const kernels_t *k = kernels_for(self.backprop.network.itemsize)
        cdef const optimizer_t *f = &k.optimizers[self.optimizer_row]
        cdef Py_ssize_t l, n = self.backprop.n_parameters
        cdef Layer *layer
        cdef double norm
        cdef bint by_pieces = n > FUSE_FROM or threads > 1 or self.backprop.timing, fused = by_pieces and self.clip_norm == 0 and not gradient_stands
        self.steps += 1
        if f.prepare:
            f.prepare(self.steps, self.h)
        self.jobs = COMPUTE | STEP if fused else COMPUTE
        if not gradient_stands:
            pool_run(piece_task, <void *>self, self.backprop.n_pieces, self.backprop.costs, threads)
        if self.clip_norm > 0:
            norm = sqrt(k.dot(n, self.backprop.g, self.backprop.g))
            if norm > self.clip_norm:
                k.scale(n, self.clip_norm / norm, self.backprop.g)
        if not fused:
            if by_pieces:
                self.jobs = STEP
                pool_run(piece_task, <void *>self, self.backprop.n_pieces, self.backprop.costs, threads)
            else:
                f.step(n, self.steps, self.h, self.backprop.network.w, self.backprop.g, self.slot)
                self.backprop.transpose_weights()
        if self.max_norm > 0:
            for l in range(self.backprop.network.n_layers):
                layer = &self.backprop.network.layers[l]
                k.clip_row_norms(layer.n_in, layer.panels, self.max_norm, self.backprop.network.w + layer.W * self.backprop.network.itemsize)
            self.backprop.transpose_weights()
        self.backprop.mark(UPDATE, 0)
        return self.backprop.penalties()

    def epoch(self, Rows X not None, Rows y, Rows labels, bint shuffled=True, const Py_ssize_t[::1] order=None,
              Rows weights=None, const double[::1] rates=None):
        """Train on every row once.

        Parameters
        ----------
        X : Rows
            Inputs, shape (rows, n_in).
        y : Rows or None
            Targets, shape (rows, n_out); None for a sparse loss.
        labels : Rows or None
            Class indices of int32, shape (rows, 1); None for regression.
        shuffled : bool
            Whether to visit the rows in the order ``permutation(seed, epoch, rows)`` instead of as
            they stand. Where one mini-batch holds them all, they are left as they stand.
        order : ndarray of intp, optional
            The rows to visit, in this order, instead.
        weights : Rows, optional
            Weight of each row, of the network's dtype, shape (rows, 1); at least 0. Costs and
            gradients of a mini-batch are weighted means.
        rates : ndarray of float64, optional
            The learning rate of each mini-batch; default `learning_rate` for all.

        Returns
        -------
        loss : float
            Mean cost of the rows, each as it was when its mini-batch came by, with the penalty on
            the weights.
        metric : float or ndarray of float64, shape (n_out,)
            Share of rows classified right, without regard to weights; for a regression the sum of
            squared residuals of each output.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C (or what another signal handler raises), within about 0.1 s or a mini-batch,
            whichever is longer; the parameters are those after the last whole mini-batch.
        """
        cdef Backprop b = self.backprop
        cdef Py_ssize_t block, count, first, rows, hits = 0, batch = b.capacity
        cdef double total = 0, weight = 0, batch_weight, looked
        cdef bint classes = labels is not None, at_once, scattered
        cdef uint64_t floating_point_mode
        cdef Py_ssize_t work = 0, work_a_row = b.n_parameters + 1
        cdef int threads
        if self.optimizer is None:
            raise ValueError("this run has no optimizer, so it has no epochs")
        self.use(X, y, labels, weights)
        count = X.count
        if order is not None:
            count = order.shape[0]
            if not all_below(X.count, order):
                raise ValueError(f"order must hold row numbers from 0 to {X.count - 1}")
            self.visit = &order[0] if count else NULL
        if count == 0:
            raise ValueError("an epoch needs at least one row")
        if rates is not None and rates.shape[0] != blocks(count, batch):
            raise ValueError(f"rates must have one entry for each of the {blocks(count, batch)} mini-batches, got "
                             f"{rates.shape[0]}")
        caught = None
        b.last = looked = clock_seconds()
        if order is None and shuffled and count > batch:
            if self.order is None or self.order.shape[0] != count:
                self.order = aligned_zeros(count, np.intp)
            self.visit = &self.order[0]
            with nogil:
                shuffle(self.seed, FOR_SHUFFLE, <unsigned int>self.epochs, &self.order[0], count)
            b.mark(SHUFFLE, 0)
        with nogil:
            floating_point_mode = flush_subnormals()
            scattered = X.in_file and self.visit != NULL
            if scattered:  # read as usual, each of the first rows would bring megabytes of its neighbours
                X.any_order(True)
                self.pages, self.ahead = pages_read(), 0
            b.transpose_weights()
            for block in range(blocks(count, batch)):
                first = block * batch
                rows = min(batch, count - first)
                self.take(first, rows, True)
                if scattered:
                    self.look_ahead(first + rows, min(batch, count - first - rows))
                batch_weight = b.average_over(rows)
                b.draw_with(self.seed, self.steps)
                threads = self.share(True)
                at_once = self.all_at_once(threads)
                if at_once:
                    hits += self.learn_at_once(b, classes, b.threshold)
                else:
                    self.learn_together(threads)
                    hits += self.measure(b, classes, rows, b.output(), b.threshold)
                if self.by_rows:
                    total += rows * self.cost_scale * (b.total_cost(rows, 0) / batch_weight) if batch_weight > 0 else 0
                    batch_weight = rows
                else:
                    total = b.total_cost(rows, total)
                weight += batch_weight
                b.mark(LOSS, b.network.n_layers - 1)
                if rates is not None:
                    self.h[0] = rates[block]
                total += batch_weight * self.improve(threads, at_once)
                # Reading the clock is worth it only after about a millisecond's work.
                work += rows * work_a_row
                if work > 10000000:
                    work = 0
                    if clock_seconds() - looked > LOOK_SECONDS:
                        restore_subnormals(floating_point_mode)
                        with gil:
                            try:
                                PyErr_CheckSignals()
                            except BaseException as error:
                                caught = error
                        if caught is not None:
                            break
                        looked = clock_seconds()
                        flush_subnormals()
            if scattered:
                X.any_order(False)
            restore_subnormals(floating_point_mode)
        if caught is not None:
            raise caught
        self.epochs += 1
        return self.result(count, weight, total, classes, hits)

    def cost_and_gradient(self, Rows X not None, Rows y, Rows labels, Rows weights=None):
        """One pass over all rows, forward and backward, without dropout and without a step.

        Parameters
        ----------
        X, y, labels, weights
            As in `epoch`; as many rows as a mini-batch has at most. The gradient stands in
            ``backprop.gradient`` afterwards, with that of the penalties, and clipped by nothing.

        Returns
        -------
        loss, metric
            As in `epoch`.
        """
        cdef Backprop b = self.backprop
        cdef Py_ssize_t rows = X.count, hits
        cdef double weight, total
        cdef bint classes = labels is not None
        cdef uint64_t floating_point_mode
        cdef int threads
        self.use(X, y, labels, weights)
        if not 0 < rows <= b.capacity:
            raise ValueError(f"a single pass takes 1 to {b.capacity} rows, got {rows}")
        b.last = clock_seconds()
        with nogil:
            floating_point_mode = flush_subnormals()
            b.transpose_weights()
            self.take(0, rows, False)
            weight = b.average_over(rows)
            threads = self.share(False)
            if self.all_at_once(threads):
                hits = self.learn_at_once(b, classes, b.threshold)
            else:
                self.learn_together(threads)
                hits = self.measure(b, classes, rows, b.output(), b.threshold)
                b.mark(LOSS, b.network.n_layers - 1)
                pool_run(pass_piece_task, <void *>self, b.n_pieces, b.costs, threads)
            total = self.cost_scale * b.total_cost(rows, 0)
            total += weight * b.penalties()
            restore_subnormals(floating_point_mode)
        return self.result(rows, weight, total, classes, hits)

    def evaluate(self, Rows X not None, Rows y, Rows labels):
        """Mean cost, without the penalty on the weights, and metric on rows that are not trained
        on.

        Parameters
        ----------
        X, y, labels
            As in `epoch`.

        Returns
        -------
        loss, metric
            As in `epoch`.
        """
        cdef Backprop b = self.backprop
        cdef Py_ssize_t block, rows, hits = 0
        cdef double total = 0
        cdef bint classes = labels is not None
        cdef int threads
        self.use(X, y, labels, None)
        if X.count == 0:
            raise ValueError("an evaluation needs at least one row")
        with nogil:
            for block in range(blocks(X.count, b.capacity)):
                rows = min(b.capacity, X.count - block * b.capacity)
                self.take(block * b.capacity, rows, False)
                threads = self.share(False)
                pool_run(judge_task, <void *>self, blocks(rows, self.block), NULL, threads)
                total = b.total_cost(rows, total)
                hits += self.measure(b, classes, rows, b.flows[b.network.n_layers - 1].a, b.y_threshold)
        return self.result(X.count, X.count, total, classes, hits)


# What the threads of the pool call. A run belongs to one caller at a time, so its mini-batch is
# theirs to share.

cdef void learn_task(void *run, Py_ssize_t i, int worker) noexcept nogil:
    (<Training>run).learn_rows(i)

cdef void fetch_task(void *run, Py_ssize_t i, int worker) noexcept nogil:
    (<Training>run).fetch_rows(i)

cdef void forward_share_task(void *run, Py_ssize_t i, int worker) noexcept nogil:
    (<Training>run).work_on_share(i, False)

cdef void backward_share_task(void *run, Py_ssize_t i, int worker) noexcept nogil:
    (<Training>run).work_on_share(i, True)

cdef void judge_task(void *run, Py_ssize_t i, int worker) noexcept nogil:
    (<Training>run).judge_rows(i)

cdef void piece_task(void *run, Py_ssize_t i, int worker) noexcept nogil:
    (<Training>run).work_on(&(<Training>run).backprop.pieces[(<Training>run).backprop.schedule[i]], worker)

cdef void pass_piece_task(void *run, Py_ssize_t i, int worker) noexcept nogil:
    cdef uint64_t floating_point_mode = flush_subnormals()
    cdef Piece *piece = &(<Training>run).backprop.pieces[(<Training>run).backprop.schedule[i]]
    (<Training>run).backprop.gradients(piece, (<Training>run).rows, False, (<Training>run).backprop.in_gradient(piece), True, True)
    restore_subnormals(floating_point_mode)

"""Who computes what: weight tiles, the plan of a step, and how many threads pay.

No result depends on it: each output is one chain of additions, each sum has a fixed order.
"""

cimport cython
from libc.stdint cimport int64_t

from cnn_core._cpu cimport kernels_for
from cnn_core._embedding cimport EmbeddingTile
from cnn_core._memory cimport Arena, blocks
from cnn_core._network cimport Layer, Network
from cnn_core._platform cimport clock_seconds
from cnn_core._tuning cimport (BLOCKWISE_BYTES, CACHE_PER_THREAD, PERIOD, SAMPLES, STREAMING_COST,
                               STREAMING_WORK, TILE_INPUTS, TILE_PANELS, WORK_PER_THREAD)
from cnn_core._workspace cimport Workspace


@cython.final
cdef class Partition:
    """The weight tiles of a network, and those of its embeddings.

    Parameters
    ----------
    network : Network
    """

    def __cinit__(self, Network network not None):
        cdef Layer *layer
        cdef WeightTile *tile
        cdef EmbeddingTile *embedding_tile
        cdef Py_ssize_t l, panel, input, i, number
        self.count = sum([
            blocks(-(-n_out // network.lanes), TILE_PANELS) * blocks(n_in, TILE_INPUTS)
            for n_in, n_out in zip(network.widths, network.widths[1:])])
        self.arena = Arena()
        self.tiles = tile = <WeightTile *>self.arena.alloc(self.count, 1, sizeof(WeightTile))
        self.n_embedding_tiles = network.embedding.n_tiles
        if self.n_embedding_tiles:
            self.embedding_tiles = <EmbeddingTile *>self.arena.alloc(
                self.n_embedding_tiles, 1, sizeof(EmbeddingTile))
            network.embedding.fill_tiles(self.embedding_tiles)
        total = self.count + self.n_embedding_tiles
        self.order = <Py_ssize_t *>self.arena.alloc(total, 1, sizeof(Py_ssize_t))
        self.costs = <Py_ssize_t *>self.arena.alloc(total + 1, 1, sizeof(Py_ssize_t))
        for l in range(network.n_layers):
            layer = &network.layers[l]
            for panel in range(0, layer.panels, TILE_PANELS):
                for input in range(0, layer.n_in, TILE_INPUTS):
                    tile.layer, tile.panel, tile.input = l, panel, input
                    tile.panels = min(TILE_PANELS, layer.panels - panel)
                    tile.inputs = min(TILE_INPUTS, layer.n_in - input)
                    tile += 1
        # A thread has the same part of the outputs of every layer: those whose z it computes in
        # the forward pass, so that the weights stay in its cache.
        heights = [self.tiles[i].panel / network.layers[self.tiles[i].layer].panels
                   for i in range(self.count)]
        costs = [self.tiles[i].panels * self.tiles[i].inputs for i in range(self.count)]
        for i in range(self.n_embedding_tiles):
            embedding_tile = &self.embedding_tiles[i]
            heights.append(network.embedding.height(embedding_tile))
            costs.append(network.embedding.cost(embedding_tile))
        for i, number in enumerate(sorted(range(total), key=heights.__getitem__)):
            self.order[i] = number
            self.costs[i + 1] = self.costs[i] + <Py_ssize_t>costs[number]

    cdef double penalty(self) noexcept nogil:
        """The sum of the tiles' penalties, one after the other."""
        cdef Py_ssize_t i
        cdef double total = 0
        for i in range(self.count):
            total += self.tiles[i].penalty
        for i in range(self.n_embedding_tiles):
            total += self.embedding_tiles[i].penalty
        return total


cdef StepPlan plan_step(Workspace workspace, Py_ssize_t rows, int threads,
                        bint dropping) noexcept nogil:
    """The plan of a mini-batch of `rows` rows on at most `threads` threads."""
    cdef StepPlan plan
    cdef Py_ssize_t n_blocks, parameters = workspace.network.n_weights
    cdef Py_ssize_t bytes = workspace.network.size * workspace.network.itemsize
    cdef bint is_small = bytes <= BLOCKWISE_BYTES
    if threads > 1:
        threads = <int>max(1, min(threads, rows * parameters // WORK_PER_THREAD))
    if is_small and threads <= STREAMING_COST and streams(workspace, rows, threads):
        threads = 1
    plan.strategy, plan.threads = TWO_PHASE, threads
    plan.block, plan.layers_by_output = workspace.network.block, 0
    if threads > 1:
        # As evenly for the threads as lanes allow.
        n_blocks = threads * blocks(rows, threads * workspace.network.block)
        plan.block = blocks(blocks(rows, n_blocks), 16) * 16
        plan.layers_by_output = layers_by_output(workspace, threads, dropping)
        if plan.layers_by_output > 0:
            plan.strategy = LAYER_PARALLEL
    elif is_small:
        plan.strategy = BLOCKWISE
    return plan


cdef bint streams(Workspace workspace, Py_ssize_t rows, int threads) noexcept nogil:
    """Whether the threads, each with its part of the workspace, wait for the memory."""
    cdef Py_ssize_t row_bytes = workspace.row_bytes()
    return (rows * row_bytes > threads * CACHE_PER_THREAD
            and workspace.network.n_weights < STREAMING_WORK * row_bytes)


cdef Py_ssize_t layers_by_output(Workspace workspace, int threads, bint dropping) noexcept nogil:
    """How many layers, from the lowest on, are wide enough to be shared by outputs. Shared by rows,
    each thread would fetch all weights from the caches of the threads that have updated them, and
    for the gradient the deltas that the others have computed."""
    cdef Py_ssize_t l
    cdef Layer *layer
    for l in range(workspace.network.n_layers - 1):
        layer = &workspace.network.layers[l]
        if (layer.panels < TILE_PANELS * threads or dropping and workspace.inputs[l].drops
                or kernels_for(workspace.network.itemsize).activations[layer.activation].per_row):
            return l
    return workspace.network.n_layers - 1


cdef bint threads_pay(ThreadTuner *tuner, int64_t step, bint sampling) noexcept nogil:
    """Whether further threads pay at this step; those that are samples are timed."""
    cdef int64_t number = step % PERIOD
    cdef double now
    if sampling and number <= 2 * SAMPLES and number % SAMPLES == 0:
        now = clock_seconds()
        if number > 0:
            tuner.seconds[number // SAMPLES - 1] = now - tuner.began
        tuner.began = now
    if sampling and number < 2 * SAMPLES:
        return number >= SAMPLES
    return tuner.seconds[1] <= tuner.seconds[0]

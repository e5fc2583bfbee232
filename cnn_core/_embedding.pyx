"""What columns become before the first layer reads them.

The first layer reads the numbers of a row, then the periodic embeddings of some of them, column
after column (kernels/periodic.inc.h), then the vectors of the categories in the last columns: rows
of tables E (Guo & Berkhahn 2016, arXiv 1604.06737), or zeros for what is no category.
"""

import numpy as np

cimport cython
from libc.string cimport memcpy, memset

from cnn_core._cpu cimport MOST_PERIODIC_WIDTH, kernels_for
from cnn_core._linalg cimport real
from cnn_core._memory cimport PANEL_BYTES, Arena, Matrix, at, blocks, elements
from cnn_core._tuning cimport TILE_INPUTS, TILE_PANELS

cdef enum:
    TILE_FREQUENCIES = 8
    WORK_PER_FREQUENCY = 20     # of a weight
    MOST_FREQUENCIES = 1024


cdef inline Py_ssize_t category_at(const char *row, Py_ssize_t column, Py_ssize_t itemsize,
                                   Py_ssize_t categories) noexcept nogil:
    """The number of a category that stands in a row; NONE for what is no such number."""
    cdef double value
    if itemsize == 8:
        value = (<const double *>row)[column]
    else:
        value = (<const float *>row)[column]
    if value >= 0 and value < categories and value == <double><Py_ssize_t>value:
        return <Py_ssize_t>value
    return NONE


cdef inline void add_vector(Py_ssize_t n, const real *x, real *sum) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        sum[j] += x[j]


cdef tuple checked_periodic(periodic, Py_ssize_t n_numbers):
    """(columns, frequencies, width), or ()."""
    if not periodic:
        return ()
    columns, frequencies, width = periodic
    columns = tuple([int(column) for column in columns])
    if not columns or list(columns) != sorted(set(columns)) or not (
            0 <= columns[0] <= columns[-1] < n_numbers):
        raise ValueError(f"the columns of periodic must be ascending numbers of features from 0 to "
                         f"{n_numbers - 1}, got {columns}")
    if not 1 <= frequencies <= MOST_FREQUENCIES or not 1 <= width <= MOST_PERIODIC_WIDTH:
        raise ValueError(f"periodic takes 1 to {MOST_FREQUENCIES} frequencies and a width of 1 to "
                         f"{MOST_PERIODIC_WIDTH}, got {frequencies} and {width}")
    return columns, int(frequencies), int(width)


@cython.final
cdef class Embedding:
    """The tables and the periodic embeddings of a network.

    Parameters
    ----------
    n_in : int
        What the first layer reads.
    itemsize : int
        Bytes of a number.
    tables : tuple of (int, int)
        Of each of the last columns of X, the number of categories and the width of their vectors.
    periodic : (sequence of int, int, int) or ()
        Which of the other columns have a periodic embedding, the number of frequencies, and the
        width of what each of them becomes.
    """

    def __cinit__(self, Py_ssize_t n_in, Py_ssize_t itemsize, tables, periodic):
        self.itemsize, self.lanes, self.arena = itemsize, PANEL_BYTES // itemsize, Arena()
        self.tables = tuple([(int(n), int(width)) for n, width in tables])
        self.n_tables = len(self.tables)
        self.n_numbers = n_in - sum([width for _, width in self.tables])
        if periodic:
            self.n_numbers -= len(periodic[0]) * periodic[2]
        self.n_features = self.n_numbers + self.n_tables
        if self.n_numbers < 0 or any([min(pair) < 1 for pair in self.tables]):
            raise ValueError(f"embeddings must be pairs of numbers of at least 1 whose widths, "
                             f"with those of periodic, are together at most {n_in}, got "
                             f"{self.tables}")
        self.periodic = checked_periodic(periodic, self.n_numbers)
        self.exists = self.n_tables > 0 or bool(self.periodic)
        if self.periodic:
            self.alloc_panels()
        if self.n_tables:
            self.alloc_tables()

    cdef alloc_panels(self):
        cdef PeriodicPanel *panel
        cdef Py_ssize_t i, n
        cdef Py_ssize_t *column
        columns, frequencies, width = self.periodic
        n = len(columns)
        self.n_panels = blocks(n, self.lanes)
        self.panel = <PeriodicPanel *>self.arena.alloc(self.n_panels, 1, sizeof(PeriodicPanel))
        column = <Py_ssize_t *>self.arena.alloc(n, 1, sizeof(Py_ssize_t))
        for i in range(n):
            column[i] = columns[i]
        for i in range(self.n_panels):
            panel = &self.panel[i]
            panel.kernel.n = min(self.lanes, n - i * self.lanes)
            panel.kernel.frequencies, panel.kernel.width = frequencies, width
            panel.kernel.column = column + i * self.lanes
            panel.input = self.n_numbers + i * self.lanes * panel.kernel.width
            panel.step = (2 + panel.kernel.width) * self.lanes
            panel.size = (panel.kernel.frequencies * panel.step
                          + panel.kernel.width * self.lanes)
            self.n_periodic += panel.size
            self.n_tiles += blocks(panel.kernel.frequencies, TILE_FREQUENCIES)

    cdef alloc_tables(self):
        cdef Table *table
        cdef Py_ssize_t i, input = self.n_numbers
        if self.periodic:
            input += len(self.periodic[0]) * self.periodic[2]
        self.table = <Table *>self.arena.alloc(self.n_tables, 1, sizeof(Table))
        for i in range(self.n_tables):
            table = &self.table[i]
            table.categories, table.width = self.tables[i]
            table.input = input
            table.size = blocks(table.categories * table.width, self.lanes) * self.lanes
            input += table.width
            self.n_vectors += table.size
            self.n_tiles += blocks(table.categories, self.tile_categories(i))

    def n_parameters(self):
        """Numbers in the flat buffer, padding included."""
        return self.n_vectors + self.n_periodic

    cdef place(self, char *w, Py_ssize_t offset):
        """Have the parameters be from byte `offset` of w on: the tables, then the panels."""
        cdef Py_ssize_t i
        self.w = w
        for i in range(self.n_tables):
            self.table[i].E = offset
            offset += self.table[i].size * self.itemsize
        for i in range(self.n_panels):
            self.panel[i].offset = offset
            self.panel[i].kernel.parameters = w + offset
            offset += self.panel[i].size * self.itemsize

    def vectors(self, Py_ssize_t i, vector):
        """The vectors E of an embedded column as a view of the flat buffer."""
        cdef Table *table
        if not 0 <= i < self.n_tables:
            raise IndexError(f"table {i} does not exist; this network has {self.n_tables}")
        table = &self.table[i]
        E, size = table.E // self.itemsize, table.categories * table.width
        return vector[E:E + size].reshape(table.categories, table.width)

    cdef list parts_of(self, vector):
        """Views of each panel's frequencies, phases, V and d: shapes (frequencies, n) twice,
        (frequencies, width, n) and (width, n)."""
        cdef PeriodicPanel *panel
        cdef Py_ssize_t i, n
        parts = []
        for i in range(self.n_panels):
            panel = &self.panel[i]
            n, first = panel.kernel.n, panel.offset // self.itemsize
            end = first + panel.kernel.frequencies * panel.step
            per_frequency = vector[first:end].reshape(panel.kernel.frequencies, -1, self.lanes)
            d = vector[end:first + panel.size].reshape(panel.kernel.width, self.lanes)
            parts.append((per_frequency[:, 0, :n], per_frequency[:, 1, :n],
                          per_frequency[:, 2:, :n], d[:, :n]))
        return parts

    def periodic_parameters(self, vector):
        """Copies of w, c, V and d, as `Network.periodic_parameters` gives them."""
        columns = [np.concatenate(part, axis=-1) for part in zip(*self.parts_of(vector))]
        return tuple([np.ascontiguousarray(np.moveaxis(part, -1, 0).swapaxes(1, -1))
                      for part in columns])

    def set_periodic(self, vector, parts):
        """Set them."""
        cdef Py_ssize_t first = 0, n
        for views in self.parts_of(vector):
            n = views[0].shape[1]
            for view, values in zip(views, parts):
                values = values[first:first + n].swapaxes(1, -1)
                view[...] = values.transpose([*range(1, values.ndim), 0])
            first += n

    cdef void read_row(self, const char *row, char *x, Py_ssize_t *categories,
                       Py_ssize_t step) noexcept nogil:
        """What the first layer reads of a row of X, into x, which may be the row itself; the
        categories, `step` apart, to `categories`, unless that is NULL."""
        cdef Table *table
        cdef PeriodicPanel *panel
        cdef Py_ssize_t i, category, itemsize = self.itemsize
        if x != row:
            memcpy(x, row, self.n_numbers * itemsize)
        # From the last on, as a vector covers no number of a column before its own.
        for i in range(self.n_tables - 1, -1, -1):
            table = &self.table[i]
            category = category_at(row, self.n_numbers + i, itemsize, table.categories)
            if categories:
                categories[i * step] = category
            if category == NONE:
                memset(x + table.input * itemsize, 0, table.width * itemsize)
            else:
                memcpy(x + table.input * itemsize,
                       self.w + table.E + category * table.width * itemsize,
                       table.width * itemsize)
        for i in range(self.n_panels):
            panel = &self.panel[i]
            kernels_for(itemsize).embed(&panel.kernel, 1, 0, x, 0, x + panel.input * itemsize)

    cdef void read_along(self, Embedding v, const char *x, const Py_ssize_t *categories,
                         Py_ssize_t step, char *r_x) noexcept nogil:
        """The derivative of what the first layer reads, x, along a direction with the embeddings v;
        categories as `read_row` has given them."""
        cdef Table *table
        cdef PeriodicPanel *panel
        cdef Py_ssize_t i, size, itemsize = self.itemsize
        memset(r_x, 0, self.n_numbers * itemsize)
        for i in range(self.n_tables):
            table = &self.table[i]
            size = table.width * itemsize
            if categories[i * step] == NONE:
                memset(r_x + table.input * itemsize, 0, size)
            else:
                memcpy(r_x + table.input * itemsize,
                       v.w + table.E + categories[i * step] * size, size)
        for i in range(self.n_panels):
            panel = &self.panel[i]
            kernels_for(itemsize).embed_along(&panel.kernel, &v.panel[i].kernel, 1, 0, x, 0,
                                              r_x + panel.input * itemsize)

    cdef void send_back(self, Py_ssize_t rows, const Matrix *x, const Matrix *dx) noexcept nogil:
        """Add what periodic embeddings send back to the numbers that they are of, in dx, the
        derivatives by what the first layer reads."""
        cdef PeriodicPanel *panel
        cdef Py_ssize_t i, itemsize = self.itemsize
        for i in range(self.n_panels):
            panel = &self.panel[i]
            kernels_for(itemsize).embed_back(
                &panel.kernel, rows, elements(x.row, itemsize), x.data,
                elements(dx.row, itemsize), at(dx, 0, panel.input), elements(dx.row, itemsize),
                dx.data)

    # The gradient

    def tile_categories(self, Py_ssize_t i):
        """Categories of a tile of a table: about as many numbers as a tile of weights has, and
        whole panels."""
        return blocks(TILE_PANELS * TILE_INPUTS, self.table[i].width) * self.lanes

    cdef void fill_tiles(self, EmbeddingTile *tile):
        """The tiles, `n_tiles` of them."""
        cdef Py_ssize_t i, first, end, whole, itemsize = self.itemsize
        cdef Table *table
        cdef PeriodicPanel *panel
        for i in range(self.n_tables):
            table, whole = &self.table[i], self.tile_categories(i)
            for first in range(0, table.categories, whole):
                tile.table, tile.panel = i, NONE
                tile.first, tile.end = first, min(first + whole, table.categories)
                tile.offset = table.E + first * table.width * itemsize
                tile.size = min(whole * table.width, table.size - first * table.width)
                tile += 1
        for i in range(self.n_panels):
            panel = &self.panel[i]
            for first in range(0, panel.kernel.frequencies, TILE_FREQUENCIES):
                end = min(first + TILE_FREQUENCIES, panel.kernel.frequencies)
                tile.table, tile.panel, tile.first, tile.end = NONE, i, first, end
                tile.offset = panel.offset + first * panel.step * itemsize
                tile.size = (end - first) * panel.step
                if end == panel.kernel.frequencies:  # and d
                    tile.size = panel.size - first * panel.step
                tile += 1

    cdef double height(self, const EmbeddingTile *tile):
        """Where in its table or panel a tile begins, in [0, 1)."""
        if tile.table == NONE:
            return <double>tile.first / self.panel[tile.panel].kernel.frequencies
        return <double>tile.first / self.table[tile.table].categories

    cdef Py_ssize_t cost(self, const EmbeddingTile *tile):
        """Its work, in that of a panel of weights."""
        if tile.table == NONE:
            return WORK_PER_FREQUENCY * (tile.end - tile.first)
        return tile.size // self.lanes

    cdef void gradient(self, const EmbeddingTile *tile, const EmbeddedRows *rows, char *g,
                       bint accumulate) noexcept nogil:
        """The gradient of a tile, summed over the rows in their order, into g, laid out as all
        parameters; with `accumulate` in addition to earlier rows."""
        cdef Py_ssize_t itemsize = self.itemsize, r, category
        cdef const Py_ssize_t *categories
        cdef Table *table
        cdef PeriodicPanel *panel
        cdef char *delta
        if not accumulate:
            memset(g + tile.offset, 0, tile.size * itemsize)
        if tile.table == NONE:
            panel = &self.panel[tile.panel]
            kernels_for(itemsize).embed_gradient(
                &panel.kernel, rows.count, tile.first, tile.end, elements(rows.x.row, itemsize),
                rows.x.data, elements(rows.delta.row, itemsize),
                at(&rows.delta, 0, panel.input), g + panel.offset)
            return
        table = &self.table[tile.table]
        categories = rows.categories + tile.table * rows.categories_step
        for r in range(rows.count):
            category = categories[r]
            if tile.first <= category < tile.end:
                delta = at(&rows.delta, r, table.input)
                category -= tile.first
                if itemsize == 8:
                    add_vector(table.width, <const double *>delta,
                               <double *>(g + tile.offset) + category * table.width)
                else:
                    add_vector(table.width, <const float *>delta,
                               <float *>(g + tile.offset) + category * table.width)

    cdef void gradient_along(self, Embedding v, const EmbeddingTile *tile, const EmbeddedRows *rows,
                             const Matrix *r_delta, char *g, bint accumulate) noexcept nogil:
        """As `gradient`, its derivative along a direction with the embeddings v; r_delta is that of
        rows.delta."""
        cdef EmbeddedRows changed = rows[0]
        cdef PeriodicPanel *panel
        if tile.table != NONE:
            changed.delta = r_delta[0]
            self.gradient(tile, &changed, g, accumulate)
            return
        panel = &self.panel[tile.panel]
        if not accumulate:
            memset(g + tile.offset, 0, tile.size * self.itemsize)
        kernels_for(self.itemsize).embed_gradient_along(
            &panel.kernel, &v.panel[tile.panel].kernel, rows.count, tile.first, tile.end,
            elements(rows.x.row, self.itemsize), rows.x.data,
            elements(rows.delta.row, self.itemsize), at(&rows.delta, 0, panel.input),
            at(r_delta, 0, panel.input), g + panel.offset)

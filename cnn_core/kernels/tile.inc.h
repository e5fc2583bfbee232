/* The one micro-kernel: an outer-product tile of up to TILE_ROWS rows whose accumulators stay in
 * registers, and the product that cuts C into such tiles. No tile size, and no order of tiles, can
 * change a bit: every element of C is its own chain over depth. */

enum { TILE_ROWS = 12, TILE_PANELS = 8, PANEL_VECTORS = PANEL_BYTES / sizeof(real) / LANES };
#define PANEL_LANES (PANEL_VECTORS * LANES)

/* Rows that a tile looks up in p->a_rows: as many addresses as there are registers for. */
enum { LISTED_ROWS = 6 };

/* How a tile finds A: by a distance from row to row, or side by side (a_row == 1); then perhaps
 * with a row of ones as its last, which nobody has to store. */
enum { APART, TOGETHER, WITH_ONES };

/* Rows `first`, first + 1, ... of C. The first three arguments are constants where this is inlined,
 * so that acc becomes registers; so do the addresses of A, by hand, as compilers run out of
 * registers for them: those of up to 6 rows, or one that walks from row to row, or one for all that
 * are side by side. */
static ALWAYS_INLINE void tile(const int all_rows, const int panels, const int mode,
                               const product *p, ptrdiff_t first, const real *b, const real *start,
                               real *c, real *sums)
{
    const int rows = mode == WITH_ONES ? all_rows - 1 : all_rows, together = mode != APART;
    const int vectors = panels * PANEL_VECTORS, apart = !together && rows <= LISTED_ROWS;
    const ptrdiff_t a_row = p->a_row, a_depth = p->a_depth, b_panel = p->b_panel,
                    b_depth = p->b_depth;
    const ptrdiff_t *columns = p->a_columns;
    const real *a = (const real *)p->a + first * a_row, *row[TILE_ROWS];
    V acc[TILE_ROWS][TILE_PANELS * PANEL_VECTORS], w[TILE_PANELS * PANEL_VECTORS];
    UNROLL
    for (int i = 0; i < rows; i++)
        if (apart)
            row[i] = p->a_rows ? (const real *)p->a + p->a_rows[first + i] * a_row : a + i * a_row;
    UNROLL
    for (int i = 0; i < all_rows; i++) {
        const V s = SET1(i < rows && p->row_start ? ((const real *)p->row_start)[first + i] : 0);
        UNROLL
        for (int j = 0; j < vectors; j++) acc[i][j] = s;
    }
    if (p->add) UNROLL
    for (int j = 0; j < vectors; j++) {
        const ptrdiff_t at = j / PANEL_VECTORS * p->c_panel + j % PANEL_VECTORS * LANES;
        UNROLL
        for (int i = 0; i < rows; i++) acc[i][j] = LOAD(c + i * p->c_row + at);
        if (mode == WITH_ONES) acc[rows][j] = LOAD(sums + j * LANES);
    }
    if (start) UNROLL
    for (int j = 0; j < vectors; j++) {
        const V s = LOAD(start + j * LANES);
        UNROLL
        for (int i = 0; i < rows; i++) acc[i][j] = s;
    }
    for (ptrdiff_t k = 0, at = 0; k < p->depth; k++, at += a_depth) {
        UNROLL
        for (int j = 0; j < vectors; j++)
            w[j] = LOAD(b + j / PANEL_VECTORS * b_panel + j % PANEL_VECTORS * LANES);
        const real *x = a + (together && columns ? columns[k] * a_depth : at);
        UNROLL
        for (int i = 0; i < rows; i++) {
            const V s = SET1(apart ? row[i][at] : together ? x[i] : *x);
            if (!apart && !together) {
                x += a_row;
                OPAQUE(x);
            }
            UNROLL
            for (int j = 0; j < vectors; j++) acc[i][j] = FMA(s, w[j], acc[i][j]);
        }
        if (mode == WITH_ONES) UNROLL
        for (int j = 0; j < vectors; j++) acc[rows][j] = ADD(w[j], acc[rows][j]);
        b += b_depth;
    }
    UNROLL
    for (int i = 0; i < rows; i++) UNROLL
    for (int j = 0; j < vectors; j++)
        STORE(c + i * p->c_row + j / PANEL_VECTORS * p->c_panel + j % PANEL_VECTORS * LANES,
              acc[i][j]);
    if (mode == WITH_ONES) UNROLL
    for (int j = 0; j < vectors; j++) STORE(sums + j * LANES, acc[rows][j]);
}

typedef void tile_fn(const product *, ptrdiff_t, const real *, const real *, real *, real *);

/* A tile exists where its accumulators fit; a single row takes all of 8 vectors, to have 8 chains
 * in flight, and a narrow tile up to 12 rows. */
#define FITS(rows, panels)                                                                         \
    ((rows) * (panels) * PANEL_VECTORS <= TILE_VECTORS &&                                          \
     ((panels) * PANEL_VECTORS <= 8 || (panels) == 1))
#define TILE_IN(mode, r, n)                                                                        \
    static void mode##_##r##x##n(const product *p, ptrdiff_t first, const real *b,                 \
                                 const real *start, real *c, real *sums)                           \
    {                                                                                              \
        if (FITS(r, n)) tile(r, n, mode, p, first, b, start, c, sums);                             \
    }
#define TILE(r, n) TILE_IN(APART, r, n) TILE_IN(TOGETHER, r, n) TILE_IN(WITH_ONES, r, n)
#define TILES(r) TILE(r, 1) TILE(r, 2) TILE(r, 4) TILE(r, 8)
TILES(1)
TILES(2)
TILES(3)
TILES(4)
TILES(5)
TILES(6)
TILES(7)
TILES(8)
TILES(9)
TILES(10)
TILES(11)
TILES(12)

/* [mode][rows - 1][log2 panels]; NULL where the tile does not fit. */
#define PICK(mode, r, n) (FITS(r, n) ? mode##_##r##x##n : 0)
#define PICKS(mode, r) {PICK(mode, r, 1), PICK(mode, r, 2), PICK(mode, r, 4), PICK(mode, r, 8)}
#define ALL(mode)                                                                                  \
    {PICKS(mode, 1), PICKS(mode, 2),  PICKS(mode, 3),  PICKS(mode, 4),                             \
     PICKS(mode, 5), PICKS(mode, 6),  PICKS(mode, 7),  PICKS(mode, 8),                             \
     PICKS(mode, 9), PICKS(mode, 10), PICKS(mode, 11), PICKS(mode, 12)}
static tile_fn *const tiles[3][TILE_ROWS][4] = {ALL(APART), ALL(TOGETHER), ALL(WITH_ONES)};

/* Rows of the tallest tile so many panels wide. */
#define TALLEST(n)                                                                                 \
    (FITS(12, n)  ? 12                                                                             \
     : FITS(6, n) ? 6                                                                              \
     : FITS(4, n) ? 4                                                                              \
     : FITS(3, n) ? 3                                                                              \
     : FITS(2, n) ? 2                                                                              \
     : FITS(1, n) ? 1                                                                              \
                  : 0)
static const ptrdiff_t tallest[4] = {TALLEST(1), TALLEST(2), TALLEST(4), TALLEST(8)};

/* Panels outside, rows inside: a group of panels of B stays in the cache while the rows of A pass
 * by. A group is as wide as leaves room for all rows or for 6. Rows are shared out evenly (32 rows
 * are 6 6 5 5 5 5, not five times 6 and 2). */
static void product_run(const product *p)
{
    const real *b = p->b, *start = p->start;
    real *c = p->c, *sums = p->sums;
    const ptrdiff_t all_rows = p->rows + (sums != 0);
    const int one =
        all_rows == 1; /* without the divisions, a sixth of its time in a net of 4-16-16-1 */
    if (all_rows == 0) return;
    const int side_by_side = p->a_row == 1 && !p->a_rows ? TOGETHER : APART;
    const ptrdiff_t most = p->a_rows ? LISTED_ROWS : TILE_ROWS;
    for (ptrdiff_t panel = 0, width; panel < p->panels; panel += width) {
        int size = 3;
        while (size > 0 && ((ptrdiff_t)1 << size > p->panels - panel || !tallest[size] ||
                            (tallest[size] < 6 && tallest[size] < all_rows)))
            size--;
        width = (ptrdiff_t)1 << size;
        const ptrdiff_t height = tallest[size] < most ? tallest[size] : most;
        const ptrdiff_t bands = one ? 1 : (all_rows + height - 1) / height;
        const ptrdiff_t short_band = one ? 1 : all_rows / bands,
                        long_bands = all_rows - bands * short_band;
        for (ptrdiff_t band = 0, first = 0; band < bands; band++) {
            const ptrdiff_t rows = short_band + (band < long_bands);
            tiles[sums && band == bands - 1 ? WITH_ONES : side_by_side][rows - 1][size](
                p, first, b + panel * p->b_panel, start ? start + panel * PANEL_LANES : 0,
                c + first * p->c_row + panel * p->c_panel, sums ? sums + panel * PANEL_LANES : 0);
            first += rows;
        }
    }
}

/* Blocks of one panel by PANEL_LANES inputs are contiguous on both sides; those at the edges go
 * through a copy that fills up with zeros. */
static void transpose_run(ptrdiff_t n_in, ptrdiff_t n_out, ptrdiff_t input, ptrdiff_t inputs_wanted,
                          ptrdiff_t output, ptrdiff_t outputs_wanted, const void *w, void *wt)
{
    for (ptrdiff_t o = output; o < output + outputs_wanted; o += PANEL_LANES)
        for (ptrdiff_t i = input; i < input + inputs_wanted; i += PANEL_LANES) {
            const real *source = (const real *)w + o * n_in + i * PANEL_LANES;
            real *target = (real *)wt + i * n_out + o * PANEL_LANES;
            const ptrdiff_t inputs = n_in - i < PANEL_LANES ? n_in - i : PANEL_LANES;
            const ptrdiff_t outputs = n_out - o < PANEL_LANES ? n_out - o : PANEL_LANES;
            real from[PANEL_LANES * PANEL_LANES], to[PANEL_LANES * PANEL_LANES];
            const int whole = inputs == PANEL_LANES && outputs == PANEL_LANES;
            if (!whole) {
                for (ptrdiff_t e = 0; e < PANEL_LANES * PANEL_LANES; e++)
                    from[e] = e < inputs * PANEL_LANES ? source[e] : 0;
                source = from;
            }
            real *block = whole ? target : to;
            for (int x = 0; x < PANEL_LANES; x += LANES)
                for (int y = 0; y < PANEL_LANES; y += LANES)
                    TRANSPOSE(source + y * PANEL_LANES + x, PANEL_LANES,
                              block + x * PANEL_LANES + y, PANEL_LANES);
            if (!whole)
                for (ptrdiff_t e = 0; e < outputs * PANEL_LANES; e++) target[e] = to[e];
        }
}

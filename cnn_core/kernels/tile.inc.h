/* The one micro-kernel: an outer-product tile of up to TILE_ROWS rows whose accumulators stay in registers, and the
 * product that cuts C into such tiles. No tile size, and no order of tiles, can change a bit: every element of C is
 * its own chain over depth. */

enum { TILE_ROWS = 12, TILE_PANELS = 8, PANEL_VECTORS = PANEL_BYTES / sizeof(real) / LANES };
#define PANEL_LANES (PANEL_VECTORS * LANES)

/* rows and panels are constants where this is inlined, so that acc becomes registers. */
static ALWAYS_INLINE void tile(const int rows, const int panels, const product *p, const real *a, const real *b,
                               const real *start, real *c)
{
    const int vectors = panels * PANEL_VECTORS;
    const ptrdiff_t a_row = p->a_row, a_depth = p->a_depth, b_panel = p->b_panel, b_depth = p->b_depth;
    V acc[TILE_ROWS][TILE_PANELS * PANEL_VECTORS], w[TILE_PANELS * PANEL_VECTORS];
    UNROLL for (int j = 0; j < vectors; j++)
    {
        const V s = start ? LOAD(start + j * LANES) : SET1(0);
        UNROLL for (int i = 0; i < rows; i++) acc[i][j] = s;
    }
    for (ptrdiff_t k = 0; k < p->depth; k++) {
        UNROLL for (int j = 0; j < vectors; j++)
            w[j] = LOAD(b + j / PANEL_VECTORS * b_panel + j % PANEL_VECTORS * LANES);
        UNROLL for (int i = 0; i < rows; i++)
        {
            const V s = SET1(a[i * a_row]);
            UNROLL for (int j = 0; j < vectors; j++) acc[i][j] = FMA(s, w[j], acc[i][j]);
        }
        a += a_depth;
        b += b_depth;
    }
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vectors; j++)
        STORE(c + i * p->c_row + j / PANEL_VECTORS * p->c_panel + j % PANEL_VECTORS * LANES, acc[i][j]);
}

typedef void tile_fn(const product *, const real *, const real *, const real *, real *);

/* A tile exists where its accumulators fit; a single row takes all of 8 vectors, to have 8 chains in flight, and a narrow
 * tile up to 12 rows. */
#define FITS(rows, panels) \
    ((rows) * (panels) * PANEL_VECTORS <= TILE_VECTORS && ((panels) * PANEL_VECTORS <= 8 || (panels) == 1))
#define TILE(r, n)                                                                                                \
    static void tile_##r##x##n(const product *p, const real *a, const real *b, const real *start, real *c)        \
    {                                                                                                             \
        if (FITS(r, n)) tile(r, n, p, a, b, start, c);                                                            \
    }
#define TILES(r) TILE(r, 1) TILE(r, 2) TILE(r, 4) TILE(r, 8)
TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6) TILES(7) TILES(8) TILES(9) TILES(10) TILES(11) TILES(12)

/* [rows - 1][log2 panels]; NULL where the tile does not fit. */
#define PICK(r, n) (FITS(r, n) ? tile_##r##x##n : 0)
#define PICKS(r) {PICK(r, 1), PICK(r, 2), PICK(r, 4), PICK(r, 8)}
static tile_fn *const tiles[TILE_ROWS][4] = {PICKS(1), PICKS(2), PICKS(3), PICKS(4),  PICKS(5),  PICKS(6),
                                             PICKS(7), PICKS(8), PICKS(9), PICKS(10), PICKS(11), PICKS(12)};

/* Rows of the tallest tile so many panels wide. */
#define TALLEST(n)                                                                                                \
    (FITS(12, n) ? 12 : FITS(6, n) ? 6 : FITS(4, n) ? 4 : FITS(3, n) ? 3 : FITS(2, n) ? 2 : FITS(1, n) ? 1 : 0)
static const ptrdiff_t tallest[4] = {TALLEST(1), TALLEST(2), TALLEST(4), TALLEST(8)};

/* Panels outside, rows inside: a group of panels of B stays in the cache while the rows of A pass by. A group is as wide
 * as leaves room for all rows or for 6. Rows are shared out evenly (32 rows are 5 5 6 5 5 6, not five times 6 and 2). */
static void product_run(const product *p)
{
    const real *a = p->a, *b = p->b, *start = p->start;
    real *c = p->c;
    const int one = p->rows == 1; /* without the divisions, a sixth of its time in a net of 4-16-16-1 */
    for (ptrdiff_t panel = 0, width; panel < p->panels; panel += width) {
        int size = 3;
        while (size > 0 && ((ptrdiff_t)1 << size > p->panels - panel || !tallest[size] ||
                            (tallest[size] < 6 && tallest[size] < p->rows)))
            size--;
        width = (ptrdiff_t)1 << size;
        const ptrdiff_t bands = one ? 1 : (p->rows + tallest[size] - 1) / tallest[size];
        for (ptrdiff_t band = 0; band < bands; band++) {
            const ptrdiff_t first = one ? 0 : band * p->rows / bands;
            const ptrdiff_t end = one ? 1 : (band + 1) * p->rows / bands;
            tiles[end - first - 1][size](p, a + first * p->a_row, b + panel * p->b_panel,
                                         start ? start + panel * PANEL_LANES : 0,
                                         c + first * p->c_row + panel * p->c_panel);
        }
    }
}

/* Blocks of one panel by PANEL_LANES inputs are contiguous on both sides; those at the edges go through a copy that
 * fills up with zeros. */
static void transpose_run(ptrdiff_t n_in, ptrdiff_t n_out, ptrdiff_t input, ptrdiff_t inputs_wanted, ptrdiff_t output,
                          ptrdiff_t outputs_wanted, const void *w, void *wt)
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
                    TRANSPOSE(source + y * PANEL_LANES + x, PANEL_LANES, block + x * PANEL_LANES + y, PANEL_LANES);
            if (!whole)
                for (ptrdiff_t e = 0; e < outputs * PANEL_LANES; e++) target[e] = to[e];
        }
}

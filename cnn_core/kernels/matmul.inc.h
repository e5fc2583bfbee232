/* The micro-kernel: an outer-product tile of up to MICRO_ROWS rows whose accumulators stay in
 * registers, and the matrix product that divides C into such tiles. Neither the tile size nor the
 * order of the tiles changes a bit: every element of C is its own chain over depth. */

#include "tuning.h"

/* How a tile reads A: with a stride between its rows, or with its rows contiguous
 * (a_row_stride == 1), or contiguous and with the bias input as its last row, which is 1 throughout
 * and is not stored. */
enum { STRIDED, CONTIGUOUS, CONTIGUOUS_BIAS };

/* Rows `first`, first + 1, ... of C. The first three arguments are constants where this is inlined,
 * so that acc becomes registers. So do the addresses of A, chosen by hand because compilers run out
 * of registers for them: one for each of up to INDEXED_ROWS, or one that moves from row to row, or
 * one for all rows if they are contiguous. */
static ALWAYS_INLINE void tile(const int all_rows, const int panels, const int mode,
                               const matmul_args *p, ptrdiff_t first, const real *b,
                               const real *bias, real *c, real *bias_grad)
{
    const int rows = mode == CONTIGUOUS_BIAS ? all_rows - 1 : all_rows;
    const int contiguous = mode != STRIDED, addressed = !contiguous && rows <= INDEXED_ROWS;
    const int vectors = panels * PANEL_VECTORS;
    const ptrdiff_t a_row_stride = p->a_row_stride, a_depth_stride = p->a_depth_stride,
                    b_panel_stride = p->b_panel_stride, b_depth_stride = p->b_depth_stride;
    const ptrdiff_t *depth_index = p->depth_index;
    const real *a = (const real *)p->a + first * a_row_stride, *row[MICRO_ROWS];
    V acc[MICRO_ROWS][MICRO_PANELS * PANEL_VECTORS], w[MICRO_PANELS * PANEL_VECTORS];
    UNROLL
    for (int i = 0; i < rows; i++)
        if (addressed)
            row[i] = p->row_index ? (const real *)p->a + p->row_index[first + i] * a_row_stride
                                  : a + i * a_row_stride;
    UNROLL
    for (int i = 0; i < all_rows; i++) {
        const V s = SET1(i < rows && p->row_bias ? ((const real *)p->row_bias)[first + i] : 0);
        UNROLL
        for (int j = 0; j < vectors; j++) acc[i][j] = s;
    }
    if (p->accumulate) {
        UNROLL
        for (int j = 0; j < vectors; j++) {
            const ptrdiff_t at = j / PANEL_VECTORS * p->c_panel_stride + j % PANEL_VECTORS * LANES;
            UNROLL
            for (int i = 0; i < rows; i++) acc[i][j] = LOAD(c + i * p->c_row_stride + at);
            if (mode == CONTIGUOUS_BIAS) acc[rows][j] = LOAD(bias_grad + j * LANES);
        }
    }
    if (bias) {
        UNROLL
        for (int j = 0; j < vectors; j++) {
            const V s = LOAD(bias + j * LANES);
            UNROLL
            for (int i = 0; i < rows; i++) acc[i][j] = s;
        }
    }
    for (ptrdiff_t k = 0, at = 0; k < p->depth; k++, at += a_depth_stride) {
        UNROLL
        for (int j = 0; j < vectors; j++)
            w[j] = LOAD(b + j / PANEL_VECTORS * b_panel_stride + j % PANEL_VECTORS * LANES);
        const real *x = a + (contiguous && depth_index ? depth_index[k] * a_depth_stride : at);
        UNROLL
        for (int i = 0; i < rows; i++) {
            const V s = SET1(addressed ? row[i][at] : contiguous ? x[i] : *x);
            if (!addressed && !contiguous) {
                x += a_row_stride;
                OPAQUE(x);
            }
            UNROLL
            for (int j = 0; j < vectors; j++) acc[i][j] = FMA(s, w[j], acc[i][j]);
        }
        if (mode == CONTIGUOUS_BIAS) {
            UNROLL
            for (int j = 0; j < vectors; j++) acc[rows][j] = ADD(w[j], acc[rows][j]);
        }
        b += b_depth_stride;
    }
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int j = 0; j < vectors; j++)
            STORE(c + i * p->c_row_stride + j / PANEL_VECTORS * p->c_panel_stride +
                      j % PANEL_VECTORS * LANES,
                  acc[i][j]);
    }
    if (mode == CONTIGUOUS_BIAS) {
        UNROLL
        for (int j = 0; j < vectors; j++) STORE(bias_grad + j * LANES, acc[rows][j]);
    }
}

typedef void tile_fn(const matmul_args *, ptrdiff_t, const real *, const real *, real *, real *);

/* A tile exists where its accumulators fit; a single row takes all of 8 vectors, to have 8 chains
 * in flight, and a narrow tile up to 12 rows. */
#define FITS(rows, panels)                                                                         \
    ((rows) * (panels) * PANEL_VECTORS <= TILE_VECTORS &&                                          \
     ((panels) * PANEL_VECTORS <= MICRO_VECTORS || (panels) == 1))
#define TILE_IN(mode, r, n)                                                                        \
    static void mode##_##r##x##n(const matmul_args *p, ptrdiff_t first, const real *b,             \
                                 const real *bias, real *c, real *bias_grad)                       \
    {                                                                                              \
        if (FITS(r, n)) tile(r, n, mode, p, first, b, bias, c, bias_grad);                         \
    }
#define TILE(r, n) TILE_IN(STRIDED, r, n) TILE_IN(CONTIGUOUS, r, n) TILE_IN(CONTIGUOUS_BIAS, r, n)
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
static tile_fn *const tiles[3][MICRO_ROWS][4] = {ALL(STRIDED), ALL(CONTIGUOUS),
                                                 ALL(CONTIGUOUS_BIAS)};

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

/* Panels in the outer loop, rows in the inner one: a group of panels of B stays in the cache while
 * all rows of A pass. A group is as wide as leaves room for all rows or for ENOUGH_ROWS. Rows are
 * divided evenly (32 rows become 6 6 5 5 5 5, not five times 6 and 2). */
static void matmul_kernel(const matmul_args *p)
{
    const real *b = p->b, *bias = p->bias;
    real *c = p->c, *bias_grad = p->bias_grad;
    const ptrdiff_t all_rows = p->rows + (bias_grad != 0);
    const int one = all_rows == 1; /* saves the divisions: 1/6 of the time in a net of 4-16-16-1 */
    if (all_rows == 0) return;
    const int mode = p->a_row_stride == 1 && !p->row_index ? CONTIGUOUS : STRIDED;
    const ptrdiff_t most = p->row_index ? INDEXED_ROWS : MICRO_ROWS;
    for (ptrdiff_t panel = 0, width; panel < p->panels; panel += width) {
        int size = 3;
        while (size > 0 && ((ptrdiff_t)1 << size > p->panels - panel || !tallest[size] ||
                            (tallest[size] < ENOUGH_ROWS && tallest[size] < all_rows)))
            size--;
        width = (ptrdiff_t)1 << size;
        const ptrdiff_t height = tallest[size] < most ? tallest[size] : most;
        const ptrdiff_t bands = one ? 1 : (all_rows + height - 1) / height;
        const ptrdiff_t short_band = one ? 1 : all_rows / bands,
                        long_bands = all_rows - bands * short_band;
        for (ptrdiff_t band = 0, first = 0; band < bands; band++) {
            const ptrdiff_t rows = short_band + (band < long_bands);
            tiles[bias_grad && band == bands - 1 ? CONTIGUOUS_BIAS : mode][rows - 1][size](
                p, first, b + panel * p->b_panel_stride, bias ? bias + panel * PANEL_LANES : 0,
                c + first * p->c_row_stride + panel * p->c_panel_stride,
                bias_grad ? bias_grad + panel * PANEL_LANES : 0);
            first += rows;
        }
    }
}

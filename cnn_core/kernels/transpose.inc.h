/* Transposition: of weights in panels, of matrices, and of one panel of rows in local memory. */

/* Blocks of one panel by PANEL_LANES inputs are contiguous on both sides; those at the edges go
 * through a copy that is filled up with zeros. */
static void transpose_panels_kernel(ptrdiff_t n_in, ptrdiff_t n_out, ptrdiff_t input,
                                    ptrdiff_t inputs_wanted, ptrdiff_t output,
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
                    TRANSPOSE(source + y * PANEL_LANES + x, PANEL_LANES,
                              block + x * PANEL_LANES + y, PANEL_LANES);
            if (!whole)
                for (ptrdiff_t e = 0; e < outputs * PANEL_LANES; e++) target[e] = to[e];
        }
}

/* Blocks of one panel by PANEL_LANES rows; those that would read past the last row, or write past
 * the room, go through a copy. */
static void transpose_kernel(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *x_,
                             ptrdiff_t room, ptrdiff_t ld_y, void *y_)
{
    const real *x = x_, *end = x + (rows - 1) * ld + width;
    real *y = y_, from[PANEL_LANES * PANEL_LANES], to[PANEL_LANES * PANEL_LANES];
    for (ptrdiff_t first = 0; first < rows; first += PANEL_LANES)
        for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) {
            const ptrdiff_t height = rows - first < PANEL_LANES ? rows - first : PANEL_LANES;
            const ptrdiff_t columns = width - i < PANEL_LANES ? width - i : PANEL_LANES;
            const real *source = x + first * ld + i;
            real *target = y + i * ld_y + first, *block = target;
            const int readable =
                height == PANEL_LANES && source + (PANEL_LANES - 1) * ld + PANEL_LANES <= end;
            const int writable = height == PANEL_LANES && i + PANEL_LANES <= room;
            ptrdiff_t source_ld = ld, target_ld = ld_y;
            if (!readable) {
                for (ptrdiff_t r = 0; r < PANEL_LANES; r++)
                    if (columns == PANEL_LANES)
                        for (ptrdiff_t j = 0; j < PANEL_LANES; j += LANES)
                            STORE(from + r * PANEL_LANES + j,
                                  r < height ? LOAD(source + r * ld + j) : ZERO);
                    else
                        for (ptrdiff_t j = 0; j < columns; j++)
                            from[r * PANEL_LANES + j] = r < height ? source[r * ld + j] : 0;
                source = from;
                source_ld = PANEL_LANES;
            }
            if (!writable) {
                block = to;
                target_ld = PANEL_LANES;
            }
            for (ptrdiff_t row = 0; row < PANEL_LANES; row += LANES)
                for (ptrdiff_t column = 0; column < columns; column += LANES)
                    TRANSPOSE(source + row * source_ld + column, source_ld,
                              block + column * target_ld + row, target_ld);
            if (!writable)
                for (ptrdiff_t j = 0; j < columns; j++)
                    for (ptrdiff_t r = 0; r < height; r++)
                        target[j * ld_y + r] = to[j * PANEL_LANES + r];
        }
}

/* Up to PANEL_LANES rows of one panel at most into columns: output j of row r goes to
 * columns[j PANEL_LANES + r]. Missing rows become 0. */
static ALWAYS_INLINE void transpose_in(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld,
                                       const real *source, real *columns)
{
    real whole[PANEL_LANES * PANEL_LANES];
    if (rows < PANEL_LANES) {
        for (ptrdiff_t r = 0; r < PANEL_LANES; r++)
            for (ptrdiff_t j = 0; j < PANEL_LANES; j += LANES)
                STORE(whole + r * PANEL_LANES + j, r < rows ? LOAD(source + r * ld + j) : ZERO);
        source = whole;
        ld = PANEL_LANES;
    }
    for (ptrdiff_t column = 0; column < width; column += LANES)
        for (ptrdiff_t row = 0; row < PANEL_LANES; row += LANES)
            TRANSPOSE(source + row * ld + column, ld, columns + column * PANEL_LANES + row,
                      PANEL_LANES);
}

/* The columns of transpose_in back into rows. */
static ALWAYS_INLINE void transpose_out(ptrdiff_t rows, ptrdiff_t ld, const real *columns,
                                        real *target)
{
    real whole[PANEL_LANES * PANEL_LANES];
    real *out = rows < PANEL_LANES ? whole : target;
    const ptrdiff_t out_ld = rows < PANEL_LANES ? PANEL_LANES : ld;
    for (ptrdiff_t column = 0; column < PANEL_LANES; column += LANES)
        for (ptrdiff_t row = 0; row < PANEL_LANES; row += LANES)
            TRANSPOSE(columns + column * PANEL_LANES + row, PANEL_LANES,
                      out + row * out_ld + column, out_ld);
    if (rows < PANEL_LANES)
        for (ptrdiff_t r = 0; r < rows; r++)
            for (ptrdiff_t j = 0; j < PANEL_LANES; j += LANES)
                STORE(target + r * ld + j, LOAD(whole + r * PANEL_LANES + j));
}

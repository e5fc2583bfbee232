/* Rows turned on their side: one feature of many rows in a vector. */

/* Blocks of one panel by PANEL_LANES rows; those that would read past the last row, or write past
 * the room, go through a copy. */
static void turn_run(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *x_, ptrdiff_t room,
                     ptrdiff_t ld_y, void *y_)
{
    const real *x = x_, *end = x + (rows - 1) * ld + width;
    real *y = y_, from[PANEL_LANES * PANEL_LANES], to[PANEL_LANES * PANEL_LANES];
    for (ptrdiff_t first = 0; first < rows; first += PANEL_LANES)
        for (ptrdiff_t i = 0; i < width; i += PANEL_LANES) {
            const ptrdiff_t high = rows - first < PANEL_LANES ? rows - first : PANEL_LANES;
            const ptrdiff_t wide = width - i < PANEL_LANES ? width - i : PANEL_LANES;
            const real *source = x + first * ld + i;
            real *target = y + i * ld_y + first, *block = target;
            const int readable =
                high == PANEL_LANES && source + (PANEL_LANES - 1) * ld + PANEL_LANES <= end;
            const int writable = high == PANEL_LANES && i + PANEL_LANES <= room;
            ptrdiff_t source_ld = ld, target_ld = ld_y;
            if (!readable) {
                for (ptrdiff_t r = 0; r < PANEL_LANES; r++)
                    if (wide == PANEL_LANES)
                        for (ptrdiff_t j = 0; j < PANEL_LANES; j += LANES)
                            STORE(from + r * PANEL_LANES + j,
                                  r < high ? LOAD(source + r * ld + j) : ZERO);
                    else
                        for (ptrdiff_t j = 0; j < wide; j++)
                            from[r * PANEL_LANES + j] = r < high ? source[r * ld + j] : 0;
                source = from;
                source_ld = PANEL_LANES;
            }
            if (!writable) {
                block = to;
                target_ld = PANEL_LANES;
            }
            for (ptrdiff_t down = 0; down < PANEL_LANES; down += LANES)
                for (ptrdiff_t across = 0; across < wide; across += LANES)
                    TRANSPOSE(source + down * source_ld + across, source_ld,
                              block + across * target_ld + down, target_ld);
            if (!writable)
                for (ptrdiff_t j = 0; j < wide; j++)
                    for (ptrdiff_t r = 0; r < high; r++)
                        target[j * ld_y + r] = to[j * PANEL_LANES + r];
        }
}

/* Reductions over the lanes of a panel, in one fixed order on every instruction set: one partial
 * result for each of PANEL_LANES lanes, which are then halved until one is left. */

#define FOR_PANEL_VECTORS(j)                                                                       \
    UNROLL                                                                                         \
    for (int j = 0; j < PANEL_VECTORS; j++)

/* x in the lanes that lie inside a row of `width`, where lane 0 is column `first`; `fill` in the
 * others. */
static const real LANE_INDEX[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static ALWAYS_INLINE V inside(ptrdiff_t first, ptrdiff_t width, V x, V fill)
{
    if (first + LANES <= width) return x;
    return SELECT(LT(LOAD(LANE_INDEX), SET1(width - first)), x, fill);
}

/* The sum of the lanes of a panel; v is overwritten. */
static ALWAYS_INLINE real panel_sum(V *v)
{
    UNROLL
    for (int h = PANEL_VECTORS / 2; h > 0; h /= 2)
        for (int j = 0; j < h; j++) v[j] = ADD(v[j], v[j + h]);
    FOLD(ADD, v[0]);
    return LANE0(v[0]);
}

/* The largest lane of a panel; v is overwritten. */
static ALWAYS_INLINE real panel_max(V *v)
{
    UNROLL
    for (int h = PANEL_VECTORS / 2; h > 0; h /= 2)
        for (int j = 0; j < h; j++) v[j] = MAX(v[j], v[j + h]);
    FOLD(MAX, v[0]);
    return LANE0(v[0]);
}

/* Transposed layout: the sum of x[0 .. width) in the order of panel_sum, for width up to
 * PANEL_LANES; x is overwritten. */
static ALWAYS_INLINE V tree_sum(ptrdiff_t width, V *x)
{
    for (ptrdiff_t h = PANEL_LANES / 2; h > 0; h /= 2)
        for (ptrdiff_t j = 0; j < h && j + h < width && j + h < 2 * h; j++)
            x[j] = ADD(x[j], x[j + h]);
    return x[0];
}

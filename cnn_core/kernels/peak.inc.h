/* What the processor can do at most: independent chains of FMAs that touch no memory. */

enum { CHAINS = TILE_VECTORS < 16 ? TILE_VECTORS : 16 };

static double peak_run(ptrdiff_t rounds, void *sink)
{
    V chain[CHAINS];
    const V x = SET1((real)0.999),
            y = SET1((real)0.001); /* every chain tends to 1: neither overflow nor subnormals */
    UNROLL
    for (int i = 0; i < CHAINS; i++) chain[i] = SET1(i);
    for (ptrdiff_t r = 0; r < rounds; r++) UNROLL
    for (int i = 0; i < CHAINS; i++) chain[i] = FMA(chain[i], x, y);
    UNROLL
    for (int i = 1; i < CHAINS; i++) chain[0] = ADD(chain[0], chain[i]);
    *(real *)sink = LANE0(chain[0]);
    return 2.0 * CHAINS * LANES * (double)rounds;
}

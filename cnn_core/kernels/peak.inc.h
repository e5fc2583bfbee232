/* The peak of the processor: independent chains of FMAs that touch no memory. */

enum { PEAK_CHAINS = TILE_VECTORS < 16 ? TILE_VECTORS : 16 };

static double peak_kernel(ptrdiff_t rounds, void *sink)
{
    V chain[PEAK_CHAINS];
    /* Every chain tends to 1: neither overflow nor subnormal numbers. */
    const V x = SET1((real)0.999), y = SET1((real)0.001);
    UNROLL
    for (int i = 0; i < PEAK_CHAINS; i++) chain[i] = SET1(i);
    for (ptrdiff_t r = 0; r < rounds; r++) {
        UNROLL
        for (int i = 0; i < PEAK_CHAINS; i++) chain[i] = FMA(chain[i], x, y);
    }
    UNROLL
    for (int i = 1; i < PEAK_CHAINS; i++) chain[0] = ADD(chain[0], chain[i]);
    *(real *)sink = LANE0(chain[0]);
    return 2.0 * PEAK_CHAINS * LANES * (double)rounds;
}

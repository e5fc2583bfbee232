/* Every routine of every instruction set that this processor has, against the `generic` table, bit
 * by bit.
 *
 * Linked with the kernels and nothing else, so that one compiler, processor or sanitizer after the
 * other can judge them. It prints a line for each instruction set and dtype, then the hash of all
 * results of `generic`: builds that print the same hash compute the same bits. The exit status is 1
 * when anything differs.
 *
 * Every case runs twice on the same numbers: side 0 with the oracle, side 1 with the table under
 * test. What a result must not depend on differs between the sides: what stands in padding,
 * alignment, buffers a routine may not read, the sign of NaN. */
#define _POSIX_C_SOURCE 200809L /* the clock in platform.h, which -std=c11 hides */
#include "compare.h"
#include "platform.h"

#ifdef SANITIZED
enum { MODES = 1 }; /* slow, and subnormal numbers do not change what is read and written */
#else
enum { MODES = 2 };
#endif

static void compare_tables(void)
{
    static const ptrdiff_t depths[] = {0, 1, 2, 7, 33},
                           many_panels[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 500};
    const ptrdiff_t lanes = run.lanes;
    const ptrdiff_t widths[] = {1, 2, lanes - 1, lanes, lanes + 1, 2 * lanes, 5 * lanes - 1};
    const ptrdiff_t samples[] = {0, 1, lanes - 1, lanes, lanes + 1, 2 * lanes + 3};
    for (ptrdiff_t n = 0; n < 5 * lanes; n++) compare_is_finite(n);
    for (size_t s = 1; s < COUNT(samples); s++)
        for (size_t w = 0; w < COUNT(widths); w++) compare_transpose(samples[s], widths[w]);
    for (ptrdiff_t rows = 0; rows <= 48; rows += rows < 13 ? 1 : 35)
        for (ptrdiff_t panels = 1; panels <= 9; panels++)
            for (size_t d = 0; d < COUNT(depths); d++) compare_matmul(rows, panels, depths[d]);
    for (size_t i = 0; i < COUNT(widths); i++)
        for (size_t o = 0; o < COUNT(widths); o++) compare_transpose_panels(widths[i], widths[o]);
    for (numbers kind = PLAIN; kind <= ANY_BITS; kind++) {
        for (size_t w = 0; w < COUNT(widths); w++)
            for (size_t r = 0; r < COUNT(samples); r++) {
                const ptrdiff_t rows = samples[r], width = widths[w];
                const ptrdiff_t ld = whole_panels(width) + (ptrdiff_t)(r + w) % 2 * lanes;
                compare_metrics(rows, width, ld, kind);
                compare_activations(rows, width, ld, kind);
                compare_losses(rows, width, ld, kind);
                if (width <= run.lanes) {
                    compare_transposed_activations(rows, width, kind);
                    compare_transposed_losses(rows, width, kind);
                }
                compare_dropout(rows, width, ld, kind);
            }
        for (size_t n = 0; n < COUNT(many_panels); n++) {
            compare_functions(many_panels[n], kind);
            compare_vectors(many_panels[n], kind);
            for (int variant = 0; variant < 2; variant++)
                compare_optimizers(many_panels[n], variant, kind);
        }
    }
    compare_draws();
    check_peak();
}

int main(void)
{
    int count;
    long failures = 0;
    const instruction_set *sets = cnn_core_instruction_sets(&count), *oracle = &sets[count - 1];
    for (int i = 0; i < count; i++) {
        if (!sets[i].supported()) continue;
        for (int f64 = 0; f64 < 2; f64++) {
            run.table[0] = f64 ? oracle->f64 : oracle->f32;
            run.table[1] = f64 ? sets[i].f64 : sets[i].f32;
            run.lanes = run.table[0]->lanes;
            run.comparisons = run.failures = 0;
            /* Both modes of the processor: subnormal numbers kept, and treated as zero. Which
             * results count as subnormal differs between processors (after or before rounding), so
             * the hash leaves the second mode out. */
            for (int flush = 0; flush < MODES; flush++) {
                run.random = 1;
                run.flushing = flush;
                run.hashing = &sets[i] == oracle && !flush;
                const uint64_t before = flush ? flush_subnormals() : 0;
                compare_tables();
                if (flush) restore_subnormals(before);
            }
            printf("%s %s: %ld comparisons, %ld failures\n", run.table[1]->isa, run.table[1]->dtype,
                   run.comparisons, run.failures);
            failures += run.failures;
        }
    }
    printf("hash %016llx\n", (unsigned long long)run.hash);
    return failures != 0;
}

/* What the parts of compare_paths share: the two tables that are being compared, buffers for both
 * sides, random numbers, and checks of results. */
#ifndef COMPARE_H
#define COMPARE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

#define FOR_EACH_SIDE(side) for (int side = 0; side < 2; side++)
#define COUNT(list) (sizeof(list) / sizeof *(list))
#define CASE(...) snprintf(run.what, sizeof run.what, __VA_ARGS__)

/* The two tables that are being compared, and how it goes. */
typedef struct {
    const kernels *table[2];
    ptrdiff_t lanes;
    uint64_t random, hash;
    int flushing, hashing;
    long comparisons, failures;
    char what[160];
} comparison;
extern comparison run;

/* The same buffer for both sides, each between guard zones. */
typedef struct {
    ptrdiff_t itemsize, bytes;
    unsigned char *memory[2];
    void *at[2];
} array;

/* PLAIN: uniform in [-4, 4). SPECIAL: the same, one of four a special value. ANY_BITS: any number.
 * TARGETS: 0, 1 and uniform in [0, 1). */
typedef enum { PLAIN, SPECIAL, ANY_BITS, TARGETS } numbers;

/* What is known of the lanes past a row's width: nothing; zeros up to the end of the panel; never
 * written. */
typedef enum { FREE, ZEROS, KEPT } padding;

ptrdiff_t whole_panels(ptrdiff_t width);

array new_array(ptrdiff_t count, ptrdiff_t itemsize);
array new_reals(ptrdiff_t count);
array new_labels(ptrdiff_t rows, ptrdiff_t classes);
/* A row-major matrix in the transposed layout: element j of row r is at j col_stride + r. */
array transposed(const array *x, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld,
                 ptrdiff_t col_stride);
void free_array(array *x);

uint64_t random_bits(void);
ptrdiff_t random_below(ptrdiff_t bound);
void put(array *x, int side, ptrdiff_t i, double value);
void put_random(array *x, ptrdiff_t i, numbers kind);
/* Rows of `width` numbers, with something else on each side in the lanes up to ld. */
void fill(array *x, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, numbers kind);
void set_all(array *x, double left, double right);

void fail(const char *how, ptrdiff_t where);
/* An element's bits, the same ones for every NaN. */
uint64_t bits_of(const array *x, int side, ptrdiff_t i);
void same(uint64_t want, uint64_t got, ptrdiff_t i);
void same_numbers(double want, double got);
/* Rows of `width` results, the first of them element `first`. */
void check(const array *x, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld,
           padding rest);

/* compare_linear.c */
void compare_matmul(ptrdiff_t rows, ptrdiff_t panels, ptrdiff_t depth);
void compare_transpose_panels(ptrdiff_t n_in, ptrdiff_t n_out);
void compare_transpose(ptrdiff_t rows, ptrdiff_t width);
void compare_is_finite(ptrdiff_t n);
void compare_vectors(ptrdiff_t n_panels, numbers kind);
void compare_functions(ptrdiff_t n_panels, numbers kind);
void compare_draws(void);
void check_peak(void);

/* compare_layers.c */
void compare_metrics(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, numbers kind);
void compare_activations(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, numbers kind);
void compare_transposed_activations(ptrdiff_t rows, ptrdiff_t width, numbers kind);
void compare_losses(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, numbers kind);
void compare_transposed_losses(ptrdiff_t rows, ptrdiff_t width, numbers kind);
void compare_optimizers(ptrdiff_t n_panels, int variant, numbers kind);
void compare_dropout(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, numbers kind);

#endif

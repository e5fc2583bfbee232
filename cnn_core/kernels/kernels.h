/* THE CONTRACT between the native kernels and everything above them.
 *
 * A `kernels` table holds every arithmetic routine for one instruction set and one dtype. Cython
 * picks a table and calls through it; nothing else crosses this line. Kernels compute on pointers
 * they are given: they never allocate, print, exit, touch errno or call libm (but fma and sqrt,
 * whose bits IEEE 754 fixes), and know no Python.
 *
 * Types     `void *` points to elements of the table's dtype; the pair (isa, dtype) says which. All
 * counts and strides are in elements, never in bytes. Panels    One panel is 64 bytes of
 * neighbouring outputs: `lanes` = 16 float32 or 8 float64, on every instruction set. Weights at
 * rest are W[panel][n_in][lanes] with zeros in the lanes past n_out. Rows of z, a, delta and y have
 * a leading dimension `ld`, a multiple of `lanes`; the lanes past the row's width are padding:
 * written freely, never read into a result. Pointers  None is NULL unless said so, even where
 * nothing is read. Buffers do not overlap, with the exceptions named below. Any alignment is
 * correct; 64 bytes is fast. Bits      Every output element is one chain of fused multiply-adds in
 * a fixed order, every reduction has a fixed tree, every function its own polynomial. So all tables
 * of one dtype give the same bits, for any way of splitting the rows. The only exception is a NaN's
 * sign and payload, and they reach no result that is not NaN.
 */
#ifndef CNN_CORE_KERNELS_H
#define CNN_CORE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { PANEL_BYTES = 64 };

/* C = start + A B over `depth`, for `rows` rows and `panels` panels of columns:
 *     c[i c_row + p c_panel + v] = start[p lanes + v] + sum_k a[i a_row + k a_depth] b[k b_depth +
 * p b_panel + v] summed over k = 0, 1, ... in one chain of FMAs that begins with start, or with
 * row_start[i] instead, or, where `add` is not 0, with what stands in C (none of them: with zero).
 * A is read element by element, so it may have any strides, and its rows or columns may be any of a
 * larger matrix: where `a_rows` is not NULL, a_rows[i] stands for i in a's index; where `a_columns`
 * is not, which asks for a_row == 1, a_columns[k] stands for k. Where `sums` is not NULL, which
 * asks for a_row == 1 and no start, A has one more row, which is 1 throughout and stands nowhere,
 * and its row of C goes to sums[p lanes + v]. So the same routine serves forward   z = a W^T + b A
 * = a,       B = panels of W backward  W^T delta          A = delta,   B = panels of W^T gradient
 * delta a^T          A = a^T,     B = delta  */
typedef struct {
    ptrdiff_t rows, panels, depth;
    const void *a;
    ptrdiff_t a_row, a_depth;
    const ptrdiff_t *a_rows, *a_columns;
    const void *b;
    ptrdiff_t b_depth, b_panel;
    const void *start, *row_start;
    int add;
    void *c;
    ptrdiff_t c_row, c_panel;
    void *sums;
} product;

/* f and f', for rows of `width` outputs; what is not `rowwise` may be given some whole panels of a
 * row only, or its last ones. `forward` may work in place (a == z). `backward` multiplies f'(z)
 * into delta, which holds dC/da before and dC/dz after: element by element, or through the full
 * Jacobian where `rowwise` is set. With `needs_z` zero, `backward` reads a alone and z may be
 * overwritten by a. `parameter` names alpha, the number that some functions take (NULL: none), and
 * `standard` is its value in the literature. */
typedef struct {
    const char *name;
    int rowwise, needs_z;
    void (*forward)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, double alpha, const void *z,
                    void *a);
    void (*backward)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, double alpha, const void *z,
                     const void *a, void *delta);
    const char *parameter;
    double standard;
} activation;

/* The cost of each row and the error it sends back, in one pass.
 * `outputs` names the activations whose derivative the loss takes in, separated by blanks: with one
 * of them `out` is z of the last layer, `delta` becomes dC/dz, and f is not called at all. With
 * others (NULL: with all) `out` is a and `delta` becomes dC/da; losses that have `outputs` go with
 * no others. Targets are class indices in `label` (sparse) or rows of y with leading dimension ld.
 * `scale` weighs each row's delta (1/N for a mean over N rows); row_loss is not scaled. Room in
 * row_loss: rows rounded up to lanes. delta may be NULL (only the cost is wanted). Its padding
 * becomes zero up to the end of the row's last panel. `across` does the same for one panel of
 * outputs at most, with out, y and delta on their side: output j of row r is at j ld + r. Its rows
 * are a multiple of the lanes. `parameter` and `standard` are as for activations; `low` and `high`
 * bound the targets. */
typedef struct {
    const char *name, *outputs;
    int sparse;
    void (*evaluate)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, double alpha, const void *out,
                     const void *y, const int32_t *label, const void *scale, void *delta,
                     void *row_loss);
    void (*across)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, double alpha, const void *out,
                   const void *y, const int32_t *label, const void *scale, void *delta,
                   void *row_loss);
    double low, high;
    const char *parameter;
    double standard;
} loss;

/* One step on n parameters w with gradient g, at step t = 1, 2, ...; n is a multiple of lanes.
 * `settings` lists the names of the numbers in h, separated by blanks; the first is the learning
 * rate. `prepare` (NULL: nothing to do) is called once before each step and works out what depends
 * on t alone, in the room behind the settings; what it leaves there is kept from step to step, and
 * zero before the first. `slots` buffers of n elements each, zero before the first step, belong to
 * the optimizer. */
enum { OPTIMIZER_NUMBERS = 16 };
typedef struct {
    const char *name, *settings;
    int slots;
    void (*prepare)(int64_t t, double *h);
    void (*step)(ptrdiff_t n, int64_t t, const double *h, void *w, const void *g,
                 void *const *slots);
} optimizer;

/* What a training step leaves out: output j of row r of the mini-batch stays where word j % 4 of
 * philox(key, purpose, step, r << 32 | j / 4) is at least `threshold`, which is 2^32 times the
 * rate. One that stays becomes factor a + shift, one that goes becomes `gone`. */
typedef struct {
    uint64_t key;
    uint32_t purpose, step, threshold;
    double factor, shift, gone;
} dropout;

/* A mathematical function over n elements (a multiple of lanes), with its published error limit. */
typedef struct {
    const char *name;
    double ulp;
    void (*map)(ptrdiff_t n, const void *x, void *y);
} function;

typedef struct {
    const char *isa, *dtype;
    ptrdiff_t itemsize, lanes;
    void (*product)(const product *p);
    /* wt[q][n_out][lanes] = panels of the transposed weights, from w[p][n_in][lanes], for `inputs`
     * inputs from `input` on and `outputs` outputs from `output` on: both begin at a whole panel
     * and end at one or at the edge. Padding lanes become zero. */
    void (*transpose)(ptrdiff_t n_in, ptrdiff_t n_out, ptrdiff_t input, ptrdiff_t inputs,
                      ptrdiff_t output, ptrdiff_t outputs, const void *w, void *wt);
    /* y[j ld_y + r] = x[r ld + j] for `width` columns j of x. Nothing before x or after its last
     * row is read; the lanes past `rows` and the rows of y past `width`, up to `room` whole panels'
     * worth of rows, are written freely. */
    void (*turn)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *x, ptrdiff_t room,
                 ptrdiff_t ld_y, void *y);
    /* The activation softmax in place, for z[width][ld] whose columns are the rows: `rows` of them,
     * a multiple of lanes, and one panel of outputs at most. */
    void (*softmax_across)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, void *z);
    /* The index of each row's largest output, the first among equals, or of its first NaN (one
     * output: whether it is above `threshold`); output j of row r is out[r row + j column]. Returns
     * how many rows have a NaN there. */
    ptrdiff_t (*winners)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row, ptrdiff_t column,
                         const void *out, double threshold, ptrdiff_t *index);
    /* Rows whose largest output (one output: the side of `threshold`) is the row's label. */
    ptrdiff_t (*hits)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row, ptrdiff_t column,
                      const void *out, double threshold, const int32_t *label);
    /* Rows in which every output lies on the side of `threshold` on which its target in y, which
     * lies like out, does. */
    ptrdiff_t (*matches)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row, ptrdiff_t column,
                         const void *out, double threshold, const void *y, double y_threshold);
    /* sums[j] += sum over rows of (out - y)^2 in output j, in double, row after row. */
    void (*squared_residuals)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row, ptrdiff_t column,
                              const void *out, const void *y, double *sums);
    /* Regularisation of n weights w (a multiple of lanes): adds l1 sign(w) + l2 w to their gradient
     * g and returns l1 |w|_1 + l2/2 |w|^2. */
    double (*penalize)(ptrdiff_t n, double l1, double l2, const void *w, void *g);
    /* The 32 words of philox(key, purpose, a, index), ..., philox(key, purpose, a, index + 7);
     * index is a multiple of 8. */
    void (*draw)(uint64_t key, uint32_t purpose, uint32_t a, uint64_t index, uint32_t *out);
    /* out = a with some elements dropped, for rows first, first + 1, ... of the mini-batch; slope
     * (may be NULL) becomes d out / d a. */
    void (*drop)(ptrdiff_t first, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const dropout *d,
                 const void *a, void *out, void *slope);
    /* y *= x, for n numbers (a multiple of lanes). */
    void (*multiply)(ptrdiff_t n, const void *x, void *y);
    /* Whether n numbers, any n, are all neither NaN nor infinite. */
    int (*finite)(ptrdiff_t n, const void *x);
    /* Of n numbers (a multiple of lanes): the sum of x y, for which x may be y; x *= factor; y +=
     * factor x. */
    double (*dot)(ptrdiff_t n, const void *x, const void *y);
    void (*scale)(ptrdiff_t n, double factor, void *x);
    void (*add_scaled)(ptrdiff_t n, double factor, const void *x, void *y);
    /* Shorten the row of weights W to each neuron, in panels, to Euclidean length `longest` where
     * it is longer. */
    void (*limit_rows)(ptrdiff_t n_in, ptrdiff_t panels, double longest, void *w);
    /* `rounds` of fused multiply-adds on registers alone, as many chains as the processor can
     * overlap; returns the number of floating-point operations and leaves a result in *sink. The
     * yardstick for all other kernels. */
    double (*peak)(ptrdiff_t rounds, void *sink);
    const activation *activations; /* each table ends with a row whose name is NULL */
    const loss *losses;
    const optimizer *optimizers;
    const function *functions;
} kernels;

/* One per instruction set: what it is called, whether this processor has it, its tables. Best
 * first; the last is `generic`, scalar and always there: the oracle the others are compared with
 * bit by bit. */
typedef struct {
    const char *name;
    int (*supported)(void);
    const kernels *f32, *f64;
} instruction_set;

const instruction_set *cnn_core_instruction_sets(int *count);

#endif

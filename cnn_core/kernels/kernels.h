/* THE CONTRACT between the native kernels and everything above them.
 *
 * A `kernels` table holds every arithmetic routine for one instruction set and one dtype. Cython
 * picks a table and calls through it; nothing else crosses this line. Kernels compute on pointers
 * they are given: they never allocate, print, exit, touch errno or call libm (but fma and sqrt,
 * whose bits IEEE 754 fixes), and know no Python.
 *
 * Types      `void *` points to elements of the table's dtype. All counts and strides are in
 *            elements, never in bytes.
 * Panels     One panel is 64 bytes of neighbouring outputs: `lanes` = 16 float32 or 8 float64, on
 *            every instruction set. Weights at rest are W[panel][n_in][lanes] with zeros in the
 *            lanes past n_out.
 * Layouts    z, a, delta and y are rows x width matrices with two strides: output j of row r is at
 *            r row_stride + j col_stride. They come in two layouts:
 *            row-major: col_stride is 1, row_stride is a leading dimension `ld`, a multiple of
 *            `lanes`. The lanes past the row's width are padding.
 *            transposed (feature-major): row_stride is 1, col_stride a multiple of `lanes`. The
 *            lanes past the last row, up to whole panels, are padding, there and in what belongs to
 *            each row (label, row_scale, row_losses). Narrow layers then fill all lanes.
 *            Each routine that takes both strides takes both layouts and picks its code itself.
 *            Padding is written freely and never read into a result.
 * Pointers   None is NULL unless said so, even where nothing is read. Buffers do not overlap, with
 *            the exceptions named below. Any alignment is correct; 64 bytes is fast.
 * Bits       Every output element is one chain of fused multiply-adds in a fixed order, every
 *            reduction has a fixed tree, every function its own polynomial. So all tables of one
 *            dtype give the same bits, in both layouts and for any way of splitting the rows. The
 *            only exception is a NaN's sign and payload, and they reach no result that is not NaN.
 */
#ifndef CNN_CORE_KERNELS_H
#define CNN_CORE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { PANEL_BYTES = 64 };

/* The matrix product C = bias + A B over `depth`, for `rows` rows and `panels` panels of columns:
 *     c[i c_row_stride + p c_panel_stride + v] = bias[p lanes + v]
 *         + sum_k a[i a_row_stride + k a_depth_stride] b[k b_depth_stride + p b_panel_stride + v]
 * summed over k = 0, 1, ... in one chain of FMAs. The chain begins with bias, or with row_bias[i],
 * or, if `accumulate` is not 0, with what stands in C, or, without these, with zero.
 * A is read element by element, so it may have any strides, and be a selection from a larger
 * matrix: with `row_index`, row_index[i] stands for i in A's address; with `depth_index`, which
 * needs a_row_stride == 1, depth_index[k] stands for k. With `bias_grad`, which needs a_row_stride
 * == 1 and no bias, A has the bias input as one more row, which is 1 throughout and is not stored;
 * its row of C goes to bias_grad[p lanes + v]. So one routine serves
 *
 *     forward   z = a W^T + b   A = a,      B = panels of W
 *     backward  W^T delta       A = delta,  B = panels of W^T
 *     gradient  delta a^T       A = a^T,    B = delta
 */
typedef struct {
    ptrdiff_t rows, panels, depth;
    const void *a;
    ptrdiff_t a_row_stride, a_depth_stride;
    const ptrdiff_t *row_index, *depth_index; /* NULL: all, in order */
    const void *b;
    ptrdiff_t b_depth_stride, b_panel_stride;
    const void *bias, *row_bias; /* NULL: none */
    int accumulate;
    void *c;
    ptrdiff_t c_row_stride, c_panel_stride;
    void *bias_grad; /* NULL: not wanted */
} matmul_args;

/* An activation: f, f' and f''. Those that are not `per_row` (softmax is) work element by element
 * and may be given some whole panels of a row only, or its last ones. `forward` may work in place
 * (a == z). `backward` multiplies f'(z) into delta, which holds dC/da before and dC/dz after;
 * per_row functions multiply by their full Jacobian. Without `needs_preactivation`, `backward`
 * reads a alone and z may be overwritten by a. per_row functions take one panel of outputs at most
 * in the transposed layout. `along` is for derivatives along a direction (Pearlmutter 1994): with g
 * = dC/da and r_z the derivative of z, both row-major, it adds g f''(z) r_z to r_delta, or what the
 * change of the Jacobian makes of g; it reads z only where f' does. `param_name` names the number
 * that some functions take (NULL: none), and `default_param` is its value in the literature. */
typedef struct {
    const char *name;
    int per_row, needs_preactivation;
    void (*forward)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row_stride, ptrdiff_t col_stride,
                    double activation_param, const void *z, void *a);
    void (*backward)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row_stride, ptrdiff_t col_stride,
                     double activation_param, const void *z, const void *a, void *delta);
    void (*along)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, double activation_param,
                  const void *z, const void *a, const void *r_z, const void *g, void *r_delta);
    const char *param_name;
    double default_param;
} activation;

/* The rows of a mini-batch for a loss; out, y and delta have the same strides. Targets are rows of
 * y or, for sparse losses, class indices in `label`; the other of the two is NULL or not read.
 * row_scale weighs each row's delta (1/N for a mean over N rows); row_losses is not scaled and has
 * room for `rows` rounded up to whole panels. delta == NULL: the costs alone are wanted. In the
 * row-major layout the padding of delta becomes zero up to the end of the row's last panel. */
typedef struct {
    ptrdiff_t rows, width, row_stride, col_stride;
    double loss_param;
    ptrdiff_t targets; /* columns of y: width, unless the loss has several heads */
    const double *quantiles;
    ptrdiff_t n_quantiles;
    const void *out, *y;
    const int32_t *label;
    const void *row_scale;
    void *delta, *row_losses;
} loss_args;

/* A loss: the cost of each row and the error it sends back, in one pass. `fused_activations` names
 * the activations whose derivative the loss takes in, separated by blanks: with one of them `out`
 * is z of the last layer, `delta` becomes dC/dz, and f is not called at all; it goes with no
 * others. NULL: the loss goes with all, `out` is a and `delta` becomes dC/da. In the transposed
 * layout the width is one panel at most. `along` is for derivatives along a direction: row-major,
 * `delta` holds that of `out` before and that of the scaled delta after, 0 in the padding of the
 * last panel; row_losses is not used.
 * `low` and `high` bound the targets; `param_name` and `default_param` are as for activations.
 * `heads` is how many outputs each target has; 0: one for each of `quantiles`, which ascend from
 * above 0 to below 1; of several, one is 0.5. */
typedef struct {
    const char *name, *fused_activations;
    int sparse;
    void (*evaluate)(const loss_args *p);
    void (*along)(const loss_args *p);
    double low, high;
    const char *param_name;
    double default_param;
    int heads;
} loss;

/* The most quantiles of a loss; the smallest variance, of targets as the network learns them. */
enum { MOST_QUANTILES = 99 };
#define SMALLEST_VARIANCE 1e-6

/* An optimizer: one step on n parameters w with gradient g, at step t = 1, 2, ...; n is a multiple
 * of lanes. All have the same numbers h, or, with `in_lanes`, those of lane i of a vector are
 * h + i OPTIMIZER_NUMBERS. `settings` lists the names of the numbers in h, separated by blanks; the
 * first is the learning rate. `prepare` (NULL: nothing to do) is called once before each step and
 * works out what depends on t alone, in the room behind the settings; what it leaves there is kept
 * from step to step, and zero before the first. `slots` buffers of n elements each, zero before the
 * first step, belong to the optimizer. */
enum { OPTIMIZER_NUMBERS = 16 };
typedef struct {
    const char *name, *settings;
    int slots;
    void (*prepare)(int64_t t, double *h);
    void (*step)(ptrdiff_t n, int in_lanes, int64_t t, const double *h, void *w, const void *g,
                 void *const *slots);
} optimizer;

/* Nets of one shape side by side, one in each lane of a vector (`vector` of them): what is a number
 * of one net, or of one of its rows, is a vector. Counts are of vectors, strides of elements.
 *
 * C = bias + A B as in matmul_args, in each lane; the rows of C are neighbouring vectors, and the
 * stride of bias is b_column_stride. */
typedef struct {
    ptrdiff_t rows, columns, depth;
    const void *a;
    ptrdiff_t a_row_stride, a_depth_stride;
    const void *b;
    ptrdiff_t b_depth_stride, b_column_stride;
    const void *bias; /* NULL: zeros, or with `accumulate` what stands in C */
    int accumulate;
    void *c;
    ptrdiff_t c_column_stride;
} lanes_product_args;

/* As add_penalty, for the weights of one panel of outputs at most, with each net's l1 and l2; the
 * penalties are added to `penalty`. A net whose l1 and l2 are 0 keeps its gradient. */
typedef struct {
    ptrdiff_t inputs, outputs, output_stride;
    const double *l1, *l2;
    const void *w;
    void *g;
    double *penalty;
} lanes_penalty_args;

/* Dropout of one layer's inputs in one training step: input j of row r of the mini-batch stays
 * where word j % 4 of philox(key, purpose, step, r << 32 | j / 4) is at least `threshold`, which is
 * 2^32 times the rate. One that stays becomes factor a + shift, one that is dropped `fill_value`.
 */
typedef struct {
    uint64_t key;
    uint32_t purpose, step, threshold;
    double factor, shift, fill_value;
} dropout;

/* Periodic embeddings of the columns of a panel: column[0 .. n), n up to `lanes`, of the rows of x.
 * Each becomes `width` numbers e by way of `frequencies` cosines (periodic.inc.h, where the layout
 * of the parameters stands). */
enum { MOST_PERIODIC_WIDTH = 16 };
typedef struct {
    ptrdiff_t n, frequencies, width;
    const ptrdiff_t *column;
    const void *parameters;
} periodic;

/* A mathematical function over n elements (a multiple of lanes), with its published error limit. */
typedef struct {
    const char *name;
    double ulp;
    void (*map)(ptrdiff_t n, const void *x, void *y);
} function;

typedef struct {
    const char *isa, *dtype;
    ptrdiff_t itemsize, lanes;
    ptrdiff_t vector; /* numbers of a vector: lanes, or a part of them */
    void (*matmul)(const matmul_args *p);
    /* wt[q][n_out][lanes] = panels of the transposed weights, from w[p][n_in][lanes], for `inputs`
     * inputs from `input` on and `outputs` outputs from `output` on: both begin at a whole panel
     * and end at one or at the edge. Padding lanes become zero. */
    void (*transpose_panels)(ptrdiff_t n_in, ptrdiff_t n_out, ptrdiff_t input, ptrdiff_t inputs,
                             ptrdiff_t output, ptrdiff_t outputs, const void *w, void *wt);
    /* y[j ld_y + r] = x[r ld + j] for `width` columns j of x: row-major to transposed, or back.
     * Nothing before x or after its last row is read; the lanes past `rows` and the rows of y past
     * `width`, up to `room` whole panels' worth of rows, are written freely. */
    void (*transpose)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *x, ptrdiff_t room,
                      ptrdiff_t ld_y, void *y);
    /* The index of each row's largest output, the first among equals, or of its first NaN (one
     * output: whether it is above `threshold`). Returns how many rows have a NaN there. */
    ptrdiff_t (*argmax)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row_stride, ptrdiff_t col_stride,
                        const void *out, double threshold, ptrdiff_t *index);
    /* The number of rows whose argmax, as above, is the row's label. */
    ptrdiff_t (*count_correct)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row_stride,
                               ptrdiff_t col_stride, const void *out, double threshold,
                               const int32_t *label);
    /* The number of rows in which every output is on the same side of `threshold` as its target in
     * y (same strides) is of `y_threshold`. */
    ptrdiff_t (*count_exact_match)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row_stride,
                                   ptrdiff_t col_stride, const void *out, double threshold,
                                   const void *y, double y_threshold);
    /* sums[j] += sum over rows of (out - y)^2 in output j, in double, row after row. */
    void (*squared_residuals)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row_stride,
                              ptrdiff_t col_stride, const void *out, const void *y, double *sums);
    /* Penalty of n weights w (a multiple of lanes): adds l1 sign(w) + l2 w to their gradient g and
     * returns l1 |w|_1 + l2/2 |w|^2. */
    double (*add_penalty)(ptrdiff_t n, double l1, double l2, const void *w, void *g);
    /* Scales the weights to each neuron to Euclidean norm `max_norm` where it is larger: in blocks
     * of `stride` neurons (a multiple of `vector`), whose weights to input i are at i stride. */
    void (*clip_row_norms)(ptrdiff_t n_in, ptrdiff_t stride, ptrdiff_t blocks,
                           ptrdiff_t block_stride, double max_norm, void *w);
    /* Brings n weights (a multiple of `vector`) between their bounds. */
    void (*keep_within)(ptrdiff_t n, const void *lower, const void *upper, void *w);
    /* The e of some rows, those of a column one after the other. */
    void (*embed)(const periodic *p, ptrdiff_t rows, ptrdiff_t x_stride, const void *x,
                  ptrdiff_t e_stride, void *e);
    /* Adds to g, laid out as the parameters, the gradient of frequencies first .. end - 1, after
     * the last that of d too, row after row; delta holds dC/de. */
    void (*embed_gradient)(const periodic *p, ptrdiff_t rows, ptrdiff_t first, ptrdiff_t end,
                           ptrdiff_t x_stride, const void *x, ptrdiff_t delta_stride,
                           const void *delta, void *g);
    /* Adds what the e of some rows send back to dx, the derivatives by x. */
    void (*embed_back)(const periodic *p, ptrdiff_t rows, ptrdiff_t x_stride, const void *x,
                       ptrdiff_t delta_stride, const void *delta, ptrdiff_t dx_stride, void *dx);
    /* For derivatives along a direction, of which `v` holds the parameters in the place of those of
     * p: that of e; and, as embed_gradient, that of the gradient, from r_delta, that of delta. */
    void (*embed_along)(const periodic *p, const periodic *v, ptrdiff_t rows, ptrdiff_t x_stride,
                        const void *x, ptrdiff_t e_stride, void *r_e);
    void (*embed_gradient_along)(const periodic *p, const periodic *v, ptrdiff_t rows,
                                 ptrdiff_t first, ptrdiff_t end, ptrdiff_t x_stride, const void *x,
                                 ptrdiff_t delta_stride, const void *delta, const void *r_delta,
                                 void *r_g);
    /* The 32 words of philox(key, purpose, a, index), ..., philox(key, purpose, a, index + 7);
     * index is a multiple of 8. */
    void (*draw)(uint64_t key, uint32_t purpose, uint32_t a, uint64_t index, uint32_t *out);
    /* out = a with some elements dropped, row-major, for rows first, first + 1, ... of the
     * mini-batch; mask (may be NULL) becomes d out / d a. */
    void (*drop)(ptrdiff_t first, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const dropout *d,
                 const void *a, void *out, void *mask);
    /* Whether n numbers, any n, are all neither NaN nor infinite. */
    int (*is_finite)(ptrdiff_t n, const void *x);
    /* Of n numbers (a multiple of lanes): the sum of x y, for which x may be y; x *= factor;
     * y += factor x; y *= x. */
    double (*dot)(ptrdiff_t n, const void *x, const void *y);
    void (*scale)(ptrdiff_t n, double factor, void *x);
    void (*axpy)(ptrdiff_t n, double factor, const void *x, void *y);
    void (*multiply)(ptrdiff_t n, const void *x, void *y);
    void (*asinh)(ptrdiff_t n, const void *x, void *y); /* n a multiple of lanes; y may be x */
    /* `rounds` of fused multiply-adds on registers alone, as many chains as the processor can
     * overlap; returns the number of floating-point operations and leaves a result in *sink. The
     * yardstick for all other kernels. */
    double (*peak)(ptrdiff_t rounds, void *sink);
    /* Nets side by side: */
    void (*lanes_product)(const lanes_product_args *p);
    void (*lanes_penalty)(const lanes_penalty_args *p);
    /* y[j ld + r] = row[r][j]: scattered rows into the transposed layout; `rows` is a multiple of
     * `vector`. */
    void (*gather_transposed)(ptrdiff_t rows, ptrdiff_t width, const void *const *row, ptrdiff_t ld,
                              void *y);
    /* As count_correct and squared_residuals, added to each net's: correct[net] and
     * sums[j vector + net]. Output j of a row is ld from output j - 1. */
    void (*lanes_correct)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *out,
                          double threshold, const int32_t *label, ptrdiff_t *correct);
    void (*lanes_residuals)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *out,
                            const void *y, double *sums);
    /* totals[net] += the losses, or weights (not NULL) times losses, row after row. */
    void (*lanes_losses)(ptrdiff_t rows, const void *losses, const void *weights, double *totals);
    /* The squares of a matrix, added to squares[output % lanes]; the sums of these `lanes` parts;
     * x *= factors[net]. */
    void (*lanes_squares)(ptrdiff_t outputs, ptrdiff_t inputs, ptrdiff_t output_stride,
                          const void *g, void *squares);
    void (*lanes_sum)(const void *parts, double *sums);
    void (*lanes_scale)(ptrdiff_t n, const double *factors, void *x);
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

/* Matrix products, transposition, vectors, functions, random numbers. */
#include "compare.h"

enum { MOST_INDEXED = 64 };

/* The ways in which layers use the product; the strides are those of one layer's forward pass,
 * delta recursion and gradients. */
typedef enum {
    FORWARD,
    BACKWARD,
    GRADIENT,
    ROW_OF_ONES,
    INDEXED_FORWARD,
    INDEXED_GRADIENT,
    TRANSPOSED_FORWARD,
    GRADIENT_AND_BIASES,
    USES
} matmul_use;

typedef struct {
    matmul_use use;
    int forward, per_sample, accumulate; /* per_sample: the rows of A and C are samples */
    ptrdiff_t rows, panels, depth, columns, ld_a, ld;
    array a, b, bias, row_bias, c, bias_grad;
    ptrdiff_t index[MOST_INDEXED]; /* any rows or columns, some of them more than once */
} matmul_case;

static matmul_case new_matmul_case(matmul_use use, ptrdiff_t rows, ptrdiff_t panels,
                                   ptrdiff_t depth)
{
    const ptrdiff_t lanes = run.lanes, columns = panels * lanes;
    const int forward = use == FORWARD || use == INDEXED_FORWARD;
    const int per_sample = forward || use == BACKWARD || use == TRANSPOSED_FORWARD;
    matmul_case x = {
        .use = use,
        .forward = forward,
        .per_sample = per_sample,
        .accumulate = !forward && use != TRANSPOSED_FORWARD && random_below(2),
        .rows = rows,
        .panels = panels,
        .depth = depth,
        .columns = columns,
        .ld_a = whole_panels(per_sample ? depth : rows) + lanes,
        /* Half of the cases with a spare panel between the rows, as some widths have it. */
        .ld = columns + (rows + panels + depth) % 2 * lanes,
    };
    x.a = new_reals(use == ROW_OF_ONES ? 1 : (per_sample ? rows : depth) * x.ld_a);
    x.b = new_reals(per_sample ? panels * depth * lanes : depth * x.ld);
    x.bias = new_reals(columns), x.row_bias = new_reals(rows);
    x.c = new_reals(per_sample ? rows * x.ld : panels * rows * lanes);
    x.bias_grad = new_reals(columns);
    return x;
}

static void fill_matmul_case(matmul_case *x)
{
    const ptrdiff_t lanes = run.lanes;
    if (x->use == ROW_OF_ONES)
        set_all(&x->a, 1, 1);
    else if (x->per_sample)
        fill(&x->a, x->rows, x->depth, x->ld_a, PLAIN);
    else
        fill(&x->a, x->depth, x->rows, x->ld_a, PLAIN);
    if (x->per_sample)
        fill(&x->b, x->panels * x->depth, lanes, lanes, PLAIN);
    else
        fill(&x->b, x->depth, x->columns, x->ld, PLAIN);
    fill(&x->bias, 1, x->columns, x->columns, PLAIN);
    fill(&x->row_bias, 1, x->rows, x->rows, PLAIN);
    if (x->accumulate) {
        const ptrdiff_t c_rows = x->per_sample ? x->rows : x->panels * x->rows;
        for (ptrdiff_t i = 0; i < c_rows; i++) /* padding stays untouched */
            for (ptrdiff_t j = 0; j < (x->per_sample ? x->columns : lanes); j++)
                put_random(&x->c, i * (x->per_sample ? x->ld : lanes) + j, PLAIN);
        fill(&x->bias_grad, 1, x->columns, x->columns, PLAIN);
    }
    const ptrdiff_t many = x->forward ? x->rows : x->depth;
    for (ptrdiff_t i = 0; i < many; i++) x->index[i] = random_below(many);
}

static void run_matmul_case(const matmul_case *x, int side)
{
    const ptrdiff_t lanes = run.lanes;
    matmul_args p = {
        .rows = x->rows,
        .panels = x->panels,
        .depth = x->depth,
        .a = x->a.at[side],
        .a_row_stride = x->per_sample ? x->ld_a : 1,
        .a_depth_stride = x->per_sample ? 1 : x->ld_a,
        .row_index = x->use == INDEXED_FORWARD ? x->index : 0,
        .depth_index = x->use == INDEXED_GRADIENT ? x->index : 0,
        .b = x->b.at[side],
        .b_depth_stride = x->per_sample ? lanes : x->ld,
        .b_panel_stride = x->per_sample ? x->depth * lanes : lanes,
        .bias = x->forward ? x->bias.at[side] : 0,
        .row_bias = x->use == TRANSPOSED_FORWARD ? x->row_bias.at[side] : 0,
        .accumulate = x->accumulate,
        .c = x->c.at[side],
        .c_row_stride = x->per_sample ? x->ld : lanes,
        .c_panel_stride = x->per_sample ? lanes : x->rows * lanes,
        .bias_grad = x->use == GRADIENT_AND_BIASES ? x->bias_grad.at[side] : 0,
    };
    if (x->use == ROW_OF_ONES)
        p.a_row_stride = p.a_depth_stride = p.c_row_stride = 0, p.c_panel_stride = lanes;
    run.table[side]->matmul(&p);
}

void compare_matmul(ptrdiff_t rows, ptrdiff_t panels, ptrdiff_t depth)
{
    static const char *const names[USES] = {
        "forward",         "backward",         "gradient",           "row of ones",
        "indexed forward", "indexed gradient", "transposed forward", "gradient and biases"};
    for (matmul_use use = 0; use < USES; use++) {
        if (use == ROW_OF_ONES && rows != 1) continue;
        matmul_case x = new_matmul_case(use, rows, panels, depth);
        CASE("matmul, %s%s, %td rows, %td panels, depth %td", names[use],
             x.accumulate ? ", accumulated" : "", rows, panels, depth);
        fill_matmul_case(&x);
        FOR_EACH_SIDE(side) run_matmul_case(&x, side);
        if (x.per_sample)
            check(&x.c, 0, rows, x.columns, x.ld, KEPT);
        else
            check(&x.c, 0, panels * rows, run.lanes, run.lanes, KEPT);
        if (use == GRADIENT_AND_BIASES) check(&x.bias_grad, 0, 1, x.columns, x.columns, KEPT);
        free_array(&x.a), free_array(&x.b), free_array(&x.bias), free_array(&x.row_bias);
        free_array(&x.c), free_array(&x.bias_grad);
    }
}

void compare_transpose_panels(ptrdiff_t n_in, ptrdiff_t n_out)
{
    const ptrdiff_t lanes = run.lanes;
    CASE("transpose_panels, %td inputs, %td outputs", n_in, n_out);
    array w = new_reals(whole_panels(n_out) * n_in), wt = new_reals(whole_panels(n_in) * n_out);
    set_all(&w, 0, 0);
    for (ptrdiff_t o = 0; o < n_out; o++)
        for (ptrdiff_t i = 0; i < n_in; i++)
            put_random(&w, (o / lanes * n_in + i) * lanes + o % lanes, SPECIAL);
    run.table[0]->transpose_panels(n_in, n_out, 0, n_in, 0, n_out, w.at[0], wt.at[0]);
    for (ptrdiff_t i = 0; i < n_in; i += lanes) /* in rectangles of one panel each way */
        for (ptrdiff_t o = 0; o < n_out; o += lanes)
            run.table[1]->transpose_panels(n_in, n_out, i, n_in - i < lanes ? n_in - i : lanes, o,
                                           n_out - o < lanes ? n_out - o : lanes, w.at[1],
                                           wt.at[1]);
    for (ptrdiff_t i = 0; i < n_in; i += lanes)
        check(&wt, i * n_out, n_out, n_in - i < lanes ? n_in - i : lanes, lanes, ZEROS);
    free_array(&w), free_array(&wt);
}

/* Into a buffer with room for whole panels, and into one of just the size. */
void compare_transpose(ptrdiff_t rows, ptrdiff_t width)
{
    const ptrdiff_t ld = whole_panels(rows);
    array x = new_reals(rows * width), roomy = new_reals(whole_panels(width) * ld),
          tight = new_reals(width * rows);
    CASE("transpose, %td rows of %td", rows, width);
    fill(&x, rows, width, width, SPECIAL);
    FOR_EACH_SIDE(side)
        run.table[side]->transpose(rows, width, width, x.at[side], whole_panels(width), ld,
                                   roomy.at[side]);
    check(&roomy, 0, width, rows, ld, FREE);
    FOR_EACH_SIDE(side)
        run.table[side]->transpose(rows, width, width, x.at[side], width, rows, tight.at[side]);
    check(&tight, 0, width, rows, rows, KEPT);
    free_array(&x), free_array(&roomy), free_array(&tight);
}

void compare_is_finite(ptrdiff_t n)
{
    array x = new_reals(n);
    for (ptrdiff_t bad = -1; bad < n; bad++) {
        CASE("is_finite, %td numbers, no. %td is not", n, bad);
        fill(&x, 1, n, n, PLAIN);
        FOR_EACH_SIDE(side)
            if (bad >= 0) {
                const double value = bad % 3 ? bad % 3 == 1 ? INFINITY : -INFINITY : NAN;
                if (run.table[0]->itemsize == 8)
                    ((double *)x.at[side])[bad] = value;
                else
                    ((float *)x.at[side])[bad] = (float)value;
            }
        FOR_EACH_SIDE(side)
            same((uint64_t)(bad < 0), (uint64_t)run.table[side]->is_finite(n, x.at[side]), bad);
    }
    free_array(&x);
}

void compare_vectors(ptrdiff_t n_panels, numbers kind)
{
    const ptrdiff_t n = n_panels * run.lanes;
    array x = new_reals(n), y = new_reals(n);
    double sum[2];
    fill(&x, 1, n, n, kind);
    fill(&y, 1, n, n, kind);
    CASE("dot of %td numbers", n);
    FOR_EACH_SIDE(side) sum[side] = run.table[side]->dot(n, x.at[side], y.at[side]);
    same_numbers(sum[0], sum[1]);
    CASE("add_penalty, %td weights", n);
    FOR_EACH_SIDE(side)
        sum[side] = run.table[side]->add_penalty(n, 0.1, 0.3, x.at[side], y.at[side]);
    same_numbers(sum[0], sum[1]);
    check(&y, 0, 1, n, n, FREE);
    CASE("axpy, %td numbers", n);
    FOR_EACH_SIDE(side) run.table[side]->axpy(n, -0.3, x.at[side], y.at[side]);
    check(&y, 0, 1, n, n, FREE);
    CASE("multiply %td numbers", n);
    FOR_EACH_SIDE(side) run.table[side]->multiply(n, x.at[side], y.at[side]);
    check(&y, 0, 1, n, n, FREE);
    CASE("scale %td numbers", n);
    FOR_EACH_SIDE(side) run.table[side]->scale(n, 0.7, y.at[side]);
    check(&y, 0, 1, n, n, FREE);
    for (ptrdiff_t n_in = 1; n_in <= n_panels; n_in *= 3) {
        if (n_panels % n_in) continue;
        CASE("clip_row_norms, %td inputs, %td panels", n_in, n_panels / n_in);
        FOR_EACH_SIDE(side) {
            run.table[side]->clip_row_norms(n_in, run.lanes, n_panels / n_in, n_in * run.lanes, 1.5,
                                            x.at[side]);
        }
        check(&x, 0, 1, n, n, FREE);
    }
    free_array(&x), free_array(&y);
}

void compare_functions(ptrdiff_t n_panels, numbers kind)
{
    const ptrdiff_t n = n_panels * run.lanes;
    for (int f = 0; run.table[0]->functions[f].name; f++) {
        array x = new_reals(n), y = new_reals(n);
        CASE("%s of %td numbers", run.table[0]->functions[f].name, n);
        fill(&x, 1, n, n, kind);
        FOR_EACH_SIDE(side) run.table[side]->functions[f].map(n, x.at[side], y.at[side]);
        check(&y, 0, 1, n, n, FREE);
        free_array(&x), free_array(&y);
    }
}

/* How many chains overlap, and so the result, is each instruction set's own; what it must do is
 * count. */
void check_peak(void)
{
    array sink = new_reals(1);
    CASE("peak");
    FOR_EACH_SIDE(side) {
        const double one = run.table[side]->peak(1, sink.at[side]),
                     seven = run.table[side]->peak(7, sink.at[side]);
        run.comparisons++;
        if (one <= 0 || seven != 7 * one)
            fail("counts other operations for 7 rounds than 7 times those of", 1);
    }
    free_array(&sink);
}

void compare_draws(void)
{
    array out = new_array(32, sizeof(uint32_t));
    for (int i = 0; i < 20; i++) {
        const uint64_t key = random_bits(),
                       index = (i % 2 ? random_bits() : random_bits() >> 40) / 8 * 8;
        const uint32_t purpose = (uint32_t)random_bits(), a = (uint32_t)random_bits();
        CASE("draw");
        FOR_EACH_SIDE(side) run.table[side]->draw(key, purpose, a, index, out.at[side]);
        for (int w = 0; w < 32; w++)
            same(((uint32_t *)out.at[0])[w], ((uint32_t *)out.at[1])[w], w);
    }
    free_array(&out);
}

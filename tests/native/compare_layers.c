/* Metrics, activations, losses, optimizers, dropout. */
#include "compare.h"

enum { MOST_SLOTS = 8 };

void compare_metrics(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, numbers kind)
{
    array out = new_reals(rows * ld), y = new_reals(rows * ld),
          sums = new_array(width, sizeof(double));
    array label = new_labels(rows, width == 1 ? 2 : width),
          index = new_array(rows, sizeof(ptrdiff_t));
    uint64_t correct[2];
    fill(&out, rows, width, ld, kind);
    fill(&y, rows, width, ld, TARGETS);
    fill(&sums, 1, width, width, PLAIN);
    CASE("count_correct, %td rows of %td", rows, width);
    FOR_EACH_SIDE(side)
        correct[side] = (uint64_t)run.table[side]->count_correct(rows, width, ld, 1, out.at[side],
                                                                 0.5, label.at[side]);
    same(correct[0], correct[1], 0);
    CASE("argmax, %td rows of %td", rows, width);
    FOR_EACH_SIDE(side)
        run.table[side]->argmax(rows, width, ld, 1, out.at[side], 0.5, index.at[side]);
    check(&index, 0, 1, rows, rows, FREE);
    CASE("count_exact_match, %td rows of %td", rows, width);
    FOR_EACH_SIDE(side)
        correct[side] = (uint64_t)run.table[side]->count_exact_match(
            rows, width, ld, 1, out.at[side], 0.5, y.at[side], 0.25);
    same(correct[0], correct[1], 0);
    CASE("squared_residuals, %td rows of %td", rows, width);
    FOR_EACH_SIDE(side)
        run.table[side]->squared_residuals(rows, width, ld, 1, out.at[side], y.at[side],
                                           sums.at[side]);
    check(&sums, 0, 1, width, width, FREE);
    /* The same numbers transposed give the same answers, on all paths. */
    array out_columns = transposed(&out, rows, width, ld, rows),
          y_columns = transposed(&y, rows, width, ld, rows);
    CASE("metrics, %td rows of %td transposed", rows, width);
    correct[0] =
        (uint64_t)run.table[0]->count_correct(rows, width, ld, 1, out.at[0], 0.5, label.at[0]);
    FOR_EACH_SIDE(side) {
        const kernels *k = run.table[side];
        same(correct[0],
             (uint64_t)k->count_correct(rows, width, 1, rows, out_columns.at[side], 0.5,
                                        label.at[side]),
             0);
        same((uint64_t)run.table[0]->count_exact_match(rows, width, ld, 1, out.at[0], 0.5, y.at[0],
                                                       0.25),
             (uint64_t)k->count_exact_match(rows, width, 1, rows, out_columns.at[side], 0.5,
                                            y_columns.at[side], 0.25),
             0);
        k->squared_residuals(rows, width, side ? 1 : ld, side ? rows : 1,
                             side ? out_columns.at[1] : out.at[0], side ? y_columns.at[1] : y.at[0],
                             sums.at[side]);
    }
    check(&sums, 0, 1, width, width, FREE);
    free_array(&out_columns), free_array(&y_columns);
    free_array(&out), free_array(&y), free_array(&sums), free_array(&label), free_array(&index);
}

static void compare_activation(int n, double param, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld,
                               numbers kind)
{
    const activation *f = &run.table[0]->activations[n];
    array z = new_reals(rows * ld), a = new_reals(rows * ld), delta = new_reals(rows * ld);
    CASE("%s (%g) forward, %td rows of %td", f->name, param, rows, width);
    fill(&z, rows, width, ld, kind);
    FOR_EACH_SIDE(side)
        run.table[side]->activations[n].forward(rows, width, ld, 1, param, z.at[side], a.at[side]);
    check(&a, 0, rows, width, ld, FREE);
    CASE("%s (%g) forward in place, %td rows of %td", f->name, param, rows, width);
    FOR_EACH_SIDE(side)
        run.table[side]->activations[n].forward(rows, width, ld, 1, param, z.at[side], z.at[side]);
    check(&z, 0, rows, width, ld, FREE);

    CASE("%s (%g) backward, %td rows of %td", f->name, param, rows, width);
    fill(&a, rows, width, ld, kind);
    fill(&delta, rows, width, ld, kind);
    if (f->needs_preactivation)
        fill(&z, rows, width, ld, kind);
    else
        set_all(&z, (double)NAN, 7);
    FOR_EACH_SIDE(side)
        run.table[side]->activations[n].backward(rows, width, ld, 1, param, z.at[side], a.at[side],
                                                 delta.at[side]);
    check(&delta, 0, rows, width, ld, FREE);

    array r_z = new_reals(rows * ld), g = new_reals(rows * ld);
    CASE("%s (%g) along, %td rows of %td", f->name, param, rows, width);
    fill(&r_z, rows, width, ld, kind);
    fill(&g, rows, width, ld, kind);
    FOR_EACH_SIDE(side)
        run.table[side]->activations[n].along(rows, width, ld, param, z.at[side], a.at[side],
                                              r_z.at[side], g.at[side], delta.at[side]);
    check(&delta, 0, rows, width, ld, FREE);
    free_array(&z), free_array(&a), free_array(&delta), free_array(&r_z), free_array(&g);
}

void compare_activations(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, numbers kind)
{
    for (int n = 0; run.table[0]->activations[n].name; n++) {
        const activation *f = &run.table[0]->activations[n];
        compare_activation(n, f->default_param, rows, width, ld, kind);
        if (!f->param_name) continue;
        compare_activation(n, 0.3, rows, width, ld, kind);
        /* relu, where 0 times infinity must not spoil it */
        compare_activation(n, 0, rows, width, ld, kind);
    }
}

/* Results in the transposed layout: the same on both paths, and the same as the row-major ones of
 * side 0. */
static void check_transposed(const array *row_major, const array *x, ptrdiff_t rows,
                             ptrdiff_t width, ptrdiff_t ld, ptrdiff_t col_stride)
{
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t j = 0; j < width; j++)
            FOR_EACH_SIDE(side)
                same(bits_of(row_major, 0, r * ld + j), bits_of(x, side, j * col_stride + r), r);
}

void compare_transposed_activations(ptrdiff_t rows, ptrdiff_t width, numbers kind)
{
    const ptrdiff_t ld = whole_panels(width), col_stride = whole_panels(rows) + run.lanes;
    for (int n = 0; run.table[0]->activations[n].name; n++) {
        const activation *f = &run.table[0]->activations[n];
        const double param = f->default_param;
        array z = new_reals(rows * ld), a = new_reals(rows * ld), delta = new_reals(rows * ld);
        fill(&z, rows, width, ld, kind);
        fill(&delta, rows, width, ld, kind);
        array z_columns = transposed(&z, rows, width, ld, col_stride);
        array a_columns = transposed(&z, rows, width, ld, col_stride);
        array delta_columns = transposed(&delta, rows, width, ld, col_stride);
        CASE("%s forward, %td rows of %td, transposed", f->name, rows, width);
        f->forward(rows, width, ld, 1, param, z.at[0], a.at[0]);
        FOR_EACH_SIDE(side)
            run.table[side]->activations[n].forward(rows, width, 1, col_stride, param,
                                                    z_columns.at[side], a_columns.at[side]);
        check_transposed(&a, &a_columns, rows, width, ld, col_stride);
        CASE("%s backward, %td rows of %td, transposed", f->name, rows, width);
        f->backward(rows, width, ld, 1, param, z.at[0], a.at[0], delta.at[0]);
        FOR_EACH_SIDE(side)
            run.table[side]->activations[n].backward(rows, width, 1, col_stride, param,
                                                     z_columns.at[side], a_columns.at[side],
                                                     delta_columns.at[side]);
        check_transposed(&delta, &delta_columns, rows, width, ld, col_stride);
        free_array(&z), free_array(&a), free_array(&delta);
        free_array(&z_columns), free_array(&a_columns), free_array(&delta_columns);
    }
}

typedef struct {
    array out, y, label, row_scale, delta, row_losses;
} loss_arrays;

/* How many outputs each target of a loss has, of networks with so many: quantiles are three where
 * that is possible. 0: it goes with none. */
static ptrdiff_t heads_of(const loss *f, ptrdiff_t width)
{
    const ptrdiff_t heads = f->heads ? f->heads : width % 3 ? 1 : 3;
    return width % heads ? 0 : heads;
}

static loss_args arguments(int n, int side, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row_stride,
                           ptrdiff_t col_stride, double param, const loss_arrays *x, int with_delta)
{
    static const double quantiles[] = {0.1, 0.5, 0.9};
    const loss *f = &run.table[side]->losses[n];
    const ptrdiff_t heads = heads_of(f, width);
    return (loss_args){
        .rows = rows,
        .width = width,
        .row_stride = row_stride,
        .col_stride = col_stride,
        .loss_param = param,
        .targets = width / heads,
        .quantiles = quantiles,
        .n_quantiles = heads,
        .out = x->out.at[side],
        .y = f->sparse ? 0 : x->y.at[side],
        .label = f->sparse ? x->label.at[side] : 0,
        .row_scale = x->row_scale.at[side],
        .delta = with_delta ? x->delta.at[side] : 0,
        .row_losses = x->row_losses.at[side],
    };
}

static void evaluate(int n, int side, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t row_stride,
                     ptrdiff_t col_stride, double param, const loss_arrays *x, int with_delta)
{
    const loss_args p =
        arguments(n, side, rows, width, row_stride, col_stride, param, x, with_delta);
    run.table[side]->losses[n].evaluate(&p);
}

static void free_loss_arrays(loss_arrays *x)
{
    free_array(&x->out), free_array(&x->y), free_array(&x->label);
    free_array(&x->row_scale), free_array(&x->delta), free_array(&x->row_losses);
}

void compare_losses(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, numbers kind)
{
    for (int n = 0; run.table[0]->losses[n].name; n++) {
        const loss *f = &run.table[0]->losses[n];
        if (!heads_of(f, width)) continue;
        loss_arrays x = {
            .out = new_reals(rows * ld),
            .y = new_reals(rows * ld),
            .label = new_labels(rows, width),
            .row_scale = new_reals(rows),
            .delta = new_reals(rows * ld),
            .row_losses = new_reals(whole_panels(rows)),
        };
        fill(&x.out, rows, width, ld, kind);
        fill(&x.y, rows, width, ld, kind == SPECIAL && rows % 2 ? SPECIAL : TARGETS);
        fill(&x.row_scale, 1, rows, rows, PLAIN);
        for (int variant = f->param_name ? 3 : 1; variant >= 0; variant--) {
            const int with_delta = variant & 1;
            const double param = variant & 2 ? 0.3 : f->default_param;
            CASE("%s (%g) with%s delta, %td rows of %td", f->name, param, with_delta ? "" : "out",
                 rows, width);
            FOR_EACH_SIDE(side) evaluate(n, side, rows, width, ld, 1, param, &x, with_delta);
            if (with_delta) check(&x.delta, 0, rows, width, ld, ZEROS);
            check(&x.row_losses, 0, 1, rows, rows, FREE);
            if (!with_delta) continue;
            CASE("%s (%g) along, %td rows of %td", f->name, param, rows, width);
            fill(&x.delta, rows, width, ld, kind);
            FOR_EACH_SIDE(side) {
                const loss_args p = arguments(n, side, rows, width, ld, 1, param, &x, 1);
                run.table[side]->losses[n].along(&p);
            }
            check(&x.delta, 0, rows, width, ld, ZEROS);
        }
        free_loss_arrays(&x);
    }
}

void compare_transposed_losses(ptrdiff_t rows, ptrdiff_t width, numbers kind)
{
    const ptrdiff_t room = whole_panels(rows), ld = whole_panels(width);
    for (int n = 0; run.table[0]->losses[n].name; n++) {
        const loss *f = &run.table[0]->losses[n];
        if (!heads_of(f, width)) continue;
        loss_arrays x = {
            .out = new_reals(room * ld),
            .y = new_reals(room * ld),
            .label = new_labels(room, width),
            .row_scale = new_reals(room),
            .delta = new_reals(room * ld),
            .row_losses = new_reals(room),
        };
        fill(&x.out, rows, width, ld, kind);
        fill(&x.y, rows, width, ld, TARGETS);
        fill(&x.row_scale, 1, rows, room, PLAIN);
        loss_arrays columns = x;
        columns.out = transposed(&x.out, rows, width, ld, room);
        columns.y = transposed(&x.y, rows, width, ld, room);
        columns.delta = new_reals(width * room);
        columns.row_losses = new_reals(room);
        for (int with_delta = 0; with_delta < 2; with_delta++) {
            CASE("%s with%s delta, %td rows of %td, transposed", f->name, with_delta ? "" : "out",
                 rows, width);
            FOR_EACH_SIDE(side)
                evaluate(n, side, rows, width, 1, room, f->default_param, &columns, with_delta);
            if (with_delta) check(&columns.delta, 0, width, rows, room, FREE);
            check(&columns.row_losses, 0, 1, rows, rows, FREE);
        }
        evaluate(n, 0, rows, width, ld, 1, f->default_param, &x, 1);
        for (ptrdiff_t r = 0; r < rows; r++) {
            same(bits_of(&x.row_losses, 0, r), bits_of(&columns.row_losses, 1, r), r);
            for (ptrdiff_t j = 0; j < width; j++)
                same(bits_of(&x.delta, 0, r * ld + j), bits_of(&columns.delta, 1, j * room + r), r);
        }
        free_array(&columns.out), free_array(&columns.y);
        free_array(&columns.delta), free_array(&columns.row_losses);
        free_loss_arrays(&x);
    }
}

/* Two values for every setting that is known by name, and one that suits any fraction for those to
 * come. */
static double setting(const char *name, size_t length, int variant)
{
    static const struct {
        const char *name;
        double value[2];
    } known[] = {
        {"learning_rate", {0.1, 0.003}}, {"momentum", {0.9, 0}},   {"nesterov", {1, 0}},
        {"beta1", {0.9, 0.5}},           {"beta2", {0.999, 0.99}}, {"epsilon", {1e-8, 1e-3}},
    };
    for (size_t i = 0; i < COUNT(known); i++)
        if (strlen(known[i].name) == length && !memcmp(known[i].name, name, length))
            return known[i].value[variant];
    return 0.25;
}

void compare_optimizers(ptrdiff_t n_panels, int variant, numbers kind)
{
    static const int64_t times[] = {1, 2, 3, 1000, INT64_C(1) << 40};
    const ptrdiff_t n = n_panels * run.lanes;
    for (int o = 0; run.table[0]->optimizers[o].name; o++) {
        const optimizer *f = &run.table[0]->optimizers[o];
        double h[OPTIMIZER_NUMBERS] = {0};
        int settings = 0;
        for (const char *name = f->settings; *name && settings < OPTIMIZER_NUMBERS;
             name += strspn(name, " ")) {
            const size_t length = strcspn(name, " ");
            h[settings++] = setting(name, length, variant);
            name += length;
        }
        array w = new_reals(n), g = new_reals(n), slots[MOST_SLOTS];
        if (f->slots > MOST_SLOTS) exit(2);
        for (int s = 0; s < f->slots; s++) slots[s] = new_reals(n), set_all(&slots[s], 0, 0);
        fill(&w, 1, n, n, kind);
        for (size_t step = 0; step < COUNT(times); step++) {
            CASE("%s, %td parameters, step %lld", f->name, n, (long long)times[step]);
            fill(&g, 1, n, n, kind);
            FOR_EACH_SIDE(side) {
                void *at[MOST_SLOTS];
                for (int s = 0; s < f->slots; s++) at[s] = slots[s].at[side];
                run.table[side]->optimizers[o].step(n, 0, times[step], h, w.at[side], g.at[side],
                                                    at);
            }
            check(&w, 0, 1, n, n, FREE);
            for (int s = 0; s < f->slots; s++) check(&slots[s], 0, 1, n, n, FREE);
        }
        free_array(&w), free_array(&g);
        for (int s = 0; s < f->slots; s++) free_array(&slots[s]);
    }
}

/* All dropped, all kept, and between, the affine map of alpha dropout too; the second half of the
 * rows by itself. */
void compare_dropout(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, numbers kind)
{
    static const uint32_t thresholds[] = {0, 1, UINT32_C(0x80000000), UINT32_C(0xFFFFFFFF)};
    array a = new_reals(rows * ld), out = new_reals(rows * ld), mask = new_reals(rows * ld);
    fill(&a, rows, width, ld, kind);
    for (size_t t = 0; t < COUNT(thresholds); t++) {
        const dropout d = {.key = random_bits(),
                           .purpose = (uint32_t)random_bits(),
                           .step = (uint32_t)random_bits(),
                           .threshold = thresholds[t],
                           .factor = 1.25,
                           .shift = t % 2 ? 0.3 : 0,
                           .fill_value = t % 2 ? -0.7 : 0};
        const ptrdiff_t half = rows / 2;
        CASE("drop below %08lX, %td rows of %td", (unsigned long)thresholds[t], rows, width);
        run.table[0]->drop(5, rows, width, ld, &d, a.at[0], out.at[0], mask.at[0]);
        run.table[1]->drop(5, half, width, ld, &d, a.at[1], out.at[1], mask.at[1]);
        const ptrdiff_t skip = half * ld * a.itemsize;
        run.table[1]->drop(5 + half, rows - half, width, ld, &d, (char *)a.at[1] + skip,
                           (char *)out.at[1] + skip, (char *)mask.at[1] + skip);
        check(&out, 0, rows, width, ld, FREE);
        check(&mask, 0, rows, width, ld, FREE);
        CASE("drop without mask, %td rows of %td", rows, width);
        FOR_EACH_SIDE(side)
            run.table[side]->drop(5, rows, width, ld, &d, a.at[side], out.at[side], 0);
        check(&out, 0, rows, width, ld, FREE);
    }
    free_array(&a), free_array(&out), free_array(&mask);
}

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
#define _POSIX_C_SOURCE 200809L /* the clock in environment.h, which -std=c11 hides */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "environment.h"
#include "kernels.h"

#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
enum { MODES = 1 }; /* slow, and subnormal numbers do not change what is read and written */
#else
enum { MODES = 2 };
#define ASAN_POISON_MEMORY_REGION(from, size) ((void)(from), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(from, size) ((void)(from), (void)(size))
#endif

#define EACH_SIDE for (int side = 0; side < 2; side++)
#define COUNT(list) (sizeof(list) / sizeof *(list))

enum { GUARD = 256, UNTOUCHED = 0xA5, MOST_SLOTS = 8, MOST_SETTINGS = 16 };

/* The two tables that are being compared, and how it goes. */
static struct {
    const kernels *table[2];
    ptrdiff_t lanes;
    uint64_t random;
    int flushing, hashing;
    long comparisons, failures;
    char what[160];
} run;
/* FNV-1a (Fowler, Noll & Vo), a number at a time. */
static uint64_t hash = UINT64_C(0xCBF29CE484222325);

#define CASE(...) snprintf(run.what, sizeof run.what, __VA_ARGS__)

static ptrdiff_t whole_panels(ptrdiff_t width)
{
    return (width + run.lanes - 1) / run.lanes * run.lanes;
}

/* The same buffer for both sides, each between guard zones. */
typedef struct {
    ptrdiff_t itemsize, bytes;
    unsigned char *memory[2];
    void *at[2];
} array;

static void fail(const char *how, ptrdiff_t where)
{
    if (run.failures++ < 5)
        printf("%s %s: %s: %s %td\n", run.table[1]->isa, run.table[1]->dtype, run.what, how, where);
}

/* Side 0 begins on 64 bytes, side 1 any number of elements later: any alignment is allowed. */
static array new_array(ptrdiff_t count, ptrdiff_t itemsize)
{
    static ptrdiff_t turn;
    array x = {.itemsize = itemsize, .bytes = count * itemsize};
    const ptrdiff_t room = x.bytes + 2 * GUARD + 128;
    turn++;
    EACH_SIDE
    {
        x.memory[side] = malloc((size_t)room);
        if (!x.memory[side]) exit(2);
        memset(x.memory[side], UNTOUCHED, (size_t)room);
        unsigned char *data = x.memory[side] + GUARD + 64 - (uintptr_t)x.memory[side] % 64;
        if (side) data += turn * itemsize % 64;
        x.at[side] = data;
        ASAN_POISON_MEMORY_REGION(x.memory[side], (size_t)(data - x.memory[side]));
        ASAN_POISON_MEMORY_REGION(data + x.bytes,
                                  (size_t)(room - x.bytes - (data - x.memory[side])));
    }
    return x;
}

static array new_reals(ptrdiff_t count) { return new_array(count, run.table[0]->itemsize); }

static void free_array(array *x)
{
    const ptrdiff_t room = x->bytes + 2 * GUARD + 128;
    EACH_SIDE
    {
        ASAN_UNPOISON_MEMORY_REGION(x->memory[side], (size_t)room);
        const ptrdiff_t before = (unsigned char *)x->at[side] - x->memory[side];
        for (ptrdiff_t i = 0; i < room; i += i == before - 1 ? x->bytes + 1 : 1)
            if (x->memory[side][i] != UNTOUCHED) {
                fail("writes outside its buffer, at byte", i - before);
                break;
            }
        free(x->memory[side]);
    }
}

/* splitmix64 (Steele, Lea & Flood 2014). */
static uint64_t random_bits(void)
{
    uint64_t x = run.random += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static ptrdiff_t random_below(ptrdiff_t bound) { return (ptrdiff_t)(random_bits() >> 33) % bound; }

/* Where functions, comparisons and roundings change what they do. */
static const float SPECIALS_F32[] = {
    (float)NAN,
    (float)INFINITY,
    -(float)INFINITY,
    0,
    -0.0f,
    1,
    -1,
    0.5f,
    10,
    -9.5f,
    0x1p-24f,
    0x1p23f,
    0x1p-149f,
    -0x1p-149f,
    0x1.fffffcp-127f,
    -0x1.fffffcp-127f,
    0x1p-126f,
    0x1.fffffep127f,
    -0x1.fffffep127f,
    88.72283f,
    89,
    -87.33655f,
    -88.73f,
    -103.97f,
    -104,
    3,
    -3,
    -12.95f,
    -14.2f,
    40,
    0x1p64f,
    -0x1p64f,
};
static const double SPECIALS_F64[] = {
    (double)NAN,
    (double)INFINITY,
    -(double)INFINITY,
    0,
    -0.0,
    1,
    -1,
    0.5,
    20,
    -19.5,
    0x1p-53,
    0x1p52,
    0x1p-1074,
    -0x1p-1074,
    0x1.ffffffffffffep-1023,
    -0x1.ffffffffffffep-1023,
    0x1p-1022,
    0x1.fffffffffffffp1023,
    -0x1.fffffffffffffp1023,
    709.782712893384,
    710,
    -708.3964185322641,
    -709.79,
    -745.13,
    -746,
    3,
    -3,
    -37.52,
    -38.5,
    40,
    0x1p512,
    -0x1p512,
};

typedef enum { PLAIN, SPECIAL, ANY_BITS, TARGETS } numbers;

static void put(array *x, int side, ptrdiff_t i, double value)
{
    if (value != value) value = side ? -(double)NAN : (double)NAN;
    if (x->itemsize == sizeof(double))
        ((double *)x->at[side])[i] = value;
    else
        ((float *)x->at[side])[i] = (float)value;
}

/* Numbers given by their bits, because the processor may be set to read subnormal ones as zero. In
 * that mode zeros take their place: arithmetic then makes none, and a compiler need not keep apart
 * what reads them as zero (x * 1) from what copies them (x). */
static void put_bits(array *x, int side, ptrdiff_t i, uint64_t bits)
{
    if (x->itemsize == sizeof(double)) {
        const uint64_t exponent = UINT64_C(0x7FF0000000000000), sign = UINT64_C(1) << 63;
        if (run.flushing && !(bits & exponent)) bits &= sign;
        if (side && (bits & ~sign) > exponent) bits ^= sign;
        memcpy((char *)x->at[side] + i * 8, &bits, 8);
    } else {
        const uint32_t exponent = UINT32_C(0x7F800000), sign = UINT32_C(1) << 31;
        uint32_t low = (uint32_t)bits;
        if (run.flushing && !(low & exponent)) low &= sign;
        if (side && (low & ~sign) > exponent) low ^= sign;
        memcpy((char *)x->at[side] + i * 4, &low, 4);
    }
}

/* PLAIN: uniform in [-4, 4). SPECIAL: the same, one of four a special. TARGETS: 0, 1 and uniform in
 * [0, 1). */
static void put_random(array *x, ptrdiff_t i, numbers kind)
{
    uint64_t bits = random_bits();
    const int choice = (int)(bits & 3);
    const double unit = (double)(bits >> 11) * 0x1p-53;
    const ptrdiff_t special = random_below(COUNT(SPECIALS_F32));
    EACH_SIDE put(x, side, i, kind != TARGETS ? 8 * unit - 4 : choice < 2 ? choice : unit);
    if (kind == SPECIAL && !choice) {
        uint32_t bits_f32;
        memcpy(&bits_f32, &SPECIALS_F32[special], sizeof bits_f32);
        memcpy(&bits, &SPECIALS_F64[special], sizeof bits);
        EACH_SIDE put_bits(x, side, i, x->itemsize == sizeof(double) ? bits : bits_f32);
    }
    if (kind == ANY_BITS) EACH_SIDE put_bits(x, side, i, bits);
}

/* Rows of `width` numbers, with something else on each side in the lanes up to ld. */
static void fill(array *x, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, numbers kind)
{
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t j = 0; j < ld; j++)
            if (j < width)
                put_random(x, r * ld + j, kind);
            else
                EACH_SIDE put(x, side, r * ld + j,
                              side ? (j % 2 ? 1e30 : -(double)INFINITY) : (double)NAN);
}

static void set_all(array *x, double left, double right)
{
    for (ptrdiff_t i = 0; i < x->bytes / x->itemsize; i++)
        EACH_SIDE put(x, side, i, side ? right : left);
}

/* An element's bits, the same ones for every NaN. */
static uint64_t bits_of(const array *x, int side, ptrdiff_t i)
{
    if (x->itemsize == sizeof(double)) {
        uint64_t bits;
        memcpy(&bits, (const char *)x->at[side] + i * 8, 8);
        return (bits << 1) > UINT64_C(0xFFE0000000000000) ? UINT64_C(0x7FF8000000000000) : bits;
    }
    uint32_t bits;
    memcpy(&bits, (const char *)x->at[side] + i * 4, 4);
    return (uint32_t)(bits << 1) > UINT32_C(0xFF000000) ? UINT32_C(0x7FC00000) : bits;
}

static void same(uint64_t want, uint64_t got, ptrdiff_t i)
{
    run.comparisons++;
    if (want != got) {
        char how[96];
        snprintf(how, sizeof how, "%016llX instead of %016llX at", (unsigned long long)got,
                 (unsigned long long)want);
        fail(how, i);
    }
    if (run.hashing) {
        hash = (hash ^ want) * UINT64_C(0x100000001B3);
        hash ^= hash >> 29;
    }
}

/* What is known of the lanes past a row's width: nothing; zeros up to the end of the panel; never
 * written. */
typedef enum { FREE, ZEROS, KEPT } padding;

/* Rows of `width` results, the first of them element `first`. */
static void check(const array *x, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld,
                  padding rest)
{
    const uint64_t untouched =
        UNTOUCHED * (x->itemsize == 8 ? UINT64_C(0x0101010101010101) : UINT64_C(0x01010101));
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t j = 0; j < ld; j++) {
            const ptrdiff_t i = first + r * ld + j;
            if (j < width)
                same(bits_of(x, 0, i), bits_of(x, 1, i), i);
            else if (rest == ZEROS && j < whole_panels(width))
                EACH_SIDE same(0, bits_of(x, side, i), i);
            else if (rest == KEPT)
                EACH_SIDE same(untouched, bits_of(x, side, i), i);
        }
}

enum { MOST_LISTED = 64 };

/* The strides are those of one layer's forward pass, delta recursion and gradients. */
static void compare_product(ptrdiff_t rows, ptrdiff_t panels, ptrdiff_t depth)
{
    static const char *const uses[] = {"forward",        "backward",           "gradient",
                                       "bias gradient",  "listed forward",     "listed gradient",
                                       "turned forward", "gradient and biases"};
    const ptrdiff_t lanes = run.lanes, columns = panels * lanes;
    /* Half of the cases with a spare panel between the rows, as leading_dimension() gives it to
     * some widths. */
    const ptrdiff_t ld = columns + (rows + panels + depth) % 2 * lanes;
    for (int use = 0; use < 8; use++) {
        const int forward = use == 0 || use == 4, per_sample = forward || use == 1 || use == 6,
                  bias = use == 3;
        if (bias && rows != 1) continue;
        const int add = !forward && use != 6 && random_below(2);
        CASE("product, %s%s, %td rows, %td panels, depth %td", uses[use], add ? ", added" : "",
             rows, panels, depth);
        const ptrdiff_t ld_a = whole_panels(per_sample ? depth : rows) + lanes;
        array a = new_reals(bias ? 1 : (per_sample ? rows : depth) * ld_a);
        array b = new_reals(per_sample ? panels * depth * lanes : depth * ld);
        array start = new_reals(columns), row_start = new_reals(rows),
              c = new_reals(per_sample ? rows * ld : panels * rows * lanes);
        array sums = new_reals(columns);
        if (bias)
            set_all(&a, 1, 1);
        else if (per_sample)
            fill(&a, rows, depth, ld_a, PLAIN);
        else
            fill(&a, depth, rows, ld_a, PLAIN);
        if (per_sample)
            fill(&b, panels * depth, lanes, lanes, PLAIN);
        else
            fill(&b, depth, columns, ld, PLAIN);
        fill(&start, 1, columns, columns, PLAIN);
        fill(&row_start, 1, rows, rows, PLAIN);
        if (add) {
            for (ptrdiff_t i = 0; i < (per_sample ? rows : panels * rows);
                 i++) /* padding stays untouched */
                for (ptrdiff_t j = 0; j < (per_sample ? columns : lanes); j++)
                    put_random(&c, i * (per_sample ? ld : lanes) + j, PLAIN);
            fill(&sums, 1, columns, columns, PLAIN);
        }
        ptrdiff_t list[MOST_LISTED]; /* any rows or columns, some of them more than once */
        for (ptrdiff_t i = 0; i < (forward ? rows : depth); i++)
            list[i] = random_below(forward ? rows : depth);
        EACH_SIDE
        {
            const product p = {
                .rows = rows,
                .panels = panels,
                .depth = depth,
                .a = a.at[side],
                .a_row = bias         ? 0
                         : per_sample ? ld_a
                                      : 1,
                .a_depth = bias         ? 0
                           : per_sample ? 1
                                        : ld_a,
                .a_rows = use == 4 ? list : 0,
                .a_columns = use == 5 ? list : 0,
                .b = b.at[side],
                .b_depth = per_sample ? lanes : ld,
                .b_panel = per_sample ? depth * lanes : lanes,
                .start = forward ? start.at[side] : 0,
                .row_start = use == 6 ? row_start.at[side] : 0,
                .add = add,
                .sums = use == 7 ? sums.at[side] : 0,
                .c = c.at[side],
                .c_row = bias         ? 0
                         : per_sample ? ld
                                      : lanes,
                .c_panel = per_sample || bias ? lanes : rows * lanes,
            };
            run.table[side]->product(&p);
        }
        if (per_sample)
            check(&c, 0, rows, columns, ld, KEPT);
        else
            check(&c, 0, panels * rows, lanes, lanes, KEPT);
        if (use == 7) check(&sums, 0, 1, columns, columns, KEPT);
        free_array(&sums), free_array(&a), free_array(&b), free_array(&start),
            free_array(&row_start), free_array(&c);
    }
}

static void compare_transpose(ptrdiff_t n_in, ptrdiff_t n_out)
{
    const ptrdiff_t lanes = run.lanes;
    CASE("transpose, %td inputs, %td outputs", n_in, n_out);
    array w = new_reals(whole_panels(n_out) * n_in), wt = new_reals(whole_panels(n_in) * n_out);
    set_all(&w, 0, 0);
    for (ptrdiff_t o = 0; o < n_out; o++)
        for (ptrdiff_t i = 0; i < n_in; i++)
            put_random(&w, (o / lanes * n_in + i) * lanes + o % lanes, SPECIAL);
    run.table[0]->transpose(n_in, n_out, 0, n_in, 0, n_out, w.at[0], wt.at[0]);
    for (ptrdiff_t i = 0; i < n_in; i += lanes) /* in rectangles of one panel each way */
        for (ptrdiff_t o = 0; o < n_out; o += lanes)
            run.table[1]->transpose(n_in, n_out, i, n_in - i < lanes ? n_in - i : lanes, o,
                                    n_out - o < lanes ? n_out - o : lanes, w.at[1], wt.at[1]);
    for (ptrdiff_t i = 0; i < n_in; i += lanes)
        check(&wt, i * n_out, n_out, n_in - i < lanes ? n_in - i : lanes, lanes, ZEROS);
    free_array(&w), free_array(&wt);
}

/* Into a buffer with room for whole panels, and into one of just the size. */
static void compare_turn(ptrdiff_t rows, ptrdiff_t width)
{
    const ptrdiff_t ld = whole_panels(rows);
    array x = new_reals(rows * width), roomy = new_reals(whole_panels(width) * ld),
          tight = new_reals(width * rows);
    CASE("turn, %td rows of %td", rows, width);
    fill(&x, rows, width, width, SPECIAL);
    EACH_SIDE run.table[side]->turn(rows, width, width, x.at[side], whole_panels(width), ld,
                                    roomy.at[side]);
    check(&roomy, 0, width, rows, ld, FREE);
    EACH_SIDE run.table[side]->turn(rows, width, width, x.at[side], width, rows, tight.at[side]);
    check(&tight, 0, width, rows, rows, KEPT);
    if (width <= run.lanes) {
        CASE("softmax_across, %td rows of %td", rows, width);
        EACH_SIDE run.table[side]->softmax_across(ld, width, ld, roomy.at[side]);
        check(&roomy, 0, width, rows, ld, FREE);
    }
    free_array(&x), free_array(&roomy), free_array(&tight);
}

static void compare_finite(ptrdiff_t n)
{
    array x = new_reals(n);
    for (ptrdiff_t bad = -1; bad < n; bad++) {
        CASE("finite, %td numbers, no. %td is not", n, bad);
        fill(&x, 1, n, n, PLAIN);
        EACH_SIDE if (bad >= 0)
        {
            const double value = bad % 3 ? bad % 3 == 1 ? INFINITY : -INFINITY : NAN;
            if (run.table[0]->itemsize == 8)
                ((double *)x.at[side])[bad] = value;
            else
                ((float *)x.at[side])[bad] = (float)value;
        }
        EACH_SIDE same((uint64_t)(bad < 0), (uint64_t)run.table[side]->finite(n, x.at[side]), bad);
    }
    free_array(&x);
}

static array new_labels(ptrdiff_t rows, ptrdiff_t classes)
{
    array label = new_array(rows, sizeof(int32_t));
    for (ptrdiff_t r = 0; r < rows; r++) {
        const int32_t l = (int32_t)random_below(classes);
        EACH_SIDE((int32_t *)label.at[side])[r] = l;
    }
    return label;
}

/* Rows with leading dimension ld turned on their side: element j of row r goes to j rows + r. */
static array on_side(const array *x, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld)
{
    array y = new_reals(rows * width);
    EACH_SIDE for (ptrdiff_t r = 0; r < rows; r++) for (ptrdiff_t j = 0; j < width; j++)
        memcpy((char *)y.at[side] + (j * rows + r) * x->itemsize,
               (const char *)x->at[side] + (r * ld + j) * x->itemsize, (size_t)x->itemsize);
    return y;
}

static void compare_metrics(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, numbers kind)
{
    array out = new_reals(rows * ld), y = new_reals(rows * ld),
          sums = new_array(width, sizeof(double));
    array label = new_labels(rows, width == 1 ? 2 : width),
          index = new_array(rows, sizeof(ptrdiff_t));
    uint64_t hits[2];
    fill(&out, rows, width, ld, kind);
    fill(&y, rows, width, ld, TARGETS);
    fill(&sums, 1, width, width, PLAIN);
    CASE("hits, %td rows of %td", rows, width);
    EACH_SIDE hits[side] =
        (uint64_t)run.table[side]->hits(rows, width, ld, 1, out.at[side], 0.5, label.at[side]);
    same(hits[0], hits[1], 0);
    CASE("winners, %td rows of %td", rows, width);
    EACH_SIDE run.table[side]->winners(rows, width, ld, 1, out.at[side], 0.5, index.at[side]);
    check(&index, 0, 1, rows, rows, FREE);
    CASE("matches, %td rows of %td", rows, width);
    EACH_SIDE hits[side] =
        (uint64_t)run.table[side]->matches(rows, width, ld, 1, out.at[side], 0.5, y.at[side], 0.25);
    same(hits[0], hits[1], 0);
    CASE("squared_residuals, %td rows of %td", rows, width);
    EACH_SIDE run.table[side]->squared_residuals(rows, width, ld, 1, out.at[side], y.at[side],
                                                 sums.at[side]);
    check(&sums, 0, 1, width, width, FREE);
    /* The same numbers on their side give the same answers, on all paths. */
    array side_out = on_side(&out, rows, width, ld), side_y = on_side(&y, rows, width, ld);
    CASE("metrics, %td rows of %td on their side", rows, width);
    hits[0] = (uint64_t)run.table[0]->hits(rows, width, ld, 1, out.at[0], 0.5, label.at[0]);
    EACH_SIDE
    {
        const kernels *k = run.table[side];
        same(hits[0],
             (uint64_t)k->hits(rows, width, 1, rows, side_out.at[side], 0.5, label.at[side]), 0);
        same((uint64_t)run.table[0]->matches(rows, width, ld, 1, out.at[0], 0.5, y.at[0], 0.25),
             (uint64_t)k->matches(rows, width, 1, rows, side_out.at[side], 0.5, side_y.at[side],
                                  0.25),
             0);
        k->squared_residuals(rows, width, side ? 1 : ld, side ? rows : 1,
                             side ? side_out.at[1] : out.at[0], side ? side_y.at[1] : y.at[0],
                             sums.at[side]);
    }
    check(&sums, 0, 1, width, width, FREE);
    free_array(&side_out), free_array(&side_y);
    free_array(&out), free_array(&y), free_array(&sums), free_array(&label), free_array(&index);
}

static void compare_activation(int n, double alpha, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld,
                               numbers kind)
{
    const activation *f = &run.table[0]->activations[n];
    array z = new_reals(rows * ld), a = new_reals(rows * ld), delta = new_reals(rows * ld);
    CASE("%s (%g) forward, %td rows of %td", f->name, alpha, rows, width);
    fill(&z, rows, width, ld, kind);
    EACH_SIDE run.table[side]->activations[n].forward(rows, width, ld, alpha, z.at[side],
                                                      a.at[side]);
    check(&a, 0, rows, width, ld, FREE);
    CASE("%s (%g) forward in place, %td rows of %td", f->name, alpha, rows, width);
    EACH_SIDE run.table[side]->activations[n].forward(rows, width, ld, alpha, z.at[side],
                                                      z.at[side]);
    check(&z, 0, rows, width, ld, FREE);

    CASE("%s (%g) backward, %td rows of %td", f->name, alpha, rows, width);
    fill(&a, rows, width, ld, kind);
    fill(&delta, rows, width, ld, kind);
    if (f->needs_z)
        fill(&z, rows, width, ld, kind);
    else
        set_all(&z, (double)NAN, 7);
    EACH_SIDE run.table[side]->activations[n].backward(rows, width, ld, alpha, z.at[side],
                                                       a.at[side], delta.at[side]);
    check(&delta, 0, rows, width, ld, FREE);
    free_array(&z), free_array(&a), free_array(&delta);
}

static void compare_activations(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, numbers kind)
{
    for (int n = 0; run.table[0]->activations[n].name; n++) {
        const activation *f = &run.table[0]->activations[n];
        compare_activation(n, f->standard, rows, width, ld, kind);
        if (!f->parameter) continue;
        compare_activation(n, 0.3, rows, width, ld, kind);
        compare_activation(n, 0, rows, width, ld,
                           kind); /* relu, where 0 times infinity must not spoil it */
    }
}

static void compare_losses(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, numbers kind)
{
    for (int n = 0; run.table[0]->losses[n].name; n++) {
        const loss *f = &run.table[0]->losses[n];
        array out = new_reals(rows * ld), y = new_reals(rows * ld), label = new_labels(rows, width);
        array scale = new_reals(rows), delta = new_reals(rows * ld),
              row_loss = new_reals(whole_panels(rows));
        fill(&out, rows, width, ld, kind);
        fill(&y, rows, width, ld, kind == SPECIAL && rows % 2 ? SPECIAL : TARGETS);
        fill(&scale, 1, rows, rows, PLAIN);
        for (int variant = f->parameter ? 3 : 1; variant >= 0; variant--) {
            const int with_delta = variant & 1;
            const double alpha = variant & 2 ? 0.3 : f->standard;
            CASE("%s (%g) with%s delta, %td rows of %td", f->name, alpha, with_delta ? "" : "out",
                 rows, width);
            EACH_SIDE run.table[side]->losses[n].evaluate(
                rows, width, ld, alpha, out.at[side], f->sparse ? 0 : y.at[side],
                f->sparse ? label.at[side] : 0, scale.at[side], with_delta ? delta.at[side] : 0,
                row_loss.at[side]);
            if (with_delta) check(&delta, 0, rows, width, ld, ZEROS);
            check(&row_loss, 0, 1, rows, rows, FREE);
        }
        free_array(&out), free_array(&y), free_array(&label);
        free_array(&scale), free_array(&delta), free_array(&row_loss);
    }
}

/* Losses of rows on their side: the same on both paths, and the same as of rows as they stand. */
static void compare_losses_across(ptrdiff_t rows, ptrdiff_t width, numbers kind)
{
    const ptrdiff_t across = whole_panels(rows), ld = whole_panels(width);
    for (int n = 0; run.table[0]->losses[n].name; n++) {
        const loss *f = &run.table[0]->losses[n];
        array out = new_reals(across * ld), y = new_reals(across * ld),
              label = new_labels(across, width);
        array scale = new_reals(across), delta = new_reals(width * across),
              row_loss = new_reals(across);
        array standing = new_reals(across * ld), standing_loss = new_reals(across);
        fill(&out, across, width, ld, kind);
        fill(&y, across, width, ld, TARGETS);
        fill(&scale, 1, across, across, PLAIN);
        array side_out = on_side(&out, across, width, ld), side_y = on_side(&y, across, width, ld);
        for (int with_delta = 0; with_delta < 2; with_delta++) {
            CASE("%s with%s delta, %td rows of %td on their side", f->name, with_delta ? "" : "out",
                 rows, width);
            EACH_SIDE run.table[side]->losses[n].across(
                across, width, across, f->standard, side_out.at[side],
                f->sparse ? 0 : side_y.at[side], f->sparse ? label.at[side] : 0, scale.at[side],
                with_delta ? delta.at[side] : 0, row_loss.at[side]);
            if (with_delta) check(&delta, 0, width, across, across, FREE);
            check(&row_loss, 0, 1, across, across, FREE);
        }
        f->evaluate(across, width, ld, f->standard, out.at[0], f->sparse ? 0 : y.at[0],
                    f->sparse ? label.at[0] : 0, scale.at[0], standing.at[0], standing_loss.at[0]);
        for (ptrdiff_t r = 0; r < across; r++) {
            same(bits_of(&standing_loss, 0, r), bits_of(&row_loss, 1, r), r);
            for (ptrdiff_t j = 0; j < width; j++)
                same(bits_of(&standing, 0, r * ld + j), bits_of(&delta, 1, j * across + r), r);
        }
        free_array(&out), free_array(&y), free_array(&label), free_array(&scale),
            free_array(&delta), free_array(&row_loss);
        free_array(&standing), free_array(&standing_loss), free_array(&side_out),
            free_array(&side_y);
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

static void compare_optimizers(ptrdiff_t n_panels, int variant, numbers kind)
{
    static const int64_t times[] = {1, 2, 3, 1000, INT64_C(1) << 40};
    const ptrdiff_t n = n_panels * run.lanes;
    for (int o = 0; run.table[0]->optimizers[o].name; o++) {
        const optimizer *f = &run.table[0]->optimizers[o];
        double h[MOST_SETTINGS] = {0};
        int settings = 0;
        for (const char *name = f->settings; *name && settings < MOST_SETTINGS;
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
            EACH_SIDE
            {
                void *at[MOST_SLOTS];
                for (int s = 0; s < f->slots; s++) at[s] = slots[s].at[side];
                run.table[side]->optimizers[o].step(n, times[step], h, w.at[side], g.at[side], at);
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
static void compare_dropout(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, numbers kind)
{
    static const uint32_t thresholds[] = {0, 1, UINT32_C(0x80000000), UINT32_C(0xFFFFFFFF)};
    array a = new_reals(rows * ld), out = new_reals(rows * ld), slope = new_reals(rows * ld);
    fill(&a, rows, width, ld, kind);
    for (size_t t = 0; t < COUNT(thresholds); t++) {
        const dropout d = {.key = random_bits(),
                           .purpose = (uint32_t)random_bits(),
                           .step = (uint32_t)random_bits(),
                           .threshold = thresholds[t],
                           .factor = 1.25,
                           .shift = t % 2 ? 0.3 : 0,
                           .gone = t % 2 ? -0.7 : 0};
        const ptrdiff_t half = rows / 2;
        CASE("drop below %08lX, %td rows of %td", (unsigned long)thresholds[t], rows, width);
        run.table[0]->drop(5, rows, width, ld, &d, a.at[0], out.at[0], slope.at[0]);
        run.table[1]->drop(5, half, width, ld, &d, a.at[1], out.at[1], slope.at[1]);
        const ptrdiff_t skip = half * ld * a.itemsize;
        run.table[1]->drop(5 + half, rows - half, width, ld, &d, (char *)a.at[1] + skip,
                           (char *)out.at[1] + skip, (char *)slope.at[1] + skip);
        check(&out, 0, rows, width, ld, FREE);
        check(&slope, 0, rows, width, ld, FREE);
        CASE("drop without slope, %td rows of %td", rows, width);
        EACH_SIDE run.table[side]->drop(5, rows, width, ld, &d, a.at[side], out.at[side], 0);
        check(&out, 0, rows, width, ld, FREE);
    }
    free_array(&a), free_array(&out), free_array(&slope);
}

static void compare_draws(void)
{
    array out = new_array(32, sizeof(uint32_t));
    for (int i = 0; i < 20; i++) {
        const uint64_t key = random_bits(),
                       index = (i % 2 ? random_bits() : random_bits() >> 40) / 8 * 8;
        const uint32_t purpose = (uint32_t)random_bits(), a = (uint32_t)random_bits();
        CASE("draw");
        EACH_SIDE run.table[side]->draw(key, purpose, a, index, out.at[side]);
        for (int w = 0; w < 32; w++)
            same(((uint32_t *)out.at[0])[w], ((uint32_t *)out.at[1])[w], w);
    }
    free_array(&out);
}

static void same_numbers(double want, double got)
{
    uint64_t bits[2] = {0};
    if (want == want) memcpy(&bits[0], &want, 8);
    if (got == got) memcpy(&bits[1], &got, 8);
    same(bits[0], bits[1], 0);
}

static void compare_vectors(ptrdiff_t n_panels, numbers kind)
{
    const ptrdiff_t n = n_panels * run.lanes;
    array x = new_reals(n), y = new_reals(n);
    double sum[2];
    fill(&x, 1, n, n, kind);
    fill(&y, 1, n, n, kind);
    CASE("dot of %td numbers", n);
    EACH_SIDE sum[side] = run.table[side]->dot(n, x.at[side], y.at[side]);
    same_numbers(sum[0], sum[1]);
    CASE("penalize %td weights", n);
    EACH_SIDE sum[side] = run.table[side]->penalize(n, 0.1, 0.3, x.at[side], y.at[side]);
    same_numbers(sum[0], sum[1]);
    check(&y, 0, 1, n, n, FREE);
    CASE("add_scaled, %td numbers", n);
    EACH_SIDE run.table[side]->add_scaled(n, -0.3, x.at[side], y.at[side]);
    check(&y, 0, 1, n, n, FREE);
    CASE("multiply %td numbers", n);
    EACH_SIDE run.table[side]->multiply(n, x.at[side], y.at[side]);
    check(&y, 0, 1, n, n, FREE);
    CASE("scale %td numbers", n);
    EACH_SIDE run.table[side]->scale(n, 0.7, y.at[side]);
    check(&y, 0, 1, n, n, FREE);
    for (ptrdiff_t n_in = 1; n_in <= n_panels; n_in *= 3) {
        if (n_panels % n_in) continue;
        CASE("limit_rows, %td inputs, %td panels", n_in, n_panels / n_in);
        EACH_SIDE run.table[side]->limit_rows(n_in, n_panels / n_in, 1.5, x.at[side]);
        check(&x, 0, 1, n, n, FREE);
    }
    free_array(&x), free_array(&y);
}

static void compare_functions(ptrdiff_t n_panels, numbers kind)
{
    const ptrdiff_t n = n_panels * run.lanes;
    for (int f = 0; run.table[0]->functions[f].name; f++) {
        array x = new_reals(n), y = new_reals(n);
        CASE("%s of %td numbers", run.table[0]->functions[f].name, n);
        fill(&x, 1, n, n, kind);
        EACH_SIDE run.table[side]->functions[f].map(n, x.at[side], y.at[side]);
        check(&y, 0, 1, n, n, FREE);
        free_array(&x), free_array(&y);
    }
}

/* How many chains overlap, and so the result, is each instruction set's own; what it must do is
 * count. */
static void check_peak(void)
{
    array sink = new_reals(1);
    CASE("peak");
    EACH_SIDE
    {
        const double one = run.table[side]->peak(1, sink.at[side]),
                     seven = run.table[side]->peak(7, sink.at[side]);
        run.comparisons++;
        if (one <= 0 || seven != 7 * one)
            fail("counts other operations for 7 rounds than 7 times those of", 1);
    }
    free_array(&sink);
}

static void compare_tables(void)
{
    static const ptrdiff_t depths[] = {0, 1, 2, 7, 33},
                           many_panels[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 500};
    const ptrdiff_t lanes = run.lanes;
    const ptrdiff_t widths[] = {1, 2, lanes - 1, lanes, lanes + 1, 2 * lanes, 5 * lanes - 1};
    const ptrdiff_t samples[] = {0, 1, lanes - 1, lanes, lanes + 1, 2 * lanes + 3};
    for (ptrdiff_t n = 0; n < 5 * lanes; n++) compare_finite(n);
    for (size_t s = 1; s < COUNT(samples); s++)
        for (size_t w = 0; w < COUNT(widths); w++) compare_turn(samples[s], widths[w]);
    for (ptrdiff_t rows = 0; rows <= 48; rows += rows < 13 ? 1 : 35)
        for (ptrdiff_t panels = 1; panels <= 9; panels++)
            for (size_t d = 0; d < COUNT(depths); d++) compare_product(rows, panels, depths[d]);
    for (size_t i = 0; i < COUNT(widths); i++)
        for (size_t o = 0; o < COUNT(widths); o++) compare_transpose(widths[i], widths[o]);
    for (numbers kind = PLAIN; kind <= ANY_BITS; kind++) {
        for (size_t w = 0; w < COUNT(widths); w++)
            for (size_t r = 0; r < COUNT(samples); r++) {
                const ptrdiff_t rows = samples[r], width = widths[w];
                const ptrdiff_t ld = whole_panels(width) + (ptrdiff_t)(r + w) % 2 * lanes;
                compare_metrics(rows, width, ld, kind);
                compare_activations(rows, width, ld, kind);
                compare_losses(rows, width, ld, kind);
                if (width <= run.lanes) compare_losses_across(rows, width, kind);
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
            /* Training treats subnormal numbers as zero, prediction does not. Where exactly a
             * result counts as subnormal differs between processors (after or before rounding), so
             * the hash leaves that mode out. */
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
    printf("hash %016llx\n", (unsigned long long)hash);
    return failures != 0;
}

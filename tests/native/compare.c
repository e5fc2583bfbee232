/* Buffers, numbers and checks of compare_paths; compare.h says what each does. */
#include "compare.h"

#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(from, size) ((void)(from), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(from, size) ((void)(from), (void)(size))
#endif

enum { GUARD = 256, UNTOUCHED = 0xA5 };

/* The hash is FNV-1a (Fowler, Noll & Vo), a number at a time. */
comparison run = {.hash = UINT64_C(0xCBF29CE484222325)};

ptrdiff_t whole_panels(ptrdiff_t width) { return (width + run.lanes - 1) / run.lanes * run.lanes; }

void fail(const char *how, ptrdiff_t where)
{
    if (run.failures++ < 5)
        printf("%s %s: %s: %s %td\n", run.table[1]->isa, run.table[1]->dtype, run.what, how, where);
}

/* Side 0 begins on 64 bytes, side 1 any number of elements later: any alignment is allowed. */
array new_array(ptrdiff_t count, ptrdiff_t itemsize)
{
    static ptrdiff_t count_of_arrays;
    array x = {.itemsize = itemsize, .bytes = count * itemsize};
    const ptrdiff_t room = x.bytes + 2 * GUARD + 128;
    count_of_arrays++;
    FOR_EACH_SIDE(side) {
        x.memory[side] = malloc((size_t)room);
        if (!x.memory[side]) exit(2);
        memset(x.memory[side], UNTOUCHED, (size_t)room);
        unsigned char *data = x.memory[side] + GUARD + 64 - (uintptr_t)x.memory[side] % 64;
        if (side) data += count_of_arrays * itemsize % 64;
        x.at[side] = data;
        ASAN_POISON_MEMORY_REGION(x.memory[side], (size_t)(data - x.memory[side]));
        ASAN_POISON_MEMORY_REGION(data + x.bytes,
                                  (size_t)(room - x.bytes - (data - x.memory[side])));
    }
    return x;
}

array new_reals(ptrdiff_t count) { return new_array(count, run.table[0]->itemsize); }

void free_array(array *x)
{
    const ptrdiff_t room = x->bytes + 2 * GUARD + 128;
    FOR_EACH_SIDE(side) {
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
uint64_t random_bits(void)
{
    uint64_t x = run.random += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

ptrdiff_t random_below(ptrdiff_t bound) { return (ptrdiff_t)(random_bits() >> 33) % bound; }

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

void put(array *x, int side, ptrdiff_t i, double value)
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

void put_random(array *x, ptrdiff_t i, numbers kind)
{
    uint64_t bits = random_bits();
    const int choice = (int)(bits & 3);
    const double unit = (double)(bits >> 11) * 0x1p-53;
    const ptrdiff_t special = random_below(COUNT(SPECIALS_F32));
    FOR_EACH_SIDE(side)
        put(x, side, i, kind != TARGETS ? 8 * unit - 4 : choice < 2 ? choice : unit);
    if (kind == SPECIAL && !choice) {
        uint32_t bits_f32;
        memcpy(&bits_f32, &SPECIALS_F32[special], sizeof bits_f32);
        memcpy(&bits, &SPECIALS_F64[special], sizeof bits);
        FOR_EACH_SIDE(side) put_bits(x, side, i, x->itemsize == sizeof(double) ? bits : bits_f32);
    }
    if (kind == ANY_BITS)
        FOR_EACH_SIDE(side) put_bits(x, side, i, bits);
}

void fill(array *x, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, numbers kind)
{
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t j = 0; j < ld; j++)
            if (j < width)
                put_random(x, r * ld + j, kind);
            else
                FOR_EACH_SIDE(side)
                    put(x, side, r * ld + j,
                        side ? (j % 2 ? 1e30 : -(double)INFINITY) : (double)NAN);
}

void set_all(array *x, double left, double right)
{
    for (ptrdiff_t i = 0; i < x->bytes / x->itemsize; i++)
        FOR_EACH_SIDE(side) put(x, side, i, side ? right : left);
}

uint64_t bits_of(const array *x, int side, ptrdiff_t i)
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

void same(uint64_t want, uint64_t got, ptrdiff_t i)
{
    run.comparisons++;
    if (want != got) {
        char how[96];
        snprintf(how, sizeof how, "%016llX instead of %016llX at", (unsigned long long)got,
                 (unsigned long long)want);
        fail(how, i);
    }
    if (run.hashing) {
        run.hash = (run.hash ^ want) * UINT64_C(0x100000001B3);
        run.hash ^= run.hash >> 29;
    }
}

void check(const array *x, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld,
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
                FOR_EACH_SIDE(side) same(0, bits_of(x, side, i), i);
            else if (rest == KEPT)
                FOR_EACH_SIDE(side) same(untouched, bits_of(x, side, i), i);
        }
}

array new_labels(ptrdiff_t rows, ptrdiff_t classes)
{
    array label = new_array(rows, sizeof(int32_t));
    for (ptrdiff_t r = 0; r < rows; r++) {
        const int32_t l = (int32_t)random_below(classes);
        FOR_EACH_SIDE(side) ((int32_t *)label.at[side])[r] = l;
    }
    return label;
}

array transposed(const array *x, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld,
                 ptrdiff_t col_stride)
{
    array y = new_reals(col_stride * width);
    set_all(&y, (double)NAN, -(double)INFINITY);
    FOR_EACH_SIDE(side)
        for (ptrdiff_t r = 0; r < rows; r++)
            for (ptrdiff_t j = 0; j < width; j++)
                memcpy((char *)y.at[side] + (j * col_stride + r) * x->itemsize,
                       (const char *)x->at[side] + (r * ld + j) * x->itemsize, (size_t)x->itemsize);
    return y;
}

void same_numbers(double want, double got)
{
    uint64_t bits[2] = {0};
    if (want == want) memcpy(&bits[0], &want, 8);
    if (got == got) memcpy(&bits[1], &got, 8);
    same(bits[0], bits[1], 0);
}

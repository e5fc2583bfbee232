/* Nets of one shape side by side, one in each lane: what would be a number of one net is a vector
 * here. Each lane has the chains, and so the bits, of its net alone. Matrices have columns `ld`
 * apart, and in a column the rows, each of a vector: seen as rows x LANES rows the transposed
 * layout, which activations and losses take. */

enum { LANES_ROWS = 4, LANES_COLUMNS = 3 }; /* of a tile: 12 chains, which 16 registers hold */

static const real LANES_ZERO[LANES];

/* What the chains of C begin with. */
typedef struct {
    const real *at;
    ptrdiff_t row_stride, column_stride;
} lanes_start;

/* A tile of C; both sizes are constants where this is inlined. */
static ALWAYS_INLINE void lanes_tile(const int rows, const int columns, const lanes_product_args *p,
                                     const real *a, const real *b, lanes_start start, real *c)
{
    V acc[LANES_ROWS][LANES_COLUMNS], x[LANES_COLUMNS];
    const ptrdiff_t c_column = p->c_column_stride, s_column = start.column_stride,
                    a_row = p->a_row_stride, b_column = p->b_column_stride,
                    a_depth = p->a_depth_stride, b_depth = p->b_depth_stride;
    const real *at = start.at;
    UNROLL
    for (int j = 0; j < columns; j++) {
        const real *row = at;
        UNROLL
        for (int i = 0; i < rows; i++) {
            acc[i][j] = LOAD(row);
            row += start.row_stride;
        }
        at += s_column;
    }
    for (ptrdiff_t k = p->depth; k > 0; k--) {
        UNROLL
        for (int j = 0; j < columns; j++) x[j] = LOAD(b + j * b_column);
        UNROLL
        for (int i = 0; i < rows; i++) {
            const V s = LOAD(a + i * a_row);
            UNROLL
            for (int j = 0; j < columns; j++) acc[i][j] = FMA(s, x[j], acc[i][j]);
        }
        a += a_depth;
        b += b_depth;
    }
    UNROLL
    for (int j = 0; j < columns; j++) {
        UNROLL
        for (int i = 0; i < rows; i++) STORE(c + i * LANES, acc[i][j]);
        c += c_column;
    }
}

/* Of `left` columns, or rows, those of the next tile: no single one is left where that costs no
 * tile. */
static ALWAYS_INLINE int tile_columns(ptrdiff_t left)
{
    return left == 4 ? 2 : left > LANES_COLUMNS ? LANES_COLUMNS : (int)left;
}

static ALWAYS_INLINE int tile_rows(ptrdiff_t left)
{
    return left == 5 || left == 6 ? 3 : left > LANES_ROWS ? LANES_ROWS : (int)left;
}

/* Some rows of C, tile by tile. */
static ALWAYS_INLINE void lanes_band(const int rows, const lanes_product_args *p, const real *a,
                                     const real *b, lanes_start start, real *c)
{
    for (ptrdiff_t left = p->columns; left > 0;) {
        const int columns = tile_columns(left);
        if (columns == 3)
            lanes_tile(rows, 3, p, a, b, start, c);
        else if (columns == 2)
            lanes_tile(rows, 2, p, a, b, start, c);
        else
            lanes_tile(rows, 1, p, a, b, start, c);
        left -= columns;
        b += columns * p->b_column_stride;
        start.at += columns * start.column_stride;
        c += columns * p->c_column_stride;
    }
}

static void lanes_product_kernel(const lanes_product_args *args)
{
    const lanes_product_args copy = *args, *p = &copy; /* which no store can change */
    const real *a = p->a, *b = p->b;
    real *c = p->c;
    lanes_start start = {LANES_ZERO, 0, 0};
    if (p->bias)
        start = (lanes_start){p->bias, 0, p->b_column_stride};
    else if (p->accumulate)
        start = (lanes_start){c, LANES, p->c_column_stride};
    for (ptrdiff_t left = p->rows; left > 0;) {
        const int rows = tile_rows(left);
        if (rows == 4)
            lanes_band(4, p, a, b, start, c);
        else if (rows == 3)
            lanes_band(3, p, a, b, start, c);
        else if (rows == 2)
            lanes_band(2, p, a, b, start, c);
        else
            lanes_band(1, p, a, b, start, c);
        left -= rows;
        a += rows * p->a_row_stride;
        start.at += rows * start.row_stride;
        c += rows * LANES;
    }
}

/* Blocks of LANES rows by LANES columns are transposed; what is left goes number by number. */
static void gather_transposed_kernel(ptrdiff_t rows, ptrdiff_t width, const void *const *row,
                                     ptrdiff_t ld, void *y_)
{
    const ptrdiff_t whole = LANES > 1 ? width - width % LANES : 0;
    real *y = y_, block[LANES * LANES];
    for (ptrdiff_t first = 0; first < rows; first += LANES) {
        for (ptrdiff_t j = 0; j < whole; j += LANES) {
            real *target = y + j * ld + first;
            for (int i = 0; i < LANES; i++)
                STORE(block + i * LANES, LOAD((const real *)row[first + i] + j));
            TRANSPOSE(block, LANES, target, ld);
        }
        for (int i = 0; i < LANES; i++)
            for (ptrdiff_t j = whole; j < width; j++)
                y[j * ld + first + i] = ((const real *)row[first + i])[j];
    }
}

static void lanes_correct_kernel(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *out,
                                 double threshold, const int32_t *label, ptrdiff_t *correct)
{
    for (ptrdiff_t r = 0; r < rows * LANES; r += LANES) {
        real class[LANES];
        STORE(class, argmax_in_lanes(width, (const real *)out + r, ld, (real)threshold));
        for (int i = 0; i < LANES; i++) correct[i] += (int32_t)class[i] == label[r + i];
    }
}

static void lanes_residuals_kernel(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t ld, const void *out_,
                                   const void *y_, double *sums)
{
    const real *out = out_, *y = y_;
    double sum[LANES];
    for (ptrdiff_t j = 0; j < width; j++, sums += LANES) {
        for (int i = 0; i < LANES; i++) sum[i] = sums[i];
        for (ptrdiff_t r = j * ld; r < j * ld + rows * LANES; r += LANES)
            for (int i = 0; i < LANES; i++) {
                const double e = (double)out[r + i] - (double)y[r + i];
                sum[i] += e * e;
            }
        for (int i = 0; i < LANES; i++) sums[i] = sum[i];
    }
}

static void lanes_losses_kernel(ptrdiff_t rows, const void *losses_, const void *weights_,
                                double *totals)
{
    const real *losses = losses_, *weights = weights_;
    double total[LANES];
    for (int i = 0; i < LANES; i++) total[i] = totals[i];
    for (ptrdiff_t r = 0; r < rows * LANES; r += LANES) {
        if (weights)
            for (int i = 0; i < LANES; i++)
                total[i] += (double)weights[r + i] * (double)losses[r + i];
        else
            for (int i = 0; i < LANES; i++) total[i] += (double)losses[r + i];
    }
    for (int i = 0; i < LANES; i++) totals[i] = total[i];
}

/* The nets' numbers times a factor, rounded. */
static ONE_COPY void lanes_of(const double *numbers, double factor, real *x)
{
    for (int i = 0; i < LANES; i++) x[i] = (real)(numbers[i] * factor);
}

/* A net without a penalty keeps its gradient: it need not be finite, and zeros have signs. */
static void lanes_penalty_kernel(const lanes_penalty_args *p)
{
    V sums[PANEL_LANES];
    real sum[LANES], penalizes[LANES], numbers[3][LANES];
    lanes_of(p->l1, 1, numbers[0]);
    lanes_of(p->l2, 1, numbers[1]);
    lanes_of(p->l2, 0.5, numbers[2]);
    const V l1 = LOAD(numbers[0]), l2 = LOAD(numbers[1]), half = LOAD(numbers[2]);
    for (int i = 0; i < LANES; i++) penalizes[i] = p->l1[i] != 0 || p->l2[i] != 0;
    const M wanted = LT(ZERO, LOAD(penalizes));
    sums[0] = ZERO;
    for (ptrdiff_t o = 0; o < p->outputs; o++) {
        const real *w = (const real *)p->w + o * p->output_stride;
        real *g = (real *)p->g + o * p->output_stride;
        sums[o] = ZERO;
        for (ptrdiff_t i = 0; i < p->inputs * LANES; i += LANES) {
            sums[o] = penalty_sum(sums[o], LOAD(w + i), l1, half);
            STORE(g + i, SELECT(wanted, penalized(LOAD(g + i), LOAD(w + i), l1, l2), LOAD(g + i)));
        }
    }
    STORE(sum, tree_sum(p->outputs, sums));
    for (int i = 0; i < LANES; i++)
        if (penalizes[i] != 0) p->penalty[i] += (double)sum[i];
}

/* squares[j] is the part of lane j of the panels that a vector of parameters consists of. */
static void lanes_squares_kernel(ptrdiff_t outputs, ptrdiff_t inputs, ptrdiff_t output_stride,
                                 const void *g_, void *squares)
{
    for (ptrdiff_t o = 0; o < outputs; o++) {
        const real *g = (const real *)g_ + o * output_stride;
        real *part = (real *)squares + o % PANEL_LANES * LANES;
        V sum = LOAD(part);
        for (ptrdiff_t i = 0; i < inputs * LANES; i += LANES)
            sum = FMA(LOAD(g + i), LOAD(g + i), sum);
        STORE(part, sum);
    }
}

static void lanes_sum_kernel(const void *parts, double *sums)
{
    V x[PANEL_LANES];
    real sum[LANES];
    for (int j = 0; j < PANEL_LANES; j++) x[j] = LOAD((const real *)parts + j * LANES);
    STORE(sum, tree_sum(PANEL_LANES, x));
    for (int i = 0; i < LANES; i++) sums[i] = (double)sum[i];
}

static void lanes_scale_kernel(ptrdiff_t n, const double *factors, void *x_)
{
    real *x = x_, factor[LANES];
    lanes_of(factors, 1, factor);
    const V f = LOAD(factor);
    for (ptrdiff_t i = 0; i < n * LANES; i += LANES) STORE(x + i, MUL(LOAD(x + i), f));
}

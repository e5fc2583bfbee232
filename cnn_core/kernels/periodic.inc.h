/* Trained periodic embeddings of numbers: Gorishniy, Rubachev & Babenko 2022, arXiv 2203.05556,
 * with a phase in the cosine and a linear map behind it: Holzmueller, Grinsztajn & Steinwart 2024,
 * arXiv 2407.04491. A number x becomes, for k = 1 .. K and j = 1 .. J,
 *
 *     h_k = cos(2 pi u_k)     u_k = w_k x + c_k / (2 pi)          e_j = d_j + sum_k V_jk h_k
 *
 * and sends back, with delta_j = dC/de_j and g_k = -sin(2 pi u_k) sum_j V_jk delta_j,
 *
 *     dC/dd_j = delta_j     dC/dV_jk = delta_j h_k     dC/dc_k = g_k     dC/dw_k = 2 pi x g_k
 *     dC/dx = sum_k 2 pi w_k g_k
 *
 * The lanes are columns, a panel of them: for each k vectors w_k, c_k, V_1k .. V_Jk, then d_1 ..
 * d_J.
 */

/* The numbers of a row's columns, a lane each; the lanes past the last are left as they are. */
static ALWAYS_INLINE void take_numbers(const periodic *p, const real *row, real *x)
{
    for (ptrdiff_t i = 0; i < p->n; i++) x[i] = row[p->column[i]];
}

/* The same of dC/de: delta[j] in the panel's lanes for each of the numbers of e. */
static ALWAYS_INLINE void take_errors(const periodic *p, const real *row, real *delta)
{
    for (ptrdiff_t i = 0; i < p->n; i++)
        for (ptrdiff_t j = 0; j < p->width; j++) delta[j * PANEL_LANES + i] = *row++;
}

static ALWAYS_INLINE V turn_at(const real *w, ptrdiff_t stride, V x)
{
    return turn_of(FMA(LOAD(w), x, MUL(LOAD(w + stride), SET1((real)0.15915494309189535))));
}

/* The e of the columns of one vector, whose parameters stand `stride` apart. */
static ALWAYS_INLINE void embed_vector(ptrdiff_t frequencies, ptrdiff_t width, ptrdiff_t stride,
                                       const real *w, V x, V *e)
{
    const real *d = w + frequencies * (2 + width) * stride;
    for (ptrdiff_t j = 0; j < width; j++) e[j] = LOAD(d + j * stride);
    for (ptrdiff_t k = 0; k < frequencies; k++, w += (2 + width) * stride) {
        const V h = cos_of_turn(turn_at(w, stride, x));
        for (ptrdiff_t j = 0; j < width; j++) e[j] = FMA(LOAD(w + (2 + j) * stride), h, e[j]);
    }
}

static void embed_kernel(const periodic *p, ptrdiff_t rows, ptrdiff_t x_stride, const void *x_,
                         ptrdiff_t e_stride, void *e_)
{
    real x[PANEL_LANES] = {0}, e[MOST_PERIODIC_WIDTH * PANEL_LANES]; /* 0 past the last column */
    for (ptrdiff_t r = 0; r < rows; r++) {
        real *out = (real *)e_ + r * e_stride;
        take_numbers(p, (const real *)x_ + r * x_stride, x);
        for (ptrdiff_t v = 0; v < p->n; v += LANES) {
            V sum[MOST_PERIODIC_WIDTH];
            embed_vector(p->frequencies, p->width, PANEL_LANES, (const real *)p->parameters + v,
                         LOAD(x + v), sum);
            for (ptrdiff_t j = 0; j < p->width; j++) STORE(e + j * PANEL_LANES + v, sum[j]);
        }
        for (ptrdiff_t i = 0; i < p->n; i++)
            for (ptrdiff_t j = 0; j < p->width; j++) *out++ = e[j * PANEL_LANES + i];
    }
}

static void embed_gradient_kernel(const periodic *p, ptrdiff_t rows, ptrdiff_t first, ptrdiff_t end,
                                  ptrdiff_t x_stride, const void *x_, ptrdiff_t delta_stride,
                                  const void *delta_, void *g_)
{
    const ptrdiff_t step = (2 + p->width) * PANEL_LANES;
    const int whole = end == p->frequencies;
    real x[PANEL_LANES] = {0}, delta[MOST_PERIODIC_WIDTH * PANEL_LANES] = {0};
    for (ptrdiff_t r = 0; r < rows; r++) {
        take_numbers(p, (const real *)x_ + r * x_stride, x);
        take_errors(p, (const real *)delta_ + r * delta_stride, delta);
        for (ptrdiff_t v = 0; v < p->n; v += LANES) {
            const real *w = (const real *)p->parameters + first * step + v, *back = delta + v;
            real *g = (real *)g_ + first * step + v;
            for (ptrdiff_t k = first; k < end; k++, w += step, g += step) {
                const V xs = LOAD(x + v), turn = turn_at(w, PANEL_LANES, xs), h = cos_of_turn(turn);
                V sum = ZERO;
                for (ptrdiff_t j = 0; j < p->width; j++) {
                    const ptrdiff_t at = (2 + j) * PANEL_LANES;
                    const V one = LOAD(back + j * PANEL_LANES);
                    sum = FMA(LOAD(w + at), one, sum);
                    STORE(g + at, FMA(one, h, LOAD(g + at)));
                }
                sum = MUL(negative(sin_of_turn(turn)), sum);
                STORE(g, FMA(MUL(xs, SET1((real)6.283185307179586)), sum, LOAD(g)));
                STORE(g + PANEL_LANES, ADD(LOAD(g + PANEL_LANES), sum));
            }
            for (ptrdiff_t j = 0; j < (whole ? p->width : 0); j++, g += PANEL_LANES)
                STORE(g, ADD(LOAD(g), LOAD(back + j * PANEL_LANES)));
        }
    }
}

static void embed_back_kernel(const periodic *p, ptrdiff_t rows, ptrdiff_t x_stride, const void *x_,
                              ptrdiff_t delta_stride, const void *delta_, ptrdiff_t dx_stride,
                              void *dx_)
{
    const ptrdiff_t step = (2 + p->width) * PANEL_LANES;
    real x[PANEL_LANES] = {0}, delta[MOST_PERIODIC_WIDTH * PANEL_LANES] = {0}, sums[PANEL_LANES];
    for (ptrdiff_t r = 0; r < rows; r++) {
        take_numbers(p, (const real *)x_ + r * x_stride, x);
        take_errors(p, (const real *)delta_ + r * delta_stride, delta);
        for (ptrdiff_t v = 0; v < p->n; v += LANES) {
            const real *w = (const real *)p->parameters + v;
            V total = ZERO;
            for (ptrdiff_t k = 0; k < p->frequencies; k++, w += step) {
                V sum = ZERO;
                for (ptrdiff_t j = 0; j < p->width; j++)
                    sum = FMA(LOAD(w + (2 + j) * PANEL_LANES), LOAD(delta + j * PANEL_LANES + v),
                              sum);
                sum = MUL(negative(sin_of_turn(turn_at(w, PANEL_LANES, LOAD(x + v)))), sum);
                total = FMA(MUL(LOAD(w), SET1((real)6.283185307179586)), sum, total);
            }
            STORE(sums + v, total);
        }
        for (ptrdiff_t i = 0; i < p->n; i++) ((real *)dx_)[r * dx_stride + p->column[i]] += sums[i];
    }
}

/* Along a direction, in which the parameters change by r_w, r_c, r_V and r_d (`v`), u_k changes by
 * r_u_k = 2 pi r_w_k x + r_c_k, h_k by -sin(2 pi u_k) r_u_k, and the sine by cos(2 pi u_k) r_u_k.
 */
static ALWAYS_INLINE V angle_along(const real *r_w, V x)
{
    return FMA(MUL(LOAD(r_w), SET1((real)6.283185307179586)), x, LOAD(r_w + PANEL_LANES));
}

static void embed_along_kernel(const periodic *p, const periodic *v, ptrdiff_t rows,
                               ptrdiff_t x_stride, const void *x_, ptrdiff_t e_stride, void *r_e)
{
    const ptrdiff_t step = (2 + p->width) * PANEL_LANES;
    real x[PANEL_LANES] = {0}, e[MOST_PERIODIC_WIDTH * PANEL_LANES];
    for (ptrdiff_t r = 0; r < rows; r++) {
        real *out = (real *)r_e + r * e_stride;
        take_numbers(p, (const real *)x_ + r * x_stride, x);
        for (ptrdiff_t i = 0; i < p->n; i += LANES) {
            const real *w = (const real *)p->parameters + i, *r_w = (const real *)v->parameters + i,
                       *r_d = r_w + p->frequencies * step;
            V sum[MOST_PERIODIC_WIDTH];
            for (ptrdiff_t j = 0; j < p->width; j++) sum[j] = LOAD(r_d + j * PANEL_LANES);
            for (ptrdiff_t k = 0; k < p->frequencies; k++, w += step, r_w += step) {
                const V xs = LOAD(x + i), turn = turn_at(w, PANEL_LANES, xs), h = cos_of_turn(turn);
                const V r_h = MUL(negative(sin_of_turn(turn)), angle_along(r_w, xs));
                for (ptrdiff_t j = 0; j < p->width; j++) {
                    const ptrdiff_t at = (2 + j) * PANEL_LANES;
                    sum[j] = FMA(LOAD(r_w + at), h, sum[j]);
                    sum[j] = FMA(LOAD(w + at), r_h, sum[j]);
                }
            }
            for (ptrdiff_t j = 0; j < p->width; j++) STORE(e + j * PANEL_LANES + i, sum[j]);
        }
        for (ptrdiff_t i = 0; i < p->n; i++)
            for (ptrdiff_t j = 0; j < p->width; j++) *out++ = e[j * PANEL_LANES + i];
    }
}

static void embed_gradient_along_kernel(const periodic *p, const periodic *v, ptrdiff_t rows,
                                        ptrdiff_t first, ptrdiff_t end, ptrdiff_t x_stride,
                                        const void *x_, ptrdiff_t delta_stride, const void *delta_,
                                        const void *r_delta_, void *r_g)
{
    const ptrdiff_t step = (2 + p->width) * PANEL_LANES;
    const int whole = end == p->frequencies;
    real x[PANEL_LANES] = {0}, delta[MOST_PERIODIC_WIDTH * PANEL_LANES] = {0},
         r_delta[MOST_PERIODIC_WIDTH * PANEL_LANES] = {0};
    for (ptrdiff_t r = 0; r < rows; r++) {
        take_numbers(p, (const real *)x_ + r * x_stride, x);
        take_errors(p, (const real *)delta_ + r * delta_stride, delta);
        take_errors(p, (const real *)r_delta_ + r * delta_stride, r_delta);
        for (ptrdiff_t i = 0; i < p->n; i += LANES) {
            const real *w = (const real *)p->parameters + first * step + i,
                       *r_w = (const real *)v->parameters + first * step + i;
            real *g = (real *)r_g + first * step + i;
            for (ptrdiff_t k = first; k < end; k++, w += step, r_w += step, g += step) {
                const V xs = LOAD(x + i), turn = turn_at(w, PANEL_LANES, xs), h = cos_of_turn(turn);
                const V fall = negative(sin_of_turn(turn)), r_u = angle_along(r_w, xs);
                const V r_h = MUL(fall, r_u);
                V sum = ZERO, r_sum = ZERO;
                for (ptrdiff_t j = 0; j < p->width; j++) {
                    const ptrdiff_t at = (2 + j) * PANEL_LANES;
                    const V one = LOAD(delta + j * PANEL_LANES + i),
                            r_one = LOAD(r_delta + j * PANEL_LANES + i);
                    sum = FMA(LOAD(w + at), one, sum);
                    r_sum = FMA(LOAD(w + at), r_one, FMA(LOAD(r_w + at), one, r_sum));
                    STORE(g + at, FMA(r_one, h, FMA(one, r_h, LOAD(g + at))));
                }
                r_sum = SUB(MUL(fall, r_sum), MUL(MUL(h, r_u), sum));
                STORE(g, FMA(MUL(xs, SET1((real)6.283185307179586)), r_sum, LOAD(g)));
                STORE(g + PANEL_LANES, ADD(LOAD(g + PANEL_LANES), r_sum));
            }
            for (ptrdiff_t j = 0; j < (whole ? p->width : 0); j++, g += PANEL_LANES)
                STORE(g, ADD(LOAD(g), LOAD(r_delta + j * PANEL_LANES + i)));
        }
    }
}

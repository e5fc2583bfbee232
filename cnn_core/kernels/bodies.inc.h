/* Every kernel, once, in terms of the vector vocabulary that the including file chose, and the
 * table that offers them as TABLE. All functions are static: no two instruction sets can share a
 * symbol. The table is the only way to a kernel; files use each other's ALWAYS_INLINE helpers. */

BEGIN_TARGET

    enum { PANEL_VECTORS = PANEL_BYTES / sizeof(real) / LANES };
#define PANEL_LANES (PANEL_VECTORS * LANES)

    /* Whether a matrix is in the transposed layout (kernels.h): a row-major one has a row stride of
     * at least one panel. */
    static ALWAYS_INLINE int is_transposed(ptrdiff_t row_stride) { return row_stride == 1; }

#include "math.inc.h"
#include "reduce.inc.h"
#include "transpose.inc.h"
#include "vector.inc.h"
#include "matmul.inc.h"
#include "activations.inc.h"
#include "losses.inc.h"
#include "metrics.inc.h"
#include "optimizers.inc.h"
#include "penalties.inc.h"
#include "periodic.inc.h"
#include "random.inc.h"
#include "dropout.inc.h"
#include "lanes.inc.h"
#include "peak.inc.h"

END_TARGET

const kernels TABLE = {
    .isa = ISA,
    .dtype = F64 ? "float64" : "float32",
    .itemsize = sizeof(real),
    .lanes = PANEL_LANES,
    .vector = LANES,
    .matmul = matmul_kernel,
    .transpose_panels = transpose_panels_kernel,
    .transpose = transpose_kernel,
    .argmax = argmax_kernel,
    .count_correct = count_correct_kernel,
    .count_exact_match = count_exact_match_kernel,
    .squared_residuals = squared_residuals_kernel,
    .add_penalty = add_penalty_kernel,
    .clip_row_norms = clip_row_norms_kernel,
    .keep_within = keep_within_kernel,
    .embed = embed_kernel,
    .embed_gradient = embed_gradient_kernel,
    .embed_back = embed_back_kernel,
    .embed_along = embed_along_kernel,
    .embed_gradient_along = embed_gradient_along_kernel,
    .draw = draw_kernel,
    .drop = drop_kernel,
    .is_finite = is_finite_kernel,
    .dot = dot_kernel,
    .scale = scale_kernel,
    .axpy = axpy_kernel,
    .multiply = multiply_kernel,
    .asinh = asinh_map,
    .peak = peak_kernel,
    .lanes_product = lanes_product_kernel,
    .lanes_penalty = lanes_penalty_kernel,
    .gather_transposed = gather_transposed_kernel,
    .lanes_correct = lanes_correct_kernel,
    .lanes_residuals = lanes_residuals_kernel,
    .lanes_losses = lanes_losses_kernel,
    .lanes_squares = lanes_squares_kernel,
    .lanes_sum = lanes_sum_kernel,
    .lanes_scale = lanes_scale_kernel,
    .activations = ACTIVATIONS,
    .losses = LOSSES,
    .optimizers = OPTIMIZERS,
    .functions = FUNCTIONS,
};

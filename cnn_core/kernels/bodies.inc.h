/* Every kernel, once, in terms of the vector vocabulary that the including file chose, and the
 * table that offers them as TABLE. All functions are static: no two instruction sets can share a
 * symbol. */

BEGIN_TARGET

#include "tile.inc.h"
#include "math.inc.h"
#include "activations.inc.h"
#include "losses.inc.h"
#include "metrics.inc.h"
#include "turn.inc.h"
#include "optimizers.inc.h"
#include "regularization.inc.h"
#include "random.inc.h"
#include "dropout.inc.h"
#include "peak.inc.h"

END_TARGET

const kernels TABLE = {
    .isa = ISA,
    .dtype = F64 ? "float64" : "float32",
    .itemsize = sizeof(real),
    .lanes = PANEL_LANES,
    .product = product_run,
    .transpose = transpose_run,
    .turn = turn_run,
    .softmax_across = softmax_across,
    .winners = winners_find,
    .hits = hits_count,
    .matches = matches_count,
    .squared_residuals = squared_residuals_add,
    .penalize = penalize_run,
    .finite = finite_run,
    .dot = dot_run,
    .scale = scale_run,
    .add_scaled = add_scaled_run,
    .limit_rows = limit_rows_run,
    .draw = draw_run,
    .drop = drop_run,
    .multiply = multiply_run,
    .peak = peak_run,
    .activations = ACTIVATIONS,
    .losses = LOSSES,
    .optimizers = OPTIMIZERS,
    .functions = FUNCTIONS,
};

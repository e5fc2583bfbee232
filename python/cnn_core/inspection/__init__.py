"""Inspection: every quantity of backpropagation, products with the Hessian, the gradient check, the
summary of a model."""

from cnn_core.inspection.curvature import product_native, product_reference
from cnn_core.inspection.gradient_check import (
    GradientCheck,
    check_gradient,
    per_sample_gradients,
)
from cnn_core.inspection.places import Place, layer_names, place_of, position_of
from cnn_core.inspection.summary import Summary, summary
from cnn_core.inspection.trace import (
    LayerTrace,
    Trace,
    trace,
    trace_native,
    trace_reference,
)

__all__ = [
    "GradientCheck",
    "LayerTrace",
    "Place",
    "Summary",
    "Trace",
    "check_gradient",
    "layer_names",
    "per_sample_gradients",
    "place_of",
    "position_of",
    "product_native",
    "product_reference",
    "summary",
    "trace",
    "trace_native",
    "trace_reference",
]

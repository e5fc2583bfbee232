"""Inspection: every quantity of backpropagation, the gradient check, the summary of a model."""

from cnn_core.inspection.gradient_check import GradientCheck, check_gradient
from cnn_core.inspection.summary import summary
from cnn_core.inspection.trace import (
    LayerTrace,
    Trace,
    layer_names,
    trace,
    trace_native,
    trace_reference,
)

__all__ = [
    "GradientCheck",
    "LayerTrace",
    "Trace",
    "check_gradient",
    "layer_names",
    "summary",
    "trace",
    "trace_native",
    "trace_reference",
]

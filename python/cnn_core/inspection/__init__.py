"""The open box: every quantity of backpropagation, the gradient check, the summary of a model."""

from cnn_core.inspection.gradient_check import GradientCheck, check_gradient
from cnn_core.inspection.summary import summary
from cnn_core.inspection.trace import LayerTrace, Trace, layer_names, native_trace, reference_trace

__all__ = [
    "GradientCheck",
    "LayerTrace",
    "Trace",
    "check_gradient",
    "layer_names",
    "native_trace",
    "reference_trace",
    "summary",
]

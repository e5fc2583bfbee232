"""Which inputs a fitted model listens to, and which way: derivatives of its outputs, attributions
of single rows, importances of whole columns."""

from cnn_core.explanations.attributions import Attributions, attributions
from cnn_core.explanations.importances import Importances, importances
from cnn_core.explanations.slopes import input_gradient, jacobian, row_gradient_of

__all__ = [
    "Attributions",
    "Importances",
    "attributions",
    "importances",
    "input_gradient",
    "jacobian",
    "row_gradient_of",
]

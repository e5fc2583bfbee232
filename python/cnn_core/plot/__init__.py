"""Pictures of data, training and fitted models, with matplotlib (the extra ``plot``).

Each function draws into the Axes that it is given as `ax`, or into those of a new figure, and
returns them: ``ax.figure.savefig("picture.png")`` writes a file. See docs/plots.md.
"""

from cnn_core.plot.confusion import confusion_matrix
from cnn_core.plot.descent import Path, descent
from cnn_core.plot.first_layer import first_layer_weights
from cnn_core.plot.functions import activations
from cnn_core.plot.importances import importances
from cnn_core.plot.layers import layers
from cnn_core.plot.learning import learning_curves
from cnn_core.plot.network import network
from cnn_core.plot.predicted import predicted_against_true
from cnn_core.plot.regions import decision_regions
from cnn_core.plot.responses import responses
from cnn_core.plot.tiles import images
from cnn_core.plot.timing import profile

__all__ = [
    "Path",
    "activations",
    "confusion_matrix",
    "decision_regions",
    "descent",
    "first_layer_weights",
    "images",
    "importances",
    "layers",
    "learning_curves",
    "network",
    "predicted_against_true",
    "profile",
    "responses",
]

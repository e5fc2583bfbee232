"""The reference implementation: the whole of training in plain Python numbers, lists and loops, to
be read beside a textbook.

``MLP(backend="python")`` runs it. It takes the same random numbers and adds in the same order as
the native core: an output's sum begins with the bias and goes through the inputs, a gradient's
through the rows of the mini-batch. Everything is computed in float64. What differs is the last bit
here and there: the native core multiplies and adds with one rounding instead of two, has its own
exp and log, adds up whole vectors (clip_norm, max_norm, penalties, L-BFGS) in another order, and
takes numbers below 2.2e-308 for 0 while it trains.

A row is a list of numbers, a mini-batch a list of rows. W has a row for each neuron, the weights to
it; layers count from 0, so layer l reads ``inputs[l]``, which is x or the output of the layer
below.

One chapter a module: `random` (the order of the rows, dropout), `activations`, `losses`, `layers`
(forward, the delta recursion, the gradient), `initialization` (weights that are fitted to rows),
`embeddings` (of categories), `periodic` (embeddings of numbers), `penalties` (and limits of norms),
`optimizers`, `vectors` (the flat vector of all parameters), `metrics`, `training` (a mini-batch, an
epoch), `prediction`, `errors` (derivatives by the outputs of layers), `curvature` (second
derivatives), `explanations` (derivatives by the inputs, what inputs add to predictions).
"""

from cnn_core.reference.activations import *  # noqa: F403
from cnn_core.reference.curvature import *  # noqa: F403
from cnn_core.reference.embeddings import *  # noqa: F403
from cnn_core.reference.errors import *  # noqa: F403
from cnn_core.reference.explanations import *  # noqa: F403
from cnn_core.reference.initialization import *  # noqa: F403
from cnn_core.reference.layers import *  # noqa: F403
from cnn_core.reference.losses import *  # noqa: F403
from cnn_core.reference.metrics import *  # noqa: F403
from cnn_core.reference.optimizers import *  # noqa: F403
from cnn_core.reference.penalties import *  # noqa: F403
from cnn_core.reference.periodic import *  # noqa: F403
from cnn_core.reference.prediction import *  # noqa: F403
from cnn_core.reference.random import *  # noqa: F403
from cnn_core.reference.training import *  # noqa: F403
from cnn_core.reference.vectors import *  # noqa: F403

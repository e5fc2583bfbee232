"""Names for the types of arrays, and the names that users choose from; imported by type checkers
only.

Editors complete the literals and checkers find slips in them. A name that comes from a variable or
a file is a ``str`` to a checker, until `cast` or an annotation says which; all are checked when the
object is made.
"""

from typing import Any, Literal, NotRequired, Protocol, TypeAlias, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnn_core.embeddings import Embedding

Reals = NDArray[np.float32 | np.float64]  #: computed by the core, in the model's dtype
Labels = NDArray[np.generic]  #: classes and predictions, in the dtype that y had


class Sparse(Protocol):
    """A sparse matrix or array of SciPy."""

    def toarray(self) -> Any: ...


MatrixLike: TypeAlias = ArrayLike | Sparse  #: rows that scikit-learn's estimators take

Activations = Literal[
    "identity", "step", "sign", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu",
    "gelu_tanh", "softplus", "swish", "mish", "hard_sigmoid", "hard_swish", "exp", "softmax",
]  # fmt: skip
Losses = Literal[
    "mse", "mae", "huber", "poisson", "binary_crossentropy", "categorical_crossentropy",
    "sparse_categorical_crossentropy", "hinge", "perceptron", "pinball", "gaussian_nll",
]  # fmt: skip
Optimizers = Literal[
    "sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "nadam", "rprop", "lbfgs", "amsgrad",
    "adam_hat",
]  # fmt: skip
Initializers = Literal[
    "auto", "he", "glorot", "lecun", "normal", "orthogonal", "zeros", "data_driven"
]
Scalings = Literal["auto", "minmax", "standard", "robust", "robust_clip", "robust_asinh"]
Tasks = Literal["auto", "classification", "regression"]
Backends = Literal["native", "python"]
Monitors = Literal["val_loss", "val_metric", "loss"]
ColumnKinds = Literal["auto", "number", "category", "embedding", "date", "drop"]

ActivationName: TypeAlias = Activations
OutputName: TypeAlias = Literal["auto"] | Activations
LossName: TypeAlias = Literal["auto"] | Losses
OptimizerName: TypeAlias = Optimizers
InitName: TypeAlias = Initializers
ScalingName: TypeAlias = Scalings
TaskName: TypeAlias = Tasks
BackendName: TypeAlias = Backends
MonitorName: TypeAlias = Monitors  #: beside the names of scikit-learn's scorers
ColumnKind: TypeAlias = ColumnKinds | Embedding
DtypeName: TypeAlias = Literal["float32", "float64"]


class SavedModel(Protocol):
    """What `load` returns: a fitted estimator, of cnn_core or of cnn_core.sklearn."""

    def predict(self, X: ArrayLike) -> Labels: ...
    def score(self, X: ArrayLike, y: ArrayLike) -> float: ...
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...
    def save(self, file: Any, *, optimizer: bool = False) -> None: ...


class Evaluation(TypedDict):
    """What `MLP.evaluate` returns: accuracy for classes, r2 for a regression, also of each of
    several labels or outputs; with a rare class the scores that it counts in too."""

    loss: float
    accuracy: NotRequired[float]
    accuracy_per_label: NotRequired[list[float]]
    balanced_accuracy: NotRequired[float]
    average_precision: NotRequired[float]
    r2: NotRequired[float]
    r2_per_output: NotRequired[list[float]]
    d2_pinball: NotRequired[float]
    d2_pinball_per_output: NotRequired[list[float]]
    diagnosis: str

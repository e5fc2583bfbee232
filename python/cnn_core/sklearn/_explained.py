"""What is known of the prediction of scikit-learn's estimators, for the methods that explain it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import validate_data

from cnn_core.explanations.explained import Explained, Member, of_features
from cnn_core.sklearn._checks import check_numbers
from cnn_core.sklearn._model import ABSENT
from cnn_core.sklearn._weights import NAMES, PackedWeights, dense_rows
from cnn_core.task import Task

if TYPE_CHECKING:
    from cnn_core.sklearn._base import BaseMLP
    from cnn_core.sklearn._model import FittedModel


def explained_of(estimator: BaseMLP, model: FittedModel, packed: PackedWeights) -> Explained:
    """An estimator that has this model, whose weights `packed` are.

    Raises
    ------
    ValueError
        Where y had one class only.
    """
    n, names = model.n_features_in, model.feature_names_in

    def read(X: Any) -> list[np.ndarray]:
        check_numbers("X", X)
        X = validate_data(
            estimator, X, accept_sparse=["csr", "csc"], dtype=np.float64, order="C", reset=False
        )
        return [dense_rows(X, np.float64)]

    matrix = of_features(list(range(n)) if names is ABSENT else names.tolist())
    member = Member(packed.network, None, None, 0)
    return Explained(_task(model), (member,), list(matrix.encoded), (matrix,), read)


def _task(model: FittedModel) -> Task:
    """What the outputs mean, as `cnn_core.MLP` says it."""
    classes, n = model.classes, model.n_outputs
    output = NAMES.get(model.out_activation, model.out_activation)
    if classes is ABSENT:
        return Task("regression", "mse", output, n, flat=n == 1)
    if len(classes) == 1:
        raise ValueError(
            f"y had the class {classes.tolist()[0]!r} alone, which is always predicted: there is "
            "no network to explain or to export"
        )
    if model.label_binarizer.y_type_.startswith("multilabel"):
        return Task("multilabel", "binary_crossentropy", output, n, classes, flat=False)
    loss = "binary_crossentropy" if n == 1 else "sparse_categorical_crossentropy"
    return Task("classification", loss, output, n, classes)

"""What a fitted estimator shows of the rows that it has learned from, be it one network or
several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.data.validation import are_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnn_core._typing import Labels
    from cnn_core.columns.columns import Columns


class Learned:
    """Attributes that come from fitting, and what scikit-learn asks."""

    task: str
    _fitted: Any = None

    if TYPE_CHECKING:

        def _model(self) -> Any:
            """What has been fitted, or a NotFittedError."""

    def __sklearn_is_fitted__(self) -> bool:
        return self._fitted is not None

    def __sklearn_tags__(self) -> Any:
        # Asked for by scikit-learn alone, so it is there to be imported.
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

        task = self.task if self._fitted is None else self._fitted.task.name
        kind = {
            "classification": "classifier",
            "multilabel": "classifier",
            "regression": "regressor",
        }.get(task)
        return Tags(
            estimator_type=kind,
            target_tags=TargetTags(required=True, multi_output=True),
            classifier_tags=ClassifierTags(multi_label=True) if kind == "classifier" else None,
            regressor_tags=RegressorTags() if kind == "regressor" else None,
            input_tags=InputTags(),
        )

    @property
    def classes_(self) -> Labels:
        classes = self._model().task.classes
        if classes is None:
            raise AttributeError("a regression model has no classes_")
        return locked(classes.copy())

    @property
    def columns_(self) -> Columns:
        columns = self._model().columns
        if columns is None:
            raise AttributeError("the model was fitted on a matrix; columns='auto' takes tables")
        found: Columns = columns
        return found

    @property
    def n_features_in_(self) -> int:
        model = self._model()
        n: int = model.n_features if model.columns is None else len(model.columns.columns)
        return n

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        names = self._model().feature_names
        if names is None or not are_names(names):
            raise AttributeError("the model was fitted without feature names")
        copy: NDArray[np.object_] = names.copy()
        return copy


def locked(copy: NDArray[Any]) -> NDArray[Any]:
    """A copy of what belongs to the model, read-only, so that no change of it goes unnoticed."""
    copy.flags.writeable = False
    return copy

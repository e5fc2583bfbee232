"""What a fit leaves behind, and the attributes that users read of it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cnn_core._control import Exclusive
from cnn_core._frozen import Frozen, replace
from cnn_core._state import damage_told, opened, sealed
from cnn_core.sklearn._weights import WeightCache

if TYPE_CHECKING:
    import numpy as np

    from cnn_core.causes.seen import Seen
    from cnn_core.conformal import Calibration


class _Absent(Enum):
    ABSENT = "absent"


#: Stands in a model for an attribute that its estimator does not have, as nothing is fitted or the
#: solver knows no such thing.
ABSENT: Any = _Absent.ABSENT


class OptimizerState(Frozen):
    """The optimizer of a model and how far it is, for a `partial_fit` to go on from.

    Parameters
    ----------
    name : str
        In the native core.
    learning_rate : float
    epochs : int
        Epochs done, for schedules.
    seed : int
        Of dropout.
    state : dict or None
        The trainer's: moments and the number of steps.
    """

    name: str
    learning_rate: float
    epochs: int = 0
    seed: int = 0
    state: dict[str, Any] | None = None


class FittedModel(Frozen):
    """All that a fit leaves behind. Never changed: the next fit publishes another one, so whoever
    has taken one predicts with the old model or the new one, and never with anything between.

    A field is the attribute of its name and an underscore at its end, or at its front;
    `docs/scikit-learn.md` and the estimators' docstrings describe them. The lists `coefs` and
    `intercepts` are the users', who may change them.

    Parameters
    ----------
    label_binarizer : LabelBinarizer
        Of a classifier.
    activations : list
        With which it was fitted, one for each layer of weights; predictions take the estimator's
        own parameter where that is one.
    no_improvement_count : int
        Epochs since the last improvement.
    optimizer : OptimizerState
    stream : RandomState
        From which a `partial_fit` goes on drawing.
    calibration : Calibration
        What `calibrate` has learned of these very weights.
    seen : Seen
        Of a regression's rows, what `calibrate` knows them again by; not in files.
    weights : WeightCache
        What predictions are computed with; not in pickles.
    """

    coefs: list[np.ndarray] = ABSENT
    intercepts: list[np.ndarray] = ABSENT
    loss: np.float64 = ABSENT
    loss_curve: list[np.float64] = ABSENT
    best_loss: float | None = ABSENT
    validation_scores: list[float] | None = ABSENT
    best_validation_score: float | None = ABSENT
    n_iter: int = ABSENT
    t: int = ABSENT
    n_layers: int = ABSENT
    n_outputs: int = ABSENT
    out_activation: str = ABSENT
    n_features_in: int = ABSENT
    feature_names_in: np.ndarray = ABSENT
    classes: np.ndarray = ABSENT
    label_binarizer: Any = ABSENT
    activations: list[Any] = ABSENT
    no_improvement_count: int = 0
    optimizer: OptimizerState | None = None
    stream: np.random.RandomState | None = None
    calibration: Calibration = ABSENT
    seen: Seen = ABSENT
    weights: WeightCache = ABSENT

    def __post_init__(self) -> None:
        if self.weights is ABSENT:
            self._set(weights=WeightCache())

    def __getstate__(self) -> dict[str, Any]:
        fields = vars(self).items()
        return sealed(
            {name: value for name, value in fields if value is not ABSENT and name != "weights"}
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        with damage_told("model"):
            vars(self).update(opened(state), weights=WeightCache())


_Value = TypeVar("_Value")


class FittedAttribute(Generic[_Value]):
    """An attribute that an estimator has from its model. Setting it publishes another model."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name, self.field = name, name.strip("_")

    def __get__(self, estimator: Any, owner: type | None = None) -> _Value:
        if estimator is None:
            return self  # type: ignore[return-value]
        value: _Value = getattr(estimator._model, self.field)
        if value is ABSENT:
            raise AttributeError(
                f"{type(estimator).__name__!r} object has no attribute {self.name!r}"
            )
        return value

    def __set__(self, estimator: Any, value: Any) -> None:
        fields = {self.field: value}
        if self.field in ("coefs", "intercepts"):
            fields["calibration"] = ABSENT
        with Exclusive(estimator, sets=True):
            estimator._model = replace(estimator._model, **fields)

    def __delete__(self, estimator: Any) -> None:
        self.__get__(estimator)
        self.__set__(estimator, ABSENT)

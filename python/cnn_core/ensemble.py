"""`Ensemble`: several fitted MLPs that predict together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from cnn_core._few import few_lines
from cnn_core._names import Keywords
from cnn_core._state import damage_told
from cnn_core.averaging import Averaging
from cnn_core.mean import MeanModel, check_alike
from cnn_core.mlp import MLP
from cnn_core.threads import check_threads

if TYPE_CHECKING:
    from cnn_core.files.codecs import Codec


class Ensemble(Averaging, Keywords):
    """The mean of what several fitted MLPs predict.

    Numbers of a regression, or probabilities of classes, are added in the order of the models, in
    float64, divided by the number of models and rounded once; the class is the one whose mean
    probability is largest. Many rows take one pass: a block of them goes through all models while
    it is in the cache, on several threads. Results do not depend on these.

    Parameters
    ----------
    models : sequence of MLP
        Fitted, for the same classes, or a regression of as many outputs, on the same features. They
        may differ in layers, activations and scalings. The ensemble keeps them as they are now;
        what becomes of the given objects later does not change it.
    n_threads : int, optional
        The most threads for predictions; default `cnn_core.get_num_threads()`.

    Attributes
    ----------
    models_ : tuple of MLP
    classes_ : ndarray, shape (n_classes,)
        The class labels, sorted. Not there for regression.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        There when X was a data frame with string column names.
    columns_ : Columns
        Of the first model, where the models take tables.

    Raises
    ------
    TypeError, ValueError
        For what is no fitted MLP, and for the first model that differs from the others.

    Examples
    --------
    >>> from cnn_core import MLP, Ensemble
    >>> from cnn_core.datasets import load_digits
    >>> X, y = load_digits()
    >>> models = [MLP(16, epochs=5, random_state=k).fit(X[:1400], y[:1400]) for k in range(4)]
    >>> ensemble = Ensemble(models)
    >>> ensemble.score(X[1400:], y[1400:]) > max(m.score(X[1400:], y[1400:]) for m in models) - 0.02
    True
    """

    _in_files, _networks = "Ensemble", "models_"

    def __init__(self, models: Iterable[MLP], *, n_threads: int | None = None) -> None:
        self.n_threads = n_threads
        self._check_parameters()
        self._take(models)

    def _first(self) -> MLP:
        return self.models_[0]

    def _take(self, models: Iterable[MLP]) -> None:
        """Keep copies of some models as they are now."""
        if isinstance(models, MLP) or not isinstance(models, Iterable):
            raise TypeError(
                f"Ensemble takes a list of fitted MLPs, got one {type(models).__name__}"
                + _cure(models, "model.{}")
            )
        given = list(models)
        if not given:
            raise ValueError("Ensemble takes a list of fitted MLPs, and this one is empty")
        for k, one in enumerate(given):
            if not isinstance(one, MLP):
                raise TypeError(
                    f"Ensemble takes fitted MLPs, and models[{k}] is of type "
                    f"{type(one).__module__}.{type(one).__name__}"
                    + _cure(one, f"[*models[{k}].{{}}, ...]")
                )
            if one._fitted is None:
                raise ValueError(f"Ensemble takes fitted MLPs, and models[{k}] is not fitted")
        fitted = [one._model() for one in given]
        check_alike(fitted)
        mean = MeanModel(tuple(fitted))
        self.models_ = tuple(with_model(one, model) for one, model in zip(given, mean.models))
        self._fitted = mean
        self.task = mean.task.name

    def __repr__(self) -> str:
        lines = [f"{one!r}," for one in self.models_]
        shown = few_lines(lines, 10).replace("\n", "\n    ")
        return f"Ensemble([\n    {shown}\n])"

    def __getstate__(self) -> dict[str, Any]:
        known = self._model().calibration
        return {"models_": self.models_, "n_threads": self.n_threads, "calibration": known}

    def __setstate__(self, state: dict[str, Any]) -> None:
        with damage_told("Ensemble"):
            self.n_threads = state["n_threads"]
            self._take(state["models_"])
            self._take_calibration(state.get("calibration"))

    @classmethod
    def _model_in_files(cls) -> Codec:
        from cnn_core.files.members import ENSEMBLE

        return ENSEMBLE

    @classmethod
    def _parameters_in_files(cls) -> Mapping[str, Any]:
        return {"n_threads": None}

    def _model_to_save(self, optimizer: bool) -> Any:
        pairs = [(one, one._model_to_save(optimizer)) for one in self.models_]
        return self._model().calibration, pairs

    def _check_parameters(self) -> None:
        if self.n_threads is not None:
            check_threads(self.n_threads)

    @classmethod
    def _loaded(cls, parameters: dict[str, Any], model: Any) -> Self:
        calibration, members = model
        loaded = cls(members, **parameters)
        loaded._take_calibration(calibration)
        return loaded


def _cure(given: object, networks: str) -> str:
    """How to take the networks of what is several."""
    name = getattr(type(given), "_networks", None)
    return "" if name is None else f"; give its networks: Ensemble({networks.format(name)})"


def with_model(estimator: MLP, model: Any) -> MLP:
    """An MLP with the same parameters and this model."""
    copy = object.__new__(type(estimator))
    vars(copy).update(vars(estimator))
    copy._publish(model)
    return copy

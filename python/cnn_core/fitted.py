"""What a fitted MLP shows of its model. Setting an attribute publishes another model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cnn_core._control import Exclusive
from cnn_core._foreign_attributes import ForeignAttributes
from cnn_core._frozen import replace
from cnn_core.curves import Curves
from cnn_core.data.scaling import Scaling
from cnn_core.data.target_scaling import TargetScaling
from cnn_core.data.validation import as_numbers, check_finite
from cnn_core.exceptions import NotFittedError
from cnn_core.files.saved import Resumable
from cnn_core.learned import Learned, locked
from cnn_core.model import Model
from cnn_core.monitors import sign_of
from cnn_core.training.backends import Network

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cnn_core._typing import Reals
    from cnn_core.explanations.explained import Explained
    from cnn_core.files.codecs import Codec
    from cnn_core.periodic import PeriodicColumn


class Fitted(Learned, Resumable, ForeignAttributes):
    """The attributes of `MLP` that come from fitting: all are read from one `Model`."""

    _fitted: Model | None = None

    def _model(self) -> Model:
        model = self._fitted
        if model is None:
            raise NotFittedError(
                f"this {type(self).__name__} is not fitted yet; call fit first, or initialize for "
                "an untrained one"
            )
        return model

    def _explained(self) -> Explained:
        return self._model().explained

    def _publish(self, model: Model | None) -> None:
        self._fitted = model

    _in_files = "MLP"

    @classmethod
    def _model_in_files(cls) -> Codec:
        from cnn_core.files.schema import MODEL

        return MODEL

    def _model_to_save(self, optimizer: bool) -> Model:
        model = self._model()
        return model if optimizer else replace(model, state=None, stream_rows=None)

    def _forget(self) -> None:
        self._publish(None)

    @classmethod
    def _loaded(cls, parameters: dict[str, Any], model: Model) -> Self:
        loaded = cls(**parameters)
        loaded._publish(model)
        return loaded

    @property
    def weights_(self) -> tuple[Reals, ...]:
        network = self._model().network
        return tuple(locked(network.weights(l)) for l in range(network.n_layers))

    @weights_.setter
    def weights_(self, values: Sequence[ArrayLike]) -> None:
        with Exclusive(self, sets=True):
            self._set_layers(values, None)

    @property
    def biases_(self) -> tuple[Reals, ...]:
        network = self._model().network
        return tuple(locked(network.bias(l).copy()) for l in range(network.n_layers))

    @biases_.setter
    def biases_(self, values: Sequence[ArrayLike]) -> None:
        with Exclusive(self, sets=True):
            self._set_layers(None, values)

    @property
    def parameters_(self) -> Reals:
        return locked(self._model().network.flat())

    @parameters_.setter
    def parameters_(self, values: ArrayLike) -> None:
        with Exclusive(self, sets=True):
            model = self._model()
            numbers = numbers_for(model, "parameters_", values)
            self._with_parameters(model, lambda network: network.set_flat(numbers))

    @property
    def history_(self) -> Curves:
        return Curves.of_epochs(self._model())

    @property
    def step_history_(self) -> Curves:
        model = self._model()
        steps = model.step_history
        if not steps:
            raise AttributeError("the model was trained without step_history=True")
        return Curves(steps, "step", None, model.task.loss, steps.gaps)

    @property
    def converged_(self) -> bool:
        return self._model().converged

    @property
    def input_shift_(self) -> NDArray[np.float64]:
        return self._scaling().shift.copy()

    @property
    def input_factor_(self) -> NDArray[np.float64]:
        return self._scaling().factor.copy()

    @property
    def target_shift_(self) -> NDArray[np.float64]:
        return self._target_scaling().shift.copy()

    @property
    def target_factor_(self) -> NDArray[np.float64]:
        return self._target_scaling().factor.copy()

    def _target_scaling(self) -> TargetScaling:
        targets = self._model().target_scaling
        if targets is None or not targets.scales:
            raise AttributeError("the network learns the targets as they are; nothing scales them")
        return targets

    def _scaling(self) -> Scaling:
        scaling = self._model().scaling
        if scaling is None:
            raise AttributeError("the network reads the inputs as they are; nothing scales them")
        return scaling

    @property
    def embeddings_(self) -> dict[str | int, Reals]:
        model = self._model()
        columns = () if model.columns is None else model.columns.embedded
        return {
            column.name: locked(model.network.vectors(i).copy()) for i, column in enumerate(columns)
        }

    @property
    def numeric_embeddings_(self) -> dict[str | int, PeriodicColumn]:
        model = self._model()
        if not model.network.periodic:
            return {}
        from cnn_core.periodic import PeriodicColumn, columns_of

        columns, names = columns_of(model.network.periodic_parameters()), model.input_names
        return {
            i if names is None else names[i]: PeriodicColumn(*map(locked, column))
            for i, column in zip(model.network.periodic[0], columns)
        }

    @property
    def categories_(self) -> dict[str | int, tuple[str, ...]]:
        from cnn_core.columns.kinds import Category

        columns = self.columns_.columns
        return {one.name: one.values for one in columns if isinstance(one, Category)}

    @property
    def n_epochs_(self) -> int:
        return self._model().n_epochs

    @property
    def best_epoch_(self) -> int:
        model = self._model()
        history = model.history
        column = model.monitor
        watched = np.array(history[column] if history else [])
        if np.isnan(watched).all():
            raise AttributeError(
                f"no epoch is the best: {column} is NaN in all of them"
                if len(watched)
                else "the model has not been trained for a whole epoch"
            )
        best = int(np.nanargmin(sign_of(column) * watched))
        return model.best_epoch or history.epoch_at(best)

    def _with_parameters(self, model: Model, change: Callable[[Network], None]) -> None:
        """Publish a copy of a model on whose network `change` has changed parameters."""
        network, spec = model.network.copy(), model.training_spec
        change(network)
        if spec.monotone or spec.convex:
            from cnn_core.constraints.bounds import check_kept

            check_kept(network, spec, "what is assigned")
        self._publish(replace(model, network=network, calibration=None))

    def _set_layers(self, weights: Any, biases: Any) -> None:
        """Set what is given; None leaves the others as they are."""
        model = self._model()
        layers = range(model.network.n_layers)
        if weights is None:
            weights = [model.network.weights(l) for l in layers]
        if biases is None:
            biases = [model.network.bias(l) for l in layers]

        def change(network: Network) -> None:
            for name, given in (("weights_", weights), ("biases_", biases)):
                if not isinstance(given, (list, tuple)) or len(given) != network.n_layers:
                    what = f"{len(given)}" if isinstance(given, (list, tuple)) else f"{given!r}"
                    raise ValueError(
                        f"{name} must be a list of an array for each of the {network.n_layers} "
                        f"layers, got {what}"
                    )
            for l, pair in enumerate(zip(weights, biases)):
                wanted = network.weights(l).shape
                layer = "output" if l == network.n_layers - 1 else f"hidden {l + 1}"
                parts = []
                for name, given, shape in zip(("weights_", "biases_"), pair, (wanted, wanted[:1])):
                    part = numbers_for(model, f"{name}[{l}]", given)
                    if part.shape != shape:
                        raise ValueError(
                            f"{name}[{l}], of {layer}, must have shape {shape}, got {part.shape}"
                        )
                    parts.append(part)
                network.set_layer(l, *parts)

        self._with_parameters(model, change)


def numbers_for(model: Model, name: str, values: ArrayLike) -> np.ndarray:
    """`values` as an array of numbers that the network can hold."""
    dtype = model.network.dtype
    array = as_numbers(name, values)
    check_finite(name, array, dtype)
    return array.astype(dtype)

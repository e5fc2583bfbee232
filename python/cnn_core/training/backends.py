"""Who computes: the native core, or the reference implementation in plain Python.

All contact with the native classes stands here. `native` and `reference` have the same functions;
no other module depends on what differs between them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import numpy as np

from cnn_core._frozen import replace
from cnn_core._names import choose
from cnn_core._network import Network
from cnn_core._overflow import warn_of_overflow
from cnn_core._predict import BatchPredictor, RowPredictor
from cnn_core.data.validation import check_finite

__all__ = [
    "BACKENDS",
    "FAST_BACKEND",
    "ByBackend",
    "Network",
    "RowPredictor",
    "make_network",
    "native",
    "reference",
    "warn_of_overflow",
    "with_first_outputs",
    "with_linear_output",
]

if TYPE_CHECKING:
    from cnn_core.data.prepare import Dataset
    from cnn_core.data.scaling import Scaling
    from cnn_core.data.target_scaling import TargetScaling
    from cnn_core.inspection import Trace
    from cnn_core.model import Model
    from cnn_core.spec import NetworkSpec, TrainingSpec
    from cnn_core.training.protocols import Predictor, Trainer


def make_network(spec: NetworkSpec) -> Network:
    """A network of that shape; its parameters are 0."""
    dtype: Any = spec.dtype
    return Network(
        spec.widths,
        spec.activations,
        dtype,
        spec.activation_params,
        spec.bias,
        spec.embeddings,
        spec.periodic,
    )


def with_linear_output(network: Network) -> Network:
    """The same network with z^L as its output."""
    dtype: Any = network.dtype.name
    linear = Network(
        network.widths,
        (*network.activations[:-1], "identity"),
        dtype,
        (*network.activation_params[:-1], 0.0),
        network.has_bias,
        network.embeddings,
        network.periodic,
    )
    linear.set_flat(network.flat())
    return linear


def with_first_outputs(network: Network, n_outputs: int) -> Network:
    """The same network with the first of its outputs alone."""
    dtype: Any = network.dtype.name
    first = Network(
        (*network.widths[:-1], n_outputs),
        network.activations,
        dtype,
        network.activation_params,
        network.has_bias,
        network.embeddings,
        network.periodic,
    )
    for l in range(network.n_layers):
        n = network.widths[l + 1] if l < network.n_layers - 1 else n_outputs
        b = network.bias(l)[:n] if network.has_bias else None
        first.set_layer(l, np.ascontiguousarray(network.weights(l)[:n]), b)
    for i in range(network.n_tables):
        first.vectors(i)[:] = network.vectors(i)
    if network.periodic:
        first.set_periodic(*network.periodic_parameters())
    return first


class _NativePredictor:
    """See `Predictor`."""

    def __init__(
        self, network: Network, scaling: Scaling | None, targets: TargetScaling | None
    ) -> None:
        outputs = None if targets is None else targets.arrays
        inputs = None if scaling is None else scaling.arrays
        self.network, self.rows = network, BatchPredictor(network, outputs)
        self.one_row = RowPredictor(network, inputs, outputs)
        self.checked_row = self.one_row.forward_checked

    def unchecked(self, X: np.ndarray) -> np.ndarray:
        a = self.rows.forward(X)
        assert a is not None
        return a

    def outputs(self, X: np.ndarray, threads: int) -> np.ndarray:
        a = self.rows.forward(X, threads, check_finite=True, warns=True)
        if a is None:
            check_finite("X", X, self.network.dtype)
            a = self.rows.forward(X, threads)  # only if X has changed since
            assert a is not None
        return a

    def argmax(self, X: np.ndarray, threshold: float, threads: int) -> np.ndarray:
        found = self.rows.argmax(X, threshold, threads, check_finite=True)
        if found is None:
            check_finite("X", X, self.network.dtype)
            found = self.rows.argmax(X, threshold, threads)  # only if X has changed since
            assert found is not None
        return found


class _ReferencePredictor:
    """See `Predictor`."""

    def __init__(self, network: Network, targets: TargetScaling | None) -> None:
        self.network, self.targets = network, targets

    def checked_row(self, X: object) -> None:
        return None

    def unchecked(self, X: np.ndarray) -> np.ndarray:
        from cnn_core.reference import predict

        a = predict(self.network, X)
        return a if self.targets is None else self.targets.invert(a, a.dtype)

    def outputs(self, X: np.ndarray, threads: int) -> np.ndarray:
        check_finite("X", X, self.network.dtype)
        a = self.unchecked(X)
        bad = int(np.count_nonzero(~np.isfinite(a).all(axis=1)))
        if bad:
            warn_of_overflow(self.network, X, bad)
        return a

    def argmax(self, X: np.ndarray, threshold: float, threads: int) -> np.ndarray:
        check_finite("X", X, self.network.dtype)
        a = self.unchecked(X)
        bad = int(np.count_nonzero(np.isnan(a).any(axis=1)))
        if bad:
            warn_of_overflow(self.network, X, bad, classes=True)
        if a.shape[1] == 1:
            return (a[:, 0] > threshold).astype(np.intp)
        index: np.ndarray = a.argmax(axis=1)
        return index


class _Native:
    """The compiled core."""

    def trainer(
        self,
        spec: TrainingSpec,
        network: Network,
        *,
        threads: int = 1,
        adaptive: bool = False,
        timing: bool = False,
    ) -> Any:
        """What trains `network` in place.

        Parameters
        ----------
        spec : TrainingSpec
        network : Network
        threads : int
            The most to use.
        adaptive : bool
            Whether to use them only while that is faster than one.
        timing : bool
            Whether to measure the phases of a step.

        Returns
        -------
        GradientTrainer, or for L-BFGS a Trainer
        """
        # Here, because those who only predict need neither.
        from cnn_core._backprop import Backprop
        from cnn_core._trainer import Trainer
        from cnn_core.constraints.bounds import flat_bounds

        lbfgs = spec.optimizer == "lbfgs"
        backprop = Backprop(
            network,
            spec.loss,
            spec.batch_size,
            spec.loss_param,
            spec.l1,
            spec.l2,
            spec.dropout or None,
            spec.penalty_per_row,
        )
        if not spec.alpha_dropout:
            backprop.drop_plainly()
        trainer = Trainer(
            backprop,
            None if lbfgs else spec.optimizer,
            {} if lbfgs else dict(spec.settings),
            spec.seed,
            timing=timing,
            clip_norm=spec.clip_norm,
            max_norm=spec.max_norm,
            rate_factors=spec.rate_factors,
            decay_factors=spec.decay_factors,
            bounds=flat_bounds(network, spec),
            multilabel=spec.multilabel,
            threads=threads,
            adaptive=adaptive,
            by_rows=spec.average_by_rows,
            cost_scale=spec.cost_scale,
            shards=spec.shards,
        )
        return _with_lbfgs(trainer, self, spec) if lbfgs else trainer

    def predictor(
        self, network: Network, scaling: Scaling | None, targets: TargetScaling | None = None
    ) -> _NativePredictor:
        """What predicts with `network`."""
        return _NativePredictor(network, scaling, targets)

    def trace(self, model: Model, data: Dataset) -> Trace:
        """Everything that one forward and one backward pass compute."""
        from cnn_core.inspection import trace_native

        return trace_native(model, data)

    def row_gradients(self, network: Network, spec: TrainingSpec, data: Dataset) -> np.ndarray:
        """The gradient of each row's cost, `spec` being without an optimizer."""
        from cnn_core._backprop import Backprop
        from cnn_core._row_gradients import row_gradients

        backprop = Backprop(network, spec.loss, 1, spec.loss_param, spec.l1, spec.l2)
        return row_gradients(backprop, data.X.array, data.targets_of(backprop.loss.sparse))

    def hessian_vector_product(
        self,
        network: Network,
        spec: TrainingSpec,
        v: np.ndarray,
        data: Dataset,
        *,
        threads: int = 1,
        adaptive: bool = False,
    ) -> np.ndarray:
        """H v of the cost of some rows, `spec` being without an optimizer."""
        from cnn_core.inspection import product_native

        return product_native(network, spec, v, data, threads)

    @property
    def vectors(self) -> Any:
        """The arithmetic on whole vectors of parameters."""
        from cnn_core.training.lbfgs import ArrayVectors

        return ArrayVectors


class _Reference:
    """The reference implementation; it knows no threads."""

    def trainer(
        self,
        spec: TrainingSpec,
        network: Network,
        *,
        threads: int = 1,
        adaptive: bool = False,
        timing: bool = False,
    ) -> Any:
        """What trains `network` in place, see `_Native.trainer`."""
        from cnn_core import reference

        lbfgs = spec.optimizer == "lbfgs"
        steps = replace(spec, optimizer=None, settings={}) if lbfgs else spec
        trainer = reference.Trainer(steps, network)
        return _with_lbfgs(trainer, self, spec) if lbfgs else trainer

    def predictor(
        self, network: Network, scaling: Scaling | None, targets: TargetScaling | None = None
    ) -> Predictor:
        """What predicts with `network`."""
        return _ReferencePredictor(network, targets)

    def trace(self, model: Model, data: Dataset) -> Trace:
        """Everything that one forward and one backward pass compute."""
        from cnn_core.inspection import trace_reference

        return trace_reference(model, data)

    def row_gradients(self, network: Network, spec: TrainingSpec, data: Dataset) -> np.ndarray:
        """The gradient of each row's cost, see `_Native.row_gradients`."""
        from cnn_core.reference import Trainer as ReferenceTrainer

        trainer = ReferenceTrainer(spec, network.copy())
        X, targets, *_ = trainer.as_lists(data.X, data.y, data.labels, None)
        gradients = np.empty((len(X), len(trainer.parameters)))
        for i, (x, y) in enumerate(zip(X, targets)):
            trainer.forward_backward([x], [y], [1.0], dropping=False)
            gradients[i] = trainer.gradient
        return gradients

    def hessian_vector_product(
        self,
        network: Network,
        spec: TrainingSpec,
        v: np.ndarray,
        data: Dataset,
        *,
        threads: int = 1,
        adaptive: bool = False,
    ) -> np.ndarray:
        """H v of the cost of some rows, see `_Native.hessian_vector_product`."""
        from cnn_core.inspection import product_reference

        return product_reference(network, spec, v, data)

    @property
    def vectors(self) -> Any:
        """The arithmetic on whole vectors of parameters."""
        from cnn_core.reference import ListVectors

        return ListVectors


def _with_lbfgs(trainer: Any, backend: _Native | _Reference, spec: TrainingSpec) -> Trainer:
    from cnn_core.training.lbfgs import LBFGSTrainer

    return LBFGSTrainer(trainer, backend.vectors, dict(spec.settings))


_Value = TypeVar("_Value")


class ByBackend(dict[str, _Value]):
    """A value for each backend, by the name that users type."""

    def __missing__(self, name: object) -> NoReturn:
        choose("backend", name, tuple(self))
        raise KeyError(name)


native, reference = _Native(), _Reference()
#: The one whose predictor of single rows MLP calls directly.
FAST_BACKEND = "native"
BACKENDS: ByBackend[_Native | _Reference] = ByBackend(native=native, python=reference)

"""From an estimator's parameters and data to what a training begins with."""

from __future__ import annotations

import copy
from itertools import pairwise
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight

from cnn_core._few import counted
from cnn_core._frozen import Frozen, replace
from cnn_core._network import Network
from cnn_core.callbacks import Callback, check_callbacks
from cnn_core.schedules import Schedule
from cnn_core.sklearn._checks import check_numbers
from cnn_core.sklearn._model import ABSENT, FittedModel
from cnn_core.sklearn._parameters import (
    hidden_sizes,
    layer_activations,
)
from cnn_core.sklearn._weights import (
    PackedWeights,
    WeightCache,
    check_shapes,
    dense_rows,
    load_weights,
    make_network,
    weights_of,
)

if TYPE_CHECKING:
    from cnn_core.sklearn._base import BaseMLP
    from cnn_core.training.checkpoint import Checkpoint

#: Penalty of a row of weight 1/2 to 1 above which it is named as what has spoilt a training.
LARGE_PENALTY = 1e6


class Data(NamedTuple):
    """Rows as the native core wants them."""

    X: Any  #: ndarray, or sparse
    targets: np.ndarray | None
    labels: np.ndarray | None
    weights: np.ndarray | None

    def take(self, rows: np.ndarray) -> tuple[Any, ...]:
        """Targets, labels and weights of some rows."""
        return tuple(None if part is None else part[rows] for part in self[1:])


class Job(Frozen):
    """What a training begins with.

    Parameters
    ----------
    p : BaseMLP
        Parameters and hooks.
    start : FittedModel
        With new initial weights, or what an earlier training has left.
    network : Network
        To be trained.
    activations : list
        Of the layers, as users name them.
    data : Data
    weight_scale : float
        By what the weights of the rows have been multiplied.
    stream : RandomState
    warm, incremental : bool
        Whether a `fit`, or a `partial_fit`, goes on from an earlier training.
    resumed : bool
        Whether `start` is of a checkpoint.
    """

    p: BaseMLP
    start: FittedModel
    network: Network
    activations: list[Any]
    data: Data
    weight_scale: float
    stream: np.random.RandomState
    warm: bool
    incremental: bool
    resumed: bool = False

    def model(self, start: FittedModel, network: Network, **changes: Any) -> FittedModel:
        """The model with a trained network, which from now on is never changed."""
        coefs, intercepts = weights_of(network)
        weights = WeightCache(PackedWeights(network, self.activations))
        return replace(
            start,
            coefs=coefs,
            intercepts=intercepts,
            weights=weights,
            activations=self.activations,
            stream=self.stream,
            calibration=ABSENT,
            **changes,
        )


def own_stream(p: BaseMLP, incremental: bool) -> np.random.RandomState | None:
    """The stream of an earlier training from which this one goes on drawing.

    scikit-learn's seeds begin it anew in each `partial_fit`, which so visits its rows in one and
    the same order; here it goes on.
    """
    goes_on = incremental and not p.compatible and isinstance(p.random_state, Integral)
    return p._model.stream if goes_on else None


def begin(
    p: BaseMLP,
    X: Any,
    y: Any,
    sample_weight: Any,
    incremental: bool,
    checkpoint: Checkpoint | None = None,
) -> Job:
    """Check what a fit is given; initial weights are drawn where there are none to go on from."""
    hidden = hidden_sizes(p)
    first = p._model.coefs is ABSENT or not (p.warm_start or incremental)
    if incremental and p.early_stopping:
        raise ValueError("partial_fit does not support early_stopping=True")
    X, y = p._validate_training_rows(X, y, incremental, reset=first)
    check_numbers("sample_weight", sample_weight)
    weights = None if sample_weight is None else _check_sample_weight(sample_weight, X)
    stream = own_stream(p, incremental) or check_random_state(p.random_state)
    if checkpoint is not None:
        stream = _stream_of(checkpoint, stream)
    lbfgs, dtype = p._full_batch_by_scipy(), p.dtype
    if dtype is None:
        # scikit-learn's L-BFGS gives float64 for any X.
        dtype = np.float64 if lbfgs else X.dtype
        if not (lbfgs or first):
            dtype = np.result_type(*p._model.coefs[:1], np.float32)
    dtype = np.dtype(dtype)
    targets, labels = p._targets(y, dtype)
    n_outputs = p._count_outputs(y)
    weights, weight_scale = p._scaled_weights(weights, y, incremental, dtype)
    start, layers = p._model, (X.shape[1], *hidden, n_outputs)
    resumed = checkpoint is not None and checkpoint.progress is not None
    if checkpoint is not None and resumed:
        start = _of_same_kind(cast("FittedModel", checkpoint.model), layers, start)
    if first:
        drawn = _initial_model(p, layers, stream, dtype)
        # The stream has given the weights that a checkpoint's training began with.
        start = start if resumed else drawn
    p._model = start = replace(start, n_outputs=n_outputs)
    activations = layer_activations(p, start.n_layers - 1, start.out_activation)
    coefs, intercepts = arrays_of(start)
    widths = check_shapes(coefs, intercepts, len(activations), X.shape[1])
    if n_outputs != widths[-1]:
        raise ValueError(
            f"y has {counted(n_outputs, 'output')}, but the model was fitted with {widths[-1]}"
        )
    network = make_network(widths, activations, dtype)
    load_weights(network, coefs, intercepts)
    X = X.tocsr() if hasattr(X, "tocsr") and not lbfgs else dense_rows(X, dtype)
    start = replace(start, seen=p._seen(X, targets, start.seen if incremental else ABSENT))
    data, warm = Data(X, targets, labels, weights), not (first or incremental)
    return Job(
        p, start, network, activations, data, weight_scale, stream, warm, incremental, resumed
    )


def _stream_of(checkpoint: Checkpoint, stream: np.random.RandomState) -> np.random.RandomState:
    """A stream in the state in which the training of a checkpoint began to draw from it."""
    if checkpoint.progress is not None and checkpoint.progress.stream is not None:
        stream.set_state(checkpoint.progress.stream.get_state(legacy=False))
    checkpoint.stream = copy.deepcopy(stream)
    return stream


def _of_same_kind(saved: FittedModel, widths: tuple[int, ...], known: FittedModel) -> FittedModel:
    """The model of a checkpoint, whose layers and classes must be those of a new one."""
    shapes = [np.shape(W) for W in saved.coefs]
    labels = [
        None if model.classes is ABSENT else model.classes.tolist() for model in (saved, known)
    ]
    if shapes != list(pairwise(widths)) or labels[0] != labels[1]:
        raise ValueError(
            "the checkpoint is of a training on other data: features, outputs or classes differ; "
            "give the same, or take another path"
        )
    return replace(saved, feature_names_in=known.feature_names_in)


def arrays_of(model: FittedModel) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Weights and biases that users may have replaced by other array-likes."""
    return list(map(np.asarray, model.coefs)), list(map(np.asarray, model.intercepts))


def _initial_model(
    p: BaseMLP, widths: tuple[int, ...], stream: np.random.RandomState, dtype: np.dtype[Any]
) -> FittedModel:
    """Initial weights and biases, uniform with Glorot & Bengio's bound (2010, eq. 16), and counts
    at 0."""
    known, output = p._model, p._output_activation()
    activations = layer_activations(p, len(widths) - 1, output)[:-1]
    # The output layer's bound is that of the hidden layer below, as where one activation serves
    # all.
    activations.append(activations[-1] if activations else p.activation)
    coefs, intercepts = [], []
    for n_in, n_out, activation in zip(widths, widths[1:], activations):
        sigmoid = isinstance(activation, str) and activation in ("logistic", "sigmoid")
        bound = np.sqrt((2.0 if sigmoid else 6.0) / (n_in + n_out))
        coefs.append(stream.uniform(-bound, bound, (n_in, n_out)).astype(dtype, copy=False))
        intercepts.append(stream.uniform(-bound, bound, n_out).astype(dtype, copy=False))
    return FittedModel(
        coefs=coefs,
        intercepts=intercepts,
        n_layers=len(widths),
        out_activation=output,
        n_iter=0,
        t=0,
        n_features_in=known.n_features_in,
        feature_names_in=known.feature_names_in,
        classes=known.classes,
        label_binarizer=known.label_binarizer,
    )


def callbacks_of(p: BaseMLP, validation: object) -> list[Callback]:
    """The callbacks; raises where something is asked for that L-BFGS has not."""
    callbacks = check_callbacks(() if p.callbacks is None else p.callbacks)
    for what, wanted in (
        ("X_val and y_val do", validation is not None),
        ("dropout does", np.any(p.dropout)),
        ("a schedule does", isinstance(p.learning_rate, Schedule)),
        ("callbacks do", callbacks),
        ("restore_best_weights=True does", p.restore_best_weights),
    ):
        if p._full_batch_by_scipy() and wanted:
            raise ValueError(f"{what} not go with solver='lbfgs', which has no epochs")
    return callbacks

"""MLPClassifier and MLPRegressor: MLP for one task alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cnn_core.mlp import MLP

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, DTypeLike

    from cnn_core._typing import (
        ActivationName,
        BackendName,
        ColumnKind,
        DtypeName,
        InitName,
        LossName,
        MonitorName,
        OptimizerName,
        OutputName,
        ScalingName,
    )
    from cnn_core.activations import Activation
    from cnn_core.data.weights import ClassWeight
    from cnn_core.embeddings import PeriodicEmbedding
    from cnn_core.initializers import Initializer
    from cnn_core.losses import ParametrizedLoss
    from cnn_core.mlp import Monitoring, Watcher
    from cnn_core.optimizers import Optimizer
    from cnn_core.schedules import Schedule


class MLPOfOneTask(MLP):
    """MLP without the parameter `task`, which the class says.

    The constructor is written out for editors and type checkers; a test compares it with MLP's.
    """

    _task: ClassVar[Literal["classification", "regression"]]

    def __init__(
        self,
        hidden: int | Sequence[int] = (100,),
        activation: ActivationName | Activation | Sequence[ActivationName | Activation] = "relu",
        *,
        output: OutputName | Activation = "auto",
        loss: LossName | ParametrizedLoss = "auto",
        optimizer: OptimizerName | Optimizer = "adam",
        learning_rate: float | Schedule | None = None,
        batch_size: int | Literal["full"] = 32,
        epochs: int = 100,
        shuffle: bool = True,
        shards: int = 1,
        l1: float = 0.0,
        l2: float = 0.0,
        max_norm: float | None = None,
        clip_norm: float | None = None,
        rate_factors: Mapping[str, float] | None = None,
        decay_factors: Mapping[str, float] | None = None,
        decay_schedule: Schedule | None = None,
        dropout_schedule: Schedule | None = None,
        alpha_dropout: bool = True,
        dropout: float | Sequence[float] = 0.0,
        label_smoothing: float = 0.0,
        bias: bool = True,
        init: InitName | Initializer | Sequence[tuple[ArrayLike, ArrayLike | None]] = "auto",
        columns: Literal["auto"] | Mapping[Any, ColumnKind] | None = None,
        numeric_embedding: Literal["periodic"] | PeriodicEmbedding | None = None,
        monotone: Mapping[Any, int] | None = None,
        convex: Mapping[Any, int] | None = None,
        scale_inputs: ScalingName | None = "auto",
        scale_targets: Literal["auto", "standard"] | None = "auto",
        clip_outputs: bool = False,
        class_weight: ClassWeight = None,
        tol: float | None = None,
        max_seconds: float | None = None,
        early_stopping: bool = False,
        monitor: MonitorName | str | Monitoring = "val_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        validation_fraction: float = 0.1,
        restore_best: bool | Literal["latest"] = True,
        dtype: DtypeName | DTypeLike = "float32",
        n_threads: int | None = None,
        random_state: int | np.random.Generator | np.random.RandomState | None = None,
        verbose: int = 0,
        callbacks: Watcher | Sequence[Watcher] = (),
        step_history: bool = False,
        warm_start: bool = False,
        backend: BackendName = "native",
    ) -> None:
        given: dict[str, Any] = dict(locals())
        del given["self"]
        MLP.__init__(self, task=self._task, **given)


class MLPClassifier(MLPOfOneTask):
    """Multilayer perceptron for classification: `MLP` with ``task='classification'``.

    Every y holds classes, floats too; scikit-learn's tools know before the first fit that this is a
    classifier. For scikit-learn's own parameters see ``cnn_core.sklearn.MLPClassifier``.

    Parameters
    ----------
    hidden, activation, output, loss, ...
        All of `MLP` but `task`.

    Attributes
    ----------
    weights_, biases_, classes_, history_, ...
        Those of `MLP`.

    Examples
    --------
    >>> from cnn_core import MLPClassifier
    >>> MLPClassifier(8, epochs=5).fit([[0.0], [1.0]], [0.0, 1.0]).classes_
    array([0., 1.])
    """

    _task = "classification"
    _in_files = "MLPClassifier"


class MLPRegressor(MLPOfOneTask):
    """Multilayer perceptron for regression: `MLP` with ``task='regression'``.

    Every y holds numbers to predict, ints too. For scikit-learn's own parameters see
    ``cnn_core.sklearn.MLPRegressor``.

    Parameters
    ----------
    hidden, activation, output, loss, ...
        All of `MLP` but `task`.

    Attributes
    ----------
    weights_, biases_, history_, ...
        Those of `MLP`, without `classes_`.

    Examples
    --------
    >>> from cnn_core import MLPRegressor
    >>> MLPRegressor(8, epochs=5).fit([[0.0], [1.0]], [3, 5]).predict([[0.5]]).shape
    (1,)
    """

    _task = "regression"
    _in_files = "MLPRegressor"

"""The parameters that both estimators share: what is allowed, what they mean, and what they say
about a training."""

from __future__ import annotations

import operator
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from cnn_core import _activations, parameters
from cnn_core.activations import Activation
from cnn_core.callbacks import Callback
from cnn_core.optimizers import LBFGS, OPTIMIZERS, SGD, Adam, Optimizer
from cnn_core.schedules import Schedule

if TYPE_CHECKING:
    from cnn_core.sklearn._base import BaseMLP

#: What `activation` may name.
ACTIVATIONS = {"logistic", *_activations.names()} - {"step", "sign"}


class _Precision(Options):
    """Whatever NumPy takes for float32 or float64: a name, a type or a dtype."""

    def __init__(self) -> None:
        super().__init__(object, {"float32", "float64"})

    def is_satisfied_by(self, value: Any) -> bool:
        try:
            return value is not None and np.dtype(value) in (np.float32, np.float64)
        except Exception:  # an object may answer NumPy with an error of any kind
            return False

    def __str__(self) -> str:
        return "float32 or float64 in a form that numpy.dtype takes"


#: What scikit-learn checks when `fit` is called.
CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(ACTIVATIONS), Activation, list, tuple],
    "solver": [StrOptions({*OPTIMIZERS}), Optimizer],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), Schedule],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left"), list, tuple, np.ndarray, None],
    "callbacks": [Callback, callable, list, tuple, None],
    "restore_best_weights": ["boolean", None],
    "dtype": [_Precision(), None],
    "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    "compatible": ["boolean"],
}

#: Docstrings share these.
PARAMETERS = """hidden_layer_sizes : int or sequence of int, default (100,)
        Widths of the hidden layers. ``()`` has none: logistic, softmax or linear regression.
    activation : str, Activation, or sequence of them, default 'relu'
        Of the hidden layers: 'identity', 'logistic', 'tanh', 'relu', any other that
        `cnn_core.activations` names ('leaky_relu', 'gelu', 'swish', ...), or an object such as
        ``LeakyReLU(0.1)``. A sequence has one for each layer.
    solver : str or Optimizer, default 'adam'
        'lbfgs' (SciPy's L-BFGS-B, full batch), 'sgd', 'adam', any other that `cnn_core.optimizers`
        names ('adamw', 'rmsprop', ...) with its own defaults and `learning_rate_init`, or an object
        such as ``AdamW(0.01)``, whose numbers then hold.
    alpha : float, default 0.0001
        Strength of the L2 penalty, at least 0: the cost of a mini-batch is increased by ``alpha / 2
        * sum W^2``, weights only, divided by its rows (by their weight, where they have one).
    batch_size : int or 'auto', default 'auto'
        Rows of a mini-batch; 'auto': 200, or all where there are fewer. Not for 'lbfgs'.
    learning_rate : {'constant', 'invscaling', 'adaptive'} or Schedule, default 'constant'
        'invscaling': ``learning_rate_init / (t_ + 1) ** power_t`` after each epoch. 'adaptive': a
        fifth of the rate whenever there has been no improvement for `n_iter_no_change` epochs, down
        to 1e-6. These two are for SGD; a schedule of `cnn_core.schedules` goes with every solver
        but 'lbfgs'.
    learning_rate_init : float, default 0.001
        Above 0.
    power_t : float, default 0.5
        At least 0.
    max_iter : int, default 200
        Epochs; for 'lbfgs' iterations.
    shuffle : bool, default True
        Whether to visit the rows in a new order in each epoch.
    random_state : int, RandomState or None
        Determines the initial weights, the rows set apart and the order of the rows.
    tol : float, default 0.0001
        What counts as an improvement, at least 0; for 'lbfgs' the largest entry of the gradient
        with which it stops.
    verbose : bool or int, default False
        Whether to print a line an epoch.
    warm_start : bool, default False
        Whether fit goes on from the present weights, with a new optimizer. With validation rows,
        the present weights are evaluated first, and their score on this fit's rows is what an epoch
        has to surpass.
    momentum : float, default 0.9
        Of 'sgd', in [0, 1].
    nesterovs_momentum : bool, default True
        Of 'sgd': whether the gradient counts as that of the point to which the momentum leads
        (Nesterov). No difference where `momentum` is 0.
    early_stopping : bool, default False
        Set rows apart, stop when the score on them has not improved for `n_iter_no_change` epochs,
        and bring back the best weights.
    validation_fraction : float, default 0.1
        Share of the rows to set apart, in (0, 1).
    beta_1 : float, default 0.9
        Of 'adam', in [0, 1): how much of the mean of the gradients each step keeps.
    beta_2 : float, default 0.999
        Of 'adam', in [0, 1): how much of the mean of their squares each step keeps.
    epsilon : float, default 1e-8
        Of 'adam', above 0.
    n_iter_no_change : int or inf, default 10
        Epochs without improvement that are borne; the next one ends the training.
    max_fun : int, default 15000
        Of 'lbfgs': most calls of cost and gradient.
    dropout : float, sequence of float or None, default 0
        Share of a layer's outputs that each step leaves out, in [0, 1): one number for all hidden
        layers, or one for the inputs and one for each hidden layer. None is 0. Not for 'lbfgs'.
    callbacks : Callback, function, sequence of them or None, default ()
        Functions ``(model, epoch, logs)`` are called after each epoch and end the training by
        returning True, nothing else; see `cnn_core.callbacks.Callback`. The model is as it is then;
        logs has loss, learning_rate and, with validation rows, validation_score. The model's
        weights are a copy: changes to them do not reach the training, and are gone after it. An
        exception in a callback ends the fit and leaves the model as it was before. Not for 'lbfgs',
        where any but none are an error.
    restore_best_weights : bool, optional
        Whether to end with the weights of the best epoch instead of the last: by the score with
        validation rows, else by the loss. None: with `early_stopping` only. True is not for
        'lbfgs'.
    dtype : {'float32', 'float64'} or what ``numpy.dtype`` makes these of, optional
        In which to train. None: that of X (other types than these two become float64), and float64
        for 'lbfgs'.
    n_threads : int, optional
        The most threads. None: `cnn_core.get_num_threads()`, but one where joblib runs fits in
        several threads of one process. Results do not depend on it.
    compatible : bool, default False
        Whether to do as scikit-learn does also where that is held to be a defect: an early stop of
        several classes splits them without regard to their shares; each `partial_fit` with an int
        `random_state` visits the rows in the same order; the value of a squared error is averaged
        over several outputs, while its gradient is that of their sum. The value of the log loss
        stays exact also then, where scikit-learn cuts probabilities off; docs/scikit-learn.md says
        where `loss_`, `loss_curve_`, `best_loss_`, printed lines and, through `tol`, `n_iter_` and
        the weights differ so."""

ATTRIBUTES = """coefs_ : list of ndarray, shape (fan_in, fan_out)
        The weights. They may be set, or changed in place; predictions follow.
    intercepts_ : list of ndarray, shape (fan_out,)
        The biases.
    loss_ : float
        The last epoch's mean loss, with the penalty.
    loss_curve_ : list of float
        The loss of each epoch. Not for 'lbfgs', as the next three.
    best_loss_ : float or None
        The lowest; None with `early_stopping`.
    validation_scores_ : list of float or None
        Scores on the validation rows; None where the last fit had none.
    best_validation_score_ : float or None
        The highest of the last fit; with `warm_start` also that of the weights from which it went
        on, on the same rows.
    n_iter_ : int
        Epochs (or iterations) of the last fit.
    t_ : int
        Rows trained on, over all epochs.
    n_layers_ : int
        Layers, the inputs and the outputs among them.
    n_outputs_ : int
    out_activation_ : str
        'softmax', 'logistic', 'identity' or 'exp'.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, shape (n_features,)
        There when X has column names."""


class _AnySGD(SGD):
    """SGD with momentum up to 1, which scikit-learn takes."""

    name = "sgd"

    def _validate(self) -> None:
        pass


def hidden_sizes(p: BaseMLP) -> list[int]:
    """The widths of the hidden layers."""
    sizes = p.hidden_layer_sizes
    sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    if not all(isinstance(size, Integral) for size in sizes):
        raise TypeError(f"hidden_layer_sizes must be whole numbers, got {sizes}")
    if any(size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return [operator.index(size) for size in sizes]


def are_activations(hidden: object, n_hidden: int) -> bool:
    """Whether this is an activation for all hidden layers, or one for each of them."""
    if isinstance(hidden, (list, tuple)):
        return len(hidden) == n_hidden and all(map(_is_activation, hidden))
    return _is_activation(hidden)


def _is_activation(one: object) -> bool:
    return isinstance(one, Activation) or (isinstance(one, str) and one in ACTIVATIONS)


def layer_activations(p: BaseMLP, n_layers: int, output: str) -> list[Any]:
    """The activations of all layers of weights, as users name them; the last is `output`."""
    hidden = p.activation
    if not isinstance(hidden, (list, tuple)):
        if not _is_activation(hidden):
            raise ValueError(
                f"activation must be among {', '.join(sorted(ACTIVATIONS))}, got {hidden!r}"
            )
        return [hidden] * (n_layers - 1) + [output]
    if len(hidden) != n_layers - 1:
        raise ValueError(
            "activation must be one for all hidden layers or one for each of the "
            f"{n_layers - 1}, got {len(hidden)}"
        )
    for one in hidden:
        if not _is_activation(one):
            raise ValueError(
                f"activation must hold names among {', '.join(sorted(ACTIVATIONS))}, got {one!r}"
            )
    return [*hidden, output]


def make_optimizer(p: BaseMLP) -> Optimizer:
    """The optimizer that `solver` means, with the numbers that scikit-learn's parameters give
    it."""
    solver = p.solver
    if isinstance(solver, LBFGS):
        raise ValueError("solver=LBFGS(...) is for cnn_core.MLP; say solver='lbfgs'")
    if isinstance(solver, Optimizer):
        return solver
    if solver == "sgd":
        return _AnySGD(float(p.learning_rate_init), float(p.momentum), bool(p.nesterovs_momentum))
    if solver == "adam":
        rate, beta_1, beta_2 = float(p.learning_rate_init), float(p.beta_1), float(p.beta_2)
        return Adam(rate, beta_1, beta_2, float(p.epsilon), epsilon_hat=True)
    found: Optimizer = OPTIMIZERS[solver]()
    return found


def initial_rate(p: BaseMLP) -> float:
    """The learning rate to begin with."""
    rate: Any = getattr(p.solver, "learning_rate", p.learning_rate_init)
    return float(rate)


def batch_rows(p: BaseMLP, count: int, whole: bool) -> int:
    """Rows of a mini-batch, of `count` in all; `whole`: of an optimizer that takes all."""
    if whole:
        return count
    if isinstance(p.batch_size, str):
        return min(200, count)
    if p.batch_size > count:
        p._warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped"
        )
    return min(int(p.batch_size), count)


def dropout_rates(p: BaseMLP, n_layers: int) -> tuple[float, ...]:
    """The share of its inputs that each layer leaves out, () where all are 0."""
    rates = parameters.dropout_rates(0.0 if p.dropout is None else p.dropout, n_layers - 1)
    return rates if any(rates) else ()

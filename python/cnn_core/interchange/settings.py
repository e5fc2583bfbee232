"""Parameters of scikit-learn's MLPs and ours: those that mean the same."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.optimizers import LBFGS, SGD, Adam

if TYPE_CHECKING:
    from cnn_core.model import Model

#: scikit-learn's name for each activation that it has, and ours.
ACTIVATIONS = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}

#: Rows of a mini-batch that scikit-learn's batch_size='auto' takes, if there are as many.
_AUTO = 200


def parameters_for_sklearn(p: SimpleNamespace, model: Model) -> dict[str, Any]:
    """Parameters for scikit-learn's estimators, but for the shape of the network.

    Parameters
    ----------
    p : namespace
        Those of MLP, checked.
    model : Model

    Returns
    -------
    dict
    """
    batch, settings = model.training_spec.batch_size, model.training_spec.settings
    stops = p.tol is not None or p.early_stopping
    found: dict[str, Any] = {
        "alpha": _alpha(float(p.l2), batch),
        "batch_size": batch if p.batch_size == "full" else int(p.batch_size),
        "learning_rate_init": float(settings["learning_rate"]),
        "shuffle": bool(p.shuffle),
        "random_state": _seed(p.random_state),
        "warm_start": bool(p.warm_start),
        "early_stopping": bool(p.early_stopping),
        "validation_fraction": float(p.validation_fraction),
        "n_iter_no_change": int(p.patience) if stops else np.inf,
        "verbose": bool(p.verbose),
    }
    if p.epochs:
        found["max_iter"] = int(p.epochs)
    if stops:
        found["tol"] = float(p.min_delta if p.early_stopping else p.tol)
    rule = p.rule
    if isinstance(rule, SGD):
        found |= {"solver": "sgd", "momentum": rule.momentum, "nesterovs_momentum": rule.nesterov}
    elif isinstance(rule, LBFGS):
        del found["learning_rate_init"]
        found |= {"solver": "lbfgs", "tol": float(rule.tolerance)}
    elif isinstance(rule, Adam):
        found |= {"beta_1": rule.beta1, "beta_2": rule.beta2, "epsilon": rule.epsilon}
    return found


def _alpha(l2: float, batch: int) -> float:
    """Their penalty is divided by the rows of each mini-batch, ours is not. Of the numbers that
    come back as this l2 the shortest."""
    alpha = l2 * batch
    short = float(f"{alpha:.12g}")
    return short if short / batch == l2 else alpha


def _seed(random_state: Any) -> Any:
    """The random_state for another library, which draws from a stream of its own."""
    if isinstance(random_state, np.random.Generator):
        return None
    whole = not isinstance(random_state, np.random.RandomState) and random_state is not None
    return int(random_state) % (1 << 32) if whole else copy.deepcopy(random_state)


def parameters_from_sklearn(net: Any) -> dict[str, Any]:
    """Parameters of MLP for one of scikit-learn's fitted MLPs, but for its shape and its scaling.

    Parameters
    ----------
    net : estimator
        Of scikit-learn, or of cnn_core.sklearn.

    Returns
    -------
    dict
    """
    rows = rows_of(net)
    batch: Any = _AUTO if net.batch_size == "auto" else int(net.batch_size)
    batch = batch if rows is None else min(batch, rows)
    # lbfgs reads all rows at once, of which it keeps no count.
    alpha, whole = float(net.alpha), net.solver == "lbfgs"
    found: dict[str, Any] = {
        "optimizer": _optimizer(net),
        "batch_size": "full" if whole else batch,
        "l2": 0.0 if whole else alpha / batch,
        "epochs": int(net.max_iter),
        "shuffle": bool(net.shuffle),
        "random_state": _seed(net.random_state),
        "warm_start": bool(net.warm_start),
        "verbose": int(bool(net.verbose)),
    }
    rate = net.learning_rate
    if not isinstance(rate, str) and rate is not None:  # a schedule, which the drop-in takes
        found["learning_rate"] = rate
    if whole:
        return found
    stops = np.isfinite(net.n_iter_no_change)
    if stops:
        found["patience"] = int(net.n_iter_no_change)
    if net.early_stopping:
        found |= {"early_stopping": True, "monitor": "val_metric", "min_delta": float(net.tol)}
        if net.validation_fraction:
            found["validation_fraction"] = float(net.validation_fraction)
    elif stops:
        found["tol"] = float(net.tol)
    return found


def rows_of(net: Any) -> int | None:
    """The rows that it was trained on, where it has kept count."""
    epochs, seen = len(getattr(net, "loss_curve_", None) or ()), getattr(net, "t_", 0)
    return max(1, int(seen) // epochs) if epochs and seen else None


def _optimizer(net: Any) -> Any:
    """The optimizer of one of scikit-learn's MLPs; its Adam corrects sqrt(v) + epsilon."""
    rate = float(net.learning_rate_init)
    if net.solver == "adam":
        return Adam(rate, float(net.beta_1), float(net.beta_2), float(net.epsilon), False, True)
    if net.solver == "sgd":
        if isinstance(net.learning_rate, str) and net.learning_rate != "constant":
            # It goes on with the rate that it has come to.
            rate = float(getattr(getattr(net, "_optimizer", None), "learning_rate", rate))
        return SGD(rate, float(net.momentum), bool(net.nesterovs_momentum))
    if net.solver == "lbfgs":
        return LBFGS(tolerance=float(net.tol))
    return net.solver  # of the drop-in, which takes all that MLP takes

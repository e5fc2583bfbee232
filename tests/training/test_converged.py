"""`tol` and `converged_`: training that ends because the loss falls no more."""

import numpy as np
import pytest
from mlp_cases import LINE, TWO, X, quick

from cnn_core import MLP

OPTIMIZERS = ["sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "nadam", "rprop"]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_ends_once_the_loss_falls_no_more(optimizer):
    rule = dict(optimizer=optimizer, learning_rate=None, epochs=60, patience=4)
    if optimizer == "rprop":
        rule["batch_size"] = "full"
    whole = quick(**rule).fit(X, TWO)
    assert whole.n_epochs_ == 60 and not whole.converged_
    losses = whole.history_["loss"]
    tol = (losses[0] - losses[-1]) / 20
    model = quick(**rule, tol=tol).fit(X, TWO)
    lowest, waited, end = np.inf, 0, 60
    for epoch, loss in enumerate(losses, 1):
        lowest, waited = (loss, 0) if loss < lowest - tol else (lowest, waited + 1)
        if waited == 4:
            end = epoch
            break
    assert model.n_epochs_ == end and model.converged_ is (end < 60 or waited == 4)
    same = quick(**rule | {"epochs": end}).fit(X, TWO)
    assert np.array_equal(model.parameters_, same.parameters_)


def test_a_still_run_converges_after_patience_epochs():
    model = quick(optimizer="sgd", learning_rate=1e-30, tol=0.0, patience=3).fit(X, TWO)
    assert model.n_epochs_ == 4 and model.converged_


def test_lbfgs_converges_by_its_own_tolerance_or_by_tol():
    options = dict(hidden=(), optimizer="lbfgs", dtype="float64", epochs=500)
    by_gradient = MLP(**options).fit(X, LINE)
    assert by_gradient.converged_ and by_gradient.n_epochs_ < 500
    by_loss = MLP(**options, tol=1.0, patience=1).fit(X, LINE)
    assert by_loss.converged_ and by_loss.n_epochs_ < by_gradient.n_epochs_
    assert not MLP(**options | {"epochs": 1}).fit(X, LINE).converged_


def test_early_stopping_is_no_convergence_and_may_go_with_tol():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    options = dict(early_stopping=True, patience=3, epochs=300, learning_rate=0.05)
    stopped = quick(**options).fit(X, y)
    assert stopped.n_epochs_ < 300 and not stopped.converged_
    same = quick(**options, tol=0.0).fit(X, y)
    assert np.array_equal(same.parameters_, stopped.parameters_) and not same.converged_
    sooner = quick(**options, tol=10.0).fit(X, y)
    assert sooner.converged_ and sooner.n_epochs_ == 4
    assert sooner.best_epoch_ == int(np.argmin(sooner.history_["val_loss"])) + 1


def test_training_that_goes_on_begins_to_wait_anew(capsys):
    model = quick(tol=10.0, patience=3, warm_start=True, verbose=1).fit(X, TWO)
    assert "stopped: converged in epoch 4; the weights are those of epoch 4" in (
        capsys.readouterr().out
    )
    assert model.converged_ and model.fit(X, TWO).n_epochs_ == 8
    assert not model.partial_fit(X, TWO).converged_
    assert not model.set_params(tol=None, epochs=2).fit(X, TWO).converged_


@pytest.mark.parametrize("tol", [-1.0, np.nan, "low"])
def test_a_bad_tol_is_refused(tol):
    with pytest.raises((ValueError, TypeError), match="tol must be a"):
        MLP(tol=tol)

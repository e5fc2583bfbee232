"""The summary says what is known of a fitted model, and no more."""

import contextlib
import pickle

import numpy as np
import pytest

from cnn_core import MLP, SGD, DivergenceWarning

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4))
TWO, LINE = (X[:, 0] > 0).astype(int), X @ [1.0, 2.0, -1.0, 0.5]


def summary(model, capsys, *rows):
    capsys.readouterr()
    print(model.summary(*rows))
    return capsys.readouterr().out


def fails(model, epoch, logs):
    if epoch == 2:
        raise KeyboardInterrupt


@pytest.mark.parametrize("options, words", [
    ({}, "ended after the last of its epochs"),
    (dict(callbacks=lambda model, epoch, logs: epoch == 2), "ended by a callback"),
    (dict(optimizer="lbfgs", hidden=(), epochs=1000), "ended as it had converged"),
    (dict(callbacks=fails), "ended by Ctrl-C or an error"),
    (dict(early_stopping=True, patience=2, epochs=500, learning_rate=0.05, task="regression"),
     "ended by early stopping, as val_loss no longer improved"),
], ids=range(5))  # fmt: skip
def test_it_says_why_the_training_ended(options, words, capsys):
    model = MLP(**dict(hidden=8, epochs=3, random_state=0) | options)
    with contextlib.suppress(KeyboardInterrupt):
        model.fit(X, LINE + 2 * RNG.normal(size=200))
    text = summary(model, capsys)
    assert f"\n{words}\n" in text
    if "stopping" in words:
        assert f"\nepoch {model.best_epoch_} of {model.n_epochs_}, the best: loss" in text


def test_it_says_that_training_diverged_or_goes_on(capsys):
    seen = []

    def watch(model, epoch, logs):
        seen.append(summary(model, capsys))

    model = MLP(8, epochs=3, random_state=0, callbacks=watch).fit(X, LINE)
    assert all("\nstill in training\n" in text for text in seen) and len(seen) == 3
    assert "still in training" not in summary(model, capsys)
    model = MLP(8, epochs=2, random_state=0, optimizer=SGD(1e-3)).fit(X, LINE)
    model.set_params(warm_start=True, optimizer=SGD(1e30))
    with pytest.warns(DivergenceWarning):
        model.fit(X, LINE)
    assert "ended after the last of its epochs" in summary(model, capsys)  # as it was before
    model = MLP(8, random_state=0).partial_fit(X, TWO)
    assert "\ntrained by partial_fit\n" in summary(model, capsys)


def test_silent_units_are_counted_for_rows_or_unknown(capsys):
    model = MLP((6, 5), epochs=1, random_state=0).fit(X, LINE)
    biases = [b.copy() for b in model.biases_]
    biases[0][:4] = -100
    biases[1][:] = -100
    model.biases_ = biases
    text = summary(model, capsys)
    assert "\nhidden units that are 0 for every row: unknown without rows;" in text
    text = summary(model, capsys, X)
    assert "each of 200 rows: 4 of 6 in hidden 1, 5 of 5 in hidden 2" in text
    assert "hidden units" not in summary(MLP((), epochs=1).fit(X, LINE), capsys)
    with pytest.raises(ValueError, match="X has 3 features"):
        model.summary(X[:, :3])


def test_scaling_is_told_or_that_there_is_none(capsys):
    plain = MLP(8, epochs=1, scale_inputs=None, scale_targets=None).fit(X * 100, LINE)
    assert "\ninputs are read as they are\n" in summary(plain, capsys)
    scaled = summary(MLP(8, epochs=1).fit(X * 100, LINE), capsys)
    assert "as they are" not in scaled and "inputs are scaled" in scaled


def test_a_model_of_an_older_pickle_has_no_reason(capsys):
    import pickle

    model = MLP(8, epochs=2, random_state=0).fit(X, TWO)
    from cnn_core._state import opened

    state = opened(model._fitted.__getstate__())
    for name in ("ended", "weighted", "stream"):
        del state[name]
    old = type(model._fitted).__new__(type(model._fitted))
    old.__setstate__(pickle.loads(pickle.dumps(state)))
    model._fitted = old
    assert "ended for a reason that is not known" in summary(model, capsys)


def test_it_is_a_text_that_is_shown_once(capsys):
    model = MLP(8, epochs=2, random_state=0).fit(X, TWO)
    shown = model.summary()
    assert capsys.readouterr().out == ""
    assert isinstance(shown, str) and repr(shown) == str(shown) == f"{shown}"
    assert shown.startswith("layer ") and pickle.loads(pickle.dumps(shown)) == shown
    print(shown)
    assert capsys.readouterr().out == shown + "\n" and "None" not in shown

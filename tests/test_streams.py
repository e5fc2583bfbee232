"""partial_fit without an end: what a call costs, what history keeps, what schedules remember."""

import copy
import math
import pickle

import numpy as np
import pytest
from cnn_core.history import STREAMED, Losses, Past
from cnn_core.schedules import InverseTime, ReduceOnPlateau, Schedule, Warmup

from cnn_core import MLP, DivergenceWarning

RNG = np.random.default_rng(4)
X = RNG.normal(size=(12, 3)).astype("float32")
LINE = (X @ [1.0, -2.0, 0.5]).astype("float32")
TWO = (LINE > 0).astype(int)


def streamed(calls, model=None, **options):
    model = MLP(2, random_state=0, **options) if model is None else model
    for _ in range(calls):
        model.partial_fit(X, LINE)
    return model


@pytest.fixture(scope="module")
def long():
    """A model after 1,100 calls, and the entries of each."""
    model, entries = MLP(2, random_state=0), []
    for _ in range(1100):
        model.partial_fit(X, LINE)
        entries.append(model.history_["loss"][-1])
    return model, entries


@pytest.mark.slow
def test_history_keeps_the_last_thousand_epochs_and_counts_all(long):
    model, entries = long
    assert STREAMED == 1000
    assert model.n_epochs_ == 1100 and isinstance(model.history_, dict)
    assert {len(values) for values in model.history_.values()} == {STREAMED}
    assert all(type(values) is list for values in model.history_.values())
    assert model.history_["loss"] == entries[-STREAMED:]
    assert model.history_.keys() == {"loss", "metric", "learning_rate", "seconds"}


def test_the_best_epoch_is_counted_from_the_first_of_all(long):
    model, entries = long
    assert model.best_epoch_ == 100 + int(np.argmin(entries[-STREAMED:])) + 1


def test_what_looks_at_the_history_still_does(long, capsys):
    model, entries = long
    print(model.summary())
    assert f"after 1100 epochs: loss {entries[-1]:.4g}" in capsys.readouterr().out
    assert math.isfinite(model.evaluate(X, LINE)["loss"])


@pytest.mark.parametrize("move", [pickle.dumps, copy.deepcopy], ids=["pickle", "deepcopy"])
def test_copies_go_on_alike(long, move):
    model, entries = long
    other = move(model)
    other = pickle.loads(other) if isinstance(other, bytes) else other
    assert other.history_ == model.history_ and other.n_epochs_ == 1100
    one, two = (streamed(3, copy.copy(each)) for each in (model, other))
    assert np.array_equal(one.parameters_, two.parameters_)
    assert one.history_["loss"] == two.history_["loss"] and one.n_epochs_ == 1103
    assert model.n_epochs_ == 1100 and model.history_["loss"] == entries[-STREAMED:]


def test_a_pickle_does_not_grow(long):
    model, _ = long
    before = len(pickle.dumps(model))
    after = len(pickle.dumps(streamed(150, copy.deepcopy(model))))
    assert abs(after - before) < 200


def test_a_parameter_of_another_kind_is_checked_although_it_is_equal():
    model = streamed(2, shuffle=True)
    model.shuffle = 1.0
    with pytest.raises(TypeError, match="shuffle"):
        streamed(1, model)


@pytest.mark.slow
def test_a_fits_own_history_stays_whole():
    model = MLP(2, epochs=30, random_state=0, warm_start=True).fit(X, LINE)
    whole = model.history_["loss"]
    streamed(STREAMED + 5, model)
    losses = model.history_["loss"]
    assert losses[:30] == whole and len(losses) == 30 + STREAMED and model.n_epochs_ == 1035
    assert model.best_epoch_ == np.argmin(losses) + 1 + (5 if np.argmin(losses) >= 30 else 0)
    model.fit(X, LINE)
    assert model.history_["loss"][: 30 + STREAMED] == losses and model.n_epochs_ == 1065
    assert len(model.history_["loss"]) == 60 + STREAMED
    streamed(2, model)
    assert len(model.history_["loss"]) == 62 + STREAMED and model.n_epochs_ == 1067


@pytest.mark.slow
def test_a_fit_with_validation_and_early_stopping_after_a_stream(capsys):
    model = streamed(STREAMED + 20)
    model.set_params(warm_start=True, early_stopping=True, patience=2, epochs=20)
    with pytest.warns(UserWarning, match="y of the validation data is about -"):
        model.fit(X, LINE, validation_data=(X, -LINE))
    assert STREAMED + 20 <= model.best_epoch_ < model.n_epochs_
    assert math.isnan(model.history_["val_loss"][0])
    print(model.summary())
    best = model.best_epoch_ - 20
    assert f"epoch {model.best_epoch_} of {model.n_epochs_}" in (shown := capsys.readouterr().out)
    assert f"loss {model.history_['loss'][best - 1]:.4g}" in shown
    assert math.isfinite(model.evaluate(X, LINE)["loss"])


def test_a_fit_of_many_epochs_with_a_callback_copies_no_history():
    model = MLP(2, epochs=3, random_state=0, callbacks=lambda m, e, logs: seen.append(m._fitted))
    seen = []
    model.fit(X, LINE)
    assert [len(one.history["loss"]) for one in seen] == [1, 2, 3]  # each as it was then
    assert len({id(one.history.parts[0][0]) for one in seen}) == 1  # and all the same columns


def test_two_that_go_on_from_one_model_do_not_disturb_each_other():
    first = streamed(5)
    one, two = copy.copy(first), copy.copy(first)
    streamed(3, one)
    two.partial_fit(X, -LINE)
    assert (first.n_epochs_, one.n_epochs_, two.n_epochs_) == (5, 8, 6)
    assert one.history_["loss"][:5] == two.history_["loss"][:5] == first.history_["loss"]
    assert one.history_["loss"][5] != two.history_["loss"][5]


def test_a_call_that_fails_or_diverges_leaves_the_history(long):
    model = copy.deepcopy(long[0])
    before = model.history_
    with pytest.raises(ValueError, match="nan"):
        model.partial_fit(X * np.nan, LINE)
    with pytest.warns(DivergenceWarning, match="in epoch 1101"):
        model.set_params(optimizer="sgd", learning_rate=1e300).partial_fit(X, LINE)
    assert model.history_ == before and model.n_epochs_ == 1100


def test_an_old_history_that_is_a_dict_goes_on():
    model = streamed(3)
    state = model._fitted.__getstate__() | {"history": model.history_}
    model._fitted.__setstate__(state)
    assert streamed(2, model).n_epochs_ == 5 and len(model.history_["loss"]) == 5


# Weights of classes


@pytest.mark.parametrize("before", ["new", "after a fit", "after a partial_fit"])
@pytest.mark.parametrize("labels", [TWO, TWO.astype(str), TWO.astype(bool), np.zeros(12, int)])
def test_balanced_classes_are_refused_in_a_stream(before, labels):
    model = MLP(2, epochs=2, class_weight="balanced", random_state=0)
    if before == "after a fit":
        model.fit(X, [0, 1] * 6)
    elif before == "after a partial_fit":
        model.set_params(class_weight=None).partial_fit(X, [0, 1] * 6)
        model.set_params(class_weight="balanced")
    fitted = model._fitted
    with pytest.raises(ValueError, match="class_weight='balanced' .* give a dict") as caught:
        model.partial_fit(X, labels)
    assert model._fitted is fitted and str(caught.value).count(". ") == 0


def test_a_dict_of_weights_takes_the_place_of_balanced():
    weights = {label: 8 / (2 * count) for label, count in enumerate(np.bincount(TWO[:8]).tolist())}
    one = MLP(2, epochs=1, class_weight="balanced", random_state=0).fit(X[:8], TWO[:8])
    two = MLP(2, class_weight=weights, random_state=0).partial_fit(X[:8], TWO[:8])
    assert np.array_equal(one.parameters_, two.parameters_)


# Schedules

PLATEAU = ReduceOnPlateau(patience=40, drop=0.9, min_delta=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", [
    PLATEAU, Warmup(7, PLATEAU), Warmup(1030, PLATEAU), InverseTime(0.01),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("fitted", [0, 25])
def test_schedules_go_on_as_if_nothing_were_forgotten(schedule, fitted):
    options = dict(learning_rate=schedule, random_state=0, epochs=1150, scale_targets=None)
    once = MLP(2, **options).fit(X, LINE)
    model = MLP(2, **options)
    if fitted:
        model.set_params(epochs=fitted).fit(X, LINE)
    rates = []
    for _ in range(1150 - fitted):
        model.set_params(epochs=1150).partial_fit(X, LINE)
        rates.append(model.history_["learning_rate"][-1])
    assert rates == once.history_["learning_rate"][fitted:]
    assert np.array_equal(model.parameters_, once.parameters_)


def rates_of(schedule, losses, forget_after=5):
    """The rates after each of some losses, of which only a few are kept."""
    past, found, whole = Past(), [], []
    for loss in losses:
        found.append(schedule.after(past.losses("loss"), 1.0))
        whole.append(loss)
        past = past.streamed_on(past.extended({"loss": [loss]}, 1), schedule)
    return found, past


@pytest.mark.parametrize("schedule", [
    ReduceOnPlateau(2, 0.5), ReduceOnPlateau(3, 0.5, 0.1), Warmup(3, ReduceOnPlateau(2, 0.5)),
    Warmup(8, ReduceOnPlateau(1, 0.5)), Warmup(2, Warmup(2, ReduceOnPlateau(2, 0.5))),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("keeps", [1, 2, 3, 7])
def test_a_plateau_is_seen_whatever_is_kept(schedule, keeps, monkeypatch):
    monkeypatch.setattr("cnn_core.history.STREAMED", keeps)
    losses = np.random.default_rng(keeps).uniform(size=40).cumsum()[::-1] % 3
    found, past = rates_of(schedule, losses.tolist())
    assert found == [schedule.after(losses[:n].tolist(), 1.0) for n in range(40)]
    assert past.n_epochs == 40 and past.kept == keeps and past.epoch_at(0) == 41 - keeps


def test_another_rule_begins_with_what_is_kept(monkeypatch):
    monkeypatch.setattr("cnn_core.history.STREAMED", 4)
    _, past = rates_of(ReduceOnPlateau(2, 0.5), [1.0] * 20)
    assert ReduceOnPlateau(3, 0.5).after(past.losses("loss"), 1.0) == 0.5
    assert ReduceOnPlateau(2, 0.5).after(past.losses("loss"), 1.0) == 0.5**9


def test_a_users_schedule_sees_the_losses_that_are_kept(monkeypatch):
    monkeypatch.setattr("cnn_core.history.STREAMED", 3)

    class Counting(Schedule):
        def after(self, losses, initial):
            assert isinstance(losses, list)
            return 1.0 + len(losses)

    assert rates_of(Counting(), [1.0] * 6)[0] == [1, 2, 3, 4, 4, 4]


# The pieces of a history


def test_pieces_stay_few_however_often_training_goes_on():
    past = Past()
    for epoch in range(500):
        past = past.settled().extended({"loss": [float(epoch)]}, 1)
        assert len(past.parts) < 12
    assert past["loss"] == list(range(500)) and past.n_epochs == 500


def test_a_stream_between_fits_forgets_its_own_entries_alone(monkeypatch):
    monkeypatch.setattr("cnn_core.history.STREAMED", 2)
    past, wanted, schedule = Past(), [], Schedule()
    for epochs, stream in ((3, False), (1, True), (4, True), (2, False), (1, True), (2, True)):
        start = past.n_epochs + 1
        after = past.settled().extended({"loss": [float(start + i) for i in range(epochs)]}, epochs)
        past = past.streamed_on(after, schedule) if stream else after
    wanted = [1, 2, 3, 7, 8, 9, 10, 12, 13]
    assert past["loss"] == wanted == [past.epoch_at(i) for i in range(len(wanted))]
    assert past.n_epochs == 13 and past.forgotten == 4
    assert [Losses(past["loss"], past.gaps).after(n) for n in (0, 3, 5, 8, 10, 11, 13)] == [
        sum(epoch <= n for epoch in wanted) for n in (0, 3, 5, 8, 10, 11, 13)
    ]

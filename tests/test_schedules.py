"""Learning-rate schedules: the rates they give, and that training takes them."""

import math

import numpy as np
import pytest
from cnn_core.schedules import (
    Constant,
    Cosine,
    Coslog,
    Exponential,
    FlatCosine,
    InverseTime,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
    StepDecay,
    Warmup,
)

from cnn_core import MLP, SGD

X = np.random.default_rng(0).normal(size=(50, 3))
y = X @ [1.0, -1, 2]


def all_rates(schedule, initial, per_epoch, epochs):
    return np.concatenate(
        [
            schedule.rates(
                initial, np.arange(e * per_epoch, (e + 1) * per_epoch), e, per_epoch, epochs
            )
            for e in range(epochs)
        ]
    )


def at_epochs(schedule, epochs):
    return all_rates(schedule, 0.4, 1, epochs).tolist()


def test_rates_by_epoch_follow_their_formulas():
    assert at_epochs(Constant(), 3) == [0.4] * 3
    assert at_epochs(StepDecay(every=2, drop=0.5), 6) == [0.4, 0.4, 0.2, 0.2, 0.1, 0.1]
    assert at_epochs(Exponential(0.9), 4) == pytest.approx(
        [0.4 * 0.9**e for e in range(4)], rel=1e-15
    )
    assert at_epochs(InverseTime(0.5), 4) == pytest.approx(
        [0.4 / (1 + 0.5 * e) for e in range(4)], rel=1e-15
    )


def test_a_rate_by_epoch_holds_for_all_its_steps():
    assert all_rates(StepDecay(every=1, drop=0.1), 1.0, 3, 2).tolist() == [1, 1, 1, 0.1, 0.1, 0.1]


def test_cosine_falls_step_by_step():
    rates = all_rates(Cosine(final=0.1), 0.5, 4, 5)
    expected = [0.1 + 0.4 * (1 + math.cos(math.pi * t / 20)) / 2 for t in range(20)]
    np.testing.assert_allclose(rates, expected, rtol=1e-15, atol=1e-16)


@pytest.mark.parametrize("cycles", [1, 2, 4, 7])
def test_coslog_has_cycles_each_twice_as_long_as_the_one_before(cycles):
    rates = all_rates(Coslog(cycles), 0.3, 10, 2 ** (cycles + 3))
    t = np.arange(len(rates)) / len(rates)
    expected = 0.15 * (1 - np.cos(2 * np.pi * np.log2(1 + (2**cycles - 1) * t)))
    np.testing.assert_allclose(rates, expected, rtol=1e-12, atol=1e-16)
    assert rates[0] == 0
    tops = np.flatnonzero((rates[1:-1] > rates[:-2]) & (rates[1:-1] >= rates[2:])) + 1
    assert len(tops) == cycles
    assert 0.299 < rates[tops].min() <= 0.3
    # With x = 1 + (2^cycles - 1) t the k-th top is at log2 x = k + 1/2.
    where = (2 ** (np.arange(cycles) + 0.5) - 1) / (2**cycles - 1)
    np.testing.assert_allclose(t[tops], where, atol=2 / len(rates))


@pytest.mark.parametrize("flat", [0, 0.25, 0.5])
def test_flat_cosine_stays_and_then_falls_to_0(flat):
    rates = all_rates(FlatCosine(flat), 0.5, 10, 20)
    t = np.arange(200) / 200
    expected = np.where(t < flat, 1, (1 + np.cos(np.pi * (t - flat) / (1 - flat))) / 2)
    np.testing.assert_allclose(rates, 0.5 * expected, rtol=1e-14, atol=1e-16)
    assert (rates[: int(200 * flat)] == 0.5).all() and 0 < rates[-1] < 1e-3


def test_schedules_that_fall_to_0_train():
    for schedule in (Coslog(initial=0.05), FlatCosine(initial=0.05), Coslog(1, initial=0.05)):
        model = MLP((4,), epochs=30, random_state=0, learning_rate=schedule).fit(X, y)
        assert model.score(X, y) > 0.5
        assert model.history_["learning_rate"][0] > 0 or isinstance(schedule, Coslog)


def test_warmup_grows_evenly_and_then_follows():
    rates = all_rates(Warmup(2, then=Cosine()), 1.0, 5, 6)
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    np.testing.assert_array_equal(rates[10:], all_rates(Cosine(), 1.0, 5, 4))


def test_one_cycle_rises_and_falls():
    rates = all_rates(OneCycle(rise=0.25, start=0.1, end=0.01), 2.0, 10, 10)
    top = int(rates.argmax())
    assert (
        rates[0] == pytest.approx(0.2)
        and rates[-1] == pytest.approx(0.02)
        and rates[top] == pytest.approx(2, rel=1e-3)
    )
    assert (
        24 <= top <= 25
        and (np.diff(rates[: top + 1]) > 0).all()
        and (np.diff(rates[top:]) < 0).all()
    )


def test_plateau_waits_and_drops_and_waits_again():
    schedule = ReduceOnPlateau(patience=2, drop=0.5, min_delta=0.1, smallest=0.2)
    losses = [1, 0.8, 0.75, 0.75, 0.75, 0.75, 0.5, 0.5, 0.5, 0.5, 0.5]
    rates = [schedule.after(losses[: n + 1], 1.0) for n in range(len(losses))]
    assert rates == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2]


@pytest.mark.parametrize(
    "schedule",
    [
        Constant(initial=0.05),
        StepDecay(1, 0.5, initial=0.05),
        Cosine(initial=0.05),
        OneCycle(initial=0.05),
        Warmup(2, Exponential(0.5), initial=0.05),
    ],
)
def test_training_takes_the_rates_of_the_schedule(schedule):
    options = dict(
        hidden=4, optimizer=SGD(), batch_size=10, random_state=0, dtype="float64", shuffle=False
    )
    scheduled = MLP(**options, epochs=4, learning_rate=schedule).fit(X, y)
    rates = all_rates(schedule, 0.05, 5, 4)
    assert (
        scheduled.history_["learning_rate"] == rates[4::5].tolist()
    )  # that of an epoch's last step
    weights = MLP(**options, epochs=1, learning_rate=1e-300).fit(X, y)
    for step, rate in enumerate(rates):
        rows = slice(step % 5 * 10, step % 5 * 10 + 10)
        _, gradient = weights.loss_and_gradient(X[rows], y[rows])
        weights.parameters_ = weights.parameters_ - rate * gradient
    np.testing.assert_allclose(scheduled.parameters_, weights.parameters_, rtol=1e-12, atol=1e-14)


def test_plateau_looks_at_the_validation_loss_where_there_is_one():
    stuck = MLP(
        4,
        learning_rate=ReduceOnPlateau(2, 0.5, initial=1e-30),
        optimizer="sgd",
        epochs=6,
        random_state=0,
    )
    assert stuck.fit(X, y).history_["learning_rate"] == [1e-30] * 3 + [5e-31] * 2 + [2.5e-31]
    schedule = ReduceOnPlateau(1, 0.5, initial=0.01)
    model = MLP(
        4,
        learning_rate=schedule,
        optimizer="sgd",
        epochs=20,
        random_state=0,
        scale_inputs=None,
        scale_targets=None,
    )
    with pytest.warns(UserWarning, match="y of the validation data is about -"):
        history = model.fit(X, y, validation_data=(X, -y)).history_  # learning makes it worse
    by = {
        name: [schedule.after(history[name][:e], 0.01) for e in range(20)]
        for name in ("loss", "val_loss")
    }
    assert history["learning_rate"] == by["val_loss"] != by["loss"]


def test_without_an_initial_rate_the_optimizer_s_own_is_taken():
    assert MLP(4, learning_rate=Constant(), optimizer=SGD(0.3), epochs=1).fit(X, y).history_[
        "learning_rate"
    ] == [0.3]


@pytest.mark.parametrize("make, message", [
    (lambda: StepDecay(every=0), "StepDecay: every must be a whole number of at least 1"),
    (lambda: StepDecay(drop=1), "StepDecay: drop"),
    (lambda: Exponential(0), "above 0 and below 1"),
    (lambda: Cosine(initial=-1), "Cosine: initial"),
    (lambda: OneCycle(rise=1), "OneCycle: rise"),
    (lambda: OneCycle(start=7), "OneCycle: start must be above 0 and at most 1, got 7"),
    (lambda: Warmup(then=Cosine(initial=0.1)), "leave it out of then=Cosine"),
    (lambda: ReduceOnPlateau(patience=2.5), "patience"),
    (lambda: Warmup(epochs=-1), "Warmup: epochs"),
])  # fmt: skip
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
    with pytest.raises(TypeError, match="then must be a schedule"):
        Warmup(then=0.1)


def test_schedules_have_a_repr_and_equality():
    assert eval(repr(Warmup(2, Cosine(final=0.1)))) == Warmup(2, Cosine(final=0.1))


def test_a_schedule_of_ones_own_may_hold_numbers_and_is_checked():
    class Root(Schedule):
        def __init__(self, tau, *, initial=None):
            super().__init__(initial=initial)
            self.tau = tau

        def factor(self, epoch):
            return self.tau[epoch]

    X, y = np.eye(4), np.arange(4.0)
    model = MLP(2, epochs=2, learning_rate=Root([1, 0.5], initial=0.1)).fit(X, y)
    assert model.history_["learning_rate"] == [0.1, 0.05]
    with pytest.raises(AttributeError, match="do not change"):
        model.learning_rate.tau = 3
    for bad, message in (
        (-1, "at least 0, got -1"),
        (float("nan"), "finite"),
        ("a", "must be a number"),
    ):
        with pytest.raises(
            (ValueError, TypeError), match=rf"Root.factor\(0\) must be .*{message}|Root.*{message}"
        ):
            MLP(2, epochs=2, learning_rate=Root([bad], initial=0.1)).fit(X, y)

    class Steps(Schedule):
        def rates(self, initial, steps, epoch, per_epoch, epochs):
            return [-1.0] * per_epoch

    with pytest.raises(
        ValueError,
        match="Steps must give a finite rate of at least 0 for each of the 1 mini-batches",
    ):
        MLP(2, epochs=2, learning_rate=Steps()).fit(X, y)


def test_a_constant_rate_may_be_given_by_place():
    assert Constant(0.02) == Constant(initial=0.02)

"""Nets side by side: each has the bits of its own training, whatever the others are."""

import functools
import signal
import threading

import numpy as np
import pytest
from cnn_core._backprop import Backprop
from cnn_core._control import Ended, EndRequest
from cnn_core._dataset import RowSource
from cnn_core._network import Network
from cnn_core._trainer import Trainer
from training_cases import LOSS, SETTINGS, digest, numbers

from cnn_core import _activations, _lanes, _losses


def make(seed, dtype="float32", widths=(5, 7, 3), hidden="tanh", last=None, **options):
    """A trainer whose parameters, rate and seed are its own."""
    optimizer, loss = options.pop("optimizer", "adam"), options.pop("loss", LOSS)
    batch, bias = options.pop("batch", 16), options.pop("bias", True)
    of_backprop = {
        name: options.pop(name) for name in ("l1", "l2", "penalty_per_row") if name in options
    }
    row = _losses.table()[loss]
    last = last or (row.fused_activations[0] if row.fused_activations else "identity")
    network = Network(widths, (hidden,) * (len(widths) - 2) + (last,), dtype, bias=bias)
    network.set_flat(numbers(100 + seed, network.flat().size) * 0.5)
    settings = SETTINGS[optimizer]
    settings = settings | {"learning_rate": settings["learning_rate"] * (1 + seed / 20)}
    backprop = Backprop(network, loss, batch, **of_backprop)
    return Trainer(backprop, optimizer, settings, seed, **options)


def rows_for(trainer, seed=1, rows=71, weighted=False, classes=False, total_weight=None):
    """Rows for a trainer: labels for a sparse loss, else targets that its loss takes."""
    network, loss = trainer.backprop.network, _losses.table()[trainer.backprop.loss.name]
    dtype, n_in, n_out = network.dtype.name, network.widths[0], network.widths[-1]
    labels = (numbers(seed + 1, rows, 1) + 1) * n_out / 2
    y = numbers(seed + 2, rows, n_out, dtype=dtype)
    if np.isfinite(loss.low):
        y = abs(y)
    if trainer.backprop.loss.name == "hinge":
        y = np.sign(y)
    return (
        RowSource(numbers(seed, rows, n_in, dtype=dtype)),
        None if loss.sparse else RowSource(y),
        RowSource(labels.astype(np.int32)) if loss.sparse or classes else None,
        RowSource(numbers(seed + 3, rows, 1, dtype=dtype) + 1) if weighted else None,
        total_weight,
    )


def state(trainer):
    """All that an epoch changes."""
    numbers_of = trainer.state()
    return (
        digest(trainer.parameters, *trainer.slots),
        trainer.steps,
        trainer.epochs,
        trainer.learning_rate,
        numbers_of["numbers"],
        digest(trainer.gradient),
    )


def alone(trainer, data, shuffled, rates):
    X, y, labels, weights, total_weight = data
    return trainer.epoch(
        X, y, labels, shuffled, weights=weights, rates=rates, total_weight=total_weight
    )


def assert_same(build, n=3, epochs=2, shuffled=True, rates=None, threads=1, **of_rows):
    """Epochs side by side leave and return what epochs alone do; `build` makes trainer i."""
    single, beside = [build(i) for i in range(n)], [build(i) for i in range(n)]
    data = [rows_for(trainer, 10 * i, **of_rows) for i, trainer in enumerate(single)]
    assert {_lanes.alike(trainer) for trainer in beside} == {_lanes.alike(single[0])} != {None}
    for _ in range(epochs):
        expected = [alone(single[i], data[i], shuffled, rates and rates[i]) for i in range(n)]
        got = _lanes.epochs(beside, data, shuffled, rates, threads)
        np.testing.assert_equal(got, expected)
        assert [state(trainer) for trainer in beside] == [state(trainer) for trainer in single]


@pytest.mark.parametrize("hidden", [name for name in _activations.names() if name != "softmax"])
def test_each_activation_has_the_bits_of_an_epoch_alone(hidden, isa, dtype):
    assert_same(lambda seed: make(seed, dtype, hidden=hidden))


PAIRS = [
    (loss, last)
    for loss, row in _losses.table().items()
    if row.heads == 1
    for last in row.fused_activations or _activations.names()
]


@pytest.mark.parametrize("loss, last", PAIRS)
def test_each_loss_and_output_activation_has_the_bits_of_an_epoch_alone(loss, last, isa, dtype):
    assert_same(lambda seed: make(seed, dtype, loss=loss, last=last))


def test_a_softmax_between_layers_has_the_bits_of_an_epoch_alone(isa, dtype):
    assert_same(lambda seed: make(seed, dtype, hidden="softmax", widths=(4, 8, 6, 2)))


@pytest.mark.parametrize("optimizer", SETTINGS)
def test_each_optimizer_has_the_bits_of_an_epoch_alone(optimizer, isa, dtype):
    assert_same(lambda seed: make(seed, dtype, optimizer=optimizer), epochs=3)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 16, 17, 33])
def test_any_number_of_nets_has_the_bits_of_epochs_alone(n, threads, isa, dtype):
    assert_same(lambda seed: make(seed, dtype, widths=(3, 4, 2)), n, threads=threads)


@pytest.mark.parametrize("n_in", [1, 2, 7, 8, 9, 15, 16, 17, 20])
def test_any_width_has_the_bits_of_an_epoch_alone(n_in, isa, dtype):
    for n_hidden in (1, 3, 4, 5, 6, 13, 16, 20):
        assert_same(lambda seed: make(seed, dtype, widths=(n_in, n_hidden, 3)), 2, 1)
    for n_out in range(1, 9):
        assert_same(lambda seed: make(seed, dtype, widths=(n_in, 4, n_out), loss="mse"), 2, 1)
    assert_same(lambda seed: make(seed, dtype, widths=(n_in, 2)))
    assert_same(lambda seed: make(seed, dtype, widths=(n_in, 4, 9, 5, 2)))


@pytest.mark.parametrize("batch", [1, 5, 16, 17, 32, 33, 70, 71, 500])
@pytest.mark.parametrize("shuffled", [False, True])
def test_any_mini_batch_has_the_bits_of_an_epoch_alone(batch, shuffled, isa, dtype):
    assert_same(lambda seed: make(seed, dtype, batch=batch), shuffled=shuffled)


@pytest.mark.parametrize("total_weight", [None, 50.0])
@pytest.mark.parametrize("by_rows", [False, True])
def test_weighted_rows_have_the_bits_of_an_epoch_alone(total_weight, by_rows, isa, dtype):
    build = functools.partial(make, dtype=dtype, by_rows=by_rows, cost_scale=0.7)
    penalised = functools.partial(build, l2=0.1, penalty_per_row=True)
    for one in (build, penalised):
        assert_same(one, weighted=True, total_weight=total_weight)
        assert_same(one, total_weight=total_weight)


def test_mini_batches_without_weight_have_the_bits_of_an_epoch_alone(dtype):
    build = functools.partial(make, dtype=dtype, l1=0.1, penalty_per_row=True)
    single, beside = [build(i) for i in range(2)], [build(i) for i in range(2)]
    data = [rows_for(trainer, rows=32) for trainer in single]
    weights = np.ones((32, 1), dtype)
    weights[:16] = 0
    data[0] = (*data[0][:3], RowSource(weights), None)
    data[1] = (*data[1][:3], RowSource(weights[::-1].copy()), None)
    expected = [alone(single[i], data[i], False, None) for i in range(2)]
    assert _lanes.epochs(beside, data, False) == expected
    assert [state(trainer) for trainer in beside] == [state(trainer) for trainer in single]


@pytest.mark.parametrize("penalty", [{"l1": 0.01}, {"l2": 0.01}, {"l1": 0.02, "l2": 0.03}])
@pytest.mark.parametrize("bias", [False, True])
def test_penalties_have_the_bits_of_an_epoch_alone(penalty, bias, isa, dtype):
    for widths in ((5, 7, 3), (20, 40, 18, 5), (98, 66, 3)):
        build = functools.partial(make, dtype=dtype, widths=widths, bias=bias, **penalty)
        assert_same(build, 2)
        assert_same(functools.partial(build, penalty_per_row=True), 2)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rprop", "nadam"])
@pytest.mark.parametrize("bias", [False, True])
def test_groups_of_parameters_have_the_bits_of_an_epoch_alone(optimizer, bias, isa, dtype):
    factors = np.linspace(0.3, 1.5, 7).tolist()
    build = functools.partial(
        make, dtype=dtype, optimizer=optimizer, bias=bias, widths=(5, 18, 9, 3)
    )
    assert_same(functools.partial(build, rate_factors=factors))
    assert_same(functools.partial(build, decay_factors=factors[::-1], rate_factors=factors))


@pytest.mark.parametrize("limit", [{"clip_norm": 0.05}, {"clip_norm": 0.3}, {"max_norm": 0.6}])
@pytest.mark.parametrize("bias", [False, True])
def test_limits_of_norms_have_the_bits_of_an_epoch_alone(limit, bias, isa, dtype):
    for widths in ((5, 7, 3), (6, 40, 17, 5)):
        assert_same(functools.partial(make, dtype=dtype, bias=bias, widths=widths, **limit))


def test_norms_whose_squares_overflow_have_the_bits_of_an_epoch_alone(isa, dtype):
    big = 1e160 if dtype == "float64" else 1e22

    def build(seed, **limit):
        trainer = make(seed, dtype, (5, 3), loss="mse", optimizer="sgd", **limit)
        trainer.set_flat(np.ones(trainer.flat_gradient().size) * (big if seed == 1 else 0.1))
        trainer.learning_rate = 0.01
        return trainer

    for limit in ({"clip_norm": 0.5}, {"max_norm": 0.5}):
        assert_same(functools.partial(build, **limit), epochs=1)


def test_rows_by_index_have_the_bits_of_an_epoch_alone(dtype):
    single, beside = [make(i, dtype) for i in range(3)], [make(i, dtype) for i in range(3)]
    X, _, labels, _, _ = rows_for(single[0], rows=90)
    chosen = [np.arange(i, 90, 3) for i in range(3)]
    data = [
        (RowSource(X.array, rows), None, RowSource(labels.array, rows), None, None)
        for rows in chosen
    ]
    for _ in range(2):
        expected = [alone(single[i], data[i], True, None) for i in range(3)]
        assert _lanes.epochs(beside, data, True) == expected
    assert [state(trainer) for trainer in beside] == [state(trainer) for trainer in single]


def test_scheduled_rates_have_the_bits_of_an_epoch_alone(dtype):
    rates = [np.linspace(0.01 + i / 100, 0.001, 5) for i in range(3)]
    for optimizer in SETTINGS:
        assert_same(lambda seed: make(seed, dtype, optimizer=optimizer), rates=rates)


def test_scheduled_decays_have_the_bits_of_an_epoch_alone(dtype):
    def build(seed):
        trainer = make(seed, dtype, optimizer="adamw")
        trainer.decays = np.linspace(1, seed / 10, 5)
        return trainer

    assert_same(build)


def test_the_metrics_are_those_of_an_epoch_alone(isa, dtype):
    binary = functools.partial(make, dtype=dtype, widths=(5, 4, 1), loss="binary_crossentropy")
    assert_same(binary, classes=True)
    assert_same(binary)
    assert_same(functools.partial(make, dtype=dtype, loss="mse"), classes=True)
    several = functools.partial(make, dtype=dtype, loss="binary_crossentropy", multilabel=True)
    assert_same(several)


def test_epochs_side_by_side_and_alone_can_alternate(dtype):
    single, beside = [make(i, dtype) for i in range(4)], [make(i, dtype) for i in range(4)]
    data = [rows_for(trainer, i) for i, trainer in enumerate(single)]
    for epoch in range(4):
        expected = [alone(single[i], data[i], True, None) for i in range(4)]
        if epoch % 2:
            got = [alone(beside[i], data[i], True, None) for i in range(4)]
        else:
            got = _lanes.epochs(beside[:3], data[:3], True)
            got += _lanes.epochs(beside[3:], data[3:], True)
        assert got == expected
    assert [state(trainer) for trainer in beside] == [state(trainer) for trainer in single]
    # An epoch that is over can be taken back, as a checkpoint does.
    assert beside[0].reopen() and single[0].reopen()
    assert [str(part) for part in beside[0].position()] == [
        str(part) for part in single[0].position()
    ]


def test_numbers_that_overflow_do_so_in_their_own_lane(dtype):
    single, beside = (
        [make(i, dtype, loss="mse") for i in range(3)],
        [make(i, dtype, loss="mse") for i in range(3)],
    )
    for trainer in (single[1], beside[1]):
        trainer.learning_rate = 1e300 if dtype == "float64" else 1e38
    data = [rows_for(trainer) for trainer in single]
    for _ in range(2):
        expected = [alone(single[i], data[i], True, None) for i in range(3)]
        np.testing.assert_equal(_lanes.epochs(beside, data, True), expected)
    assert not beside[1].is_finite() and beside[0].is_finite() and beside[2].is_finite()
    for i in (0, 2):
        assert state(beside[i]) == state(single[i])


def cannot():
    """Trainers that train alone."""
    network = Network((3, 4, 2), ("selu", "softmax"))
    embedded = Network((3, 4, 2), ("selu", "softmax"), embeddings=[(5, 2)])
    settings = SETTINGS["adam"]
    yield Trainer(Backprop(network, LOSS, 8, dropout=(0, 0.5)), "adam", settings)
    yield Trainer(Backprop(embedded, LOSS, 8), "adam", settings)
    yield Trainer(Backprop(network, LOSS, 8), "adam", settings, timing=True)
    yield Trainer(Backprop(network, LOSS, 8), None, {})
    wide = Network((3, 4, 17), ("selu", "softmax"))
    yield Trainer(Backprop(wide, LOSS, 8), "adam", settings)
    with_hook = Trainer(Backprop(network, LOSS, 8), "adam", settings)
    with_hook.after_step = print
    yield with_hook
    part = Trainer(Backprop(network, LOSS, 8), "adam", settings)
    part.part = (0, 100)
    yield part
    pausing = Trainer(Backprop(network, LOSS, 8), "adam", settings)
    pausing.pause_after(100)
    yield pausing


def test_what_cannot_train_side_by_side_is_not_alike():
    for trainer in cannot():
        assert _lanes.alike(trainer) is None
        with pytest.raises(ValueError, match="number 0"):
            _lanes.epochs([trainer], [rows_for(trainer)], True)


def test_what_differs_is_not_alike():
    base = {}
    others = [
        {"widths": (5, 8, 3)}, {"hidden": "relu"}, {"dtype": "float64"}, {"bias": False},
        {"loss": "mse"}, {"l1": 0.1}, {"l2": 0.1}, {"penalty_per_row": True}, {"batch": 17},
        {"optimizer": "nadam"}, {"by_rows": True}, {"cost_scale": 0.5}, {"multilabel": True},
        {"clip_norm": 1.0}, {"max_norm": 1.0}, {"rate_factors": [1.0] * 5},
    ]  # fmt: skip
    keys = [_lanes.alike(make(0, **options)) for options in [base, *others]]
    assert len(set(keys)) == len(keys)
    assert _lanes.alike(make(1)) == keys[0]
    network = Network((5, 7, 3), ("tanh", "softmax"))
    other_beta = Trainer(Backprop(network, LOSS, 16), "adam", SETTINGS["adam"] | {"beta1": 0.8})
    assert _lanes.alike(other_beta) != keys[0]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda trainers, data: ([], []), "at least one trainer"),
        (lambda trainers, data: (trainers, data[:1]), "data must have an entry for each of the 2"),
        (lambda trainers, data: ([trainers[0], make(1, batch=8)], data), "number 1"),
        (lambda trainers, data: (trainers, [data[0], rows_for(trainers[1], rows=70)]), "number 1"),
        (
            lambda trainers, data: (trainers, [data[0], rows_for(trainers[1], weighted=True)]),
            "number 1",
        ),
        (lambda trainers, data: (trainers, [(*data[0][:2], None, None, None)] * 2), "needs labels"),
        (lambda trainers, data: (trainers, [(*data[0][:4], -1.0)] * 2), "total_weight"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_moves(change, message):
    trainers = [make(i) for i in range(2)]
    data = [rows_for(trainer) for trainer in trainers]
    before = [state(trainer) for trainer in trainers]
    with pytest.raises(ValueError, match=message):
        _lanes.epochs(*change(trainers, data), True)
    with pytest.raises(ValueError, match="rates"):
        _lanes.epochs(trainers, data, True, [np.ones(5), np.ones(4)])
    with pytest.raises(TypeError, match="number 1"):
        _lanes.epochs(trainers, [data[0], (None, *data[1][1:])], True)
    assert [state(trainer) for trainer in trainers] == before
    _lanes.epochs(trainers, data, True)  # and nobody has kept their buffers


def test_a_trainer_that_is_in_use_or_given_twice_is_refused():
    trainer = make(0)
    with pytest.raises(RuntimeError, match="in use"):
        _lanes.epochs([trainer, trainer], [rows_for(trainer)] * 2, True)
    alone(trainer, rows_for(trainer), True, None)


def long_epoch(n=9):
    trainers = [make(i, widths=(8, 16, 2)) for i in range(n)]
    X, y, labels, *rest = rows_for(trainers[0], rows=1000)
    chosen = np.tile(np.arange(1000), 2000)
    data = (RowSource(X.array, chosen), y, RowSource(labels.array, chosen), *rest)
    return trainers, [data] * n


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("who", [0, 8])
def test_the_end_that_one_trainer_asks_for_leaves_all_as_they_were(threads, who):
    trainers, data = long_epoch()
    before = [state(trainer) for trainer in trainers]
    trainers[who].end = EndRequest()
    trainers[who].end.after(0.1)
    with pytest.raises(Ended):
        _lanes.epochs(trainers, data, False, None, threads)
    assert [state(trainer) for trainer in trainers] == before
    trainers[who].end = EndRequest()
    trainers[who].end.request()
    with pytest.raises(Ended):
        _lanes.epochs(trainers, data, False, None, threads)
    assert [state(trainer) for trainer in trainers] == before


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_leaves_all_as_they_were(threads):
    trainers, data = long_epoch()
    before = [state(trainer) for trainer in trainers]
    timer = threading.Timer(0.2, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        _lanes.epochs(trainers, data, False, None, threads)
    timer.join()
    assert [state(trainer) for trainer in trainers] == before


def test_several_threads_of_python_get_their_own_results():
    sets = [[make(10 * k + i) for i in range(5)] for k in range(4)]
    single = [[make(10 * k + i) for i in range(5)] for k in range(4)]
    data = rows_for(sets[0][0])

    def train(trainers):
        for _ in range(5):
            _lanes.epochs(trainers, [data] * 5, True, None, 2)

    workers = [threading.Thread(target=train, args=(trainers,)) for trainers in sets]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for trainer in [trainer for group in single for trainer in group]:
        for _ in range(5):
            alone(trainer, data, True, None)
    assert [[state(t) for t in group] for group in sets] == [
        [state(t) for t in group] for group in single
    ]

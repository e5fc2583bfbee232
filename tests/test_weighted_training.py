"""Weights of rows, states, penalties and limits in training."""

import numpy as np
import pytest
from cnn_core._backprop import Backprop
from cnn_core._dataset import RowSource
from cnn_core._network import Network
from cnn_core._optimizer import optimizer_names
from cnn_core._random import uniform
from cnn_core._trainer import Trainer
from training_cases import LOSS, SETTINGS, digest, make_rows, make_run, numbers

from cnn_core import MLP


def test_row_weights_act_like_repeated_rows(isa, dtype):
    X, _, labels = make_rows(dtype, 60)
    counts = np.arange(60) % 4
    weighted, repeated = (make_run(dtype, "sgd", batch=200) for _ in range(2))
    loss = weighted.epoch(
        X, None, labels, shuffled=False, weights=RowSource(counts[:, None].astype(dtype))
    )[0]
    again = repeated.epoch(
        RowSource(np.repeat(X.array, counts, axis=0)),
        None,
        RowSource(np.repeat(labels.array, counts, axis=0)),
        shuffled=False,
    )[0]
    tolerance = 1e-13 if dtype == "float64" else 1e-5
    assert loss == pytest.approx(again, rel=tolerance)
    np.testing.assert_allclose(
        weighted.backprop.network.flat(), repeated.backprop.network.flat(), rtol=0, atol=tolerance
    )


def test_a_mini_batch_without_weight_teaches_nothing():
    X, _, labels = make_rows("float32", 64)
    weights = np.ones((64, 1), "float32")
    weights[:32] = 0
    run, half = make_run("float32", "sgd"), make_run("float32", "sgd")
    run.epoch(X, None, labels, shuffled=False, weights=RowSource(weights))
    half.epoch(RowSource(X.array[32:]), None, RowSource(labels.array[32:]), shuffled=False)
    assert np.array_equal(run.backprop.network.flat(), half.backprop.network.flat())


def test_weights_of_one_epoch_do_not_linger_in_the_next():
    X, _, labels = make_rows("float32")
    used, fresh = make_run("float32", "sgd"), make_run("float32", "sgd")
    before = used.backprop.network.parameters.copy()
    used.epoch(X, None, labels, weights=RowSource(np.full((640, 1), 0.5, "float32")))
    used.backprop.network.parameters[:] = before
    used.slots[0][:] = 0
    assert used.evaluate(X, None, labels) == fresh.evaluate(X, None, labels)


def test_weights_of_an_epoch_do_not_linger_in_a_gradient():
    X, _, labels = make_rows("float64")
    run = make_run("float64", "sgd", batch=640)
    before = run.backprop.loss_and_gradient(X.array, labels.array[:, 0])
    run.loss_and_gradient(X, None, labels, RowSource(np.full((640, 1), 0.25)))
    assert run.backprop.loss_and_gradient(X.array, labels.array[:, 0])[0] == before[0]


def test_one_pass_gives_the_loss_and_gradient_of_all_rows(isa, dtype):
    X, _, labels = make_rows(dtype)
    run = make_run(dtype, "sgd", batch=640)
    network = run.backprop.network.flat()
    (loss, accuracy), gradient = run.loss_and_gradient(X, None, labels), run.flat_gradient()
    assert loss == run.evaluate(X, None, labels)[0] and accuracy == run.evaluate(X, None, labels)[1]
    assert np.array_equal(gradient, run.backprop.loss_and_gradient(X.array, labels.array[:, 0])[1])
    assert run.steps == run.epochs == 0 and np.array_equal(network, run.backprop.network.flat())
    with pytest.raises(ValueError, match="a single pass takes 1 to 640 rows, got 641"):
        run.loss_and_gradient(*make_rows(dtype, 641))


@pytest.mark.parametrize("optimizer", optimizer_names())
def test_a_run_goes_on_from_the_state_of_another(optimizer, dtype):
    X, _, labels = make_rows(dtype)
    once = make_run(dtype, optimizer)
    for _ in range(4):
        once.epoch(X, None, labels)
    first = make_run(dtype, optimizer)
    for _ in range(2):
        first.epoch(X, None, labels)
    second = make_run(dtype, optimizer)
    second.set_flat(first.backprop.network.flat())
    second.restore(first.state())
    for _ in range(2):
        second.epoch(X, None, labels)
    assert digest(once.backprop.network.flat(), *once.slots) == digest(
        second.backprop.network.flat(), *second.slots
    )
    with pytest.raises(ValueError, match="this state is of a run with"):
        make_run(dtype, "sgd" if optimizer != "sgd" else "adam").restore(first.state())


def test_a_run_without_optimizer_has_no_epochs():
    run = Trainer(Backprop(Network((30, 3), ("softmax",)), LOSS, 32), None, {})
    assert run.slots == () and run.evaluate(*make_rows("float32"))[0] == pytest.approx(
        np.log(3), rel=1e-6
    )
    with pytest.raises(ValueError, match="no optimizer, so it has no epochs"):
        run.epoch(*make_rows("float32"))


def test_a_capacity_beyond_all_memory_is_a_memory_error():
    for capacity in (2**50, 2**62):
        with pytest.raises(MemoryError):
            Backprop(Network((3, 2), ("identity",)), "mse", capacity)


@pytest.mark.parametrize("l1, l2", [(0.0, 0.3), (0.2, 0.0), (0.1, 0.2)])
def test_penalties_are_part_of_the_cost_and_its_gradient(l1, l2, isa):
    network = Network((5, 18, 3), ("tanh", "softmax"), "float64")
    network.set_flat(numbers(1, network.flat().size))
    X, _, labels = make_rows("float64", 40, 5)
    plain, cost = (
        Backprop(network, LOSS, 40, l1=a, l2=b).loss_and_gradient(X.array, labels.array[:, 0])
        for a, b in ((0, 0), (l1, l2))
    )
    weights = np.concatenate([network.weights(l).ravel() for l in range(2)])
    assert cost[0] - plain[0] == pytest.approx(
        l1 * np.abs(weights).sum() + l2 / 2 * (weights**2).sum(), rel=1e-12
    )
    expected = np.concatenate(
        [
            part.ravel()
            for l in range(2)
            for part in (
                l1 * np.sign(network.weights(l)) + l2 * network.weights(l),
                0 * network.bias(l),
            )
        ]
    )
    np.testing.assert_allclose(cost[1] - plain[1], expected, atol=1e-15)


def test_a_penalty_per_row_is_divided_by_the_weight_of_each_mini_batch(isa, dtype):
    X, _, labels = make_rows(dtype, 40)
    weights = numbers(9, 40, 1, dtype=dtype) + 2
    h = dict(learning_rate=0.5, momentum=0.0, nesterov=0)
    run = Trainer(
        Backprop(make_run(dtype).backprop.network, LOSS, 32, l1=0.1, l2=0.2, penalty_per_row=True),
        "sgd",
        h,
    )
    run.epoch(X, None, labels, shuffled=False, weights=RowSource(weights))
    network = make_run(dtype).backprop.network
    for first, last in ((0, 32), (32, 40)):  # each as if its penalty had been divided before
        part, S = (
            [RowSource(array[first:last]) for array in (X.array, labels.array, weights)],
            float(weights[first:last].sum()),
        )
        one = Trainer(Backprop(network, LOSS, 32, l1=0.1 / S, l2=0.2 / S), "sgd", h)
        one.epoch(part[0], None, part[1], shuffled=False, weights=part[2])
    np.testing.assert_allclose(
        run.backprop.network.flat(),
        network.flat(),
        rtol=0,
        atol=1e-15 if dtype == "float64" else 1e-7,
    )


def test_the_loss_of_an_epoch_may_count_mini_batches_by_their_rows(isa):
    X, _, labels = make_rows("float64", 40)
    weights = numbers(9, 40, 1) + 1.5
    weights[:32] *= 100
    still = dict(SETTINGS["sgd"], learning_rate=1e-300)
    network = make_run("float64").backprop.network
    run, by_rows = (
        Trainer(Backprop(network, LOSS, 32, l2=0.1), "sgd", still, by_rows=choice)
        for choice in (False, True)
    )
    halves = [
        run.epoch(
            *(
                RowSource(array[part]) if array is not None else None
                for array in (X.array, None, labels.array)
            ),
            shuffled=False,
            weights=RowSource(weights[part]),
        )[0]
        for part in (slice(32), slice(32, 40))
    ]
    assert by_rows.epoch(X, None, labels, shuffled=False, weights=RowSource(weights))[
        0
    ] == pytest.approx((32 * halves[0] + 8 * halves[1]) / 40, rel=1e-13)
    assert by_rows.epoch(X, None, labels)[0] == pytest.approx(
        run.epoch(X, None, labels)[0], rel=1e-13
    )
    weights[:32] = 0  # a mini-batch without weight has the penalty alone
    penalty = (
        by_rows.epoch(X, None, labels, shuffled=False)[0]
        - Trainer(Backprop(network, LOSS, 32), "sgd", still).epoch(X, None, labels, shuffled=False)[
            0
        ]
    )
    assert by_rows.epoch(X, None, labels, shuffled=False, weights=RowSource(weights))[
        0
    ] == pytest.approx((8 * halves[1] + 32 * penalty) / 40, rel=1e-12)


def test_a_long_gradient_is_shortened_and_a_short_one_is_left(isa, dtype):
    X, _, labels = make_rows(dtype)
    start = make_run(dtype).backprop.network
    _, gradient = Backprop(start, LOSS, 640).loss_and_gradient(X.array, labels.array[:, 0])
    norm = np.sqrt((gradient.astype("float64") ** 2).sum())
    h = dict(learning_rate=1.0, momentum=0.0, nesterov=0)
    for limit, length in ((norm / 10, norm / 10), (norm * 10, norm)):
        network = start.copy()
        Trainer(Backprop(network, LOSS, 640), "sgd", h, clip_norm=limit).epoch(
            X, None, labels, shuffled=False
        )
        moved = (start.flat() - network.flat()).astype("float64")
        assert np.sqrt((moved**2).sum()) == pytest.approx(length, rel=1e-4)
        np.testing.assert_allclose(moved, gradient * (length / norm), atol=1e-6)


def test_a_gradient_whose_squares_overflow_is_shortened_too(isa, dtype):
    X, _, labels = make_rows(dtype)
    start, h = make_run(dtype).backprop.network, dict(learning_rate=1.0, momentum=0.0, nesterov=0)
    weight = RowSource(np.ones((640, 1), dtype))
    moved = []
    for size in (1.0, 1e30 if dtype == "float32" else 1e200):
        network = start.copy()
        trainer = Trainer(Backprop(network, LOSS, 640), "sgd", h, clip_norm=0.1)
        trainer.accumulate(X, None, labels, weight, weight=640 / size)
        trainer.apply()
        moved.append(start.flat() - network.flat())
    assert np.linalg.norm(moved[1].astype("float64")) == pytest.approx(0.1, rel=1e-5)
    np.testing.assert_allclose(moved[1], moved[0], rtol=1e-3, atol=1e-6)


def test_rows_of_weights_are_limited_in_length(isa, dtype):
    X, _, labels = make_rows(dtype)
    free, held = make_run(dtype), make_run(dtype, max_norm=0.5)
    assert max(np.linalg.norm(free.backprop.network.weights(0), axis=1)) > 0.6
    for run in (free, held):
        run.epoch(X, None, labels)
    for l in range(3):
        lengths = np.linalg.norm(held.backprop.network.weights(l), axis=1)
        assert lengths.max() <= 0.5 * (1 + 1e-6)
    assert np.abs(held.backprop.network.bias(0)).max() > 0


@pytest.mark.filterwarnings("ignore:all features are constant")
@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("size", [1e-3, 1e25])
def test_weights_whose_squares_overflow_are_limited_in_length_too(size, backend, isa):
    W = np.array([[3.0, 4.0], [0.3, -0.4], [0.0, 0.0]]) * size
    options = {"max_norm": 2.0, "learning_rate": 1e-300, "epochs": 1, "backend": backend}
    model = MLP((), init=[(W, np.zeros(3))], task="regression", optimizer="sgd", **options)
    X = np.zeros((4, 2))
    with pytest.warns(UserWarning, match="each column of y is the same in every row"):
        model.fit(X, np.zeros((4, 3)))
    lengths = np.linalg.norm(W, axis=1, keepdims=True)
    wanted = W * np.minimum(1, 2 / np.where(lengths == 0, 1, lengths))
    np.testing.assert_allclose(model.weights_[0], wanted, rtol=1e-6)


def test_regularised_training_gives_the_bits_of_the_oracle(vector_isa, dtype, on_generic):
    X, _, labels = make_rows(dtype)
    weights = RowSource((uniform(9, 0, 640)[:, None]).astype(dtype))

    def train():
        network = make_run(dtype).backprop.network
        run = Trainer(
            Backprop(network, LOSS, 32, l1=1e-3, l2=1e-2),
            "rmsprop",
            SETTINGS["rmsprop"],
            7,
            clip_norm=0.5,
            max_norm=0.7,
        )
        loss, _ = run.epoch(X, None, labels, weights=weights)
        return digest(run.backprop.network.parameters, np.float64(loss))

    assert train() == on_generic(train)

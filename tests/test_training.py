"""Training runs: the same bits on every path, the optimizers' rules, and what an epoch promises."""

import os
import signal
import threading

import numpy as np
import pytest
from cnn_core._backprop import Backprop, phases
from cnn_core._dataset import RowSource
from cnn_core._network import Network
from cnn_core._optimizer import optimizer_names, optimizer_settings
from cnn_core._predict import BatchPredictor
from cnn_core._random import permutation
from cnn_core._trainer import Trainer
from training_cases import LOSS, SETTINGS, digest, make_rows, make_run, numbers

GOLDEN = {
    ("float32", "sgd"): "aeefbd13eda20d2c",
    ("float32", "adagrad"): "c98fcfa8b53f763d",
    ("float32", "adadelta"): "96fb2d100d03fe8b",
    ("float32", "rmsprop"): "d0786d3c7006b6c0",
    ("float32", "adam"): "07edf5ccd423fc99",
    ("float32", "adam_hat"): "66f3db4770703304",
    ("float32", "amsgrad"): "a31be1fc3513e83a",
    ("float32", "adamw"): "e9ee52713b504d9c",
    ("float32", "nadam"): "e6812fe0300ef095",
    ("float32", "rprop"): "729664c6c7001f76",
    ("float64", "sgd"): "2c4abc668437c3ce",
    ("float64", "adagrad"): "268e8284acf8c627",
    ("float64", "adadelta"): "2626ae657e7fd31d",
    ("float64", "rmsprop"): "41f692c22c0b95f1",
    ("float64", "adam"): "655644b8a728cb44",
    ("float64", "adam_hat"): "19ae0a2fdeb571a0",
    ("float64", "amsgrad"): "52364eb8677d3173",
    ("float64", "adamw"): "05b1c9322e42ae81",
    ("float64", "nadam"): "b6336901ef0e5cee",
    ("float64", "rprop"): "77682353f39067c1",
}


@pytest.mark.parametrize("optimizer", optimizer_names())
def test_twenty_steps_give_one_hash_on_every_path(optimizer, isa, dtype):
    run = make_run(dtype, optimizer)
    run.epoch(*make_rows(dtype))
    assert run.steps == 20
    assert digest(run.backprop.network.flat(), *run.slots) == GOLDEN.get((dtype, optimizer))


@pytest.mark.parametrize("split", [1, 7, 48, 257])
def test_predictions_do_not_depend_on_how_rows_are_split(split, isa, dtype):
    network = make_run(dtype).backprop.network
    X = numbers(4, 257, 30, dtype=dtype)
    parts = np.concatenate(
        [BatchPredictor(network).forward(X[i : i + split]) for i in range(0, 257, split)]
    )
    assert parts.tobytes() == BatchPredictor(network).forward(X).tobytes()


def numpy_step(name, h, t, w, g, slots):
    """One step in float64, as the papers write it; slots are the method's own memory, zeros at
    first."""
    rate, square = h["learning_rate"], lambda rho, old: rho * old + (1 - rho) * g * g
    if name == "sgd":
        slots[0] = h["momentum"] * slots[0] - rate * g
        return w + (h["momentum"] * slots[0] - rate * g if h["nesterov"] else slots[0])
    if name == "adagrad":
        slots[0] = slots[0] + g * g
        return w - rate * g / (np.sqrt(slots[0]) + h["epsilon"])
    if name == "adadelta":
        slots[0] = square(h["rho"], slots[0])
        step = np.sqrt(slots[1] + h["epsilon"]) / np.sqrt(slots[0] + h["epsilon"]) * g
        slots[1] = h["rho"] * slots[1] + (1 - h["rho"]) * step * step
        return w - rate * step
    if name == "rmsprop":
        slots[0] = square(h["rho"], slots[0])
        slots[1] = h["momentum"] * slots[1] + g / (np.sqrt(slots[0]) + h["epsilon"])
        return w - rate * slots[1]
    if name == "rprop":
        if t == 1:
            slots[1] = np.full_like(w, rate)
        changed_sign, kept = slots[0] * g < 0, slots[0] * g > 0
        slots[1] = np.where(
            kept,
            np.minimum(slots[1] * h["eta_plus"], h["step_max"]),
            np.where(changed_sign, np.maximum(slots[1] * h["eta_minus"], h["step_min"]), slots[1]),
        )
        slots[0] = np.where(changed_sign, 0, g)
        return w - np.sign(slots[0]) * slots[1]
    assert name in ("adam", "adam_hat", "amsgrad", "adamw", "nadam"), f"{name} has no rule here"
    beta1, beta2 = h["beta1"], h["beta2"]
    slots[0] = beta1 * slots[0] + (1 - beta1) * g
    slots[1] = square(beta2, slots[1])
    m, v = slots[0] / (1 - beta1**t), slots[1] / (1 - beta2**t)
    if name == "amsgrad":
        slots[2] = np.maximum(slots[2], slots[1])
        v = slots[2] / (1 - beta2**t)
    if name == "adamw":
        w = w - rate * h["weight_decay"] * w
    if name == "nadam":
        mu = [beta1 * (1 - 0.5 * 0.96 ** (i * h["momentum_decay"])) for i in range(1, t + 2)]
        m = mu[t] * slots[0] / (1 - np.prod(mu)) + (1 - mu[t - 1]) * g / (1 - np.prod(mu[:-1]))
    if name == "adam_hat":
        return w - rate * np.sqrt(1 - beta2**t) / (1 - beta1**t) * slots[0] / (
            np.sqrt(slots[1]) + h["epsilon"]
        )
    return w - rate * m / (np.sqrt(v) + h["epsilon"])


VARIANTS = [(name, {}) for name in optimizer_names()] + [
    ("sgd", dict(nesterov=0)), ("sgd", dict(momentum=0)), ("rmsprop", dict(momentum=0)),
    ("adam", dict(beta1=0.5, beta2=0.9)), ("nadam", dict(momentum_decay=0.5)),
    ("rprop", dict(step_max=0.011)),
]  # fmt: skip


@pytest.mark.parametrize("optimizer, changed", VARIANTS)
def test_steps_follow_the_papers(optimizer, changed, isa):
    h = SETTINGS[optimizer] | changed
    network = Network((6, 20, 3), ("tanh", "softmax"), "float64")
    network.set_flat(numbers(1, network.flat().size))
    run = Trainer(Backprop(network, LOSS, 8), optimizer, h)
    X, _, labels = make_rows("float64", 64, 6)
    other = Backprop(network.copy(), LOSS, 8)
    w, slots = network.flat(), [np.zeros(network.flat().size) for _ in run.slots]
    for t in range(1, 9):
        rows = slice(8 * (t - 1), 8 * t)
        other.network.set_flat(w)
        _, g = other.loss_and_gradient(X.array[rows], labels.array[rows, 0])
        w = numpy_step(optimizer, h, t, w, g, slots)
    run.epoch(X, None, labels, shuffled=False)
    np.testing.assert_allclose(network.flat(), w, rtol=1e-12, atol=1e-14)


def test_all_parameters_move_together_after_all_gradients_stand(isa):
    # One SGD step moves every layer by the gradient at the old weights; a layer updated early would
    # change the delta of those below.
    run = make_run("float64", "sgd", batch=640)
    network = run.backprop.network
    before = network.flat()
    X, _, labels = make_rows("float64")
    _, gradient = Backprop(network.copy(), LOSS, 640).loss_and_gradient(X.array, labels.array[:, 0])
    run.epoch(X, None, labels, shuffled=False)
    step = SETTINGS["sgd"]["learning_rate"] * (1 + SETTINGS["sgd"]["momentum"])
    np.testing.assert_allclose(network.flat(), before - step * gradient, rtol=0, atol=1e-15)


def test_epochs_visit_the_rows_in_the_order_of_the_permutation():
    X, _, labels = make_rows("float32", 100)
    shuffled, ordered = make_run("float32"), make_run("float32")
    for epoch in range(3):
        shuffled.epoch(X, None, labels)
        ordered.epoch(X, None, labels, order=permutation(7, epoch, 100))
    assert digest(shuffled.backprop.network.parameters) == digest(
        ordered.backprop.network.parameters
    )


@pytest.mark.parametrize("n_in, n_out", [(300, 64), (300, 70), (257, 200)])
def test_long_rows_in_any_order_count_as_if_they_stood_in_it(n_in, n_out, isa, dtype):
    # They are read where they stand, others are gathered first.
    X, _, labels = make_rows(dtype, 130, n_in)
    order = np.array([129, 3, 3, 77, *range(100, 20, -1)], np.intp)
    runs = [
        make_run(dtype, widths=(n_in, n_out, 3), activations=("relu", "softmax")) for _ in range(3)
    ]
    chosen = np.arange(130)[::-1].copy()
    results = [
        runs[0].epoch(X, None, labels, order=order),
        runs[1].epoch(
            RowSource(X.array[order]), None, RowSource(labels.array[order]), shuffled=False
        ),
        runs[2].epoch(
            RowSource(X.array, chosen), None, RowSource(labels.array[chosen]), order=129 - order
        ),
    ]
    assert len(set(results)) == 1
    assert len({digest(run.backprop.network.parameters, *run.slots) for run in runs}) == 1


def test_seeds_change_the_order_and_nothing_else():
    X, _, labels = make_rows("float32", 100)
    runs = [make_run("float32", seed=seed) for seed in (7, 7, 8)]
    for run in runs:
        run.epoch(X, None, labels)
    first, again, other = (digest(run.backprop.network.parameters) for run in runs)
    assert first == again != other


@pytest.mark.parametrize("batch", [1, 3, 32, 100, 640])
def test_batches_of_every_size_learn(batch, isa):
    X, _, _ = make_rows("float32", 100)
    easy = RowSource((X.array[:, :1] > 0).astype(np.int32))
    run = make_run("float32", batch=batch)
    losses = [run.epoch(X, None, easy)[0] for _ in range(20)]
    assert run.steps == 20 * -(-100 // batch)
    assert losses[-1] < 0.7 * losses[0]


def test_metrics_of_an_epoch_are_those_of_its_rows(isa, dtype):
    # With a learning rate too small to move a weight, training rows are judged as evaluation judges
    # them.
    still = dict(SETTINGS["sgd"], learning_rate=1e-300)
    X, _, labels = make_rows(dtype)
    network = make_run(dtype).backprop.network
    run = Trainer(Backprop(network, LOSS, 32), "sgd", still, 7)
    loss, accuracy = run.epoch(X, None, labels, shuffled=False)
    assert (loss, accuracy) == run.evaluate(X, None, labels)
    a = BatchPredictor(network).forward(X.array)
    assert accuracy == np.mean(a.argmax(axis=1) == labels.array[:, 0])
    expected = -np.log(a[np.arange(640), labels.array[:, 0]].astype("float64")).mean()
    assert loss == pytest.approx(expected, rel=1e-6)


def test_regression_reports_squared_residuals_of_each_output(isa, dtype):
    y = RowSource(numbers(8, 640, 3, dtype=dtype))
    run = make_run(dtype, activations=("relu", "tanh", "identity"), loss="mse")
    X, _, _ = make_rows(dtype)
    loss, residuals = run.evaluate(X, y, None)
    error = BatchPredictor(run.backprop.network).forward(X.array).astype("float64") - y.array
    np.testing.assert_allclose(residuals, (error**2).sum(axis=0), rtol=1e-12)
    assert loss == pytest.approx(0.5 * residuals.sum() / 640, rel=1e-6)


def test_evaluation_changes_nothing():
    X, _, labels = make_rows("float32")
    run = make_run("float32")
    before = digest(run.backprop.network.parameters, *run.slots)
    run.evaluate(X, None, labels)
    assert before == digest(run.backprop.network.parameters, *run.slots) and run.steps == 0


def test_read_only_rows_are_trained_from_where_they_stand():
    X, _, labels = make_rows("float32")
    X.array.flags.writeable = labels.array.flags.writeable = False
    source = RowSource(X.array)
    assert source.array is X.array
    make_run("float32").epoch(source, None, RowSource(labels.array))


@pytest.mark.parametrize("chosen", [None, np.arange(5, 635)])
def test_rows_in_a_file_that_is_not_in_memory_count_as_if_they_were(chosen, tmp_path):
    X, _, labels = make_rows("float32", n_in=300)
    labels = RowSource(labels.array if chosen is None else labels.array[chosen])
    np.save(tmp_path / "rows.npy", X.array)
    seen = set()
    for mapped in (False, True):
        array = np.load(tmp_path / "rows.npy", mmap_mode="r") if mapped else X.array
        run = make_run("float32", widths=(300, 64, 32, 3))
        for _ in range(2):
            if mapped and hasattr(os, "posix_fadvise"):  # so that the pages have to be read again
                with open(tmp_path / "rows.npy", "rb") as file:
                    os.fsync(file.fileno())
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            loss, metric = run.epoch(RowSource(np.asarray(array), chosen), None, labels)
        seen.add((loss, metric, digest(run.backprop.network.parameters)))
    assert len(seen) == 1


def test_subnormals_are_flushed_inside_an_epoch_and_nowhere_else(isa):
    # A weight without gradient, in Adam with a subnormal moment: inside, it is zero.
    run = make_run("float32", activations=("relu", "relu", "softmax"))
    X, _, labels = make_rows("float32")
    for slot in run.slots:
        slot[:] = 1e-40
    run.epoch(X, None, labels)
    assert not any(
        ((slot != 0) & (np.abs(slot) < np.finfo("float32").tiny)).any() for slot in run.slots
    )
    assert np.float32(1e-39) * np.float32(0.5) > 0


def test_phases_are_measured_only_when_asked_for():
    X, _, labels = make_rows("float32")
    silent, timed = make_run("float32"), make_run("float32", timing=True)
    silent.epoch(X, None, labels)
    timed.epoch(X, None, labels)
    assert set(silent.seconds) == set(phases) and not any(silent.seconds.values())
    assert all(seconds > 0 for seconds in timed.seconds.values())
    assert digest(silent.backprop.network.parameters) == digest(timed.backprop.network.parameters)


@pytest.mark.slow
def test_an_epoch_is_interrupted_by_ctrl_c_and_the_processor_is_left_as_it_was():
    # An epoch of a minute or more, one signal 0.2 s after the first step.
    network = Network((512, 1024, 1024, 3), ("relu", "relu", "softmax"))
    run = Trainer(Backprop(network, LOSS, 32), "adam", SETTINGS["adam"])
    X = RowSource(np.zeros((200_000, 512), "float32"))
    labels = RowSource(np.zeros((200_000, 1), np.int32))
    timer = threading.Timer(0.2, signal.raise_signal, (signal.SIGINT,))
    run.after_step = lambda cost: timer.is_alive() or timer.finished.is_set() or timer.start()
    with pytest.raises(KeyboardInterrupt):
        run.epoch(X, None, labels)
    timer.join()
    assert 0 < run.steps < 200_000 // 32 and run.epochs == 0
    assert np.float32(1e-39) * np.float32(0.5) > 0


@pytest.mark.slow
def test_epochs_run_without_the_gil():
    # Another thread counts while an epoch runs; with the GIL held it could not.
    run = make_run("float32", widths=(30, 512, 512, 3))
    X, _, labels = make_rows("float32", 40_000)
    ticks, done = [], threading.Event()
    started = threading.Event()

    def count():
        while not done.is_set():
            ticks.append(1)
            started.set()
            done.wait(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    started.wait()
    before = len(ticks)
    run.epoch(X, None, labels)
    during = len(ticks) - before
    done.set()
    thread.join()
    assert during > 3


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            lambda X, y, l: (RowSource(X.array[:, :29].copy()), y, l),
            "30 columns of float32, got 29",
        ),
        (
            lambda X, y, l: (RowSource(X.array.astype("float64")), y, l),
            "float32, got 30 of float64",
        ),
        (lambda X, y, l: (X, y, None), "needs labels"),
        (lambda X, y, l: (X, y, RowSource(l.array[:5])), r"shape \(640, 1\)"),
        (lambda X, y, l: (X, y, RowSource(l.array + 1)), "labels must lie in 0 to 2, got 1 to 3"),
        (lambda X, y, l: (RowSource(X.array[:0]), y, RowSource(l.array[:0])), "at least one row"),
    ],
)
def test_rows_that_do_not_fit_are_clear_errors(arguments, message):
    run = make_run("float32")
    before = digest(run.backprop.network.parameters)
    with pytest.raises(ValueError, match=message):
        run.epoch(*arguments(*make_rows("float32")))
    assert before == digest(run.backprop.network.parameters)


@pytest.mark.parametrize("order", [[0, 640], [-1, 3]])
def test_an_order_outside_the_rows_is_a_clear_error(order):
    with pytest.raises(ValueError, match="0 to 639"):
        make_run("float32").epoch(*make_rows("float32"), order=np.array(order))


def test_settings_must_be_those_of_the_optimizer():
    with pytest.raises(ValueError, match="adam works with learning_rate, beta1"):
        Trainer(Backprop(Network((3, 2), ("identity",)), "mse", 4), "adam", {"learning_rate": 0.1})
    assert {name: set(SETTINGS[name]) for name in optimizer_names()} == {
        name: set(optimizer_settings(name)) for name in optimizer_names()
    }


@pytest.mark.parametrize("kind", [RowSource, Trainer])
def test_no_object_exists_without_its_buffers(kind):
    with pytest.raises(TypeError, match="argument"):
        kind.__new__(kind)


def test_setting_up_again_changes_nothing(dtype):
    run, rows = make_run(dtype), make_rows(dtype)
    run.__init__(
        make_run(dtype, widths=(5, 2), activations=("softmax",)).backprop, "sgd", SETTINGS["sgd"]
    )
    rows[0].__init__(np.zeros((1, 1)))
    run.epoch(*rows)
    assert digest(run.backprop.network.flat(), *run.slots) == GOLDEN[dtype, "adam"]


# Weights and regularisation

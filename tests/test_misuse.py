"""The compiled modules used wrongly: an error that says what is wrong, never a crash or a read
beyond an array, and nothing is changed."""

import ctypes
import pickle
import threading

import numpy as np
import pytest
from cnn_core._backprop import Backprop, gradients
from cnn_core._dataset import RowSource
from cnn_core._network import Network
from cnn_core._predict import BatchPredictor
from cnn_core._trainer import Trainer

from cnn_core import MLP, _activations, _cpu

SGD = {"learning_rate": 0.01, "momentum": 0, "nesterov": 0}
ADAM = {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def ones(rows, columns, dtype="float32"):
    return np.ones((rows, columns), dtype)


def make_run(optimizer="sgd", settings=SGD, widths=(4, 2), capacity=8, loss="mse", **options):
    activations = ("relu",) * (len(widths) - 2) + ("identity",)
    backprop = Backprop(Network(widths, activations), loss, capacity)
    return Trainer(backprop, optimizer, settings, **options)


@pytest.mark.parametrize("part, value", [
    ("numbers", []), ("numbers", None), ("numbers", [0.0] * 15), ("numbers", ["a"] * 16),
    ("numbers", {}), ("slots", [np.zeros(3, "float32")] * 2), ("slots", [None, None]),
    ("slots", []), ("steps", -1),
    ("steps", 2**63), ("steps", "3"), ("epochs", 1.5), ("epochs", None), ("optimizer", "sgd"),
    ("slots", [np.zeros(16 * 5, "int32")] * 2), ("slots", None), ("slots", 5),
])  # fmt: skip
def test_a_damaged_state_is_refused_and_nothing_changes(part, value):
    run = make_run("adam", ADAM)
    run.epoch(RowSource(ones(8, 4)), RowSource(ones(8, 2)), None)
    before = run.state()
    with pytest.raises(ValueError, match="state"):
        run.restore(before | {"epochs": 7, part: value})
    with pytest.raises(ValueError, match="state"):
        run.restore({name: before[name] for name in before if name != part})
    after = run.state()
    assert all(np.array_equal(a, b) for a, b in zip(before["slots"], after["slots"]))
    assert {**before, "slots": 0} == {**after, "slots": 0}


def test_a_model_from_a_damaged_pickle_says_so():
    X = np.random.default_rng(0).normal(size=(90, 6))
    model = MLP(8, epochs=1).fit(X, X[:, 0] > 0)
    model._fitted.state["numbers"].clear()
    data = pickle.dumps(model)
    with pytest.raises(ValueError, match="the numbers of a state"):
        pickle.loads(data)


STATES = [
    ("pairs", None), ("pairs", 3), ("pairs", [None]), ("pairs", [(1, 2)]), ("pairs", "gone"),
    ("slots", []), ("slots", None), ("slots", [[]]), ("slots", 3), ("slots", "gone"),
    ("numbers", []), ("numbers", None), ("numbers", "gone"), ("steps", -1), ("steps", "3"),
    ("steps", "gone"),
    ("epochs", 1.5), ("epochs", "gone"), ("optimizer", "gone"), ("backend", "gone"),
]  # fmt: skip


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "nadam"])
@pytest.mark.parametrize("part, value", STATES)
def test_a_model_with_a_damaged_state_says_so_and_stays(backend, optimizer, part, value):
    X = np.random.default_rng(0).normal(size=(20, 3))
    y = X[:, 0] * 1.5
    model = MLP(2, optimizer=optimizer, backend=backend, epochs=2, warm_start=True).fit(X, y)
    state = model._fitted.state
    if part not in state:
        return  # of other optimizers
    before = model.parameters_
    if value == "gone":
        del state[part]
    else:
        state[part] = value
    wrong = r"of a state (of \w+ )?must be|a state must be a dict|this state is"
    for use in (model.fit, model.partial_fit):
        if (part, value) == ("backend", "gone"):
            break  # a training that goes on then does without the state
        with pytest.raises(ValueError, match=wrong):
            use(X, y)
        assert np.array_equal(model.parameters_, before)
    data = pickle.dumps(model)
    with pytest.raises(ValueError, match=f"{wrong}|state is of the backend|state has"):
        pickle.loads(data)
    model.set_params(warm_start=False).fit(X, y)  # a new start needs no state


@pytest.mark.parametrize("backend", ["native", "python"])
def test_pairs_of_another_network_are_refused(backend):
    X = np.random.default_rng(0).normal(size=(20, 3))
    y = X[:, 0] * 1.5
    small, large = (
        MLP(n, optimizer="lbfgs", backend=backend, epochs=4, warm_start=True).fit(X, y)
        for n in (2, 40)
    )
    assert small._fitted.state["pairs"]
    small._fitted.state["pairs"] = large._fitted.state["pairs"]
    with pytest.raises(ValueError, match="the pairs of a state must be a list"):
        small.fit(X, y)


@pytest.mark.parametrize("name", ["elu", "softmax"])
def test_derivatives_want_contiguous_arrays(name):
    with pytest.raises(ValueError, match="^z must be C-contiguous"):
        _activations.activation_derivative(name, np.ones((3, 4)).T)
    with pytest.raises(ValueError, match="^a must be C-contiguous"):
        _activations.activation_derivative_from_a(name, np.ones((3, 4)).T)


def test_gradients_want_matrices():
    with pytest.raises(ValueError, match=r"delta must have 2 dimensions, got .* shape \(\)"):
        gradients(np.zeros(()), np.zeros((2, 2)))


def test_rows_are_counted_as_they_are_handed_out():
    run, X = make_run(), RowSource(ones(64, 4))
    classes = np.zeros((64, 1), np.int32)
    for use in (run.epoch, run.evaluate, run.loss_and_gradient):
        with pytest.raises(ValueError, match=r"y must have shape \(64, 2\).* got \(2, 2\)"):
            use(X, RowSource(ones(64, 2), [0, 1]), None)
    with pytest.raises(ValueError, match=r"labels must have shape \(64, 1\).* got \(2, 1\)"):
        run.epoch(X, RowSource(ones(64, 2)), RowSource(classes, [0, 1]))
    with pytest.raises(ValueError, match=r"weights must have shape \(64, 1\).* got \(2, 1\)"):
        run.epoch(X, RowSource(ones(64, 2)), None, weights=RowSource(ones(64, 1), [0, 1]))


def test_chosen_targets_of_a_larger_array_train_as_a_copy_of_them():
    rng = np.random.default_rng(0)
    y, chosen = rng.normal(size=(100, 2)).astype("float32"), rng.permutation(100)[:64]
    X = rng.normal(size=(64, 4)).astype("float32")
    runs = [make_run(), make_run()]
    results = [
        run.epoch(RowSource(X), rows, None)[0]
        for run, rows in zip(runs, (RowSource(y, chosen), RowSource(y[chosen])))
    ]
    assert results[0] == results[1]
    assert np.array_equal(runs[0].parameters, runs[1].parameters)


def test_indices_cannot_be_written_to():
    rows = RowSource(ones(8, 4), [0, 1])
    with pytest.raises(ValueError, match="read-only"):
        rows.indices[:] = 10**9


def test_labels_are_checked_in_each_epoch():
    network = Network((4, 3), ("softmax",))
    run = Trainer(Backprop(network, "sparse_categorical_crossentropy", 8), "sgd", SGD)
    classes = np.zeros((64, 1), np.int32)
    X, labels = RowSource(ones(64, 4)), RowSource(classes)
    run.epoch(X, None, labels)
    before = run.parameters.copy()
    for value in (10**7, -1):
        classes[:] = value
        for use in (run.epoch, run.evaluate):
            with pytest.raises(ValueError, match="labels must lie in 0 to 2"):
                use(X, None, labels)
    assert np.array_equal(run.parameters, before)
    chosen = np.where(np.arange(64) == 5, 7, 0).astype(np.int32)[:, None]
    with pytest.raises(ValueError, match="labels must lie"):
        run.epoch(RowSource(ones(1, 4)), None, RowSource(chosen, [5]))
    run.epoch(RowSource(ones(1, 4)), None, RowSource(chosen, [4]))


@pytest.mark.parametrize("threads", [65, 2**20, 2**30, 2**31 - 1])
def test_more_threads_than_there_can_be_are_as_many_as_there_can_be(threads):
    runs = [make_run(widths=(100, 50, 50), capacity=4096, threads=n) for n in (1, threads)]
    rng = np.random.default_rng(0)
    X = RowSource(rng.normal(size=(4096, 100)).astype("float32"))
    y = RowSource(rng.normal(size=(4096, 50)).astype("float32"))
    assert runs[0].epoch(X, y, None)[0] == runs[1].epoch(X, y, None)[0]
    assert runs[1].threads == _cpu.most_threads
    network = runs[0].backprop.network
    assert np.array_equal(
        BatchPredictor(network).forward(X.array, threads), BatchPredictor(network).forward(X.array)
    )


@pytest.mark.parametrize("capacity", [2**40, 2**57, 2**61])
def test_a_workspace_beyond_all_memory_is_refused(capacity):
    with pytest.raises(MemoryError, match="cannot allocate"):
        Backprop(Network((2**20, 2), ("identity",)), "mse", capacity)


@pytest.mark.slow
def test_a_training_in_use_is_not_for_another_thread():
    run = make_run(widths=(512, 1024, 1024, 2), capacity=256)
    X, y = RowSource(np.zeros((20_000, 512), "float32")), RowSource(ones(20_000, 2))
    small, small_y = RowSource(np.zeros((8, 512), "float32")), RowSource(ones(8, 2))
    state, started, errors = run.state(), threading.Event(), []
    flat = run.backprop.network.flat()

    def train():
        started.set()
        run.epoch(X, y, None)

    worker = threading.Thread(target=train)
    worker.start()
    started.wait()
    while worker.is_alive() and len(errors) < 9:
        for use in (
            lambda: run.epoch(small, small_y, None),
            lambda: run.evaluate(small, small_y, None),
            lambda: run.loss_and_gradient(small, small_y, None),
            lambda: run.backprop.loss_and_gradient(small.array, small_y.array),
            lambda: run.restore(state),
            run.state,
            run.flat_gradient,
            lambda: run.set_flat(flat),
            lambda: setattr(run, "learning_rate", 0.5),
        ):
            try:
                use()
            except RuntimeError as error:
                errors.append(str(error))
    worker.join()
    assert len(errors) >= 9 and set(errors) == {
        "this training is in use by another thread; give each thread its own"
    }
    run.evaluate(small, small_y, None)  # and now it is free


def test_an_error_leaves_a_training_free():
    run = make_run()
    for _ in range(2):
        with pytest.raises(ValueError, match="X must have 4 columns"):
            run.epoch(RowSource(ones(8, 3)), RowSource(ones(8, 2)), None)
    run.epoch(RowSource(ones(8, 4)), RowSource(ones(8, 2)), None)


def test_tasks_that_cost_nothing_are_run_too():
    task_type = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int)
    run = ctypes.CDLL(_cpu.__file__).cnn_core_pool_run
    for costs in ([0, 1, 1], [0, 1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 5, 5], [0, 2, 4, 6, 6, 6]):
        for threads in (1, 2, 3, 8):
            seen, tasks = [], len(costs) - 1
            task = task_type(lambda context, i, worker: seen.append(i))
            prefix = (ctypes.c_ssize_t * len(costs))(*costs)
            run(task, None, ctypes.c_ssize_t(tasks), prefix, threads)
            assert sorted(seen) == list(range(tasks))

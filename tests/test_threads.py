"""Threads: nobody can tell from the results how many there were, and nothing hangs."""

import hashlib
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from cnn_core._backprop import Backprop
from cnn_core._dataset import RowSource
from cnn_core._network import Network
from cnn_core._predict import BatchPredictor
from cnn_core._random import uniform
from cnn_core._trainer import Trainer

import cnn_core
from cnn_core import MLP, threads

LOSS = "sparse_categorical_crossentropy"
ADAM = dict(learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-8)


def numbers(seed, *shape, dtype="float32"):
    return (2 * uniform(seed, 0, int(np.prod(shape))) - 1).reshape(shape).astype(dtype)


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()[
        :16
    ]


def make_run(dtype="float32", batch=150, n=1, options=None, clip=0.0, longest=0.0, adaptive=False):
    network = Network((130, 200, 90, 7), ("relu", "selu", "softmax"), dtype)
    network.set_flat(numbers(1, network.flat().size, dtype=dtype) * 0.2)
    backprop = Backprop(network, LOSS, batch, **options or {})
    return Trainer(
        backprop, "adam", ADAM, 7, clip_norm=clip, max_norm=longest, threads=n, adaptive=adaptive
    )


def make_rows(dtype="float32", rows=450):
    labels = (uniform(3, 0, rows) * 7).astype(np.int32)[:, None]
    return RowSource(numbers(2, rows, 130, dtype=dtype)), None, RowSource(labels)


VARIANTS = {
    "plain": {}, "dropout": dict(options=dict(dropout=(0.1, 0.2, 0.5))), "clipped": dict(clip=0.01),
    "penalised": dict(options=dict(l1=1e-4, l2=1e-3)), "limited": dict(longest=0.5),
    "adaptive": dict(adaptive=True),
    "odd": dict(batch=149), "dropout above": dict(options=dict(dropout=(0.0, 0.2, 0.5))),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_one_hash_over_threads_1_to_8(variant, isa, dtype):
    seen = set()
    for n in range(1, 9):
        run = make_run(dtype, n=n, **VARIANTS[variant])
        X, _, labels = make_rows(dtype)
        losses = [
            run.epoch(X, None, labels, weights=RowSource(numbers(9, 450, 1, dtype=dtype) + 1.5))
            for _ in range(2)
        ]
        judged = run.evaluate(X, None, labels)
        seen.add((digest(run.parameters, *run.slots), *losses, judged))
    assert len(seen) == 1


@pytest.mark.slow
def test_predictions_and_gradients_do_not_depend_on_threads(isa, dtype):
    X, _, labels = make_rows(dtype, 1000)
    network = make_run(dtype).backprop.network
    assert len({digest(BatchPredictor(network).forward(X.array, n)) for n in range(1, 9)}) == 1
    gradients = set()
    for n in range(1, 9):
        run = make_run(dtype, 1000, n)
        gradients.add((run.loss_and_gradient(X, None, labels), digest(run.flat_gradient())))
    assert len(gradients) == 1


def test_mlp_gives_the_same_bits_for_every_number_of_threads():
    X, y = numbers(2, 600, 130), (uniform(3, 0, 600) * 5).astype(int)
    models = [
        MLP(
            (200, 90),
            epochs=4,
            batch_size=128,
            random_state=0,
            n_threads=n,
            early_stopping=True,
            dropout=0.2,
        ).fit(X, y)
        for n in (None, 1, 2, 3, 8)
    ]
    assert len({digest(model.parameters_, model.predict_proba(X)) for model in models}) == 1
    assert len({str(model.history_["loss"] + model.history_["val_loss"]) for model in models}) == 1


def test_trainings_at_the_same_time_get_their_own_results():
    X, _, labels = make_rows(rows=1500)
    alone = make_run(n=4)
    for _ in range(3):
        alone.epoch(X, None, labels)
    runs = [make_run(n=4) for _ in range(6)]

    def train(run):
        for _ in range(3):
            run.epoch(X, None, labels)

    workers = [threading.Thread(target=train, args=(run,)) for run in runs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert {digest(run.parameters) for run in runs} == {digest(alone.parameters)}


def test_one_model_predicts_for_many_threads_at_once():
    X = numbers(2, 2000, 130)
    network = make_run().backprop.network
    expected, seen = digest(BatchPredictor(network).forward(X)), []
    workers = [
        threading.Thread(
            target=lambda: seen.extend(
                digest(BatchPredictor(network).forward(X, 4)) for _ in range(5)
            )
        )
        for _ in range(6)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert set(seen) == {expected} and len(seen) == 30


def run_python(code, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


COMMON = """
import os, numpy as np
from cnn_core import MLP
X = np.sin(np.arange(600 * 130.0)).reshape(600, 130).astype("float32")
y = np.arange(600) % 3
def train():
    return MLP((200, 90), epochs=3, batch_size=128, random_state=0, n_threads=3).fit(X,
    y).parameters_.tobytes()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_trains_with_threads_of_its_own():
    assert run_python(
        COMMON
        + """
before = train()
child = os.fork()
if child == 0:
    tasks = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
    ok = train() == before and tasks == 1
    os._exit(0 if ok else 1)
print(os.waitpid(child, 0)[1], train() == before)
"""
    ) == ["0", "True"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forks_while_another_thread_trains_hang_nobody():
    assert run_python(
        COMMON
        + """
import threading
expected, results = train(), []
worker = threading.Thread(target=lambda: results.extend(train() for _ in range(20)))
worker.start()
codes = []
for _ in range(10):
    child = os.fork()
    if child == 0:
        os._exit(0 if train() == expected else 1)
    codes.append(os.waitpid(child, 0)[1])
worker.join()
print(set(codes) == {0}, set(results) == {expected})
""".replace("import os, ", "import warnings; warnings.simplefilter('ignore'); import os, ")
    ) == ["True", "True"]


def test_the_interpreter_ends_while_workers_sleep():
    assert run_python(COMMON + "train(); print('done')") == ["done"]


@pytest.mark.slow
def test_workers_sleep_when_there_is_nothing_to_do():
    assert run_python(
        COMMON
        + """
import time
train()
time.sleep(0.2)
before = time.process_time()
time.sleep(0.5)
print(time.process_time() - before < 0.1)
"""
    ) == ["True"]


# How many


@pytest.mark.slow
@pytest.mark.parametrize("environment, expected", [
    (dict(CNN_CORE_NUM_THREADS="3", OMP_NUM_THREADS="2"), "3"),
    (dict(CNN_CORE_NUM_THREADS="", OMP_NUM_THREADS="2"), "2"),
    (dict(CNN_CORE_NUM_THREADS="", OMP_NUM_THREADS="5,2"), "5"),
    (dict(CNN_CORE_NUM_THREADS="1000"), "64"),
])  # fmt: skip
def test_the_environment_says_how_many(environment, expected):
    assert run_python("import cnn_core; print(cnn_core.get_num_threads())", **environment) == [
        expected
    ]


#: Not a number that C's strtoul would read as a number of threads.
NONSENSE = [
    "many", "\u00b2", "\u0663", "\U0001d7dc", "5" * 5000, "+4", "-4", "0", "0x4", "4.0", "4_0",
    "1e3", "4 2", "4;2", "4,x", "\u00b3,2", "4,", ",4", ",",
]  # fmt: skip


@pytest.mark.parametrize("value", NONSENSE)
def test_a_variable_that_is_no_number_is_a_clear_error_and_that_of_openmp_is_passed_over(
    value, monkeypatch
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("CNN_CORE_NUM_THREADS", raising=False)
    usual = cnn_core.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert cnn_core.get_num_threads() == usual
    monkeypatch.setenv("CNN_CORE_NUM_THREADS", value)
    with pytest.raises(
        ValueError, match="CNN_CORE_NUM_THREADS must be a whole number from 1 to 999999999, got '"
    ) as caught:
        cnn_core.get_num_threads()
    assert len(str(caught.value)) < 130


@pytest.mark.parametrize("value", ["4", " 4 ", "\t4\n", "004", "0" * 5000 + "4"])
def test_spaces_and_zeros_around_a_number_do_not_matter(value, monkeypatch):
    monkeypatch.delenv("CNN_CORE_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", f"{value},2, 3")
    assert cnn_core.get_num_threads() == 4
    monkeypatch.setenv("CNN_CORE_NUM_THREADS", value)
    assert cnn_core.get_num_threads() == 4


def test_the_number_can_be_set_and_given_back():
    before = cnn_core.get_num_threads()
    try:
        cnn_core.set_num_threads(3)
        assert cnn_core.get_num_threads() == 3
    finally:
        cnn_core.set_num_threads(None)
    assert cnn_core.get_num_threads() == before


@pytest.mark.parametrize("files, expected", [
    ({"cpu.max": "150000 100000"}, 2), ({"cpu.max": "max 100000"}, None),
    ({"cpu.max": "50000 100000"}, 1),
    ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3), ({}, None),
    ({"cpu.max": ""}, None),
])  # fmt: skip
def test_the_quota_of_the_control_group_counts(files, expected, tmp_path):
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert threads._quota(str(tmp_path)) == expected


def test_a_fit_opens_no_file_once_the_number_of_threads_is_known():
    assert run_python(
        """
import os, sys
for name in ("CNN_CORE_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.pop(name, None)
from cnn_core import MLP
X, y = [[0.0], [1.0]], [0, 1]
MLP(epochs=1).fit(X, y)
opened = []
sys.addaudithook(lambda event, arguments: event == "open" and opened.append(arguments[0]))
MLP(epochs=1).fit(X, y).partial_fit(X, y).predict(X)
print(opened)
"""
    ) == ["[]"]


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="this system does not tell the affinity"
)
def test_the_affinity_counts():
    assert run_python(
        """
import os, cnn_core
os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
print(cnn_core.get_num_threads())
""",
        CNN_CORE_NUM_THREADS="",
        OMP_NUM_THREADS="",
    ) == ["1"]


@pytest.mark.parametrize(
    "n, error",
    [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("2", TypeError), (True, TypeError)],
)
def test_numbers_of_threads_that_make_no_sense_are_clear_errors(n, error):
    with pytest.raises(error, match="n_threads must be"):
        MLP(n_threads=n)
    with pytest.raises(error, match="n_threads must be"):
        cnn_core.set_num_threads(n)


def test_threads_of_a_run_are_at_least_1():
    with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
        make_run(n=0)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["threadpoolctl", "cnn_core"])
def test_threadpoolctl_counts_and_limits_the_threads(first):
    pytest.importorskip("threadpoolctl")
    code = f"""
import {first}
import cnn_core, threadpoolctl
from cnn_core import threads
cnn_core.set_num_threads(3)
threads.join_threadpoolctl()
ours = [info for info in threadpoolctl.threadpool_info() if info["user_api"] == "cnn_core"]
assert len(ours) == 1 and ours[0]["num_threads"] == 3, ours
assert ours[0]["version"] == cnn_core.__version__, ours
for limits in (1, {{"cnn_core": 1}}):
    with threadpoolctl.threadpool_limits(limits):
        assert cnn_core.get_num_threads() == 1
    assert cnn_core.get_num_threads() == 3
with threadpoolctl.threadpool_limits(1, user_api="blas"):
    assert cnn_core.get_num_threads() == 3
with threadpoolctl.threadpool_limits(1):
    with threadpoolctl.threadpool_limits(2):
        assert cnn_core.get_num_threads() == 2
    assert cnn_core.get_num_threads() == 1
for limit in (1, 3, 4):
    with threadpoolctl.threadpool_limits(limit):
        cnn_core.set_num_threads(5)  # holds when the limit ends
        assert cnn_core.get_num_threads() == limit
    assert cnn_core.get_num_threads() == 5
    cnn_core.set_num_threads(3)
    assert cnn_core.get_num_threads() == 3
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_cnn_core_does_not_import_threadpoolctl():
    code = (
        "import cnn_core, sys; cnn_core.get_num_threads(); "
        "assert 'threadpoolctl' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("shuffled", [True, False])
def test_a_first_layer_shared_out_by_panels_gives_the_same_bits(shuffled, isa, dtype):
    # Long rows, or rows in their order, are read where they stand: then threads share the outputs
    # of the first layer.
    X, labels = (
        numbers(2, 450, 300, dtype=dtype),
        (uniform(3, 0, 450) * 7).astype(np.int32)[:, None],
    )
    digests = set()
    for n in (1, 2, 3, 5):
        network = Network((300, 200, 90, 7), ("relu", "tanh", "softmax"), dtype)
        network.set_flat(numbers(1, network.flat().size, dtype=dtype) * 0.2)
        run = Trainer(Backprop(network, LOSS, 149), "adam", ADAM, 7, threads=n)
        results = [
            run.epoch(RowSource(X), None, RowSource(labels), shuffled=shuffled) for _ in range(2)
        ]
        digests.add((digest(network.parameters, *run.slots), *results))
    assert len(digests) == 1


@pytest.mark.slow
@pytest.mark.parametrize("activations", [("gelu", "relu", "tanh"), ("selu", "softmax", "relu")])
@pytest.mark.parametrize("dropout", [(0.0, 0.0, 0.0, 0.3), (0.0, 0.0, 0.3, 0.0)])
def test_layers_shared_by_outputs_give_the_same_bits(activations, dropout, isa, dtype):
    X, labels = (
        RowSource(numbers(2, 300, 20, dtype=dtype)),
        RowSource((uniform(3, 0, 300) * 5).astype(np.int32)[:, None]),
    )
    seen = set()
    for n in (1, 2, 3):  # 3 do not divide the panels evenly
        network = Network((20, 160, 210, 192, 5), (*activations, "softmax"), dtype)
        network.set_flat(numbers(1, network.flat().size, dtype=dtype) * 0.2)
        run = Trainer(Backprop(network, LOSS, 110, dropout=dropout), "adam", ADAM, 7, threads=n)
        losses = [run.epoch(X, None, labels) for _ in range(2)]
        passed = Trainer(Backprop(network, LOSS, 300), None, {}, threads=n)
        seen.add(
            (
                digest(run.parameters),
                *losses,
                passed.loss_and_gradient(X, None, labels),
                digest(passed.flat_gradient()),
            )
        )
    assert len(seen) == 1


def test_more_threads_than_can_be_had_are_as_many_as_can():
    X, y = numbers(1, 50, 4), np.arange(50) % 3
    few, many = (MLP(4, epochs=2, n_threads=n, random_state=0).fit(X, y) for n in (1, 2**40))
    assert np.array_equal(few.forward(X), many.forward(X))

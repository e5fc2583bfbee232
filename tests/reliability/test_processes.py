"""Forks, pools of processes, small stacks, many threads, and an end in the middle of it all: each
result is that of one thread alone, and nothing hangs."""

import os
import sys

import pytest
from reliability_cases import run_python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and forks of POSIX")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

COMMON = """
import os, sys, threading, time, warnings
import numpy as np
from cnn_core import MLP
warnings.simplefilter("ignore")  # newer Pythons warn of forks with threads
X = np.sin(np.arange(300 * 60.0)).reshape(300, 60).astype("float32")
y = np.arange(300) % 3
def train(threads=3):
    model = MLP((100, 40), epochs=2, batch_size=128, random_state=0, n_threads=threads).fit(X, y)
    return model.parameters_.tobytes() + model.forward(X).tobytes()
"""


@needs_fork
def test_a_child_fits_and_predicts_after_its_parent_has():
    code = """
model = MLP((100, 40), epochs=2, random_state=0, n_threads=3).fit(X, y)
expected, answers = train(), model.forward(X).tobytes()
child = os.fork()
if child == 0:
    os._exit(0 if train() == expected and model.forward(X).tobytes() == answers else 1)
print(os.waitpid(child, 0)[1], train() == expected)
"""
    assert run_python(COMMON + code) == ["0", "True"]


NESTED = """
# Each child forks the next while threads of its own are inside the pool.
depth, rounds = {depth}, {rounds}
expected, stop = train(), threading.Event()
def load():
    while not stop.is_set():
        if train() != expected:
            os._exit(3)
def descend(level):
    workers = [threading.Thread(target=load, daemon=True) for _ in range(2)]
    for worker in workers:
        worker.start()
    time.sleep(0.02)
    child = os.fork() if level < depth else 0
    if child == 0 and level < depth:
        descend(level + 1)
    code = 0 if train() == expected else 1
    if level < depth:
        code |= os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, os._exit(code) if level else None
codes = [descend(0)[0] for _ in range(rounds)]
stop.set()
print(codes)
"""


@pytest.mark.slow
@needs_fork
@pytest.mark.parametrize(
    "depth, rounds", [(5, 1), pytest.param(10, 5, marks=pytest.mark.slow)]
)  # fmt: skip
def test_nested_forks_under_load_hang_nobody(depth, rounds):
    printed = run_python(COMMON + NESTED.format(depth=depth, rounds=rounds), timeout=300)
    assert "".join(printed) == str([0] * rounds).replace(" ", "")


@pytest.mark.parametrize(
    "method",
    ["fork", *[pytest.param(name, marks=pytest.mark.slow) for name in ("spawn", "forkserver")]],
)
def test_pools_of_processes_give_the_bits_of_one_process(method, tmp_path):
    import multiprocessing

    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    module = tmp_path / "job.py"
    module.write_text(COMMON + "def job(seed):\n    return train()\n")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import multiprocessing, job
if __name__ == "__main__":
    expected = job.train()
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        print(set(pool.map(job.job, range(6))) == {{expected}})
"""
    assert run_python(code, timeout=120) == ["True"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "end",
    ["", *[pytest.param(end, marks=pytest.mark.slow) for end in ("sys.exit()", "os._exit(0)")]],
)
def test_the_interpreter_ends_while_the_pool_is_busy(end):
    code = """
started = threading.Event()
def fit_for_ever():
    while True:
        started.set()
        MLP((300, 300), epochs=50, batch_size=128, random_state=0, n_threads=3).fit(X, y)
workers = [threading.Thread(target=fit_for_ever, daemon=True) for _ in range(3)]
for worker in workers:
    worker.start()
started.wait()
time.sleep(0.2)
print("done", flush=True)
"""
    for _ in range(2):
        assert run_python(COMMON + code + end, timeout=60) == ["done"]


@pytest.mark.slow
def test_threads_with_stacks_of_128_kb_fit_and_predict():
    code = """
expected, seen = train(), []
threading.stack_size(128 * 1024)
def use():
    seen.append(train())
    model = MLP((100, 40), optimizer="lbfgs", epochs=2, random_state=0).fit(X, y)
    model.predict_one(X[0]), model.evaluate(X, y)
    seen.append(train(1))
workers = [threading.Thread(target=use) for _ in range(4)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print(set(seen) == {expected}, len(seen))
"""
    assert run_python(COMMON + code, timeout=120) == ["True", "8"]


@pytest.mark.slow
def test_200_threads_predict_at_once():
    code = """
model = MLP((100, 40), epochs=2, random_state=0, n_threads=4).fit(X, y)
many = np.repeat(X, 20, axis=0)
expected = model.forward(many).tobytes()
one = model.predict_one(X[0]).tobytes()
threading.stack_size(256 * 1024)
ready, wrong, done = threading.Barrier(200), [], []
def ask():
    ready.wait()
    for _ in range(3):
        if model.forward(many).tobytes() != expected or model.predict_one(X[0]).tobytes() != one:
            wrong.append(1)
    done.append(1)
workers = [threading.Thread(target=ask) for _ in range(200)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print(len(wrong), len(done))
"""
    assert run_python(COMMON + code, timeout=120) == ["0", "200"]

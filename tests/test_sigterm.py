"""SIGTERM where a checkpoint was asked for: it is written, and the process ends; nobody else's
handler is replaced."""

import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

from cnn_core import MLP

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")

TRAINING = """
import sys
import numpy as np
from cnn_core import MLP
X = np.random.default_rng(0).normal(size=(20000, 50))
model = MLP((200, 100), epochs=int(sys.argv[2]), random_state=0)
print("ready", flush=True)
model.fit(X, X[:, 0] * X[:, 1], checkpoint=sys.argv[1], checkpoint_every=1e9)
"""


@pytest.mark.slow
def test_sigterm_writes_a_checkpoint_and_ends_the_process(tmp_path):
    path = tmp_path / "run.ckpt"
    command = [sys.executable, "-W", "ignore", "-c", TRAINING, str(path), "100000"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "ready\n"
        time.sleep(2)
        began = time.perf_counter()
        child.terminate()
        _, error = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 128 + signal.SIGTERM and error == ""
    assert time.perf_counter() - began < 30  # of a training of hours
    X = np.random.default_rng(0).normal(size=(20000, 50))
    model = MLP((200, 100), epochs=100000, random_state=0, max_seconds=1e-3)
    with warnings.catch_warnings():  # of the time, unless little was left of the epoch
        warnings.simplefilter("ignore", UserWarning)
        model.fit(X, X[:, 0] * X[:, 1], checkpoint=path)
    assert model.n_epochs_ < 100000


def test_a_handler_of_somebody_else_stays(tmp_path):
    seen, before = [], signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
    try:
        X = np.random.default_rng(0).normal(size=(50, 3))
        model = MLP(
            5,
            epochs=4,
            random_state=0,
            callbacks=lambda model, epoch, logs: (
                os.kill(os.getpid(), signal.SIGTERM) if epoch == 2 else None
            ),
        )
        model.fit(X, X[:, 0], checkpoint=tmp_path / "run.ckpt")
        assert seen == [1] and model.n_epochs_ == 4
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_handler_of_the_system_is_back_afterwards(tmp_path):
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    X = np.random.default_rng(0).normal(size=(50, 3))
    MLP(5, epochs=2, random_state=0).fit(X, X[:, 0], checkpoint=tmp_path / "run.ckpt")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

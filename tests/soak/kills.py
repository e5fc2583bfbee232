"""SIGKILL at random moments of a checkpointed training, until it is over: whether it ends with the
bits of one that was never interrupted.

    python tests/soak/kills.py                   # MLP, 100 kills, epochs of about a second
    python tests/soak/kills.py --kills 10 --estimator sklearn

Each part of the training runs with another number of threads.
"""

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def data(rows):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 60))
    return X, np.tanh(X[:, 0] * X[:, 1]) + X[:, 2]


def make(estimator, epochs, threads):
    if estimator == "mlp":
        from cnn_core import MLP

        return MLP(
            (128, 64), epochs=epochs, dropout=0.1, early_stopping=True, patience=10**6,
            random_state=0, n_threads=threads,
        )  # fmt: skip
    from cnn_core.sklearn import MLPRegressor

    return MLPRegressor(
        hidden_layer_sizes=(128, 64), max_iter=epochs, batch_size=32, dropout=0.1, tol=0,
        n_iter_no_change=10**6, random_state=0, n_threads=threads,
    )  # fmt: skip


def sha_of(model):
    """Of the weights and of all losses."""
    weights = model.weights_ if hasattr(model, "weights_") else model.coefs_
    losses = model.history_["loss"] if hasattr(model, "history_") else model.loss_curve_
    digest = hashlib.sha256(np.array(losses, np.float64).tobytes())
    for W in weights:
        digest.update(np.ascontiguousarray(W).tobytes())
    return digest.hexdigest()


def train(options):
    """What a child process does."""
    X, y = data(options.rows)
    model = make(options.estimator, options.epochs, options.threads)
    model.fit(X, y, checkpoint=options.path, checkpoint_every=options.every)
    print(sha_of(model), flush=True)


def run(options):
    """Kill children until the training is over; 0 where the bits are those of an uninterrupted
    one."""
    X, y = data(options.rows)
    began = time.perf_counter()
    whole = sha_of(make(options.estimator, options.epochs, 1).fit(X, y))
    seconds = time.perf_counter() - began
    print(f"uninterrupted: {options.epochs} epochs in {seconds:.1f} s, {whole[:16]}", flush=True)
    chance, killed, between = random.Random(options.seed), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.ckpt"
        while True:
            command = [
                sys.executable, "-W", "ignore", __file__, "--path", str(path),
                "--threads", str(1 + (killed % 4)), "--rows", str(options.rows),
                "--epochs", str(options.epochs), "--every", str(options.every),
                "--estimator", options.estimator,
            ]  # fmt: skip
            child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            if killed < options.kills:
                before = path.read_bytes() if path.exists() else b""
                time.sleep(1 + chance.uniform(0, 2 * options.wait))
                if child.poll() is None:
                    os.kill(child.pid, signal.SIGKILL)
                    child.wait()
                    killed += 1
                    between += path.exists() and path.read_bytes() != before
                    child.stdout.close()
                    continue
            out, _ = child.communicate(timeout=3600)
            break
        left = [name for name in os.listdir(folder) if name != path.name]
    same = out.strip() == whole and not left
    print(
        f"{killed} kills, {between} after a new checkpoint: "
        + ("the same bits" if same else f"DIFFERENT: {out.strip()[:16]}, left over: {left}")
    )
    return 0 if same and killed and between else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--rows", type=int, default=40_000, help="an epoch of about a second")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--every", type=float, default=0.1, help="seconds between checkpoints")
    parser.add_argument("--wait", type=float, default=1.0, help="mean seconds before a kill")
    parser.add_argument("--estimator", choices=("mlp", "sklearn"), default="mlp")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--path", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.path:
        train(options)
        return 0
    return run(options)


if __name__ == "__main__":
    sys.exit(main())

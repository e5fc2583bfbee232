"""Python threads that train, predict and refit at once, on pools of 2 to 8 threads.

    python tests/sanitizers/soak_threads.py --seconds 5 --threads 2 4 8

Each result must be, to the bit, that of a thread alone. Run by hand or, under ThreadSanitizer, by
run.py; exits with 1 if a result differs.
"""

import argparse
import sys
import threading
import time
import warnings

import numpy as np

from cnn_core import MLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 40)).astype(np.float32)
LABELS = (X[:, :3].argmax(1)).astype(np.int64)
NUMBERS = X[:, :2] @ [1.0, -2.0]

#: One of each strategy of `plan_step`, a gradient that is clipped, rows in shards, and L-BFGS.
NETWORKS = {
    "blockwise": dict(hidden=(16, 8), batch_size=200),
    "two phases": dict(hidden=(200, 90), batch_size=150, dropout=0.2),
    "layer parallel": dict(hidden=(300, 40), batch_size=300, l2=1e-4),
    "clipped": dict(hidden=(64, 64), batch_size=100, clip_norm=0.01),
    "shards": dict(hidden=(48, 16), batch_size=120, shards=8, dropout=0.1),
    "lbfgs": dict(hidden=(32,), optimizer="lbfgs"),
}


def make(name, threads):
    """An unfitted model."""
    return MLP(epochs=2, random_state=0, n_threads=threads, **NETWORKS[name])


def train(name, threads):
    """The bits of a model's weights and of its predictions."""
    y = NUMBERS if name == "lbfgs" else LABELS
    model = make(name, threads).fit(X, y)
    return model.parameters_.tobytes() + model.forward(X).tobytes()


def derivatives(model):
    """The bits of gradients by inputs and of a curvature."""
    found = (
        model.input_gradient(X[:90], 1),
        model.jacobian(X[:20]),
        model.hessian_vector_product(X, LABELS, model.parameters_),
    )
    return b"".join(one.tobytes() for one in found)


class Soak:
    """Some seconds of threads that do everything at once.

    Parameters
    ----------
    threads : int
        Of each pool run.
    """

    def __init__(self, threads):
        self.threads = threads
        self.trained = {name: train(name, 1) for name in NETWORKS}
        self.shared = make("two phases", threads).fit(X, LABELS)
        self.predicted = self.shared.forward(X).tobytes()
        self.derived = derivatives(make("two phases", 1).fit(X, LABELS))
        self.one = self.shared.predict_one(X[0]).tobytes()
        self.refitted = make("blockwise", threads).fit(X, LABELS)
        self.known = {self.refitted.forward(X).tobytes(), self.refit(1), self.refit(0)}
        self.done, self.wrong = {}, []

    def refit(self, turn):
        """Fit the model that others ask meanwhile, on one of two sets of labels."""
        self.refitted.fit(X, LABELS if turn % 2 == 0 else 2 - LABELS)
        return self.refitted.forward(X).tobytes()

    def actions(self):
        """Name to a function of the turn; each returns whether its result is right."""
        names = list(NETWORKS)
        return {
            "train": lambda turn: (
                train(name := names[turn % len(names)], self.threads) == self.trained[name]
            ),
            "train another": lambda turn: (
                train(name := names[(turn + 2) % len(names)], self.threads) == self.trained[name]
            ),
            "predict": lambda turn: self.shared.forward(X).tobytes() == self.predicted,
            "predict as well": lambda turn: self.shared.forward(X).tobytes() == self.predicted,
            "predict one": lambda turn: self.shared.predict_one(X[0]).tobytes() == self.one,
            "derivatives": lambda turn: derivatives(self.shared) == self.derived,
            "evaluate": lambda turn: self.shared.score(X, LABELS) > 0.3,
            "refit": lambda turn: self.refit(turn) in self.known,
            "predict during refits": lambda turn: self.refitted.forward(X).tobytes() in self.known,
        }

    def run(self, seconds):
        """Do all at once for some seconds; returns what was wrong."""
        end = time.monotonic() + seconds

        def repeat(name, action):
            turn = 0
            while turn < 2 or time.monotonic() < end:
                if not action(turn):
                    self.wrong.append(name)
                turn += 1
            self.done[name] = turn

        workers = [
            threading.Thread(target=repeat, args=item, name=item[0])
            for item in self.actions().items()
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return sorted(set(self.wrong))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5, help="for each number of threads")
    parser.add_argument("--threads", type=int, nargs="+", default=list(range(2, 9)))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    failed = False
    for threads in arguments.threads:
        soak = Soak(threads)
        wrong = soak.run(arguments.seconds)
        failed |= bool(wrong) or len(soak.done) < len(soak.actions())
        counts = ", ".join(f"{name} {count}" for name, count in sorted(soak.done.items()))
        print(f"{threads} threads: {counts}; wrong: {wrong or 'none'}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

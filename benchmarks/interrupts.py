"""How long Ctrl-C takes: from the signal to the caller's `except`, on the widest nets.

    python benchmarks/interrupts.py                  # 20 tries of each case, on 2 threads and on 1
    python benchmarks/interrupts.py --tries 5 fit predict

20,000 rows of 100 features go through 1500-1500. A process of its own sends each signal, after a
random part of the first seconds of the work, so that it is not held up by the one that works.
"""

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import time

import numpy as np

from cnn_core import MLP

ROWS, FEATURES, HIDDEN = 20_000, 100, (1500, 1500)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, FEATURES)).astype(np.float32)
Y = X[:, :10].argmax(axis=1)

#: Prints the time before and after it sends the signal.
SEND = """
import os, signal, sys, time
time.sleep(float(sys.argv[2]))
print(time.monotonic(), flush=True)
os.kill(int(sys.argv[1]), signal.SIGINT)
"""


def mlp(threads, **options):
    """A network of the width that is asked for."""
    given = {"hidden": HIDDEN, "epochs": 1000, "random_state": 0, "n_threads": threads}
    return MLP(**given | options)


def fitted(threads):
    """One that predicts: untrained, as the time is the same."""
    return mlp(threads).initialize(X, Y)


def repeated(call):
    """For ever, so that the signal never comes too late."""
    while True:
        call()


def of_estimator(threads, **options):
    """scikit-learn's drop-in."""
    from cnn_core.sklearn import MLPClassifier

    given = {"hidden_layer_sizes": HIDDEN, "max_iter": 1000, "random_state": 0}
    model = MLPClassifier(**given | options, n_threads=threads)
    return lambda: model.fit(X, Y)


def predictions_of_estimator(threads):
    """Its predictions."""
    from cnn_core.sklearn import MLPClassifier

    model = MLPClassifier(HIDDEN, max_iter=1, random_state=0, n_threads=threads)
    model.fit(X[:500], Y[:500])
    return lambda: repeated(lambda: model.predict(X))


def prediction(name, *more):
    """What asks a network of its width for one kind of answer again and again."""

    def make(threads):
        model = fitted(threads)
        return lambda: repeated(lambda: getattr(model, name)(X, *more))

    return make


def fit(**options):
    """What fits such a network."""

    def make(threads):
        model = mlp(threads, **options)
        return lambda: model.fit(X, Y)

    return make


def validated_fit(threads):
    """A fit that spends its time on validation rows."""
    model = mlp(threads)
    return lambda: model.fit(X[:320], Y[:320], validation_data=(X, Y))


CASES = {
    "fit": fit(),
    "fit, one mini-batch": fit(batch_size="full"),
    "fit, float64": fit(batch_size="full", dtype="float64"),
    "fit, validation rows": validated_fit,
    "fit, L-BFGS": fit(optimizer="lbfgs"),
    "predict": prediction("predict"),
    "predict_proba": prediction("predict_proba"),
    "score": prediction("score", Y),
    "evaluate": prediction("evaluate", Y),
    "sklearn fit": of_estimator,
    "sklearn fit, lbfgs": lambda threads: of_estimator(threads, solver="lbfgs"),
    "sklearn predict": predictions_of_estimator,
}


def answer(work, wait):
    """Seconds from a signal, sent after `wait` seconds, to its KeyboardInterrupt."""
    sender = subprocess.Popen(
        [sys.executable, "-S", "-c", SEND, str(os.getpid()), str(wait)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        work()
    except KeyboardInterrupt:
        caught = time.monotonic()
    else:
        raise SystemExit("the work was done before the signal came")
    sent = float(sender.communicate()[0])
    return caught - sent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", choices=[[], *CASES], default=[])
    parser.add_argument("--tries", type=int, default=20)
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed(0)
    print(f"{'milliseconds':<22}{'threads':>8}{'median':>8}{'longest':>9}")
    for name in arguments.cases or CASES:
        for threads in (2, 1):
            work = CASES[name](threads)
            times = [1e3 * answer(work, random.uniform(0.5, 2.0)) for _ in range(arguments.tries)]
            print(f"{name:<22}{threads:>8}{statistics.median(times):>8.0f}{max(times):>9.0f}")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

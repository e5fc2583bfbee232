"""Predictions while a model is refitted: how many belong to no fit, and how many raise.

    python tests/soak/refit.py                     # MLP and both estimators, 21,000 of each kind
    python tests/soak/refit.py --count 1000 mlp    # some of it

A model is fitted on two sets of labels in turn. Readers on 1, 2 and 4 threads ask it for answers
meanwhile. Each answer must be, to the bit, that of one of the two fits.
"""

import argparse
import sys
import threading

import numpy as np

from cnn_core import MLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 6))
ROW = X[:1].copy()
LABELS = (X[:, 0] + X[:, 1] > 0).astype(int)
NUMBERS = X @ [1.0, -2.0, 0.5, 0.0, 3.0, 0.0]
THREADS = (1, 2, 4)


def make_mlp():
    return MLP((16, 8), epochs=2, random_state=0, dtype="float64")


def make_classifier():
    from cnn_core.sklearn import MLPClassifier

    return MLPClassifier(
        hidden_layer_sizes=(16, 8), solver="sgd", max_iter=2, tol=0, random_state=0
    )


def make_regressor():
    from cnn_core.sklearn import MLPRegressor

    return MLPRegressor(hidden_layer_sizes=(16, 8), solver="sgd", max_iter=2, tol=0, random_state=0)


USES = {
    "predict": lambda model, y: model.predict(X),
    "predict_proba": lambda model, y: model.predict_proba(X),
    "one row": lambda model, y: model.predict(ROW),
    "predict_one": lambda model, y: model.predict_one(X[0]),
    "score": lambda model, y: model.score(X, y),
}

#: Refits that the answers of a case must at least see.
FITS = 5

#: name: (maker, labels of the first fit, labels of the second, what is asked)
SUBJECTS = {
    "mlp": (make_mlp, LABELS, 1 - LABELS, tuple(USES)),
    # A classification and a regression in turn: a torn score takes the labels of one and the
    # predictions of the other.
    "mlp, 2 tasks": (make_mlp, LABELS, NUMBERS, ("predict", "one row", "score")),
    "classifier": (
        make_classifier,
        LABELS,
        1 - LABELS,
        ("predict", "predict_proba", "one row", "score"),
    ),
    "regressor": (make_regressor, NUMBERS, 3 - NUMBERS, ("predict", "one row", "score")),
}


def soak(subject, use, threads, count):
    """Ask a model that is being refitted.

    Parameters
    ----------
    subject : str
        One of `SUBJECTS`.
    use : str
        One of `USES`.
    threads, count : int
        Readers, and how many answers they ask for together at least.

    Returns
    -------
    torn, errors, fits : int
    """
    make, first, second, _ = SUBJECTS[subject]
    ask = USES[use]
    known = {np.asarray(ask(make().fit(X, y), first)).tobytes() for y in (first, second)}
    model = make().fit(X, first)
    torn, errors = [0] * threads, [0] * threads

    fits = 0

    def read(reader):
        asked = 0
        while asked < count // threads or fits < FITS:
            asked += 1
            try:
                torn[reader] += np.asarray(ask(model, first)).tobytes() not in known
            except Exception:
                errors[reader] += 1

    readers = [threading.Thread(target=read, args=(i,)) for i in range(threads)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads take turns more often than they usually would
    try:
        for reader in readers:
            reader.start()
        while any(reader.is_alive() for reader in readers):  # they read `fits`
            model.fit(X, second if fits % 2 == 0 else first)
            fits += 1
    finally:
        for reader in readers:
            reader.join()
        sys.setswitchinterval(interval)
    return sum(torn), sum(errors), fits


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("subjects", nargs="*", choices=[[], *SUBJECTS], default=[])
    parser.add_argument("--count", type=int, default=21_000)
    arguments = parser.parse_args()
    failed = False
    print(f"{'model':<14}{'asked for':<15}{'threads':>8}{'answers':>9}{'refits':>8}", end="")
    print(f"{'torn':>7}{'errors':>8}")
    for subject in arguments.subjects or SUBJECTS:
        for use in SUBJECTS[subject][3]:
            for threads in THREADS:
                torn, errors, fits = soak(subject, use, threads, arguments.count)
                failed |= bool(torn or errors)
                print(f"{subject:<14}{use:<15}{threads:>8}{arguments.count:>9,}{fits:>8,}", end="")
                print(f"{torn:>7,}{errors:>8,}", flush=True)
    return int(failed)


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    sys.exit(main())

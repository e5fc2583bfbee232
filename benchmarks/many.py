"""Many nets at once: `fit_many` beside fits one after the other, GridSearchCV and JAX's vmap.

    python benchmarks/many.py                    # everything that is installed, on two threads
    python benchmarks/many.py nets grid --rounds 3

Contestants take turns; each line has the median of the seconds and of the ratios of the rounds. The
models of each are compared with their own fits by a hash of parameters, history and predictions.
"""

import argparse
import hashlib
import statistics
import time
import warnings

import numpy as np

from cnn_core import MLP, MLPClassifier, fit_many

ROWS = np.random.default_rng(0)


def classes(rows, features, kinds=2):
    """Rows whose class depends on products of features."""
    X = ROWS.normal(size=(rows, features)).astype(np.float32)
    score = X[:, 0] * X[:, 1] + 0.3 * ROWS.normal(size=rows)
    return X, np.digitize(score, np.quantile(score, np.arange(1, kinds) / kinds))


def digest(model, X):
    """Of all that a fit leaves but seconds."""
    history = {name: one for name, one in model.history_.items() if name != "seconds"}
    told = repr((history, model.n_epochs_, model.best_epoch_, model._model().state["steps"]))
    found = hashlib.sha256(model.parameters_.tobytes() + told.encode())
    found.update(model.forward(X).tobytes())
    return found.hexdigest()[:12]


def seconds(work):
    """How long a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compete(rounds, **works):
    """Medians of the seconds of each, which take turns; the last is what the others are beside."""
    taken = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            taken[name].append(seconds(work))
    taken = {name: one[1:] for name, one in taken.items()}  # the first warms up
    last = list(taken.values())[-1]
    for name, one in taken.items():
        ratio = statistics.median(a / b for a, b in zip(one, last, strict=True))
        print(f"  {name.replace('_', ' '):44s} {statistics.median(one):8.3f} s  {ratio:6.2f} x")


def compare(make, X, y, rows=None):
    """Print whether all have the hashes of their own fits."""
    rows = rows or [slice(None)] * len(make())
    many = [digest(model, X) for model in fit_many(make(), X, y, rows)]
    own = [digest(model.fit(X[r], y[r]), X) for model, r in zip(make(), rows, strict=True)]
    same = sum(one == other for one, other in zip(many, own, strict=True))
    print(f"  hashes equal to those of single fits: {same} of {len(own)} ({own[0]}, ...)")


def nets(options):
    """Sixteen narrow nets beside one of them."""
    X, y = classes(10_000, 8)
    for hidden, count in ((16, 16), ((32, 32), 16), (8, 16), (16, 8), (16, 4)):

        def make(n=count, hidden=hidden):
            return [MLP(hidden, epochs=options.epochs, random_state=seed) for seed in range(n)]

        widths = "-".join(map(str, (8, *np.atleast_1d(hidden), 2)))
        print(f"{count} nets of {widths}, {len(X):,} rows, {options.epochs} epochs")
        compete(
            options.rounds,
            fit_many=lambda: fit_many(make(), X, y, n_threads=options.threads),
            fit_many_on_one_thread=lambda: fit_many(make(), X, y, n_threads=1),
            one_net=lambda: make(1)[0].fit(X, y),
        )
        compare(make, X[:2000], y[:2000])


def wider(options):
    """Eight nets on two threads beside one after the other."""
    X, y = classes(20_000, 30)

    def make(threads=None):
        given = {"epochs": options.epochs, "batch_size": 64, "n_threads": threads}
        return [MLP((64, 32), random_state=seed, **given) for seed in range(8)]

    print(f"8 nets of 30-64-32-2, {len(X):,} rows, {options.epochs} epochs")
    compete(
        options.rounds,
        one_after_the_other_a_thread=lambda: [model.fit(X, y) for model in make(1)],
        one_after_the_other=lambda: [model.fit(X, y) for model in make()],
        fit_many=lambda: fit_many(make(), X, y, n_threads=options.threads),
    )
    compare(make, X[:2000], y[:2000])


def grid(options):
    """A grid of twelve settings and five folds on 344 rows beside GridSearchCV."""
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.model_selection import GridSearchCV, StratifiedKFold
        from sklearn.neural_network import MLPClassifier as Theirs
    except ImportError as error:
        print(f"grid: {error}")
        return
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y = classes(344, 6, 3)
    folds = list(StratifiedKFold(5).split(X, y))
    settings = [(h, l2, rate) for h in (8, 16, 32) for l2 in (1e-4, 1e-2) for rate in (1e-3, 1e-2)]
    given = {"epochs": 100, "scale_inputs": None, "random_state": 0}

    def make():
        return [
            MLPClassifier(hidden, l2=l2, learning_rate=rate, **given)
            for hidden, l2, rate in settings
            for _ in folds
        ]

    def many():
        models = fit_many(make(), X, y, [one for _ in settings for one, _ in folds])
        rest = [one for _ in settings for _, one in folds]
        return [model.score(X[r], y[r]) for model, r in zip(models, rest, strict=True)]

    ours = {"hidden": [8, 16, 32], "l2": [1e-4, 1e-2], "learning_rate": [1e-3, 1e-2]}
    theirs = {
        "hidden_layer_sizes": [8, 16, 32],
        "alpha": [1e-4, 1e-2],
        "learning_rate_init": [1e-3, 1e-2],
    }
    epochs = {"max_iter": 100, "n_iter_no_change": 1000, "batch_size": 32, "random_state": 0}
    search = {"cv": folds, "refit": False}
    print("a grid of 60 fits, 344 rows, 100 epochs")
    compete(
        options.rounds,
        scikit_learn_in_GridSearchCV_with_two_jobs=lambda: GridSearchCV(
            Theirs(**epochs), theirs, n_jobs=2, **search
        ).fit(X, y),
        MLPClassifier_in_GridSearchCV_with_two_jobs=lambda: GridSearchCV(
            MLPClassifier(**given), ours, n_jobs=2, **search
        ).fit(X, y),
        MLPClassifier_in_GridSearchCV=lambda: GridSearchCV(
            MLPClassifier(**given), ours, **search
        ).fit(X, y),
        fit_many=many,
    )
    compare(make, X, y, [one for _ in settings for one, _ in folds])


def vmap(options):
    """Sixteen narrow nets beside one jitted epoch of JAX over all of them."""
    try:
        import jax
        import jax.numpy as jnp
    except ImportError as error:
        print(f"vmap: {error}")
        return
    X, y = classes(10_000, 8)
    count, batch, n = 16, 32, len(X) // 32 * 32

    def begin(key):
        a, b = jax.random.split(key)
        W = jax.random.uniform(a, (8, 16), minval=-0.8, maxval=0.8)
        V = jax.random.uniform(b, (16, 1), minval=-0.6, maxval=0.6)
        w = (W, jnp.zeros(16), V, jnp.zeros(1))
        return w, tuple(map(jnp.zeros_like, w)), tuple(map(jnp.zeros_like, w)), 0.0

    def loss(w, x, t):
        z = (jnp.maximum(x @ w[0] + w[1], 0) @ w[2] + w[3])[:, 0]
        return jnp.mean(jnp.logaddexp(0.0, z) - t * z)

    def step(state, rows):
        w, m, v, k = state
        cost, g = jax.value_and_grad(loss)(w, x_all[rows], t_all[rows])
        k = k + 1
        m = tuple(0.9 * a + 0.1 * b for a, b in zip(m, g, strict=True))
        v = tuple(0.999 * a + 0.001 * b * b for a, b in zip(v, g, strict=True))
        rate = 1e-3 * jnp.sqrt(1 - 0.999**k) / (1 - 0.9**k)
        w = tuple(a - rate * b / (jnp.sqrt(c) + 1e-8) for a, b, c in zip(w, m, v, strict=True))
        return (w, m, v, k), cost

    def epoch(state, key):
        order = jax.random.permutation(key, len(X))[:n].reshape(-1, batch)
        return jax.lax.scan(step, state, order)

    x_all, t_all = jnp.asarray(X), jnp.asarray(y, jnp.float32)
    epochs = jax.jit(jax.vmap(epoch))
    states = jax.vmap(begin)(jax.random.split(jax.random.key(0), count))
    keys = jax.random.split(jax.random.key(1), count)

    def train():
        state = states
        for _ in range(options.epochs):
            state, _ = epochs(state, keys)
        jax.block_until_ready(state)

    print(f"16 nets of 8-16-2, {len(X):,} rows, {options.epochs} epochs, compiled beforehand")
    compete(
        options.rounds,
        JAX_vmap=train,
        fit_many=lambda: fit_many(
            [MLP(16, epochs=options.epochs, random_state=seed) for seed in range(count)],
            X,
            y,
            n_threads=options.threads,
        ),
    )


SECTIONS = {"nets": nets, "wider": wider, "grid": grid, "vmap": vmap}


def main():
    """Run the sections that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], default=[])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    for name in options.sections or SECTIONS:
        SECTIONS[name](options)


if __name__ == "__main__":
    main()

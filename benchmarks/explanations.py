"""Explanations: time, ranking and derivatives beside scikit-learn, shap and torch.

    python benchmarks/explanations.py                       # everything that is installed
    python benchmarks/explanations.py time row --rounds 5

Contestants take turns; each line has the median of the seconds of the rounds. `pip install
scikit-learn shap torch` for all of them; what is missing is left out, and said.
"""

import argparse
import statistics
import time
import timeit
import warnings

import numpy as np

from cnn_core import MLPClassifier, MLPRegressor, _activations, set_num_threads

OUTPUTS = ("identity", "sigmoid", "softmax", "exp")
METHODS = ("permutation", "gradient", "integrated", "expected")


def seconds(work):
    """How long a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def medians(rounds, works):
    """Of the seconds of each, which take turns; the first round warms up."""
    taken = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            taken[name].append(seconds(work))
    return {name: statistics.median(one[1:]) for name, one in taken.items()}


def classes(rows, features):
    """Rows whose class depends on three features."""
    X = np.random.default_rng(0).normal(size=(rows, features))
    return X, (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)


def kernel_shap(model, X, background, output):
    """What shap's KernelExplainer, with its default number of samples, says of some rows."""
    import shap

    def predict(rows):
        return model.predict(rows) if output is None else model.predict_proba(rows)[:, output]

    return shap.KernelExplainer(predict, background).shap_values(X, silent=True)


def times(options):
    """Importances of many rows, and attributions of single ones with 100 background rows."""
    X, y = classes(20_000, 30)
    model = MLPClassifier((64, 32), output="softmax", loss="sparse_categorical_crossentropy",
                          epochs=20, random_state=0).fit(X, y)  # fmt: skip
    works = {name: (lambda m=name: model.importances(X, y, m)) for name in METHODS}
    try:
        from sklearn.inspection import permutation_importance

        works["scikit-learn's permutation_importance"] = lambda: permutation_importance(
            model, X, y, n_repeats=5, random_state=0
        )
    except ImportError:
        print("scikit-learn is not installed")
    print(f"importances of {len(X):,} rows through 30-64-32-2")
    for name, found in medians(options.rounds, works).items():
        print(f"  {name:40s} {found:9.3f} s")
    rows, background = X[:200], X[-100:]
    works = {
        name: (lambda m=name: model.attributions(rows, m, baseline=background))
        for name in METHODS[2:]
    }
    print("a row's attributions from 100 background rows; by how much, of the largest, sums miss")
    found = {name: one / len(rows) for name, one in medians(options.rounds, works).items()}
    theirs = None
    try:
        some = rows[: options.explained]
        theirs = seconds(lambda: kernel_shap(model, some, background, 1)) / len(some)
        print(f"  {'shap.KernelExplainer':40s} {1e3 * theirs:9.3f} ms")
    except ImportError:
        print("shap is not installed")
    for name, one in found.items():
        ratio = "" if theirs is None else f"  {theirs / one:6.0f} times as fast"
        parts = model.attributions(rows, name, baseline=background)
        gaps = np.abs(parts.gap) / np.abs(parts.predictions - parts.base).max()
        print(f"  {name:40s} {1e3 * one:9.3f} ms{ratio}")
        print(f"    sums miss by {np.median(gaps):.1e} (median) to {gaps.max():.1e} (most)")


def tables():
    """Four data sets: name, X, y, and the class whose probability is explained."""
    from sklearn import datasets

    X, y = datasets.load_breast_cancer(return_X_y=True)
    yield "breast_cancer", X, y, 1
    X, y = datasets.load_wine(return_X_y=True)
    yield "wine, class 0 or not", X, (y == 0).astype(int), 1
    yield "diabetes", *datasets.load_diabetes(return_X_y=True), None
    X, y = datasets.make_friedman1(1000, 10, noise=1, random_state=0)
    yield "friedman1 (made)", X, y, None


def ranking(options):
    """Rank correlations with mean |shap|, and how many of the first three are the same."""
    from scipy.stats import kendalltau, spearmanr
    from sklearn.inspection import permutation_importance

    print("ranks beside those of mean |shap| of 60 test rows: Kendall, Spearman, the top 3")
    for name, X, y, output in tables():
        order = np.random.default_rng(0).permutation(len(y))
        X, y = X[order], y[order]
        n = len(y) * 3 // 4
        kind = MLPRegressor if output is None else MLPClassifier
        model = kind(32, epochs=60, early_stopping=True, random_state=0).fit(X[:n], y[:n])
        rest, target = X[n:], y[n:]
        wanted = np.abs(kernel_shap(model, rest[:60], X[:100], output)).mean(axis=0)
        values = {method: model.importances(rest, target, method, repeats=20).values
                  for method in METHODS}  # fmt: skip
        theirs = permutation_importance(model, rest, target, n_repeats=20, random_state=0)
        values["permutation_importance"] = theirs.importances_mean
        print(f"  {name}: {X.shape[1]} columns, score {model.score(rest, target):.3f}")
        for method, one in values.items():
            top = len({*np.argsort(-one)[:3]} & {*np.argsort(-wanted)[:3]})
            tau, rho = kendalltau(one, wanted).statistic, spearmanr(one, wanted).statistic
            print(f"    {method:24s} {tau:5.2f} {rho:5.2f}   {top} of 3")
        both = spearmanr(values["permutation"], values["permutation_importance"]).statistic
        print(f"    permutation beside permutation_importance: Spearman {both:.2f}")


def torch_activation(name, param):
    """The same in torch; None where it has another."""
    import torch
    from torch.nn import functional as F

    return {
        "identity": lambda z: z, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": F.relu,
        "leaky_relu": lambda z: F.leaky_relu(z, param), "elu": lambda z: F.elu(z, param),
        "selu": F.selu, "gelu": F.gelu, "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"),
        "softplus": F.softplus, "swish": F.silu, "mish": F.mish, "hard_sigmoid": F.hardsigmoid,
        "hard_swish": F.hardswish, "exp": torch.exp, "softmax": lambda z: torch.softmax(z, -1),
    }.get(name)  # fmt: skip


def torch_jacobian(model, X, of):
    """dy/dx of all outputs by torch.autograd, through the scaling of X and y."""
    import torch

    found = model._model()
    network = found.network
    layers = [(torch.tensor(W), torch.tensor(b)) for W, b in zip(model.weights_, model.biases_)]
    shift, factor = (torch.tensor(one) for one in found.scaling.arrays[:2])

    def predict(x):
        a = (x - shift) * factor
        for l, (W, b) in enumerate(layers):
            a = a @ W.T + b
            if l < len(layers) - 1 or of == "output":
                a = torch_activation(network.activations[l], network.activation_params[l])(a)
        if of == "output" and found.target_scaling is not None:
            a = a * torch.tensor(found.target_scaling.factor)
        return a

    each = torch.func.vmap(torch.func.jacrev(predict))
    return each(torch.tensor(X)).numpy()


def gradients(options):
    """The largest difference from torch.autograd, as a share of the largest derivative."""
    import torch

    X, y = classes(300, 7)
    X = 0.5 * X * 10.0 ** np.arange(-3, 4)  # of other sizes, which the scaling takes up
    line = np.stack([np.sin(X[:, 2] * 10) + X[:, 3], 100 * X[:, 3]], axis=1)
    print(f"derivatives in float64 beside torch.autograd, torch {torch.__version__}")
    for name in _activations.names():
        if torch_activation(name, 0.5) is None:
            print(f"  {name:14s} not in torch")
            continue
        worst = {}
        for what, kind, target, more in (
            ("identity", MLPRegressor, line, {}),
            ("sigmoid", MLPClassifier, y, {}),
            ("softmax", MLPClassifier, np.digitize(X[:, 3], [-1, 1]), {}),
            ("exp", MLPRegressor, np.abs(line) / 100, {"loss": "poisson"}),
        ):
            model = kind((19, 11), name, dtype="float64", scale_inputs="standard", epochs=3,
                         random_state=0, **more).fit(X, target)  # fmt: skip
            rows = X[np.isfinite(model.forward(X)).all(axis=1)]
            for of in ("output", "z"):
                theirs = torch_jacobian(model, rows, of)
                scale = np.abs(theirs).max(axis=0)
                difference = np.abs(model.jacobian(rows, of=of) - theirs).max(axis=0)
                worst[what, of] = float((difference / np.where(scale > 0, scale, 1)).max())
        words = ", ".join(f"{what} {worst[what, 'output']:.0e}" for what in OUTPUTS)
        of_z = max(worst[what, "z"] for what in OUTPUTS)
        print(f"  {name:14s} {words}, z {of_z:.0e}")


def one_row(dtype, rounds):
    """Seconds of the derivatives of a row, and of its prediction, which take turns."""
    X, y = classes(2000, 30)
    model = MLPClassifier((64, 32), epochs=3, random_state=0, dtype=dtype).fit(X, y)
    x, taken = X[0].astype(dtype), {model.input_gradient: [], model.predict_one: []}
    for _ in range(7 * rounds):
        for work, one in taken.items():
            one.append(timeit.timeit(lambda call=work: call(x), number=2000) / 2000)
    return map(statistics.median, taken.values())


def row(options):
    """The derivatives of one row beside its prediction, both from Python."""
    print("one row from Python, 30-64-32-1: input_gradient, predict_one")
    for dtype in ("float32", "float64"):
        ours, prediction = one_row(dtype, options.rounds)
        ratio = ours / prediction
        print(f"  {dtype}: {1e6 * ours:.2f} us, {1e6 * prediction:.2f} us: {ratio:.2f} times")


PARTS = {"time": times, "ranking": ranking, "gradients": gradients, "row": row}


def main():
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[], help="default all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--explained", type=int, default=10, help="rows that shap explains")
    options = parser.parse_args()
    set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    for name in options.parts or PARTS:
        try:
            PARTS[name](options)
        except ImportError as error:
            print(f"{name} left out: {error}")


if __name__ == "__main__":
    main()

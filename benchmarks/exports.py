"""How far ONNX files and NumPy files are from `predict`, over every activation and task.

python benchmarks/exports.py [--rows 10000]
"""

import argparse
import importlib.util
import json
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
from onnx.reference import ReferenceEvaluator

from cnn_core import MLP, _activations

N_TRAINED = 2000


def data(rows, dtype):
    """Numbers of several sizes, some far out, and targets of every task."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 8)) * (1, 5, 0.1, 1, 1e3, 1, 1, 1e-3) + (0, 20, 3, 0, 1e4, 0, 0, 0)
    X[::50] *= 10
    t = (X - X.mean(axis=0)) / X.std(axis=0)
    z = np.tanh(t[:, 0] + t[:, 1]) + t[:, 2] * t[:, 3]
    several = np.column_stack((z > 0, t[:, 4] > 0)).astype(int)
    return X.astype(dtype), {
        "regression": z,
        "2 outputs": np.column_stack((z, 100 * t[:, 5])),
        "2 classes": np.where(z > 0, "yes", "no"),
        "4 classes": np.digitize(z, (-1, 0, 1)),
        "2 labels": several,
    }


def loaded(path):
    """A NumPy file as a module."""
    spec = importlib.util.spec_from_file_location("net", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answers(model, X, folder):
    """Outputs or probabilities, and labels, as each runtime gives them; and the file's size beside
    its numbers."""
    model.export_onnx(folder / "net.onnx")
    model.export_numpy(folder / "net.py")
    session = onnxruntime.InferenceSession(folder / "net.onnx")
    net, found = loaded(folder / "net.py"), {}
    for name, run in (
        ("ONNX Runtime", session.run),
        ("reference", ReferenceEvaluator(str(folder / "net.onnx")).run),
    ):
        *labels, numbers = run(None, {"X": X})
        found[name] = numbers, labels[0] if labels else None
    classes = hasattr(model, "classes_")
    numbers = net.predict_proba(X) if classes else net.forward(X)
    found["NumPy"] = numbers, net.predict(X) if classes else None
    weights = sum(one.nbytes for one in (*model.weights_, *model.biases_))
    return found, (folder / "net.onnx").stat().st_size - weights


def compare(model, X, y, folder):
    """For each runtime the distance, of numbers relative to the scale of y, and the wrong
    labels."""
    found, size = answers(model, X, folder)
    classes = hasattr(model, "classes_")
    wanted = model.predict_proba(X) if classes else model.forward(X)
    finite = np.isfinite(wanted).all(axis=1)
    scale = np.ones(wanted.shape[1])
    if not classes:
        scale = np.maximum(np.ptp(y.reshape(len(y), -1), axis=0), np.abs(wanted))[finite]
    result = {"bytes beside the weights": size, "overflows": int((~finite).sum())}
    for name, (numbers, labels) in found.items():
        off = float((np.abs(numbers - wanted)[finite] / scale).max())
        wrong = 0
        if classes:
            differs = (labels != model.predict(X)).reshape(len(X), -1)
            ordered = np.sort(wanted, axis=1)
            tie = (
                np.abs(wanted - 0.5) <= 1e-6
                if differs.shape[1] > 1
                else (ordered[:, -1:] - ordered[:, -2:-1]) <= 2e-6
            )
            wrong = int((differs & ~tie)[finite].sum())
        result[name] = off, wrong
    return result


def worst(results):
    """The largest of each number."""
    merged = {}
    for one in results:
        for name, value in one.items():
            merged[name] = np.maximum(merged.get(name, 0), value).tolist()
    return merged


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    rows = parser.parse_args().rows
    warnings.simplefilter("ignore")
    names = [name for name in _activations.names() if name not in ("step", "sign")]
    scalings = ("standard", "robust_clip", "robust_asinh", "minmax")
    for dtype in ("float32", "float64"):
        X, targets = data(rows, dtype)
        by_name = {}
        with tempfile.TemporaryDirectory() as folder:
            for k, name in enumerate(names):
                for i, y in enumerate(targets.values()):
                    scaling = scalings[(k + i) % 4]
                    model = MLP(
                        (32, 16), activation=name, scale_inputs=scaling, epochs=5, dtype=dtype,
                        random_state=0,
                    )  # fmt: skip
                    model.fit(X[:N_TRAINED], y[:N_TRAINED])
                    by_name.setdefault(name, []).append(compare(model, X, y, Path(folder)))
        for name, results in by_name.items():
            print(dtype, name, json.dumps(worst(results)))
        print(dtype, "all", json.dumps(worst(one for some in by_name.values() for one in some)))


if __name__ == "__main__":
    main()

"""Whether headers that learn have the parameters of `partial_fit`: every optimizer, activation and
loss that they have, after mini-batches of 1 to 32 rows, on this machine and, under qemu-aarch64,
on 64-bit ARM.

    python tests/soak/c_learning.py                  # four minutes; 100 mini-batches each
    python tests/soak/c_learning.py --batches 1000
"""

import argparse
import pickle
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from cnn_core.optimizers import SGD, Rprop

from cnn_core import _activations

sys.path.insert(0, str(Path(__file__).parents[1]))
from export_cases import learned_in_c, learning_case

BUILDS = {
    "gcc -O2": (["gcc", "-O2"], []),
    "gcc -O3 -march=native": (["gcc", "-O3", "-march=native"], []),
    "64-bit ARM": (["aarch64-linux-gnu-gcc", "-O2", "-static"], ["qemu-aarch64"]),
}


def cases():
    """What is fitted: the kind of task, and parameters."""
    for activation in _activations.names():
        if activation not in ("step", "sign"):
            yield "number", dict(activation=activation)
    names = ["adam", "adam_hat", "amsgrad", "adamw", "rmsprop", "adagrad", "adadelta"]
    rules = (*names, SGD(0.01, momentum=0.9), SGD(0.01, momentum=0.9, nesterov=True))
    for optimizer in rules:
        yield "numbers", dict(optimizer=optimizer)
    yield "number", dict(optimizer=Rprop(), batch_size="full")
    losses = (("number", "mae huber"), ("two", "hinge mse"), ("three", "mse"), ("count", "poisson"))
    for kind, words in losses:
        for loss in words.split():
            yield kind, dict(loss=loss)
    for kind in ("two", "three", "many", "several"):
        yield kind, {}
        for hidden in ((), (40, 20)):
            yield kind, dict(hidden=hidden, l1=1e-4, l2=1e-3, clip_norm=0.1, max_norm=0.7)


def scalings_of(model):
    """The bits of both scalings."""
    return pickle.dumps((model._model().scaling, model._model().target_scaling))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--batches", type=int, default=100)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    count, failures = 0, 0
    sizes = np.random.default_rng(0).integers(1, 33, options.batches)
    with tempfile.TemporaryDirectory() as folder:
        for kind, how in cases():
            for dtype in ("float32", "float64"):
                model, drawn = learning_case(kind, **{"dtype": dtype, **how})
                batches = [drawn(size, 1 + k) for k, size in enumerate(sizes.tolist())]
                found = {}
                for name, (compiler, emulator) in BUILDS.items():
                    if all(map(shutil.which, (compiler[0], *emulator))):
                        found[name] = learned_in_c(Path(folder), model, batches, compiler, emulator)
                scalings = scalings_of(model)
                for X, y in batches:
                    model.partial_fit(X, y)
                    if model._model().ended == "divergence":  # taken back, as C does not
                        print(f"{kind}, {how}, {dtype} diverges: not compared", flush=True)
                        found.clear()
                        break
                same = scalings_of(model) == scalings
                for name, parameters in found.items():
                    count += 1
                    if parameters != model.parameters_.tobytes():
                        failures += 1
                        why = "" if same else " (partial_fit has scaled anew)"
                        print(f"{name}: {kind}, {how}, {dtype} differs{why}", flush=True)
    print(f"{count} runs of {options.batches:,} mini-batches: {failures} differ")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())

"""Side-by-side timings of cnn_core and its peers, on one thread each.

    python -m pip install scikit-learn torch threadpoolctl     # each optional; what is absent is left out and said so
    python benchmarks/compare.py

Contestants take turns, round after round, in one process; the table gives medians and ratios of medians. Every
contestant is called as its users call it: `fit` for cnn_core and scikit-learn, the usual loop for PyTorch.
"""

import argparse
import functools
import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np

import cnn_core
from cnn_core import MLP, _cpu
from cnn_core._linalg import affine, pack

#: name: (widths, batch, rows, epochs of one measurement)
EPOCHS = {
    "tiny 8-16-2, batch 32, 10,000 rows": ((8, 16, 2), 32, 10_000, 3),
    "tabular 30-64-32-2, batch 64, 20,000 rows": ((30, 64, 32, 2), 64, 20_000, 3),
    "images 784-128-10, batch 128, 60,000 rows": ((784, 128, 10), 128, 60_000, 1),
}


def ours(widths, batch, epochs, X, y):
    # Two classes would have one sigmoid output by default; the peers below have widths[-1] softmax outputs.
    model = MLP(hidden=widths[1:-1], output="softmax", batch_size=batch, epochs=epochs, random_state=0)
    return lambda: model.fit(X, y)


def scikit_learn(widths, batch, epochs, X, y):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    model = MLPClassifier(widths[1:-1], batch_size=batch, max_iter=epochs, n_iter_no_change=10**6, random_state=0)

    def fit():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, y)

    return fit


def pytorch(widths, batch, epochs, X, y):
    import torch

    torch.set_num_threads(1)
    layers = []
    for n_in, n_out in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    cost = torch.nn.CrossEntropyLoss()
    X, y = torch.from_numpy(X), torch.from_numpy(y)

    def fit():
        for _ in range(epochs):
            for rows in torch.randperm(len(X)).split(batch):
                optimizer.zero_grad()
                cost(model(X[rows]), y[rows]).backward()
                optimizer.step()

    return fit


PEERS = {"cnn_core": ours, "scikit-learn": scikit_learn, "PyTorch": pytorch}


def take_turns(contestants, rounds):
    """Median seconds of each contestant, one run a round each."""
    times = {name: [] for name in contestants}
    for run in contestants.values():
        run()
    for _ in range(rounds):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def epochs(rounds):
    print("Training, milliseconds an epoch (Adam, float32, one thread)\n")
    for title, (widths, batch, rows, count) in EPOCHS.items():
        rng = np.random.default_rng(0)
        X = rng.random((rows, widths[0]), dtype=np.float32)
        y = rng.integers(0, widths[-1], rows)
        contestants, absent = {}, []
        for name, make in PEERS.items():
            try:
                contestants[name] = make(widths, batch, count, X, y)
            except ImportError:
                absent.append(name)
        medians = take_turns(contestants, rounds)
        print(f"  {title}")
        for name, seconds in medians.items():
            ratio = "" if name == "cnn_core" else f"{seconds / medians['cnn_core']:7.1f} x cnn_core"
            print(f"    {name:<14}{seconds / count * 1e3:10.2f}  {ratio}")
        for name in absent:
            print(f"    {name:<14}    absent")
        print()


def products(rounds):
    print("Forward product 256 x 512 x 512, share of the FMA peak measured in turn with it\n")
    before = cnn_core.instruction_set()
    for isa in cnn_core.instruction_sets():
        if isa == "generic":
            continue
        _cpu.use_instruction_set(isa)
        for dtype in ("float32", "float64"):
            rng = np.random.default_rng(0)
            X, panels = rng.random((256, 512)).astype(dtype), pack(rng.random((512, 512)).astype(dtype))
            out = np.empty((256, 512), dtype)
            shares, peaks = [], []
            for _ in range(5 * rounds):
                peaks.append(_cpu.fma_peak(dtype, 0.005))
                start = time.perf_counter()
                for _ in range(5):
                    affine(X, panels, None, out)
                shares.append(2 * 5 * 256 * 512 * 512 / (time.perf_counter() - start) / peaks[-1])
            print(f"  {isa:<8}{dtype}  peak {statistics.median(peaks) / 1e9:6.1f} GFLOP/s, "
                  f"product {statistics.median(shares):4.0%} of it")
    _cpu.use_instruction_set(before)
    print()


def imports(rounds):
    print("Import, milliseconds (new interpreters, in turn)\n")
    codes = {"nothing": "pass", "numpy": "import numpy", "numpy and cnn_core": "import numpy, cnn_core"}
    # The command's own folder must not shadow a package.
    commands = {name: [sys.executable, "-I", "-c", code] for name, code in codes.items()}
    medians = take_turns({name: functools.partial(subprocess.run, command, check=True)
                          for name, command in commands.items()}, 4 * rounds)
    for name, seconds in medians.items():
        print(f"  {name:<20}{seconds * 1e3:7.1f}")
    print(f"  cnn_core beyond numpy {(medians['numpy and cnn_core'] - medians['numpy']) * 1e3:.1f}\n")


def machine():
    model = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), model)
    versions = [f"Python {platform.python_version()}"]
    for package in ("cnn-core", "numpy", "scikit-learn", "torch"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{package} absent")
    print(f"{model}, {os.cpu_count()} processors, {platform.system()}; instruction set {cnn_core.instruction_set()}")
    print(", ".join(versions))
    try:
        from threadpoolctl import threadpool_info

        print("BLAS:", ", ".join(sorted({f"{i['internal_api']} {i['version']} {i.get('architecture', '')}".strip()
                                         for i in threadpool_info() if i["user_api"] == "blas"})) or "none loaded")
    except ImportError:
        pass
    print(time.strftime("%Y-%m-%d"), "\n")


if __name__ == "__main__":
    parts = {"epochs": epochs, "products": products, "imports": imports}
    parser = argparse.ArgumentParser(description="Time cnn_core beside its peers.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; default all")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contestant (default 7)")
    options = parser.parse_args()
    unknown = set(options.parts) - set(parts)
    if unknown or options.rounds < 1:
        parser.error(f"unknown part {', '.join(unknown)}" if unknown else "--rounds must be at least 1")
    machine()
    for name in options.parts or parts:
        parts[name](options.rounds)

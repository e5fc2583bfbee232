"""What ranks gain: the same training by one process and by two or more of MPI, each on one thread.

    python benchmarks/ranks.py [RANKS] [--rounds N] [--mpiexec PATH]

It starts itself under mpiexec, of which mpi4py and an MPI library must be installed, and prints a
line for each case: seconds of an epoch (L-BFGS: of a step with its evaluations), the fastest of
some rounds, and how many times faster the ranks are. The weights of both must be the same, to the
bit. The last line is what a step costs beside the exchange of its gradient.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import time

import numpy as np
from cnn_core._random import uniform
from cnn_core.distributed import Shared, mpi
from cnn_core.distributed.exchange import Exchange
from cnn_core.distributed.tree import Tree

from cnn_core import MLP

SHARDS = 8
#: Rows, features, classes; parameters.
CASES = {
    "784-512-512-10, batch 512": (
        (20480, 784, 10),
        dict(hidden=(512, 512), batch_size=512, epochs=3),
    ),
    "784-512-512-10, batch 4096": (
        (20480, 784, 10),
        dict(hidden=(512, 512), batch_size=4096, epochs=3),
    ),
    "L-BFGS, 50-100-10, 200,000 rows": (
        (200_000, 50, 10),
        dict(hidden=(100,), optimizer="lbfgs", batch_size="full", epochs=4),
    ),
    "steps of 8-16-2, batch 64": ((64_000, 8, 2), dict(hidden=(16,), batch_size=64, epochs=3)),
}


def data(rows: int, features: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes that a linear function tells nearly."""
    X = (uniform(1, 0, rows * features).reshape(rows, features) - 0.5).astype(np.float32)
    scores = X[:, :classes] + 0.3 * uniform(2, 0, rows * classes).reshape(rows, classes)
    return X, scores.argmax(axis=1)


def measure(name: str, ranks: object) -> dict[str, object]:
    """Seconds of the fastest epoch but the first, and what tells the weights."""
    size, parameters = CASES[name]
    X, y = data(*size)
    given = (X, y) if ranks is None else (Shared(X), Shared(y))
    model = MLP(
        **parameters, shards=SHARDS, scale_inputs=None, n_threads=1, random_state=0, task="auto"
    ).fit(*given, ranks=ranks)
    return {
        "seconds": min(model.history_["seconds"][1:]),
        "weights": hashlib.sha256(model.parameters_.tobytes()).hexdigest(),
    }


def exchange_seconds(ranks: object, n: int = 16 * 32) -> float:
    """Of one gradient of so many numbers."""
    exchange = Exchange(ranks, Tree(SHARDS, ranks.size), n, np.dtype(np.float32))
    gradient, times = np.zeros(n, np.float32), []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(1000):
            exchange.sum(gradient)
        times.append((time.perf_counter() - began) / 1000)
    return min(times)


def work(by_ranks: bool) -> None:
    """Print as JSON what one process, or these ranks, measure."""
    if not by_ranks:
        print(json.dumps({name: measure(name, None) for name in CASES}))
        return
    with mpi() as ranks:
        found = {name: measure(name, ranks) for name in CASES}
        found["exchange"] = exchange_seconds(ranks)
        if ranks.first:
            print(json.dumps(found))


def fastest(rounds: list[dict]) -> dict:
    """The shortest times of some rounds."""
    first = rounds[0]
    shortest = {
        name: one
        if name == "exchange"
        else one | {"seconds": min(r[name]["seconds"] for r in rounds)}
        for name, one in first.items()
    }
    if "exchange" in first:
        shortest["exchange"] = min(one["exchange"] for one in rounds)
    return shortest


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ranks", type=int, nargs="?", default=2)
    parser.add_argument("--mpiexec", default="mpiexec")
    parser.add_argument("--rounds", type=int, default=3, help="of both, in turn")
    parser.add_argument("--work", choices=("alone", "ranks"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work == "ranks")
        return
    here = [sys.executable, __file__, "--work"]
    commands = ([*here, "alone"], [options.mpiexec, "-n", str(options.ranks), *here, "ranks"])
    found: tuple[list[dict], list[dict]] = ([], [])
    for _ in range(options.rounds):
        for command, rounds in zip(commands, found):
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rounds.append(json.loads(done.stdout))
    one, many = map(fastest, found)
    print(f"{'':<34} {'1 process':>10} {f'{options.ranks} ranks':>10} {'times':>6}  weights")
    for name in CASES:
        before, after = one[name]["seconds"], many[name]["seconds"]
        same = "the same" if one[name]["weights"] == many[name]["weights"] else "DIFFER"
        print(f"{name:<34} {before:>8.3f} s {after:>8.3f} s {before / after:>6.2f}  {same}")
    steps = 1000
    of_one, of_many = (found["steps of 8-16-2, batch 64"]["seconds"] for found in (one, many))
    rest = (of_many - of_one / options.ranks) / steps - many["exchange"]
    print(
        f"a step of the last one: {of_many / steps * 1e6:.1f} us, of which the exchange "
        f"{many['exchange'] * 1e6:.1f} us, and more than its share of the work {rest * 1e6:.1f} us"
    )


if __name__ == "__main__":
    main()

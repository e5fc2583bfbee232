"""``cnn-core demo``: from data to a tested model, and where the time went."""

import time

import numpy as np

from cnn_core import MLP, instruction_set, instruction_sets
from cnn_core.datasets import load_digits


def run(epochs: int, seed: int) -> float:
    """Train on four fifths of the digits, test on the others, print what happens.

    Parameters
    ----------
    epochs, seed : int

    Returns
    -------
    float
        Accuracy on the test rows.
    """
    X, y = load_digits()
    X /= 16
    test = np.arange(len(X)) % 5 == 0
    model = MLP(hidden=(128,), epochs=epochs, random_state=seed, verbose=1)
    print(
        f"Handwritten digits, 8 x 8 pixels: {np.sum(~test)} to train on, {np.sum(test)} to test on."
    )
    print(
        f"A 64-128-10 network, {128 * 65 + 10 * 129:,} parameters, Adam, batches of 32, in float32 "
        f"with {instruction_set()} (this machine has {', '.join(instruction_sets())}).\n"
    )
    model._timing = True
    start = time.perf_counter()
    model.fit(X[~test], y[~test], validation_data=(X[test], y[test]))
    seconds = time.perf_counter() - start

    accuracy = model.score(X[test], y[test])
    print(
        f"\nTest accuracy {accuracy:.1%} after {epochs} epoch{'s' * (epochs > 1)} in "
        f"{seconds * 1e3:.0f} ms. Where the time went:\n"
    )
    phases = model._phase_seconds
    phases = phases | {"other": seconds - sum(phases.values())}
    for name, spent in phases.items():
        share = spent / seconds
        bar = "#" * round(40 * share)
        print(f"  {name:<9}{spent * 1e3:8.1f} ms  {share:4.0%}  {bar}".rstrip())
    print("\nOther: checking the input, initial weights, validation after every epoch, printing.")
    return accuracy

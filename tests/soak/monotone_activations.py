"""Whether activations ever fall from one floating-point number to the next: all arguments of
float32, of float64 neighbours around random numbers. Networks that are to be monotone take those
that never do, `cnn_core.constraints.allowed.NEVER_FALL`.

    python tests/soak/monotone_activations.py             # about half a minute each
    python tests/soak/monotone_activations.py tanh relu   # these alone
"""

import argparse

import numpy as np
from cnn_core.constraints.allowed import NEVER_FALL

from cnn_core import functional as F

BLOCK = 1 << 22
INFINITY = 0x7F800000  # its bits: float32 are ordered as whole numbers with a sign


def ordered(first, count):
    """Some float32 in ascending order, -inf being number -INFINITY - 1."""
    k = np.arange(first, first + count)
    bits = np.where(k < 0, ~k | (1 << 31), k).astype(np.uint32)
    return bits.view(np.float32)


def falls_of_float32(name):
    """How often the activation falls, over all numbers, and an argument where it does."""
    falls, where, last = 0, None, None
    for first in range(-INFINITY - 1, INFINITY + 1, BLOCK):
        z = ordered(first, min(BLOCK, INFINITY + 1 - first))
        a = F.activation(name, z[None])[0]
        assert not np.isnan(a).any()
        if last is not None:
            z, a = np.concatenate((z[:1], z)), np.concatenate((last, a))
        (found,) = np.nonzero(a[1:] < a[:-1])
        falls, last = falls + len(found), a[-1:]
        if len(found) and where is None:
            where = float(z[found[0]])
    return falls, where


def falls_of_float64(name, rounds=50, centres=4000, neighbours=512):
    """The same over neighbours of random numbers of many sizes."""
    rng, falls, where = np.random.default_rng(0), 0, None
    for _ in range(rounds):
        at = rng.normal(size=centres) * 10.0 ** rng.uniform(-8, 2.5, centres)
        z = at.view(np.int64)[:, None] + np.arange(neighbours)
        z = np.sort(z.view(np.float64), axis=1)
        a = F.activation(name, z)
        found = a[:, 1:] < a[:, :-1]
        falls += int(found.sum())
        if found.any() and where is None:
            where = float(z[:, :-1][found][0])
    return falls, where


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    names = [name for name in F.activation_names() if name != "softmax"]
    parser.add_argument("names", nargs="*", default=names, metavar="name")
    print(f"instruction set {F.instruction_set()}; falls of float32 (all), float64 (10^8 pairs)")
    wrong = []
    for name in parser.parse_args().names:
        found = falls_of_float32(name), falls_of_float64(name)
        told = [f"{falls:,}" + (f" such as at {z!r}" if falls else "") for falls, z in found]
        print(f"{name:14} {told[0]:40} {told[1]}", flush=True)
        if name in NEVER_FALL and any(falls for falls, _ in found):
            wrong.append(name)
    if wrong:
        raise SystemExit(f"NEVER_FALL has {', '.join(wrong)}")


if __name__ == "__main__":
    main()

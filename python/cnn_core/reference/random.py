"""Random numbers: a counter-based generator, the order of the rows, dropout."""

import math

from cnn_core.reference.vectors import Row

FOR_SHUFFLE, FOR_DROPOUT, FOR_SHARD = 2, 4, 7


def philox(key: int, purpose: int, a: int, index: int) -> tuple[int, int, int, int]:
    """Four words of 32 bits, a pure function of the arguments: Philox4x32-10, Salmon et al. 2011,
    section 3.3."""
    c0, c1, c2, c3 = index & 0xFFFFFFFF, index >> 32, a, purpose
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        p, q = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (q >> 32) ^ c1 ^ k0, q & 0xFFFFFFFF, (p >> 32) ^ c3 ^ k1, p & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def permutation(seed: int, epoch: int, n: int, purpose: int = FOR_SHUFFLE) -> list[int]:
    """The order of the rows in an epoch: Fisher & Yates, from the end; each swap takes two
    words."""
    order = list(range(n))
    for drawn, i in enumerate(range(n - 1, 0, -1)):
        if drawn % 2 == 0:
            words = philox(seed, purpose, epoch, drawn // 2)
        high, low = words[2 * (drawn % 2) :][:2]
        j = (high << 32 | low) * (i + 1) >> 64
        order[i], order[j] = order[j], order[i]
    return order


def shard_order(
    seed: int, epoch: int, n: int, batch_size: int, shards: int, shuffled: bool
) -> list[list[list[int]]]:
    """The rows of each mini-batch of an epoch, as a list for each shard. The rows are cut into
    shards that differ by one row at most, and mini-batches take the next row of each in turn."""
    rows, first = [], 0
    for s in range(shards):
        size = n // shards + (s < n % shards)
        order = list(range(size))
        if shuffled:
            order = permutation(seed, epoch, size, FOR_SHARD | s << 8)
        rows.append([first + i for i in order])
        first += size
    turns = [(p % shards, rows[p % shards][p // shards]) for p in range(n)]
    return [
        [[row for shard, row in turns[at : at + batch_size] if shard == s] for s in range(shards)]
        for at in range(0, n, batch_size)
    ]


def drop(
    a: Row, rate: float, alpha_dropout: bool, seed: int, step: int, layer: int, r: int
) -> tuple[Row, Row]:
    """Dropout of row r of a mini-batch: what the layer reads, and its derivative, the mask.

    Srivastava et al. 2014: a_j / (1 - rate) with probability 1 - rate, else 0. With
    `alpha_dropout`, Klambauer et al. 2017: a dropped unit becomes -1.758, selu's lower limit, and
    an affine map brings mean and variance back to 0 and 1.
    """
    keep, fill_value = 1 - rate, -1.7580993408473768 if alpha_dropout else 0.0
    factor = (
        1 / math.sqrt(keep + fill_value * fill_value * keep * rate) if alpha_dropout else 1 / keep
    )
    shift = -factor * rate * fill_value
    purpose = FOR_DROPOUT | layer << 8 | (step >> 32) << 20 & 0xFFFFFFFF
    threshold = int(rate * 2**32)
    dropped, mask = [], []
    for j, a_j in enumerate(a):
        if j % 4 == 0:
            words = philox(seed, purpose, step & 0xFFFFFFFF, r << 32 | j // 4)
        stays = words[j % 4] >= threshold
        dropped.append(factor * a_j + shift if stays else factor * fill_value + shift)
        mask.append(factor if stays else 0.0)
    return dropped, mask

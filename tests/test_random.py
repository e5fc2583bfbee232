"""Random numbers as pure functions of (seed, purpose, counter): Philox, initial numbers, orders of
rows."""

import numpy as np
import pytest
from cnn_core._random import permutation, uniform

FOR_WEIGHTS, FOR_SHUFFLE = 1, 2
MASK = 0xFFFFFFFF


def philox(counter, key):
    """Philox4x32-10 (Salmon et al. 2011, section 3.3) in Python's whole numbers: four words and two
    of key to four."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p, q = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (q >> 32) ^ c1 ^ k0, q & MASK, (p >> 32) ^ c3 ^ k1, p & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c0, c1, c2, c3


def block(seed, purpose, stream, index):
    """The layout of the counter in kernels/philox.h: index (64 bits), stream, purpose."""
    return philox((index & MASK, index >> 32, stream, purpose), (seed & MASK, seed >> 32))


def python_uniform(seed, stream, i):
    """53 bits of the two words that number i takes."""
    words = block(seed, FOR_WEIGHTS, stream, i // 2)[2 * (i % 2) :]
    return ((words[0] << 32 | words[1]) >> 11) / 2**53


def python_permutation(seed, epoch, n):
    """Fisher & Yates from the end; each swap takes two words, as floor(words * bound / 2^64)."""
    order = list(range(n))
    for drawn, i in enumerate(range(n - 1, 0, -1)):
        words = block(seed, FOR_SHUFFLE, epoch, drawn // 2)[2 * (drawn % 2) :]
        j = (words[0] << 32 | words[1]) * (i + 1) >> 64
        order[i], order[j] = order[j], order[i]
    return order


SEEDS = [0, 1, 2**32 - 1, 2**32, 0x0123456789ABCDEF, 2**64 - 1]
STREAMS = [0, 1, 2**31, 2**32 - 1]


@pytest.mark.parametrize(
    "counter, key, expected",
    [
        (
            "00000000 00000000 00000000 00000000",
            "00000000 00000000",
            "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
        ),
        (
            "ffffffff ffffffff ffffffff ffffffff",
            "ffffffff ffffffff",
            "408f276d 41c83b0e a20bc7c6 6d5451fd",
        ),
        (
            "243f6a88 85a308d3 13198a2e 03707344",
            "a4093822 299f31d0",
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_gives_the_known_answers_of_its_authors(counter, key, expected):
    # philox4x32 10 in the file kat_vectors of Random123. It tests the Python above, which the next
    # tests lean on.
    def words(text):
        return tuple(int(word, 16) for word in text.split())

    assert philox(words(counter), words(key)) == words(expected)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stream", STREAMS)
def test_uniform_is_philox_bit_for_bit(seed, stream):
    assert uniform(seed, stream, 21).tolist() == [
        python_uniform(seed, stream, i) for i in range(21)
    ]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("epoch", STREAMS)
def test_permutation_is_fisher_yates_on_philox(seed, epoch):
    for n in (1, 2, 3, 10, 41):
        assert permutation(seed, epoch, n).tolist() == python_permutation(seed, epoch, n)


def test_permutation_uses_all_64_bits_of_a_draw():
    # With this seed (the first there is) one of the draws lands elsewhere when its lower word is
    # left out.
    assert permutation(985, 0, 1000).tolist() == python_permutation(985, 0, 1000)


def test_uniform_begins_anywhere_in_its_sequence():
    whole = uniform(3, 1, 40)
    for first in (1, 2, 19):
        assert np.array_equal(uniform(3, 1, 20, first=first), whole[first : first + 20])


def test_uniform_lies_in_zero_to_one_with_53_bits():
    u = uniform(3, 0, 100_000)
    assert u.dtype == np.float64
    assert u.min() >= 0 and u.max() < 1
    assert np.array_equal(u * 2**53, np.floor(u * 2**53))


def test_uniform_fills_the_interval_evenly():
    # Pearson's chi-square with 99 degrees of freedom: mean 99, standard deviation sqrt(198) = 14.
    # Five of them.
    counts = np.bincount((uniform(3, 0, 100_000) * 100).astype(int), minlength=100)
    assert ((counts - 1000) ** 2 / 1000).sum() < 99 + 5 * 14
    # The mean of n numbers has the standard deviation 1 / sqrt(12 n).
    assert abs(uniform(4, 0, 100_000).mean() - 0.5) < 5 / np.sqrt(12 * 100_000)


def test_number_i_does_not_depend_on_how_many_are_drawn():
    long = uniform(5, 6, 1000)
    for n in (0, 1, 2, 3, 999):
        assert uniform(5, 6, n).tolist() == long[:n].tolist()


def test_streams_and_seeds_share_no_numbers():
    drawn = np.concatenate(
        [uniform(seed, stream, 1000) for seed in (0, 1, 2**32) for stream in (0, 1, 2)]
    )
    assert len(np.unique(drawn)) == len(drawn)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 1000, 100_003])
def test_permutation_holds_every_row_once(n):
    order = permutation(9, 4, n)
    assert order.dtype == np.intp and order.shape == (n,)
    assert np.array_equal(np.sort(order), np.arange(n))


def test_permutation_is_a_pure_function_of_its_arguments():
    result = permutation(9, 4, 1000)
    first = result.tolist()
    permutation(10, 3, 500)
    uniform(9, 4, 77)
    assert permutation(9, 4, 1000).tolist() == first
    result[:] = 0  # a result is nobody else's memory
    assert permutation(9, 4, 1000).tolist() == first


def test_permutation_differs_between_epochs_seeds_and_lengths():
    orders = [
        permutation(seed, epoch, 100) for seed in (0, 1, 2**32, 2**63) for epoch in (0, 1, 2, 2**31)
    ]
    assert len({tuple(order) for order in orders}) == 16
    assert permutation(0, 0, 101)[:100].tolist() != permutation(0, 0, 100).tolist()
    assert permutation(0, 0, 100).tolist() != list(range(100))


def test_permutation_of_two_rows_takes_both_orders_equally_often():
    # Binomial with 4000 trials: standard deviation sqrt(4000) / 2 = 32. Five of them.
    kept = sum(int(permutation(1, epoch, 2)[0]) == 0 for epoch in range(4000))
    assert abs(kept - 2000) < 5 * 32


def test_all_orders_of_four_rows_are_equally_likely():
    # 24 orders, 400 of each expected; chi-square with 23 degrees of freedom: mean 23, deviation
    # sqrt(46) = 6.8.
    orders = [tuple(permutation(7, epoch, 4)) for epoch in range(9600)]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert ((counts - 400) ** 2 / 400).sum() < 23 + 5 * 6.8


def test_every_row_comes_to_every_place_equally_often():
    # 50 x 50 cells, 40 in each expected; chi-square with 49^2 degrees of freedom: mean 2401,
    # deviation sqrt(4802) = 69.
    orders = np.array([permutation(8, epoch, 50) for epoch in range(2000)])
    counts = np.array([np.bincount(column, minlength=50) for column in orders.T])
    assert abs(((counts - 40) ** 2 / 40).sum() - 2401) < 5 * 69


@pytest.mark.parametrize("function", [permutation, uniform])
def test_arguments_out_of_range_are_refused(function):
    with pytest.raises(ValueError):
        function(0, 0, -1)
    for seed, stream in ((-1, 0), (2**64, 0), (0, -1), (0, 2**32)):
        with pytest.raises(ValueError):
            function(seed, stream, 3)

"""The core's own functions: error limits, special values, and
one set of bits everywhere."""

import numpy as np
import pytest
import reference_numpy as reference
from reference_numpy import same_bits

from cnn_core import _cpu

FUNCTIONS = tuple(_cpu.functions())


def normal_cdf(x):
    """Phi(x) with the digits of longdouble, for x that float64 has: near 0 the series of Abramowitz
    & Stegun 26.2.11, beyond 2.5 the continued fraction 26.2.14."""
    t = np.minimum(np.abs(x), 60)  # beyond, Phi is 0 or 1
    # e^(-t^2/2) with t^2 = high^2 + low (t + high): the square of `high`, 24 bits of t, is exact.
    high = t.astype(np.float32)
    low = t - high
    density = np.exp(-(high.astype(t.dtype) ** 2) / 2) * np.exp(-low * (t + high) / 2)
    density *= np.longdouble("0.398942280401432677939946")  # 1 / sqrt(2 pi)
    near = t < 2.5
    term = total = t[near]
    for n in range(1, 60):
        term = term * t[near] ** 2 / (2 * n + 1)
        total = total + term
    fraction = t[~near]
    for n in range(200, 0, -1):
        fraction = t[~near] + n / fraction
    lower = np.empty_like(t)  # Phi(-t)
    lower[near] = 0.5 - density[near] * total
    lower[~near] = density[~near] / fraction
    return np.where(x < 0, lower, 1 - lower)


def sin_turns(x):
    """sin(2 pi x) by way of the fourth of a turn next to 0, so that zeros stay exact."""
    turn = x - np.rint(x)
    folded = np.where(np.abs(turn) > 0.25, np.copysign(0.5, turn) - turn, turn)
    two_pi = x.dtype.type("6.28318530717958647693")
    return np.where(turn == 0, np.copysign(0, x), np.sin(two_pi * folded))


def cos_turns(x):
    turn = np.abs(x - np.rint(x))
    return np.sin(x.dtype.type("6.28318530717958647693") * (x.dtype.type(0.25) - turn))


#: To be called with more digits than the dtype under test has.
EXACT = {
    "exp": np.exp,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "log": np.log,
    "log1p": np.log1p,
    "asinh": np.arcsinh,
    "normal_cdf": lambda x: reference.normal_cdf(x) if x.dtype == np.float64 else normal_cdf(x),
    "cos_turns": cos_turns,
    "sin_turns": sin_turns,
}
#: Where sweeps over all float32 numbers found the largest errors, with these and with earlier
#: coefficients; the coarser sweep below steps over them.
WORST_FLOAT32 = {
    "exp": [-5.864465, 59.301643, -16.287563, -27.379135, 5.1993356, -16.288607, 16.289812,
            59.297405, 37.77764],
    "tanh": [0.12490543, 0.06094253, 0.06241588, -0.06241588],
    "sigmoid": [-16.635704, 7.859211],
    "log": [0.702913, 1.4062394],
    "log1p": [-8.940697e-08, 0.28046116],
    "asinh": [0.12350293, 0.12420837, 0.0311872, -0.11912523],
    "normal_cdf": [-0.0016461611, -0.001122117, -0.003356576, -1.5486579, -1.5512716, -1.8839465,
                   -4.1746473, -9.820944, -10.151022],
    "cos_turns": [0.0075111585, 2.7202057e-05],
    "sin_turns": [0.7500218, 3.740686e-39],
}  # fmt: skip
#: The same for float64, from random points: some 180 million for normal_cdf.
WORST_FLOAT64 = {
    "normal_cdf": [-1.0056529621654535e-06, -0.000504510013562714, -0.005184063029009796,
                   -1.5419211533025179, -1.5748846098309022, -4.3307178645631605,
                   -4.782071031858228, -9.524026180404771, -13.056991988936115,
                   -13.826880328702668, -28.159011701010733],
}  # fmt: skip
#: The documented exception: below, e^-x may overflow and sigmoid gives 0 instead of a tiny number.
SIGMOID_MAY_VANISH = {"float32": -88.7, "float64": -709.7}
INF, NAN = np.inf, np.nan


def apply(name, x, dtype):
    """The function of any number of points; `_cpu.apply` itself wants a multiple of 16."""
    padded = np.ones(-(-np.size(x) // 16) * 16, dtype)
    padded[: np.size(x)] = np.ravel(x)
    out = np.empty_like(padded)
    _cpu.apply(name, padded, out)
    return out[: np.size(x)].reshape(np.shape(x))


def error_in_ulp(got, exact, dtype, rest=0.0):
    """|got - (exact + rest)| in units in the last place of `exact`; all but `got` in float64 or
    wider.

    Zero where both are NaN and where both overflow the dtype to the same infinity.
    """
    digits, smallest = (24, -149) if dtype == "float32" else (53, -1074)
    exponent = np.where(exact == 0, smallest, np.frexp(exact)[1] - digits)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(got - exact - rest) / np.ldexp(1.0, np.maximum(exponent, smallest))
        overflow = np.isinf(got) & (got == exact.astype(dtype))
    return np.where(
        overflow | (np.isnan(got) & np.isnan(exact)), 0, np.where(np.isinf(got), INF, error)
    )


def assert_within_limit(name, x, got, exact, dtype, rest=0.0):
    error = error_in_ulp(got, exact, dtype, rest)
    if name == "sigmoid":
        error[(x < SIGMOID_MAY_VANISH[dtype]) & (got == 0)] = 0
    worst = np.argmax(np.where(np.isnan(error), INF, error))
    assert error[worst] <= _cpu.functions()[name], (
        f"{name}({x[worst]!r}) = {got[worst]!r}, exactly {exact[worst]!r}: {error[worst]:.4f} ulp"
    )


def neighbours(centres, dtype, reach):
    """A row for each centre: it and the `reach` next numbers of the dtype below and above it,
    ascending."""
    bits = np.asarray(centres, dtype).view("i4" if dtype == "float32" else "i8")
    steps = np.arange(-reach, reach + 1, dtype=bits.dtype)
    return np.sort((bits[:, None] + steps).view(dtype), axis=1)


def range_switches(name, dtype):
    """Where the range reduction goes from one whole number to the next."""
    bias, digits = (127, 24) if dtype == "float32" else (1023, 53)
    if name in ("exp", "sigmoid"):
        return (np.arange(-bias - digits, bias) + 0.5) * np.log(2)
    if name == "tanh":
        ascending = (np.arange(29 if dtype == "float32" else 58) + 0.5) * np.log(2) / 2
        return np.concatenate([-ascending, ascending])
    if (
        name == "normal_cdf"
    ):  # of the exponential; the middle of the polynomial; the end of its range
        ascending = np.sqrt((2 * np.arange(bias + digits) + 1) * np.log(2))
        ascending = np.append(ascending, [4, 5.5, 40])
        return np.concatenate([-ascending, ascending])
    if name.endswith("_turns"):  # of eighths of a turn
        ascending = np.add.outer(2.0 ** np.arange(-1, digits + 1), np.arange(8) / 8).ravel()
        return np.concatenate([-ascending, ascending])
    if name == "asinh":  # of the logarithm of 1 + w with w = e^asinh(x) - 1, and to the far form
        switches = np.sinh(np.log(2) * np.add.outer(np.arange(1, 30), [0, 0.5]))
        ascending = np.append(switches.ravel(), 2.0**28)
        return np.concatenate([-ascending, ascending])
    powers = 2.0 ** np.arange(2 - bias, bias - 2)
    if name == "log":
        return np.concatenate([powers, np.sqrt(2) * powers])
    moderate = powers[(powers > 1e-3) & (powers < 1e9)]
    return np.concatenate([moderate - 1, np.sqrt(2) * moderate - 1, moderate])


def special_points(dtype):
    info = np.finfo(dtype)
    positive = [0, 1, 2, 0.5, info.smallest_subnormal, 3 * info.smallest_subnormal,
                info.smallest_normal, info.smallest_normal - info.smallest_subnormal, info.eps,
                1 + info.eps, 88.7, 89, 103.9, 104, 709.7, 710, 745.1, 746,
                info.max, INF]  # fmt: skip
    positive = np.array(positive, dtype)
    return np.concatenate([positive, -positive, np.array([NAN], dtype)])


def sample_points(name, dtype):
    """Random, log-spaced and special points, and the neighbours of the function's range
    switches."""
    rng = np.random.default_rng(1)
    n = 1 << 14
    small, large = (1e-44, 1e38) if dtype == "float32" else (1e-320, 1e308)
    spread = np.exp(rng.uniform(np.log(small), np.log(large), n))
    near_one = 1 + rng.uniform(-1, 1, n) * 2.0 ** -rng.integers(0, 53, n)
    subnormal = np.finfo(dtype).smallest_normal * rng.uniform(0, 1, n)
    evenly = [rng.uniform(-r, r, n) for r in (1, 2, 20, 100, 750)]
    parts = [spread, -spread, near_one, -near_one, subnormal, -subnormal, *evenly]
    with np.errstate(under="ignore"):
        parts = [part.astype(dtype) for part in parts]
    return np.concatenate(
        [*parts, neighbours(range_switches(name, dtype), dtype, 5).ravel(), special_points(dtype)]
    )


def on(isa, function, *arguments):
    """What a function gives on an instruction set."""
    before = _cpu.use_instruction_set(isa)
    try:
        return function(*arguments)
    finally:
        _cpu.use_instruction_set(before)


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_error_stays_within_the_published_limit(name):
    # Every 211th of all 2^32 bit patterns; the scalar path is 50 times slower, so it takes every
    # 16th of those. float64 NumPy is off by a few 2^-53, some 1e-8 of the unit measured in.
    fastest, *others = _cpu.instruction_sets()
    chunk, stride = 1 << 20, 211
    for first in range(0, 1 << 32, chunk * stride):
        pattern = np.arange(first, first + chunk * stride, stride, dtype=np.uint64)
        x = pattern.astype(np.uint32).view(np.float32)  # beyond 2^32 it begins anew
        with np.errstate(all="ignore"):
            exact = EXACT[name](x.astype(np.float64))
        found = on(fastest, apply, name, x, "float32")
        assert_within_limit(name, x, found, exact, "float32")
        for isa in others:  # the same bits have the same errors
            some = slice(None, None, 16 if isa == "generic" else None)
            assert same_bits(on(isa, apply, name, x[some], "float32"), found[some])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_published_limit_holds_where_float32_errors_are_largest(name, isa):
    x = np.array(WORST_FLOAT32[name], np.float32)
    assert_within_limit(
        name, x, apply(name, x, "float32"), EXACT[name](x.astype(np.float64)), "float32"
    )


@pytest.mark.slow
@pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 60, reason="longdouble has no more digits than float64 here"
)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_float64_error_stays_within_the_published_limit(name, isa):
    # 80-bit numbers have 11 bits more than float64: the reference is off by a few 2^-11 of the unit
    # measured in.
    x = sample_points(name, "float64")
    x = x[np.isfinite(x)]
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(np.longdouble))
        assert_within_limit(name, x, apply(name, x, "float64"), exact, "float64")


def assert_within_limit_against_mpmath(name, x):
    mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed")
    exact_function = {
        "sigmoid": lambda v: 1 / (1 + mpmath.exp(-v)),
        "log1p": lambda v: mpmath.log(1 + v),
        "normal_cdf": mpmath.ncdf,
        "cos_turns": lambda v: mpmath.cospi(2 * v),
        "sin_turns": lambda v: mpmath.sinpi(2 * v),
    }.get(name, getattr(mpmath, name, None))
    with mpmath.workprec(200):  # log1p as log(1 + x) loses up to 100 bits of them
        exact = [exact_function(mpmath.mpf(float(v))) for v in x]
        rounded = np.array([float(v) for v in exact])
        rest = np.array([float(v - r) for v, r in zip(exact, rounded.tolist())])
    assert_within_limit(name, x, apply(name, x, "float64"), rounded, "float64", rest)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float64_error_stays_within_the_published_limit_against_mpmath(name, isa):
    # For platforms whose longdouble is float64; few points, because mpmath takes some 20
    # microseconds for one.
    points = sample_points(name, "float64")
    points = points[np.isfinite(points) & (np.abs(points) < 700) & (np.abs(points) > 1e-30)]
    if name.startswith("log"):
        points = points[points > (0 if name == "log" else -1)]
    assert_within_limit_against_mpmath(name, np.random.default_rng(2).choice(points, 500))


@pytest.mark.parametrize("name", WORST_FLOAT64)
def test_published_limit_holds_where_float64_errors_are_largest(name, isa):
    assert_within_limit_against_mpmath(name, np.array(WORST_FLOAT64[name]))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bits_are_those_of_the_scalar_path(name, vector_isa, dtype, on_generic):
    x = sample_points(name, dtype)
    assert same_bits(apply(name, x, dtype), on_generic(apply, name, x, dtype))


SPECIAL_VALUES = {
    "exp": {"0": 1, "-0": 1, "inf": INF, "-inf": 0},
    "tanh": {"0": 0, "-0": -0.0, "inf": 1, "-inf": -1},
    "sigmoid": {"0": 0.5, "-0": 0.5, "inf": 1, "-inf": 0},
    "log": {"1": 0, "0": -INF, "-0": -INF, "inf": INF, "-inf": NAN, "-1": NAN, "-1e-40": NAN},
    "log1p": {"0": 0, "-0": -0.0, "-1": -INF, "inf": INF, "-inf": NAN, "-1.5": NAN, "-2": NAN},
    "asinh": {"0": 0, "-0": -0.0, "inf": INF, "-inf": -INF},
    "normal_cdf": {"inf": 1, "-inf": 0, "40": 1, "-40": 0, "-1e10": 0, "3e38": 1, "-3e38": 0},
    "cos_turns": {
        "0": 1,
        "-0": 1,
        "0.25": 0,
        "-0.25": 0,
        "0.5": -1,
        "-0.75": 0,
        "3": 1,
        "3e38": 1,
        "inf": NAN,
        "-inf": NAN,
    },
    "sin_turns": {
        "0": 0,
        "-0": -0.0,
        "0.25": 1,
        "-0.25": -1,
        "0.5": 0,
        "1": 0,
        "-1": -0.0,
        "0.75": -1,
        "3e38": 0,
        "inf": NAN,
    },
}


@pytest.mark.parametrize("name, x", [(name, x) for name in FUNCTIONS for x in SPECIAL_VALUES[name]])
def test_special_values(name, x, isa, dtype):
    assert same_bits(apply(name, [float(x)], dtype), np.array([SPECIAL_VALUES[name][x]], dtype))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_gives_nan_in_its_own_place_only(name, isa, dtype):
    x = np.full(16, 0.75, dtype)
    clean = apply(name, x, dtype)
    for place in range(16):
        with_nan = x.copy()
        with_nan[place] = NAN
        got = apply(name, with_nan, dtype)
        assert np.isnan(got[place])
        assert same_bits(np.delete(got, place), np.delete(clean, place))


@pytest.mark.parametrize("name", ["tanh", "log1p", "asinh"])
def test_subnormals_come_back_unchanged_where_the_slope_at_zero_is_one(name, isa, dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([tiny, 5 * tiny, np.finfo(dtype).smallest_normal - tiny], dtype)
    assert same_bits(apply(name, x, dtype), x)
    assert same_bits(apply(name, -x, dtype), -x)


def test_results_below_the_normal_range_are_subnormal_and_then_zero(isa, dtype):
    info = np.finfo(dtype)
    lowest = np.log(float(info.smallest_subnormal))  # e^lowest is the smallest subnormal
    x = np.array([np.log(float(info.smallest_normal)) - 2, lowest + 0.1, lowest - 1, -1e4], dtype)
    got = apply("exp", x, dtype)
    assert 0 < got[0] < info.smallest_normal
    assert got[1] == info.smallest_subnormal
    assert not got[2:].any()


def test_exp_overflows_to_infinity_just_beyond_the_largest_number(isa, dtype):
    largest = np.log(float(np.finfo(dtype).max))
    got = apply(
        "exp", [largest * (1 - 1e-6), largest * (1 + 1e-6), 1e4, np.finfo(dtype).max], dtype
    )
    assert np.isfinite(got[0])
    assert np.all(got[1:] == INF)


def test_sigmoid_is_zero_where_its_exponential_overflows(isa, dtype):
    x = np.array([-90 if dtype == "float32" else -711, -1e4, -np.finfo(dtype).max], dtype)
    assert same_bits(apply("sigmoid", x, dtype), np.zeros(3, dtype))


def test_tanh_is_odd_and_never_beyond_one(isa, dtype):
    x = np.abs(sample_points("tanh", dtype))
    got = apply("tanh", x, dtype)
    assert same_bits(apply("tanh", -x, dtype), -got)
    assert np.nanmax(got) == 1
    assert np.nanmin(got) == 0


def test_sigmoid_stays_between_zero_and_one(isa, dtype):
    got = apply("sigmoid", sample_points("sigmoid", dtype), dtype)
    assert np.nanmin(got) == 0
    assert np.nanmax(got) == 1


def test_exp_never_falls_near_its_range_switches(isa, dtype):
    # tanh is left out: it does fall by an ulp or two in places, as its limit of 3 ulp allows.
    x = neighbours(range_switches("exp", dtype), dtype, 50)
    assert np.all(np.diff(apply("exp", x, dtype), axis=1) >= 0)


@pytest.mark.parametrize("name", ["tanh", "normal_cdf"])
def test_a_rising_function_falls_by_no_more_than_its_error_limit(name, isa, dtype):
    x = neighbours(range_switches(name, dtype), dtype, 200)
    got = apply(name, x, dtype)
    fall = -np.diff(got, axis=1) / np.spacing(np.abs(got[:, 1:]))
    assert fall.max() <= _cpu.functions()[name]


def test_normal_cdf_stays_between_zero_and_one_and_is_a_half_at_zero(isa, dtype):
    got = apply("normal_cdf", sample_points("normal_cdf", dtype), dtype)
    assert np.nanmin(got) == 0
    assert np.nanmax(got) == 1
    around_zero = apply("normal_cdf", [0.0, -0.0, 1e-30, -1e-30], dtype)
    assert np.all(
        np.abs(around_zero - 0.5)
        <= np.spacing(np.array(0.25, dtype)) * _cpu.functions()["normal_cdf"]
    )


def test_normal_cdf_of_x_and_minus_x_add_up_to_one(isa, dtype):
    # Phi(x) > 1/2 is a difference from 1, exact or rounded once. 1 - Phi(x) is exact, so this sees
    # that rounding alone.
    x = np.abs(sample_points("normal_cdf", dtype))
    x = x[x > 0]
    upper, lower = apply("normal_cdf", x, dtype), apply("normal_cdf", -x, dtype)
    assert np.all(np.abs((1 - upper) - lower) <= np.finfo(dtype).eps / 4)


def test_normal_cdf_below_the_normal_range_is_right_to_one_spacing_and_then_zero(isa, dtype):
    # The relative error fades as the spacing grows; what is left is the rounding of the exponential
    # and of the result.
    mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed")
    info = np.finfo(dtype)
    bounds = (-14.2, -12.9) if dtype == "float32" else (-38.5, -37.5)
    x = np.random.default_rng(3).uniform(*bounds, 1000).astype(dtype)
    got = apply("normal_cdf", x, dtype).astype(float)
    exact = [mpmath.ncdf(mpmath.mpf(float(v))) for v in x]
    spacing = float(info.smallest_subnormal)
    spacings = np.array([float((mpmath.mpf(g) - e) / spacing) for g, e in zip(got.tolist(), exact)])
    subnormal = np.array([0 < e < float(info.smallest_normal) for e in exact])
    deep = np.array([e < float(info.smallest_normal) / 16 for e in exact])
    assert deep.sum() > 500
    assert np.abs(spacings[subnormal]).max() <= _cpu.functions()["normal_cdf"]
    assert np.abs(spacings[deep]).max() <= 1
    beyond = np.array([-14.5, -20, -1e10] if dtype == "float32" else [-39, -100, -1e200], dtype)
    assert same_bits(apply("normal_cdf", beyond, dtype), np.zeros(3, dtype))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_result_may_replace_the_argument(name, isa, dtype):
    x = np.linspace(0.1, 5, 48).astype(dtype)
    expected = apply(name, x, dtype)
    _cpu.apply(name, x, x)
    assert same_bits(x, expected)


def test_argument_may_be_read_only_and_empty(isa, dtype):
    x = np.ones(16, dtype)
    x.flags.writeable = False
    out = np.empty_like(x)
    _cpu.apply("exp", x, out)
    assert same_bits(out, apply("exp", np.ones(16), dtype))
    _cpu.apply("exp", np.empty(0, dtype), np.empty(0, dtype))


def test_lengths_must_be_equal_multiples_of_16(dtype):
    for lengths in ((16, 32), (8, 8), (17, 17)):
        with pytest.raises(ValueError, match=f"multiple of 16; got {lengths[0]} and {lengths[1]}"):
            _cpu.apply("exp", np.ones(lengths[0], dtype), np.ones(lengths[1], dtype))


def test_unknown_function_suggests_the_nearest():
    with pytest.raises(ValueError, match="unknown function 'expp'; did you mean 'exp'") as error:
        _cpu.apply("expp", np.ones(16), np.ones(16))
    for name in FUNCTIONS:
        assert name in str(error.value)

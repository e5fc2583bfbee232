"""Print the polynomial coefficients of cnn_core/kernels/math.inc.h.

Each is the minimax fit (Remez exchange in 60-digit arithmetic, ``pip install mpmath``) of one
function on its reduced argument, weighed so that the error counts relative to the final result,
then rounded to the dtype.
"""

import functools

import mpmath as mp
import numpy as np

mp.mp.dps = 60


def remez(function, weight, low, high, powers, rounds=12):
    """Coefficients c of sum c_k t^powers[k] that minimise max |weight (function - polynomial)| on
    [low, high]."""
    n = len(powers) + 1
    nodes = [
        (low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (i + mp.mpf(1) / 2) / n)
        for i in range(n)
    ]
    grid = [low + (high - low) * (1 - mp.cos(mp.pi * i / 1200)) / 2 for i in range(1, 1200)]
    for _ in range(rounds):
        system = mp.matrix(n, n)
        for i, t in enumerate(nodes):
            for k, power in enumerate(powers):
                system[i, k] = t**power
            system[i, n - 1] = (-1) ** i / weight(t)
        solution = mp.lu_solve(system, mp.matrix([function(t) for t in nodes]))
        c = list(solution)[:-1]
        error = [
            weight(t) * (function(t) - sum(ck * t**p for ck, p in zip(c, powers))) for t in grid
        ]
        # One extremum for every run of equal sign.
        peaks, start = [], 0
        for i in range(1, len(grid) + 1):
            if i == len(grid) or mp.sign(error[i]) != mp.sign(error[start]):
                peaks.append(max(range(start, i), key=lambda j: abs(error[j])))
                start = i
        if len(peaks) < n:
            break
        while len(peaks) > n:
            peaks.pop(0 if abs(error[peaks[0]]) < abs(error[peaks[-1]]) else -1)
        nodes = [grid[i] for i in peaks]
    return c, max(abs(e) for e in error)


def fit(name, function, weight, low, high, degree, dtype):
    c, _ = remez(function, weight, mp.mpf(low), mp.mpf(high), list(range(degree + 1)))
    fixed = [mp.mpf(float(dtype(float(ck)))) for ck in c]
    grid = [mp.mpf(low) + (mp.mpf(high) - mp.mpf(low)) * i / 997 for i in range(1, 997)]
    worst = max(
        abs(weight(t) * (function(t) - sum(c * t**k for k, c in enumerate(fixed)))) for t in grid
    )
    print(f"{name}, {dtype.__name__}: relative error {mp.nstr(worst, 3)}")
    print("    " + ", ".join(float(c).hex() for c in fixed))


def expm1_rest(t):
    """(e^t - 1 - t) / t^2, so that e^t - 1 = t + t^2 q(t)."""
    return (mp.expm1(t) - t) / t**2 if abs(t) > mp.mpf(10) ** -20 else mp.mpf(1) / 2 + t / 6


def atanh_rest(z):
    """(2 atanh(s) / s - 2) / z with z = s^2, so that log(1 + f) = 2 s + s z p(z) with s = f / (2 +
    f)."""
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) / s - 2) / z if z > mp.mpf(10) ** -20 else mp.mpf(2) / 3 + 2 * z / 5


def normal_tail(s, k):
    """(1 + 3/4 x) e^(x^2/2) Phi(-x) with x = k (1 + s) / (1 - s), which maps [-1, 1) to [0, inf).

    The form is that of Shepherd & Laframboise 1981, "Chebyshev approximation of (1 + 2x) exp(x^2)
    erfc x".
    """
    x = k * (1 + s) / (1 - s)
    return mp.erfc(x / mp.sqrt(2)) * mp.exp(x**2 / 2) / 2 * (1 + 3 * x / 4)


def sine_rest(z):
    """(sin(2 pi r) / r - 2 pi) / z with z = r^2, so that sin(2 pi r) = 2 pi r + r z p(z)."""
    t = 2 * mp.pi * mp.sqrt(z)
    return (mp.sin(t) - t) / (t**3) * (2 * mp.pi) ** 3


if __name__ == "__main__":
    half_log2 = float(mp.log(2) / 2)
    s_max = float((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) * 1.001
    for dtype, exp_degree, log_degree, sine_degree, tail_degree, k, x_max in (
        (np.float32, 4, 3, 4, 10, mp.mpf(4), mp.mpf(14.5)),
        (np.float64, 10, 6, 7, 22, mp.mpf(5.5), mp.mpf(39)),
    ):
        fit(
            "exp",
            expm1_rest,
            lambda t: t**2 / mp.exp(t),
            -1.01 * half_log2,
            1.007 * half_log2,
            exp_degree,
            dtype,
        )
        fit("log", atanh_rest, lambda z: z / 2, 1e-30, s_max**2, log_degree, dtype)
        fit(
            "sin_turns",
            sine_rest,
            lambda z: z * mp.sqrt(z) / mp.sin(2 * mp.pi * mp.sqrt(z)),
            1e-30,
            1.001 / 16,
            sine_degree,
            dtype,
        )
        tail = functools.partial(normal_tail, k=k)
        fit(
            "normal_cdf",
            tail,
            lambda s: 1 / tail(s),
            -1,
            (x_max - k) / (x_max + k),
            tail_degree,
            dtype,
        )

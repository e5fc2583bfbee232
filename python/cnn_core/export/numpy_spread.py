"""The functions of a NumPy file that say how far y may lie from a prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnn_core.distributions import SMALLEST_VARIANCE, middle_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnn_core.export.content import Content, Member
    from cnn_core.export.spread import Spread

#: From z of all heads of a network to the quantiles of y.
QUANTILES = '''
def quantiles_of(z, factor, shift):
    """Each is a step of at least 0 from the one before; shape (rows, outputs, quantiles)."""
    z = z.astype(np.float64).reshape(len(z), {count}, {n})
    steps, q = softplus(z[:, 1:]), np.empty_like(z)
    q[:, {middle}] = z[:, 0]
    for k in range({after}, {count}):
        q[:, k] = q[:, k - 1] + steps[:, k - 1]
    for k in range({before}, -1, -1):
        q[:, k] = q[:, k + 1] - steps[:, k]
    return (q * factor + shift).transpose(0, 2, 1)
'''
#: The same to the mean and the variance.
MOMENTS = '''
def moments_of(z, factor, shift):
    """Mean and variance of y, each of shape (rows, outputs)."""
    z = z.astype(np.float64)
    mean, variance = z[:, :{n}], softplus(z[:, {n}:]) + {least!r}
    return mean * factor + shift, variance * (factor * factor)
'''
QUANTILES_OF_ALL = '''
def quantiles(X):
    """The quantiles of y, shape (rows, outputs, quantiles)."""
{read}    each = [
{calls}
    ]
    return sum(each) / {count}
'''
MOMENTS_OF_ALL = '''
def mean_and_deviation(X):
    """Those of y, each of shape (rows, outputs)."""
{read}    each = [
{calls}
    ]
    mean = sum(one for one, _ in each) / {count}
    variance = sum(one for _, one in each) / {count}
    spread = sum((one - mean) ** 2 for one, _ in each) / {count}
    return mean, np.sqrt(variance + spread)
'''
PREDICT_QUANTILES = '''
def predict_quantiles(X):
    """The quantiles {known} of y."""
    return quantiles(X){flat}
'''
PREDICT_STD = '''
def predict_std(X):
    """The standard deviation of y."""
    return mean_and_deviation(X)[1]{flat}
'''
INTERVAL = '''
def predict_interval(X, level={default!r}):
    """The lowest and the highest y at a level of REACHES."""
    if level not in REACHES:
        known = ", ".join(map(str, REACHES))
        raise ValueError(f"level must be one of those of this file, {{known}}, got {{level}}")
{values}
    lower, upper = [], []
    for pair, score in REACHES[level]:
{ends}
        lower.append(np.fmin(low - {reach}, low / 2 + high / 2))
        upper.append(np.fmax(high + {reach}, low / 2 + high / 2))
    return np.stack((np.fmin.reduce(lower), np.fmax.reduce(upper)), axis=2){flat}
'''


def of_networks(content: Content, spread: Spread, units: Callable[[int], str]) -> list[str]:
    """The functions that networks share, and those of their means; `units` gives factor and shift
    of the targets of each network, as arguments."""
    if spread.kind == "residuals":
        return []
    n, count = content.task.n_outputs, len(content.members)
    if spread.quantiles:
        middle = middle_of(spread.quantiles)
        sizes = {"middle": middle, "after": middle + 1, "before": middle - 1}
        found = [QUANTILES.format(n=n, count=len(spread.quantiles), **sizes)]
        function, of_all = "quantiles_of", QUANTILES_OF_ALL
    else:
        found = [MOMENTS.format(n=n, least=SMALLEST_VARIANCE)]
        function, of_all = "moments_of", MOMENTS_OF_ALL
    shared = shares_reader(content)
    calls = []
    for k in range(count):
        mark = f"_{k + 1}" if count > 1 else ""
        read = "X" if shared else f"read{mark}(X)"
        calls.append(f"        {function}(heads{mark}({read}), {units(k)}),")
    read = "    X = read(X)\n" if shared else ""
    return [*found, of_all.format(read=read, calls="\n".join(calls), count=count)]


def shares_reader(content: Content) -> bool:
    """Whether all networks read one matrix."""
    first: Member = content.members[0]
    return all(one.columns is first.columns for one in content.members)


def answers(content: Content, spread: Spread) -> list[str]:
    """The functions that users call."""
    flat = "[:, 0]" if content.task.flat else ""
    found = []
    if spread.quantiles:
        known = ", ".join(f"{one:.10g}" for one in spread.quantiles)
        found.append(PREDICT_QUANTILES.format(known=known, flat=flat))
    elif spread.kind == "normalised":
        found.append(PREDICT_STD.format(flat=flat))
    if not spread.intervals:
        return found
    reach, ends = "score", "        low = high = y"
    values = "    y = outputs(X)"
    if spread.kind == "normalised":
        values, reach = "    y, sd = mean_and_deviation(X)", "sd * score"
    elif spread.quantiles:
        values = "    q = quantiles(X)"
        ends = "        low, high = (q[:, :, k] for k in pair)"
    levels = spread.levels
    default = 0.9 if 0.9 in levels else levels[-1]
    text = INTERVAL.format(default=default, values=values, ends=ends, reach=reach, flat=flat)
    return [*found, text]


def reaches(spread: Spread, written: Callable[[object], str]) -> str:
    """The constant with how far intervals reach: for each level pairs of quantiles, each with a
    number of each output; `written` gives the text of a number."""
    rows = []
    for one in spread.intervals:
        parts = []
        for pair, score in one.reaches:
            ends = spread.pairs[pair] if spread.quantiles else None
            numbers = ", ".join(written(value) for value in score)
            parts.append(f"({ends}, np.array([{numbers}]))")
        rows.append(f"    {one.level!r}: [{', '.join(parts)}],\n")
    return f"REACHES = {{\n{''.join(rows)}}}"


def calls(spread: Spread) -> list[tuple[str, str]]:
    """The functions with what they give, for the comment at the top."""
    found = []
    if spread.quantiles:
        found.append(("predict_quantiles(X)", "quantiles of y"))
    elif spread.kind == "normalised":
        found.append(("predict_std(X)", "its standard deviation"))
    if spread.intervals:
        found.append(("predict_interval(X, level)", "the lowest and the highest y"))
    return found

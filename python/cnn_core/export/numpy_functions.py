"""The functions that a NumPy file of a net may need, as texts."""

#: Activations of one number; `{param}` stands for that which is chosen.
ACTIVATIONS = {
    "step": '''
def step(z):
    """1 above 0, else 0."""
    return (z > 0).astype(z.dtype)
''',
    "sign": '''
def sign(z):
    """1 above 0, else -1."""
    return np.where(z > 0, 1, -1).astype(z.dtype)
''',
    "sigmoid": '''
def sigmoid(z):
    """1 / (1 + e^-z), without overflow."""
    e = np.exp(-np.abs(z))
    return np.where(z < 0, e, 1) / (1 + e)
''',
    "tanh": """
def tanh(z):
    return np.tanh(z)
""",
    "relu": """
def relu(z):
    return np.maximum(z, 0)
""",
    "leaky_relu": """
def leaky_relu(z, negative_slope):
    return np.where(z > 0, z, negative_slope * z)
""",
    "elu": """
def elu(z, alpha):
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))
""",
    "selu": """
def selu(z):
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))
""",
    "gelu": '''
def gelu(z):
    """z times the normal distribution function, which NumPy has not."""
    t = np.ravel(z).astype(np.float64) * -math.sqrt(0.5)
    phi = [0.5 * math.erfc(one) for one in t.tolist()]
    return z * np.array(phi, z.dtype).reshape(z.shape)
''',
    "gelu_tanh": """
def gelu_tanh(z):
    return z * sigmoid(1.5957691216057308 * z * (1 + 0.044715 * z * z))
""",
    "softplus": """
def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
""",
    "swish": """
def swish(z):
    return z * sigmoid(z)
""",
    "mish": """
def mish(z):
    e = np.exp(np.minimum(z, 20))
    n = e * (e + 2)
    return z * (n / (n + 2))
""",
    "hard_sigmoid": """
def hard_sigmoid(z):
    return np.clip(z + 3, 0, 6) / 6
""",
    "hard_swish": """
def hard_swish(z):
    return z * (np.clip(z + 3, 0, 6) / 6)
""",
    "exp": """
def exp(z):
    return np.exp(z)
""",
    "softmax": """
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
""",
}
#: What the activations need of each other.
NEEDS = {"gelu_tanh": "sigmoid", "swish": "sigmoid"}

#: What inputs go through.
CURVES = {
    "smooth clip": '''
def smooth_clip(t):
    """Between -3 and 3, linear near 0."""
    t = np.clip(t, -1e9, 1e9)
    return t / np.sqrt(1 + (t / 3) ** 2)
''',
}

PERIODIC = '''
def periodic(x, columns, w, c, V, d):
    """Cosines of some numbers, and linear functions of the cosines."""
    turns = x[:, columns, None].astype(np.float64) * w + c * 0.15915494309189535
    turns = turns.astype(x.dtype)
    h = np.cos(2 * np.pi * (turns - np.round(turns)))
    e = np.einsum("nik,ijk->nij", h, V) + d
    return e.reshape(len(x), -1)
'''

ARRAY = '''
def array(text, dtype, *shape):
    """Numbers from their bytes, the lowest first."""
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape)
'''

#: Of columns of tables; each gives some columns of the matrix.
COLUMNS = {
    "is_missing": '''
def is_missing(value):
    """Whether an entry is None, NaN, or a text that stands for none."""
    return str(value) in MISSING
''',
    "number": '''
def number(values, mean, gaps):
    """Numbers, the mean where one is missing, and 0 or 1 where training had gaps."""
    x = np.array([math.nan if is_missing(one) else float(one) for one in values])
    missing = np.isnan(x)
    x[missing] = mean
    return np.column_stack([x, missing] if gaps else [x])
''',
    "code": '''
def code(values, known, other, missing):
    """The number of each entry's category: 3, 3.0 and "3" are the same one."""
    found = []
    for one in values:
        is_whole = hasattr(one, "is_integer") and one.is_integer()
        text = str(int(one)) if is_whole and str(one) not in known else str(one)
        rest = missing if is_missing(one) else other
        is_none = is_missing(one) and not isinstance(one, str)
        found.append(rest if is_none else known.get(text, rest))
    return np.array(found, float)[:, None]
''',
    "one_hot": '''
def one_hot(values, width, **how):
    """0 and 1 for each category."""
    return (code(values, **how) == np.arange(width)).astype(float)
''',
    "date": '''
def date(values, mean, times, gaps):
    """The year, and the place in the year, the week and the day as sine and cosine."""
    given = [None if is_missing(one) else one for one in values]
    t = np.array(given, "datetime64[us]")
    days = t.astype("datetime64[D]")
    years = days.astype("datetime64[Y]")
    first = years.astype("datetime64[D]")
    turns = [(days - first) / ((years + 1).astype("datetime64[D]") - first)]
    turns.append((days.astype(np.int64) + 3) % 7 / 7)
    if times:
        turns.append((t - days) / np.timedelta64(1, "D"))
    parts = [years.astype(np.int64) + 1970 + turns[0]]
    for turn in turns:
        parts += [np.sin(2 * np.pi * turn), np.cos(2 * np.pi * turn)]
    missing = np.isnat(t)
    parts = [np.where(missing, 0 if i else mean, one) for i, one in enumerate(parts)]
    return np.column_stack([*parts, missing] if gaps else parts)
''',
}

READ_MATRIX = '''
def read{of}(X):
    """Rows of {n} numbers{named}, in float64."""
    X = np.asarray(X, np.float64)
    if X.ndim != 2 or X.shape[1] != {n}:
        raise ValueError(f"X must have shape (rows, {n}), got {{X.shape}}")
    if not np.isfinite(X).all():
        raise ValueError("X has an entry that is NaN or infinite")
    return X
'''

READ_TABLE = '''
def read{of}(X):
    """The matrix of a table, which is a dict of columns or a frame, in float64."""
{unnamed}    absent = [name for name, *_ in COLUMNS{of} if name not in X]
    if absent:
        raise ValueError(f"X has no columns {{absent}}")
    X = np.concatenate([f(X[name], **how) for name, f, how in COLUMNS{of}], axis=1)
    if not np.isfinite(X).all():
        raise ValueError("X has a number that is infinite")
    return X
'''
UNNAMED = """    if not isinstance(X, dict):
        X = dict(enumerate(np.asarray(X, object).T))
"""

MAIN = """

if __name__ == "__main__":
{read}
    for one in predict(X):
        print(*np.atleast_1d(one), sep=",")
"""
MAIN_READS = {
    "table": """    rows = list(csv.DictReader(sys.stdin))
    X = {name: [row[name] for row in rows] for name in FEATURES}""",
    "names": """    rows = csv.DictReader(sys.stdin)
    X = [[float(row[name]) for name in FEATURES] for row in rows]""",
    "cells": """    X = [row for row in csv.reader(sys.stdin) if row]""",
    "numbers": """    X = [[float(one) for one in row] for row in csv.reader(sys.stdin) if row]""",
}

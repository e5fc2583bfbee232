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
#: What functions need of each other.
NEEDS = {
    "gelu_tanh": ("sigmoid",),
    "swish": ("sigmoid",),
    "number": ("is_missing", "as_float"),
    "as_number": ("as_float",),
    "code": ("is_missing",),
    "one_hot": ("code",),
    "as_date": ("stamp",),
    "date": ("stamp",),
    "stamp": ("is_missing",),
}
#: What they import.
IMPORTS = {"gelu": ("math",), "stamp": ("datetime", "re")}

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

#: Of columns of tables; `number`, `code`, `one_hot` and `date` give some columns of the matrix.
COLUMNS = {
    "table": '''
def table(X, names):
    """The columns with these names, of a dict, a frame, a table of pyarrow or a list of
    dicts; None where X has no names."""
    if isinstance(X, (list, tuple)) and X and isinstance(X[0], dict):
        given = {name for row in X for name in row}
        X = {name: [row.get(name) for row in X] for name in given}
    elif isinstance(X, dict):
        given = X
    elif type(X).__module__.startswith("pyarrow"):
        given = X.schema.names
    else:
        given = getattr(X, "columns", getattr(getattr(X, "dtype", X), "names", None))
    if given is None:
        return None
    absent = [name for name in names if name not in given]
    if absent:
        raise ValueError(f"X has no columns {absent}")
    found = {}
    for name in names:
        one = X[name].to_pylist() if hasattr(X[name], "to_pylist") else X[name]
        is_entry = isinstance(one, str) or not hasattr(one, "__len__")
        found[name] = [one] if is_entry else one
    return found
''',
    "is_missing": '''
def is_missing(value):
    """Whether an entry is None, NaN, or a text that stands for none."""
    return str(value).strip().casefold() in MISSING
''',
    "as_float": '''
def as_float(one):
    """A number, or a time span in seconds."""
    if hasattr(one, "total_seconds") or isinstance(one, np.timedelta64):
        return float(np.timedelta64(one, "us") / np.timedelta64(1, "s"))
    if isinstance(one, np.datetime64) or "_" in str(one):
        raise ValueError(f"{str(one)!r} is no number")
    return float(one)
''',
    "number": '''
def number(values, mean, gaps):
    """Numbers, the mean where one is missing, and 0 or 1 where training had gaps."""
    given = [np.nan if is_missing(one) else as_float(one) for one in values]
    x = np.array(given, float)
    missing = np.isnan(x)
    x[missing] = mean
    return np.column_stack([x, missing] if gaps else [x])
''',
    "stamp": r'''
def stamp(one):
    """A date without its time zone, the start of a period, None where it is missing."""
    if is_missing(one):
        return None
    one = getattr(one, "start_time", one)
    if isinstance(one, str):
        month = r"\s*(\d{4})(-)(\d\d)\s*"
        day = r"\s*(\d{4})([-/.])(\d\d?)\2(\d\d?)"
        time = r"(?:[T ](\d\d?):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?"
        zone = r"(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?\s*"
        found = re.fullmatch(day + time + zone, one, re.ASCII)
        found = found or re.fullmatch(month, one, re.ASCII)
        if found is None:
            raise ValueError(f"{one!r} is no date as 2026-11-26 or 2026-11-26 14:30")
        year, _, month, day, *time = [*found.groups("0"), *"10000"][:8]
        time[3] = f"{time[3]:0<6}"[:6]
        return datetime.datetime(int(year), int(month), int(day), *map(int, time))
    if isinstance(one, datetime.datetime):
        return one.replace(tzinfo=None)
    if not isinstance(one, (datetime.date, np.datetime64)):
        raise TypeError(f"{str(one)!r} is no date")
    return one
''',
    "as_number": '''
def as_number(one):
    """A category that is a number as text: "3" for 3, 3.0, "03" and "3e0"."""
    whole = (int, np.integer, np.bool_)
    if isinstance(one, whole) and not isinstance(one, np.timedelta64):
        return str(one)
    try:
        x = as_float(one)
    except (TypeError, ValueError):
        return str(one)
    return str(int(x)) if x.is_integer() else repr(x)
''',
    "as_date": '''
def as_date(one):
    """A category that is a date as text, without a time where it is midnight."""
    try:
        text = str(np.datetime64(stamp(one), "us"))
    except (TypeError, ValueError):
        return str(one)
    day, _, time = text.partition("T")
    time = time.removesuffix(".000000")
    return day if time in ("", "00:00:00") else f"{day} {time}"
''',
    "code": '''
def code(values, known, other, missing, as_text=str):
    """The number of each entry's category."""
    found = []
    for one in values:
        if is_missing(one) and not isinstance(one, str):
            found.append(missing)
        else:
            text = one if isinstance(one, str) and one in known else as_text(one)
            found.append(known.get(text, other))
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
    t = np.array([stamp(one) for one in values], "datetime64[us]")
    days = t.astype("datetime64[D]")
    years = days.astype("datetime64[Y]")
    first = years.astype("datetime64[D]")
    after = (years + np.timedelta64(1, "Y")).astype("datetime64[D]")
    turns = [(days - first) / (after - first)]
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
    """Rows of {numbers}{named}, in float64."""
{select}    X = np.asarray(X, np.float64)
    if X.ndim != 2 or X.shape[1] != {n}:
        raise ValueError(f"X must have shape (rows, {n}), got {{X.shape}}")
    if not np.isfinite(X).all():
        raise ValueError("X has an entry that is NaN or infinite")
    return X
'''
#: Columns by their names, which an array has not.
SELECT = """    numbered = all(isinstance(name, int) for name in getattr(X, "columns", [""]))
    found = None if numbered else table(X, FEATURES)
    X = X if found is None else np.array(list(found.values()), object).T
"""

#: The same where not all names are texts: those of another frame mean nothing.
SELECT_NUMBERED = """    if hasattr(X, "iloc") and set(X.columns) == set(FEATURES):
        X = X[FEATURES]
"""

READ_TABLE = '''
def read{of}(X):
    """The matrix of a table, in float64."""
    names = [name for name, *_ in COLUMNS{of}]
    columns, parts = table(X, names), []
    if columns is None:
{unnamed}    for name, encode, how in COLUMNS{of}:
        try:
            parts.append(encode(columns[name], **how))
        except (TypeError, ValueError) as error:
            raise ValueError(f"column {{name!r}}: {{error}}") from None
    X = np.concatenate(parts, axis=1)
    if not np.isfinite(X).all():
        raise ValueError("X has a number that is infinite")
    return X
'''
NAMELESS = """        raise ValueError(f"X has no names for its columns, which are {names}")
"""
UNNAMED = """        X = np.asarray(X, object)
        if X.ndim != 2:
            raise ValueError(f"X must have two dimensions, got shape {X.shape}")
        columns = table(dict(enumerate(X.T)), names)
"""

MAIN = '''

def read_csv(file):
    """The rows of a file; each has as many entries as the first."""
    reader, rows = csv.reader(file), []
    for row in filter(None, reader):
        if rows and len(row) != len(rows[0]):
            had = f"{{len(row)}} entries, and the first line has {{len(rows[0])}}"
            raise ValueError(f"line {{reader.line_num}} has {{had}}")
{append}    return rows


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(f"rows are read from the standard input: python {{sys.argv[0]}} < rows.csv")
    sys.stdin.reconfigure(encoding="utf-8-sig", newline="")
    sys.stdout.reconfigure(encoding="utf-8")
    try:
{take}        for one in predict(X) if rows else []:
            print(*np.atleast_1d(one), sep=",")
    except (ValueError, csv.Error) as error:
        sys.exit(str(error))
'''
APPEND = "        rows.append(row)\n"
APPEND_NUMBERS = """        try:
            rows.append([float(one) for one in row])
        except ValueError as error:
            error = f"{error}; rows of numbers come without a line of names"
            raise ValueError(f"line {reader.line_num}: {error}") from None
"""
TAKE = "        X = rows = read_csv(sys.stdin)\n"
TAKE_NAMED = """        names, *rows = read_csv(sys.stdin) or [[]]
        X = dict(zip(names, zip(*rows)))
"""

"""Tables of all kinds of columns, and the rows of headers that hold the same."""

import numpy as np

DAYS = np.datetime64("1890-01-01T00:00:00", "us")


def table(rows, seed=0, gaps=True):
    """A dict of columns: numbers, categories of three sizes, True and False, dates."""
    rng = np.random.default_rng(seed)
    age = rng.normal(40, 9, rows)
    colours = np.array(["red", "blue", 'gr\u00fcn "dark"'] + [None] * gaps, object)
    day = DAYS + rng.integers(0, 10**15 * 5, rows).astype("timedelta64[us]")
    if gaps:
        age[rng.random(rows) < 0.1], day[rng.random(rows) < 0.1] = np.nan, np.datetime64("NaT")
    return {
        "age": age,
        "x y/z": rng.normal(0, 1, rows).astype("f4").astype(float),
        "colour": colours[rng.integers(0, len(colours), rows)].tolist(),
        "day": day,
        "int": rng.integers(0, 12, rows).astype(str).tolist(),
        "shop": [f"s{i}" for i in rng.integers(0, 80, rows)],
        "flag": (rng.random(rows) < 0.5).tolist(),
    }


FIELDS = [
    *(("age", "f8"), ("x_y_z", "f8"), ("colour", "i4"), ("day", "i8"), ("column_int", "i4")),
    *(("shop", "i4"), ("flag", "i4")),
]


def struct_rows(columns, given):
    """The same as an array of the structs of a header."""
    rows = np.zeros(len(given["age"]), np.dtype(FIELDS, align=True))
    for column, field in zip(columns.columns, rows.dtype.names):
        values = given[column.name]
        if rows.dtype[field] == "f8":
            rows[field] = values
        elif rows.dtype[field] == "i8":
            rows[field] = np.asarray(values).view("i8")
        else:
            codes = {value: code for code, value in enumerate(column.values)} | {None: -1}
            texts = [None if one is None else str(one) for one in values]
            rows[field] = [codes.get(text, len(column.values)) for text in texts]
    return rows

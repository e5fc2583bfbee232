"""What is no number though a library may make one of it: dates, time spans, complex numbers,
records and raw bytes. One rule for X, y and weights of every estimator, from whatever library."""

from __future__ import annotations

import datetime
import re
from typing import Any

import numpy as np

COMPLEX, SPANS, DATES = "complex numbers", "time spans", "dates or times"
RECORDS, RAW = "records", "raw bytes"

_OF_NUMPY = {"c": COMPLEX, "m": SPANS, "M": DATES}

#: How the types of pandas, polars and pyarrow are called, up to the first sign that is no letter.
_OF_NAME = (
    dict.fromkeys(("complex",), COMPLEX)
    | dict.fromkeys(("timedelta", "duration", "month"), SPANS)
    | dict.fromkeys(("date", "datetime", "timestamp", "time", "period"), DATES)
    | dict.fromkeys(("struct",), RECORDS)
)

_OF_CLASS: tuple[tuple[str, tuple[type, ...]], ...] = (
    (COMPLEX, (complex, np.complexfloating)),
    (SPANS, (datetime.timedelta, np.timedelta64)),
    (DATES, (datetime.date, datetime.time, np.datetime64)),
)

#: What helps where numbers are needed.
CURES = {
    COMPLEX: "give real and imaginary parts as columns of their own",
    SPANS: "give them as numbers, such as hours",
    DATES: "give them as numbers, such as days since a fixed date",
    RECORDS: "give each field a column of its own, as "
    "numpy.lib.recfunctions.structured_to_unstructured does",
    RAW: "say what they mean, such as by view('float32')",
}


def kind_of_type(dtype: Any) -> str | None:
    """Which of these an array or a column of that type holds; None for all other types.

    Parameters
    ----------
    dtype : object
        A type of NumPy, pandas, polars or pyarrow.

    Returns
    -------
    str or None
    """
    if isinstance(dtype, np.dtype):
        if dtype.type is np.void:
            return RECORDS if dtype.names else RAW
        return _OF_NUMPY.get(dtype.kind)
    # Of a dictionary of values that rows refer to (categories), the values count.
    values = getattr(dtype, "value_type", getattr(dtype, "subtype", None))
    if values is None:
        values = getattr(getattr(dtype, "categories", None), "dtype", None)
    if values is not None:
        return kind_of_type(values)
    found = re.match("[a-z]*", str(dtype).lower())
    return _OF_NAME.get(found[0]) if found else None


def kind_of_class(cls: type) -> str | None:
    """Which of these the objects of a class are; None for all others, and for what marks gaps.

    Parameters
    ----------
    cls : type

    Returns
    -------
    str or None
    """
    if cls.__name__ == "NaTType":
        return None
    if cls.__name__ == "Period" and cls.__module__.startswith("pandas"):
        return DATES
    return next((kind for kind, classes in _OF_CLASS if issubclass(cls, classes)), None)


def typed_columns(values: Any) -> list[tuple[Any, Any]]:
    """(label, type) of each column of a frame or table; of what has one type, (None, that type).

    Parameters
    ----------
    values : object

    Returns
    -------
    list
        Empty where nothing is said about types.
    """
    schema = getattr(values, "schema", None)
    if type(values).__module__.startswith("pyarrow") and schema is not None:
        return list(zip(getattr(schema, "names", ()), getattr(schema, "types", ())))
    dtypes, columns = getattr(values, "dtypes", None), getattr(values, "columns", None)
    if dtypes is not None and columns is not None and hasattr(dtypes, "__iter__"):
        return list(zip(columns, dtypes))
    dtype = getattr(values, "dtype", None)
    if dtype is None and type(values).__module__.startswith("pyarrow"):
        dtype = getattr(values, "type", None)
    return [] if dtype is None else [(None, dtype)]

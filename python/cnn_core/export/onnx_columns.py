"""Columns of tables as inputs of an ONNX graph, and what networks read of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.columns.kinds import Category, Column, Date, Embedded, Number
from cnn_core.columns.parsing import MISSING, number_of
from cnn_core.export.graph import Graph

if TYPE_CHECKING:
    from cnn_core.columns.columns import Columns
    from cnn_core.export.content import Content

#: Days from March 1 of the year 0 to 1970, and microseconds of a day.
_TO_1970, _DAY = 719_468, 86_400_000_000


def _check_text(name: str) -> None:
    """Raise for a name that no file in UTF-8 can have."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"export_onnx: the column {name!r} has a character that is half of a pair, which no "
            "ONNX file can hold; rename the column and fit again"
        ) from None


class TableInputs:
    """An input for each column that a network sees.

    Parameters
    ----------
    g : Graph
    content : Content
    """

    def __init__(self, g: Graph, content: Content) -> None:
        self.g, self.dtype = g, content.dtype
        self._kinds: dict[Any, type[Any]] = {}
        self._names: dict[Any, str] = {}
        self._made: dict[Any, tuple[str | None, list[str]]] = {}
        names = [str(column.name) for column in content.columns]
        for name in names:
            _check_text(name)
        g.reserve(names)
        for column in content.columns:
            kind, doc = _kind_of(column, self.dtype)
            self._kinds[column.name] = kind
            self._names[column.name] = g.input(str(column.name), kind, ("rows",), doc)

    def read(self, columns: Columns, dtype: Any) -> tuple[str | None, list[str]]:
        """The numbers that columns become, in a dtype, shape (rows, numbers), or None where there
        are none; and for each embedded column the number of the category, shape (rows,)."""
        key = id(columns), np.dtype(dtype)
        if key not in self._made:
            numbers, codes = [], []
            for column, _ in columns.placed:
                value = self._input_of(column)
                if isinstance(column, Embedded):
                    codes.append(self.codes(column, value))
                elif isinstance(column, Category):
                    numbers.append(self.one_hot(column, value, dtype))
                elif isinstance(column, Number):
                    numbers += self.number(column, value, dtype)
                elif isinstance(column, Date):
                    numbers += self.date(column, value, dtype)
            joined = self.g("Concat", *numbers, axis=1) if numbers else None
            self._made[key] = joined, codes
        return self._made[key]

    def _input_of(self, column: Column) -> str:
        kind, _ = _kind_of(column, self.dtype)
        if kind is not self._kinds[column.name]:
            raise ValueError(
                f"export_onnx writes an input for each column, and the members read the column "
                f"{column.name!r} as different kinds; fit them with the same `columns`"
            )
        return self._names[column.name]

    def upright(self, value: str) -> str:
        """A column of a matrix."""
        return self.g("Unsqueeze", value, self.g.constant([1], np.int64))

    def number(self, column: Number, value: str, dtype: Any) -> list[str]:
        """The number, the mean where it is NaN, and 0 or 1 where training had gaps."""
        g, x = self.g, self.upright(value)
        missing = g("IsNaN", x)
        known = g.cast(x, self.dtype, dtype)
        found = [g("Where", missing, g.constant(column.mean, dtype), known)]
        if column.gaps:
            found.append(g("Cast", missing, to=g.element_type(dtype)))
        return found

    def codes(self, column: Category, value: str) -> str:
        """The number of the category; where there is none, the first that is no category's."""
        keys, n = spellings(column), column.width
        missing = len(column.values) if isinstance(column, Embedded) else n
        unknown = len(column.values) if column.rest else missing
        if unknown != missing:
            keys |= {text: missing for text in sorted(MISSING) if text not in keys}
        texts, numbers = list(keys), list(keys.values())
        made = dict(keys_strings=texts, values_int64s=numbers, default_int64=unknown)
        return self.g("LabelEncoder", value, **made)  # type: ignore[arg-type]

    def one_hot(self, column: Category, value: str, dtype: Any) -> str:
        """0 and 1 for each category."""
        code = self.upright(self.codes(column, value))
        places = self.g.constant(np.arange(column.width), np.int64)
        equal = self.g("Equal", code, places)
        return self.g("Cast", equal, to=self.g.element_type(dtype))

    # Dates, which are whole microseconds

    def date(self, column: Date, value: str, dtype: Any) -> list[str]:
        """What `Date` makes of it."""
        g, t = self.g, self.upright(value)
        missing = self._whole("Equal", t, np.iinfo(np.int64).min)
        # A day that calculates stands in for a missing one.
        since = self._whole("Add", g("Where", missing, self._constant(0), t), _TO_1970 * _DAY)
        days = self._whole("Div", since, _DAY)
        year, of_year = self._year(days)
        weekday = self._whole("Mod", self._whole("Add", days, 2), 7)
        turns = [of_year, self._share(weekday, 7)]
        if column.times:
            turns.append(self._share(self._whole("Mod", since, _DAY), _DAY))
        parts = [g("Add", self._double(year), of_year)]
        for turn in turns:
            angle = g("Mul", turn, g.constant(2 * math.pi, np.float64))
            parts += [g("Sin", angle), g("Cos", angle)]
        filled = []
        for i, part in enumerate(parts):
            instead = g.constant(0.0 if i else column.mean, np.float64)
            filled.append(g.cast(g("Where", missing, instead, part), np.float64, dtype))
        if column.gaps:
            filled.append(g("Cast", missing, to=g.element_type(dtype)))
        return filled

    def _year(self, days: str) -> tuple[str, str]:
        """The year, and the share of it that is over, of days since March 1 of the year 0: years
        that begin in March have their leap day at the end (Howard Hinnant, 2013,
        "chrono-compatible low-level date algorithms")."""
        whole, g = self._whole, self.g
        era = whole("Div", days, 146_097)
        day = whole("Mod", days, 146_097)
        leaps = g("Sub", whole("Div", day, 36_524), whole("Div", day, 1_460))
        leaps = g("Sub", leaps, whole("Div", day, 146_096))
        year = whole("Div", g("Add", day, leaps), 365)
        begun = g("Sub", whole("Div", year, 4), whole("Div", year, 100))
        begun = g("Add", begun, whole("Mul", year, 365))
        since_march = g("Sub", day, begun)
        next_year = g("Cast", whole("GreaterOrEqual", since_march, 306), to=g.element_type("i8"))
        year = g("Add", g("Add", whole("Mul", era, 400), year), next_year)
        leap = g("Sub", self._divides(year, 4), self._divides(year, 100))
        leap = g("Add", leap, self._divides(year, 400))
        length = whole("Add", leap, 365)
        # January and February are 306 days after March 1; the others come 59 or 60 after January 1.
        since_january = g("Add", since_march, whole("Add", leap, 59))
        day_of_year = g("Mod", since_january, length)
        return year, g("Div", self._double(day_of_year), self._double(length))

    def _divides(self, year: str, by: int) -> str:
        rest = self._whole("Equal", self._whole("Mod", year, by), 0)
        return self.g("Cast", rest, to=self.g.element_type("i8"))

    def _constant(self, value: int) -> str:
        return self.g.constant(value, np.int64)

    def _whole(self, operator: str, value: str, by: int) -> str:
        return self.g(operator, value, self._constant(by))

    def _double(self, value: str) -> str:
        return self.g("Cast", value, to=self.g.element_type(np.float64))

    def _share(self, value: str, of: int) -> str:
        return self.g("Div", self._double(value), self.g.constant(float(of), np.float64))


def _kind_of(column: Column, dtype: Any) -> tuple[type[Any], str]:
    """The dtype of the input of a column, and what it takes in words."""
    if isinstance(column, Category):
        return object, "category as text; empty where it is missing"
    if isinstance(column, Date):
        return np.int64, "microseconds since 1970, -2^63 where missing: datetime64[us] as int64"
    return np.dtype(dtype).type, "number; NaN where it is missing"


def spellings(column: Category) -> dict[str, int]:
    """Texts that mean the categories, with the numbers of these."""
    found = {text: i for i, text in enumerate(column.values)}
    for text, i in vars(column)["positions"].items():
        found.setdefault(text, i)
    for i, text in enumerate(column.values):
        number = number_of(text)
        if number is not None and number.is_integer():
            found.setdefault(f"{text}.0", i)
    return found

"""What a column of a table becomes for the network: numbers, one-hot categories, parts of dates, or
nothing.

Each class is fitted on the training rows, is part of the model, and turns the column of any table
into some columns of a matrix; `encode_one` does so for a single entry.
"""

from __future__ import annotations

import calendar
import datetime
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self, TypeVar

import numpy as np

from cnn_core._frozen import Frozen
from cnn_core._warn import warn
from cnn_core.columns.parsing import (
    as_dates,
    as_numbers,
    as_texts,
    date_of,
    number_of,
    positions_of_bools,
    positions_of_dates,
)
from cnn_core.columns.table import Values, text_of
from cnn_core.data.rounding import EXACT
from cnn_core.data.validation import is_missing, listed
from cnn_core.embeddings import WIDEST, Embedding
from cnn_core.spec import MOST_CATEGORIES

#: Categories up to which each has a column of its own.
FEW = 9
#: Of more categories the most frequent that have one, beside a column for all others.
FREQUENT = 63


class Column(Frozen):
    """One column of a table.

    Attributes
    ----------
    name : str or int
    kind : str
        As `columns` of MLP names it.
    """

    kind = ""

    name: str | int

    def check(self) -> None:
        """Raise a ValueError where no fit can have made it: for those that come from outside."""
        fields = {name: type(getattr(self, name)) for name in self._fields}
        for name, kind in fields.items():
            if kind not in self._types[name]:
                raise ValueError(f"columns: {self.name!r} has {name} of type {kind.__name__}")

    #: What each field may be.
    _types = {
        "name": (str, int),
        "mean": (float,),
        "gaps": (bool,),
        "other": (bool,),
        "times": (bool,),
        "dim": (int,),
        "values": (tuple,),
        "why": (str,),
    }

    @property
    def encoded(self) -> tuple[str, ...]:
        """Names of the columns of the matrix."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """How many they are."""
        return len(self.encoded)

    @property
    def words(self) -> str:
        """What the column becomes, in words."""
        raise NotImplementedError

    def encode(self, values: Values, out: np.ndarray, what: str) -> int:
        """Write the column's entries for the network.

        Parameters
        ----------
        values : Values
        out : ndarray of float64, shape (rows, width)
            Holds zeros.
        what : str
            Of the table, for messages.

        Returns
        -------
        int
            Entries that are missing though training had none missing.
        """
        raise NotImplementedError

    def encode_one(self, value: Any, out: list[float], at: int) -> bool:
        """The same for one entry, as users give it; whether it is missing unlike in training."""
        from cnn_core.columns.table import values_of

        row = np.zeros((1, self.width))
        unlike = self.encode(values_of([value], self.name, "x"), row, "x")
        out[at : at + self.width] = row[0].tolist()
        return bool(unlike)


class Number(Column):
    """A number, the mean where it is missing, and a column of 0 and 1 for that where training rows
    had gaps.

    Parameters
    ----------
    name : str or int
    mean : float
        Of the training rows.
    gaps : bool
        Whether some of them had none.
    """

    kind = "number"

    mean: float
    gaps: bool

    @classmethod
    def fitted(cls, name: str | int, values: Values) -> Self:
        """Learn from the training rows."""
        present = values.array[~np.isnan(values.array)]
        return cls(name, mean_of(present), len(present) < len(values.array))

    @property
    def encoded(self) -> tuple[str, ...]:
        return (str(self.name), f"{self.name} is missing") if self.gaps else (str(self.name),)

    @property
    def words(self) -> str:
        return (
            f"number (where missing {self.mean:.6g}, and a column says so)" * self.gaps or "number"
        )

    def encode(self, values: Values, out: np.ndarray, what: str) -> int:
        array = as_numbers(values, self.name, what)
        missing = np.isnan(array)
        out[:, 0] = array
        if not missing.any():
            return 0
        out[missing, 0] = self.mean
        if self.gaps:
            out[missing, 1] = 1.0
            return 0
        return int(missing.sum())

    def encode_one(self, value: Any, out: list[float], at: int) -> bool:
        kind = type(value)
        if kind is float or kind is int or isinstance(value, (np.floating, np.integer)):
            try:
                number = float(value)
            except OverflowError:  # refused below, as in a table
                number = math.inf
            if -math.inf < number < math.inf:
                out[at] = number
                return False
        if is_missing(value):
            out[at] = self.mean
            if self.gaps:
                out[at + 1] = 1.0
            return not self.gaps
        return super().encode_one(value, out, at)


class Category(Column):
    """A column of 0 and 1 for each category; all 0 where it is missing or unknown.

    Parameters
    ----------
    name : str or int
    values : tuple of str
        The categories, as texts: 3, 3.0 and '3' are the same one.
    other : bool
        Whether a last column stands for all that are none of these.
    gaps : bool
        Whether it was missing in some training rows.
    """

    kind = "category"

    values: tuple[str, ...]
    other: bool
    gaps: bool

    def __post_init__(self) -> None:
        positions = {value: i for i, value in enumerate(self.values)}
        bare = {_bare(value): value for value in self.values}
        dates = positions_of_dates(self.values)
        positions = positions_of_bools(self.values) | dates | positions
        self._set(positions=positions, bare=bare, dated=bool(dates))

    def check(self) -> None:
        super().check()
        if not all(type(value) is str for value in self.values):
            raise ValueError(f"columns: {self.name!r} has a category that is no text")
        if len(set(self.values)) < max(1, len(self.values)):
            raise ValueError(f"columns: {self.name!r} has no categories, or one of them twice")

    @classmethod
    def fitted(cls, name: str | int, values: Values) -> Self:
        """Learn from the training rows; the categories come in the order of their texts."""
        counts, gaps = category_counts(values)
        kept, other = sorted(counts), len(counts) > FEW
        if len(counts) > FREQUENT:
            kept = sorted(sorted(counts, key=lambda text: (-counts[text], text))[:FREQUENT])
        return cls(name, tuple(kept), other, gaps)

    @property
    def rest(self) -> bool:
        """Whether training rows had others: else the weights of their column are those of before
        the training, and an unknown category is 0."""
        return self.other and len(self.values) >= FREQUENT

    @property
    def encoded(self) -> tuple[str, ...]:
        others = (f"{self.name} is another",) if self.other else ()
        return (*(f"{self.name}={value}" for value in self.values), *others)

    @property
    def words(self) -> str:
        shown = ", ".join(self.values[:5]) + (", ..." if len(self.values) > 5 else "")
        kinds = "1 category" if len(self.values) == 1 else f"{len(self.values)} categories"
        return f"{kinds}{' and others' if self.rest else ''}: {shown}"

    def __getstate__(self) -> dict[str, Any]:
        return {name: vars(self)[name] for name in self._fields}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set(**state)
        self.__post_init__()

    def encode(self, values: Values, out: np.ndarray, what: str) -> int:
        codes, missing = self._codes(values, what)
        rows = np.flatnonzero(codes >= 0)
        out[rows, codes[rows]] = 1.0
        return 0 if self.gaps else missing

    def _codes(self, values: Values, what: str) -> tuple[np.ndarray, int]:
        """The position of each entry's category, below 0 for none; how many entries are missing."""
        texts = as_texts(values)
        positions: dict[str, int] = vars(self)["positions"]
        get = positions.get
        codes = np.fromiter(
            (_MISSING if text is None else get(text, _UNKNOWN) for text in texts),
            np.intp,
            len(texts),
        )
        unknown = np.flatnonzero(codes == _UNKNOWN)
        missing = int(np.count_nonzero(codes == _MISSING))
        if len(unknown):
            self._place_others(texts, codes, unknown, what, len(texts) - missing)
        return codes, missing

    def place(self, text: str) -> int | None:
        """The position of a category, 3 being the same as 3.0, TRUE as True, and dates however
        they are written; None where it is unknown."""
        positions: dict[str, int] = vars(self)["positions"]
        at = positions.get(text)
        if at is None:
            number = number_of(text)
            if number is not None and math.isfinite(number):
                at = positions.get(text_of(number))
                if at is None and abs(number) >= EXACT:
                    at = positions.get(str(int(number)))
            elif vars(self)["dated"]:
                date = date_of(text)
                at = None if date is None else positions.get(text_of(date))
        return at

    def _place_others(
        self, texts: Sequence[str | None], codes: np.ndarray, rows: np.ndarray, what: str, n: int
    ) -> None:
        """The codes of entries that are not written as the categories are; `n` are not missing."""
        found: dict[Any, int | None] = {texts[row]: None for row in rows}
        for text in found:
            found[text] = self.place(text)
        absent = len(self.values) if self.rest else _MISSING
        places = [found[texts[row]] for row in rows]
        codes[rows] = [absent if at is None else at for at in places]
        unknown = [text for text, at in found.items() if at is None]
        count = places.count(None)
        if count == n or (2 * count > n and not self.rest):
            self._warn_of_unknown(unknown, what, n)

    def _warn_of_unknown(self, unknown: list[str], what: str, n: int) -> None:
        """Say that most entries are categories that training had not. Of few rows that may be
        chance, but for those that are written in another way."""
        meant: dict[str, str] = vars(self)["bare"]
        like = next((text for text in sorted(unknown) if _bare(text) in meant), None)
        if like is not None:
            value = meant[_bare(like)]
            cure = f"such as {like!r} where training had {value!r}; write them as in training" + (
                _ZEROS if like.strip().casefold() != value.strip().casefold() else ""
            )
        elif n < _FEW_ROWS:
            return
        else:
            shown, known = listed(sorted(unknown)[:1]), listed(self.values[:3])
            cure = f"such as {shown} where training had {known}; is it the same column?"
        share = "" if n == 1 else " in most rows"
        warn(
            f"{what} has categories in column {self.name!r} that the training rows had not{share}, "
            f"{cure}",
            UserWarning,
        )

    def encode_one(self, value: Any, out: list[float], at: int) -> bool:
        if type(value) is not str:
            if is_missing(value):
                return not self.gaps
            try:
                value = text_of(value)
            except OverflowError:
                return super().encode_one(value, out, at)  # which refuses it, as in a table
        position = self.place(value)
        if position is not None:
            out[at + position] = 1.0
            return False
        self._warn_of_unknown([value], "x", 1)
        if self.rest:
            out[at + len(self.values)] = 1.0
        return False


#: Codes of entries that are no category.
_MISSING, _UNKNOWN = -1, -2
#: Rows of which all may be unknown by chance.
_FEW_ROWS = 10
_ZEROS = ": as texts where they begin with 0, such as by read_csv(dtype=str) of pandas"


def _bare(text: str) -> str:
    """A category without what writing adds: blanks, capitals, leading zeros."""
    return text.strip().casefold().lstrip("0")


class Embedded(Category):
    """A column of the numbers of the categories, for each of which the network learns a vector; one
    number more where it is missing or unknown, whose vector is 0.

    Parameters
    ----------
    name : str or int
    values : tuple of str
        All categories of the training rows.
    gaps : bool
    dim : int
        Numbers of a vector.
    """

    kind = "embedding"

    other = False  # the vector 0 stands for all others
    dim: int

    def check(self) -> None:
        super().check()
        if not (1 <= self.dim <= WIDEST and len(self.values) <= MOST_CATEGORIES):
            raise ValueError(
                f"columns: {self.name!r} has {len(self.values):,} categories, each with a vector "
                f"of {self.dim:,}"
            )

    @classmethod
    def fitted(cls, name: str | int, values: Values, how: Embedding | None = None) -> Self:
        """Learn from the training rows; the categories come in the order of their texts."""
        counts, gaps = category_counts(values)
        if len(counts) > MOST_CATEGORIES:
            raise ValueError(
                f"the column {name!r} has {len(counts):,} categories; {MOST_CATEGORIES:,} can be "
                "embedded"
            )
        dim = (how or Embedding()).width(len(counts))
        return cls(name, tuple(sorted(counts)), False, gaps, dim)

    @property
    def encoded(self) -> tuple[str, ...]:
        return (str(self.name),)

    @property
    def words(self) -> str:
        n = len(self.values)
        kinds = f"{n:,} categories" if n > 1 else "1 category"
        numbers = f"{self.dim} numbers" if self.dim > 1 else "one number"
        shown = ", ".join(self.values[:5]) + (", ..." if n > 5 else "")
        return f"{kinds}, each embedded as {numbers}: {shown}"

    def encode(self, values: Values, out: np.ndarray, what: str) -> int:
        codes, missing = self._codes(values, what)
        out[:, 0] = np.where(codes >= 0, codes, len(self.values))
        return 0 if self.gaps else missing

    def encode_one(self, value: Any, out: list[float], at: int) -> bool:
        code = vars(self)["positions"].get(value) if type(value) is str else None
        if code is None:
            return Column.encode_one(self, value, out, at)
        out[at] = float(code)
        return False


class Date(Column):
    """A date: the year, and day of the year and day of the week as sine and cosine; where the
    training rows have times of day, these too.

    A missing date is the mean year with all else 0, and a column of 0 and 1 says so where training
    rows had gaps.

    Parameters
    ----------
    name : str or int
    mean : float
        Of the years of the training rows, with their fractions.
    times : bool
        Whether they have times of day.
    gaps : bool
    """

    kind = "date"

    mean: float
    times: bool
    gaps: bool

    @classmethod
    def fitted(cls, name: str | int, values: Values) -> Self:
        """Learn from the training rows."""
        present = values.array[~np.isnat(values.array)]
        times = bool((present != present.astype("datetime64[D]")).any())
        years = _parts(present, False)[:, 0]
        return cls(name, mean_of(years), times, len(present) < len(values.array))

    @property
    def encoded(self) -> tuple[str, ...]:
        parts = ["year", "sine of the year", "cosine of the year"]
        parts += ["sine of the week", "cosine of the week"]
        if self.times:
            parts += ["sine of the day", "cosine of the day"]
        gaps = (f"{self.name} is missing",) if self.gaps else ()
        return (*(f"{self.name}: {part}" for part in parts), *gaps)

    @property
    def words(self) -> str:
        day = ", time of day" if self.times else ""
        return f"date: year, day of the year, day of the week{day}"

    def encode(self, values: Values, out: np.ndarray, what: str) -> int:
        array = as_dates(values, self.name, what)
        missing = np.isnat(array)
        parts = _parts(array[~missing], self.times)
        out[~missing, : parts.shape[1]] = parts
        out[missing, 0] = self.mean
        if self.gaps:
            out[missing, -1] = 1.0
            return 0
        return int(missing.sum())

    def encode_one(self, value: Any, out: list[float], at: int) -> bool:
        if type(value) is str:
            value = date_of(value) or value
        elif isinstance(value, np.datetime64):
            date = value.astype("datetime64[us]").item()
            value = date if isinstance(date, datetime.date) else value  # no number of a far year
        if not isinstance(value, datetime.date) or is_missing(value):
            return super().encode_one(value, out, at)
        first = datetime.date(value.year, 1, 1)
        length = 366 if calendar.isleap(value.year) else 365
        of_year = (datetime.date(value.year, value.month, value.day) - first).days / length
        turns = [of_year, value.weekday() / 7]
        if self.times:
            of_day = 0
            if isinstance(value, datetime.datetime):
                seconds = (value.hour * 60 + value.minute) * 60 + value.second
                of_day = seconds * 1_000_000 + value.microsecond
            turns.append(of_day / 86400e6)
        out[at] = value.year + of_year
        for i, turn in enumerate(turns):
            out[at + 1 + 2 * i] = _sine(turn)
            out[at + 2 + 2 * i] = _sine(turn + 0.25)
        return False


class Omitted(Column):
    """A column that the network does not see.

    Parameters
    ----------
    name : str or int
    why : str
        The end of a sentence; nothing where the user has said so.
    """

    kind = "drop"

    why: str = ""

    @property
    def encoded(self) -> tuple[str, ...]:
        return ()

    @property
    def words(self) -> str:
        return f"left out: {self.why}" if self.why else "left out"

    def encode(self, values: Values, out: np.ndarray, what: str) -> int:
        return 0

    def encode_one(self, value: Any, out: list[float], at: int) -> bool:
        return False


#: What `columns` of MLP may say of a column.
KINDS: dict[str, type[Column]] = {
    one.kind: one for one in (Number, Category, Embedded, Date, Omitted)
}


def category_counts(values: Values) -> tuple[Counter[str], bool]:
    """How often each category comes, and whether one is missing."""
    texts = as_texts(values)
    counts = Counter(text for text in texts if text is not None)
    gaps = counts.total() < len(texts)
    if counts and all(text.casefold() in ("true", "false") for text in counts):
        titles: Counter[str] = Counter()
        for text, count in counts.items():
            titles[text.title()] += count
        counts = titles
    return counts, gaps


def mean_of(numbers: np.ndarray) -> float:
    """The mean, added one after the other: NumPy's own sum depends on the processor."""
    return float(np.cumsum(numbers)[-1] / len(numbers)) if len(numbers) else 0.0


# Parts of dates

#: One number, or an array of them.
Turn = TypeVar("Turn", float, np.ndarray)


def _parts(dates: np.ndarray, times: bool) -> np.ndarray:
    """Year with its fraction, and positions in the year, the week and the day as sine and
    cosine."""
    days = dates.astype("datetime64[D]")
    years = days.astype("datetime64[Y]")
    first = years.astype("datetime64[D]")
    after = (years + np.timedelta64(1, "Y")).astype("datetime64[D]")
    length = (after - first).astype(np.float64)
    of_year = (days - first).astype(np.float64) / length
    weekdays = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    turns = [of_year, weekdays / 7]
    if times:
        turns.append((dates - days).astype(np.float64) / 86400e6)
    columns = [years.astype(np.int64) + 1970 + of_year]
    for turn in turns:
        columns += [sine_of_turns(turn), sine_of_turns(turn + 0.25)]
    return np.column_stack(columns)


def sine_of_turns(turns: np.ndarray | Sequence[float]) -> np.ndarray:
    """sin(2 pi t) by its Taylor series, to 1e-13: the same bits everywhere, where NumPy's own
    depends on the processor."""
    t = np.asarray(turns, np.float64)
    t = t - np.floor(t + 0.5)  # to [-1/2, 1/2)
    t = np.where(t > 0.25, 0.5 - t, np.where(t < -0.25, -0.5 - t, t))  # to a quarter either side
    return _series(t)


def _sine(t: float) -> float:
    """The same of one number, to the bit."""
    t = t - math.floor(t + 0.5)
    return _series(0.5 - t if t > 0.25 else -0.5 - t if t < -0.25 else t)


def _series(t: Turn) -> Turn:
    u = 2 * math.pi * t
    square = u * u
    term = total = u
    for k in range(2, 22, 2):
        term = term * square / (-k * (k + 1))
        total = total + term
    return total

"""The columns of a CSV, built from one chunk of rows after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from shlex import quote

import numpy as np

from cnn_core.columns.table import NUMBER, TEXT, Values
from cnn_core.io.texts import Missing, first_bad, is_number, numbers_of

#: Share of the entries that are numbers from which on the others are taken for a mistake.
_MOSTLY = 0.9

Place = Callable[[int], str]


class ColumnBuilder:
    """A column: numbers while all its entries are, texts from the first chunk on that has another.

    Parameters
    ----------
    name : str
    missing : Missing
    kind : {'number', 'text'}, optional
        What it must be.
    """

    def __init__(self, name: str, missing: Missing, kind: str | None = None) -> None:
        self.name, self._missing, self._kind = name, missing, kind
        self._parts: list[np.ndarray] = []
        self._before: list[np.ndarray] = []
        self._whole, self._decimal = True, "."
        self._is_text = kind == "text"
        #: Rows that were read as numbers before the first text came.
        self.turned_at = 0
        self._pool: dict[str, str | None] = dict.fromkeys(missing.texts)

    def add(self, texts: Sequence[str], row: int, decimal: str, place: Place) -> None:
        """The entries of a chunk, whose first row is `row`."""
        self._decimal = decimal
        if not self._is_text:
            found = numbers_of(texts, decimal, self._missing, self._kind == NUMBER)
            if found is not None:
                numbers, whole = found
                if np.isinf(numbers).any():
                    at = int(np.isinf(numbers).argmax())
                    raise ValueError(
                        f"{place(row + at)}, column {self.name!r}: {texts[at][:60]!r} is no finite "
                        "number"
                    )
                self._parts.append(numbers)
                self._whole &= whole
                return
            if self._kind == NUMBER:
                at = first_bad(texts, decimal, self._missing)
                raise ValueError(no_number(place(row + at), self.name, texts[at]))
            self._is_text, self.turned_at, self._parts = True, row, []
        self._parts.append(self._texts(texts, row, place))

    def add_before(self, texts: Sequence[str]) -> None:
        """The texts of a chunk that was read as numbers."""
        self._before.append(self._texts(texts, 0, str))

    def _texts(self, texts: Sequence[str], row: int, place: Place) -> np.ndarray:
        known = self._pool.setdefault
        size = len(self._pool)
        array = np.empty(len(texts), object)
        array[:] = [known(one, one) for one in texts]
        if len(self._pool) > size and "\0" in "\n".join(texts):
            at = next(i for i, one in enumerate(texts) if "\0" in one)
            raise ValueError(
                f"{place(row + at)}, column {self.name!r}: {texts[at][:60]!r} has a NUL character"
            )
        return array

    def finish(self, place: Place) -> Values:
        """The whole column."""
        parts = [*self._before, *self._parts]
        self._before, self._parts = [], []
        array = np.concatenate(parts) if len(parts) > 1 else parts[0]
        parts.clear()
        if not self._is_text:
            return Values(NUMBER, array, self._whole and not np.isnan(array).all())
        if self._kind is None:
            self._check_mostly(array, place)
        return Values(TEXT, array)

    def _check_mostly(self, array: np.ndarray, place: Place) -> None:
        """Raise where nearly all entries are numbers: the others are a mistake, or missing."""
        if not self._share_of_numbers(array[:1000]) or self._share_of_numbers(array) < _MOSTLY:
            return
        row = next(i for i, one in enumerate(array) if one is not None and not self._number(one))
        others = {one for one in array if one is not None and not self._number(one)}
        more = f", as {len(others) - 1:,} other entries are" if len(others) > 1 else ""
        raise ValueError(
            f"{no_number(place(row), self.name, array[row], more)}, and kinds={{{self.name!r}: "
            f"'text'}} (--columns {quote(self.name + '=category')}) reads the column as texts"
        )

    def _share_of_numbers(self, array: np.ndarray) -> float:
        counts = Counter(array.tolist())
        counts.pop(None, None)
        numbers = sum(count for text, count in counts.items() if self._number(text))
        return numbers / counts.total() if counts else 0.0

    def _number(self, text: str) -> bool:
        """Whether it is a number, and no code such as 02139."""
        return is_number(text, self._decimal) and not (text[:1] == "0" and text[1:].isdigit())


def no_number(where: str, name: str, text: str, more: str = "") -> str:
    """The sentence about an entry that is no number, and what takes it for a missing one: in Python
    and on the command line."""
    return (
        f"{where}, column {name!r}: {text[:60]!r} is no number{more}; missing=[{text[:60]!r}] "
        f"(--missing {quote(text[:60])}) takes it for a missing entry"
    )

"""What a file holds of `Columns`: how the columns of a table become a matrix."""

from __future__ import annotations

from typing import Any

from cnn_core.columns.columns import Columns
from cnn_core.columns.kinds import KINDS, Category, Column, Date, Embedded, Number, Omitted
from cnn_core.files.codecs import (
    Choice,
    Codec,
    Flag,
    List,
    Real,
    Record,
    Tensors,
    Text,
    Whole,
    fail,
)

#: A name, or a number where the columns of the training table had none.
_NAME = Choice("a text or a whole number", (int, (int,), Whole()), (str, (str,), Text()))

_FIELDS: dict[type[Column], dict[str, Codec]] = {
    Number: {"mean": Real(), "gaps": Flag()},
    Category: {"values": List(Text(), tuple), "other": Flag(), "gaps": Flag()},
    Embedded: {"values": List(Text(), tuple), "dim": Whole(1), "gaps": Flag()},
    Date: {"mean": Real(), "times": Flag(), "gaps": Flag()},
    Omitted: {"why": Text()},
}
_RECORDS = {kind: Record(KINDS[kind], {"name": _NAME, **_FIELDS[KINDS[kind]]}) for kind in KINDS}


class _Column(Codec):
    """A `Column`, with its kind."""

    def write(self, value: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        return {"kind": value.kind, **_RECORDS[value.kind].write(value, where, tensors)}

    def read(self, json: Any, where: str, tensors: Tensors) -> Column:
        if not isinstance(json, dict):
            fail(where, json, "an object")
        rest = dict(json)
        kind = Text(*KINDS).read(rest.pop("kind", None), f"{where}.kind", tensors)
        column: Column = _RECORDS[kind].read(rest, where, tensors)
        return column


COLUMNS = Record(Columns, {"columns": List(_Column(), tuple)})

"""How values are written as JSON and tensors, and checked when they are read: each codec does both
for one kind of value, so that a file is described once."""

from __future__ import annotations

import binascii
import math
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from cnn_core._checks import shown
from cnn_core.exceptions import ModelFormatError

#: Tensors of a file by their names.
Tensors = dict[str, np.ndarray]

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def fail(where: str, value: Any, allowed: str) -> NoReturn:
    """Raise for a value that a file must not have there."""
    raise ModelFormatError(f"{where} must be {allowed}, got {shown(value)}")


class Codec:
    """Writes one kind of value, and reads it.

    `where` is the value's place in the file, such as ``task.loss``, for messages and for the names
    of tensors.
    """

    def write(self, value: Any, where: str, tensors: Tensors) -> Any:
        """What JSON holds of a value; arrays may be put into `tensors`."""
        return value

    def read(self, json: Any, where: str, tensors: Tensors) -> Any:
        """The value again; tensors that belong to it are taken out of `tensors`.

        Raises
        ------
        ModelFormatError
            For JSON that no value of this kind is written as.
        """
        raise NotImplementedError

    def write_all(self, values: Any, where: str, tensors: Tensors) -> list[Any]:
        """What JSON holds of a sequence of values."""
        return [self.write(one, f"{where}.{i}", tensors) for i, one in enumerate(values)]

    def read_all(self, json: list[Any], where: str, tensors: Tensors) -> list[Any]:
        """The values again."""
        return [self.read(one, f"{where}.{i}", tensors) for i, one in enumerate(json)]


class Flag(Codec):
    """True or False."""

    def write(self, value: Any, where: str, tensors: Tensors) -> bool:
        return bool(value)

    def read(self, json: Any, where: str, tensors: Tensors) -> bool:
        return json if isinstance(json, bool) else fail(where, json, "true or false")


class Whole(Codec):
    """A whole number in [low, bound)."""

    def __init__(self, low: int = 0, bound: int = 1 << 63) -> None:
        self.low, self.bound = low, bound

    def write(self, value: Any, where: str, tensors: Tensors) -> int:
        if not self.low <= value < self.bound:
            raise ValueError(
                f"{where} is {shown(int(value))}, and a file holds {self.low} to {self.bound - 1}"
            )
        return int(value)

    def read(self, json: Any, where: str, tensors: Tensors) -> int:
        if type(json) is int and self.low <= json < self.bound:
            return json
        fail(where, json, f"a whole number from {self.low} to {self.bound - 1}")


class Real(Codec):
    """A float; with `finite` no NaN or infinity, which JSON has as texts."""

    def __init__(self, finite: bool = True) -> None:
        self.finite = finite

    def write(self, value: Any, where: str, tensors: Tensors) -> float | str:
        number = float(value)
        if math.isfinite(number):
            return number
        return "nan" if math.isnan(number) else "inf" if number > 0 else "-inf"

    def read(self, json: Any, where: str, tensors: Tensors) -> float:
        if type(json) in (int, float) and math.isfinite(json):
            return float(json)
        if not self.finite and isinstance(json, str) and json in _NOT_FINITE:
            return _NOT_FINITE[json]
        fail(where, json, "a number" if self.finite else "a number, 'nan', 'inf' or '-inf'")

    # Long lists are usual, and most of what reading and writing the JSON takes.

    def write_all(self, values: Any, where: str, tensors: Tensors) -> list[Any]:
        numbers = list(values)
        if {*map(type, numbers)} <= {float} and all(map(math.isfinite, numbers)):
            return numbers
        return super().write_all(numbers, where, tensors)

    def read_all(self, json: list[Any], where: str, tensors: Tensors) -> list[Any]:
        if {*map(type, json)} <= {float} and all(map(math.isfinite, json)):
            return json
        return super().read_all(json, where, tensors)


class Text(Codec):
    """A str; with `choices` one of them."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def write(self, value: Any, where: str, tensors: Tensors) -> str:
        return str(value)

    def read(self, json: Any, where: str, tensors: Tensors) -> str:
        if not isinstance(json, str):
            fail(where, json, "a text")
        if self.choices and json not in self.choices:
            fail(where, json, f"one of {', '.join(map(repr, self.choices))}")
        return json


class Optional(Codec):
    """None, or what another codec writes."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    def write(self, value: Any, where: str, tensors: Tensors) -> Any:
        return None if value is None else self.codec.write(value, where, tensors)

    def read(self, json: Any, where: str, tensors: Tensors) -> Any:
        return None if json is None else self.codec.read(json, where, tensors)


class List(Codec):
    """A sequence of what another codec writes; read as a list, or as what `kind` makes of it."""

    def __init__(self, codec: Codec, kind: Callable[[list[Any]], Any] = list) -> None:
        self.codec, self.kind = codec, kind

    def write(self, value: Any, where: str, tensors: Tensors) -> list[Any]:
        return self.codec.write_all(value, where, tensors)

    def read(self, json: Any, where: str, tensors: Tensors) -> Any:
        if not isinstance(json, list):
            fail(where, json, "a list")
        return self.kind(self.codec.read_all(json, where, tensors))


class Row(Codec):
    """A tuple with a codec for each of its entries."""

    def __init__(self, *codecs: Codec) -> None:
        self.codecs = codecs

    def write(self, value: Any, where: str, tensors: Tensors) -> list[Any]:
        pairs = zip(self.codecs, value, strict=True)
        return [codec.write(one, f"{where}.{i}", tensors) for i, (codec, one) in enumerate(pairs)]

    def read(self, json: Any, where: str, tensors: Tensors) -> tuple[Any, ...]:
        if not isinstance(json, list) or len(json) != len(self.codecs):
            fail(where, json, f"a list of {len(self.codecs)}")
        pairs = zip(self.codecs, json)
        return tuple(
            codec.read(one, f"{where}.{i}", tensors) for i, (codec, one) in enumerate(pairs)
        )


class ByName(Codec):
    """A dict of what another codec writes."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    def write(self, value: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        return {name: self.codec.write(one, where, tensors) for name, one in value.items()}

    def read(self, json: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        if not isinstance(json, dict):
            fail(where, json, "an object")
        return {
            name: self.codec.read(one, f"{where}.{name[:50]}", tensors)
            for name, one in json.items()
        }


class Record(Codec):
    """An object with exactly these keys, or those of `defaults` less.

    Parameters
    ----------
    make : callable
        Takes the values by their names. What it raises of ValueError and TypeError is the file's
        fault.
    fields : mapping of str to Codec
    defaults : mapping of str to object
        Values of keys that files of older versions do not have.
    get : callable, optional
        The values of an object by their names; default: its attributes.
    """

    def __init__(
        self,
        make: Callable[..., Any],
        fields: Mapping[str, Codec],
        defaults: Mapping[str, Any] = {},
        get: Callable[[Any], Mapping[str, Any]] | None = None,
    ) -> None:
        self.make, self.fields, self.defaults, self.get = make, dict(fields), dict(defaults), get

    def write(self, value: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        return {
            name: self.fields[name].write(one, _within(where, name), tensors)
            for name, one in self.values(value).items()
        }

    def values(self, value: Any) -> dict[str, Any]:
        """What a file holds of an object, by the names of the fields."""
        if self.get is None:
            return {name: getattr(value, name) for name in self.fields}
        found = self.get(value)
        return {name: found[name] for name in self.fields}

    def read(self, json: Any, where: str, tensors: Tensors) -> Any:
        return self.read_beside(self.defaults, json, where, tensors)

    def read_beside(
        self, defaults: Mapping[str, Any], json: Any, where: str, tensors: Tensors
    ) -> Any:
        """`read` with other values for the keys that are not there."""
        place = where or "the model"
        if not isinstance(json, dict):
            fail(place, json, "an object")
        for name in self.fields:
            if name not in json and name not in defaults:
                raise ModelFormatError(f"{place} has no {name!r}")
        for name in json:
            if name not in self.fields:
                raise ModelFormatError(
                    f"{place} has {name[:50]!r}; known are {', '.join(self.fields)}"
                )
        values = dict(defaults)
        for name, one in json.items():
            values[name] = self.fields[name].read(one, _within(where, name), tensors)
        try:
            return self.make(**values)
        except ModelFormatError:
            raise
        except (ValueError, TypeError, OverflowError) as error:
            raise ModelFormatError(f"{place}: {error}") from None


class Choice(Codec):
    """One of several kinds of value.

    Parameters
    ----------
    options : sequence of (type or tuple of types, Codec)
        Values are written by the first option whose type they have, and read by the first whose
        `reads` is a type that the JSON has.
    """

    def __init__(self, allowed: str, *options: tuple[Any, Any, Codec]) -> None:
        self.allowed, self.options = allowed, options

    def write(self, value: Any, where: str, tensors: Tensors) -> Any:
        for kinds, _, codec in self.options:
            if isinstance(value, kinds):
                return codec.write(value, where, tensors)
        raise TypeError(f"{where}: no file can hold {shown(value)}, of type {type(value).__name__}")

    def read(self, json: Any, where: str, tensors: Tensors) -> Any:
        for _, kinds, codec in self.options:
            if type(json) in kinds:
                return codec.read(json, where, tensors)
        fail(where, json, self.allowed)


class Numbers(Codec):
    """A vector of float64, as JSON's decimal numbers, which are exact; a long one as the base64 of
    its bytes, little-endian, which takes a tenth of the time."""

    #: Entries of the longest one in decimal numbers.
    readable = 64

    def __init__(self, finite: bool = True) -> None:
        self.finite, self.list = finite, List(Real(finite))

    def write(self, value: Any, where: str, tensors: Tensors) -> list[Any] | str:
        if len(value) <= self.readable:
            return self.list.write(value.tolist(), where, tensors)
        return binascii.b2a_base64(value.astype("<f8").tobytes(), newline=False).decode()

    def read(self, json: Any, where: str, tensors: Tensors) -> np.ndarray:
        if not isinstance(json, str):
            return np.array(self.list.read(json, where, tensors), np.float64)
        allowed = "a list of numbers, or the base64 of numbers of 8 bytes"
        try:
            raw = binascii.a2b_base64(json, strict_mode=True)
            array = np.frombuffer(raw, "<f8").astype(np.float64)
        except ValueError:
            fail(where, json, allowed)
        if self.finite and not np.isfinite(array).all():
            fail(where, json, f"{allowed}, all of them finite")
        return array


class Flags(Codec):
    """A vector of bool, as a text of 0 and 1."""

    def write(self, value: Any, where: str, tensors: Tensors) -> str:
        digits: bytes = (value.astype(np.uint8) + ord("0")).tobytes()
        return digits.decode()

    def read(self, json: Any, where: str, tensors: Tensors) -> np.ndarray:
        if isinstance(json, str) and not json.strip("01"):
            return np.equal(np.frombuffer(json.encode(), np.uint8), ord("1"))
        return np.array(List(Flag()).read(json, where, tensors), bool)


class Tensor(Codec):
    """A vector of float32 or float64 beside the JSON, which has its name.

    Parameters
    ----------
    kind : {'ndarray', 'list'}
        A list of floats is written in float64.
    """

    def __init__(self, kind: str = "ndarray") -> None:
        self.kind = kind

    def write(self, value: Any, where: str, tensors: Tensors) -> str:
        tensors[where] = np.asarray(value, np.float64) if self.kind == "list" else value
        return where

    def read(self, json: Any, where: str, tensors: Tensors) -> Any:
        if json != where:
            fail(where, json, repr(where))
        if where not in tensors:
            raise ModelFormatError(f"the tensor {where!r} is missing")
        array = tensors.pop(where)
        if array.ndim != 1:
            raise ModelFormatError(
                f"the tensor {where!r} must have one dimension, got {array.ndim}"
            )
        if self.kind != "list":
            return array
        if array.dtype != np.float64:
            raise ModelFormatError(f"the tensor {where!r} must be of float64, got {array.dtype}")
        return array.tolist()


def _within(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name

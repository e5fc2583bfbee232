"""Codecs of what users choose and name: parameters, labels, and what schedules remember."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from cnn_core._checks import shown
from cnn_core._settings import Settings
from cnn_core.exceptions import ModelFormatError
from cnn_core.files.codecs import Codec, Flag, List, Real, Record, Tensors, Text, Whole, fail

#: Lists, tuples and objects within each other.
DEEPEST = 8
#: Characters of a vector of labels, as NumPy holds them: each as long as the longest may be.
MOST_CHARACTERS = 1 << 20
#: Hexadecimal digits of a whole number beyond 64 bits, such as a seed.
MOST_DIGITS = 1000

_WHOLE = Whole(-(1 << 63), 1 << 64)
_NUMBER = Real(finite=False)


_NUMBERS = "?bhilqBHILQefd"  # NumPy's codes of bools, whole numbers and floats
_DTYPES = (np.dtype("float32"), np.dtype("float64"))
#: What the package's objects are derived from; no parameter is one of these.
_BASES = ("Activation", "Initializer", "Optimizer", "ParametrizedLoss", "Schedule", "Settings")


class NotKept(Exception):
    """A value that no file can hold, such as a function."""


@cache
def settings() -> dict[str, type[Settings]]:
    """The package's optimizers, schedules, activations, losses, initializers and embeddings by
    their names."""
    from cnn_core import activations, embeddings, initializers, losses, optimizers, schedules

    modules = (activations, embeddings, initializers, losses, optimizers, schedules)
    return {
        name: kind
        for module in modules
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, Settings) and name not in _BASES
    }


class Parameter(Codec):
    """What a constructor may be given: None, a bool, a number, a text, an array, a list or tuple or
    dict of those, and the package's own objects."""

    def write(self, value: Any, where: str, tensors: Tensors) -> Any:
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, int):
            return _written_whole(value)
        if isinstance(value, float):
            return (
                value if math.isfinite(value) else {"float": _NUMBER.write(value, where, tensors)}
            )
        if isinstance(value, bytes):
            return {"bytes": value.decode("latin-1")}
        if isinstance(value, np.ndarray) and value.dtype.char in _NUMBERS:
            labels = Labels().write(value.ravel(), where, tensors)
            return {"array": labels, "shape": list(value.shape)}
        if isinstance(value, (list, tuple, range, np.ndarray)):
            entries = [self.write(one, where, tensors) for one in value]
            return entries if isinstance(value, list) else {"tuple": entries}
        if isinstance(value, Mapping) or hasattr(value, "items"):
            pairs = value.items()
            return {"dict": [[self.write(part, where, tensors) for part in pair] for pair in pairs]}
        if settings().get(type(value).__name__) is type(value):
            values = {name: self.write(one, where, tensors) for name, one in vars(value).items()}
            return {"object": type(value).__name__, "values": values}
        for dtype in _DTYPES if isinstance(value, (type, np.dtype)) else ():
            if value in (dtype, dtype.type):
                return dtype.name
        raise NotKept

    def read(self, json: Any, where: str, tensors: Tensors, depth: int = 0) -> Any:
        if json is None or type(json) in (bool, str):
            return json
        if type(json) is float:
            return Real().read(json, where, tensors)
        if type(json) is int:
            return _WHOLE.read(json, where, tensors)
        if depth == DEEPEST:
            fail(where, json, f"no more than {DEEPEST} lists and objects within each other")
        if isinstance(json, list):
            return [self.read(one, where, tensors, depth + 1) for one in json]
        if len(json) == 1:
            ((kind, content),) = json.items()
            if kind == "tuple" and isinstance(content, list):
                return tuple(self.read(one, where, tensors, depth + 1) for one in content)
            if kind == "dict" and isinstance(content, list):
                return self._dict(content, where, tensors, depth)
            if kind == "float":
                return _NUMBER.read(content, where, tensors)
            if kind == "bytes":
                return _latin(content, where)
            if kind == "hex":
                return _read_whole(content, where)
        if set(json) == {"array", "shape"}:
            return self._array(json, where, tensors)
        if set(json) == {"object", "values"} and isinstance(json["values"], dict):
            name = Text(*settings()).read(json["object"], where, tensors)
            values = {
                key: self.read(one, f"{where}.{key[:50]}", tensors, depth + 1)
                for key, one in json["values"].items()
            }
            try:
                return settings()[name](**values)
            except (TypeError, ValueError, AttributeError) as error:
                raise ModelFormatError(f"{where}: {error}") from None
        return fail(
            where,
            json,
            "a value or one of {'tuple': [...]}, {'dict': [...]}, {'float': ...}, {'bytes': ...}, "
            "{'hex': ...}, {'array': ..., 'shape': ...}, {'object': ..., 'values': ...}",
        )

    def _dict(self, json: list[Any], where: str, tensors: Tensors, depth: int) -> dict[Any, Any]:
        found = {}
        for pair in json:
            if not isinstance(pair, list) or len(pair) != 2:
                fail(where, pair, "a key and a value")
            key, value = (self.read(one, where, tensors, depth + 1) for one in pair)
            if not isinstance(key, (bool, int, float, str, bytes)):
                fail(where, key, "a label, as the key of a dict")
            if key in found:
                raise ModelFormatError(f"{where} has the key {shown(key)} twice")
            found[key] = value
        return found

    def _array(self, json: dict[str, Any], where: str, tensors: Tensors) -> np.ndarray:
        flat = Labels().read(json["array"], where, tensors)
        shape = List(Whole(0, 1 << 32)).read(json["shape"], f"{where}.shape", tensors)
        if flat.dtype.char not in _NUMBERS or math.prod(shape) != len(flat):
            fail(where, shape, f"an array of numbers and the shape of its {len(flat)}")
        return flat.reshape(shape)


def _written_whole(value: int) -> Any:
    """A whole number as JSON has it; beyond 64 bits in hexadecimal digits."""
    if _WHOLE.low <= value < _WHOLE.bound:
        return int(value)
    digits = f"{value:x}"
    if len(digits) > MOST_DIGITS:
        raise NotKept
    return {"hex": digits}


def _read_whole(digits: Any, where: str) -> int:
    if not isinstance(digits, str) or not re.fullmatch(
        rf"-?[1-9a-f][0-9a-f]{{15,{MOST_DIGITS}}}", digits, re.ASCII
    ):
        fail(where, digits, f"16 to {MOST_DIGITS} hexadecimal digits")
    return int(digits, 16)


class Labels(Codec):
    """Class labels or names of features: a vector of bools, numbers, texts, bytes, or of Python
    objects of these types."""

    def write(self, value: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        if value.dtype.kind not in "biufUSO" or value.dtype == np.longdouble:
            raise TypeError(
                f"{where} of {value.dtype} cannot be kept in a file; take texts, numbers or bools"
            )
        values = value.tolist()
        if value.dtype.kind in "US" and _characters(value.dtype) * len(value) > MOST_CHARACTERS:
            raise ValueError(
                f"{where} has {len(value):,} texts of up to {_characters(value.dtype):,} "
                f"characters; a file holds {MOST_CHARACTERS:,}, all as long as the longest"
            )
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            bad = shown(values[int(np.isfinite(value).argmin())])
            raise ValueError(f"{where} has {bad}, which no file can hold; take finite numbers")
        if value.dtype.kind == "S":
            values = [one.decode("latin-1") for one in values]
        if value.dtype.kind == "O":
            values = [_written_object(one, where) for one in values]
        return {"dtype": value.dtype.str, "values": values}

    def read(self, json: Any, where: str, tensors: Tensors) -> np.ndarray:
        if not isinstance(json, dict) or set(json) != {"dtype", "values"}:
            fail(where, json, "an object with 'dtype' and 'values'")
        name = Text().read(json["dtype"], f"{where}.dtype", tensors)
        known = re.fullmatch(
            r"\|b1|[<>|][iu][1248]|[<>]f[248]|[<>]U(\d{1,7})|\|S(\d{1,7})|\|O", name
        )
        if known is None:
            fail(f"{where}.dtype", name, "the name of a NumPy dtype of bools, numbers or texts")
        values = json["values"]
        if not isinstance(values, list):
            fail(f"{where}.values", values, "a list")
        if int(known[1] or known[2] or 0) * len(values) > MOST_CHARACTERS:
            fail(
                f"{where}.dtype", name, f"texts of at most {MOST_CHARACTERS:,} characters together"
            )
        dtype = np.dtype(name)
        codec = {
            "b": Flag(),
            "i": _WHOLE,
            "u": _WHOLE,
            "f": Real(),
            "U": Text(),
            "S": Text(),
            "O": _Object(),
        }[dtype.kind]
        found = List(codec).read(values, f"{where}.values", tensors)
        if dtype.kind == "S":
            found = [_latin(one, where) for one in found]
        array = np.empty(len(found), dtype)
        try:
            with np.errstate(over="raise"):
                array[:] = found
        except (OverflowError, ValueError, FloatingPointError) as error:
            raise ModelFormatError(f"{where}: {error}") from None
        if array.tolist() != found:
            fail(f"{where}.values", values, f"values that {name} holds as they are")
        return array


def _characters(dtype: np.dtype[Any]) -> int:
    """Of the longest text of an array."""
    return dtype.itemsize // np.dtype(f"{dtype.kind}1").itemsize


def _written_object(value: Any, where: str) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if type(value) is bytes:
        return {"bytes": value.decode("latin-1")}
    if type(value) is int:
        try:
            return _written_whole(value)
        except NotKept:
            raise ValueError(
                f"{where} has a whole number of more than {MOST_DIGITS} hexadecimal digits, which "
                "no file can hold"
            ) from None
    if type(value) not in (bool, float, str):
        raise TypeError(
            f"{where} has {shown(value)}, of type {type(value).__name__}, which no file can hold; "
            "take texts, numbers or bools"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} has {value}, which no file can hold; take finite numbers")
    return value


def _latin(text: Any, where: str) -> bytes:
    """Bytes, written as a text of the characters of these numbers."""
    if not isinstance(text, str) or any(ord(one) > 255 for one in text):
        fail(where, text, "a text of the characters U+0000 to U+00FF")
    return text.encode("latin-1")


class _Object(Codec):
    """A bool, a number, a text, or bytes."""

    def read(self, json: Any, where: str, tensors: Tensors) -> Any:
        if type(json) in (bool, str):
            return json
        if type(json) is float:
            return Real().read(json, where, tensors)
        if type(json) is int:
            return _WHOLE.read(json, where, tensors)
        if isinstance(json, dict) and set(json) == {"bytes"}:
            return _latin(json["bytes"], where)
        if isinstance(json, dict) and set(json) == {"hex"}:
            return _read_whole(json["hex"], where)
        return fail(where, json, "a bool, a number, a text, {'bytes': ...} or {'hex': ...}")


class Memory(Codec):
    """What a schedule remembers: numbers and None, in tuples within each other."""

    def write(self, value: Any, where: str, tensors: Tensors) -> Any:
        if isinstance(value, (tuple, list)):
            return [self.write(one, where, tensors) for one in value]
        if value is None or isinstance(value, int):
            return value
        return _NUMBER.write(value, where, tensors)

    def read(self, json: Any, where: str, tensors: Tensors, depth: int = 0) -> Any:
        if isinstance(json, list) and depth < DEEPEST:
            return tuple(self.read(one, where, tensors, depth + 1) for one in json)
        if json is None:
            return None
        if type(json) is int:
            return _WHOLE.read(json, where, tensors)
        return _NUMBER.read(json, where, tensors)


class Stream(Codec):
    """A `RandomState` of the Mersenne Twister."""

    fields = Record(
        dict,
        {
            "key": List(Whole(0, 1 << 32)),
            "pos": Whole(0, 625),
            "has_gauss": Whole(0, 2),
            "gauss": Real(),
        },
        get=lambda state: state,
    )

    def write(self, value: Any, where: str, tensors: Tensors) -> Any:
        state = value.get_state(legacy=False)
        if state["bit_generator"] != "MT19937":
            raise TypeError(
                f"random_state is a RandomState of {state['bit_generator']}, whose state no file "
                "can hold; take a seed, or optimizer=False"
            )
        return self.fields.write({**state, **state["state"]}, where, tensors)

    def read(self, json: Any, where: str, tensors: Tensors) -> np.random.RandomState:
        state = self.fields.read(json, where, tensors)
        if len(state["key"]) != 624:
            fail(where, state["key"], "624 whole numbers")
        stream = np.random.RandomState(0)
        inner = {"key": np.array(state.pop("key"), np.uint32), "pos": state.pop("pos")}
        stream.set_state({"bit_generator": "MT19937", "state": inner, **state})
        return stream

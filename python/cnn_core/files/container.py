"""The bytes of a file: tensors and one JSON text in the safetensors format, with a checksum.

The package ``safetensors`` reads the format, which others may have written. Writing it takes a few
lines, and the package's writer ends the process where there is no memory. `MAGIC` in the header's
metadata has a JSON text of the form ``{"sha256":"...",...}``: the SHA-256 is of what follows it in
the text and of all tensors. Spaces at the header's end let the tensors begin at a multiple of
`ALIGNMENT` bytes.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import io
import os
import stat
from typing import Any, NoReturn

import numpy as np

from cnn_core.exceptions import ModelFormatError
from cnn_core.files import strict_json
from cnn_core.files.codecs import Tensors

#: The key of the metadata.
MAGIC = "cnn_core"
ALIGNMENT = 64
#: Bytes of a header; that of a network of 784 inputs has some 2 kB, an epoch of history 100.
HEADER = 1 << 25

_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
#: Bytes that its parser takes beside copies of what it reads.
_SPARE = 1 << 20
#: Bytes that tell what a file is.
_START_OF_HEADER = 16
_NAMES = {4: "F32", 8: "F64"}
_START, _END = '{"sha256":"', '",'


def _safetensors() -> Any:
    try:
        return importlib.import_module("safetensors")
    except ModuleNotFoundError as error:
        if error.name != "safetensors":
            raise
        raise ModuleNotFoundError(
            "model files need the package safetensors: pip install safetensors", name="safetensors"
        ) from None


def pack(json: dict[str, Any], tensors: Tensors) -> bytes:
    """The bytes of a file.

    Parameters
    ----------
    json : dict
    tensors : dict of str to ndarray of float32 or float64
        At least one.

    Returns
    -------
    bytes
        The same for the same content.
    """
    rest = strict_json.write(json)[1:].decode()
    arrays = {
        name: np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        for name, array in tensors.items()
    }
    text = f"{_START}{_checksum(rest, arrays)}{_END}{rest}"
    header = _header(arrays, text)
    length = len(header) + -(8 + len(header)) % ALIGNMENT
    _check_size(length, strict_json.containers(header))
    parts = [np.ravel(arrays[name]).view(np.uint8).data for name in _in_order(arrays)]
    return b"".join((length.to_bytes(8, "little"), header.ljust(length), *parts))


def _check_size(length: int, containers: int) -> None:
    """Raise for a header that `unpack` would refuse."""
    for found, most, what in (
        (length, HEADER, "bytes"),
        (containers, strict_json.CONTAINERS, "lists and objects"),
    ):
        if found > most:
            raise ValueError(
                "what the model has beside its weights, such as its history or an init of arrays, "
                f"takes {found:,} {what} of JSON, and a file can have {most:,}"
            )


def _header(arrays: Tensors, text: str) -> bytes:
    """The JSON that says where each tensor lies."""
    header: dict[str, Any] = {"__metadata__": {MAGIC: text}}
    end = 0
    for name in _in_order(arrays):
        array, start = arrays[name], end
        end += array.nbytes
        dtype = _NAMES[array.dtype.itemsize]
        header[name] = {"dtype": dtype, "shape": [*array.shape], "data_offsets": [start, end]}
    return strict_json.write(header)


def _in_order(arrays: Tensors) -> list[str]:
    """The names in the order of the package safetensors: the widest numbers first."""
    return sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))


def _checksum(rest: str, arrays: Tensors) -> str:
    found = hashlib.sha256(rest.encode())
    for name in sorted(arrays):
        found.update(np.ascontiguousarray(arrays[name]).data)
    return found.hexdigest()


def unpack(data: bytes) -> tuple[dict[str, Any], Tensors]:
    """What `pack` was given.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    json : dict
    tensors : dict of str to ndarray

    Raises
    ------
    ModelFormatError
        For bytes that are no such file, or damaged.
    """
    length = _length_of_header(data, len(data))
    text = _text_in_header(data[8 : 8 + length])
    found = _deserialize(data, length)
    tensors = {name: _array(name, part) for name, part in found}
    del found
    rest = text[len(_START) + 64 + len(_END) :]
    if not text.startswith(_START) or text[len(_START) + 64 :][: len(_END)] != _END:
        _fail("it has no SHA-256 of its content")
    if text[len(_START) :][:64] != _checksum(rest, tensors):
        _fail("its SHA-256 is not that of its content: it is damaged, or was changed by hand")
    json = strict_json.parse(b"{" + rest.encode(), "its metadata")
    assert isinstance(json, dict)
    return json, {
        name: array.astype(array.dtype.newbyteorder("="), copy=False)
        for name, array in tensors.items()
    }


def _length_of_header(start: bytes, size: int) -> int:
    """Bytes of the header of a file of some size, by the bytes that it begins with."""
    length = int.from_bytes(start[:8], "little")
    if length > HEADER or start[8:9] != b"{":
        other = _other_kind(start)
        if other:
            _fail(f"it is {other}; load reads what save has written")
    if size < 8 or length > size - 8:
        cut = size >= 8 and length <= HEADER
        header = f", and its header alone {8 + length:,}" if cut else ""
        _fail(f"it is no model file, or cut off: it has {size:,} bytes{header}")
    if length > HEADER:
        _fail(f"its header has {length:,} bytes, and no model file has more than {HEADER:,}")
    if start[8:9] != b"{":
        _fail("it is no model file: its header is no JSON object")
    return length


def _text_in_header(data: bytes) -> str:
    """The text of `MAGIC` in a header."""
    header = strict_json.parse(data, "its header")
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__"), dict):
        _fail("it has tensors alone, without the model that they belong to")
    text = header["__metadata__"].get(MAGIC)
    if not isinstance(text, str):
        _fail(f"it is no file of cnn_core: its metadata has no text {MAGIC!r}")
    return text


def _fail(reason: str) -> NoReturn:
    raise ModelFormatError(reason)


#: Other files, by what they begin with, and what reads them.
_KINDS = (
    (
        (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"ccopy", b"ccnn_core"),
        "a pickle, which joblib.load or pickle.load reads",
    ),
    (
        (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x1f\x8b", b"BZh", b"\xfd7zXZ"),
        "compressed, perhaps a pickle that joblib.load reads",
    ),
    ((b"PK\x03\x04",), "a zip archive, as numpy.load, torch.load or Keras reads"),
    ((b"\x93NUMPY",), "an array, which numpy.load reads"),
    ((b"\x89HDF",), "an HDF5 file, as Keras reads"),
)


def _other_kind(data: bytes) -> str:
    """What bytes that are no model are instead, where that is plain."""
    return next((words for starts, words in _KINDS if data.startswith(starts)), "")


def _deserialize(data: bytes, length: int) -> Any:
    """The tensors of a file, by the package.

    Without memory it hangs, ends the process, or panics. So as much as it takes, the tensors and
    some copies of the header, is first asked for here.
    """
    safetensors = _safetensors()
    try:
        bytearray(len(data) + 4 * length + _SPARE)
        return safetensors.deserialize(data)
    except safetensors.SafetensorError as error:
        _fail(f"its tensors are damaged: {error}")
    except BaseException as error:
        if isinstance(error, MemoryError) or type(error).__name__ == "PanicException":
            raise MemoryError(f"no memory for {len(data):,} bytes of tensors") from None
        raise


def _array(name: str, part: dict[str, Any]) -> np.ndarray:
    dtype = _DTYPES.get(part["dtype"])
    if dtype is None:
        known = " or ".join(_DTYPES)
        _fail(f"the tensor {name[:50]!r} is of {part['dtype']}, and must be of {known}")
    return np.frombuffer(part["data"], dtype).reshape(part["shape"])


def read_bytes(source: Any) -> bytes:
    """The bytes of a path, of a binary file or of bytes."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if hasattr(source, "read"):
        data = source.read()
        if not isinstance(data, (bytes, bytearray)):
            raise TypeError(
                f"load needs a file that is open in binary mode, got {type(data).__name__} from it"
            )
        return bytes(data)
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"load takes a path, a binary file or bytes, got {type(source).__name__}")
    return read_file(source)


def read_file(path: str | os.PathLike[str], cure: str = "open it and load from that") -> bytes:
    """The bytes of a regular file; of a pipe nobody may ever write any.

    Parameters
    ----------
    path : path-like
    cure : str
        What helps where it is no regular file.

    Raises
    ------
    ModelFormatError
        For a large file whose header is none of `pack`, of which nothing else is read.
    """

    def opened(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))

    with open(path, "rb", opener=opened) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, f"Not a regular file; {cure}", path)
        if status.st_size > _SPARE:
            length = _length_of_header(file.read(_START_OF_HEADER), status.st_size)
            file.seek(8)
            header = file.read(length)
            if MAGIC.encode() not in header:  # else it is parsed with the rest
                _text_in_header(header)
            file.seek(0)
        try:
            return file.read()
        except MemoryError:
            name = os.fspath(path)
            raise MemoryError(f"no memory for {status.st_size:,} bytes of {name}") from None


def write_bytes(file: Any, data: bytes) -> None:
    """Write to a binary file all that there is, also where it takes a part at a time."""
    rest = memoryview(data)
    while rest:
        try:
            count = file.write(rest)
        except TypeError:
            if isinstance(file, io.TextIOBase):
                raise TypeError("save needs a file that is open in binary mode") from None
            raise
        if not isinstance(count, int):  # a file of somebody's own, that takes all of it
            return
        rest = rest[count:]


def name_of(source: Any) -> str:
    """What a path, a binary file or bytes are called in messages."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    if not hasattr(source, "read"):
        return "these bytes"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "this file"

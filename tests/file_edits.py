"""Model files taken apart and put together again, so that tests can change what is behind the
checksum."""

import hashlib
import json
from typing import NamedTuple


class Parts(NamedTuple):
    """What a file consists of."""

    content: dict | str  #: the model; a text to have JSON that no dict is written as
    tensors: dict  #: {name: [dtype, shape, bytes]}

    @property
    def model(self):
        return self.content["model"]


def taken_apart(data):
    """The parts of a file."""
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    content = json.loads(header.pop("__metadata__")["cnn_core"])
    del content["sha256"]
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        tensors[name] = [entry["dtype"], entry["shape"], body[first:last]]
    return Parts(content, tensors)


def written(value):
    return json.dumps(value, separators=(",", ":"))


def put_together(parts, **header):
    """The file, with a checksum that is right; `header` has further entries of its header."""
    content = parts.content
    rest = (content if isinstance(content, str) else written(content))[1:]
    sha = hashlib.sha256(rest.encode())
    for name in sorted(parts.tensors):
        sha.update(parts.tensors[name][2])
    text = f'{{"sha256":"{sha.hexdigest()}",{rest}'
    entries, at = {"__metadata__": {"cnn_core": text}}, 0
    for name, (dtype, shape, data) in sorted(
        parts.tensors.items(), key=lambda item: (item[1][0] != "F64", item[0])
    ):
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    return with_header(
        written(entries | header),
        b"".join(parts.tensors[name][2] for name in entries if name in parts.tensors),
    )


def with_header(header, body):
    """A file with this header, a text or bytes."""
    header = header.encode() if isinstance(header, str) else header
    header += -(8 + len(header)) % 64 * b" "
    return len(header).to_bytes(8, "little") + header + body


def changed(data, change):
    """The file after `change(parts)` has changed its parts, or has returned other ones."""
    parts = taken_apart(data)
    return put_together(change(parts) or parts)


def put(place, value):
    """A change that puts a value at a place of the content, such as ``model.task.loss``."""

    def change(parts):
        *path, last = place.split(".")
        at = parts.content
        for key in path:
            at = at[int(key) if isinstance(at, list) else key]
        at[int(last) if isinstance(at, list) else last] = value

    return change

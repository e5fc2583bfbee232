"""States of pickles: sealed, so that damage is found, and with versions, so that another version
can read them, or say what it cannot.

A fitted model is a pickle within the pickle, of which the SHA-256 is checked before anything is
made of it. Of an estimator's parameters, which may be of any type, there is a SHA-256 too.

A state of an older version may lack parameters, which get their defaults; that of a newer one may
have some that are not known yet, which are kept and have no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cnn_core._settings import Settings
from cnn_core._warn import warn

#: Of the states of estimators. A change that older versions cannot read counts it up.
FORMAT = 2

#: The entry of a state that holds its versions.
KEY = "_cnn_core"

#: The entries of a sealed state.
_SEALED = {"pickle", "arrays", "sha256"}

#: Lists, dicts and objects within each other whose content belongs to a digest.
_DEEPEST = 12

#: Parameters that are no part of a model: what watches a training, and may refer to its estimator.
_WATCHING = ("callbacks",)


def sealed(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a model as one pickle, the arrays that it refers to, which joblib may map from a
    file, and the SHA-256 of both.

    Parameters
    ----------
    state : mapping of str to object

    Returns
    -------
    dict
    """
    import pickle

    import numpy as np

    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(dict(state), 5, buffer_callback=buffers.append)
    arrays = [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]
    return {"pickle": data, "arrays": arrays, "sha256": _digest_of_parts(data, arrays)}


def _digest_of_parts(data: bytes, arrays: Iterable[Any]) -> bytes:
    """The SHA-256 of a pickle and of the arrays that it refers to."""
    import hashlib

    found = hashlib.sha256(data)
    for array in arrays:
        found.update(array.nbytes.to_bytes(8, "little"))
        found.update(array)
    return found.digest()


def opened(state: Any) -> dict[str, Any]:
    """What `sealed` was given; a state of an older version, which is not sealed, as it is.

    Raises
    ------
    ValueError
        For a state that is damaged.
    """
    if not isinstance(state, dict):
        raise ValueError(f"its state is of type {type(state).__name__}")
    if not _SEALED & state.keys():
        return state
    import pickle

    import numpy as np

    data, arrays = state.get("pickle"), state.get("arrays")
    if not (isinstance(data, bytes) and isinstance(arrays, list)):
        raise ValueError("it is no pickle with its arrays")
    if not all(isinstance(one, np.ndarray) and one.dtype == np.uint8 for one in arrays):
        raise ValueError("its arrays are none of bytes")
    if _digest_of_parts(data, arrays) != state.get("sha256"):
        raise ValueError("its SHA-256 is not that of its content")
    found: dict[str, Any] = pickle.loads(data, buffers=arrays)
    return found


@contextmanager
def damage_told(what: str) -> Iterator[None]:
    """Have whatever a damaged state leads to be a ValueError that says so."""
    try:
        yield
    except (MemoryError, ImportError):  # of a sound one too
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"the pickled {what} is damaged, was edited, or is of a version of cnn_core that this "
            f"one cannot read: {reason[:300]}"
        ) from error


def with_versions(
    state: Mapping[str, Any], parameters: Collection[str], seal: bool
) -> dict[str, Any]:
    """The state of an estimator with the versions of the format and of the library.

    Parameters
    ----------
    state : mapping of str to object
    parameters : collection of str
        Names of the parameters.
    seal : bool
        Whether with a SHA-256 of them; not where a class of a user's own may change the state.

    Returns
    -------
    dict
    """
    own = [name for name in state if name not in parameters and not name.startswith("_")]
    versions = {"format": FORMAT, "version": _ours(), "attributes": own}
    if seal:
        versions["sha256"] = _digest(state, versions)
    return {**state, KEY: versions}


def restored(state: Any, defaults: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What an estimator is to hold after unpickling.

    Parameters
    ----------
    state : mapping of str to object
        From `with_versions`, or of a version before there was one.
    defaults : mapping of str to object
        For what the state lacks.
    name : str
        The estimator's, for messages.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        For a state that is damaged.

    Warns
    -----
    UserWarning
        For a format that is newer than `FORMAT`, and for parameters that are not known.
    """
    with damage_told(name):
        state = dict(state)
        saved = dict(state.pop(KEY, {}))
        version, own = saved.get("version"), tuple(saved.get("attributes", ()))
        newer = saved.get("format", 0) > FORMAT
        digest = saved.pop("sha256", None)
        if not newer and digest is not None and digest != _digest(state, saved):
            raise ValueError("the SHA-256 of its parameters is not that of what is there")
        unknown = [
            key
            for key in state
            if key not in defaults and key not in own and not key.startswith("_")
        ]
    if newer:
        warn(
            f"this {name} was saved by cnn_core {version} in format {saved['format']} of its "
            f"pickles, and cnn_core {_ours()} knows format {FORMAT}: what is new in it may be lost "
            f"or misread; load it with cnn_core {version} or later",
            UserWarning,
        )
    if unknown:
        whose = "an older version of cnn_core" if version is None else f"cnn_core {version}"
        warn(
            f"this {name} was saved by {whose} with what cnn_core {_ours()} does not know, "
            f"{', '.join(map(repr, unknown))}: kept, but without effect",
            UserWarning,
        )
    return {**defaults, **state}


def _digest(state: Mapping[str, Any], versions: Mapping[str, Any]) -> bytes:
    """The SHA-256 of an estimator's parameters, and of the names of all that it holds."""
    import hashlib

    own, found = versions["attributes"], hashlib.sha256()
    _add(found.update, dict(versions))
    for name in sorted(state):
        kept_apart = name in own or name in _WATCHING or name.startswith("_")
        _add(found.update, [name, type(state[name]).__name__ if kept_apart else state[name]])
    return found.digest()


def _add(update: Callable[[bytes], Any], value: Any, depth: int = 0) -> None:
    """Add to a digest a value of Python's types, an array, or an object that users choose of the
    package; of others, and of what lies deeper than `_DEEPEST`, the name of the type."""
    import numpy as np

    kind = type(value)
    update(f"{kind.__name__} ".encode())
    if kind in (bool, int):
        update(f"{value:x} ".encode())
    elif kind is float:
        update(f"{value.hex()} ".encode())
    elif kind in (str, bytes):
        update(f"{value!r} ".encode())
    elif depth == _DEEPEST:
        return
    elif kind in (list, tuple):
        update(f"{len(value)} ".encode())
        for one in value:
            _add(update, one, depth + 1)
    elif kind is dict:
        _add(update, [part for pair in value.items() for part in pair], depth + 1)
    elif isinstance(value, Settings) and kind.__module__.startswith("cnn_core."):
        _add(update, vars(value), depth + 1)
    elif isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype.kind == "O":
            _add(update, [array.shape, array.tolist()], depth + 1)
            return
        array = array.astype(array.dtype.newbyteorder("<"), "C", copy=False)
        update(f"{array.dtype.str} {array.shape} ".encode())
        update(array.tobytes())


def _ours() -> str:
    from cnn_core import __version__  # not there yet while the package is imported

    return __version__

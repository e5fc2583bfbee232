"""Which version wrote the state of a pickled estimator, so that another version can read it, or say
what it cannot.

A state of an older version may lack parameters, which get their defaults; that of a newer one may
have some that are not known yet, which are kept and have no effect.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from cnn_core._warn import warn

#: Of the states of estimators. A change that older versions cannot read counts it up.
FORMAT = 1

#: The entry of a state that holds its versions.
KEY = "_cnn_core"


def with_versions(state: Mapping[str, Any], parameters: Collection[str]) -> dict[str, Any]:
    """The state of an estimator with the versions of the format and of the library.

    Parameters
    ----------
    state : mapping of str to object
    parameters : collection of str
        Names of the parameters.

    Returns
    -------
    dict
    """
    own = [name for name in state if name not in parameters and not name.startswith("_")]
    return {**state, KEY: {"format": FORMAT, "version": _ours(), "attributes": own}}


def restored(state: Mapping[str, Any], defaults: Mapping[str, Any], name: str) -> dict[str, Any]:
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

    Warns
    -----
    UserWarning
        For a format that is newer than `FORMAT`, and for parameters that are not known.
    """
    state = dict(state)
    saved = state.pop(KEY, {})
    version, own = saved.get("version"), saved.get("attributes", ())
    if saved.get("format", 0) > FORMAT:
        warn(
            f"this {name} was saved by cnn_core {version} in format {saved['format']} of its "
            f"pickles, and cnn_core {_ours()} knows format {FORMAT}: what is new in it may be lost "
            f"or misread; load it with cnn_core {version} or later",
            UserWarning,
        )
    unknown = [
        key for key in state if key not in defaults and key not in own and not key.startswith("_")
    ]
    if unknown:
        whose = "an older version of cnn_core" if version is None else f"cnn_core {version}"
        warn(
            f"this {name} was saved by {whose} with what cnn_core {_ours()} does not know, "
            f"{', '.join(map(repr, unknown))}: kept, but without effect",
            UserWarning,
        )
    return {**defaults, **state}


def _ours() -> str:
    from cnn_core import __version__  # not there yet while the package is imported

    return __version__

"""`save` and `load` of all estimators."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from cnn_core._frozen import Frozen, replace
from cnn_core._warn import warn
from cnn_core.exceptions import ModelFormatError
from cnn_core.history import Past

if TYPE_CHECKING:
    from cnn_core._typing import SavedModel
    from cnn_core.files.codecs import Codec, Tensors
    from cnn_core.files.saved import Saved

#: Of what a file holds beside its tensors. A change that older versions cannot read counts it up.
FORMAT = 2
#: What the classes that came later need; the others are written as they always were.
_FORMATS = {"Ensemble": 2, "TabularMLP": 2, "many.Trainings": 2}

#: The estimators that files hold, by the names that stand in them, and their modules.
ESTIMATORS = {
    "MLP": "cnn_core.mlp",
    "MLPClassifier": "cnn_core.estimators",
    "MLPRegressor": "cnn_core.estimators",
    "Ensemble": "cnn_core.ensemble",
    "TabularMLP": "cnn_core.tabular",
    "many.Trainings": "cnn_core.many.checkpoint",
    "sklearn.MLPClassifier": "cnn_core.sklearn",
    "sklearn.MLPRegressor": "cnn_core.sklearn",
}

#: Characters of a message about a file, which may quote it.
LONGEST = 500

#: What the JSON has, and `progress` in a checkpoint.
_ENTRIES = ("format", "bits", "version", "class", "parameters", "model", "progress")

#: Parameters that are no part of a model: what watches a training and prints.
NOT_SAVED = ("callbacks",)


def class_of(name: str) -> type[Saved]:
    """An estimator by its name in files."""
    module = importlib.import_module(ESTIMATORS[name])
    found: type[Saved] = getattr(module, name.rpartition(".")[2])
    return found


def format_of(name: str) -> int:
    """The format of the files of a class."""
    return _FORMATS.get(name, 1)


def _full_name(kind: type[Any]) -> str:
    """A class as users import it, or as they call what it stands for."""
    name = getattr(kind, "_in_files", None)
    called: str | None = getattr(kind, "_called", None)
    if called is not None:
        return called
    if name is None or class_of(name) is not kind:
        return f"a {kind.__module__}.{kind.__qualname__}"
    return f"a cnn_core.{name}"


def packed(
    estimator: Saved,
    model: Any,
    codec: Codec | None = None,
    progress: Any = None,
    *,
    parameters: dict[str, Any] | None = None,
    allow_nonfinite: bool = True,
) -> bytes:
    """The bytes of an estimator's file with a model, and perhaps what its training goes on from.
    `parameters` are those of `written_parameters`, where they are known already."""
    from cnn_core import __version__, bits
    from cnn_core.files.container import pack

    tensors: Tensors = {}
    json = {
        "format": format_of(estimator._in_files),
        "bits": bits,
        "version": __version__,
        "class": estimator._in_files,
        "parameters": written_parameters(estimator) if parameters is None else parameters,
        "model": estimator._model_in_files().write(model, "", tensors),
    }
    if codec is not None:
        json["progress"] = codec.write(progress, "progress", tensors)
    if not allow_nonfinite:
        _check_finite(tensors, ValueError, "; allow_nonfinite=True saves them as they are")
    return pack(json, tensors)


def without_times(model: Any) -> Any:
    """A fitted model whose history does not say how long each epoch took."""
    if isinstance(model, list):  # of several MLPs, each with its estimator
        return [(estimator, without_times(one)) for estimator, one in model]
    if isinstance(model, tuple) and not hasattr(model, "history"):  # with a version before
        return model[0], without_times(model[1])
    history = getattr(model, "history", None)
    return (
        replace(model, history=history.without("seconds")) if isinstance(history, Past) else model
    )


def written_parameters(estimator: Saved) -> dict[str, Any]:
    """An estimator's parameters as JSON has them."""
    from cnn_core.files.values import NotKept, Parameter

    written = {}
    for name in estimator._parameters_in_files():
        value = getattr(estimator, name)
        if name in NOT_SAVED:
            continue
        if isinstance(value, (np.random.Generator, np.random.RandomState)):
            value = None  # it has given the seed, which is part of the model
        try:
            written[name] = Parameter().write(value, name, {})
        except NotKept:
            warn(
                f"{name} is of type {type(value).__name__}, which no model file can hold: the "
                "loaded estimator will have the default; set_params sets it again",
                UserWarning,
            )
    return written


def _check_finite(tensors: Tensors, error: type[ValueError], cure: str) -> None:
    from cnn_core._linalg import is_finite

    for name, array in tensors.items():
        if array.size and not is_finite(np.ascontiguousarray(array)):
            raise error(f"the tensor {name[:50]!r} has entries that are not finite{cure}")


def load(
    file: str | os.PathLike[str] | BinaryIO | bytes,
    kind: type[Any] = object,
    *,
    allow_nonfinite: bool = False,
) -> SavedModel:
    """Read the file of a model, whatever its class; `MLP.load` is typed as an MLP.

    Parameters
    ----------
    file : path-like, binary file or bytes
    kind : type, optional
        The class that the file must have, or one above it.
    allow_nonfinite : bool, default False
        Whether weights may be NaN or infinite.

    Returns
    -------
    MLP, MLPClassifier, MLPRegressor, or one of those of cnn_core.sklearn

    Raises
    ------
    ModelFormatError, OSError, ImportError
        See `MLP.load`.
    """
    from cnn_core.files.container import name_of, read_bytes

    called = name_of(file)
    try:
        contents = unpacked(read_bytes(file), kind, allow_nonfinite)
    except ModelFormatError as error:
        raise ModelFormatError(f"{called}: {str(error)[:LONGEST]}") from None
    if getattr(contents.estimator, "_called", None) is not None:
        raise ModelFormatError(
            f"{called}: it holds {contents.estimator._called}, which goes on from it where it is "
            "called with the same models and data"
        )
    fitted = getattr(contents.estimator, "_fitted", None)
    models = getattr(fitted, "models", (contents.model,))  # of several, or the only one
    if contents.other_bits and any(getattr(one, "state", None) is not None for one in models):
        warn(
            f"{called} was saved by cnn_core {contents.version}, whose results may differ in the "
            "last bits: training goes on, but not to the bits of an uninterrupted one",
            UserWarning,
        )
    estimator: SavedModel = contents.estimator
    return estimator


class Contents(Frozen):
    """What a file holds."""

    estimator: Any
    model: Any
    progress: Any  #: what a training goes on from, in a checkpoint
    parameters: dict[str, Any]  #: as JSON has them
    version: str
    other_bits: bool  #: whether it was written by a version with other bits


def unpacked(
    data: bytes, kind: type[Any], allow_nonfinite: bool, codec: Codec | None = None
) -> Contents:
    """What the bytes of a file hold, checked.

    Parameters
    ----------
    data : bytes
    kind : type
        See `load`.
    allow_nonfinite : bool
    codec : Codec, optional
        Of what a training goes on from, if it is of interest.

    Returns
    -------
    Contents
    """
    from cnn_core import bits
    from cnn_core.files.codecs import Text, Whole
    from cnn_core.files.container import unpack

    json, tensors = unpack(data)
    version = Text().read(json.get("version"), "version", tensors)
    number = Whole(1).read(json.get("format"), "format", tensors)
    if number > FORMAT:
        raise ModelFormatError(
            f"it was saved by cnn_core {version[:50]} in format {number}, and this version reads "
            f"formats up to {FORMAT}: update cnn_core"
        )
    for key in json:
        if key not in _ENTRIES:
            raise ModelFormatError(f"it has {key[:50]!r}, which is not known")
    its_bits = Whole(1).read(json.get("bits"), "bits", tensors)
    name = Text(*ESTIMATORS).read(json.get("class"), "class", tensors)
    cls = class_of(name)
    if getattr(kind, "_in_files", None) == name:  # also a user's own, derived from it
        cls = kind
    elif not issubclass(cls, kind):
        raise ModelFormatError(
            f"it holds {_full_name(cls)}, and not {_full_name(kind)}"
            + ("" if hasattr(cls, "_called") else "; cnn_core.load reads all")
        )
    if not allow_nonfinite:
        _check_finite(tensors, ModelFormatError, "; allow_nonfinite=True loads them as they are")
    given = json.get("parameters")
    parameters = read_parameters(cls, given, tensors)
    model = cls._model_in_files().read(json.get("model"), "", tensors)
    progress = json.get("progress")
    if progress is not None and codec is not None:
        progress = codec.read(progress, "progress", tensors)
    elif progress is not None:  # of no use here; it belongs to a training
        for name in [name for name in tensors if name.startswith("progress.")]:
            del tensors[name]
    if tensors:
        raise ModelFormatError(f"the tensor {next(iter(tensors))[:50]!r} belongs to nothing")
    estimator = checked(cls, parameters, model)
    assert isinstance(given, dict)
    return Contents(estimator, model, progress, given, version, its_bits != bits)


def read_parameters(kind: type[Saved], given: object, tensors: Tensors) -> dict[str, Any]:
    """An estimator's parameters, with the defaults of those that are not there."""
    from cnn_core.files.codecs import fail
    from cnn_core.files.values import Parameter

    if not isinstance(given, dict):
        fail("parameters", given, "an object")
    parameters = dict(kind._parameters_in_files())
    for key, value in given.items():
        if key not in parameters or key in NOT_SAVED:
            raise ModelFormatError(f"the parameter {key[:50]!r} is not known")
        parameters[key] = Parameter().read(value, key, tensors)
    return parameters


def checked(kind: Any, parameters: dict[str, Any], model: Any) -> Any:
    """An estimator of a file, whose parameters are those of a fit."""
    try:
        estimator = kind._loaded(parameters, model)
        estimator._check_parameters()
    except (ValueError, TypeError) as error:
        raise ModelFormatError(f"parameters: {error}") from None
    return estimator

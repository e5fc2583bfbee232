"""`save` and `load` of all estimators."""

from __future__ import annotations

import errno
import importlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, NamedTuple, Self, cast

import numpy as np

from cnn_core._warn import warn
from cnn_core.exceptions import ModelFormatError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core._typing import SavedModel
    from cnn_core.files.codecs import Codec, Tensors

#: Of what a file holds beside its tensors. A change that older versions cannot read counts it up.
FORMAT = 1

#: The estimators that files hold, by the names that stand in them, and their modules.
ESTIMATORS = {
    "MLP": "cnn_core.mlp",
    "MLPClassifier": "cnn_core.estimators",
    "MLPRegressor": "cnn_core.estimators",
    "sklearn.MLPClassifier": "cnn_core.sklearn",
    "sklearn.MLPRegressor": "cnn_core.sklearn",
}

#: Characters of a message about a file, which may quote it.
LONGEST = 500

#: What the JSON has, and `progress` in a checkpoint.
_ENTRIES = ("format", "bits", "version", "class", "parameters", "model", "progress")

#: Parameters that are no part of a model: what watches a training and prints.
NOT_SAVED = ("callbacks",)


class Saved:
    """An estimator that files hold."""

    #: The name in files; that of the nearest class above where a user derives one.
    _in_files: ClassVar[str]

    def save(
        self,
        file: str | os.PathLike[str] | BinaryIO,
        *,
        optimizer: bool = False,
        allow_nonfinite: bool = False,
    ) -> None:
        """Write the fitted model and the parameters to a file, which `load` reads.

        The format is safetensors: W and b of layer l are the tensors ``{2 l}.weight``, shape
        (n_out, n_in), and ``{2 l}.bias``, as in PyTorch's ``Sequential(Linear, activation, ...)``.
        All else is JSON in its metadata. The same model gives the same bytes.

        Parameters
        ----------
        file : path-like or binary file
            A path has the old file or the whole new one at every moment.
        optimizer : bool, default False
            Whether the optimizer's state goes in, for a training that goes on as if it had not been
            interrupted: one to three numbers more for each weight.
        allow_nonfinite : bool, default False
            Whether weights may be NaN or infinite.

        Raises
        ------
        NotFittedError
            Before the first fit.
        ValueError, TypeError
            For weights that are not finite, labels that no file can hold, and parameters that no
            fit takes.
        OSError
            Where the file cannot be written; the old one is whole then.
        ImportError
            Without the package safetensors.

        Warns
        -----
        UserWarning
            For a parameter that no file can hold, such as a schedule of a user's own. The loaded
            estimator has its default.
        """
        if not (hasattr(file, "write") or isinstance(file, (str, os.PathLike))):
            raise TypeError(f"save takes a path or a binary file, got {type(file).__name__}")
        self._check_parameters()
        data = packed(self, self._model_to_save(optimizer), allow_nonfinite=allow_nonfinite)
        if isinstance(file, (str, os.PathLike)):
            from cnn_core.files.atomic import write_whole

            write_whole(file, data)
            return
        from cnn_core.files.container import write_bytes

        write_bytes(file, data)

    @classmethod
    def load(
        cls, file: str | os.PathLike[str] | BinaryIO | bytes, *, allow_nonfinite: bool = False
    ) -> Self:
        """Read what `save` has written.

        Nothing in a file is code. All of it is checked before any of it is used.

        Parameters
        ----------
        file : path-like, binary file or bytes
        allow_nonfinite : bool, default False
            Whether weights may be NaN or infinite.

        Returns
        -------
        estimator
            Of the class that was saved, which must be this one or one derived from it.

        Raises
        ------
        ModelFormatError
            For a file that is no model, damaged, of another class, or of a newer version.
        OSError
            Where the file cannot be read.
        ImportError
            Without the package safetensors, and without scikit-learn for its estimators.
        """
        return cast("Self", load(file, cls, allow_nonfinite=allow_nonfinite))

    @classmethod
    def resume(
        cls, checkpoint: str | os.PathLike[str], X: ArrayLike, y: ArrayLike, **options: Any
    ) -> Self:
        """Go on with the training of a checkpoint, to the bits of one that was never interrupted.

        Parameters
        ----------
        checkpoint : path-like
            Written by ``fit(X, y, checkpoint=...)``.
        X, y : array-like
            Those of that fit.
        **options
            The other arguments of that fit, such as `sample_weight`.

        Returns
        -------
        estimator
            With the parameters of that fit, trained to its end.

        Raises
        ------
        FileNotFoundError
            Where there is no such file.
        ModelFormatError, ValueError
            For a file that is no checkpoint, and for other data.
        """
        from cnn_core.files.checkpoints import read_checkpoint

        found = read_checkpoint(checkpoint, cls)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(checkpoint))
        resumed: Self = found.estimator.fit(X, y, checkpoint=checkpoint, **options)
        return resumed

    if TYPE_CHECKING:  # what each kind of estimator says about itself

        @classmethod
        def _model_in_files(cls) -> Codec:
            """The codec of its models."""

        @classmethod
        def _parameters_in_files(cls) -> Mapping[str, Any]:
            """The constructor's parameters and their defaults."""

        def _model_to_save(self, optimizer: bool) -> Any:
            """The fitted model; with the optimizer's state, if it is asked for."""

        def _check_parameters(self) -> object:
            """Raise ValueError or TypeError for parameters that no fit takes."""

        @classmethod
        def _loaded(cls, parameters: dict[str, Any], model: Any) -> Self:
            """An estimator with this model."""


def _class_of(name: str) -> type[Saved]:
    """An estimator by its name in files."""
    module = importlib.import_module(ESTIMATORS[name])
    found: type[Saved] = getattr(module, name.rpartition(".")[2])
    return found


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
        "format": FORMAT,
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
    kind: type[Any] = Saved,
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
    from cnn_core.files.container import read_bytes

    data, called = read_bytes(file)
    try:
        contents = unpacked(data, kind, allow_nonfinite)
    except ModelFormatError as error:
        raise ModelFormatError(f"{called}: {str(error)[:LONGEST]}") from None
    if contents.other_bits and getattr(contents.model, "state", None) is not None:
        warn(
            f"{called} was saved by cnn_core {contents.version}, whose results may differ in the "
            "last bits: training goes on, but not to the bits of an uninterrupted one",
            UserWarning,
        )
    estimator: SavedModel = contents.estimator
    return estimator


class Contents(NamedTuple):
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
    from cnn_core.files.codecs import Text, Whole, fail
    from cnn_core.files.container import unpack
    from cnn_core.files.values import Parameter

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
    cls = _class_of(name)
    if kind is not Saved and kind._in_files == name:  # also a user's own, derived from it
        cls = kind
    elif not issubclass(cls, kind):
        raise ModelFormatError(
            f"it holds a {name}, and this is {kind.__name__}.load; cnn_core.load reads all"
        )
    if not allow_nonfinite:
        _check_finite(tensors, ModelFormatError, "; allow_nonfinite=True loads them as they are")
    given = json.get("parameters")
    if not isinstance(given, dict):
        fail("parameters", given, "an object")
    parameters = dict(cls._parameters_in_files())
    for key, value in given.items():
        if key not in parameters or key in NOT_SAVED:
            raise ModelFormatError(f"the parameter {key[:50]!r} is not known")
        parameters[key] = Parameter().read(value, key, tensors)
    model = cls._model_in_files().read(json.get("model"), "", tensors)
    progress = json.get("progress")
    if progress is not None and codec is not None:
        progress = codec.read(progress, "progress", tensors)
    elif progress is not None:  # of no use here; it belongs to a training
        for name in [name for name in tensors if name.startswith("progress.")]:
            del tensors[name]
    if tensors:
        raise ModelFormatError(f"the tensor {next(iter(tensors))[:50]!r} belongs to nothing")
    try:
        estimator = cls._loaded(parameters, model)
        estimator._check_parameters()
    except (ValueError, TypeError) as error:
        raise ModelFormatError(f"parameters: {error}") from None
    return Contents(estimator, model, progress, given, version, its_bits != bits)

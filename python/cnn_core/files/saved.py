"""`save`, `load` and `resume` as methods of estimators."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Self, cast

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.files.codecs import Codec


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
        times: bool = True,
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
        times : bool, default True
            Whether `history_` keeps how long each epoch took. Without, the same training gives the
            same bytes.

        Raises
        ------
        NotFittedError
            Before the first fit.
        ValueError, TypeError
            For weights that are not finite, labels that no file can hold, and parameters that no
            fit takes.
        OSError
            Where the file cannot be written; the old one is whole then.
        MemoryError
            A file takes as much memory as it has bytes.

        Warns
        -----
        UserWarning
            For a parameter that no file can hold, such as a schedule of a user's own. The loaded
            estimator has its default.
        """
        if not (hasattr(file, "write") or isinstance(file, (str, os.PathLike))):
            raise TypeError(f"save takes a path or a binary file, got {type(file).__name__}")
        self._check_parameters()
        from cnn_core.files.estimators import packed, without_times

        model = self._model_to_save(optimizer)
        if not times:
            model = without_times(model)
        data = packed(self, model, allow_nonfinite=allow_nonfinite)
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
        from cnn_core.files.estimators import load

        return cast("Self", load(file, cls, allow_nonfinite=allow_nonfinite))

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


class Resumable(Saved):
    """An estimator whose training a checkpoint can go on with."""

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
            The other arguments of that fit, such as `sample_weight`, and parameters that need not
            be those of that fit: `n_threads`, `verbose`, `callbacks` and `max_seconds`; a function
            that was its `monitor` has to be given again.

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
        from cnn_core.training.kept import FREE

        found = read_checkpoint(checkpoint, cls)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(checkpoint))
        free = {*FREE, "callbacks", "monitor"} & set(cls._parameters_in_files()) & set(options)
        found.estimator.set_params(**{name: options.pop(name) for name in free})
        found.estimator._forget()  # what training goes on from is in the checkpoint
        resumed: Self = found.estimator.fit(X, y, checkpoint=checkpoint, **options)
        return resumed

    if TYPE_CHECKING:

        def _forget(self) -> None:
            """Be as before the first fit."""

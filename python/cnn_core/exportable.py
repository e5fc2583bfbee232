"""Methods of all estimators that write what they have learned for other runtimes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from cnn_core._names import choose
from cnn_core._spoken import argument

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.export.content import Content
    from cnn_core.export.spread import Spread
    from cnn_core.mean import MeanModel
    from cnn_core.model import Model


#: Of headers in integers.
DTYPES = ("int8", "int16")


class Exportable:
    """What takes one network, or the mean of several, out of cnn_core."""

    if TYPE_CHECKING:
        _model: Any

    def _content(self, what: str, intervals: Any = ()) -> Content:
        """All that predictions are made from, and intervals of some levels."""
        from cnn_core.export.content import of_models

        model = self._model()
        models = getattr(model, "models", (model,))
        return of_models(models, what, _spread(model, intervals, what))

    def export_onnx(
        self,
        path: str | os.PathLike[str],
        *,
        scaling: Literal["node", "folded"] = "node",
        intervals: float | Sequence[float] = (),
    ) -> None:
        """Write the fitted net as an ONNX file (opset 13, IR 7).

        The scaling of inputs and targets, the class labels and the columns of tables are inside,
        so that the graph takes what `predict` takes and gives what it gives. Inputs: ``X``, shape
        (rows, features), in the model's dtype; or one of shape (rows,) for each column of a table,
        under its name: numbers in the model's dtype with NaN where one is missing, categories as
        texts, dates as int64. Outputs: ``y``, shape (rows, outputs), of a regression; else
        ``label`` and ``probabilities`` (``outputs`` where they are no probabilities). Then
        ``quantiles`` or ``std`` of a model whose loss learns them, and ``lower`` and ``upper`` of
        `intervals`, in float64; the last axis of the first and the last two is that of quantiles
        and levels. The package onnx is needed, and checks the graph.

        Parameters
        ----------
        path : path-like
            The file. It has the old content or the whole new one at every moment.
        scaling : {'node', 'folded'}, default 'node'
            Where linear scalings stand: in nodes of their own, in float64 as in `predict`; or in
            the weights of the first layer, and of the last, so that the graph is a chain of layers,
            which optimizers that embed networks want. Folded weights are rounded, and so is
            the first layer's large sum where inputs are far from 0. Such a graph has ``y`` alone.
        intervals : float or sequence of float, optional
            Levels of the calibrated intervals to write, such as 0.9 or (0.8, 0.95).

        Raises
        ------
        NotFittedError
            Before the first fit.
        ModuleNotFoundError
            Without the package onnx.
        ValueError, TypeError
            For weights that are not finite or take more than 2 GB, class labels that are neither
            texts nor numbers, ``scaling='folded'`` where the scaling is not linear or periodic
            embeddings read it, and `intervals` of a model that is not calibrated, or with
            ``scaling='folded'``.
        OSError
            Where the file cannot be written; the old one is whole then.
        """
        from cnn_core.export.onnx_file import export_onnx

        export_onnx(self._content("export_onnx", intervals), path, scaling)

    def export_numpy(
        self, path: str | os.PathLike[str], *, intervals: float | Sequence[float] = ()
    ) -> None:
        """Write the fitted net as one Python file, which needs NumPy and nothing of cnn_core.

        It has the functions ``predict``, ``forward`` and, where the model has them,
        ``predict_proba``, ``predict_quantiles``, ``predict_std`` and ``predict_interval``, which
        take what the estimator's own take: rows of numbers, or a table as
        a dict of columns or a frame. Results are those of cnn_core but for rounding, as NumPy adds
        in another order. As a program the file reads rows of CSV and prints predictions:
        ``python net.py < rows.csv``. Up to 4,096 weights are written as decimal numbers, more as
        their bytes in base64.

        Parameters
        ----------
        path : path-like
            The file. It has the old content or the whole new one at every moment.
        intervals : float or sequence of float, optional
            Levels of the calibrated intervals to write.

        Raises
        ------
        NotFittedError
            Before the first fit.
        ValueError, TypeError
            For weights that are not finite, class labels that are neither texts nor numbers, and
            `intervals` of a model that is not calibrated.
        OSError
            Where the file cannot be written; the old one is whole then.

        Warns
        -----
        UserWarning
            Where the file has the name of a module of Python or of NumPy, which it would hide.
        """
        from cnn_core.export.numpy_file import export_numpy

        export_numpy(self._content("export_numpy", intervals), path)


class ExportableC(Exportable):
    """What takes nets to C."""

    if TYPE_CHECKING:  # what each kind of estimator has

        def _model(self) -> Any:
            """The `Model` or the `MeanModel`."""

        def _check_parameters(self) -> Any:
            """The parameters, checked."""

    def export_c(
        self,
        path: str | os.PathLike[str],
        *,
        name: str = "net",
        train: bool = False,
        dtype: Literal["int8", "int16"] | None = None,
        input_range: tuple[ArrayLike, ArrayLike] | None = None,
        intervals: float | Sequence[float] = (),
    ) -> None:
        """Write what is fitted as one C99 header, which gives the bits of `predict`.

        The header has the weights, the scaling of inputs and targets, the columns of a table, the
        class labels and the functions that this net needs; it takes no memory from the heap. The
        comment at its top says how to call it. It reads rows in the model's dtype: the bits are
        those of `predict` for rows of that dtype. Rows of tables are a struct with a number, a
        category or a date for each column. Of several networks it gives the mean. A model whose
        loss learns quantiles or a standard deviation has functions for them, too.

        Parameters
        ----------
        path : path-like
            The header. It has the old content or the whole new one at every moment.
        name : str, default 'net'
            What the names in the header begin with: a name of C.
        train : bool, default False
            Whether the header, of an `MLP`, goes on learning: a mini-batch as `partial_fit` of its
            rows, to the bit, with the estimator's parameters and the optimizer's memory of now.
            Scalings stay as they are.
        dtype : {'int8', 'int16'}, optional
            Compute in integers of so many bits alone, for an `MLP` of numbers. The header says how
            far off outputs are at most; nothing in it can overflow.
        input_range : (array-like, array-like), optional
            With such a dtype, the least and the largest value of each input; those outside are
            taken for these. Default: the range of 'minmax', or four deviations either side of the
            middle, of the scaling of the inputs.
        intervals : float or sequence of float, optional
            Levels of the calibrated intervals to write, which have the bits of `predict_interval`.

        Raises
        ------
        NotFittedError
            Before the first fit.
        NotImplementedError
            For an ensemble whose networks have different dtypes, or whose tables have columns that
            have become different things; with `train`, for what a header does not learn, such as
            embeddings, dropout and schedules; with `dtype`, for what is not written in integers.
        ValueError, TypeError
            For a name that is none of C, weights that are not finite, and class labels that are
            neither texts nor numbers; for an unknown dtype, one with `train`, and an `input_range`
            that is none, or is missing; for `intervals` of a model that is not calibrated, and
            with `train` or `dtype`.
        OSError
            Where the file cannot be written; the old one is whole then.
        """
        from cnn_core.export.header import export_c

        model: Model | MeanModel = self._model()
        spread = _spread(model, intervals, "export_c")
        if spread is not None and spread.intervals and (train or dtype is not None):
            raise ValueError(
                f"{argument('intervals')} goes with neither {argument('train', 'True')}, as what "
                "calibrate has learned ends where training goes on, nor "
                f"{argument('dtype', *DTYPES)}, which have predictions alone"
            )
        if dtype is not None:
            from cnn_core.export import integers
            from cnn_core.export.writing import of_predictions

            choose("dtype", dtype, DTYPES)
            if train:
                words = argument("train", "True", of="export_c")
                without = argument("dtype", dtype)
                raise ValueError(f"{words} learns in the model's dtype alone, without {without}")
            integers.export_c(of_predictions(model), path, name, dtype, input_range)
            return
        if input_range is not None:
            words = argument("input_range").removesuffix("=")
            raise ValueError(f"{words} goes with {argument('dtype', *DTYPES)}")
        training = None
        if train:
            from cnn_core.export.training import training_of

            training = training_of(self._check_parameters(), model)
        export_c(model, path, name, training, spread)


def _spread(model: Model | MeanModel, intervals: Any, what: str) -> Spread | None:
    """What is written of a model beside predictions."""
    from cnn_core.export.spread import spread_of
    from cnn_core.export.writing import models_of

    networks = [one.network for one in models_of(model)]
    return spread_of(model.task, networks, model.calibration, intervals, what)

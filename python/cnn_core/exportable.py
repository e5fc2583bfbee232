"""Methods of all estimators that write what they have learned for other runtimes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from cnn_core.export.content import Content


class Exportable:
    """What takes one network, or the mean of several, out of cnn_core."""

    if TYPE_CHECKING:
        _model: Any

    def _content(self, what: str) -> Content:
        """All that predictions are made from."""
        from cnn_core.export.content import of_models

        model = self._model()
        return of_models(getattr(model, "models", (model,)), what)

    def export_onnx(
        self, path: str | os.PathLike[str], *, scaling: Literal["node", "folded"] = "node"
    ) -> None:
        """Write the fitted net as an ONNX file (opset 13, IR 7).

        The scaling of inputs and targets, the class labels and the columns of tables are inside,
        so that the graph takes what `predict` takes and gives what it gives. Inputs: ``X``, shape
        (rows, features), in the model's dtype; or one of shape (rows,) for each column of a table,
        under its name: numbers in the model's dtype with NaN where one is missing, categories as
        texts, dates as int64. Outputs: ``y``, shape (rows, outputs), of a regression; else
        ``label`` and ``probabilities`` (``outputs`` where they are no probabilities). The package
        onnx is needed, and checks the graph.

        Parameters
        ----------
        path : path-like
            The file. It has the old content or the whole new one at every moment.
        scaling : {'node', 'folded'}, default 'node'
            Where linear scalings stand: in nodes of their own, in float64 as in `predict`; or in
            the weights of the first layer, and of the last, so that the graph is a chain of layers,
            which optimizers that embed networks want. Folded weights are rounded, and so is
            the first layer's large sum where inputs are far from 0.

        Raises
        ------
        NotFittedError
            Before the first fit.
        ModuleNotFoundError
            Without the package onnx.
        ValueError, TypeError
            For weights that are not finite or take more than 2 GB, class labels that are neither
            texts nor numbers, and ``scaling='folded'`` where the scaling is not linear or periodic
            embeddings read it.
        OSError
            Where the file cannot be written; the old one is whole then.
        """
        from cnn_core.export.onnx_file import export_onnx

        export_onnx(self._content("export_onnx"), path, scaling)

    def export_numpy(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted net as one Python file, which needs NumPy and nothing of cnn_core.

        It has the functions ``predict``, ``forward`` and, where there are probabilities,
        ``predict_proba``, which take what the estimator's own take: rows of numbers, or a table as
        a dict of columns or a frame. Results are those of cnn_core but for rounding, as NumPy adds
        in another order. As a program the file reads rows of CSV and prints predictions:
        ``python net.py < rows.csv``. Up to 4,096 weights are written as decimal numbers, more as
        their bytes in base64.

        Parameters
        ----------
        path : path-like
            The file. It has the old content or the whole new one at every moment.

        Raises
        ------
        NotFittedError
            Before the first fit.
        ValueError, TypeError
            For weights that are not finite, and class labels that are neither texts nor numbers.
        OSError
            Where the file cannot be written; the old one is whole then.
        """
        from cnn_core.export.numpy_file import export_numpy

        export_numpy(self._content("export_numpy"), path)


class ExportableC(Exportable):
    """The same, and C."""

    def export_c(self, path: str | os.PathLike[str], *, name: str = "net") -> None:
        """Write the fitted net as one C99 header, which gives the bits of `predict`.

        The header has the weights, the scaling of inputs and targets, the class labels and the
        functions that this net needs; it takes no memory from the heap. The comment at its top
        says how to call it. It reads rows in the model's dtype: the bits are those of `predict`
        for rows of that dtype.

        Parameters
        ----------
        path : path-like
            The header. It has the old content or the whole new one at every moment.
        name : str, default 'net'
            What the names in the header begin with: a name of C.

        Raises
        ------
        NotFittedError
            Before the first fit.
        NotImplementedError
            For a model of tables, with `columns`.
        ValueError, TypeError
            For a name that is none of C, weights that are not finite, and class labels that are
            neither texts nor numbers.
        OSError
            Where the file cannot be written; the old one is whole then.
        """
        from cnn_core.export.header import export_c

        export_c(self._model(), path, name)

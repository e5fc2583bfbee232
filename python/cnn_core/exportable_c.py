"""`export_c`, of one network and of the mean of several."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

from cnn_core._names import choose

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.mean import MeanModel
    from cnn_core.model import Model


class ExportableC:
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
    ) -> None:
        """Write what is fitted as one C99 header, which gives the bits of `predict`.

        The header has the weights, the scaling of inputs and targets, the columns of a table, the
        class labels and the functions that this net needs; it takes no memory from the heap. The
        comment at its top says how to call it. It reads rows in the model's dtype: the bits are
        those of `predict` for rows of that dtype. Rows of tables are a struct with a number, a
        category or a date for each column. Of several networks it gives the mean. The intervals of
        `calibrate` are left out.

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
            that is none, or is missing.
        OSError
            Where the file cannot be written; the old one is whole then.
        """
        from cnn_core.export.header import export_c

        model: Model | MeanModel = self._model()
        if dtype is not None:
            from cnn_core.export import integers

            choose("dtype", dtype, ("int8", "int16"))
            if train:
                raise ValueError("export_c(train=True) learns in the model's dtype alone")
            integers.export_c(self._model(), path, name, dtype, input_range)
            return
        if input_range is not None:
            raise ValueError("input_range goes with dtype='int8' or 'int16'")
        training = None
        if train:
            from cnn_core.export.training import training_of

            training = training_of(self._check_parameters(), model)
        export_c(model, path, name, training)

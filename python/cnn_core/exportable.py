"""Methods of `MLP` that write the fitted net for other languages."""

from __future__ import annotations

import os

from cnn_core.fitted import Fitted
from cnn_core.portable import Portable


class Exportable(Portable, Fitted):
    """What takes a net out of Python."""

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

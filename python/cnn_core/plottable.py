"""`plot`: the two pictures that say most about a fitted model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike


class Plottable:
    """The picture of an estimator, be it one network or the mean of several."""

    def plot(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        *,
        ax: Axes | None = None,
    ) -> np.ndarray:
        """Draw the two pictures that say most about the fitted model, with matplotlib.

        The learning curves, and how good it is on some rows: the confusion matrix of a classifier,
        or predicted against true numbers, with intervals where the model is calibrated. Without
        rows, of one network, its layers. `cnn_core.plot` has these pictures and others one by one.

        Parameters
        ----------
        X : array-like, shape (rows, features), optional
            Rows that the model was not fitted to, best.
        y : array-like, shape (rows,) or (rows, outputs), optional
        ax : Axes, optional
            Where to draw; its place is parted. Default a new figure.

        Returns
        -------
        ndarray of Axes
            Of the pictures that there are.

        Raises
        ------
        ImportError
            Without matplotlib, which ``pip install matplotlib`` brings.
        """
        from cnn_core.plot.both import draw

        return draw(self, X, y, ax)

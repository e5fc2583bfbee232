"""`Curves`: the numbers of a training, as `history_` and `step_history_` give them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from cnn_core._checks import shown
from cnn_core._few import counted, course
from cnn_core.history import epoch_at

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cnn_core.model import Model

#: What `Curves.frame` makes frames with: the first that is there, unless one is asked for.
FRAMES = ("pandas", "polars", "pyarrow")


class Curves(dict[str, list[float]]):
    """A dict with a list for each name, one entry an epoch or a step. Shows itself in a line, in a
    notebook as curves and a few rows; `frame` makes a data frame of it and `plot` a picture.

    Parameters
    ----------
    columns : mapping of str to list of float
    unit : {'epoch', 'step'}
        What an entry is of.
    chosen : int, optional
        The epoch whose weights the model has, where early stopping has chosen one.
    loss : str
        The name of the loss.
    gaps : sequence of (int, int)
        Before which of the entries how many are not kept.
    """

    _unit: Literal["epoch", "step"] = "epoch"
    _chosen: int | None = None
    _loss: str = "loss"
    _gaps: Sequence[tuple[int, int]] = ()

    def __init__(
        self,
        columns: Mapping[str, list[float]],
        unit: Literal["epoch", "step"] = "epoch",
        chosen: int | None = None,
        loss: str = "loss",
        gaps: Sequence[tuple[int, int]] = (),
    ) -> None:
        super().__init__(columns)
        self._unit, self._chosen, self._loss, self._gaps = unit, chosen, loss, tuple(gaps)

    @classmethod
    def of_epochs(cls, model: Model) -> Curves:
        """Those of the epochs of a model."""
        history = model.history
        return cls(history, "epoch", model.best_epoch, model.task.loss, history.gaps)

    @property
    def numbers(self) -> list[int]:
        """The epochs, or steps, of the entries, counted from 1. `partial_fit` keeps the last 1,000,
        so the first one may be larger."""
        return [epoch_at(self._gaps, k) for k in range(max(map(len, self.values()), default=0))]

    def frame(self, kind: Literal["pandas", "polars", "pyarrow"] | None = None) -> Any:
        """A data frame with a row an epoch, or a step: its number, then the entries.

        Parameters
        ----------
        kind : {'pandas', 'polars', 'pyarrow'}, optional
            Default the first of these that is installed.

        Returns
        -------
        pandas.DataFrame, polars.DataFrame or pyarrow.Table
            With the columns 'epoch' or 'step', 'loss', ...

        Raises
        ------
        ImportError
            Where the package is not installed.
        ValueError
            For another `kind`.
        """
        import narwhals as nw

        backend: Any = _installed(kind)
        return nw.from_dict({self._unit: self.numbers} | self, backend=backend).to_native()

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw the loss and the learning rate, as `cnn_core.plot.learning_curves` does.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; its place is parted into two. Default a new figure.

        Returns
        -------
        Axes
            Of the losses.

        Raises
        ------
        ImportError
            Without matplotlib, which ``pip install matplotlib`` brings.
        ValueError
            Where nothing has been trained.
        """
        from cnn_core.plot.learning import draw

        return draw(self, ax)

    def __repr__(self) -> str:
        words = [f"{name} {course(values)}" for name, values in self.items() if values]
        chosen = f", epoch {self._chosen} chosen" if self._chosen is not None else ""
        said = f": {', '.join(words)}" if words else ""
        return f"<{counted(len(self.numbers), self._unit)}{chosen}{said}>"

    def _repr_html_(self) -> str:
        from cnn_core.notebook.curves import html_of_curves

        return html_of_curves(self)


def _installed(kind: str | None) -> str:
    """The package that makes the frame."""
    if kind is None:
        for name in FRAMES:
            if importlib.util.find_spec(name) is not None:
                return name
        raise ImportError(
            f"frame needs one of {', '.join(FRAMES)}, and none is installed: pip install pandas"
        )
    if kind not in FRAMES:
        raise ValueError(
            f"kind must be one of {', '.join(map(repr, FRAMES))} or None, got {shown(kind)}"
        )
    if importlib.util.find_spec(kind) is None:
        raise ImportError(f"frame({kind!r}) needs {kind}: pip install {kind}")
    return kind

"""Loss and learning rate over the epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnn_core._few import counted
from cnn_core.plot._axes import axes_for, check_ax, divided, ink, plain, titled
from cnn_core.plot._fitted import fitted_of
from cnn_core.plot._style import BLUE, GREY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cnn_core.curves import Curves
    from cnn_core.plot._fitted import Estimator


def learning_curves(model: Estimator, *, ax: Axes | None = None) -> Axes:
    """The loss of the training and validation rows after each epoch, the epoch whose weights the
    model has, and the learning rate below.

    Of an `Ensemble` or a `TabularMLP`: one line a network, of its validation loss where it has one.

    Parameters
    ----------
    model : MLP, TabularMLP or Ensemble
        Fitted.
    ax : Axes, optional
        Where to draw; its place is parted into two. Default a new figure.

    Returns
    -------
    Axes
        Of the losses; those of the rate are the next ones in its figure.

    Raises
    ------
    ValueError
        Where nothing has been trained.
    """
    check_ax(ax)
    found = fitted_of(model)
    if not hasattr(found, "network"):
        return _of_several(found.models, ax)
    one: Any = model
    return draw(one.history_, ax)


def draw(curves: Curves, ax: Axes | None) -> Axes:
    """The same of one network's `history_` or `step_history_`."""
    check_ax(ax)
    numbers, unit, chosen = curves.numbers, curves._unit, curves._chosen
    if not numbers:
        raise ValueError("learning curves need a model that has been trained for an epoch")
    ax, below = divided(axes_for(ax, (6.4, 4.4)), rows=(3, 1))
    below.sharex(ax)
    ax.tick_params(labelbottom=False)
    of_rows = "training rows" if unit == "epoch" else "mini-batch"
    _curve(ax, numbers, curves["loss"], BLUE, "-", "o", of_rows)
    title = f"Loss of {counted(len(numbers), unit)}"
    if "val_loss" in curves:
        _curve(ax, numbers, curves["val_loss"], VERMILION, "--", "s", "validation rows")
    if chosen is not None:
        ax.axvline(chosen, color=GREY, linestyle=":", label=f"chosen epoch, {chosen}")
        title += f": the weights are those of epoch {chosen}"
    _log_where_wide(ax, [*curves["loss"], *curves.get("val_loss", ())])
    ax.set_ylabel(f"loss\n({curves._loss})", fontsize=9)
    titled(ax, title)
    ax.legend(frameon=False, fontsize=8.5)
    _curve(below, numbers, curves["learning_rate"], ink(ax), "-", "o", "learning rate")
    below.set_ylim(bottom=0)
    below.set_xlabel(unit)
    below.set_ylabel("learning\nrate", fontsize=9)
    figure = ax.figure
    figure.align_ylabels([ax, below])
    _whole_epochs(below)
    for part in (ax, below):
        plain(part)
    return ax


def _curve(
    ax: Axes, epochs: Any, values: list[float], colour: str, line: str, marker: str, label: str
) -> None:
    marked = marker if len(values) < 10 else ""  # one or two points would not show
    ax.plot(epochs, values, color=colour, linestyle=line, marker=marked, ms=4, label=label)


def _log_where_wide(ax: Axes, losses: list[float]) -> None:
    """A logarithmic axis where the losses fall over more than a power of ten."""
    known = [one for one in losses if one == one]
    if known and min(known) > 0 and max(known) > 10 * min(known):
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda loss, _: f"{loss:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())


def _whole_epochs(ax: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _of_several(models: Any, ax: Axes | None) -> Axes:
    """One line a network."""
    ax = axes_for(ax, (6.4, 3.6))
    curves = [one.history["val_loss" if "val_loss" in one.history else "loss"] for one in models]
    if not all(len(curve) for curve in curves):
        raise ValueError("learning_curves needs networks that have been trained for an epoch")
    for k, (one, curve) in enumerate(zip(models, curves)):
        first = one.n_epochs - len(curve) + 1
        epochs = range(first, first + len(curve))
        shade = ("-", "--", ":", "-.")[k % 4]
        ax.plot(epochs, curve, color=BLUE, linestyle=shade, linewidth=1, label="_")
        best = one.best_epoch or one.n_epochs
        at = min(max(best - first, 0), len(curve) - 1)
        name = "chosen epoch" if one.best_epoch else "last epoch"
        ax.plot([best], [curve[at]], "o", color=VERMILION, ms=5, label=name if not k else "_")
    what = "Validation loss" if "val_loss" in models[0].history else "Loss"
    titled(ax, f"{what} of {counted(len(curves), 'network')}")
    ax.set_xlabel("epoch")
    ax.set_ylabel(f"loss\n({models[0].task.loss})", fontsize=9)
    ax.legend(frameon=False, fontsize=8.5)
    _whole_epochs(ax)
    plain(ax)
    return ax

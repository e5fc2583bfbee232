"""The two pictures of `MLP.plot`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.plot._axes import axes_for, check_ax, divided
from cnn_core.plot._fitted import fitted_of
from cnn_core.plot.confusion import confusion_matrix
from cnn_core.plot.learning import learning_curves
from cnn_core.plot.network import network
from cnn_core.plot.predicted import predicted_against_true

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(model: Any, X: Any, y: Any, ax: Axes | None) -> np.ndarray:
    """See `Plottable.plot`."""
    check_ax(ax)
    found = fitted_of(model)
    if X is None and y is not None:
        raise ValueError("plot has y without X; give both")
    # By the name of a column y is in X itself.
    if X is not None and y is None:
        raise ValueError("plot has X without y; give both")
    single = hasattr(found, "network")
    trained = all(one.n_epochs for one in (found.models if not single else [found]))
    pictures: list[Any] = [lambda one: learning_curves(model, ax=one)] if trained else []
    if X is not None:
        regression = found.task.name == "regression"
        judged = predicted_against_true if regression else confusion_matrix
        pictures.append(lambda one: judged(model, X, y, ax=one))
    elif single:
        pictures.append(lambda one: network(model, ax=one))
    if not pictures:
        raise ValueError("plot needs X and y where networks are untrained")
    places = divided(axes_for(ax, (6.0 * len(pictures), 4.8)), (1,) * len(pictures))
    axes = np.empty(len(pictures), object)
    for k, (picture, place) in enumerate(zip(pictures, places)):
        axes[k] = picture(place)
    return axes

"""Many small images beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._checks import is_whole, shown
from cnn_core._few import counted
from cnn_core.plot._axes import axes_for, check_ax, titled
from cnn_core.plot._style import VERMILION, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

#: Most images of one picture.
MOST_IMAGES = 64


def images(
    X: ArrayLike,
    y: ArrayLike | None = None,
    predicted: ArrayLike | None = None,
    *,
    shape: tuple[int, int] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Rows of pixels as images, each with its label above; where the predicted one is another, both
    are said, and the image has a frame.

    Parameters
    ----------
    X : array-like, shape (rows, pixels)
        At most the first 64 rows are drawn.
    y : array-like, shape (rows,), optional
        True labels.
    predicted : array-like, shape (rows,), optional
        Predicted labels.
    shape : (int, int), optional
        Height and width of the images; default a square.
    ax : Axes, optional
        Default a new figure.

    Returns
    -------
    Axes
    """
    check_ax(ax)
    rows = np.asarray(X)
    if rows.ndim != 2 or not len(rows) or rows.dtype.kind not in "biuf":
        raise ValueError(f"X must have rows of pixels, got an array of shape {rows.shape}")
    shape = image_shape(shape, rows.shape[1])
    labels = [_labels(one, len(rows), name) for one, name in ((y, "y"), (predicted, "predicted"))]
    total, rows = len(rows), rows[:MOST_IMAGES]
    n, across = len(rows), across_of(len(rows))
    ax = axes_for(ax, (6.4, 0.6 + 7.4 * math.ceil(n / across) / across))
    gap = max(2, round(0.35 * shape[0]))
    mosaic = mosaic_of(rows.astype(float).reshape(-1, *shape), gap)
    ax.imshow(mosaic, cmap="gray_r", interpolation="nearest")
    ax.set_axis_off()
    corners = [
        ((k % across) * (shape[1] + gap) + gap, (k // across) * (shape[0] + gap) + gap)
        for k in range(n)
    ]
    wrong = _label(ax, corners, shape, labels)
    title = f"{n} of {total:,} images" if n < total else counted(n, "image")
    titled(ax, title if wrong is None else f"{title}, {wrong} predicted wrongly")
    return ax


def image_shape(shape: Any, pixels: int) -> tuple[int, int]:
    """Height and width of images of so many pixels."""
    if shape is None:
        side = math.isqrt(pixels)
        if side * side != pixels:
            raise ValueError(
                f"{pixels} features are no square image; give shape=(height, width), whose product "
                f"is {pixels}"
            )
        return side, side
    whole = isinstance(shape, Sequence) and len(shape) == 2 and all(map(is_whole, shape))
    if not whole or min(shape) < 1 or shape[0] * shape[1] != pixels:
        raise ValueError(
            f"shape must be the height and width of images of {pixels} pixels, got {shown(shape)}"
        )
    return int(shape[0]), int(shape[1])


def across_of(n: int) -> int:
    """How many images stand in a row."""
    return min(n, max(8, math.isqrt(n - 1) + 1)) if n > 4 else n


def mosaic_of(tiles: np.ndarray, gap: int) -> np.ma.MaskedArray[Any, Any]:
    """Images beside each other, with nothing between them."""
    n, height, width = tiles.shape
    across = across_of(n)
    down = -(-n // across)
    whole = np.full((down * (height + gap) + gap, across * (width + gap) + gap), np.nan)
    for k, tile in enumerate(tiles):
        top, left = (k // across) * (height + gap) + gap, (k % across) * (width + gap) + gap
        whole[top : top + height, left : left + width] = tile
    return np.ma.masked_invalid(whole)


def _labels(given: Any, rows: int, name: str) -> list[Any] | None:
    if given is None:
        return None
    labels = np.asarray(given)
    if labels.shape != (rows,):
        raise ValueError(
            f"{name} must have a label for each of the {rows} rows of X, shape ({rows},), got an "
            f"array of shape {labels.shape}"
        )
    found: list[Any] = labels.tolist()
    return found


def _label(
    ax: Axes,
    corners: list[tuple[int, int]],
    shape: tuple[int, int],
    labels: list[list[Any] | None],
) -> int | None:
    """Write labels above images; how many are wrong, if that is known."""
    from matplotlib.patches import Rectangle

    true, predicted = labels
    wrong = 0
    for k, (left, top) in enumerate(corners):
        known = [short(one[k], 8) for one in (predicted, true) if one is not None]
        differ = true is not None and predicted is not None and true[k] != predicted[k]
        words = ", not ".join(known) if differ else "".join(known[:1])
        style: dict[str, Any] = {"fontsize": 8, "ha": "center", "va": "bottom"}
        if differ:
            wrong += 1
            style |= {"color": VERMILION, "weight": "bold"}
            corner = left - 0.5, top - 0.5
            ax.add_patch(
                Rectangle(corner, shape[1], shape[0], fill=False, edgecolor=VERMILION, linewidth=2)
            )
        ax.text(left + shape[1] / 2 - 0.5, top - 0.8, words, **style)
    return None if true is None or predicted is None else wrong

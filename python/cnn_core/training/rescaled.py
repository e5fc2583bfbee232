"""A stream whose targets have moved, or outgrown their scaling: the last layer follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnn_core._frozen import replace
from cnn_core.data.target_scaling import OUTLIER
from cnn_core.data.validation import which_target

if TYPE_CHECKING:
    from cnn_core.data.target_scaling import Moved, TargetScaling
    from cnn_core.model import Model


def changed(model: Model, targets: TargetScaling) -> bool:
    """Whether outputs that have varied before are to have another scaling."""
    factor, shift, known = _scaling_of(model)
    return bool((((factor != targets.factor) | (shift != targets.shift)) & known).any())


def outgrown(model: Model, targets: TargetScaling) -> bool:
    """Whether other sizes are among it."""
    factor, _, known = _scaling_of(model)
    return bool(((factor != targets.factor) & known).any())


def rescaled(model: Model, targets: TargetScaling, moved: Moved | None = None) -> Model:
    """The same function of x in the units of y, but for how far it follows targets that have moved,
    with another scaling of the targets.

    The outputs are linear in the last layer: with r = times * old factor / new factor, W' = r W and
    b' = r b + (old shift + plus - new shift) / new factor. Of other sizes losses and the moments of
    the optimizer are in other units then: the epochs so far are counted only, and the optimizer
    begins anew.

    Parameters
    ----------
    model : Model
    targets : TargetScaling
    moved : Moved, optional
        Default: the function is the same.

    Returns
    -------
    Model
    """
    network = model.network.copy()
    factor, shift, known = _scaling_of(model)
    times, plus = (1.0, 0.0) if moved is None else moved
    last, dtype = network.n_layers - 1, network.dtype
    r = np.where(known, times * factor / targets.factor, 1.0)
    added = np.where(known, (shift + plus - targets.shift) / targets.factor, 0.0)
    W, b = (part.astype(np.float64) for part in (network.weights(last), network.bias(last)))
    network.set_layer(last, (r[:, None] * W).astype(dtype), (r * b + added).astype(dtype))
    after = replace(model, network=network, target_scaling=targets)
    if not outgrown(model, targets):
        return after
    state = model.state
    if state is not None:
        state = {"epochs": state["epochs"], "optimizer": "", "backend": ""}
    return replace(
        after,
        seen=model.seen._replace(y=None, outlier="", pending=""),
        history=model.history.counted_only(),
        step_history=model.step_history.counted_only(),
        state=state,
    )


def words(model: Model, targets: TargetScaling) -> str:
    """What is to be said of it, of the first output that has outgrown its scaling."""
    factor, shift, known = _scaling_of(model)
    others = (factor != targets.factor) & known
    i = int(others.argmax())
    which = which_target(i, len(others), model.seen.targets)
    return (
        f"{which} lies elsewhere than the rows that its scaling was learned from: most of the last "
        f"rows lie more than {OUTLIER:g} sizes ({factor[i]:.3g}) from {shift[i]:.4g}; the network "
        f"goes on with ({which} - {targets.shift[i]:.4g}) / {targets.factor[i]:.4g}; if the units "
        "have changed, take the same units, or fit anew"
    )


def _scaling_of(model: Model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Factor and shift of the outputs, and which of them have varied: of the others the network
    has learned that they are their shift, wherever it will be."""
    targets, n = model.target_scaling, model.task.n_outputs
    if targets is None:
        return np.ones(n), np.zeros(n), np.ones(n, bool)
    known = np.ones(n, bool) if targets.constant is None else ~targets.constant
    return targets.factor, targets.shift, known

"""A stream whose targets have outgrown their scaling: the last layer is brought to the new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnn_core._frozen import replace
from cnn_core.data.target_scaling import OUTLIER
from cnn_core.data.validation import which_target

if TYPE_CHECKING:
    from cnn_core.data.target_scaling import TargetScaling
    from cnn_core.model import Model


def outgrown(model: Model, targets: TargetScaling | None) -> bool:
    """Whether outputs that have varied before are to have another scaling."""
    if targets is None or targets is model.target_scaling:
        return False
    factor, shift, known = _scaling_of(model)
    return bool((((factor != targets.factor) | (shift != targets.shift)) & known).any())


def rescaled(model: Model, targets: TargetScaling) -> Model:
    """The same function of x in the units of y, with another scaling of the targets.

    The outputs are linear in the last layer: with r = old factor / new factor, W' = r W and
    b' = r b + (old shift - new shift) / new factor. Losses and the moments of the optimizer are in
    other units then: the epochs so far are counted only, and the optimizer begins anew.

    Parameters
    ----------
    model : Model
    targets : TargetScaling

    Returns
    -------
    Model
    """
    network, state = model.network.copy(), model.state
    factor, shift, known = _scaling_of(model)
    last, dtype = network.n_layers - 1, network.dtype
    r = np.where(known, factor / targets.factor, 1.0)
    moved = np.where(known, (shift - targets.shift) / targets.factor, 0.0)
    W, b = (part.astype(np.float64) for part in (network.weights(last), network.bias(last)))
    network.set_layer(last, (r[:, None] * W).astype(dtype), (r * b + moved).astype(dtype))
    if state is not None:
        state = {"epochs": state["epochs"], "optimizer": "", "backend": ""}
    return replace(
        model,
        network=network,
        target_scaling=targets,
        seen=model.seen._replace(y=None, outlier="", pending=""),
        history=model.history.counted_only(),
        step_history=model.step_history.counted_only(),
        state=state,
    )


def words(model: Model, targets: TargetScaling) -> str:
    """What is to be said of it, of the first output that has outgrown its scaling."""
    factor, shift, known = _scaling_of(model)
    changed = ((factor != targets.factor) | (shift != targets.shift)) & known
    i = int(changed.argmax())
    which = which_target(i, len(changed), model.seen.targets)
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

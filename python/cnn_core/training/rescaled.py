"""A stream that has outgrown its scalings, or whose targets have moved: the network follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._frozen import replace
from cnn_core._warn import warn
from cnn_core.causes.data import named
from cnn_core.data.prepare import make_dataset
from cnn_core.data.scaling import ENOUGH
from cnn_core.data.stream import GROWTH
from cnn_core.data.target_scaling import OUTLIER
from cnn_core.data.validation import which_target

if TYPE_CHECKING:
    from cnn_core.data.prepare import Dataset, Preparation, Prepared
    from cnn_core.data.scaling import Scaling
    from cnn_core.data.stream import StreamRows
    from cnn_core.data.target_scaling import Moved, TargetScaling
    from cnn_core.model import Model
    from cnn_core.task import Task


TOLD = 10.0  # times the size in the first rows, of which a user is told

#: Optimizers whose first two slots are means of gradients and of their squares.
ADAMS = ("adam", "adamw", "nadam")


def follow(
    before: Model, data: Prepared, stream_begins: bool
) -> tuple[Model, StreamRows | None, bool]:
    """A model with the scalings that its stream has now, the rows of the stream, and whether the
    network is to learn its sample anew: it reads the inputs in other units, with the same weights.

    Warns
    -----
    UserWarning
        Where the targets have gone elsewhere, and once where the first rows were too alike.
    """
    inputs, targets, stream = data.scaling, data.target_scaling, data.streamed
    model, rows = before, None if stream is None else stream.rows
    if stream is None or stream_begins:
        return with_scalings(model, inputs, targets), rows, False
    if stream.anew:
        rows, said = _of_growth(before, data, stream.rows)
        if said:
            warn(said, UserWarning)
    if targets is not None and targets is not model.target_scaling and changed(before, targets):
        moved = stream.moved
        model = rescaled(model, targets, moved)
        if moved is not None and moved.outgrown.any():
            said = words(before, targets, moved.outgrown)
            warn(said, UserWarning)
            seen = model.seen._replace(outlier="", pending="", changed=said)
            model = replace(model, seen=seen)
            if before.target_scaling is not None and before.target_scaling.recent is not None:
                model = replace(model, state=None)  # its moments are of rows in the old sizes
    return with_scalings(model, inputs, targets), rows, stream.anew


def with_scalings(model: Model, inputs: Scaling | None, targets: TargetScaling | None) -> Model:
    """A model with these scalings, which are often its own."""
    if inputs is model.scaling and targets is model.target_scaling:
        return model
    return replace(model, scaling=inputs, target_scaling=targets)


def changed(model: Model, targets: TargetScaling) -> bool:
    """Whether outputs that have varied before are to have another scaling."""
    factor, shift, known = _scaling_of(model)
    return bool((((factor != targets.factor) | (shift != targets.shift)) & known).any())


def rescaled(model: Model, targets: TargetScaling, moved: Moved | None = None) -> Model:
    """The same function of x in the units of y, but for how far it follows targets that have moved,
    with another scaling of the targets.

    The outputs are linear in the last layer: with r = times * old factor / new factor, W' = r W and
    b' = r b + (old shift + plus - new shift) / new factor. Of other sizes losses and the moments of
    the optimizer are in other units then: the epochs so far are counted only.

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
    times, plus = (1.0, 0.0) if moved is None else (moved.times, moved.plus)
    last, dtype = network.n_layers - 1, network.dtype
    size = np.where(known, factor / targets.factor, 1.0)
    r = times * size
    added = np.where(known, (shift + plus - targets.shift) / targets.factor, 0.0)
    n = network.widths[-1] - len(r)
    # Of other heads the steps and variances are of the new sizes from now on.
    r, added = np.append(r, np.ones(n)), np.append(added, np.zeros(n))
    W, b = (part.astype(np.float64) for part in (network.weights(last), network.bias(last)))
    network.set_layer(last, (r[:, None] * W).astype(dtype), (r * b + added).astype(dtype))
    after = replace(model, network=network, target_scaling=targets)
    if (size == 1).all():
        return after
    return replace(
        after,
        history=model.history.counted_only(),
        step_history=model.step_history.counted_only(),
        state=_in_units(model.state, float(size.max())),
    )


def _in_units(state: dict[str, Any] | None, r: float) -> dict[str, Any] | None:
    """The state of an optimizer whose gradients become r times as long: an Adam that began anew
    would take its longest steps."""
    if state is None or state["optimizer"] not in ADAMS or state["backend"] != "native":
        return state
    m, v, *rest = state["slots"]
    return state | {"slots": [(r * m).astype(m.dtype), (r * r * v).astype(v.dtype), *rest]}


def rehearsal(data: Prepared, task: Task, how: Preparation) -> Dataset | None:
    """The sample of a stream's rows, these included, as the network reads and learns them, without
    those in which numbers to predict have not varied yet; none if there are too few."""
    assert data.streamed is not None
    stream, n = data.streamed.rows, data.n_features
    rows, rests = stream.sample(), stream.rests[n:]
    if task.name == "regression" and (rests < np.inf).any():
        rows = rows[rows[:, -1] >= rests[rests < np.inf].max()]
    if len(rows) < ENOUGH:
        return None
    y, labels = rows[:, n:-1], None
    if task.classes is not None:
        labels = y[:, 0].astype(np.int32)
        y = task.classes[labels]
    elif task.name == "multilabel":
        y = (y > task.threshold).astype(np.float64)
    how = replace(how, target_dtype="float64", class_weight=None)
    X = np.ascontiguousarray(rows[:, :n])
    made = make_dataset(task, X, y, how, labels=labels)
    return made.reading(X.astype(how.dtype), data.scaling).learning(data.target_scaling, how.dtype)


def _of_growth(before: Model, data: Prepared, rows: StreamRows) -> tuple[StreamRows, str]:
    """The rows of a stream whose scaling was learned anew, and what is to be said of it, once."""
    n, grown = data.n_features, rows.marks[GROWTH].copy()
    grown[rows.rests > 0] = 0.0  # they begin with one number, which is no size
    inputs, targets = data.scaling, data.target_scaling
    if inputs is not None and inputs is not before.scaling:
        grown[:n] *= (1.0 if before.scaling is None else before.scaling.factor) / inputs.factor
    if targets is not None and targets is not before.target_scaling:
        old = 1.0 if before.target_scaling is None else before.target_scaling.factor
        grown[n:] *= targets.factor / old
    most, said = int(grown.argmax()), ""
    if grown[most] > TOLD:
        which = (
            f"{named(most, before.input_names)} of X"
            if most < n
            else which_target(most - n, len(grown) - n, before.seen.targets)
        )
        said = (
            "the first rows of the stream were too alike to learn a scaling from, which is learned "
            f"anew as rows come: {which} spreads {grown[most]:.2g} times as far by now; a first "
            "call of 100 or more typical rows is better"
        )
        grown[:] = 0.0
    marks = rows.marks.copy()
    marks[GROWTH] = grown
    return rows._replace(marks=marks), said


def words(model: Model, targets: TargetScaling, outgrown: np.ndarray) -> str:
    """What is to be said of the first output that has outgrown its scaling."""
    factor, shift, _ = _scaling_of(model)
    i = int(outgrown.argmax())
    which = which_target(i, len(outgrown), model.seen.targets)
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

"""Causes in how a network is trained: the learning rate, the penalties, and what made a training
diverge."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnn_core._settable import settable
from cnn_core.causes.begin import layer_name, sizes
from cnn_core.causes.data import FAR, named, some_rows
from cnn_core.data.validation import plain, which_target
from cnn_core.monitors import sign_of

if TYPE_CHECKING:
    from cnn_core._network import Network
    from cnn_core.causes.seen import Rules
    from cnn_core.model import Model
    from cnn_core.spec import TrainingSpec
    from cnn_core.task import Task

OTHER_RATE = 10  # factor between a learning rate and the optimizer's own, above which it is told
#: The same for one at which the loss does not fall, or falls slowly, and for any loss.
HIGH, WILD = 30, 1000
CALM = 1e-3  # by which a loss at rest may vary in the last tenth of the epochs, as a share of it
STILL = 0.02  # by which the loss must have fallen in all epochs, as a share of it
LATE = 0.25  # share of its fall in the second half, from which a loss falls slowly
STRONG = {"l1": 0.1, "l2": 1.0}  # penalties that keep weights near 0
SHORT = 0.1  # max_norm below which weights stay near 0; for clip_norm a tenth of it
THINNED = 0.7  # dropout that leaves little
WIDE = 100  # size of an entry of X or of a weight, above which it is told after a divergence
LARGE = 4.0  # size of a layer's initial weights, as `begin.sizes` has it, which is told then
HEAVY = 10.0  # factor by which weights of rows make the gradient longer, which is told then
ELEMENTS = 1 << 24  # that are looked at then
ROUNDED = 16  # spacings of the dtype that a feature's deviation must exceed to be told
GAINED = 0.01  # by which the loss must have fallen in the last epochs that a rule allowed


def own_rate(optimizer: str | None) -> float | None:
    """The learning rate that an optimizer has by itself."""
    from cnn_core.optimizers import get_optimizer

    return None if optimizer is None else float(get_optimizer(optimizer).learning_rate)


def _times(factor: float) -> str:
    return f"{factor:,.0f} times" if factor < 1e6 else f"{factor:.0e} times"


class Signs(NamedTuple):
    """What beside the loss tells of a learning rate."""

    dead: bool = False  #: whether most units of a hidden layer are 0 for every row
    chance: float = np.inf  #: the loss of classes that are all as likely
    coarse: bool = False  #: whether features need scaling, by which a rate of sgd may be small


NO_SIGNS = Signs()


def rate(
    spec: TrainingSpec,
    history: Mapping[str, Sequence[float]],
    n_layers: int,
    signs: Signs = NO_SIGNS,
) -> Iterator[str]:
    """A learning rate far from the optimizer's own, and a loss that does not fall, or falls slowly.

    Parameters
    ----------
    spec : TrainingSpec
    history : mapping
        As `MLP.history_`; without entries where the first epoch has diverged.
    n_layers : int
        Of the network.
    signs : Signs

    Yields
    ------
    str
    """
    optimizer, own, loss = spec.optimizer, own_rate(spec.optimizer), history.get("loss")
    if own is None:
        return
    highest = max(history.get("learning_rate") or [spec.settings["learning_rate"]])
    if not loss:
        if highest >= OTHER_RATE * own:
            yield (
                f"The learning rate {highest:g} is {_times(highest / own)} {optimizer}'s own: "
                f"take {own:g}."
            )
        return
    if len(loss) < 2:
        return
    moved = f"in {len(loss)} epochs the loss went from {loss[0]:.4g} to {loss[-1]:.4g}"
    rests = loss[-1] > (1 - STILL) * loss[0] - 1e-12
    slow = highest * HIGH <= own and not (signs.coarse and optimizer == "sgd")
    if 0 < highest * OTHER_RATE <= own and (rests or (slow and _falls_evenly(loss))):
        yield (
            f"The learning rate {highest:g} is {_times(own / highest)} smaller than {optimizer}'s "
            f"own, {own:g}: {moved}; take a larger one."
        )
        return
    if n_layers == 1 and (spec.loss == "perceptron" or _is_calm(loss)):
        return  # Rosenblatt's rule has no scale, and a convex loss at rest is at its minimum
    wild = signs.dead or loss[-1] > min(0.9 * loss[0], signs.chance)
    if highest >= WILD * own or (highest >= HIGH * own and wild):
        yield (
            f"The learning rate {highest:g} is {_times(highest / own)} {optimizer}'s own, {own:g}: "
            f"{moved}; take a smaller one."
        )


def chance(task: Task) -> float:
    """The loss of classes that are all as likely; of other tasks infinity."""
    crossentropy = task.name == "classification" and "crossentropy" in task.loss
    return math.log(max(2, task.n_classes)) if crossentropy else math.inf


def _falls_evenly(loss: Sequence[float]) -> bool:
    """Whether a loss that fell in each epoch fell much in the second half of them too."""
    fallen = loss[0] - loss[-1]
    return fallen > 0 and loss[len(loss) // 2] - loss[-1] >= LATE * fallen


def _is_calm(loss: Sequence[float]) -> bool:
    """Whether a loss rests, no higher than it began."""
    last = loss[-max(5, len(loss) // 10) :]
    return len(loss) > len(last) and max(last) - min(last) <= CALM * min(abs(last[-1]), loss[0])


def penalties(spec: TrainingSpec) -> Iterator[str]:
    """Regularisation that leaves the network no room to learn."""
    for name, strong in STRONG.items():
        if getattr(spec, name) >= strong:
            yield (
                f"{name}={getattr(spec, name):g} keeps the weights near 0: take a smaller one, or "
                "none."
            )
    if 0 < spec.max_norm < SHORT:
        yield f"max_norm={spec.max_norm:g} keeps all weights near 0: take 1 or more, or none."
    if spec.optimizer == "sgd" and 0 < spec.clip_norm < SHORT / 10:
        yield f"clip_norm={spec.clip_norm:g} shortens each step to nearly nothing: take 1, or none."
    if spec.dropout and max(spec.dropout) >= THINNED:
        yield (
            f"dropout={max(spec.dropout):g} leaves out nearly everything: take less, such as 0.2, "
            "or none."
        )


def stopped(
    ended: str, history: Mapping[str, Sequence[float]], rules: Rules, monitor: str
) -> Iterator[str]:
    """A rule that has ended a fit while what it watches still improved, by less than the rule asks
    for.

    Parameters
    ----------
    ended : str
        Why the fit ended, as `TrainResult` has it.
    history : mapping
        As `MLP.history_`.
    rules : Rules
    monitor : str
        The column that early stopping watches.

    Yields
    ------
    str
    """
    if ended == "stopping" and rules.min_delta > 0:
        name, least, watched = "min_delta", rules.min_delta, monitor
    elif ended == "converged" and rules.tol:
        name, least, watched = "tol", rules.tol, "loss"
    else:
        return
    curve, n, sign = history[watched], rules.patience, sign_of(watched)
    if len(curve) <= n:
        return
    best = min if sign > 0 else max
    before, after = best(curve[:-n]), best(curve[-n:])
    gained = sign * (before - after)
    if gained > GAINED * abs(before):
        yield (
            f"{name}={least:g} ended the fit after {len(curve)} epochs, while {watched} still "
            f"{'fell' if sign > 0 else 'rose'}, from {before:.4g} to {after:.4g} in the last {n}; "
            f"take a smaller one, such as {min(least / 10, gained / 10):.1g}."
        )


def absent(model: Model) -> Iterator[str]:
    """A class that no call of partial_fit has brought.

    Parameters
    ----------
    model : Model

    Yields
    ------
    str
    """
    missing, classes = model.seen.absent, model.task.classes
    if missing and classes is not None and model.history.streamed:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        yield (
            f"Class {plain(classes[missing[0]])!r}{more} never came in the calls of partial_fit, "
            "so that it is not learned: give rows of all classes."
        )


class Diverged(NamedTuple):
    """What a training was fed with when it diverged."""

    spec: TrainingSpec
    rate: float  #: the learning rate then
    X: np.ndarray  #: as the network reads it
    y: np.ndarray | None  #: the targets of a regression
    of_targets: tuple[str, ...]  #: names of its columns
    names: np.ndarray | None  #: of the features
    scaled: bool  #: whether the model scales the inputs
    network: Network  #: before the first step
    weight: tuple[float, str]  #: how many times as long weights make a gradient; the cure
    growing: str  #: an activation that grows exponentially, and what to take; empty: none
    cure_of_inputs: str
    cure_of_targets: str
    cure_of_weights: str
    trained: bool = False  #: whether training has made the weights what they are
    rate_factors: Mapping[str, float] = {}  #: of groups of parameters


def divergence(found: Diverged) -> str:
    """The likely causes, those first that exceed what is usual most, and the cure of each.

    Parameters
    ----------
    found : Diverged

    Returns
    -------
    str
    """
    with np.errstate(all="ignore"):
        causes = sorted(_causes(found), key=lambda cause: -cause[0])
    if causes:
        return "; ".join(sentence for _, sentence in causes)
    if found.spec.optimizer == "sgd":
        X = some_rows(found.X, ELEMENTS)
        length = float(np.square(X).sum(axis=1).mean())
        if found.rate * length > 2:
            # The largest eigenvalue of a linear layer's Hessian under mse is at most that mean.
            return (
                f"for rows of this size (the mean of |x|^2 is {length:.3g}) gradient descent needs "
                f"a learning rate below about {2 / length:.1g}"
                + ("" if found.scaled else f", or smaller features: {found.cure_of_inputs}")
            )
    usual = (
        f"neither X{'' if found.y is None else ', y'} nor the learning rate is far from what is "
        "usual; "
    )
    if not settable("learning_rate"):
        return f"{usual}look for rows that are unlike the others"
    lower = f"a lower learning rate, such as {found.rate / 10:.1g},"
    clip = "" if found.spec.clip_norm else " or clip_norm=1"
    return f"{usual}{lower}{clip} may help"


def _causes(found: Diverged) -> Iterator[tuple[float, str]]:
    """By how much each cause exceeds what is usual, and a clause about it."""
    spec, rate = found.spec, found.rate
    own = own_rate(spec.optimizer)
    if own and rate >= OTHER_RATE * own:
        yield (
            rate / own,
            f"the learning rate is {_times(rate / own)} {spec.optimizer}'s own; take {own:g}",
        )
    yield from _large_factor(found, own)
    momentum = spec.settings.get("momentum", 0.0)
    if own and momentum > 0.95 and rate / (1 - momentum) >= 10 * OTHER_RATE * own:
        yield (
            rate / (1 - momentum) / own / OTHER_RATE,
            f"momentum={momentum:g} makes each step {1 / (1 - momentum):.0f} times as long; take "
            "0.9",
        )
    if rate * spec.l2 > 2:
        yield (
            rate * spec.l2,
            f"l2={spec.l2:g} at this learning rate throws each weight past 0 and further out; take "
            f"an l2 below {1 / rate:.1g}",
        )
    yield from _large_features(found)
    if found.y is not None:
        yield from _large_targets(found.y, found.of_targets, found.cure_of_targets)
    times, cure = found.weight
    if times >= HEAVY:
        yield times, f"weights make the gradient up to {times:.2g} times as long; {cure}"
    if found.growing:
        yield 1.0, found.growing
    yield from _large_weights(found)


def _large_factor(found: Diverged, own: float | None) -> Iterator[tuple[float, str]]:
    """A factor that makes the learning rate of some parameters large."""
    factor = max(found.rate_factors.values(), default=1.0)
    if own and factor > 1 and found.rate * factor >= OTHER_RATE * own:
        group = next(name for name, one in found.rate_factors.items() if one == factor)
        yield (
            found.rate * factor / own,
            f"rate_factors of {group!r}, {factor:g}, makes their learning rate "
            f"{_times(found.rate * factor / own)} {found.spec.optimizer}'s own; take a smaller "
            "factor",
        )


def _large_weights(found: Diverged) -> Iterator[tuple[float, str]]:
    largest = float(np.abs(found.network.flat()).max())
    if largest > WIDE:
        yield (  # what has made them so large is told first
            0.0 if found.trained else largest / WIDE,
            f"the weights begin at up to {largest:.2g}; {found.cure_of_weights}",
        )
        return
    size = sizes(found.network)
    l = int(np.argmax(size))
    if size[l] > LARGE:
        layer = layer_name(l, len(size))
        yield (
            0.0 if found.trained else size[l] / LARGE,
            f"the weights of {layer} begin at about {size[l]:.2g} times the usual size; "
            f"{found.cure_of_weights}",
        )


def _large_features(found: Diverged) -> Iterator[tuple[float, str]]:
    X = some_rows(found.X, ELEMENTS)
    size = np.maximum(X.max(axis=0), -X.min(axis=0))
    i = int(size.argmax())
    if size[i] <= WIDE:
        return
    spread, rounding = float(X[:, i].std()), np.spacing(size[i].astype(found.X.dtype))
    beside = f"standard deviation {spread:.2g}"
    if spread < ROUNDED * rounding:
        beside = f"so far from 0 that {found.X.dtype} rounds its differences away"
    reaches = f"reaches {size[i]:.2g}{' even scaled' if found.scaled else f' ({beside})'}"
    clause = f"{named(i, found.names)} of X {reaches}; {found.cure_of_inputs}"
    yield size[i] ** 2 / WIDE, clause  # the gradient has x in it, and so has z


def _large_targets(y: np.ndarray, names: tuple[str, ...], cure: str) -> Iterator[tuple[float, str]]:
    y = some_rows(y, ELEMENTS)
    mean, spread = y.mean(axis=0), y.std(axis=0)
    i = int((np.abs(mean) + spread).argmax())
    size = abs(mean[i]) + spread[i]
    if size <= FAR:
        return
    which = which_target(i, y.shape[1], names)
    yield (
        size / FAR,
        f"{which} has mean {mean[i]:.4g} and standard deviation {spread[i]:.2g}; {cure}",
    )

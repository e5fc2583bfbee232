"""How a header learns: what the estimator's next `partial_fit` would do, if C can do it too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from cnn_core import _losses
from cnn_core._frozen import Frozen
from cnn_core._spoken import argument
from cnn_core.spec import TrainingSpec

if TYPE_CHECKING:
    import numpy as np

    from cnn_core.mean import MeanModel
    from cnn_core.model import Model

#: Numbers that an optimizer keeps.
_NUMBERS = 16
#: Losses whose targets a label does not give.
_REFUSED = ("categorical_crossentropy",)


class Training(Frozen):
    """How a mini-batch is learned.

    Parameters
    ----------
    spec : TrainingSpec
    n_slots : int
        Vectors that the optimizer remembers.
    steps : int
        Done so far.
    numbers : tuple of float
        Settings of the optimizer, and what it has worked out of them.
    slots : tuple of ndarray
        Its memory; empty: zeros.
    """

    spec: TrainingSpec
    n_slots: int
    steps: int
    numbers: tuple[float, ...]
    slots: tuple[np.ndarray, ...] = ()

    @property
    def from_logits(self) -> bool:
        """Whether the loss takes in the activation of the last layer."""
        return bool(_losses.table()[self.spec.loss].fused_activations)

    @property
    def takes_label(self) -> bool:
        """Whether its targets are numbers of classes."""
        return bool(_losses.table()[self.spec.loss].sparse)

    @property
    def loss_param(self) -> float:
        default = _losses.table()[self.spec.loss].default_param
        given = self.spec.loss_param
        return float((default or 0) if given is None else given)  # type: ignore[arg-type]


def training_of(p: SimpleNamespace, model: Model | MeanModel) -> Training:
    """What `partial_fit` with these parameters would do.

    Parameters
    ----------
    p : namespace
        Of the estimator, from `check_parameters`.
    model : Model

    Raises
    ------
    NotImplementedError
        For what a header does not do.
    """
    from cnn_core.optimizers import get_optimizer
    from cnn_core.schedules import Constant
    from cnn_core.training.untrained import training_spec

    _check_model(model)
    spec = training_spec(p, model.task, 1, model.seed)  # type: ignore[union-attr]
    refused = {
        "dropout": any(spec.dropout),
        "a schedule, whose rates depend on the epoch": type(p.schedule) is not Constant,
        "a schedule of weight decay or dropout": p.decay_schedule or p.dropout_schedule,
        "factors of the learning rate of layers": spec.rate_factors or spec.decay_factors,
        "class_weight": p.class_weight is not None,
        "label_smoothing": p.label_smoothing,
        "monotone or convex inputs": p.monotone or p.convex,
        f"the loss {spec.loss!r}": spec.loss in _REFUSED or model.task.heads > 1,
        f"the optimizer {spec.optimizer!r}": spec.optimizer in ("lbfgs", "nadam", None),
        "the Python backend": p.backend != "native",
    }
    _refuse([what for what, there in refused.items() if there])
    assert spec.optimizer is not None
    settings = [float(spec.settings[name]) for name in _names(spec.optimizer)]
    state = model.state  # type: ignore[union-attr]
    numbers = settings + [0.0] * (_NUMBERS - len(settings))
    n_slots = {"sgd": 1, "adagrad": 1, "amsgrad": 3}.get(get_optimizer(spec.optimizer).name, 2)
    if state is None or (state["optimizer"], state["backend"]) != (spec.optimizer, "native"):
        return Training(spec, n_slots, 0, tuple(numbers))
    numbers[len(settings) :] = state["numbers"][len(settings) :]
    slots = tuple(state["slots"])
    return Training(spec, len(slots), state["steps"], tuple(numbers), slots)


def _names(optimizer: str) -> tuple[str, ...]:
    from cnn_core._optimizer import optimizer_settings

    return tuple(optimizer_settings(optimizer))


def _check_model(model: Model | MeanModel) -> None:
    """Raise for networks that a header does not train."""
    from cnn_core.model import Model

    if not isinstance(model, Model):
        raise NotImplementedError("export_c writes no training for the mean of several networks")
    network = model.network
    lanes = 64 // network.dtype.itemsize
    pairs = list(zip(network.activations, network.widths[1:]))
    loss = model.task.loss
    fused = bool(_losses.table()[loss].fused_activations)
    if fused:
        pairs = pairs[:-1]
    wide = any(one == "softmax" and width > lanes for one, width in pairs)
    refused = {
        "embeddings of numbers": network.periodic,
        f"softmax of more than {lanes} outputs with the loss {loss!r}": wide,
    }
    _refuse([what for what, there in refused.items() if there])


def _refuse(found: list[str]) -> None:
    if found:
        words = argument("train", "True", of="export_c")
        raise NotImplementedError(f"{words} does not write {', '.join(found)}")

"""What may be declared, and which networks can keep it."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from cnn_core._checks import is_whole, shown

if TYPE_CHECKING:
    from cnn_core.task import Task

#: Activations that never fall from one floating-point number to the next: of float32 all
#: arguments have been tried, of float64 10^8 pairs (tests/soak/monotone_activations.py). The
#: rounding errors of tanh and softplus are too large for that.
NEVER_FALL = (
    "identity", "step", "sign", "sigmoid", "relu", "leaky_relu", "elu", "selu", "hard_sigmoid",
    "exp",
)  # fmt: skip

#: Those that are convex and never fall, each with the largest number for which it is.
CONVEX = {
    "identity": 0.0,
    "relu": 0.0,
    "leaky_relu": 1.0,
    "elu": 1.0,
    "softplus": 0.0,
    "exp": 0.0,
}

#: What outputs do where each parameter is 1, and -1.
WORDS = {
    "monotone": ("rise with it", "fall with it"),
    "convex": ("are convex in it", "are concave"),
}


def is_convex(activation: str, param: float) -> bool:
    """Whether an activation is convex and never falls."""
    return param <= CONVEX.get(activation, -1.0)


def check_declared(name: str, value: Any) -> None:
    """A dict from columns to 1, -1 or 0."""
    example = {"monotone": "{'age': 1, 'price': -1}", "convex": "{'dose': 1}"}[name]
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict such as {example}, or None, got {shown(value)}")
    for column, sign in value.items():
        if not (isinstance(column, str) or is_whole(column)):
            raise TypeError(f"{name} must name columns, or give their numbers, got {shown(column)}")
        if not is_whole(sign) or sign not in (-1, 0, 1):
            up, down = WORDS[name]
            raise (ValueError if is_whole(sign) else TypeError)(
                f"{name} of {column!r} must be 1, for outputs that {up}, -1 that {down}, or 0, got "
                f"{shown(sign)}"
            )


def check_parameters(p: SimpleNamespace) -> None:
    """Raise where a network of these parameters of MLP could not keep what is declared."""
    for name, given in (("monotone", p.monotone), ("convex", p.convex)):
        if not given:
            continue
        if p.rule.name == "lbfgs":
            raise ValueError(
                f"LBFGS minimises over all weights, and {name} keeps them within bounds; take "
                "another optimizer"
            )
        if p.numeric_embedding is not None:
            raise ValueError(
                f"{name} does not go with numeric_embedding, which turns numbers into waves"
            )
        if p.scale_inputs in ("robust_clip", "robust_asinh"):
            raise ValueError(
                f"{name} needs a linear scaling of the inputs, such as 'standard' or 'auto'; got "
                f"scale_inputs={p.scale_inputs!r}"
            )
        for l, (activation, param) in enumerate(p.activations):
            _check_activation(name, activation, param, f"hidden layer {l + 1}")
    if p.convex and {1, -1} <= set(p.convex.values()) and 1 in p.widths:
        raise ValueError(
            "outputs that are convex in one column and concave in another need two units or more "
            f"in each hidden layer, got hidden={p.hidden!r}"
        )
    if p.convex and p.clip_outputs:
        raise ValueError("convex does not go with clip_outputs, whose limits bend the other way")


def check_task(p: SimpleNamespace, task: Task) -> None:
    """Raise where outputs of this kind cannot keep what is declared."""
    if p.monotone and task.output == "softmax":
        raise ValueError(
            "monotone orders each output by itself, and the probabilities of "
            f"{task.n_outputs} classes share a softmax; two classes with one output, several "
            "labels and numbers can be monotone"
        )
    if p.monotone:
        _check_activation("monotone", task.output, task.output_param, "the output layer")
    if p.convex and task.output != "identity":
        raise ValueError(
            f"convex needs the output 'identity', as a regression has it; got {task.output!r}"
        )


def _check_activation(name: str, activation: str, param: float | None, where: str) -> None:
    if name == "monotone":
        if activation not in NEVER_FALL:
            raise ValueError(
                f"monotone needs activations that never fall, and {activation!r} of {where} does; "
                f"choose from {', '.join(NEVER_FALL)}"
            )
    elif not is_convex(activation, param or 0.0):
        raise ValueError(
            f"convex needs activations that are convex and never fall, and {activation!r} of "
            f"{where} is not; choose from {', '.join(CONVEX)}, with numbers of at most 1"
        )

"""Activations of the native core as modules of PyTorch, and these as ours."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from cnn_core.activations import ELU, LeakyReLU

#: The activation of each class of torch.nn that takes no number.
_PLAIN = {
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "ReLU": "relu",
    "SELU": "selu",
    "SiLU": "swish",
    "Mish": "mish",
    "Hardsigmoid": "hard_sigmoid",
    "Hardswish": "hard_swish",
}

#: The sum z from which PyTorch's Softplus is z itself: there log(1 + e^z) differs from it by e^-z,
#: which is less than a rounding error of z in that dtype.
_THRESHOLDS = {"float32": 20.0, "float64": 40.0}

_KNOWN = (
    "ReLU, LeakyReLU, ELU, SELU, GELU, SiLU, Mish, Softplus, Sigmoid, Tanh, Hardsigmoid, "
    "Hardswish, Softmax and, at the end, LogSoftmax"
)


def torch_or_raise(method: str) -> Any:
    """PyTorch, or an error that names it."""
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise ImportError(
            f"{method} needs the package torch: pip install torch", name="torch"
        ) from None


def module_of(name: str, number: float, dtype: str) -> Any:
    """The module of an activation and its number; None for identity."""
    from torch import nn

    from cnn_core.interchange import torch_modules as own

    made: Any = {
        "identity": lambda: None,
        "leaky_relu": lambda: nn.LeakyReLU(number),
        "elu": lambda: nn.ELU(number),
        "gelu": nn.GELU,
        "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
        "softplus": lambda: nn.Softplus(threshold=_THRESHOLDS[dtype]),
        "softmax": lambda: nn.Softmax(dim=-1),
        "exp": own.Exp,
        "step": own.Step,
        "sign": own.Sign,
        **{ours: getattr(nn, theirs) for theirs, ours in _PLAIN.items()},
    }
    return made[name]()


def activation_of(module: Any, where: str) -> Any:
    """The activation that a module is: a name, an object with its number, or 'log_softmax'.

    Parameters
    ----------
    module : torch.nn.Module
    where : str
        For messages.

    Raises
    ------
    ValueError, TypeError
        For one that there is not here.
    """
    name = type(module).__name__
    if type(module).__module__ == "cnn_core.interchange.torch_modules":
        return name.lower()
    if not type(module).__module__.startswith("torch.nn."):
        raise _unknown(module, where)
    if name in _PLAIN:
        return _PLAIN[name]
    if name == "LeakyReLU":
        slope = _at_least_0(module.negative_slope, f"{where}: negative_slope")
        return "leaky_relu" if slope == LeakyReLU().negative_slope else LeakyReLU(slope)
    if name == "ELU":
        alpha = _at_least_0(module.alpha, f"{where}: alpha")
        return "elu" if alpha == ELU().alpha else ELU(alpha)
    if name == "GELU":
        return "gelu" if module.approximate == "none" else "gelu_tanh"
    if name == "Softplus":
        if module.beta != 1 or module.threshold < _THRESHOLDS["float32"]:
            raise ValueError(
                f"{where} is a Softplus with beta={module.beta:g} and threshold="
                f"{module.threshold:g}; softplus here is that with beta=1 and no threshold"
            )
        return "softplus"
    if name in ("Softmax", "LogSoftmax"):
        if module.dim not in (None, 1, -1):
            raise ValueError(
                f"{where} is a {name} over dimension {module.dim}; softmax here is over the "
                "outputs of each row, dim=-1"
            )
        return "softmax" if name == "Softmax" else "log_softmax"
    raise _unknown(module, where)


def _at_least_0(value: Any, what: str) -> float:
    number = float(value)
    if not (number >= 0 and np.isfinite(number)):
        raise ValueError(f"{what} must be at least 0 here, got {number:g}")
    return number


#: What helps with modules that have no counterpart.
_CURES = {
    "BatchNorm1d": "torch.nn.utils.fusion.fuse_linear_bn_eval(linear, batch_norm) makes one Linear "
    "of it and the Linear before it, which predicts the same",
    "PReLU": "torch.nn.LeakyReLU(float(module.weight)) is the same where it has one parameter",
    "ParametrizedLinear": "torch.nn.utils.parametrize.remove_parametrizations(module, 'weight') "
    "makes a Linear of it",
    "LazyLinear": "it becomes a Linear when it is called once",
}


def _unknown(module: Any, where: str) -> TypeError:
    name = type(module).__name__
    cure = _CURES.get(name, f"layers here are Linear, and activations {_KNOWN}")
    return TypeError(f"{where} is a {name}, which has no counterpart in MLP; {cure}")

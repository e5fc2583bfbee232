"""Modules of PyTorch for what torch.nn has none of: scalings, and a few activations.

Imported by `to_torch` and `from_torch` alone, as it needs PyTorch.
"""

from __future__ import annotations

from typing import Any

import torch

from cnn_core.data.scaling import Scaling
from cnn_core.data.target_scaling import TargetScaling


class _Scaling(torch.nn.Module):
    """Base of scalings: their numbers stay in float64, also where the dtype of a net is changed."""

    def _numbers(self, **numbers: Any) -> None:
        for name, value in numbers.items():
            self.register_buffer(name, torch.tensor(value, dtype=torch.float64))

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        before = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, buffer in self._buffers.items():
            self._buffers[name] = before[name].to(buffer.device)
        return self


class ScaledInputs(_Scaling):
    """x becomes t = (x - shift) * factor, and then what `curve` makes of t; in float64, rounded
    once to the dtype of x.

    Parameters
    ----------
    shift, factor : ndarray of float64, shape (features,)
    curve : {'linear', 'smooth clip', 'asinh'}
        'smooth clip' is t / sqrt(1 + (t / 3)^2).
    """

    def __init__(self, shift: Any, factor: Any, curve: str) -> None:
        super().__init__()
        self._numbers(shift=shift, factor=factor)
        self.curve = curve

    @classmethod
    def of(cls, scaling: Scaling) -> ScaledInputs:
        """The module of a model's scaling."""
        return cls(scaling.shift, scaling.factor, scaling.curve)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scaled rows."""
        t = (x.double() - self.shift) * self.factor
        if self.curve == "asinh":
            t = torch.asinh(t)
        elif self.curve == "smooth clip":
            t = t / torch.sqrt(1 + (t / 3) ** 2)
        return t.to(x.dtype)

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"features={len(self.shift)}, curve={self.curve!r}"


class ScaledTargets(_Scaling):
    """Outputs a of the network become a * factor + shift, kept between low and high; in float64,
    rounded once to their dtype.

    Parameters
    ----------
    factor, shift, low, high : ndarray of float64, shape (outputs,)
    """

    def __init__(self, factor: Any, shift: Any, low: Any, high: Any) -> None:
        super().__init__()
        self._numbers(factor=factor, shift=shift, low=low, high=high)

    @classmethod
    def of(cls, scaling: TargetScaling) -> ScaledTargets:
        """The module of a model's scaling."""
        return cls(scaling.factor, scaling.shift, scaling.low, scaling.high)

    def forward(self, a: torch.Tensor) -> torch.Tensor:
        """Numbers in the units of y."""
        y = a.double() * self.factor + self.shift
        return torch.clamp(y, self.low, self.high).to(a.dtype)

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"outputs={len(self.shift)}"


class Exp(torch.nn.Module):
    """e^z."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Of each entry."""
        return torch.exp(z)


class Step(torch.nn.Module):
    """1 above 0, else 0."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Of each entry."""
        return (z > 0).to(z.dtype)


class Sign(torch.nn.Module):
    """1 above 0, else -1."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Of each entry."""
        return 2 * (z > 0).to(z.dtype) - 1

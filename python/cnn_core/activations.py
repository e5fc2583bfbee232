"""Activations whose number is chosen: objects to give in the place of a name. The functions are
kernels/activations.inc.h."""

from typing import ClassVar

from cnn_core._activations import names, parameters
from cnn_core._checks import check_number
from cnn_core._names import choose
from cnn_core._settings import Settings


class Activation(Settings):
    """Base of the activations that take a number; its subclasses have it as their only field."""

    name: ClassVar[str]  # in the table of the native core

    def _validate(self) -> None:
        name = parameters()[self.name][0]
        check_number(f"{type(self).__name__}: {name}", self.activation_param, 0)

    @property
    def activation_param(self) -> float:
        """The number, whatever its field is called."""
        value: float = getattr(self, parameters()[self.name][0])
        return value


class LeakyReLU(Activation):
    """z above 0, ``negative_slope * z`` below: Maas et al. 2013, "Rectifier nonlinearities improve
    neural network acoustic models".

    Parameters
    ----------
    negative_slope : float, default 0.01
        At least 0; also the derivative at 0.
    """

    name = "leaky_relu"
    negative_slope: float

    def __init__(self, negative_slope: float = 0.01) -> None:
        self._set(negative_slope=negative_slope)


class ELU(Activation):
    """z above 0, ``alpha * (e^z - 1)`` below: Clevert et al. 2016, "Fast and accurate deep network
    learning by exponential linear units", eq. 15.

    Parameters
    ----------
    alpha : float, default 1
        At least 0.
    """

    name = "elu"
    alpha: float

    def __init__(self, alpha: float = 1.0) -> None:
        self._set(alpha=alpha)


def get_activation(activation: str | Activation) -> tuple[str, float | None]:
    """The name in the kernels' table and the number that a user means.

    Parameters
    ----------
    activation : str or Activation

    Returns
    -------
    name : str
    activation_param : float or None
        None: that of the literature.
    """
    if isinstance(activation, Activation):
        return activation.name, float(activation.activation_param)
    return names()[choose("activation", activation, names())], None

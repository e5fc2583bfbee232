"""Optimizers: what they are called and which settings they have. The arithmetic is kernels/optimizers.inc.h."""

from dataclasses import dataclass

from cnn_core._cpu import choose
from cnn_core._training import optimizer_names, optimizer_settings


@dataclass(frozen=True)
class Optimizer:
    """Base of all optimizers: a name in the kernels' table and a value for each of its settings."""

    learning_rate: float

    def __post_init__(self):
        _check(self, "learning_rate", 0, None, above=True)

    @property
    def name(self):
        """The name in the table of the native core."""
        return type(self).__name__.lower()

    def settings(self, learning_rate=None):
        """The numbers that the kernel works with.

        Parameters
        ----------
        learning_rate : float, optional
            Instead of the optimizer's own.

        Returns
        -------
        dict of str to float
        """
        values = {name: float(getattr(self, name)) for name in optimizer_settings(self.name)}
        if learning_rate is not None:
            values["learning_rate"] = float(learning_rate)
        return values


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if asked for.

    ::

        v <- momentum v - learning_rate g
        w <- w + v                                       plain momentum
        w <- w + momentum v - learning_rate g            nesterov

    With a constant learning rate this is what Keras, scikit-learn and PyTorch compute; where the rate changes, PyTorch
    scales the old velocity by the new rate and the others, as here, do not.

    Parameters
    ----------
    learning_rate : float, default 0.01
        Above 0.
    momentum : float, default 0
        In [0, 1). Polyak 1964, "Some methods of speeding up the convergence of iteration methods".
    nesterov : bool, default False
        Nesterov's accelerated form: Sutskever et al. 2013, "On the importance of initialization and momentum in deep
        learning", eq. 3-4, in the shifted variables of Bengio et al. 2013, "Advances in optimizing recurrent
        networks", eq. 7.
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self):
        super().__post_init__()
        _check(self, "momentum", 0, 1)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adaptive moment estimation: Kingma & Ba 2015, "Adam: a method for stochastic optimization", Algorithm 1.

    ::

        m <- beta1 m + (1 - beta1) g            m^ = m / (1 - beta1^t)
        v <- beta2 v + (1 - beta2) g^2          v^ = v / (1 - beta2^t)
        w <- w - learning_rate m^ / (sqrt(v^) + epsilon)

    Parameters
    ----------
    learning_rate : float, default 0.001
        Above 0.
    beta1, beta2 : float, default 0.9 and 0.999
        Decay of the two moments, in [0, 1).
    epsilon : float, default 1e-8
        Above 0; outside the square root.
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self):
        super().__post_init__()
        _check(self, "beta1", 0, 1)
        _check(self, "beta2", 0, 1)
        _check(self, "epsilon", 0, None, above=True)


def _check(optimizer, name, low, high, above=False):
    check_number(f"{type(optimizer).__name__}: {name}", getattr(optimizer, name), low, high, above)


def check_number(what, value, low, high, above=False):
    """Raise unless `value` is a finite number in [low, high), or in (low, high) with `above`."""
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        raise TypeError(f"{what} must be a number, got {value!r}")
    number = float(value)
    inside = (number > low if above else number >= low) and (number < high if high is not None else number < 1e300)
    if not inside:
        allowed = f"{'above' if above else 'at least'} {low}" + (f" and below {high}" if high is not None else "")
        raise ValueError(f"{what} must be a finite number {allowed}, got {value!r}")


_CLASSES = {cls.__name__.lower(): cls for cls in (SGD, Adam)}


def get_optimizer(optimizer):
    """The optimizer that a user means.

    Parameters
    ----------
    optimizer : str or Optimizer

    Returns
    -------
    Optimizer
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    return _CLASSES[optimizer_names()[choose("optimizer", optimizer, optimizer_names())]]()

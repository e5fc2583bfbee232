"""Optimizers: what they are called and which settings they have. The arithmetic is
kernels/optimizers.inc.h."""

import functools
from collections.abc import Callable

from cnn_core._checks import check_number, is_whole
from cnn_core._names import choose
from cnn_core._optimizer import optimizer_settings
from cnn_core._settings import Settings


class Optimizer(Settings):
    """Base of all optimizers: a name in the kernels' table and a value for each of its settings."""

    full_batch = False  # whether the rule makes sense for the whole training set only

    learning_rate: float

    def __init__(self, learning_rate: float) -> None:
        self._set(learning_rate=learning_rate)

    def _validate(self) -> None:
        _check(self, "learning_rate", 0, None, above=True)

    @property
    def name(self) -> str:
        """The name in the table of the native core."""
        return type(self).__name__.lower()

    def settings(self, learning_rate: float | None = None) -> dict[str, float]:
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


class SGD(Optimizer):
    """Stochastic gradient descent (Robbins & Monro 1951), with momentum if asked for.

    ::

        v <- momentum v - learning_rate g
        w <- w + v                                       plain momentum
        w <- w + momentum v - learning_rate g            nesterov

    With a constant learning rate this is what Keras, scikit-learn and PyTorch compute. Where the
    rate changes, PyTorch scales the old velocity by the new rate; the others, as here, do not.

    Parameters
    ----------
    learning_rate : float, default 0.01
        Above 0.
    momentum : float, default 0
        In [0, 1). Polyak 1964, "Some methods of speeding up the convergence of iteration methods".
    nesterov : bool, default False
        Nesterov's accelerated form: Sutskever et al. 2013, "On the importance of initialization and
        momentum in deep learning", eq. 3-4, in the shifted variables of Bengio et al. 2013,
        "Advances in optimizing recurrent networks", eq. 7.
    """

    momentum: float
    nesterov: bool

    def __init__(
        self,
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        self._set(learning_rate=learning_rate, momentum=momentum, nesterov=nesterov)

    def _validate(self) -> None:
        super()._validate()
        _check(self, "momentum", 0, 1)
        _check_flag(self, "nesterov")


class Adagrad(Optimizer):
    """Duchi et al. 2011, "Adaptive subgradient methods for online learning and stochastic
    optimization", diagonal form.

    ::

        v <- v + g^2
        w <- w - learning_rate g / (sqrt(v) + epsilon)

    Parameters
    ----------
    learning_rate : float, default 0.01
    epsilon : float, default 1e-10
        Above 0.
    """

    epsilon: float

    def __init__(
        self,
        learning_rate: float = 0.01,
        epsilon: float = 1e-10,
    ) -> None:
        self._set(learning_rate=learning_rate, epsilon=epsilon)

    def _validate(self) -> None:
        super()._validate()
        _check(self, "epsilon", 0, None, above=True)


class Adadelta(Optimizer):
    """Zeiler 2012, "ADADELTA: an adaptive learning rate method", Algorithm 1.

    ::

        v <- rho v + (1 - rho) g^2
        step = g sqrt(u + epsilon) / sqrt(v + epsilon)
        u <- rho u + (1 - rho) step^2
        w <- w - learning_rate step

    Parameters
    ----------
    learning_rate : float, default 1
        1 is the paper's rule.
    rho : float, default 0.95
        In [0, 1).
    epsilon : float, default 1e-6
        Above 0.
    """

    rho: float
    epsilon: float

    def __init__(
        self,
        learning_rate: float = 1.0,
        rho: float = 0.95,
        epsilon: float = 1e-6,
    ) -> None:
        self._set(learning_rate=learning_rate, rho=rho, epsilon=epsilon)

    def _validate(self) -> None:
        super()._validate()
        _check(self, "rho", 0, 1)
        _check(self, "epsilon", 0, None, above=True)


class RMSprop(Optimizer):
    """Tieleman & Hinton 2012, "Neural networks for machine learning", lecture 6e; with momentum as
    in Graves 2013.

    ::

        v <- rho v + (1 - rho) g^2
        m <- momentum m + g / (sqrt(v) + epsilon)
        w <- w - learning_rate m

    PyTorch's rule, with epsilon outside the square root; its defaults are a learning rate of 0.01
    and rho 0.99.

    Parameters
    ----------
    learning_rate : float, default 0.001
    rho : float, default 0.9
        In [0, 1).
    momentum : float, default 0
        In [0, 1).
    epsilon : float, default 1e-8
        Above 0.
    """

    rho: float
    momentum: float
    epsilon: float

    def __init__(
        self,
        learning_rate: float = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-8,
    ) -> None:
        self._set(learning_rate=learning_rate, rho=rho, momentum=momentum, epsilon=epsilon)

    def _validate(self) -> None:
        super()._validate()
        _check(self, "rho", 0, 1)
        _check(self, "momentum", 0, 1)
        _check(self, "epsilon", 0, None, above=True)


class Adam(Optimizer):
    """Adaptive moment estimation: Kingma & Ba 2015, "Adam: a method for stochastic optimization",
    Algorithm 1.

    ::

        m <- beta1 m + (1 - beta1) g            m^ = m / (1 - beta1^t)
        v <- beta2 v + (1 - beta2) g^2          v^ = v / (1 - beta2^t)
        w <- w - learning_rate m^ / (sqrt(v^) + epsilon)

        amsgrad: v^ = largest v so far / (1 - beta2^t)
        epsilon_hat: w <- w - learning_rate m^ sqrt(1 - beta2^t) / (sqrt(v) + epsilon)

    Parameters
    ----------
    learning_rate : float, default 0.001
        Above 0.
    beta1, beta2 : float, default 0.9 and 0.999
        Decay of the two moments, in [0, 1).
    epsilon : float, default 1e-8
        Above 0; outside the square root.
    amsgrad : bool, default False
        Divide by the largest v so far: Reddi et al. 2018, "On the convergence of Adam and beyond",
        Algorithm 2. The bias correction applies to that largest v, as in PyTorch; the paper has
        none.
    epsilon_hat : bool, default False
        Add epsilon to sqrt(v) before the bias correction, which then applies to their sum: the
        variant at the end of the paper's section 2, as in Keras and scikit-learn. Not with
        `amsgrad`.
    """

    beta1: float
    beta2: float
    epsilon: float
    amsgrad: bool
    epsilon_hat: bool

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        amsgrad: bool = False,
        epsilon_hat: bool = False,
    ) -> None:
        self._set(
            learning_rate=learning_rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            amsgrad=amsgrad,
            epsilon_hat=epsilon_hat,
        )

    def _validate(self) -> None:
        super()._validate()
        _check_moments(self)
        _check_flag(self, "amsgrad")
        _check_flag(self, "epsilon_hat")
        if self.amsgrad and self.epsilon_hat:
            raise ValueError("Adam: amsgrad and epsilon_hat do not go together")

    @property
    def name(self) -> str:
        """The name in the table of the native core."""
        return "amsgrad" if self.amsgrad else "adam_hat" if self.epsilon_hat else "adam"


class AdamW(Optimizer):
    """Adam with decoupled weight decay: Loshchilov & Hutter 2019, "Decoupled weight decay
    regularization", Algorithm 2.

    ::

        w <- w - learning_rate weight_decay w, then Adam's step

    Weights and biases decay alike, unless ``decay_factors`` of MLP says otherwise. As in PyTorch
    and Keras, the decay is multiplied by the whole learning rate: 0.01 at a rate of 0.001 takes
    1e-5 w off w in each step. The paper multiplies it by the schedule's factor alone.

    Parameters
    ----------
    learning_rate, beta1, beta2, epsilon
        As for `Adam`.
    weight_decay : float, default 0.01
        At least 0.
    """

    beta1: float
    beta2: float
    epsilon: float
    weight_decay: float

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        self._set(
            learning_rate=learning_rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            weight_decay=weight_decay,
        )

    def _validate(self) -> None:
        super()._validate()
        _check_moments(self)
        _check(self, "weight_decay", 0, None)


class Nadam(Optimizer):
    """Adam with Nesterov's momentum: Dozat 2016, "Incorporating Nesterov momentum into Adam",
    Algorithm 2.

    ::

        m, v and v^ as in Adam
        mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)
        m^ = mu_(t+1) m / (1 - mu_1 ... mu_(t+1)) + (1 - mu_t) g / (1 - mu_1 ... mu_t)
        w <- w - learning_rate m^ / (sqrt(v^) + epsilon)

    Parameters
    ----------
    learning_rate : float, default 0.002
    beta1, beta2, epsilon
        As for `Adam`.
    momentum_decay : float, default 0.004
        At least 0.
    """

    beta1: float
    beta2: float
    epsilon: float
    momentum_decay: float

    def __init__(
        self,
        learning_rate: float = 0.002,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        momentum_decay: float = 0.004,
    ) -> None:
        self._set(
            learning_rate=learning_rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            momentum_decay=momentum_decay,
        )

    def _validate(self) -> None:
        super()._validate()
        _check_moments(self)
        _check(self, "momentum_decay", 0, None)


class Rprop(Optimizer):
    """Resilient backpropagation: Riedmiller & Braun 1993, in the form iRprop- of Igel & Huesken
    2000; full batch.

    ::

        size <- min(step_max, eta_plus size)        where g has the sign of the last g
        size <- max(step_min, eta_minus size)       where it has the other sign; there g <- 0
        w <- w - sign(g) size

    Each parameter has a step size of its own. Only signs of gradients count, and a g of 0 has
    none; mini-batches, whose signs are noisy, would mislead the rule.

    Parameters
    ----------
    learning_rate : float, default 0.01
        The first step size.
    eta_minus, eta_plus : float, default 0.5 and 1.2
        In (0, 1) and above 1.
    step_min, step_max : float, default 1e-6 and 50
        Bounds of the step sizes, above 0.
    """

    full_batch = True

    eta_minus: float
    eta_plus: float
    step_min: float
    step_max: float

    def __init__(
        self,
        learning_rate: float = 0.01,
        eta_minus: float = 0.5,
        eta_plus: float = 1.2,
        step_min: float = 1e-6,
        step_max: float = 50.0,
    ) -> None:
        self._set(
            learning_rate=learning_rate,
            eta_minus=eta_minus,
            eta_plus=eta_plus,
            step_min=step_min,
            step_max=step_max,
        )

    def _validate(self) -> None:
        super()._validate()
        _check(self, "eta_minus", 0, 1, above=True)
        _check(self, "eta_plus", 1, None, above=True)
        _check(self, "step_min", 0, None, above=True)
        _check(self, "step_max", self.step_min, None)


class LBFGS(Optimizer):
    """Limited-memory BFGS: Liu & Nocedal 1989, "On the limited memory BFGS method for large scale
    optimization"; Nocedal & Wright 2006, "Numerical optimization", algorithms 7.4, 3.5 and 3.6;
    full batch.

    ::

        w <- w - s H g

    H approximates the inverse Hessian from the last `memory` steps and changes of the gradient. The
    line search ends at an s that fulfils the strong Wolfe conditions with c1 = 1e-4 and c2 = 0.9,
    or after `max_evaluations`. An epoch is one such step, for which cost and gradient are computed
    a few times. Training ends before `epochs` when no lower cost is found.

    PyTorch's LBFGS with 'strong_wolfe' takes the same steps as long as it goes on. It also stops
    where the slope along the step is above -1e-9, and its `max_eval` counts the evaluations of all
    line searches of a call together.

    Parameters
    ----------
    learning_rate : float, default 1
        The first trial for s, above 0; in the very first step it is divided by the sum of abs(g) if
        that is above 1.
    memory : int, default 10
        Pairs of steps and gradient changes that are kept.
    tolerance : float, default 1e-7
        Training ends when no entry of the gradient is larger, at least 0.
    max_evaluations : int, default 25
        Of cost and gradient in one line search.
    """

    full_batch = True

    memory: int
    tolerance: float
    max_evaluations: int

    def __init__(
        self,
        learning_rate: float = 1.0,
        memory: int = 10,
        tolerance: float = 1e-7,
        max_evaluations: int = 25,
    ) -> None:
        self._set(
            learning_rate=learning_rate,
            memory=memory,
            tolerance=tolerance,
            max_evaluations=max_evaluations,
        )

    def _validate(self) -> None:
        super()._validate()
        _check(self, "tolerance", 0)
        for name in ("memory", "max_evaluations"):
            if not is_whole(getattr(self, name)) or getattr(self, name) < 1:
                raise ValueError(
                    f"LBFGS: {name} must be a whole number of at least 1, got "
                    f"{getattr(self, name)!r}"
                )

    def settings(self, learning_rate: float | None = None) -> dict[str, float]:
        values = {name: float(value) for name, value in vars(self).items()}
        return values if learning_rate is None else values | {"learning_rate": float(learning_rate)}


def _check_flag(optimizer: Optimizer, name: str) -> None:
    if not isinstance(getattr(optimizer, name), bool):
        raise TypeError(
            f"{type(optimizer).__name__}: {name} must be True or False, got "
            f"{getattr(optimizer, name)!r}"
        )


def _check_moments(optimizer: Optimizer) -> None:
    _check(optimizer, "beta1", 0, 1)
    _check(optimizer, "beta2", 0, 1)
    _check(optimizer, "epsilon", 0, None, above=True)


def _check(
    optimizer: Optimizer,
    name: str,
    low: float,
    high: float | None = None,
    above: bool = False,
) -> None:
    check_number(f"{type(optimizer).__name__}: {name}", getattr(optimizer, name), low, high, above)


OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    cls.__name__.lower(): cls
    for cls in (SGD, Adagrad, Adadelta, RMSprop, Adam, AdamW, Nadam, Rprop, LBFGS)
}
OPTIMIZERS["amsgrad"] = lambda: Adam(amsgrad=True)
OPTIMIZERS["adam_hat"] = lambda: Adam(epsilon_hat=True)


def get_optimizer(optimizer: str | Optimizer) -> Optimizer:
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
    names = tuple(OPTIMIZERS)
    if not isinstance(optimizer, str):
        raise TypeError(
            "optimizer must be a name or an object such as Adam(learning_rate=0.001), got "
            f"{optimizer!r}; "
            f"the names are {', '.join(names)}"
        )
    return _by_name(names[choose("optimizer", optimizer, names)])


@functools.cache
def _by_name(name: str) -> Optimizer:
    return OPTIMIZERS[name]()

"""Initial weights: uniform, normal or orthogonal, as pure functions of (seed, layer, position).
Biases are 0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cnn_core._checks import check_number
from cnn_core._functions import logarithms
from cnn_core._linalg import matvec
from cnn_core._names import choose
from cnn_core._random import uniform
from cnn_core._settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from numpy.typing import ArrayLike, NDArray

    from cnn_core._network import Network

    Weights: TypeAlias = NDArray[np.float64]

#: Activations that pass about half of their input on, for which He et al. 2015 derived their scale.
RELU_FAMILY = ("relu", "leaky_relu", "elu", "gelu", "gelu_tanh", "swish", "mish", "hard_swish")


class Initializer(Settings):
    """Base of the ways to draw a layer's weights."""

    def weights(
        self,
        seed: int,
        layer: int,
        n_in: int,
        n_out: int,
        activation: str,
        activation_param: float,
    ) -> Weights:
        """A layer's W.

        Parameters
        ----------
        seed, layer : int
        n_in, n_out : int
        activation : str
            The layer's own.
        activation_param : float
            Its number.

        Returns
        -------
        ndarray of float64, shape (n_out, n_in)
        """
        raise NotImplementedError


class Uniform(Initializer):
    """Base of those that draw evenly from [-limit, limit); the standard deviation is limit / sqrt
    3."""

    def __init__(self) -> None:
        self._set()

    @staticmethod
    def limit(n_in: int, n_out: int, activation: str, activation_param: float) -> float:
        raise NotImplementedError

    def weights(
        self,
        seed: int,
        layer: int,
        n_in: int,
        n_out: int,
        activation: str,
        activation_param: float,
    ) -> Weights:
        limit = self.limit(n_in, n_out, activation, activation_param)
        return (2 * uniform(seed, layer, n_in * n_out) - 1).reshape(n_out, n_in) * limit


class He(Uniform):
    """sqrt(6 / n_in): He et al. 2015, "Delving deep into rectifiers", eq. 10; for leaky_relu sqrt(6
    / ((1 + slope^2) n_in)), eq. 15."""

    @staticmethod
    def limit(n_in: int, n_out: int, activation: str, activation_param: float) -> float:
        slope = activation_param if activation == "leaky_relu" else 0.0
        return math.sqrt(6 / ((1 + slope * slope) * n_in))


class Glorot(Uniform):
    """sqrt(6 / (n_in + n_out)): Glorot & Bengio 2010, "Understanding the difficulty of training
    deep feedforward neural networks", eq. 16."""

    @staticmethod
    def limit(n_in: int, n_out: int, activation: str, activation_param: float) -> float:
        return math.sqrt(6 / (n_in + n_out))


class LeCun(Uniform):
    """sqrt(3 / n_in), for a variance of 1 / n_in: LeCun et al. 1998, "Efficient backprop", section
    4.6."""

    @staticmethod
    def limit(n_in: int, n_out: int, activation: str, activation_param: float) -> float:
        return math.sqrt(3 / n_in)


class Auto(Uniform):
    """`LeCun` for selu, as Klambauer et al. 2017 ask for, `He` for relu and its relatives, `Glorot`
    for all others."""

    @staticmethod
    def limit(n_in: int, n_out: int, activation: str, activation_param: float) -> float:
        kind: type[Uniform] = Glorot
        if activation == "selu":
            kind = LeCun
        elif activation in RELU_FAMILY:
            kind = He
        return kind.limit(n_in, n_out, activation, activation_param)


class Normal(Initializer):
    """Small random numbers, normally distributed around 0.

    Parameters
    ----------
    scale : float, default 0.1
        Standard deviation, above 0.
    """

    scale: float

    def __init__(self, scale: float = 0.1) -> None:
        self._set(scale=scale)

    def _validate(self) -> None:
        check_number("Normal: scale", self.scale, 0, above=True)

    def weights(
        self,
        seed: int,
        layer: int,
        n_in: int,
        n_out: int,
        activation: str,
        activation_param: float,
    ) -> Weights:
        return normal(seed, layer, n_in * n_out).reshape(n_out, n_in) * self.scale


class Orthogonal(Initializer):
    """Orthonormal rows, or columns where there are more rows than columns: Saxe et al. 2014, "Exact
    solutions to the nonlinear dynamics of learning in deep linear neural networks".

    Parameters
    ----------
    gain : float, default 1
        What all singular values are, above 0.
    """

    gain: float

    def __init__(self, gain: float = 1.0) -> None:
        self._set(gain=gain)

    def _validate(self) -> None:
        check_number("Orthogonal: gain", self.gain, 0, above=True)

    def weights(
        self,
        seed: int,
        layer: int,
        n_in: int,
        n_out: int,
        activation: str,
        activation_param: float,
    ) -> Weights:
        few, many = sorted((n_in, n_out))
        Q = normal(seed, layer, few * many).reshape(few, many)
        # Gram & Schmidt, each row twice: that is enough for orthogonality to the last digits.
        # LAPACK's bits would depend on the machine.
        for i in range(few):
            for _ in range(2):
                if i:
                    Q[i] -= matvec(np.ascontiguousarray(Q[:i].T), matvec(Q[:i], Q[i]))
                Q[i] /= np.sqrt(matvec(Q[i : i + 1], Q[i])[0])
        return np.ascontiguousarray(Q if n_out <= n_in else Q.T) * self.gain


class Zeros(Initializer):
    """All 0: for a network without hidden layers. In hidden layers all neurons would stay alike."""

    def __init__(self) -> None:
        self._set()

    def weights(
        self,
        seed: int,
        layer: int,
        n_in: int,
        n_out: int,
        activation: str,
        activation_param: float,
    ) -> Weights:
        return np.zeros((n_out, n_in))


INITIALIZERS: dict[str, Callable[[], Initializer]] = {
    "auto": Auto,
    "he": He,
    "glorot": Glorot,
    "lecun": LeCun,
    "normal": Normal,
    "orthogonal": Orthogonal,
    "zeros": Zeros,
}


def get_initializer(init: str | Initializer) -> Initializer:
    """The initializer that a user means.

    Parameters
    ----------
    init : str or Initializer

    Returns
    -------
    Initializer
    """
    if isinstance(init, Initializer):
        return init
    names = tuple(INITIALIZERS)
    return INITIALIZERS[names[choose("init", init, names)]]()


def normal(seed: int, stream: int, n: int) -> Weights:
    """Numbers from the standard normal distribution: the polar method (Marsaglia & Bray 1964) on
    the native core's own logarithm, so that the bits are the same everywhere.

    Parameters
    ----------
    seed, stream : int
        As for `_random.uniform`.
    n : int

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    pairs = n  # twice as many as are needed; pi / 4 of them lie inside the circle
    while True:
        x = 2 * uniform(seed, stream, 2 * pairs).reshape(-1, 2) - 1
        square = x[:, 0] * x[:, 0] + x[:, 1] * x[:, 1]
        inside = (square > 0) & (square < 1)
        x, square = x[inside], square[inside]
        if 2 * len(x) >= n:
            break
        pairs *= 2
    return (x * np.sqrt(-2 * logarithms(square) / square)[:, None]).ravel()[:n]


#: Vectors of embedded columns begin uniform between this and its negative, as in Keras and so in
#: Guo & Berkhahn 2016, arXiv 1604.06737: near the 0 of unknown categories.
EMBEDDED = 0.05
#: Their random numbers begin with this stream; those of layers count from 0.
FOR_EMBEDDINGS = 1 << 31


#: The same of periodic embeddings.
FOR_PERIODIC = 3 << 30


def initialize_periodic(network: Network, scale: float, seed: int) -> None:
    """Set the parameters of a network's periodic embeddings: frequencies from the normal
    distribution with this standard deviation, phases even in [-pi, pi), the linear map even in +-1
    / sqrt(frequencies), as in Holzmueller et al. 2024, arXiv 2407.04491."""
    w, c, V, d = network.periodic_parameters()
    limit = 1 / math.sqrt(w.shape[1])

    def even(stream: int, values: np.ndarray, limit: float) -> Weights:
        u = uniform(seed, FOR_PERIODIC + stream, values.size)
        return (limit * (2 * u - 1)).reshape(values.shape)

    w = normal(seed, FOR_PERIODIC, w.size).reshape(w.shape) * scale
    network.set_periodic(w, even(1, c, math.pi), even(2, V, limit), even(3, d, limit))


def initialize(
    network: Network,
    init: str | Initializer | Sequence[tuple[ArrayLike, ArrayLike]],
    seed: int,
) -> None:
    """Set a network's parameters. `init` is that of the layers.

    Parameters
    ----------
    network : Network
    init : str, Initializer, or list of (W, b)
    seed : int
    """
    for layer, (n_in, n_out) in enumerate(zip(network.widths, network.widths[1:])):
        if isinstance(init, (str, Initializer)):
            activation, param = network.activations[layer], network.activation_params[layer]
            W = get_initializer(init).weights(seed, layer, n_in, n_out, activation, param)
            network.set_layer(layer, W, np.zeros(n_out))
        else:
            network.set_layer(layer, *init[layer])
    for i, shape in enumerate(network.embeddings):
        u = uniform(seed, FOR_EMBEDDINGS + i, shape[0] * shape[1])
        network.vectors(i)[:] = (EMBEDDED * (2 * u - 1)).reshape(shape)

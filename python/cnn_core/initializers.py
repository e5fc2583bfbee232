"""Initial weights: uniform, normal or orthogonal, as pure functions of (seed, layer, position), and
biases of 0; or both fitted to training rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cnn_core._activations import activation as activation_of
from cnn_core._checks import check_number
from cnn_core._functions import logarithms
from cnn_core._linalg import column_sums, matmul, matvec
from cnn_core._names import choose
from cnn_core._random import uniform
from cnn_core._settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from numpy.typing import ArrayLike, NDArray

    from cnn_core._network import Network
    from cnn_core.constraints.bounds import Bounds

    Weights: TypeAlias = NDArray[np.float64]

#: Activations that pass about half of their input on, for which He et al. 2015 derived their scale.
RELU_FAMILY = ("relu", "leaky_relu", "elu", "gelu", "gelu_tanh", "swish", "mish", "hard_swish")


class Initializer(Settings):
    """Base of the ways to draw a layer's weights."""

    #: Whether the layers are then fitted to training rows, one after the other; see `fitted`.
    reads_rows = False

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

    def fitted(
        self, seed: int, layer: int, W: Weights, inputs: Weights, bias: bool
    ) -> tuple[Weights, Weights]:
        """A layer's (W, b) from its weights as drawn and what it reads of some training rows; asked
        for where `reads_rows` is True.

        Parameters
        ----------
        seed, layer : int
        W : ndarray of float64, shape (n_out, n_in)
            From `weights`.
        inputs : ndarray of float64, shape (rows, n_in)
            The outputs of the layers below, which have their parameters already, without dropout.
        bias : bool
            Whether the layer has biases; those of one without are 0.

        Returns
        -------
        W, b : ndarray of float64, shapes (n_out, n_in) and (n_out,)
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


#: Rows whose weighted mean each bias of `DataDriven` is the negative of: "he+5".
POINTS = 5
#: Below this share of their size, and outside of these bounds, the deviations of z are rounding
#: errors, or no deviations that weights in float32 can make up for.
ALIKE, SMALLEST, LARGEST = 1e-6, 1e-30, 1e30


class DataDriven(Initializer):
    """Normal weights that are divided by the standard deviation of z = W a over training rows, and
    biases that put z = 0 among these rows: the initialization of RealMLP-TD, Holzmueller,
    Grinsztajn & Steinwart 2024, "Better by default", arXiv 2407.04491; the weights after Mishkin &
    Matas 2016, "All you need is a good init", the biases ("he+5") after Steinwart 2019, "A sober
    look at neural network initializations".

    Layer by layer, the last one too, on a sample of the rows as the network reads them:

        W_j = v / sd(v a) over the rows, v ~ N(0, 1) for each input
        b_j = -sum_k p_k W_j a^(i_k), of 5 random rows i_k, p_k ~ Exp(1) divided by their sum

    A neuron whose z are alike in all rows keeps weights of variance 1 / n_in, and the bias 0.
    """

    reads_rows = True

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
        return normal(seed, layer, n_in * n_out).reshape(n_out, n_in) / math.sqrt(n_in)

    def fitted(
        self, seed: int, layer: int, W: Weights, inputs: Weights, bias: bool
    ) -> tuple[Weights, Weights]:
        rows, n_out = len(inputs), len(W)
        z = matmul(inputs, np.ascontiguousarray(W.T))
        with np.errstate(all="ignore"):  # of z that are alike, and of numbers beyond 1e150
            # Less the first row: what is the same in all rows has then the deviation 0.
            mean = z[0] + column_sums(z, z[0].copy(), 1) / rows
            sd = np.sqrt(column_sums(z, mean, 2) / rows)
            varies = (sd > ALIKE * np.abs(mean)) & (sd > SMALLEST) & (sd < LARGEST)
            z = np.where(varies, z / sd, 0.0)
        W = W / np.where(varies, sd, 1.0)[:, None]
        b, total = np.zeros(n_out), np.zeros(n_out)
        if bias:
            u = uniform(seed, FOR_BIASES + layer, 2 * POINTS * n_out).reshape(2, POINTS, n_out)
            for chosen, p in zip((u[0] * rows).astype(np.intp), -logarithms(1 - u[1])):
                b -= p * z[chosen, np.arange(n_out)]
                total += p
            b /= total
        return W, b


INITIALIZERS: dict[str, Callable[[], Initializer]] = {
    "auto": Auto,
    "he": He,
    "glorot": Glorot,
    "lecun": LeCun,
    "normal": Normal,
    "orthogonal": Orthogonal,
    "zeros": Zeros,
    "data_driven": DataDriven,
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


def reads_rows(init: object) -> bool:
    """Whether an `init` is fitted to training rows.

    Parameters
    ----------
    init : str, Initializer, or list of (W, b)

    Returns
    -------
    bool
    """
    return isinstance(init, (str, Initializer)) and get_initializer(init).reads_rows


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
#: Random numbers of layers have the layer as their stream; others begin with these.
FOR_PERIODIC, FOR_EMBEDDINGS, FOR_BIASES, FOR_ROWS = 3 << 30, 1 << 31, 1 << 30, 1 << 29
#: Rows that layers are fitted to, at least if there are as many and at most, and numbers of the
#: widest layer for them.
MOST_ROWS, FEWEST_ROWS, NUMBERS = 1 << 10, 1 << 8, 1 << 21


def sample_of_rows(seed: int, rows: int, width: int) -> NDArray[np.intp]:
    """The rows that layers are fitted to: a random one of each n / m successive ones.

    Parameters
    ----------
    seed : int
    rows : int
    width : int
        Of the widest layer, inputs included.

    Returns
    -------
    ndarray of intp, ascending
    """
    m = min(max(NUMBERS // width, FEWEST_ROWS), MOST_ROWS)
    if rows <= m:
        return np.arange(rows)
    at = (np.arange(m) + uniform(seed, FOR_ROWS, m)) * (rows / m)
    return np.minimum(at.astype(np.intp), rows - 1)


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
    rows: ArrayLike | None = None,
    bounds: Bounds | None = None,
) -> None:
    """Set a network's parameters. `init` is that of the layers.

    Parameters
    ----------
    network : Network
    init : str, Initializer, or list of (W, b)
    seed : int
    rows : array-like, shape (rows, n_features), optional
        A sample of the training rows as the network reads them, for an `init` that `reads_rows`.
    bounds : Bounds, optional
        That the weights are to lie in; those that are given do already.
    """
    for i, shape in enumerate(network.embeddings):
        u = uniform(seed, FOR_EMBEDDINGS + i, shape[0] * shape[1])
        network.vectors(i)[:] = (EMBEDDED * (2 * u - 1)).reshape(shape)
    if isinstance(init, (str, Initializer)):
        _draw(network, get_initializer(init), seed, rows, bounds)
    else:
        for layer, pair in enumerate(init):
            network.set_layer(layer, *pair)


def _draw(
    network: Network,
    init: Initializer,
    seed: int,
    rows: ArrayLike | None,
    bounds: Bounds | None,
) -> None:
    """Set the layers; those that are fitted to rows in float64, so that both dtypes get the same
    parameters but for rounding."""
    inputs: Weights = np.empty((0, 0))
    if init.reads_rows:
        if rows is None:
            raise ValueError(f"init={init!r} is learned from rows; give initialize X and y")
        inputs = network.read(rows).astype(np.float64)
    for layer, (n_in, n_out) in enumerate(zip(network.widths, network.widths[1:])):
        name, param = network.activations[layer], network.activation_params[layer]
        W, b = init.weights(seed, layer, n_in, n_out, name, param), np.zeros(n_out)
        if bounds is not None:
            W = bounds.folded(layer, W)
        if init.reads_rows:
            W, b = init.fitted(seed, layer, W, inputs, network.has_bias)
            if layer < network.n_layers - 1:
                z = matmul(inputs, np.ascontiguousarray(W.T)) + b
                inputs = activation_of(name, z, param)
        network.set_layer(layer, W, b)

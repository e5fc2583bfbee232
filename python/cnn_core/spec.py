"""What is to be trained, as values: `NetworkSpec` and `TrainingSpec` travel in the place of lists
of arguments, and `to_dict` makes them what files and other processes take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self, TypeAlias

import numpy as np

from cnn_core import _activations, _losses
from cnn_core._checks import is_whole, shown
from cnn_core._frozen import Frozen
from cnn_core._names import choose
from cnn_core.losses import LossParam

#: Of the dicts that `to_dict` makes; a change of their keys or their meaning counts it up.
VERSION = 7

#: Fields that came later, each with the version that brought it; what an older one has written
#: means their defaults.
_SINCE = {
    "bias": 2,
    "embeddings": 3,
    "rate_factors": 4,
    "decay_factors": 4,
    "alpha_dropout": 4,
    "periodic": 5,
    "monotone": 6,
    "convex": 6,
    "shards": 7,
}

#: The version from which `loss_param` may be quantiles.
_QUANTILES = 6

#: The most that rows are cut into.
MOST_SHARDS = 4096

#: The oldest version that is written: for specs without what came later.
_OLDEST = 2


#: Categories and width of the vectors of each embedded feature.
Embeddings: TypeAlias = tuple[tuple[int, int], ...]

#: Numbers of the features that have a periodic embedding, its frequencies, and its width.
Periodic: TypeAlias = tuple[tuple[int, ...], int, int] | tuple[()]

#: Categories of an embedding: so many whole numbers, and one more for all others, are exact in
#: float32.
MOST_CATEGORIES = (1 << 24) - 1


class _Spec(Frozen):
    """What the specs share: each checks its fields when it is made, and is compared by them."""

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(
            tuple(
                tuple(value.items()) if isinstance(value, Mapping) else value
                for value in vars(self).values()
            )
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_dict, (self.to_dict(),)  # no proxy of a dict can be pickled

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({fields})"

    def to_dict(self) -> dict[str, Any]:
        """The fields and the version, as JSON can hold them.

        Returns
        -------
        dict
        """
        fields = vars(self)
        changed = [name for name in _SINCE if fields.get(name) != self._defaults.get(name)]
        version = max([_OLDEST, *(_SINCE[name] for name in changed)])
        if isinstance(fields.get("loss_param"), tuple):
            version = max(version, _QUANTILES)
        values: dict[str, Any] = {"version": version}
        for name, value in fields.items():
            if _SINCE.get(name, 1) > version:
                continue
            if isinstance(value, tuple):
                value = [list(one) if isinstance(one, tuple) else one for one in value]
            values[name] = dict(value) if isinstance(value, Mapping) else value
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The spec that `to_dict` has written down.

        Parameters
        ----------
        values : mapping
            With exactly the keys of `to_dict`, in this version or an older one.

        Raises
        ------
        ValueError, TypeError
            For another version, a key that is missing or unknown, and a value that no spec of this
            class can have.
        """
        name = cls.__name__
        if not isinstance(values, Mapping):
            raise TypeError(f"{name}.from_dict takes a dict, got {type(values).__name__}")
        given = dict(values)
        if "version" not in given:
            raise ValueError(f"{name}: the key 'version' is missing")
        version = given.pop("version")
        if type(version) is not int or not 1 <= version <= VERSION:
            raise ValueError(f"{name}: version must be from 1 to {VERSION}, got {shown(version)}")
        known = [field for field in cls._fields if _SINCE.get(field, 1) <= version]
        for what, keys in (
            ("is missing", [key for key in known if key not in given]),
            ("is unknown", [key for key in given if key not in known]),
        ):
            if keys:
                raise ValueError(f"{name}: the key {keys[0]!r} {what}; the keys are {known}")
        return cls(**given)


class NetworkSpec(_Spec):
    """The shape of a network.

    Parameters
    ----------
    widths : sequence of int
        Neurons of every layer, the inputs first.
    activations : sequence of str
        One for each layer of weights, as the native core names them.
    activation_params : sequence of float or None
        The number of each activation that takes one; None for the literature's, 0 for those that
        take none.
    dtype : {'float32', 'float64'}
    bias : bool
        Whether the layers have biases.
    embeddings : sequence of (int, int)
        For each of the last features, which hold numbers of categories, how many categories it has
        and the width of their vectors; ``widths[0]`` counts the other features and these vectors.
    periodic : (sequence of int, int, int) or ()
        Which of the other features have a periodic embedding too, its number of frequencies, and
        its width; ``widths[0]`` counts these numbers too.
    """

    widths: tuple[int, ...]
    activations: tuple[str, ...]
    activation_params: tuple[float, ...]
    dtype: str = "float32"
    bias: bool = True
    embeddings: Embeddings = ()
    periodic: Periodic = ()

    def __post_init__(self) -> None:
        widths = _sequence("NetworkSpec: widths", self.widths)
        for l, width in enumerate(widths):
            _check_whole(f"NetworkSpec: widths[{l}]", width, 1)
        activations = _sequence("NetworkSpec: activations", self.activations)
        params = _sequence("NetworkSpec: activation_params", self.activation_params)
        if not len(widths) - 1 == len(activations) == len(params) >= 1:
            raise ValueError(
                "NetworkSpec: a network of n layers has n + 1 widths, n activations and n "
                f"activation_params, got {len(widths)}, {len(activations)} and {len(params)}"
            )
        standard = _activations.parameters()
        for l, name in enumerate(activations):
            choose(f"activations[{l}]", name, _activations.names())
            default = standard[name][1] if name in standard else 0.0
            params[l] = default if params[l] is None else params[l]
            _check_real(f"NetworkSpec: activation_params[{l}]", params[l], 0)
        _check_flag("NetworkSpec: bias", self.bias)
        embeddings = _embeddings(self.embeddings, int(widths[0]))
        n_numbers = int(widths[0]) - sum(width for _, width in embeddings)
        self._set(
            embeddings=embeddings,
            periodic=_periodic(self.periodic, n_numbers),
            widths=tuple(map(int, widths)),
            activations=tuple(activations),
            activation_params=tuple(map(float, params)),
            dtype=_dtype_name("NetworkSpec: dtype", self.dtype),
        )

    @property
    def n_layers(self) -> int:
        """Layers of weights."""
        return len(self.activations)

    @property
    def n_numbers(self) -> int:
        """Features that are no categories, which come first."""
        periodic = len(self.periodic[0]) * self.periodic[2] if self.periodic else 0
        return self.widths[0] - sum(width for _, width in self.embeddings) - periodic

    @property
    def n_features(self) -> int:
        """Columns of X."""
        return self.n_numbers + len(self.embeddings)


class TrainingSpec(_Spec):
    """How a network is trained; with the rows, their order and the learning rates of a schedule it
    determines every bit.

    Parameters
    ----------
    loss : str
    loss_param : float or sequence of float, optional
        The loss's number, or its quantiles; default the literature's.
    optimizer : str, optional
        None: costs and gradients only, no steps.
    settings : mapping of str to float
        A value for each of the optimizer's settings.
    batch_size : int
        Rows of a mini-batch.
    seed : int
        0 to 2**64 - 1; determines shuffling and dropout.
    l1, l2 : float
        The cost of a mini-batch is increased by ``l1 * sum |W| + l2 / 2 * sum W^2``.
    dropout : sequence of float
        The share of its inputs that each layer leaves out; empty for none.
    clip_norm, max_norm : float
        Longest gradient of a mini-batch, longest vector of weights to a neuron; 0: no limit.
    multilabel : bool
        Whether the metric without labels is the share of rows whose outputs are all right.
    penalty_per_row : bool
        Whether the penalties are divided by the weight of a mini-batch, as scikit-learn does.
    average_by_rows : bool
        Whether the loss of an epoch counts each mini-batch's mean cost by its number of rows, as
        scikit-learn does, instead of by their weight.
    cost_scale : float
        Factor of the rows' costs in the losses that are reported; gradients are without it.
    rate_factors, decay_factors : sequence of float
        Of the learning rate, and of the optimizer's weight_decay, for W and b of each layer and
        for the vectors of embedded columns; empty: 1.
    alpha_dropout : bool
        Whether outputs of selu are dropped by alpha dropout.
    monotone, convex : sequence of int
        For each input of the first layer 1 where the outputs are to rise with it, or to be convex
        in it, -1 where they are to fall, or to be concave, and 0 for others; empty: 0. Weights are
        kept within `constraints.bounds_of` them.
    shards : int
        How many the rows are cut into, 1 to 4096; `_random.shard_order` says which are of each.
    """

    loss: str
    loss_param: LossParam | None = None
    optimizer: str | None = None
    settings: Mapping[str, float] = MappingProxyType({})
    batch_size: int = 32
    seed: int = 0
    l1: float = 0.0
    l2: float = 0.0
    dropout: tuple[float, ...] = ()
    clip_norm: float = 0.0
    max_norm: float = 0.0
    multilabel: bool = False
    penalty_per_row: bool = False
    average_by_rows: bool = False
    cost_scale: float = 1.0
    rate_factors: tuple[float, ...] = ()
    decay_factors: tuple[float, ...] = ()
    alpha_dropout: bool = True
    monotone: tuple[int, ...] = ()
    convex: tuple[int, ...] = ()
    shards: int = 1

    def __post_init__(self) -> None:
        choose("loss", self.loss, _losses.names())
        if self.loss_param is not None:
            self._set(loss_param=self._checked_param())
        settings = self._checked_settings()
        _check_whole("TrainingSpec: batch_size", self.batch_size, 1)
        _check_whole("TrainingSpec: seed", self.seed, 0, 1 << 64)
        _check_whole("TrainingSpec: shards", self.shards, 1, MOST_SHARDS + 1)
        for name in ("l1", "l2", "clip_norm", "max_norm", "cost_scale"):
            _check_real(f"TrainingSpec: {name}", getattr(self, name), 0)
        dropout = _sequence("TrainingSpec: dropout", self.dropout)
        for l, rate in enumerate(dropout):
            _check_real(f"TrainingSpec: dropout[{l}]", rate, 0, 1)
        factors = {}
        for name in ("rate_factors", "decay_factors"):
            factors[name] = _sequence(f"TrainingSpec: {name}", getattr(self, name))
            for i, factor in enumerate(factors[name]):
                _check_real(f"TrainingSpec: {name}[{i}]", factor, 0)
        signs = {}
        for name in ("monotone", "convex"):
            signs[name] = _sequence(f"TrainingSpec: {name}", getattr(self, name))
            for i, sign in enumerate(signs[name]):
                _check_whole(f"TrainingSpec: {name}[{i}]", sign, -1, 2)
        for name in ("multilabel", "penalty_per_row", "average_by_rows", "alpha_dropout"):
            _check_flag(f"TrainingSpec: {name}", getattr(self, name))
        self._set(
            settings=MappingProxyType(settings),
            batch_size=int(self.batch_size),
            seed=int(self.seed),
            shards=int(self.shards),
            dropout=tuple(map(float, dropout)),
            **{
                name: float(getattr(self, name))
                for name in ("l1", "l2", "clip_norm", "max_norm", "cost_scale")
            },
            **{name: tuple(map(float, values)) for name, values in factors.items()},
            **{name: tuple(map(int, values)) for name, values in signs.items()},
        )

    def _checked_param(self) -> LossParam:
        """The loss's number, or its quantiles."""
        what = "TrainingSpec: loss_param"
        if _losses.table()[self.loss].heads is None:
            return _losses.check_param(what, self.loss, self.loss_param)
        _check_real(what, self.loss_param, 0)
        return float(self.loss_param)  # type: ignore[arg-type]

    def _checked_settings(self) -> dict[str, float]:
        """The settings as a dict of this spec's own."""
        from cnn_core.optimizers import OPTIMIZERS, get_optimizer

        if not isinstance(self.settings, Mapping):
            raise TypeError(f"TrainingSpec: settings must be a dict, got {shown(self.settings)}")
        known: set[str] = set()
        if self.optimizer is not None:
            choose("optimizer", self.optimizer, tuple(OPTIMIZERS))
            known = set(get_optimizer(self.optimizer).settings())
        if set(self.settings) != known:
            raise ValueError(
                f"TrainingSpec: the optimizer {self.optimizer!r} has the settings {sorted(known)}, "
                f"got {sorted(map(str, self.settings))}"
            )
        for name, value in self.settings.items():
            _check_real(f"TrainingSpec: settings[{name!r}]", value)
        return {name: float(value) for name, value in self.settings.items()}

    def without_steps(self, batch_size: int, l1: float = 0.0, l2: float = 0.0) -> TrainingSpec:
        """The same loss without an optimizer, dropout and limits: for costs and gradients."""
        return TrainingSpec(
            self.loss,
            self.loss_param,
            batch_size=batch_size,
            l1=l1,
            l2=l2,
            multilabel=self.multilabel,
        )


def _sequence(what: str, values: object) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise TypeError(f"{what} must be a list or a tuple, got {shown(values)}")
    return list(values)


def _embeddings(given: object, n_in: int) -> Embeddings:
    """Categories and width of each embedded feature of a layer of `n_in` inputs."""
    what = "NetworkSpec: embeddings"
    pairs = [_sequence(what, one) for one in _sequence(what, given)]
    for pair in pairs:
        if len(pair) != 2:
            raise ValueError(
                f"NetworkSpec: embeddings must be pairs (categories, width), got {shown(pair)}"
            )
        _check_whole("NetworkSpec: categories of an embedding", pair[0], 1, MOST_CATEGORIES + 1)
        _check_whole("NetworkSpec: width of an embedding", pair[1], 1)
    total = sum(width for _, width in pairs)
    if total > n_in:
        raise ValueError(
            f"NetworkSpec: widths[0] must be at least the {total} numbers of the embeddings, got "
            f"{n_in}"
        )
    return tuple((int(n), int(width)) for n, width in pairs)


def _periodic(given: object, n_inputs: int) -> Periodic:
    """The features, frequencies and width of the periodic embeddings of a layer that reads so many
    numbers, theirs included."""
    what = "NetworkSpec: periodic"
    parts = _sequence(what, given)
    if not parts:
        return ()
    if len(parts) != 3:
        raise ValueError(f"{what} must be (features, frequencies, width), got {shown(given)}")
    features, frequencies, width = _sequence(what, parts[0]), *parts[1:]
    _check_whole(f"{what} frequencies", frequencies, 1, 1025)
    _check_whole(f"{what} width", width, 1, 17)
    n_numbers = n_inputs - len(features) * int(width)
    least = len(features) * (1 + int(width))
    if n_inputs < least:
        raise ValueError(
            f"NetworkSpec: widths[0] must be at least the {least} numbers of the features with "
            f"periodic embeddings, got {n_inputs}"
        )
    for feature in features:
        _check_whole(f"{what} features", feature, 0, n_numbers)
    if not features or features != sorted(set(features)):
        raise ValueError(f"{what} features must be ascending, got {shown(features)}")
    return tuple(map(int, features)), int(frequencies), int(width)


def _dtype_name(what: str, dtype: object) -> str:
    if not (isinstance(dtype, str) and dtype in ("float32", "float64")):
        raise ValueError(f"{what} must be 'float32' or 'float64', got {shown(dtype)}")
    return dtype


def _check_flag(what: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{what} must be True or False, got {shown(value)}")


def _check_whole(what: str, value: object, low: int, bound: int | None = None) -> None:
    """Raise unless `value` is a whole number in [low, bound)."""
    whole = is_whole(value)
    if whole and low <= value and (bound is None or value < bound):  # type: ignore[operator]
        return
    allowed = f"a whole number of at least {low}" + (f" and below {bound}" if bound else "")
    raise (ValueError if whole else TypeError)(f"{what} must be {allowed}, got {shown(value)}")


def _check_real(what: str, value: object, low: float = -math.inf, bound: float = math.inf) -> None:
    """Raise unless `value` is a finite number in [low, bound)."""
    if type(value) is not float and (
        isinstance(value, (bool, np.bool_))
        or not isinstance(value, (int, float, np.integer, np.floating))
    ):
        raise TypeError(f"{what} must be a number, got {shown(value)}")
    if not (math.isfinite(value) and low <= value < bound):
        limits = "" if low == -math.inf else f" of at least {low:g}"
        limits += "" if bound == math.inf else f" and below {bound:g}"
        raise ValueError(f"{what} must be a finite number{limits}, got {shown(value)}")

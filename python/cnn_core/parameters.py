"""The parameters of MLP: what each may be, and what they mean."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from cnn_core import _activations, _losses
from cnn_core._checks import check_number, is_whole, shown
from cnn_core._names import choose, meaning
from cnn_core.activations import Activation, get_activation
from cnn_core.callbacks import check_callbacks
from cnn_core.constraints.allowed import check_declared
from cnn_core.constraints.allowed import check_parameters as check_constraints
from cnn_core.data.scaling import SCALINGS
from cnn_core.embeddings import Embedding, PeriodicEmbedding
from cnn_core.groups import check_factors, factors
from cnn_core.initializers import get_initializer
from cnn_core.losses import ParametrizedLoss, check_slopes, get_loss
from cnn_core.monitors import check_monitor
from cnn_core.optimizers import get_optimizer
from cnn_core.schedules import SCHEDULES, Constant, Schedule
from cnn_core.spec import MOST_SHARDS
from cnn_core.task import HARD_THRESHOLD
from cnn_core.threads import check_threads
from cnn_core.training.backends import BACKENDS

#: Takes a parameter's name and value, and raises where no data could make sense of it. Some return
#: what the value means.
Check = Callable[[str, Any], object]


# Rules: what a parameter may be


def one_of(*names: str) -> Check:
    """One of some names."""
    return lambda name, value: choose(name, value, names)


def number(low: float, high: float | None = None, above: bool = False) -> Check:
    """A finite number in [low, high), or in (low, high) with `above`."""
    return lambda name, value: check_number(name, value, low, high, above)


def optional(check: Check) -> Check:
    """None, or what `check` lets pass."""
    return lambda name, value: None if value is None else check(name, value)


def scaling(*names: str) -> Check:
    """One of some names, or None, which scales nothing."""

    def check(name: str, value: Any) -> object:
        if value is None or isinstance(value, str):
            return None if value is None else choose(name, value, names)
        raise TypeError(
            f"{name} must be a name, or None to scale nothing, got {value!r}; choose from "
            f"{', '.join(names)}"
        )

    return check


def count(word: str | None = None, least: int = 1, most: float = math.inf) -> Check:
    """A whole number from `least` to `most`, or a word."""
    limits = f"of at least {least}" if most == math.inf else f"from {least} to {most:,}"
    allowed = f"a whole number {limits}{f' or {word!r}' if word else ''}"

    def check(name: str, value: Any) -> None:
        if word is not None and isinstance(value, str) and value == word:
            return
        if not is_whole(value):
            raise TypeError(f"{name} must be {allowed}, got {value!r}")
        if not least <= value <= most:
            raise ValueError(f"{name} must be {allowed}, got {value}")

    return check


def flag(name: str, value: Any) -> None:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")


def instance_or(kind: type, check: Check) -> Check:
    """An object of a class, or what `check` lets pass."""
    return lambda name, value: None if isinstance(value, kind) else check(name, value)


def check_class_weight(name: str, value: Any) -> None:
    """A weight for some classes, or 'balanced'."""
    if isinstance(value, str) and value == "balanced":
        return
    if not hasattr(value, "items"):
        kind = ValueError if isinstance(value, str) else TypeError
        raise kind(f"{name} must be a dict, 'balanced' or None, got {value!r}")
    seen = set()
    for label, weight in value.items():
        check_number(f"{name} of {shown(label)}", weight, 0)
        if label in seen:  # as the index of a pandas Series may have it
            raise ValueError(f"{name} names the class {label!r} twice")
        seen.add(label)


_DTYPES = ("float32", "float64")


def check_dtype(name: str, value: Any) -> str:
    """The name of float32 or float64, in any form that NumPy takes."""
    try:
        given = None if value is None else np.dtype(value)
    except TypeError:
        given = None
    for known in _DTYPES:
        if given == known:
            return known
    raise ValueError(f"{name} must be 'float32' or 'float64', got {value!r}")


def check_random_state(name: str, value: Any) -> None:
    """A seed, or something of NumPy's to draw one from."""
    if is_whole(value):
        if value < 0:
            raise ValueError(f"{name} must not be negative, got {value}")
    elif not (value is None or isinstance(value, (np.random.Generator, np.random.RandomState))):
        raise TypeError(
            f"{name} must be an int, a numpy Generator or RandomState, or None; got {value!r}"
        )


def check_verbose(name: str, value: Any) -> None:
    """0, 1, 2, False or True; more is as 2."""
    if not (isinstance(value, bool) or is_whole(value)) or value < 0:
        raise ValueError(f"{name} must be 0, 1 or 2, got {value!r}")


def check_activation(name: str, value: Any) -> None:
    """An activation, or a list of them."""
    if not isinstance(value, (str, Activation, tuple, list)):
        hint = "; 'identity' is no activation" if value is None else ""
        raise TypeError(f"{name} must be a name or a list of names, got {value!r}{hint}")
    for one in value if isinstance(value, (tuple, list)) else (value,):
        get_activation(one)


def check_learning_rate(name: str, value: Any) -> None:
    """A number above 0, a schedule, or None."""
    if value is None or isinstance(value, Schedule):
        return
    if isinstance(value, type) and issubclass(value, Schedule):
        raise TypeError(f"{name} must be an object, {value.__name__}(), got the class itself")
    if isinstance(value, str):
        kinds = ", ".join(kind.__name__ for kind in SCHEDULES)
        hint = meaning(name, value) or f"schedules are {kinds}, such as {name}=Cosine()"
        raise TypeError(f"{name} must be a number or a schedule, got {value!r}; {hint}")
    check_number(name, value, 0, None, above=True)


def check_factor_schedule(name: str, value: Any) -> None:
    """A schedule that begins at 1 and looks at no losses."""
    if not isinstance(value, Schedule):
        raise TypeError(f"{name} must be a schedule such as FlatCosine(), or None, got {value!r}")
    if value.initial is not None:
        raise ValueError(f"{name} gives factors, which begin at 1; leave initial out of {value!r}")
    if value.looks_back:
        raise ValueError(f"{name} must not look at losses, as {type(value).__name__} does")


#: What `columns` may say of a column of a table.
COLUMN_KINDS = ("auto", "number", "category", "embedding", "date", "drop")


def check_columns(name: str, value: Any) -> None:
    """'auto', or a dict from names of columns to what they are: a name, or an `Embedding`."""
    if isinstance(value, str):
        choose(name, value, ("auto",))
        return
    if not isinstance(value, Mapping):
        raise TypeError(
            f"{name} must be 'auto', a dict such as {{'city': 'category'}}, or None, got {value!r}"
        )
    for column, kind in value.items():
        if kind is Embedding:
            raise TypeError(
                f"kind of the column {column!r} must be an object, Embedding(), got the class "
                "itself"
            )
        if not isinstance(kind, Embedding):
            choose(f"kind of the column {column!r}", kind, COLUMN_KINDS)


def check_numeric_embedding(name: str, value: Any) -> None:
    """'periodic', or a `PeriodicEmbedding`."""
    if isinstance(value, PeriodicEmbedding):
        return
    if value is PeriodicEmbedding:
        raise TypeError(f"{name} must be an object, PeriodicEmbedding(), got the class itself")
    if not isinstance(value, str):
        raise TypeError(f"{name} must be 'periodic', PeriodicEmbedding() or None, got {value!r}")
    choose(name, value, ("periodic",))


def check_restore_best(name: str, value: Any) -> None:
    """True, False or 'latest'."""
    if isinstance(value, str):
        if value != "latest":
            raise ValueError(f"{name} must be True, False or 'latest', got {value!r}")
        return
    flag(name, value)


#: What each parameter of MLP may be by itself.
RULES: dict[str, Check] = {
    "hidden": lambda name, value: hidden_widths(value),
    "activation": check_activation,
    "task": one_of("auto", "classification", "regression"),
    "output": instance_or(Activation, one_of("auto", *_activations.names())),
    "loss": instance_or(ParametrizedLoss, one_of("auto", *_losses.names())),
    "optimizer": lambda name, value: get_optimizer(value),
    "learning_rate": check_learning_rate,
    "batch_size": count("full"),
    "epochs": count(least=0),
    "shuffle": flag,
    "shards": count(most=MOST_SHARDS),
    "l1": number(0),
    "l2": number(0),
    "max_norm": optional(number(0, None, above=True)),
    "clip_norm": optional(number(0, None, above=True)),
    "rate_factors": optional(check_factors),
    "decay_factors": optional(check_factors),
    "decay_schedule": optional(check_factor_schedule),
    "dropout_schedule": optional(check_factor_schedule),
    "alpha_dropout": flag,
    "label_smoothing": number(0, 1),
    "bias": flag,
    "monotone": optional(check_declared),
    "convex": optional(check_declared),
    "init": lambda name, value: get_initializer(value) if isinstance(value, str) else None,
    "columns": optional(check_columns),
    "numeric_embedding": optional(check_numeric_embedding),
    "scale_inputs": scaling("auto", *SCALINGS),
    "scale_targets": scaling("auto", "standard"),
    "clip_outputs": flag,
    "class_weight": optional(check_class_weight),
    "tol": optional(number(0)),
    "max_seconds": optional(number(0, None, above=True)),
    "early_stopping": flag,
    "monitor": check_monitor,
    "patience": count(),
    "min_delta": number(0),
    "validation_fraction": number(0, 1, above=True),
    "restore_best": check_restore_best,
    "dtype": check_dtype,
    "n_threads": optional(lambda name, value: check_threads(value, name)),
    "random_state": check_random_state,
    "verbose": check_verbose,
    "callbacks": lambda name, value: check_callbacks(value),
    "step_history": flag,
    "warm_start": flag,
    "backend": one_of(*BACKENDS),
}


#: Kinds of values that are compared by what they are.
PLAIN = frozenset((str, int, float, bool, type(None)))
NOTHING: tuple[()] = ()


def check_parameters(values: Mapping[str, Any]) -> SimpleNamespace:
    """Raise for parameters of MLP that no data could make sense of.

    Parameters
    ----------
    values : mapping of str to object
        All of them.

    Returns
    -------
    namespace
        The parameters, and what they mean: `widths` and `activations` of the hidden layers,
        `output_activation`, `rates` of dropout, `rate_factors_of_groups` and
        `decay_factors_of_groups`, `rule` (the Optimizer), `schedule`, `dtype_name`.
    """
    given = tuple(values.values())
    kinds = tuple(map(type, given))
    if all(kind in PLAIN or value is NOTHING for kind, value in zip(kinds, given)):
        # As those of a stream in each call.
        return SimpleNamespace(**vars(_check_plain(tuple(values), kinds, given)))
    return _check(values)


@functools.lru_cache(maxsize=64)
def _check_plain(
    names: tuple[str, ...], kinds: tuple[type, ...], values: tuple[Any, ...]
) -> SimpleNamespace:
    """The same of values that never change; 1 is True, but of another kind."""
    return _check(dict(zip(names, values)))


def _check(values: Mapping[str, Any]) -> SimpleNamespace:
    meant = {name: check(name, values[name]) for name, check in RULES.items()}
    p = SimpleNamespace(**values)
    p.widths, p.rule, p.dtype_name = meant["hidden"], meant["optimizer"], meant["dtype"]
    n_hidden = len(p.widths)
    p.activations = hidden_activations(p.activation, n_hidden)
    p.output_activation = output_activation(p.output, p.activation, n_hidden)
    p.rates = dropout_rates(p.dropout, n_hidden)
    p.rate_factors_of_groups = factors("rate_factors", p.rate_factors, n_hidden + 1)
    p.decay_factors_of_groups = factors("decay_factors", p.decay_factors, n_hidden + 1)
    rate = p.learning_rate
    p.schedule = rate if isinstance(rate, Schedule) else Constant(rate)
    _check_together(p)
    return p


def _check_together(p: SimpleNamespace) -> None:
    """Raise for parameters that do not go together."""
    rule = type(p.rule).__name__
    if p.rule.full_batch and p.batch_size not in ("full", 32):
        raise ValueError(
            f"{rule} works on the whole training set; batch_size must be 'full', got "
            f"{p.batch_size!r}"
        )
    if p.rule.name == "lbfgs":
        if p.loss != "auto":
            check_slopes(*get_loss(p.loss), "LBFGS")
        limits = {
            "dropout": any(p.rates),
            "max_norm": p.max_norm,
            "clip_norm": p.clip_norm,
            "rate_factors": p.rate_factors_of_groups,
        }
        for name, given in limits.items():
            if given:
                raise ValueError(
                    f"LBFGS minimises one fixed function of the weights; it does not go with {name}"
                )
    for what, given in (
        ("decay_factors are", bool(p.decay_factors_of_groups)),
        ("decay_schedule is", p.decay_schedule is not None),
    ):
        if given and "weight_decay" not in p.rule.settings():
            raise ValueError(
                f"{what} of AdamW's weight_decay, which {rule} has not; say optimizer='adamw'"
            )
    check_constraints(p)
    if p.dropout_schedule is not None and not any(p.rates):
        raise ValueError("dropout_schedule gives shares of dropout, and dropout is 0")
    tiny = float(np.finfo(p.dtype).tiny)
    if p.rule.settings().get("epsilon", 1) < tiny:
        raise ValueError(
            f"{rule}: epsilon must be at least {tiny:.3g} in {p.dtype}, got {p.rule.epsilon!r}"
        )


# What parameters mean


def hidden_widths(hidden: Any) -> tuple[int, ...]:
    """The width of each hidden layer."""
    widths = (hidden,) if is_whole(hidden) else hidden
    if not isinstance(widths, (tuple, list, range, np.ndarray)) or not all(
        is_whole(width) for width in widths
    ):
        raise TypeError(f"hidden must be a whole number or a sequence of them, got {hidden!r}")
    if any(width < 1 for width in widths):
        raise ValueError(f"hidden layers need at least one neuron each, got {hidden!r}")
    return tuple(int(width) for width in widths)


def hidden_activations(activation: Any, n_hidden: int) -> tuple[tuple[str, float | None], ...]:
    """(name, number) of each hidden layer's activation."""
    if isinstance(activation, (str, Activation)):
        return (get_activation(activation),) * n_hidden
    if len(activation) != n_hidden:
        raise ValueError(
            f"activation must be one name or one for each of the {n_hidden} hidden layers, got "
            f"{len(activation)}"
        )
    return tuple(get_activation(one) for one in activation)


def output_activation(output: Any, activation: Any, n_hidden: int) -> Any:
    """The output activation that is meant: without hidden layers `activation` has no other use."""
    automatic = isinstance(output, str) and output == "auto"
    hard = isinstance(activation, str) and activation in HARD_THRESHOLD
    return activation if n_hidden == 0 and automatic and hard else output


def dropout_rates(dropout: Any, n_hidden: int) -> tuple[float, ...]:
    """The share of its inputs that each layer leaves out in training."""
    if isinstance(dropout, (tuple, list, np.ndarray)):
        if len(dropout) != n_hidden + 1:
            raise ValueError(
                "dropout must be one number for the hidden layers, or one for the inputs and one "
                f"for each of the {n_hidden} hidden layers; got {len(dropout)}"
            )
        for i, rate in enumerate(dropout):
            check_number(f"dropout of {f'hidden layer {i}' if i else 'the inputs'}", rate, 0, 1)
        return tuple(float(rate) for rate in dropout)
    check_number("dropout", dropout, 0, 1)
    return (0.0,) + (float(dropout),) * n_hidden


def draw_seed(random_state: Any) -> int:
    """64 bits for the counter-based generator."""
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(1 << 64, dtype=np.uint64))
    if isinstance(random_state, np.random.RandomState):
        return int.from_bytes(random_state.bytes(8), "little")
    if random_state is None:
        return int.from_bytes(os.urandom(8), "little")
    return int(np.random.SeedSequence(int(random_state)).generate_state(1, np.uint64)[0])

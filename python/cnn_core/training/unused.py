"""Parameters that a user has set and that can do nothing in a fit."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING

from cnn_core._settable import settable

if TYPE_CHECKING:
    from cnn_core.spec import NetworkSpec


def without_effect(p: SimpleNamespace, spec: NetworkSpec) -> Iterator[str]:
    """What was asked for and this network has no place for; the defaults of other parameters that
    need each other say nothing.

    Parameters
    ----------
    p : namespace
        The parameters of MLP, from `check_parameters`.
    spec : NetworkSpec

    Yields
    ------
    str
    """
    for name in ("rate_factors", "decay_factors"):
        if settable(name):
            yield from _of_factors(name, p, spec)
    if p.rate_factors_of_groups and not any(_of_groups_there(p.rate_factors_of_groups, spec)):
        yield "rate_factors are 0 for all parameters, so training changes nothing"
    asked = {
        "decay_factors": bool(p.decay_factors_of_groups),
        "decay_schedule": p.decay_schedule is not None,
    }
    for name, given in asked.items():
        if given and settable(name) and p.rule.settings().get("weight_decay") == 0:
            yield f"{name} has no effect, as the optimizer's weight_decay is 0"
    dropped = [name for (name, _), rate in zip(p.activations, p.rates[1:]) if rate]
    if not p.alpha_dropout and settable("alpha_dropout") and "selu" not in dropped:
        yield "alpha_dropout=False has no effect: it is of dropout after selu, and there is none"


def _of_groups_there(factors: tuple[float, ...], spec: NetworkSpec) -> Iterator[float]:
    """The factors of the groups of parameters that the network has."""
    for l in range(spec.n_layers):
        yield from factors[2 * l : 2 * l + 1 + spec.bias]
    for there, factor in zip((spec.embeddings, spec.periodic), factors[2 * spec.n_layers :]):
        if there:
            yield factor


def _of_factors(name: str, p: SimpleNamespace, spec: NetworkSpec) -> Iterator[str]:
    """Factors of groups that the network does not have."""
    given, missing = getattr(p, name) or {}, {}
    if not spec.embeddings:
        missing["embeddings"] = "no column is embedded; columns={name: 'embedding'} does that"
    if p.numeric_embedding is None:
        missing["periodic"] = (
            "no number has a periodic embedding, which numeric_embedding='periodic' gives them"
        )
    for group, factor in given.items():
        why = missing.get(group)
        if not spec.bias and (group == "biases" or group.startswith("b")):
            why = "the network has no biases, as bias=False"
        if why is not None and factor != 1:
            yield f"{name} of {group!r} has no effect: {why}"

"""Optimizers: step t of one parameter w with gradient g.

h are the settings by name, slots the optimizer's state of that parameter, which is changed; each
rule returns the new w. `cnn_core.optimizers` names the papers.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

from cnn_core.reference.vectors import Row

Settings: TypeAlias = dict[str, float]
Rule: TypeAlias = Callable[[int, Settings, float, float, Row], float]


def scaled(h: Settings, rate: float, decay: float) -> Settings:
    """The settings of a group of parameters: its factors times learning rate and weight_decay."""
    own = {"learning_rate": h["learning_rate"] * rate} if "learning_rate" in h else {}
    if "weight_decay" in h:
        own["weight_decay"] = h["weight_decay"] * decay
    return h | own


def sgd(t: int, h: Settings, w: float, g: float, slots: Row) -> float:
    """v <- momentum v - rate g;  w <- w + v, or w + momentum v - rate g with nesterov"""
    push = -h["learning_rate"] * g
    slots[0] = v = h["momentum"] * slots[0] + push
    return w + (h["momentum"] * v + push if h["nesterov"] else v)


def adagrad(t: int, h: Settings, w: float, g: float, slots: Row) -> float:
    """v <- v + g^2;  w <- w - rate g / (sqrt v + epsilon)"""
    slots[0] += g * g
    return w - h["learning_rate"] * (g / (math.sqrt(slots[0]) + h["epsilon"]))


def adadelta(t: int, h: Settings, w: float, g: float, slots: Row) -> float:
    """v <- rho v + (1 - rho) g^2;  s = g sqrt(u + eps) / sqrt(v + eps);  u <- rho u + (1 - rho)
    s^2;  w <- w - rate s"""
    slots[0] += (1 - h["rho"]) * (g * g - slots[0])
    s = g * (math.sqrt(slots[1] + h["epsilon"]) / math.sqrt(slots[0] + h["epsilon"]))
    slots[1] += (1 - h["rho"]) * (s * s - slots[1])
    return w - h["learning_rate"] * s


def rmsprop(t: int, h: Settings, w: float, g: float, slots: Row) -> float:
    """v <- rho v + (1 - rho) g^2;  m <- momentum m + g / (sqrt v + epsilon);  w <- w - rate m"""
    slots[0] += (1 - h["rho"]) * (g * g - slots[0])
    slots[1] = h["momentum"] * slots[1] + g / (math.sqrt(slots[0]) + h["epsilon"])
    return w - h["learning_rate"] * slots[1]


def moments(h: Settings, g: float, slots: Row) -> tuple[float, float]:
    """m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2"""
    slots[0] += (1 - h["beta1"]) * (g - slots[0])
    slots[1] += (1 - h["beta2"]) * (g * g - slots[1])
    return slots[0], slots[1]


def unbiased_root(t: int, h: Settings, v: float) -> float:
    """sqrt(v / (1 - beta2^t)) + epsilon"""
    return math.sqrt(v) / math.sqrt(1 - h["beta2"] ** t) + h["epsilon"]


def adam(t: int, h: Settings, w: float, g: float, slots: Row) -> float:
    """w <- w - rate m^ / (sqrt v^ + epsilon) with m^ = m / (1 - beta1^t), v^ = v / (1 - beta2^t)"""
    m, v = moments(h, g, slots)
    return w - h["learning_rate"] / (1 - h["beta1"] ** t) * (m / unbiased_root(t, h, v))


def adam_hat(t: int, h: Settings, w: float, g: float, slots: Row) -> float:
    """w <- w - rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt v + epsilon)"""
    m, v = moments(h, g, slots)
    unbias = math.sqrt(1 - h["beta2"] ** t) / (1 - h["beta1"] ** t)
    return w - h["learning_rate"] * unbias * (m / (math.sqrt(v) + h["epsilon"]))


def amsgrad(t: int, h: Settings, w: float, g: float, slots: Row) -> float:
    """w <- w - rate m^ / (sqrt v^ + epsilon) with v^ = max of all v so far / (1 - beta2^t), the
    rest as in Adam"""
    m, v = moments(h, g, slots)
    slots[2] = max(slots[2], v)
    return w - h["learning_rate"] / (1 - h["beta1"] ** t) * (m / unbiased_root(t, h, slots[2]))


def adamw(t: int, h: Settings, w: float, g: float, slots: Row) -> float:
    """w <- w - rate weight_decay w, then Adam"""
    return adam(t, h, w * (1 - h["learning_rate"] * h["weight_decay"]), g, slots)


def nadam_mu(h: Settings, t: int) -> float:
    """mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)"""
    decay: float = 0.96 ** (t * h["momentum_decay"])
    return h["beta1"] * (1 - 0.5 * decay)


def nadam(t: int, h: Settings, w: float, g: float, slots: Row) -> float:
    """m^ = mu_(t+1) m / (1 - mu_1 ... mu_(t+1)) + (1 - mu_t) g / (1 - mu_1 ... mu_t);  else as
    Adam"""
    m, v = moments(h, g, slots)
    mu, after, product = nadam_mu(h, t), nadam_mu(h, t + 1), h["mu_product"]
    ahead = after / (1 - product * after) * m + (1 - mu) / (1 - product) * g
    return w - h["learning_rate"] * ahead / unbiased_root(t, h, v)


def direction(g: float) -> float:
    """1, -1 or 0, by the sign of g; NaN stays NaN."""
    return 1.0 if g > 0 else -1.0 if g < 0 else g


def rprop(t: int, h: Settings, w: float, g: float, slots: Row) -> float:
    """size <- min(step_max, eta_plus size) where g has the sign of g_before;
    w <- w - sign(g) size

    Where it has the other sign: size <- max(step_min, eta_minus size), g <- 0, and so no step.
    """
    before, size = slots[0], h["learning_rate"] if t == 1 else slots[1]
    agreement = direction(g) * before  # g g_before would underflow
    if agreement > 0:
        size = min(h["step_max"], size * h["eta_plus"])
    elif agreement < 0:
        size, g = max(h["step_min"], size * h["eta_minus"]), 0.0
    slots[0], slots[1] = g, size
    return w - direction(g) * size if g else w


#: name: (step, number of slots)
OPTIMIZERS: dict[str, tuple[Rule, int]] = {
    "sgd": (sgd, 1),
    "adagrad": (adagrad, 1),
    "adadelta": (adadelta, 2),
    "rmsprop": (rmsprop, 2),
    "adam": (adam, 2),
    "adam_hat": (adam_hat, 2),
    "amsgrad": (amsgrad, 3),
    "adamw": (adamw, 2),
    "nadam": (nadam, 2),
    "rprop": (rprop, 2),
}

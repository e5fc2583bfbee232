"""L-BFGS: limited-memory BFGS on the whole training set, with a line search for the strong Wolfe
conditions.

Only numbers and whole vectors appear here. What a vector is, and how a cost and a gradient are
computed, is up to the trainer it drives: arrays and the native core, or lists and the
reference implementation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._checks import check_state
from cnn_core._linalg import axpy, dot

if TYPE_CHECKING:
    from cnn_core._control import EndRequest
    from cnn_core._dataset import RowSource
    from cnn_core.training.protocols import GradientTrainer, Vectors

    #: X, y, labels and weights.
    Sources = tuple[RowSource, RowSource | None, RowSource | None, RowSource | None]

SUFFICIENT_DECREASE, CURVATURE = 1e-4, 0.9  # c1 and c2 of Nocedal & Wright 2006, section 3.1
SMALLEST_CHANGE = 1e-9  # of a parameter, below which the search gives up


class ArrayVectors:
    """Vectors are arrays laid out as the native parameters."""

    copy, dot, axpy = staticmethod(np.copy), staticmethod(dot), staticmethod(axpy)

    @staticmethod
    def scale(factor: float, x: np.ndarray) -> None:
        """x is multiplied."""
        x *= factor

    @staticmethod
    def assign(x: np.ndarray, y: np.ndarray) -> None:
        """y takes the values of x."""
        y[:] = x

    @staticmethod
    def infinity_norm(x: np.ndarray) -> float:
        """The largest magnitude of an entry."""
        return float(np.abs(x).max())

    @staticmethod
    def l1_norm(x: np.ndarray) -> float:
        """The sum of the magnitudes, rounded once."""
        return math.fsum(np.abs(x).tolist())


class Point(NamedTuple):
    """A point on the line w + t d."""

    t: float
    cost: float
    slope: float  #: d cost / d t
    gradient: Any
    metric: Any


def cubic_minimum(a: Point, b: Point, low: float, high: float) -> float:
    """Where the cubic through two points with their slopes is least, within [low, high]: Nocedal &
    Wright 2006, eq. 3.59; the middle of the interval where there is no such place."""
    if b.t < a.t:
        a, b = b, a
    steepness = a.slope + b.slope - 3 * (a.cost - b.cost) / (a.t - b.t)
    square = steepness * steepness - a.slope * b.slope
    if not 0 <= square < math.inf:
        return (low + high) / 2
    root = math.sqrt(square)
    below = b.slope - a.slope + 2 * root
    if below == 0:
        return (low + high) / 2
    t = b.t - (b.t - a.t) * ((b.slope + root - steepness) / below)
    return min(max(t, low), high)


def line_search(
    at: Callable[[float], Point], start: Point, t: float, scale: float, max_evaluations: int
) -> Point:
    """A step that fulfils the strong Wolfe conditions: Nocedal & Wright 2006, algorithms 3.5 and
    3.6.

    Bounds of the extrapolation (1.01 to 10 times) and the rule against trial points at an end of
    the bracket are those of minFunc (Schmidt 2005), which PyTorch uses as well.

    Parameters
    ----------
    at : callable
        The Point at a t.
    start : Point
        That at t = 0; its slope is negative.
    t : float
        The first trial.
    scale : float
        Largest entry of the direction.
    max_evaluations : int
        Evaluations after the first.

    Returns
    -------
    Point
        `start` where nothing lower was found.
    """

    def too_high(point: Point) -> bool:
        return not point.cost <= start.cost + SUFFICIENT_DECREASE * point.t * start.slope

    def flat_enough(point: Point) -> bool:
        return abs(point.slope) <= -CURVATURE * start.slope

    before, point, used = start, at(t), 0
    while True:
        if too_high(point) or (used > 1 and point.cost >= before.cost):
            break
        if flat_enough(point):
            return point
        if point.slope >= 0:
            break
        if used == max_evaluations:
            before = start
            break
        t = cubic_minimum(before, point, point.t + 0.01 * (point.t - before.t), 10 * point.t)
        before, point = point, at(t)
        used += 1

    low, high = (before, point) if before.cost <= point.cost else (point, before)
    if math.isnan(low.cost):
        low, high = before, point
    stuck = False
    while used < max_evaluations and abs(high.t - low.t) * scale >= SMALLEST_CHANGE:
        left, right = min(low.t, high.t), max(low.t, high.t)
        t = cubic_minimum(low, high, left, right)
        margin = 0.1 * (right - left)
        near_an_end = min(right - t, t - left) < margin
        if near_an_end and (stuck or t >= right or t <= left):
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            near_an_end = False
        stuck = near_an_end
        point = at(t)
        used += 1
        if too_high(point) or point.cost >= low.cost:
            high = point
        else:
            if flat_enough(point):
                return point
            if point.slope * (high.t - low.t) >= 0:
                high = low
            low = point
    return low


class LBFGSTrainer:
    """A trainer whose epochs are steps of L-BFGS, so that the training loop drives it as any other.

    Liu & Nocedal 1989, "On the limited memory BFGS method for large scale optimization"; Nocedal &
    Wright 2006, algorithm 7.4 for the direction, eq. 7.20 for its scale.

    Parameters
    ----------
    inner : GradientTrainer
        Computes costs and gradients; its parameters are what is trained.
    vectors : Vectors
    settings : dict of str to float
        learning_rate (the first trial of each line search), memory (pairs that are kept), tolerance
        (of the gradient's largest entry), max_evaluations.
    """

    def __init__(
        self, inner: GradientTrainer, vectors: Vectors, settings: dict[str, float]
    ) -> None:
        self.inner, self.vectors = inner, vectors
        self.learning_rate = settings["learning_rate"]
        self.memory = int(settings["memory"])
        self.max_evaluations = int(settings["max_evaluations"])
        self.tolerance = settings["tolerance"]
        #: (s, y, 1 / s y), the oldest first: steps and the changes of the gradient.
        self.pairs: list[tuple[Any, Any, float]] = []
        self.steps = self.epochs = 0
        self.converged = False
        self.after_step: Callable[[float], object] | None = None
        self._rows: Sources | None = None
        self._here: Point | None = None

    @property
    def end(self) -> EndRequest | None:
        """What ends an epoch before it is done."""
        return self.inner.end

    @end.setter
    def end(self, request: EndRequest | None) -> None:
        self.inner.end = request

    @property
    def seconds(self) -> dict[str, float]:
        """Time spent in each phase."""
        return self.inner.seconds

    def is_finite(self) -> bool:
        """Whether the parameters are finite."""
        return bool(self.inner.is_finite())

    def state(self, copy: bool = True) -> dict[str, Any]:
        """What another trainer needs to go on, beside the parameters."""
        # A pair is never changed once it stands, so it need not be copied.
        return {
            "optimizer": "lbfgs",
            "epochs": self.epochs,
            "steps": self.steps,
            "pairs": list(self.pairs),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from another trainer's state."""
        self.check_state(state)
        self.epochs, self.steps, self.pairs = state["epochs"], state["steps"], list(state["pairs"])

    batches_done = 0  # steps are whole epochs

    def position(self) -> tuple[np.ndarray, int, list[float]]:
        """The parameters; steps are whole epochs."""
        return self.inner.position()

    def go_on_at(self, parameters: np.ndarray, batches: int, sums: list[float]) -> None:
        """Go on from the parameters of another trainer."""
        self.inner.go_on_at(parameters, 0, [])

    def reopen(self) -> bool:
        """Whether the last epoch can be taken back: never, its cost is that before the step."""
        return False

    def check_state(self, state: dict[str, Any]) -> None:
        """Raise unless `restore` can take a state."""
        check_state(state, ("epochs", "steps"), ("pairs",))
        pairs = state["pairs"]
        parameters = self.inner.parameters

        def is_vector(x: Any) -> bool:
            alike = type(x) is type(parameters) and len(x) == len(parameters)
            return alike and getattr(x, "dtype", None) == getattr(parameters, "dtype", None)

        for pair in pairs if isinstance(pairs, (list, tuple)) else (None,):
            if (
                not isinstance(pair, (list, tuple))
                or [is_vector(part) for part in pair] != [True, True, False]
                or not isinstance(pair[2], float)
            ):
                raise ValueError(
                    "the pairs of a state must be a list of (s, y, 1 / s y), whose vectors are as "
                    "the parameters of this run"
                )

    def evaluate(
        self, X: RowSource, y: RowSource | None, labels: RowSource | None
    ) -> tuple[float, Any]:
        """Loss and metric of rows that are not trained on."""
        return self.inner.evaluate(X, y, labels)

    def epoch(
        self,
        X: RowSource,
        y: RowSource | None,
        labels: RowSource | None,
        shuffled: bool = True,
        *,
        weights: RowSource | None = None,
        rates: np.ndarray | None = None,
        total_weight: float | None = None,
    ) -> tuple[float, Any]:
        """One step; `converged` says afterwards that there is none left to make. All rows are one
        mini-batch, whose weight is the total.

        Returns
        -------
        loss, metric
            Before the step, as `Trainer.epoch` gives them.
        """
        if rates is not None:
            self.learning_rate = float(rates[0])
        rows = (X, y, labels, weights)
        here = self._here
        if self._rows is None or here is None or any(a is not b for a, b in zip(rows, self._rows)):
            self._rows, self._here = rows, self._point(rows, 0.0, None)
            here = self._here
        before = self.steps
        if math.isfinite(here.cost):
            self.converged = self.vectors.infinity_norm(here.gradient) <= self.tolerance or not (
                self._step(rows, here) or self._without_memory(rows, here)
            )
        if self.after_step is not None and self.steps > before:
            self.after_step(here.cost)
        self.epochs += 1
        return here.cost, here.metric

    def _point(self, rows: Sources, t: float, direction: Any) -> Point:
        loss, metric = self.inner.loss_and_gradient(*rows)
        gradient = self.vectors.copy(self.inner.gradient)
        slope = 0.0 if direction is None else self.vectors.dot(gradient, direction)
        return Point(t, loss, slope, gradient, metric)

    def _without_memory(self, rows: Sources, here: Point) -> bool:
        """Try once more, straight downhill: after rounding has spoilt the memory that still may
        help."""
        if not self.pairs:
            return False
        self.pairs = []
        return self._step(rows, here)

    def _step(self, rows: Sources, here: Point) -> bool:
        """Move the parameters; False where no lower cost was found."""
        v, parameters = self.vectors, self.inner.parameters
        direction = self._direction(here.gradient)
        start = here._replace(t=0.0, slope=v.dot(here.gradient, direction))
        if not start.slope < 0:
            return False
        origin = v.copy(parameters)

        def at(t: float) -> Point:
            v.assign(origin, parameters)
            v.axpy(t, direction, parameters)
            return self._point(rows, t, direction)

        first = 1.0 if self.pairs else min(1.0, 1 / v.l1_norm(here.gradient))
        first *= self.learning_rate
        try:
            found = line_search(at, start, first, v.infinity_norm(direction), self.max_evaluations)
        finally:
            v.assign(origin, parameters)
        if not found.cost < here.cost:
            return False
        v.axpy(found.t, direction, parameters)
        self.steps += 1
        self._here = found
        v.scale(found.t, direction)
        change = v.copy(found.gradient)
        v.axpy(-1.0, here.gradient, change)
        curvature = v.dot(change, direction)
        if curvature > 1e-10:
            self.pairs = [*self.pairs, (direction, change, 1 / curvature)][-self.memory :]
        return True

    def _direction(self, gradient: Any) -> Any:
        """-H g by the two loops of algorithm 7.4."""
        v = self.vectors
        q = v.copy(gradient)
        v.scale(-1.0, q)
        if not self.pairs:
            return q
        alphas = []
        for s, y, rho in reversed(self.pairs):
            alphas.append(rho * v.dot(s, q))
            v.axpy(-alphas[-1], y, q)
        _, y, rho = self.pairs[-1]
        v.scale(1 / (rho * v.dot(y, y)), q)
        for (s, y, rho), alpha in zip(self.pairs, reversed(alphas)):
            v.axpy(alpha - rho * v.dot(y, q), s, q)
        return q

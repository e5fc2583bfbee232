"""Metrics: what is reported beside the loss."""

import math
from collections.abc import Sequence
from typing import Any

from cnn_core.reference.vectors import Matrix, Row, tree_sum


class Metrics:
    """Correct rows, or for regression the squared residuals of each output.

    Parameters
    ----------
    n_outputs : int
    multilabel : bool
        A row is correct where all of its labels are.
    y_threshold : float
        Targets above it count as a yes.
    """

    def __init__(self, n_outputs: int, multilabel: bool, y_threshold: float) -> None:
        self.multilabel, self.y_threshold = multilabel, y_threshold
        self.classified, self.correct, self.rows = False, 0, 0
        self.residuals = [0.0] * n_outputs

    def update(
        self,
        outputs: Matrix,
        targets: Sequence[Any],
        classes: Sequence[int] | None,
        threshold: float,
    ) -> None:
        """Count some rows; outputs above `threshold` say yes."""
        self.rows += len(outputs)
        self.classified = classes is not None
        if classes is not None:
            for out, label in zip(outputs, classes):
                argmax = int(out[0] > threshold) if len(out) == 1 else out.index(max(out))
                self.correct += argmax == label
            return
        for out, y in zip(outputs, targets):
            if self.multilabel:
                self.correct += all(
                    (o > threshold) == (t > self.y_threshold) for o, t in zip(out, y)
                )
            else:
                for j, (o, t) in enumerate(zip(out, y)):
                    self.residuals[j] += (o - t) * (o - t)

    def add(self, shares: Sequence["Metrics"]) -> None:
        """Add what has been counted of the rows of each shard."""
        self.classified = shares[0].classified
        self.rows += sum(share.rows for share in shares)
        self.correct += sum(share.correct for share in shares)
        found = tree_sum([share.residuals for share in shares])
        self.residuals = [a + b for a, b in zip(self.residuals, found)]

    @property
    def sums(self) -> Row:
        """All that has been counted."""
        return [float(self.correct), float(self.rows), *self.residuals]

    @sums.setter
    def sums(self, values: Row) -> None:
        for count in values[:2]:
            if not (count >= 0 and count.is_integer()):
                raise ValueError(f"the rows that are counted must be a whole number, got {count}")
        self.correct, self.rows, self.residuals = int(values[0]), int(values[1]), [*values[2:]]

    def result(self) -> float | Row:
        """The share of correct rows, or the summed squared residuals of each output."""
        if self.classified or self.multilabel:
            return self.correct / self.rows if self.rows else math.nan
        return self.residuals

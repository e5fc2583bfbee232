"""A network before it learns: `MLP.initialize`."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Never, Self

from cnn_core._control import Exclusive
from cnn_core._names import refuse, without_unknown
from cnn_core.fitted import Fitted

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Initialization(Fitted):
    """The method of `MLP` that makes an untrained model."""

    _check_parameters: Callable[[], SimpleNamespace]

    @without_unknown
    def initialize(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        *,
        classes: ArrayLike | None = None,
        n_features: int | None = None,
        n_outputs: int | None = None,
        **unknown: Never,
    ) -> Self:
        """Make the network without training it: everything that a fitted model does works with its
        initial weights, and `weights_`, `biases_` and `parameters_` can be set.

        The weights are those that `fit` begins with, to the bit, for an int as `random_state`;
        ``fit`` with ``warm_start=True`` and `partial_fit` go on from them, whatever it is. A model
        that was fitted before is replaced.

        Parameters
        ----------
        X, y : array-like, optional
            As for `fit`. They say which features, task and classes there are, and `scale_inputs`
            and `scale_targets` learn from them. Without X and y nothing is scaled, so that weights
            given by hand mean what they say.
        classes : array-like, optional
            All class labels that will ever come; default those of y.
        n_features : int, optional
            Without X: the number of inputs. Not needed where `init` is a list of (W, b).
        n_outputs : int, optional
            Without y and classes: the numbers that a regression predicts or, with
            ``task='classification'``, the yes-or-no labels of each row. Not needed where `init` is
            a list of (W, b).

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Where `fit` raises them, and for sizes that are missing or do not go together. The model
            is then as it was before.
        """
        if unknown:
            refuse(Initialization.initialize, self, unknown)
        from cnn_core.training import fit, untrained  # not needed by those who only predict

        p = self._check_parameters()
        if X is None and y is None:
            with Exclusive(self):
                self._publish(untrained.from_sizes(p, n_features, n_outputs, classes))
            return self
        if n_features is not None or n_outputs is not None:
            raise ValueError(
                "initialize takes X and y, or n_features with classes or n_outputs; got both"
            )
        if X is None or y is None:
            raise ValueError(
                f"initialize takes X and y together; {'X' if X is None else 'y'} is missing"
            )
        with Exclusive(self):
            self._publish(fit.begin(p, X, y, classes=classes, purpose="initialize").model)
        return self

"""The checkpoint of a `TabularMLP`: that of its members, with the version of their recipe."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cnn_core.many.checkpoint import ManyCheckpoint
from cnn_core.tabular.recipe import VERSION
from cnn_core.training.kept import other_parameters

if TYPE_CHECKING:
    from cnn_core.mlp import MLP
    from cnn_core.tabular.estimator import TabularMLP
    from cnn_core.training.kept import KeptTraining
    from cnn_core.training.signals import Signals


class TabularCheckpoint(ManyCheckpoint):
    """As `ManyCheckpoint`; the members are made by the seed that it has.

    Parameters
    ----------
    owner : TabularMLP
    path : path-like
    every : float or str
    signals : Signals

    Raises
    ------
    ValueError
        For a checkpoint of other parameters, or of another version of the recipe.
    """

    def __init__(
        self, owner: TabularMLP, path: str | os.PathLike[str], every: Any, signals: Signals
    ) -> None:
        super().__init__(owner, path, every, signals)
        self.seed: int | None = None
        if self.contents is None:
            return
        version, _, members = self.contents.model
        saved = self.contents.estimator
        other = other_parameters(self.place.path, saved, owner, self.parameters)
        if other:
            raise ValueError(other)
        if version != VERSION:
            raise ValueError(
                f"the checkpoint {self.place.path} is of a training by version {version} of the "
                f"recipe, and this cnn_core trains by version {VERSION}; take another path, or "
                "cnn_core.load for what was trained"
            )
        self.seed = members[0].random_state

    def members(self, model: Any) -> Sequence[MLP]:
        """The members in what a file has of a TabularMLP."""
        found: Sequence[MLP] = model[2]
        return found

    def model(self, pairs: Sequence[tuple[MLP, Any]]) -> Any:
        """What a file has of a TabularMLP, with its members."""
        return VERSION, None, pairs

    def keep(self, model: MLP) -> KeptTraining:
        """As `ManyCheckpoint.keep`; members of the same seed that have other parameters are of
        other data."""
        try:
            return super().keep(model)
        except ValueError as error:
            raise ValueError(
                f"the checkpoint {self.place.path} is of a training on other data, for which the "
                "recipe is another; give the same, or take another path"
            ) from error

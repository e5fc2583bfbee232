"""X, y and their weights as training reads them: a table without its target, blocks gathered."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.blocks.gather import Gathered, read_blocks
from cnn_core.blocks.source import are_blocks
from cnn_core.data.validation import check_order_of_targets, listed
from cnn_core.meaning import only_for_numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.columns.columns import Columns
    from cnn_core.distributed.ranks import Ranks
    from cnn_core.model import Model


def as_given(
    p: SimpleNamespace,
    rows: tuple[Any, Any, Any],
    before: Model | None,
    purpose: str,
    needs_rows: object,
    classes: ArrayLike | None,
) -> tuple[Any, Any, Any, tuple[str, ...]]:
    """X, y, their weights, and the columns that y names; where columns are asked for, X as a Table
    without these, and of blocks that are larger than memory as `Gathered`."""
    X, y, weights = rows
    names: tuple[str, ...] = ()
    resumed = None  # the columns of a checkpoint
    if before is not None and purpose == "fit" and not p.warm_start:
        resumed = before.columns
    keeps = p.columns is not None or (before is not None and before.columns is not None)
    if purpose == "fit" and are_blocks(X, y):
        if needs_rows:
            raise ValueError(
                f"monitor={p.monitor!r} scores rows, and of those that come in blocks none is kept "
                "as it is; give validation_data"
            )
        target = getattr(X, "target", None) if y is None else y
        names = (target,) if isinstance(target, str) else ()
        X, y, weights = read_blocks(p, X, y, weights, keeps)
        if names and before is None and not _is_decided(p, classes):
            y = _chosen(y, names[0])
        if isinstance(X, Gathered):
            if resumed is not None:
                _check_columns(X.columns or (), resumed)
            return X, y, weights, names
    if keeps:
        X, y, named = _as_table(p, X, y, before, classes)
        if resumed is not None:
            _check_columns(X.names, resumed)
        names = named or names
    return X, y, weights, names


def as_ranks_give(
    p: SimpleNamespace,
    rows: tuple[Any, Any, Any],
    before: Model | None,
    ranks: Ranks,
    classes: ArrayLike | None,
) -> tuple[Any, Any, Any, tuple[str, ...]]:
    """The same where ranks share the rows: X as `RankRows`, y and weights of all rows."""
    from cnn_core.distributed.rows import RankRows, gather_values

    X, y, weights = rows
    if are_blocks(X, y):
        raise ValueError(
            "ranks take arrays and tables, and X comes in blocks; give each rank its own rows, or "
            "what ranks.open gives"
        )
    keeps = p.columns is not None or (before is not None and before.columns is not None)
    found = RankRows(ranks, X, keeps)
    y, names = gather_values(ranks, y, "y", found.table_here)
    weights = gather_values(ranks, weights, "sample_weight").values
    if before is not None:
        check_order_of_targets(names, before.seen.targets)
    if keeps:
        found.table_of_all, y, named = _as_table(p, found.whole_table(), y, before, classes)
        names = named or names
    return found, y, weights, names


def _is_decided(p: SimpleNamespace, classes: ArrayLike | None) -> bool:
    """Whether it is said whether y holds classes or numbers."""
    said = p.task != "auto" or p.loss != "auto" or classes is not None
    return said or bool(only_for_numbers(p))


def _chosen(y: np.ndarray, name: str) -> np.ndarray:
    """A named target of blocks, as that of a table."""
    from cnn_core.columns.table import values_of
    from cnn_core.columns.target import chosen_labels

    return chosen_labels(values_of(y, name, "X"), y, name)


def _as_table(
    p: SimpleNamespace,
    X: Any,
    y: ArrayLike,
    before: Model | None,
    classes: ArrayLike | None,
) -> tuple[Any, Any, tuple[str, ...]]:
    """X as a Table, without the columns that y names, and their names."""
    from cnn_core.columns.table import read_table
    from cnn_core.columns.target import (
        chosen_target,
        known_target,
        split_target,
        texts_of_target,
    )

    if before is not None and before.columns is not None:
        whole = before.columns.table(X)
        table, targets = known_target(whole, y, before.task.classes, before.seen.targets)
    else:
        if before is not None and not before.knows_no_rows:
            raise ValueError(
                "training goes on with a model that was fitted without columns; fit anew, or set "
                "columns=None"
            )
        whole = read_table(X)
        table, targets = (split_target if _is_decided(p, classes) else chosen_target)(whole, y)
    return table, targets, texts_of_target(whole, y)


def _check_columns(names: Iterable[Any], resumed: Columns) -> None:
    """Raise for columns that a training which goes on from a checkpoint would leave out."""
    known = set(resumed.names)
    others = [name for name in names if name not in known]
    if others:
        raise ValueError(f"X has {listed(others)} too, which was no column of the training")


def check_weights_of_stream(class_weight: object) -> None:
    """Raise for what some rows of many cannot say."""
    if isinstance(class_weight, str):
        raise ValueError(
            f"class_weight={class_weight!r} would count the classes anew in the rows of each "
            "partial_fit; give a dict with the weight of each class, such as {0: 0.6, 1: 3.0}: "
            "rows / (classes * rows of the class)"
        )
